"""How sure a difference is: intervals over seeds, the one rule that calls two recipes different, what stands beside it.

Arrays are float64 with the seeds on their last axis [..., n]. Where a value is not finite nothing is known: bounds and
probabilities are None and nothing is claimed. Deviations are of the sample, with n - 1 below the sum of squares.
"""

import bisect
import math
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from lossopt_cli.analysis import student
from lossopt_cli.analysis.comparison import Interval

LEVEL = 0.05
POWER = 0.8
LEAST_SEEDS = 4  # with fewer common seeds nothing is claimed
MOST_SEEDS = 10_000  # more than this nobody trains
EXACT_SEEDS = 16  # 2^15 sign patterns; above it they are sampled
SAMPLED_PATTERNS = 9_999
SPACING = 2.0**-23  # of float32 at 1, in which scores are worked out
ROUNDING = 1e-12  # two sums of the same numbers in other signs tie within this share of the sum of their sizes


def deviation(values: ArrayLike, floor: float = 0.0) -> np.ndarray:
    """max(s, floor) over the last axis; NaN below two values."""
    values = np.asarray(values, dtype=np.float64)
    if values.shape[-1] < 2:
        return np.full(values.shape[:-1], np.nan)
    with np.errstate(invalid="ignore", over="ignore"):
        return np.maximum(values.std(axis=-1, ddof=1), floor)


def count_floor(n_examples: int) -> float:
    """1 / (sqrt(2) n): the least standard deviation of a share of n examples, whose quantum is 1 / n.

    A few seeds that agree by luck do not show that there is no chance: without it, equal recipes are called
    different up to 43 times in 100 with three seeds."""
    return 1.0 / (math.sqrt(2.0) * n_examples)


def rounding_floor(scores: Iterable[float]) -> float:
    """2^-23 max |score|: the least standard deviation of scores that are worked out in float32, so that four seeds
    which agree to the last digit do not show that there is no spread. Those that are not finite play no part."""
    return SPACING * max((abs(score) for score in scores if math.isfinite(score)), default=0.0)


def pair_count(recipes: int) -> int:
    """m = k (k - 1) / 2, at least 1."""
    return max(recipes * (recipes - 1) // 2, 1)


def pair_confidence(recipes: int) -> float:
    """1 - 0.05 / m for the m pairs of all recipes compared, hidden ones included (Bonferroni; Dunn 1961)."""
    return 1.0 - LEVEL / pair_count(recipes)


def t_interval(
    values: ArrayLike, confidence: float = 0.95, floor: float = 0.0, test_over_train: float = 0.0
) -> Interval:
    """mean -+ t(confidence, n - 1) s sqrt(1 / n + test_over_train); s is at least `floor`.

    test_over_train is 0 for seeds on one split: Student's interval. For values on n random splits it is
    n_test / n_train (1/7 for 70/20/10): splits share examples, so that their values agree more than fresh data would;
    the corrected resampled t of Nadeau & Bengio (2003), Inference for the generalization error."""
    mean, low, high = paired_interval(values, confidence, floor, test_over_train)
    return Interval(mean, low, high, n=np.size(values), confidence=confidence)


def paired_interval(
    differences: ArrayLike, confidence: float, floor: float = 0.0, test_over_train: float = 0.0
) -> tuple[float, float | None, float | None]:
    """mean, low, high of one pair's differences [n] over its common seeds; low and high None below two seeds.

    The same interval that `claims` decides by. The mean is NaN for no seeds and where a value is NaN."""
    mean, half = _mean_and_half(np.asarray(differences, dtype=np.float64), confidence, floor, test_over_train)
    if not math.isfinite(half):
        return float(mean), None, None
    return float(mean), float(mean - half), float(mean + half)


def claims(
    differences: ArrayLike,
    confidence: float,
    floor: float = 0.0,
    min_effect: float = 0.0,
    test_over_train: float = 0.0,
) -> np.ndarray:
    """Whether recipes are called different: the one rule of table, figure, verdict and JSON; bool [...].

    differences: [..., n], paired by seed, for one pair or for thousands at once. Different are those whose interval at
    `confidence` (`pair_confidence` of all recipes compared) leaves out 0, and whose mean is at least min_effect in
    size; with fewer than LEAST_SEEDS seeds, or where a value is not finite, none. floor: least standard deviation,
    `count_floor` for a metric that counts examples."""
    differences = np.asarray(differences, dtype=np.float64)
    if differences.shape[-1] < LEAST_SEEDS:
        return np.zeros(differences.shape[:-1], dtype=bool)
    mean, half = _mean_and_half(differences, confidence, floor, test_over_train)
    return (np.abs(mean) > half) & (np.abs(mean) >= min_effect)


def paired_p(differences: ArrayLike, floor: float = 0.0, test_over_train: float = 0.0) -> float | None:
    """P(|T| > |mean| / (s sqrt(1 / n + test_over_train))), T of Student's t with n - 1 degrees of freedom; s >= floor.

    The two-sided p of the paired t test, below 1 - confidence where `paired_interval` leaves out 0. differences: [n].
    None below two seeds and where a value is not finite; 1 and 0 where there is neither spread nor floor."""
    values = np.asarray(differences, dtype=np.float64)
    n = len(values)
    if n < 2 or not np.isfinite(values).all():
        return None
    mean = abs(float(values.mean()))
    error = float(deviation(values, floor)) * math.sqrt(1.0 / n + test_over_train)
    if error == 0.0:
        return 1.0 if mean == 0.0 else 0.0
    return max(0.0, 1.0 - student.inside(mean / error, n - 1))


def seeds_needed(
    difference: float,
    spread: float,
    confidence: float = 0.95,
    power: float = POWER,
    test_over_train: float = 0.0,
) -> int | None:
    """The smallest n >= LEAST_SEEDS whose paired t test at `confidence` finds `difference` with probability `power`.

    spread: `deviation` of the paired differences, with its floor. The noncentrality of the test is
    |difference| / (spread sqrt(1 / n + test_over_train)) (Cohen 1988, chapter 2). None where there is no
    difference, where either is not known, and where MOST_SEEDS would not do."""
    if not difference or not math.isfinite(difference) or not math.isfinite(spread):
        return None
    if spread == 0.0:
        return LEAST_SEEDS
    effect = abs(difference) / spread

    def enough(n: int) -> bool:
        return student.power(effect / math.sqrt(1.0 / n + test_over_train), n - 1, confidence) >= power

    numbers = range(LEAST_SEEDS, MOST_SEEDS + 1)
    place = bisect.bisect_left(numbers, True, key=enough)
    return numbers[place] if place < len(numbers) else None


def sign_flip(differences: ArrayLike, seed: int = 0) -> tuple[float | None, float | None]:
    """p, the smallest possible p: the share of the 2^n patterns of signs with |sum of +-d| >= |sum of d|.

    Fisher's (1935) randomisation test of paired differences [n], two-sided: exact up to EXACT_SEEDS, so that the
    smallest p is 2 / 2^n; above, SAMPLED_PATTERNS drawn with `seed`, and p = (hits + 1) / (draws + 1) (Phipson & Smyth
    2010). Reported beside the interval; it never decides."""
    values = np.asarray(differences, dtype=np.float64)
    n = len(values)
    smallest = smallest_p(n)
    if not n or not np.isfinite(values).all():
        return None, smallest
    scale = np.abs(values).max()
    if scale == 0.0:
        return 1.0, smallest
    values = values / scale  # sums of the largest numbers do not overflow
    hits = np.abs(_signs(n, seed) @ values) >= abs(values.sum()) - ROUNDING * np.abs(values).sum()
    if n <= EXACT_SEEDS:
        return float(hits.mean()), smallest
    return float(hits.sum() + 1) / (SAMPLED_PATTERNS + 1), smallest


def smallest_p(n: int) -> float | None:
    """2 / 2^n, the least p that `sign_flip` can give for n seeds; 1 / (draws + 1) where patterns are sampled."""
    if n < 1:
        return None
    return 2.0 ** (1 - n) if n <= EXACT_SEEDS else 1.0 / (SAMPLED_PATTERNS + 1)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """max over j <= i of min(1, (m - j + 1) p(j)) for the m values in ascending order (Holm 1979), in the order given.

    None stays None and counts among the m, as if it were 1."""
    order = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, place) in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p))
        adjusted[place] = largest
    return adjusted


