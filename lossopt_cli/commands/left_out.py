"""Runs that are not compared, counted and named."""

from collections.abc import Sequence

from lossopt_cli.analysis import wording
from lossopt_cli.console import Console
from lossopt_cli.runs.records import LeftOut

NAMED = 5  # reasons that are told, each with the first run that it is of
WORDS = {
    "running": "running",
    "interrupted": "interrupted",
    "failed": "failed",
    "unreadable": "unreadable",
    "no_metric": "without the metric",
}
COPY = "copy"


def tell(left_out: Sequence[LeftOut], console: Console) -> None:
    """How many there are, as a warning, so also under --quiet; then the first few. Copies alone are a note: every trial
    counts."""
    lines = left_out_lines(left_out)
    say_first = console.note if all(item.kind == COPY for item in left_out) else console.warn
    for line in lines[:1]:
        say_first(line)
    for line in lines[1:]:
        console.note(line)


def left_out_lines(left_out: Sequence[LeftOut]) -> list[str]:
    """`left out: 1 running, 7 unreadable, 4 copies (same trial run twice: counted once)`, a line for each of the first
    NAMED reasons of those that are no copies, and how many more runs there are; none where nothing is left out."""
    if not left_out:
        return []
    alike: dict[tuple[str, str], list[LeftOut]] = {}
    for item in left_out:
        if item.kind != COPY:
            alike.setdefault((item.kind, item.reason), []).append(item)
    groups = list(alike.values())
    named = [f"  {_named(group)}" for group in groups[:NAMED]]
    rest = sum(map(len, groups[NAMED:]))
    more = [f"  and {wording.counted(rest, 'other')}"] if rest else []
    return [f"left out: {counts(left_out)}", *named, *more]


def counts(left_out: Sequence[LeftOut]) -> str:
    """`1 running, 2 unreadable`."""
    numbers = {kind: sum(item.kind == kind for item in left_out) for kind in dict.fromkeys(i.kind for i in left_out)}
    return ", ".join(_copies(number) if kind == COPY else f"{number} {WORDS[kind]}" for kind, number in numbers.items())


def _copies(number: int) -> str:
    return f"{number} {'copy' if number == 1 else 'copies'} (same trial run twice: counted once)"


def _named(alike: Sequence[LeftOut]) -> str:
    """The first of them, with its kind where the reason does not begin with it."""
    item = alike[0]
    kind = "" if item.reason.startswith(WORDS[item.kind]) else f"{WORDS[item.kind]}, "
    others = f" and {wording.counted(len(alike) - 1, 'other')}" if len(alike) > 1 else ""
    return f"{item.folder}{others}: {kind}{item.reason}"
