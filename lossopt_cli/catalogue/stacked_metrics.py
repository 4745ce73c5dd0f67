"""The metrics of many models on as many examples, each number bit for bit that of `metrics.compute`.

What calls NumPy twenty times for a model calls it twenty times for all: a stacked training of small models computes its
metrics in a tenth of the time. A metric without a form of its own here is computed for each model.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields

import numpy as np

from lossopt_cli.catalogue.metrics import COMPUTED, METRICS, Outputs, is_defined, surprises


def compute_each(outputs: Sequence[Outputs]) -> list[dict[str, float]]:
    """`metrics.compute` of each; all have the same task and number of examples, and at least one of these."""
    first = outputs[0]
    found: list[dict[str, float]] = [{} for _ in outputs]
    for row in METRICS:
        if not is_defined(row, first):
            continue
        together = _TOGETHER.get(row.name) if len(first) else None
        values = together(outputs) if together else [COMPUTED[row.name](one) for one in outputs]
        for model, value in zip(found, values, strict=True):
            model[row.name] = float(value)
    return found


def split_up(outputs: Outputs, models: int) -> list[Outputs]:
    """Outputs of models one after the other, [models * n], as those of each."""
    parts = {field.name: getattr(outputs, field.name) for field in fields(outputs)}
    arrays = {name: np.split(value, models) for name, value in parts.items() if isinstance(value, np.ndarray)}
    others = {name: value for name, value in parts.items() if name not in arrays}
    return [Outputs(**others, **{name: pieces[model] for name, pieces in arrays.items()}) for model in range(models)]


def _accuracy(outputs: Sequence[Outputs]) -> np.ndarray:
    return np.mean(np.stack([one.predicted == one.targets for one in outputs]), axis=1)


def _cross_entropy(outputs: Sequence[Outputs]) -> np.ndarray:
    return np.mean(np.stack([surprises(one) for one in outputs]), axis=1)


def _macro_f1(outputs: Sequence[Outputs]) -> list[float]:
    """From one count over (model, target, prediction); a mean over those classes that occur, model by model."""
    targets, predicted = (np.stack([getattr(one, name) for one in outputs]) for name in ("targets", "predicted"))
    models, classes = len(outputs), int(max(targets.max(), predicted.max())) + 1
    place = (np.arange(models)[:, None] * classes + targets) * classes + predicted
    table = np.bincount(place.reshape(-1), minlength=models * classes * classes).reshape(models, classes, classes)
    sizes = table.sum(axis=1) + table.sum(axis=2)
    hits = 2.0 * np.diagonal(table, axis1=1, axis2=2)
    return [np.mean(hit[size > 0] / size[size > 0]) for hit, size in zip(hits, sizes, strict=True)]


_TOGETHER: Mapping[str, Callable[[Sequence[Outputs]], Sequence[float]]] = {
    "accuracy": _accuracy,
    "macro_f1": _macro_f1,
    "cross_entropy": _cross_entropy,
}
