"""How far a metric may lie elsewhere on other examples of the same kind: what a sample of their number can tell."""

from collections.abc import Callable, Iterable

import numpy as np

from lossopt_cli.catalogue.metrics import Outputs, compute, ranked_by, surprises


def interval(
    metric: str, outputs: Outputs, confidence: float = 0.95, draws: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """(low, high) of one metric, see `intervals`."""
    return intervals([metric], outputs, confidence, draws, seed)[metric]


def intervals(
    metrics: Iterable[str], outputs: Outputs, confidence: float = 0.95, draws: int = 1000, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """Where each metric may lie on other examples of the same kind: (low, high) by name.

    Accuracy: Wilson's score interval (Wilson 1927). Others: the percentile bootstrap (Efron 1979) of `draws`
    samples, drawn with `seed`, the same for all of them. The model is taken as given: another training seed is
    another matter. (NaN, NaN) where the metric is not defined on these outputs, and where there is one example only.
    low = high where every sample gives the same value, as those of a model without a mistake do: then the sample does
    not tell how much the metric varies.
    """
    names, size = list(metrics), len(outputs)
    found = dict.fromkeys(names, (np.nan, np.nan))
    if "accuracy" in found:
        found["accuracy"] = wilson(int(np.sum(outputs.predicted == outputs.targets)), size, confidence)
    if size < 2:
        return found
    values = compute(outputs)
    resampled = {name: _RESAMPLED[name](outputs) for name in names if name != "accuracy" and np.isfinite(values[name])}
    if not resampled:
        return found
    generator, drawn = np.random.default_rng(seed), np.empty((draws, len(resampled)))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for draw in range(draws):
            times = np.bincount(generator.integers(0, size, size), minlength=size).astype(np.float64)
            drawn[draw] = [of(times) for of in resampled.values()]
    shares = [(1.0 - confidence) / 2.0, (1.0 + confidence) / 2.0]
    for name, column in zip(resampled, drawn.T, strict=True):
        if np.isfinite(column).any():
            low, high = np.quantile(column[np.isfinite(column)], shares)
            found[name] = float(low), float(high)
    return found


def wilson(right: int, count: int, confidence: float = 0.95) -> tuple[float, float]:
    """(p + z^2/2n -+ z sqrt(p (1-p)/n + z^2/4n^2)) / (1 + z^2/n), p = right / n: always within 0 and 1."""
    if count == 0:
        return np.nan, np.nan
    from statistics import NormalDist

    z = NormalDist().inv_cdf((1.0 + confidence) / 2.0)
    share, square = right / count, z * z / count
    middle = share + square / 2.0
    half = z * np.sqrt(share * (1.0 - share) / count + square / (4.0 * count))
    low, high = (middle - half) / (1.0 + square), (middle + half) / (1.0 + square)
    return float(max(low, 0.0)), float(min(high, 1.0))


# A metric of a sample with replacement, from how many times each example was drawn, float or int64 [N]: what does not
# depend on the sample (logarithms, the order of the scores) is computed once for all samples.
_Resampled = Callable[[np.ndarray], float]


def _resampled_mean(values: np.ndarray) -> _Resampled:
    return lambda times: float(times @ values / len(values))


def _resampled_f1(outputs: Outputs) -> _Resampled:
    classes = int(max(outputs.targets.max(), outputs.predicted.max())) + 1
    cells, cell_of = np.unique(outputs.targets * classes + outputs.predicted, return_inverse=True)
    targets, predicted = np.divmod(cells, classes)
    right = targets == predicted

    def f1(times: np.ndarray) -> float:
        counts = np.bincount(cell_of, times)
        hits = 2.0 * np.bincount(targets[right], counts[right], classes)
        sizes = np.bincount(targets, counts, classes) + np.bincount(predicted, counts, classes)
        return float(np.mean(hits[sizes > 0] / sizes[sizes > 0]))

    return f1


def _resampled_auc(outputs: Outputs) -> _Resampled:
    """The share of pairs in which the one of class 1 ranks above the one of class 0; ties count half."""
    ranks = np.unique(ranked_by(outputs), return_inverse=True)[1]
    place = 2 * ranks + (outputs.targets == 1)
    size = 2 * (int(ranks.max()) + 1)

    def auc(times: np.ndarray) -> float:
        zeros, ones = np.bincount(place, times, size).reshape(-1, 2).T
        below = np.cumsum(zeros) - zeros / 2.0
        return float(np.divide(ones @ below, ones.sum() * zeros.sum()))

    return auc


def _resampled_r2(outputs: Outputs) -> _Resampled:
    size, centred = len(outputs), outputs.targets - np.mean(outputs.targets)
    sums = np.stack([np.square(outputs.targets - outputs.predicted), np.square(centred), centred])

    def r2(times: np.ndarray) -> float:
        missed, squares, total = sums @ times
        return float(1.0 - np.divide(missed, squares - total * total / size))

    return r2


def _resampled_rmse(outputs: Outputs) -> _Resampled:
    mean = _resampled_mean(np.square(outputs.targets - outputs.predicted))
    return lambda times: float(np.sqrt(mean(times)))


_RESAMPLED: dict[str, Callable[[Outputs], _Resampled]] = {
    "macro_f1": _resampled_f1,
    "cross_entropy": lambda outputs: _resampled_mean(surprises(outputs)),
    "auc": _resampled_auc,
    "mae": lambda outputs: _resampled_mean(np.abs(outputs.targets - outputs.predicted)),
    "rmse": _resampled_rmse,
    "r2": _resampled_r2,
}
