"""What RUN and RUN_OR_FOLDER mean to the commands that read runs: a folder, a name, `last`."""

import shlex
from collections.abc import Callable
from pathlib import Path

from lossopt_cli.runs.reading import LAST, RESULT, SWEEP, find_run

Note = Callable[[str], None]


def folder_of_any(reference: str, logs: Path, note: Note) -> Path:
    """Any folder that is there, a name, or `last`: the newest run or sweep."""
    return Path(reference) if Path(reference).is_dir() else find_run(reference, logs)


def folder_of_several(reference: str, logs: Path, note: Note) -> Path:
    """Any folder that is there, a name, or `last`: the newest sweep; of a newest run that is in none, the folder that
    it shares with others, which is told."""
    if Path(reference).is_dir():
        return Path(reference)
    found = find_run(reference, logs)
    beside = found.parent
    if reference != LAST or (found / SWEEP).is_file():
        return found
    if (beside / SWEEP).is_file():
        return beside
    if all(other.parent == found for other in beside.glob(f"*/{RESULT}")):
        return found
    note(f"the last run and those beside it: {shlex.quote(str(beside))}")
    return beside


def folder_of_one(reference: str | None, logs: Path, note: Note) -> Path:
    """A run, or any folder that is there; `last` and None are the newest run that no sweep has made, since those keep
    no models, and it is told which one that is."""
    if reference is not None and reference != LAST:
        return Path(reference) if Path(reference).is_dir() else find_run(reference, logs)
    found = find_run(reference, logs, alone=True)
    note(f"run        {found}")
    return found
