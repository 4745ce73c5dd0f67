"""How fast a recipe gets there: time to a target, its median, relative times and performance profiles, oscillation.

A time is in epochs, steps or seconds; a target that is never reached takes infinitely long, and takes part as that.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

R_MAX = 4.0  # a recipe more than four times slower than the fastest counts as if it never arrived
# A relapse. Of two models on digits: unstable 0.4 to 0.9, healthy 0.02 to 0.06. On 32x32 photographs (cifar10-6k,
# minicnn, 26 runs at rates from a tenth to ten times the best) none came above 0.08, lost ones neither: they jump to
# what guessing costs and stay there. No false alarm, then, but on such data the word says little.
OSCILLATES_ABOVE = 0.15
LEAST_STEPS_PER_EPOCH = 32  # the quarter of an epoch that relapse averages over is then 8 steps


def time_to_target(at: Sequence[float], values: Sequence[float], target: float, *, higher: bool) -> float:
    """The first of `at` whose value reaches the target (at least, or at most); infinity if never. NaN reaches nothing.

    at, values: [evaluations], `at` rising, in any unit of time."""
    values = np.asarray(values, dtype=np.float64)
    reached = np.flatnonzero(values >= target if higher else values <= target)
    return float(at[reached[0]]) if len(reached) else math.inf


def default_target(best_values: ArrayLike, *, higher: bool) -> float | None:
    """median - s of the best validation value of each seed of the best recipe (+ s for a metric to minimise).

    s: sample standard deviation, 0 for one seed. Values that are not finite are left out; None where none is."""
    values = np.asarray(best_values, dtype=np.float64)
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    return float(np.median(values)) - (spread if higher else -spread)


def median_time(times: Sequence[float]) -> float | None:
    """The median with the infinities in it: infinite where half or more never arrive. None for no times."""
    return float(np.median(times)) if len(times) else None


def log_times(times: ArrayLike, miss: float, quantum: float) -> np.ndarray:
    """ln t, on which "faster" is decided; a target that was missed counts as reached at `miss`, one epoch after the
    last. A time of 0 (reached before the first step) counts as one quantum, the time between two evaluations."""
    return np.log(np.clip(np.asarray(times, dtype=np.float64), quantum, miss))


def log_time_floor(a: ArrayLike, b: ArrayLike, quantum: float) -> float:
    """quantum / (sqrt(2) t): the least standard deviation of ln t, t the geometric mean of both recipes' times.

    a, b: logarithms of times. What `count_floor` is for a share of examples: times come in steps of one evaluation, so
    that seeds which agree do not show that there is no spread."""
    return quantum / (math.sqrt(2.0) * math.exp(float(np.mean([np.mean(a), np.mean(b)]))))


def relative_times(times: ArrayLike) -> np.ndarray:
    """r = t / (best t on that problem) [recipes, problems]; 1 for the fastest, infinite for a miss.

    Dolan & More (2002), Benchmarking optimization software with performance profiles, section 2. NaN is a miss; a best
    time of 0 leaves the others infinite."""
    times = np.atleast_2d(np.asarray(times, dtype=np.float64))
    times = np.where(np.isnan(times), np.inf, times)
    best = times.min(axis=0, initial=np.inf)
    fastest = (times == best) & np.isfinite(times)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratios = times / best
    return np.where(fastest, 1.0, np.where(np.isnan(ratios), np.inf, ratios))


def profile_score(times: ArrayLike, r_max: float = R_MAX) -> np.ndarray:
    """B = sum over the n problems of max(0, r_max - r) / (n (r_max - 1)) [recipes]: 1 for the fastest on all of them.

    times: [recipes, problems]. The area under the performance profile between 1 and r_max, over its largest value
    (Dahl et al. 2023, Benchmarking neural network training algorithms)."""
    return np.maximum(r_max - relative_times(times), 0.0).mean(axis=1) / (r_max - 1.0)


def profile(times: ArrayLike, r_max: float = R_MAX) -> tuple[np.ndarray, np.ndarray]:
    """tau [k] from 1 to r_max and, for each recipe, the share of problems with r <= tau [recipes, k]: steps to draw.

    A share holds from its tau to the next (`steps-post`)."""
    ratios = relative_times(times)
    taus = np.unique(np.concatenate([[1.0, r_max], ratios[ratios <= r_max]]))
    return taus, (ratios[:, :, None] <= taus).mean(axis=1)


def oscillates(relapse: float | None, *, lost: bool, steps_per_epoch: int) -> bool | None:
    """Whether a trial that is not lost climbs back by more than 0.15 of its loss at step 0 (a definition of this
    project); `runs.curve.relapse` measures it. None where that cannot be told: below 32 steps an epoch.

    Deliberately stricter than the 8 steps an epoch that a running mean needs to be one at all: with 10 steps it is over
    two, and what it climbs back by is the noise of the batches (0.22 to 0.24 in runs that fall all the way)."""
    if relapse is None or lost or steps_per_epoch < LEAST_STEPS_PER_EPOCH:
        return None
    return relapse > OSCILLATES_ABOVE
