"""`lossopt list runs`: the runs below a folder, the newest first; in a table a sweep is one line."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from lossopt_cli.catalogue.spelling import spelled_as
from lossopt_cli.catalogue.wording import counted
from lossopt_cli.console import Console, is_terminal
from lossopt_cli.errors import Fault, UsageError
from lossopt_cli.runs.reading import SWEEP, runs_under, still_running, written_at

WIDTH = 80
COLUMNS = ["run", "status", "loss", "optimizer", "lr", "metric", "test"]
SHOWN = ["run", "status", "metric", "test"]  # of COLUMNS in a table; the name of a run has most of the others
INDENT = "  "
RUNNING = "running"
NARROWEST = 20  # columns for the name of a run

Found = tuple[Path, Mapping | str]
Row = Mapping[str, object]


def list_runs(console: Console, logs: Path, beginning: str | None) -> None:
    """Every run whose name, or path below `logs`, starts with `beginning`, or that is in that folder. UsageError where
    there is none."""
    found = [(path, result) for path, result in runs_under(logs) if _is_meant(path, logs, beginning)]
    if not found:
        raise UsageError(_none(logs, beginning))
    if console.format != "table":
        found.sort(key=lambda run: written_at(run[0]), reverse=True)
        console.rows(COLUMNS, [list(_record(path, result, logs).values()) for path, result in found])
        return
    sweeps = {path.parent for path, _ in found if (path.parent / SWEEP).is_file()}
    if len(sweeps) == 1 and all(path.parent in sweeps for path, _ in found) and (beginning or sweeps == {logs}):
        sweeps = set()  # the trials of that one are what was asked for
    _table(console, logs, found, sweeps)


def _is_meant(path: Path, logs: Path, beginning: str | None) -> bool:
    if beginning is None:
        return True
    name = path.relative_to(logs).as_posix()
    return path.name.startswith(beginning) or name.startswith(beginning) or path.is_relative_to(Path(beginning))


def _none(logs: Path, beginning: str | None) -> Fault:
    if beginning is not None and next(runs_under(logs), None) is not None:
        return Fault(f"no run in {logs} begins with {beginning!r}", "NAME", remedy=f"lossopt list runs{_option(logs)}")
    return Fault(
        f"no runs in {logs}", "--logs", "a folder with runs", "make one: lossopt train; or name the folder: --logs DIR"
    )


def _record(path: Path, result: Mapping | str, logs: Path) -> dict[str, object]:
    """Its value in each of COLUMNS; a run that cannot be read has the reason."""
    record = dict.fromkeys(COLUMNS)
    record["run"] = _name(path, logs)
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


def _name(path: Path, logs: Path) -> str:
    return str(path.relative_to(logs)) if path != logs else path.name


def _recipe(result: Mapping, part: str) -> str | None:
    settings = dict(result.get(part) or {})
    name = settings.pop("name", None)
    return spelled_as(part, name, settings, result.get("code") or {}) if name else None


def _sweep(folder: Path, logs: Path) -> dict[str, object]:
    """How many of its trials are done, and the mean of its best recipe, whose words are `best`."""
    from lossopt_cli.analysis.ranking import Request, compare
    from lossopt_cli.runs.records import read_records

    records, left_out = read_records([folder])
    total = len(records) + len(left_out)
    row = {"run": _name(folder, logs), "status": f"{len(records)}/{total} done", "metric": None, "test": None}
    try:
        comparison = compare(records, Request())[0]
    except (UsageError, IndexError):  # why it cannot be ranked is for compare to say; its trials are counted here
        return row
    best = comparison.recipes[0]
    label = comparison.label(best)
    rate = f", lr {best.learning_rate:g}" if label == best.name and best.learning_rate else ""
    said = f"best: {label}{rate}, " + (f"mean of {counted(best.n, 'seed')}" if best.n > 1 else "one seed")
    test = best.mean.value if comparison.split == "test" else None
    return row | {"metric": comparison.metric, "test": test, "best": said}


def _table(console: Console, logs: Path, found: Sequence[Found], sweeps: set[Path]) -> None:
    """In the width of the terminal, in WIDTH columns elsewhere: long names take several lines. Below stands why a run
    cannot be read, and since when one that is running has written nothing: it may have been killed."""
    from lossopt_cli.commands.training_report import short

    width = console.width if is_terminal(console.out) else WIDTH
    places = [(path, result) for path, result in found if path.parent not in sweeps]
    places += [(folder, None) for folder in sweeps]
    places.sort(key=lambda place: written_at(place[0]), reverse=True)
    rows = [_sweep(path, logs) if result is None else _record(path, result, logs) for path, result in places]
    cells = [[_status(row), row["metric"] or "", "" if row["test"] is None else short(row["test"])] for row in rows]
    widths = [max(map(len, column)) for column in zip(SHOWN[1:], *cells, strict=True)]
    room = max(width - sum(widths) - len(INDENT) * len(widths), NARROWEST)
    lines = [line for row, of_row in zip(rows, cells, strict=True) for line in _lines(row, of_row, widths[-1], room)]
    console.rows([*SHOWN[:-1], SHOWN[-1].rjust(widths[-1])], lines)
    for row, (path, _) in zip(rows, places, strict=True):
        if reason := still_running(path) if row["status"] == RUNNING else str(row["status"]).partition(": ")[2]:
            console.hint(f"{row['run']}: {reason}")
    if sweeps:
        newest = next(path for path, result in places if result is None)
        console.hint(f"the trials of a sweep: lossopt list runs {shlex.quote(_name(newest, logs))}{_option(logs)}")


def _status(row: Row) -> str:
    return str(row["status"]).partition(":")[0]


def _option(logs: Path) -> str:
    return "" if logs == Path("logs") else f" --logs {shlex.quote(str(logs))}"


def _lines(row: Row, cells: Sequence[str], width: int, room: int) -> Iterator[list[str]]:
    """The row; below it what of its name found no room, and the words on a sweep."""
    *others, last = cells
    first, *more = _folded(str(row["run"]), room)
    yield [first, *others, last.rjust(width)]
    for line in [*more, *([INDENT + str(row["best"])] if "best" in row else [])]:
        yield [line, *("" for _ in cells)]


def _folded(name: str, room: int) -> list[str]:
    """The whole name in lines of at most `room` signs, broken after a hyphen or a slash where there is one,
    but not before the time that it ends in."""
    lines = [""]
    for part in re.split(r"(?<=[-/+])(?!\d{6}$)", name):
        for piece in (part[start : start + room - len(INDENT)] for start in range(0, len(part), room - len(INDENT))):
            if len(lines[-1] + piece) > room:
                lines.append(INDENT)
            lines[-1] += piece
    return lines
