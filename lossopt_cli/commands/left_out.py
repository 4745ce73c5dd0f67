"""Runs that are not compared, counted and named."""

from collections.abc import Sequence

from lossopt_cli.analysis import wording
from lossopt_cli.console import Console
from lossopt_cli.runs.records import LeftOut

NAMED = 5  # runs that are told with their reason
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
    NAMED that are no copies, and how many more there are; none where nothing is left out."""
    if not left_out:
        return []
    found = [item for item in left_out if item.kind != COPY]
    named = [f"  {_named(item)}" for item in found[:NAMED]]
    more = [f"  and {wording.counted(len(found) - NAMED, 'other')}"] if len(found) > NAMED else []
    return [f"left out: {counts(left_out)}", *named, *more]


def counts(left_out: Sequence[LeftOut]) -> str:
    """`1 running, 2 unreadable`."""
    numbers = {kind: sum(item.kind == kind for item in left_out) for kind in dict.fromkeys(i.kind for i in left_out)}
    return ", ".join(_copies(number) if kind == COPY else f"{number} {WORDS[kind]}" for kind, number in numbers.items())


def _copies(number: int) -> str:
    return f"{number} {'copy' if number == 1 else 'copies'} (same trial run twice: counted once)"


def _named(item: LeftOut) -> str:
    """With its kind where the reason does not begin with it."""
    kind = "" if item.reason.startswith(WORDS[item.kind]) else f"{WORDS[item.kind]}, "
    return f"{item.folder}: {kind}{item.reason}"
