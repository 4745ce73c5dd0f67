"""Which classes a model tells apart: counts of every pair of them, and what follows from the counts alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lossopt_cli.catalogue.metrics import Outputs


def confusion(outputs: Outputs, classes: int) -> np.ndarray:
    """int64 [classes, classes]: how many examples of class i (row) were predicted to be of class j (column)."""
    cells = outputs.targets * classes + outputs.predicted
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


@dataclass(frozen=True)
class ClassScore:
    """precision = right / predicted, recall = right / support, f1 their harmonic mean, 2 right / (predicted + support).

    0 where nothing could be right (as scikit-learn has it): a class that is never predicted, or that never occurs.
    """

    name: str
    precision: float
    recall: float
    f1: float
    support: int
    predicted: int


def class_scores(counts: np.ndarray, names: Sequence[str]) -> list[ClassScore]:
    """Of every class, in the order of the confusion counts."""
    right, support, predicted = counts.diagonal(), counts.sum(axis=1), counts.sum(axis=0)
    precision = right / np.maximum(predicted, 1)
    recall = right / np.maximum(support, 1)
    f1 = 2 * right / np.maximum(predicted + support, 1)
    columns = (names, precision.tolist(), recall.tolist(), f1.tolist(), support.tolist(), predicted.tolist())
    return [ClassScore(*row) for row in zip(*columns, strict=True)]


@dataclass(frozen=True)
class Confused:
    """So many of the `of` examples of class `truth` were taken for class `predicted`."""

    truth: str
    predicted: str
    count: int
    of: int


def confusions(counts: np.ndarray, names: Sequence[str]) -> list[Confused]:
    """Every pair of classes that was confused, the most frequent first."""
    wrong = counts - np.diag(counts.diagonal())
    support = counts.sum(axis=1)
    order = np.argsort(-wrong, axis=None, kind="stable")[: np.count_nonzero(wrong)]
    pairs = [divmod(int(cell), len(names)) for cell in order]
    return [Confused(names[i], names[j], int(wrong[i, j]), int(support[i])) for i, j in pairs]


@dataclass(frozen=True)
class AtThreshold:
    """What saying class 1 above `threshold` gives; precision, recall and f1 of class 1."""

    threshold: float
    accuracy: float
    balanced_accuracy: float
    precision: float
    recall: float
    f1: float


def at_threshold(scores: np.ndarray, targets: np.ndarray, threshold: float) -> AtThreshold:
    """Of scores [n] and targets 0 or 1 [n]. balanced_accuracy: the mean of the recalls of the classes that occur."""
    said, one = scores > threshold, targets == 1
    right, ones, zeros = int((said & one).sum()), int(one.sum()), int((~one).sum())
    refused = int((~said & ~one).sum())
    recalls = [part / whole for part, whole in ((right, ones), (refused, zeros)) if whole]
    return AtThreshold(
        threshold=threshold,
        accuracy=(right + refused) / len(targets),
        balanced_accuracy=sum(recalls) / len(recalls),
        precision=right / max(int(said.sum()), 1),
        recall=right / max(ones, 1),
        f1=2.0 * right / max(int(said.sum()) + ones, 1),
    )


def best_threshold(scores: np.ndarray, targets: np.ndarray, metric: str, usual: float) -> float:
    """The threshold with the best `f1` or `balanced_accuracy`: `usual` where none is better, else the middle between
    two neighbouring scores, of several the nearest to `usual`.

    Every threshold between two scores at once: k of the n scores, the largest, are above it.
    """
    values, counts = np.unique(scores, return_counts=True)
    if len(values) < 2:
        return usual
    ones_at = np.bincount(np.searchsorted(values, scores), targets == 1, len(values))
    above = np.cumsum(counts[::-1])[::-1][1:].astype(np.float64)  # of the middle below each value but the first
    hits = np.cumsum(ones_at[::-1])[::-1][1:]
    ones, zeros = float((targets == 1).sum()), float((targets == 0).sum())
    if not ones or not zeros:
        return usual
    reached = {
        "f1": 2.0 * hits / (above + ones),
        "balanced_accuracy": (hits / ones + 1.0 - (above - hits) / zeros) / 2.0,
    }[metric]
    middles = (values[1:] + values[:-1]) / 2.0
    now = vars(at_threshold(scores, targets, usual))[metric]
    if reached.max() <= now + 1e-12:
        return usual
    best = np.flatnonzero(reached >= reached.max() - 1e-12)
    return float(middles[best[np.abs(middles[best] - usual).argmin()]])


@dataclass(frozen=True)
class Missed:
    """A prediction far from the truth: error = prediction - truth, in the target's units."""

    place: int
    truth: float
    prediction: float
    error: float


def largest_errors(outputs: Outputs, count: int) -> list[Missed]:
    """The predictions farthest from the truth, the farthest first. place: in the outputs."""
    errors = outputs.predicted - outputs.targets
    places = np.argsort(-np.abs(errors), kind="stable")[:count]
    return [Missed(int(k), float(outputs.targets[k]), float(outputs.predicted[k]), float(errors[k])) for k in places]
