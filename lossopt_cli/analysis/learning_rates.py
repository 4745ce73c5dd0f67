"""What the rates of one recipe tell: room to the first that fails, the safe window, sensitivity, tunability."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

POINT = 0.01  # the tolerance for shares of examples: one point
SHARE = 0.02  # and for other metrics: 2 % of the best
ROUNDING = 1e-9  # 0.95 - 0.94 is more than 0.01 by the last bit


def room(rates: Sequence[float], lost: Sequence[bool], chosen: float) -> float | None:
    """The smallest rate above `chosen` that was lost, over `chosen`: 10 says that ten times the rate fails.

    rates, lost: [k], in any order; lost in any way counts, not only divergence. None where no rate above was lost:
    then the room is larger than the grid shows."""
    above = [rate for rate, gone in zip(rates, lost, strict=True) if gone and rate > chosen]
    return min(above) / chosen if above else None


def usual_tolerance(best: float, *, points: bool) -> float:
    """How far from the best is still as good: 0.01 for a metric in points (accuracy, F1, AUC), else 2 % of the best."""
    return POINT if points else SHARE * abs(best)


def safe_window(rates: Sequence[float], values: Sequence[float], tolerance: float, *, higher: bool) -> float | None:
    """log10(last / first) of the rates around the best, without a gap, whose value is within `tolerance` of the best.

    rates, values: [k], in any order. In decades; 0 for a single rate. A value that is not finite ends the window.
    None where no value is finite."""
    order = np.argsort(rates)
    turned = np.asarray(values, dtype=np.float64)[order] * (1.0 if higher else -1.0)
    turned = np.where(np.isfinite(turned), turned, -np.inf)
    if not len(turned) or turned.max() == -np.inf:
        return None
    best = int(turned.argmax())
    outside = np.flatnonzero(turned < turned[best] - tolerance * (1.0 + ROUNDING))
    first = max(outside[outside < best], default=-1) + 1
    last = min(outside[outside > best], default=len(turned)) - 1
    return math.log10(rates[order[last]] / rates[order[first]])


def sensitivity(values: ArrayLike, initial: float | None, *, higher: bool) -> float | None:
    """mean over a log-uniform grid of min(value, value at step 0), less the best; 0 where every rate does as well.

    For a metric to maximise the mirror image, so that it is never negative. A value that is NaN (a lost trial) counts
    as `initial`, the value at step 0. In the metric's units. Wortsman et al. (2023), Small-scale proxies for
    large-scale Transformer training instabilities. None for no values or an unknown start."""
    values = np.asarray(values, dtype=np.float64)
    if not len(values) or initial is None or not math.isfinite(initial):
        return None
    sign = -1.0 if higher else 1.0
    costs = np.fmin(sign * values, sign * initial)
    return float(costs.mean() - costs.min())


def expected_best(values: ArrayLike, k: int, *, higher: bool) -> float | None:
    """E[k] = sum over i of v(i) [(1 - (i-1)/n)^k - (1 - i/n)^k], v sorted with the best first, i = 1 ... n.

    The expected best of k trials drawn from these n with replacement: what k attempts buy. Dodge et al. (2019), Show
    your work; k fresh trials would do a little better (Tang et al. 2020). None for no values, or where one is NaN."""
    values = np.sort(np.asarray(values, dtype=np.float64))
    if not len(values) or np.isnan(values).any():
        return None
    best_first = values[::-1] if higher else values
    still_better = np.linspace(1.0, 0.0, len(values) + 1) ** k
    chances = still_better[:-1] - still_better[1:]
    drawn = chances > 0.0  # so that an infinite value of no chance does not make 0 times infinity
    return float(best_first[drawn] @ chances[drawn])
