"""Runs that are not compared, summarised and named."""

from collections.abc import Sequence

from lossopt_cli.analysis import wording
from lossopt_cli.runs.records import LeftOut

NAMED = 8  # runs that are told with their reason
WORDS = {
    "running": "running",
    "interrupted": "interrupted",
    "failed": "failed",
    "unreadable": "unreadable",
    "no_metric": "without the metric",
}
COPIES = "same trial run twice: counted once"


def left_out_lines(left_out: Sequence[LeftOut]) -> list[str]:
    """One line, `left out: 1 running (...), 2 unreadable (logs/broken: result.json line 1; ...), 4 copies (...)`, or
    none."""
    told = []
    for kind in dict.fromkeys(item.kind for item in left_out):
        found = [item for item in left_out if item.kind == kind]
        if kind == "copy":
            told.append(f"{len(found)} {'copy' if len(found) == 1 else 'copies'} ({COPIES})")
            continue
        named = "; ".join(map(_named, found[:NAMED]))
        more = f"; and {wording.counted(len(found) - NAMED, 'other')}" if len(found) > NAMED else ""
        told.append(f"{len(found)} {WORDS[kind]} ({named}{more})")
    return [f"left out: {', '.join(told)}"] if told else []


def _named(item: LeftOut) -> str:
    """With the reason where it says more than the kind."""
    return str(item.folder) if item.reason == item.kind else f"{item.folder}: {item.reason}"
