"""Images that are in train and in a split that judges, pixel by pixel."""

from collections.abc import Sequence

import numpy as np

from lossopt_cli.data.problem import Problem
from lossopt_cli.data.rows import Rows
from lossopt_cli.training.doctor.inputs import Repeated

MOST_BYTES = 64 << 20  # of arrays without digests: a tenth of a second to read


def repeated(problem: Problem) -> Sequence[Repeated]:
    """Of test and validation. Nothing for tables, whose rows may well be equal, and for arrays that are too large to be
    read for this."""
    splits = {name: problem.split(name).inputs for name in ("train", "test", "validation")}
    if problem.inputs.kind in ("table", "array") or not _are_known(list(splits.values())):
        return []
    found = {name: _digests(inputs) for name, inputs in splits.items()}
    train = found.pop("train")
    return [Repeated(name, len(own), int(np.isin(own, train).sum())) for name, own in found.items() if len(own)]


def _are_known(inputs: Sequence[np.ndarray | Rows]) -> bool:
    unread = [one for one in inputs if not (isinstance(one, Rows) and one.digests is not None)]
    return sum(int(np.prod(one.shape)) * one.dtype.itemsize for one in unread) <= MOST_BYTES


def _digests(inputs: np.ndarray | Rows) -> np.ndarray:
    """A number for each row, equal where rows are."""
    if isinstance(inputs, Rows) and inputs.digests is not None:
        return inputs.digests[inputs.rows]
    rows = np.ascontiguousarray(np.asarray(inputs))
    return np.array([hash(row.tobytes()) for row in rows], dtype=np.int64)
