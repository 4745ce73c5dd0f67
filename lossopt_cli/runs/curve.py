"""How a loss curve went, in a few numbers: what `compare` needs without opening another file. NumPy only."""

from collections.abc import Sequence

import numpy as np


def relapse(losses: Sequence[float], initial: float, steps_per_epoch: int) -> float | None:
    """max over t of (m(t) - min of m before t) / l(0), a definition of this project: how far the loss climbs back.

    m is the batch loss averaged over a running quarter of an epoch (at least one step); l(0) the loss at step 0.
    None where there are fewer than two averages or the loss is not finite throughout.
    """
    values = np.asarray(losses, dtype=np.float64)
    window = max(1, steps_per_epoch // 4)
    if len(values) < window + 1 or not np.isfinite(values).all() or not initial > 0.0:
        return None
    sums = np.concatenate([[0.0], np.cumsum(values)])
    averages = (sums[window:] - sums[:-window]) / window
    rise = averages[1:] - np.minimum.accumulate(averages)[:-1]
    return float(max(rise.max(), 0.0) / initial)


def roughness(losses: Sequence[float]) -> float | None:
    """sum |l(t+1) - l(t)| / (l(0) - l(T)); negative for a run that learns nothing, None where the ends are equal."""
    values = np.asarray(losses, dtype=np.float64)
    if len(values) < 2 or not np.isfinite(values).all() or values[0] == values[-1]:
        return None
    return float(np.abs(np.diff(values)).sum() / (values[0] - values[-1]))


def upward_share(losses: Sequence[float]) -> float | None:
    """The share of moves that go up, 0 to 1."""
    values = np.asarray(losses, dtype=np.float64)
    return float((values[1:] > values[:-1]).mean()) if len(values) > 1 else None


def area(epochs: Sequence[float], values: Sequence[float]) -> float | None:
    """The mean height of the metric-against-epoch curve: its area by trapezoids over its length in epochs."""
    x, y = np.asarray(epochs, dtype=np.float64), np.asarray(values, dtype=np.float64)
    if len(x) < 2 or not np.isfinite(y).all() or x[-1] == x[0]:
        return None
    return float(np.trapezoid(y, x) / (x[-1] - x[0]))
