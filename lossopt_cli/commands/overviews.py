"""A table of the catalogue at a glance, as plain text of at most `width` columns."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from textwrap import wrap

from lossopt_cli.catalogue.rows import DataRow, LossRow, MetricRow, ModelRow, OptimizerRow, Row, ScheduleRow

WIDTH = 80
MARKS = (("multiclass", "K"), ("binary", "2"), ("regression", "n"))


def overview(table: Sequence[Row], width: int = WIDTH) -> str:
    """Name, what it serves, and what it is for; losses and optimizers by family."""
    lines: list[str] = []
    if isinstance(table[0], LossRow):
        lines += ["K: several classes   2: two classes   n: numbers", ""]
    room = min(max(len(row.name) for row in table), 22)
    for family, rows in groupby(table, key=_family):
        if family:
            lines += [*([""] if lines and lines[-1] else []), family]
        lines += [line for row in rows for line in _entry(row, room, width)]
    return "\n".join(lines) + "\n"


def records(table: Iterable[Row]) -> tuple[list[str], list[list[object]]]:
    """The same as columns and rows for JSON, CSV, Markdown and LaTeX."""
    found = [_record(row) for row in table]
    return list(found[0]), [list(record.values()) for record in found]


def _entry(row: Row, room: int, width: int) -> list[str]:
    """`  name   marks   sentence`, the sentence wrapped; a name too long stands on a line of its own."""
    left = f"  {row.name:<{room}}  "
    marks = _marks(row)
    indent = " " * (room + 4 + len(marks))
    lines = wrap(_sentence(row), width, initial_indent=indent, subsequent_indent=indent)
    if len(row.name) > room:
        return [f"  {row.name}", " " * len(indent[: room + 4]) + marks + lines[0].strip(), *lines[1:]]
    return [left + marks + lines[0].strip(), *lines[1:]]


def _family(row: Row) -> str:
    return row.family if isinstance(row, LossRow | OptimizerRow) else ""


def _marks(row: Row) -> str:
    if isinstance(row, LossRow):
        return " ".join(mark if task in row.tasks else "." for task, mark in MARKS) + "  "
    if isinstance(row, DataRow):
        return f"{row.task or 'any task':<12}"
    if isinstance(row, ModelRow):
        return f"{row.inputs:<7}"
    return ""


def _sentence(row: Row) -> str:
    if isinstance(row, LossRow) and not row.tasks:
        return f"not trained here: {next(iter(row.refusals.values())).split('; take ')[0]}"
    if isinstance(row, OptimizerRow):
        return row.use
    if isinstance(row, DataRow):
        return row.contents + (f"; {row.download} to download" if row.download else "")
    if isinstance(row, MetricRow):
        return f"{row.formula}: {row.use}"
    return row.use


def _record(row: Row) -> dict[str, object]:
    if isinstance(row, LossRow):
        return {
            "name": row.name,
            "library": row.library,
            "tasks": list(row.tasks),
            "aliases": list(row.aliases),
            "settings": [s.name for s in row.settings],
            "formula": row.formula,
            "use": row.use,
            "paper": row.paper,
        }
    if isinstance(row, OptimizerRow):
        return {
            "name": row.name,
            "library": row.library,
            "class": row.class_name,
            "settings": [s.name for s in row.settings],
            "update": list(row.update),
            "use": row.use,
            "paper": row.paper,
        }
    if isinstance(row, DataRow):
        return {"name": row.name, "task": row.task, "inputs": row.inputs, "contents": row.contents}
    if isinstance(row, MetricRow):
        return {"name": row.name, "tasks": list(row.tasks), "better": row.better, "formula": row.formula}
    if isinstance(row, ScheduleRow):
        return {"name": row.name, "formula": row.formula, "use": row.use, "paper": row.paper}
    return {"name": row.name, "inputs": row.inputs, "layers": row.layers, "use": row.use, "paper": row.paper}
