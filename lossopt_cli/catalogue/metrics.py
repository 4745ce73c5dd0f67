"""Metrics in plain NumPy, float64, equal to scikit-learn's; what guessing scores."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from lossopt_cli.catalogue import lookup
from lossopt_cli.catalogue.rows import MetricRow, Task

SMALLEST_PROBABILITY = float(np.finfo(np.float64).eps)  # where scikit-learn's log_loss clips, too


@dataclass(frozen=True)
class Outputs:
    """What a model said of N examples, and what was true.

    targets: int64 [N] class numbers, or float64 [N] in the target's own units.
    predicted: int64 [N] classes, or float64 [N] values in the target's own units.
    probabilities: float64 [N, K], also K = 2 for a binary task; None where the loss gives none.
    scores: float64 [N], any monotone score of class 1 of a binary task; None where there is none.
    """

    task: Task
    targets: np.ndarray
    predicted: np.ndarray
    probabilities: np.ndarray | None = None
    scores: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, rows: np.ndarray) -> "Outputs":
        """The outputs of these examples."""
        probabilities = None if self.probabilities is None else self.probabilities[rows]
        scores = None if self.scores is None else self.scores[rows]
        return replace(
            self,
            targets=self.targets[rows],
            predicted=self.predicted[rows],
            probabilities=probabilities,
            scores=scores,
        )


METRICS: tuple[MetricRow, ...] = (
    MetricRow(
        "accuracy",
        ("multiclass", "binary"),
        "higher",
        "classes",
        "right predictions / all",
        "classes of about equal size",
    ),
    MetricRow(
        "macro_f1",
        ("multiclass", "binary"),
        "higher",
        "classes",
        "mean over classes of 2 TP / (2 TP + FP + FN)",
        "classes of unequal size that matter alike",
        aliases=("f1",),
    ),
    MetricRow(
        "cross_entropy",
        ("multiclass", "binary"),
        "lower",
        "probabilities",
        "mean of -ln p of the right class, p at least 2.2e-16",
        "whether the probabilities may be believed",
        aliases=("log_loss", "nll"),
    ),
    MetricRow(
        "auc",
        ("binary",),
        "higher",
        "scores",
        "chance that a random example of class 1 scores above one of class 0",
        "ranking, whatever the threshold",
        aliases=("roc_auc",),
    ),
    MetricRow(
        ("mae"),
        ("regression",),
        ("lower"),
        "values",
        "mean |y - f|, in the target's units",
        "errors as one speaks of them",
    ),
    MetricRow(
        "rmse",
        ("regression",),
        "lower",
        "values",
        "sqrt(mean (y - f)^2), in the target's units",
        "where large errors are worse than their size",
    ),
    MetricRow(
        "r2",
        ("regression",),
        "higher",
        "values",
        "1 - sum (y - f)^2 / sum (y - mean y)^2",
        "share of the variance explained; 0 is the mean",
    ),
)


def metric_named(name: str, where: str | None = None) -> MetricRow:
    """The metric of that name. UsageError with the nearest names where there is none."""
    return lookup.find(METRICS, name, "metric", where)


def compute(outputs: Outputs) -> dict[str, float]:
    """Every metric that these outputs allow, by name.

    NaN where it is not defined: no examples, outputs that are not finite, AUC of one class, R2 of a constant.
    """
    return {row.name: COMPUTED[row.name](outputs) for row in METRICS if is_defined(row, outputs)}


def guessing(task: Task, train_targets: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    """Every metric of the model that knows the training targets only.

    It says the most frequent class, the class frequencies as probabilities, one score for all; or the mean.
    """
    if task == "regression":
        mean = float(np.mean(train_targets)) if len(train_targets) else np.nan
        return compute(Outputs(task, targets, np.full(len(targets), mean)))
    classes = int(max(train_targets.max(initial=0), targets.max(initial=0), 1)) + 1
    counts = np.bincount(train_targets, minlength=classes)
    shape = (len(targets), classes)
    return compute(
        Outputs(
            task,
            targets,
            predicted=np.full(len(targets), counts.argmax()),
            probabilities=np.broadcast_to(counts / max(counts.sum(), 1), shape),
            scores=np.zeros(len(targets)) if task == "binary" else None,
        )
    )


def is_defined(row: MetricRow, outputs: Outputs) -> bool:
    if outputs.task not in row.tasks:
        return False
    if row.needs == "probabilities":
        return outputs.probabilities is not None
    return row.needs != "scores" or outputs.scores is not None or outputs.probabilities is not None


def _accuracy(outputs: Outputs) -> float:
    return float(np.mean(outputs.predicted == outputs.targets)) if len(outputs) else np.nan


def _macro_f1(outputs: Outputs) -> float:
    """Over the classes that occur in the targets or the predictions; a class never right counts 0."""
    if not len(outputs):
        return np.nan
    right = np.bincount(outputs.targets[outputs.predicted == outputs.targets])
    ends = [np.bincount(values) for values in (outputs.targets, outputs.predicted)]
    classes = max(map(len, ends))
    sizes = sum(np.pad(counts, (0, classes - len(counts))) for counts in ends)
    hits = 2.0 * np.pad(right, (0, classes - len(right)))
    return float(np.mean(hits[sizes > 0] / sizes[sizes > 0]))


def surprises(outputs: Outputs) -> np.ndarray:
    """-ln p of the right class of every example, [N]."""
    right = outputs.probabilities[np.arange(len(outputs)), outputs.targets]
    return -np.log(np.clip(right, SMALLEST_PROBABILITY, 1.0 - SMALLEST_PROBABILITY))


def _cross_entropy(outputs: Outputs) -> float:
    return float(np.mean(surprises(outputs))) if len(outputs) else np.nan


def ranked_by(outputs: Outputs) -> np.ndarray:
    """A score of class 1 of every example, monotone in its probability."""
    return outputs.probabilities[:, 1] if outputs.scores is None else outputs.scores


def _auc(outputs: Outputs) -> float:
    """By ranks (Mann & Whitney 1947); ties count half."""
    scores, is_one = ranked_by(outputs), outputs.targets == 1
    ones, zeros = int(is_one.sum()), int((~is_one).sum())
    if not ones or not zeros or not np.all(np.isfinite(scores)):
        return np.nan
    _, which, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2.0)[which]
    return float((ranks[is_one].sum() - ones * (ones + 1) / 2.0) / (ones * zeros))


def _mae(outputs: Outputs) -> float:
    return float(np.mean(np.abs(outputs.targets - outputs.predicted))) if len(outputs) else np.nan


def _rmse(outputs: Outputs) -> float:
    if not len(outputs):
        return np.nan
    with np.errstate(over="ignore"):
        return float(np.sqrt(np.mean(np.square(outputs.targets - outputs.predicted))))


def _r2(outputs: Outputs) -> float:
    spread = np.sum(np.square(outputs.targets - np.mean(outputs.targets))) if len(outputs) else 0.0
    if not spread:
        return np.nan
    with np.errstate(over="ignore"):
        return float(1.0 - np.sum(np.square(outputs.targets - outputs.predicted)) / spread)


COMPUTED: dict[str, Callable[[Outputs], float]] = {
    "accuracy": _accuracy,
    "macro_f1": _macro_f1,
    "cross_entropy": _cross_entropy,
    "auc": _auc,
    "mae": _mae,
    "rmse": _rmse,
    "r2": _r2,
}
