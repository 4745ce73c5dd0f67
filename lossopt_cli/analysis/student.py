"""Student's t for whole degrees of freedom in closed form, and the power of a t test: no SciPy, whose import costs more
than a comparison. Equal to scipy.special.stdtrit and scipy.stats.nct to 1e-10 for confidences up to 1 - 1e-5."""

import math
from functools import cache

import numpy as np

RELATIVE_STEP = 1e-14  # where Newton's method stops
LOG_NEGLIGIBLE = 37.0  # exp(-37) is below the spacing of float64 at 1


@cache
def quantile(confidence: float, degrees: int) -> float:
    """t > 0 with P(-t <= T <= t) = `confidence`, T of Student's t with `degrees` = 1, 2, ... degrees of freedom.

    Newton's method from 0: P is concave in t, so no step goes beyond the root, and it ends where one no longer rises.
    """
    t, step = 0.0, 1.0
    while step > RELATIVE_STEP * t:
        step = (confidence - inside(t, degrees)) / (2.0 * _density(t, degrees))
        t += max(step, 0.0)
    return t


def inside(t: float, degrees: int) -> float:
    """P(-t <= T <= t) by the finite series of Abramowitz & Stegun (1964), 26.7.3 (odd) and 26.7.4 (even).

    With c^2 = v / (v + t^2), s = t / sqrt(v + t^2) and v degrees, the sum is 1 + c^2 a + c^4 a b + ... up to c^(v-2)
    (odd: c^(v-3)), where a, b, ... = 1/2, 3/4, ... for even v and 2/3, 4/5, ... for odd v."""
    odd = degrees % 2
    cosine_square = degrees / (degrees + t * t)
    sine = t / math.sqrt(degrees + t * t)
    rising = np.arange(1 + odd, degrees - 2, 2)
    series = 1.0 + float(np.cumprod(rising / (rising + 1.0) * cosine_square).sum())
    if not odd:
        return sine * series
    angle = math.atan2(t, math.sqrt(degrees))
    tail = sine * math.sqrt(cosine_square) * series if degrees > 1 else 0.0
    return 2.0 / math.pi * (angle + tail)


def power(noncentrality: float, degrees: int, confidence: float) -> float:
    """P(|T'| > t) for T' = (Z + noncentrality) / S of the noncentral t and t the quantile of `confidence`.

    The mean over S = sqrt(chi^2 / v) of Phi(d - t S) + Phi(-d - t S), by the trapezoidal rule over ln S, which
    converges faster than any power of the step for a function that is smooth and vanishes at both ends."""
    scales, weights = _scales(confidence, degrees)
    root = math.sqrt(2.0)
    found = [math.erfc((s - noncentrality) / root) + math.erfc((s + noncentrality) / root) for s in scales]
    return 0.5 * float(weights @ found)


@cache
def _scales(confidence: float, degrees: int) -> tuple[list[float], np.ndarray]:
    """t S at the nodes and the weights of the nodes, whose sum is 1. The density of u = ln S is proportional to
    exp(v (u - exp(2u) / 2)); a node lies well within its width, and within that of Phi(d - t exp(u))."""
    t = quantile(confidence, degrees)
    reach = math.sqrt(LOG_NEGLIGIBLE / degrees)
    step = min(0.1, 0.3 / math.sqrt(degrees), 0.3 / t)
    logs = np.arange(-reach - LOG_NEGLIGIBLE / degrees, reach, step)
    weights = np.exp(degrees * (logs + 0.5 - np.exp(2.0 * logs) / 2.0))
    return (t * np.exp(logs)).tolist(), weights / weights.sum()


def _density(t: float, degrees: int) -> float:
    half = 0.5 * (degrees + 1.0)
    log_scale = math.lgamma(half) - math.lgamma(0.5 * degrees) - 0.5 * math.log(degrees * math.pi)
    return math.exp(log_scale - half * math.log1p(t * t / degrees))
