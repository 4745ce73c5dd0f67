"""Trials of one setting, seed and head begin with the same network: if not, they faced other problems (rule 4)."""

from collections.abc import Iterable, Sequence

from lossopt_cli.runs.records import Record

AGREE = 1e-6  # of raw outputs of the untrained network, relative to those above 1
AGREE_ACROSS = 1e-3  # between devices, which round differently


def disagreement(records: Iterable[Record]) -> str | None:
    """Two runs of one setting and seed whose untrained networks differ on the first validation rows, in a sentence;
    None where all agree. Runs that did not record them are not checked."""
    first: dict[tuple[str, int, int | None], Record] = {}
    for record in records:
        if record.initial_outputs is None:
            continue
        other = first.setdefault((record.setting, record.seed, record.head_units), record)
        if other is not record and not _agree(other, record):
            return (
                f"{other.folder} and {record.folder} have seed {record.seed} and one setting, but their untrained "
                "networks differ: they began with other weights or saw other data"
            )
    return None


def _agree(a: Record, b: Record) -> bool:
    within = AGREE if a.device == b.device else AGREE_ACROSS
    here, there = a.initial_outputs or (), b.initial_outputs or ()
    if len(here) != len(there):
        return False
    return all(_rows_agree(x, y, within) for x, y in zip(here, there, strict=True))


def _rows_agree(here: Sequence[float], there: Sequence[float], within: float) -> bool:
    if len(here) != len(there):
        return False
    return all(x == y or _close(x, y, within) for x, y in zip(here, there, strict=True))


def _close(x: float | None, y: float | None, within: float) -> bool:
    return x is not None and y is not None and abs(x - y) <= within * max(1.0, abs(x), abs(y))
