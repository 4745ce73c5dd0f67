"""`lossopt list runs`: the runs below a folder, the newest first."""

from collections.abc import Mapping
from pathlib import Path

from lossopt_cli.catalogue.spelling import spelled_as
from lossopt_cli.console import Console, is_terminal
from lossopt_cli.errors import Fault, UsageError
from lossopt_cli.runs.reading import runs_under, still_running, written_at

WIDTH = 80
RUNNING = "running"
COLUMNS = ["run", "status", "loss", "optimizer", "lr", "metric", "test"]
SHOWN = ["run", "status", "metric", "test"]  # of COLUMNS in a table; the name of a run has most of the others


def list_runs(console: Console, logs: Path, beginning: str | None) -> None:
    """Every run whose name starts with `beginning`. UsageError where there is none."""
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
    found.sort(key=lambda run: written_at(run[0]), reverse=True)
    records = [_record(path, result, logs) for path, result in found]
    if console.format == "table":
        for record, (path, _) in zip(records, found, strict=True):
            if record["status"] == RUNNING:
                record["status"] = f"{RUNNING}: {still_running(path)}"
        _table(console, records)
    else:
        console.rows(COLUMNS, [list(record.values()) for record in records])


def _record(path: Path, result: Mapping | str, logs: Path) -> dict[str, object]:
    """Its value in each of COLUMNS; a run that cannot be read has the reason."""
    record = dict.fromkeys(COLUMNS)
    record["run"] = str(path.relative_to(logs)) if path != logs else path.name
    if isinstance(result, str):
        return record | {"status": f"unreadable: {result}"}
    metric = result.get("metric")
    test = (result.get("metrics") or {}).get("test") or {}
    return record | {
        "status": result.get("status"),
        "loss": _recipe(result, "loss"),
        "optimizer": _recipe(result, "optimizer"),
        "lr": (result.get("optimizer") or {}).get("learning_rate"),
        "metric": metric,
        "test": test.get(metric),
    }


def _recipe(result: Mapping, part: str) -> str | None:
    settings = dict(result.get(part) or {})
    name = settings.pop("name", None)
    return spelled_as(part, name, settings) if name else None


def _table(console: Console, records: list[dict[str, object]]) -> None:
    """In the width of the terminal, in WIDTH columns elsewhere: long names lose their middle. Below stands why a run
    cannot be read, and since when one that runs has written nothing."""
    width = console.width if is_terminal(console.out) else WIDTH
    shown = [{name: record[name] for name in SHOWN} for record in records]
    for record in shown:
        record["status"] = str(record["status"]).partition(":")[0]
        record["metric"] = record["metric"] or ""
    others = sum(2 + max(len(name), *(len(str(record[name])) for record in shown)) for name in ("status", "metric"))
    room = width - others - len("  0.0001234")
    names = [str(record["run"]) for record in shown]
    for record, name in zip(shown, names, strict=True):
        record["run"] = _shortened(name, room)
    console.rows(SHOWN, [list(record.values()) for record in shown])
    for record in records:
        reason = str(record["status"]).partition(": ")[2]
        if reason:
            console.hint(f"{record['run']}: {reason}")
    if max(map(len, names)) > room:
        console.hint("names in full, losses and optimizers: lossopt list runs --format csv")


def _shortened(name: str, room: int) -> str:
    """At most `room` signs: the beginning, and as much of the end as has the seed and the time."""
    if len(name) <= room:
        return name
    end = min(19, room // 2)
    return f"{name[: room - end - 1]}…{name[-end:]}"