def probability_of_improvement(a: ArrayLike, b: ArrayLike, *, higher: bool) -> float | None:
    """P(A better than B) = (pairs with a better than b, ties half) / (n_a n_b), each run of A with each of B.

    Agarwal et al. (2021), Deep reinforcement learning at the edge of the statistical precipice. NaN is
    worse than any number and ties with NaN. None where either is empty."""
    a, b = (_rising(values, higher=higher) for values in (a, b))
    if not len(a) or not len(b):
        return None
    better, tied = a[:, None] > b[None, :], a[:, None] == b[None, :]
    return float(better.mean() + 0.5 * tied.mean())


def interquartile_mean(values: ArrayLike) -> float | None:
    """The mean of the middle half: floor(n / 4) values left out at either end, so the mean below four. None for none.

    Agarwal et al. (2021). NaN sorts last, among the largest."""
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    if not len(ordered):
        return None
    cut = len(ordered) // 4
    return float(ordered[cut : len(ordered) - cut].mean())


def _mean_and_half(
    values: np.ndarray, confidence: float, floor: float, test_over_train: float
) -> tuple[np.ndarray, np.ndarray]:
    """The mean over the last axis and the half-width of its interval, NaN or infinite where there is none."""
    n = values.shape[-1]
    if n < 2:
        return (values[..., 0] if n else np.full(values.shape[:-1], np.nan)), np.full(values.shape[:-1], np.nan)
    with np.errstate(invalid="ignore", over="ignore"):
        half = student.quantile(confidence, n - 1) * deviation(values, floor) * math.sqrt(1.0 / n + test_over_train)
        return values.mean(axis=-1), half


@lru_cache(maxsize=4)
def _signs(n: int, seed: int) -> np.ndarray:
    """-1 and 1 [patterns, n]: every pattern whose first sign is 1 (the others mirror them), or a sample of all."""
    if n > EXACT_SEEDS:
        return np.random.default_rng(seed).choice([-1.0, 1.0], size=(SAMPLED_PATTERNS, n))
    patterns = np.arange(2 ** (n - 1))[:, None] >> np.arange(n - 1, -1, -1)
    return 1.0 - 2.0 * (patterns & 1)


def _rising(values: ArrayLike, *, higher: bool) -> np.ndarray:
    """The values turned so that more is better; NaN becomes -infinity."""
    turned = np.asarray(values, dtype=np.float64) * (1.0 if higher else -1.0)
    return np.where(np.isnan(turned), -np.inf, turned)
