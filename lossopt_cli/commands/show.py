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
from lossopt_cli.commands.overviews import overview, records
from lossopt_cli.commands.pages import page
from lossopt_cli.commands.past_runs import list_runs
from lossopt_cli.console import Console
from lossopt_cli.errors import Fault, UsageError
from lossopt_cli.options import CatalogueTable, EntryName, Format, Logs
from lossopt_cli.rendering import json_text

# section of `lossopt list` -> what one entry is called, the rows, what the section is
SECTIONS: dict[str, tuple[str, Sequence[Row], str]] = {
    "losses": ("loss", LOSSES, "what is minimised: Keras's losses, and PyTorch's by their names"),
    "optimizers": ("optimizer", OPTIMIZERS, "how it is minimised; torch.NAME takes any of torch.optim"),
    "models": ("model", MODELS, "what is trained, or your own: --model file.py:function"),
    "data": ("data set", DATASETS, "what it is trained on, or your own: a .csv, a folder, file.py:function"),
    "schedules": ("schedule", SCHEDULES, "how the learning rate changes while training"),
    "metrics": ("metric", METRICS, "what a run is judged by"),
}
RUNS = "runs"


def list_catalogue(
    table: CatalogueTable = None,
    name: EntryName = None,
    format: Format = "table",
    logs: Logs = Path("logs"),
) -> None:
    """Look up losses, optimizers, models, data, schedules, metrics, and the runs so far."""
    console = Console(format)
    section = None if table is None else _section(table)
    if table is None:
        _sections(console)
    elif section == RUNS:
        list_runs(console, logs, name)
    elif section is None and name is None:
        _anywhere(console, table)
    elif section is None:
        raise UsageError(_unknown(table))
    elif name is None:
        _table(console, section)
    else:
        kind, rows, _ = SECTIONS[section]
        _entry(console, lookup.find(rows, name, kind, "lossopt list"))


def _section(word: str) -> str | None:
    """The section that a word means, also in the singular; None where it means none."""
    words = {"run": RUNS, RUNS: RUNS, "dataset": "data", "datasets": "data"}
    for section, (kind, _, _) in SECTIONS.items():
        words |= {section: section, lookup.plain(kind): section}
    return words.get(lookup.plain(word))


def _anywhere(console: Console, name: str) -> None:
    """The entry of that name in the first section that has one; which others have one, too, is said."""
    found = [
        (section, row) for section in SECTIONS if (row := lookup.index(SECTIONS[section][1]).get(lookup.plain(name)))
    ]
    if not found:
        raise UsageError(_unknown(name))
    (_, row), *others = found
    _entry(console, row)
    for section, other in others:
        console.hint(f"also: lossopt list {section} {other.name}")


def _unknown(word: str) -> Fault:
    entries = [name for _, rows, _ in SECTIONS.values() for row in rows for name in lookup.names_of(row)]
    near = lookup.nearest(word, [*SECTIONS, RUNS]) or lookup.nearest(word, entries)
    return Fault(
        f"no table and no entry is called '{word}'",
        "lossopt list",
        f"{', '.join(SECTIONS)} or {RUNS}, or the name of an entry",
        f"did you mean: lossopt list {near[0]}?" if near else None,
    )


def _sections(console: Console) -> None:
    rows = [[section, len(table), sentence] for section, (_, table, sentence) in SECTIONS.items()]
    if console.format != "table":
        console.rows(["section", "entries", "contents"], rows)
        return
    lines = [f"  lossopt list {section:<11}{count:>3}   {sentence}" for section, count, sentence in rows]
    console.result("\n".join([*lines, f"  lossopt list {RUNS:<14}   the runs below logs/"]))
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
