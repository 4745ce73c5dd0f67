"""`lossopt list`: the tables of the catalogue, one entry in full, and the runs so far."""

from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path

from lossopt_cli.catalogue import lookup
from lossopt_cli.catalogue.datasets import DATASETS
from lossopt_cli.catalogue.losses import LOSSES
from lossopt_cli.catalogue.metrics import METRICS
from lossopt_cli.catalogue.models import MODELS
from lossopt_cli.catalogue.optimizers import OPTIMIZERS
from lossopt_cli.catalogue.rows import LossRow, Row
from lossopt_cli.catalogue.schedules import SCHEDULES
from lossopt_cli.commands.labels import spelled_as
from lossopt_cli.commands.overviews import overview, records
from lossopt_cli.commands.pages import page
from lossopt_cli.console import Console
from lossopt_cli.errors import Fault, UsageError
from lossopt_cli.options import CatalogueTable, EntryName, Format, Logs
from lossopt_cli.rendering import json_text

# section of `lossopt list` -> what one entry is called, the rows, what the section is
SECTIONS: dict[str, tuple[str, Sequence[Row], str]] = {
    "losses": ("loss", LOSSES, "what is minimised: Keras's losses, and PyTorch's by their names"),
    "optimizers": ("optimizer", OPTIMIZERS, "how it is minimised; torch.NAME takes any of torch.optim"),
    "models": ("model", MODELS, "what is trained, or your own: --model file.py:function"),
    "data": ("data", DATASETS, "what it is trained on, or your own: a .csv, a folder, file.py:function"),
    "schedules": ("schedule", SCHEDULES, "how the learning rate changes while training"),
    "metrics": ("metric", METRICS, "what a run is judged by"),
}


def list_catalogue(
    table: CatalogueTable = None,
    name: EntryName = None,
    format: Format = "table",
    logs: Logs = Path("logs"),
) -> None:
    """Look up losses, optimizers, models, data, schedules, metrics, and the runs so far."""
    console = Console(format)
    if table is None:
        _sections(console)
    elif table == "runs":
        _runs(console, logs, name)
    elif name is None:
        _table(console, table)
    else:
        kind, rows, _ = SECTIONS[table]
        _entry(console, lookup.find(rows, name, kind, "lossopt list"))


def _sections(console: Console) -> None:
    rows = [[section, len(table), sentence] for section, (_, table, sentence) in SECTIONS.items()]
    if console.format != "table":
        console.rows(["section", "entries", "contents"], rows)
        return
    lines = [f"  lossopt list {section:<11}{count:>3}   {sentence}" for section, count, sentence in rows]
    console.result("\n".join([*lines, f"  lossopt list {'runs':<14}   the runs below logs/"]))
    console.hint("\none entry in full: lossopt list losses huber")


def _table(console: Console, section: str) -> None:
    kind, rows, _ = SECTIONS[section]
    if console.format != "table":
        console.rows(*records(rows))
        return
    console.result(overview(rows))
    console.hint(f"one {kind} in full: lossopt list {section} {rows[0].name}")


def _entry(console: Console, row: Row) -> None:
    if console.format == "json":
        console.result(json_text(_values(row)))
    elif console.format == "table":
        console.result(page(row))
    else:
        console.rows(*records([row]))


def _values(row: Row) -> dict[str, object]:
    """Every field of the row that is data; settings and tasks as objects."""
    values = {field.name: getattr(row, field.name) for field in fields(row)}
    values = {name: value for name, value in values.items() if not callable(value)}
    values["settings"] = [
        {"name": s.name, "default": s.default, "meaning": s.meaning} for s in values.get("settings", ())
    ]
    if isinstance(row, LossRow):
        values["tasks"] = {task: asdict(fit) for task, fit in row.tasks.items()}
    return values


def _runs(console: Console, logs: Path, beginning: str | None) -> None:
    from lossopt_cli.runs.reading import runs_under

    found = [(path, result) for path, result in runs_under(logs) if path.name.startswith(beginning or "")]
    if not found:
        raise UsageError(
            Fault(
                f"no runs in {logs}",
                "--logs",
                "a folder with runs",
                "make one: lossopt train; or name the folder: --logs DIR",
            )
        )
    columns = ["run", "status", "loss", "optimizer", "lr", "metric", "test"]
    console.rows(columns, [_run(path, result, logs) for path, result in found])


def _run(path: Path, result: dict | str, logs: Path) -> list[object]:
    """Its values in the order of the columns; a run that cannot be read has the reason."""
    name = str(path.relative_to(logs)) if path != logs else path.name
    if isinstance(result, str):
        return [name, f"unreadable: {result}", *[None] * 5]
    metric = result.get("metric")
    test = (result.get("metrics") or {}).get("test") or {}
    parts = [_recipe(result, part) for part in ("loss", "optimizer")]
    rate = (result.get("optimizer") or {}).get("learning_rate")
    return [name, result.get("status"), *parts, rate, metric, test.get(metric)]


def _recipe(result: dict, part: str) -> str | None:
    settings = dict(result.get(part) or {})
    name = settings.pop("name", None)
    return spelled_as(part, name, settings) if name else None
