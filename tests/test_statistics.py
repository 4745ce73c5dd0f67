"""Intervals, tests and what stands beside them, against SciPy, by hand, and against the numbers of the papers."""

import math

import numpy as np
import pytest
from scipy import stats

from lossopt_cli.analysis import statistics

SAMPLES = {
    "four": [0.91, 0.93, 0.92, 0.94],
    "two": [1.0, 3.0],
    "skewed": [1.0, 1.1, 0.9, 1.0, 25.0],
    "ten": np.linspace(-3.0, 5.0, 10) ** 3,
    "large": [1e150, 2e150, 4e150],
}
DIFFERENCES = {
    "positive": [0.3, 0.1, 0.2, 0.4],
    "mixed": [0.5, -0.1, 0.2, 0.4, -0.3, 0.6],
    "counts": np.array([3, 1, -1, 2, 0, 4, -2, 3]) / 180,  # ties that are equal in fractions, not in bits
    "ten": np.linspace(-1.0, 2.0, 10),
}


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.999])
@pytest.mark.parametrize("values", SAMPLES.values(), ids=SAMPLES)
def test_the_interval_is_scipys(values: list[float], confidence: float) -> None:
    low, high = stats.t.interval(confidence, len(values) - 1, np.mean(values), stats.sem(values))
    interval = statistics.t_interval(values, confidence)
    assert (interval.value, interval.low, interval.high) == pytest.approx((np.mean(values), low, high), rel=1e-10)
    assert (interval.n, interval.confidence) == (len(values), confidence)


@pytest.mark.parametrize(("n", "half_width"), [(3, 2.48), (5, 1.24), (10, 0.72)])
def test_the_half_widths_of_the_rules(n: int, half_width: float) -> None:
    values = np.arange(n) / np.std(np.arange(n), ddof=1)
    interval = statistics.t_interval(values)
    assert interval.high - interval.value == pytest.approx(half_width, abs=0.005)


def test_a_paired_interval_is_that_of_the_paired_t_test() -> None:
    a, b = np.array([0.95, 0.97, 0.93, 0.96, 0.94]), np.array([0.94, 0.95, 0.94, 0.93, 0.92])
    expected = stats.ttest_rel(a, b).confidence_interval(0.99)
    mean, low, high = statistics.paired_interval(a - b, 0.99)
    assert (mean, low, high) == pytest.approx((np.mean(a - b), *expected), rel=1e-10)


@pytest.mark.parametrize("values", DIFFERENCES.values(), ids=DIFFERENCES)
def test_the_p_of_a_pair_is_scipys_and_agrees_with_its_interval(values: list[float]) -> None:
    p = statistics.paired_p(values)
    assert p == pytest.approx(stats.ttest_1samp(values, 0.0).pvalue, rel=1e-9)
    for within in (1e-6, -1e-6):
        _, low, high = statistics.paired_interval(values, 1.0 - p - within)
        assert (low > 0.0 or high < 0.0) is (within > 0.0)


@pytest.mark.parametrize(
    ("values", "floor", "p"),
    [([0.1], 0.0, None), ([], 0.0, None), ([0.1, math.nan], 0.0, None), ([0.0] * 4, 0.0, 1.0), ([0.5] * 4, 0.0, 0.0)],
)
def test_the_p_of_a_pair_at_its_edges(values: list[float], floor: float, p: float | None) -> None:
    assert statistics.paired_p(values, floor) == p


def test_the_p_of_a_pair_has_the_floor_and_the_split_correction() -> None:
    """t = 0.5 / (1 sqrt(1/4 + 1/7)) with 3 degrees of freedom."""
    expected = 2.0 * stats.t.sf(0.5 / math.sqrt(1 / 4 + 1 / 7), 3)
    assert statistics.paired_p([0.5] * 4, floor=1.0, test_over_train=1 / 7) == pytest.approx(expected)


def test_the_resampled_interval_by_hand() -> None:
    """s^2 = 1/3 of (1 + 0 + 1), J = 3 splits, t(0.975, 2) = 4.302653; s sqrt(1/3 + 1/7) instead of s sqrt(1/3)."""
    interval = statistics.t_interval([1.0, 2.0, 3.0], test_over_train=1 / 7)
    half = 4.302652729911275 * math.sqrt(1 / 3 + 1 / 7)
    assert (interval.value, interval.low, interval.high) == pytest.approx((2.0, 2.0 - half, 2.0 + half))


def test_the_floor_is_half_a_quantum_in_variance() -> None:
    """Two values one image apart have the standard deviation 1 / (sqrt(2) n)."""
    assert statistics.count_floor(180) == pytest.approx(np.std([170 / 180, 171 / 180], ddof=1))
    assert statistics.deviation([170 / 180, 171 / 180]) == pytest.approx(statistics.count_floor(180))


EDGES = {
    "nothing": ([], 0.0, None),
    "one": ([0.3], 0.0, None),
    "a NaN": ([0.1, math.nan, 0.2, 0.1], 0.0, None),
    "an infinity": ([0.1, math.inf, 0.2, 0.1], 0.0, None),
    "two infinities": ([math.inf, -math.inf, 0.2, 0.1], 0.0, None),
    "too large to square": ([1e200, -1e200, 1e200, 1e200], 0.0, None),
    "equal": ([0.25] * 4, 0.0, 0.0),
    "equal, with a floor": ([0.25] * 4, 0.1, 3.182446305 * 0.1 / 2),
    "zero": ([0.0] * 4, 0.0, 0.0),
    "less than the floor": ([0.25, 0.26, 0.24, 0.25], 0.1, 3.182446305 * 0.1 / 2),
    "more than the floor": ([1.0, 2.0, 3.0], 0.1, 4.302652730 / math.sqrt(3)),
}


@pytest.mark.parametrize(("values", "floor", "half"), EDGES.values(), ids=EDGES)
def test_edges_of_the_interval(values: list[float], floor: float, half: float | None) -> None:
    mean, low, high = statistics.paired_interval(values, 0.95, floor)
    interval = statistics.t_interval(values, 0.95, floor)
    assert (interval.low, interval.high, interval.n) == (low, high, len(values))
    expected = (None, None) if half is None else (mean - half, mean + half)
    assert (low, high) == (expected if half is None else pytest.approx(expected, rel=1e-8))


CLAIMS = {
    "far from 0": ([1.0, 1.1, 0.9, 1.0], {}, True),
    "far below 0": ([-1.0, -1.1, -0.9, -1.0], {}, True),
    "across 0": ([1.0, -1.1, 0.9, 1.0], {}, False),
    "three seeds": ([1.0, 1.1, 0.9], {}, False),
    "one seed": ([1.0], {}, False),
    "no seeds": ([], {}, False),
    "a NaN": ([1.0, 1.1, 0.9, math.nan], {}, False),
    "an infinity": ([1.0, 1.1, 0.9, math.inf], {}, False),
    "infinities": ([math.inf] * 4, {}, False),
    "equal": ([0.1] * 4, {}, True),
    "nothing at all": ([0.0] * 4, {}, False),
    "one image of 180, four times": ([1 / 180] * 4, {"floor": statistics.count_floor(180)}, False),
    "two images of 180, four times": ([2 / 180] * 4, {"floor": statistics.count_floor(180)}, True),
    "less than asked for": ([1.0, 1.1, 0.9, 1.0], {"min_effect": 1.01}, False),
    "as much as asked for": ([-1.0, -1.5, -0.5, -1.0], {"min_effect": 1.0}, True),
    "on splits that share examples": ([1.0, 1.6, 0.4, 1.0], {"test_over_train": 0.5}, False),
}


@pytest.mark.parametrize(("differences", "options", "claimed"), CLAIMS.values(), ids=CLAIMS)
def test_what_is_called_different(differences: list[float], options: dict[str, float], claimed: bool) -> None:
    assert statistics.claims(differences, 0.95, **options) == claimed


def test_what_is_called_different_is_what_the_interval_shows() -> None:
    """The picture and the claim cannot disagree: the same numbers, one pair or many."""
    differences = np.random.default_rng(0).normal(0.7, 1.0, size=(200, 6))
    many = statistics.claims(differences, 0.98, floor=0.5)
    intervals = [statistics.paired_interval(row, 0.98, floor=0.5) for row in differences]
    assert many.tolist() == [low > 0 or high < 0 for _, low, high in intervals]
    assert 0 < many.sum() < 200


@pytest.mark.parametrize(("recipes", "pairs"), [(1, 1), (2, 1), (4, 6), (12, 66)])
def test_the_level_is_shared_by_all_pairs(recipes: int, pairs: int) -> None:
    assert statistics.pair_count(recipes) == pairs
    assert statistics.pair_confidence(recipes) == pytest.approx(1 - 0.05 / pairs)


@pytest.mark.parametrize("effect", [0.15, 0.5, 1.0, 1.9, 4.0])
@pytest.mark.parametrize("recipes", [2, 4])
def test_seeds_needed_is_the_first_with_the_power(effect: float, recipes: int) -> None:
    confidence = statistics.pair_confidence(recipes)
    needed = statistics.seeds_needed(-effect * 0.3, 0.3, confidence)

    def power(n: int) -> float:
        t = stats.t.isf((1 - confidence) / 2, n - 1)
        return stats.nct.sf(t, n - 1, effect * math.sqrt(n))  # the other tail is below 1e-9 here

    assert power(needed) >= 0.8
    assert needed == statistics.LEAST_SEEDS or power(needed - 1) < 0.8


def test_seeds_needed_of_the_books() -> None:
    """Cohen (1988): a medium effect, d = 0.5, at 0.05 with power 0.8 needs 34 pairs (and 44 with power 0.9)."""
    assert statistics.seeds_needed(0.5, 1.0) == 34
    assert statistics.seeds_needed(0.5, 1.0, power=0.9) == 44


NEVER = {
    "no difference": (0.0, 1.0),
    "nothing known of the spread": (1.0, math.nan),
    "no finite spread": (1.0, math.inf),
    "no number": (math.nan, 1.0),
    "an infinite difference": (math.inf, 1.0),
    "more than anybody trains": (1.0, 1000.0),
}


@pytest.mark.parametrize(("difference", "spread"), NEVER.values(), ids=NEVER)
def test_seeds_that_would_never_do(difference: float, spread: float) -> None:
    assert statistics.seeds_needed(difference, spread) is None


def test_seeds_needed_where_nothing_varies_or_splits_overlap() -> None:
    assert statistics.seeds_needed(0.1, 0.0) == statistics.LEAST_SEEDS
    assert statistics.seeds_needed(1.0, 1.0, test_over_train=0.05) > statistics.seeds_needed(1.0, 1.0)
    assert statistics.seeds_needed(1.0, 1.0, test_over_train=0.5) is None  # more splits of the same data tell no more


@pytest.mark.parametrize("differences", DIFFERENCES.values(), ids=DIFFERENCES)
def test_the_sign_flip_is_scipys(differences: list[float]) -> None:
    expected = stats.permutation_test(
        (np.asarray(differences), np.zeros(len(differences))),
        lambda a, b, axis: np.sum(a - b, axis=axis),
        permutation_type="samples",
        n_resamples=np.inf,
        vectorized=True,
    ).pvalue
    p, smallest = statistics.sign_flip(differences)
    assert p == pytest.approx(expected, rel=1e-12)
    assert smallest == 2 / 2 ** len(differences)


def test_the_sign_flip_by_hand() -> None:
    """+-3 +-1: the sums 4, 2, -2, -4; two of four are at least as far from 0 as 4, all four as 2."""
    assert statistics.sign_flip([3.0, 1.0]) == (0.5, 0.5)
    assert statistics.sign_flip([3.0, -1.0]) == (1.0, 0.5)


def test_the_sign_flip_is_exact_to_sixteen_and_sampled_above() -> None:
    differences = np.linspace(-0.6, 1.4, 16)
    exact, smallest = statistics.sign_flip(differences)
    signs = 1 - 2 * (np.arange(2**16)[:, None] >> np.arange(16) & 1)
    assert exact == np.mean(np.abs(signs @ differences) >= abs(differences.sum()) - 1e-12)
    assert smallest == 2**-15
    sampled, least = statistics.sign_flip(np.append(differences, 0.0))  # a difference of 0 changes no sum
    assert sampled == pytest.approx(exact, abs=4 * math.sqrt(exact / 10_000))
    assert sampled == statistics.sign_flip(np.append(differences, 0.0))[0]
    assert least == 1e-4
    assert statistics.sign_flip(np.ones(40))[0] == pytest.approx(least)


FLIPS = {
    "nothing": ([], (None, None)),
    "one": ([0.3], (1.0, 1.0)),
    "zeros": ([0.0] * 5, (1.0, 0.0625)),
    "equal": ([0.1] * 5, (0.0625, 0.0625)),
    "a NaN": ([0.1, math.nan], (None, 0.5)),
    "an infinity": ([0.1, math.inf], (None, 0.5)),
    "sums that overflow": ([1e308, 1e308, 1e308], (0.25, 0.25)),
}


@pytest.mark.parametrize(("differences", "expected"), FLIPS.values(), ids=FLIPS)
def test_edges_of_the_sign_flip(differences: list[float], expected: tuple[float | None, float | None]) -> None:
    assert statistics.sign_flip(differences) == expected


@pytest.mark.parametrize(("recipes", "seeds"), [(4, 8), (12, 12)])
def test_why_the_sign_flip_does_not_decide(recipes: int, seeds: int) -> None:
    """With Holm it needs 8 seeds for 4 recipes and 12 for 12 before its smallest p calls anything."""
    pairs = statistics.pair_count(recipes)
    enough, too_few = ([statistics.smallest_p(n)] + [None] * (pairs - 1) for n in (seeds, seeds - 1))
    assert statistics.holm(enough)[0] <= 0.05 < statistics.holm(too_few)[0]


HOLM = {
    "nothing": ([], []),
    "one": ([0.03], [0.03]),
    # R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm"), the usual textbook table.
    "textbook": ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
    "monotone": ([0.01, 0.0101, 0.9], [0.03, 0.03, 0.9]),
    "at most 1": ([0.6, 0.7], [1.0, 1.0]),
    "equal": ([0.02, 0.02], [0.04, 0.04]),
    "unknown ones count": ([0.01, None, None], [0.03, None, None]),
}


@pytest.mark.parametrize(("p_values", "expected"), HOLM.values(), ids=HOLM)
def test_holm(p_values: list[float | None], expected: list[float | None]) -> None:
    adjusted = statistics.holm(p_values)
    known = [p for p in adjusted if p is not None]
    assert known == pytest.approx([p for p in expected if p is not None])
    assert [p is None for p in adjusted] == [p is None for p in expected]


IMPROVEMENTS = {
    "by hand": ([3, 1], [2, 1, 0], True, (3 + 1 + 0.5) / 6),
    "lower is better": ([3, 1], [2, 1, 0], False, (1 + 0.5) / 6),
    "all better": ([2, 3], [0, 1], True, 1.0),
    "ties": ([1, 1], [1], True, 0.5),
    "nothing": ([], [1], True, None),
    "NaN is worst": ([math.nan], [0.1, math.nan], True, 0.25),
    "NaN is worst, lower": ([math.nan, 1.0], [5.0], False, 0.5),
    "infinity": ([math.inf], [3.0], False, 0.0),
}


@pytest.mark.parametrize(("a", "b", "higher", "expected"), IMPROVEMENTS.values(), ids=IMPROVEMENTS)
def test_probability_of_improvement(a: list, b: list, higher: bool, expected: float | None) -> None:
    found = statistics.probability_of_improvement(a, b, higher=higher)
    assert found == (expected if expected is None else pytest.approx(expected))


def test_probability_of_improvement_is_mann_and_whitneys() -> None:
    a, b = np.random.default_rng(3).integers(0, 9, (2, 12))
    expected = stats.mannwhitneyu(a, b).statistic / 144
    assert statistics.probability_of_improvement(a, b, higher=True) == pytest.approx(expected)


MIDDLES = {
    "the rules' numbers": ([0.91, 0.93, 0.92, 0.40, 0.94, 0.925, 0.915, 0.935], 0.9225),
    "three": ([1.0, 2.0, 9.0], 4.0),
    "four": ([1.0, 2.0, 4.0, 9.0], 3.0),
    "one": ([0.5], 0.5),
    "nothing": ([], None),
    "a NaN is an end": ([1.0, 2.0, 4.0, math.nan], 3.0),
}


@pytest.mark.parametrize(("values", "expected"), MIDDLES.values(), ids=MIDDLES)
def test_interquartile_mean(values: list[float], expected: float | None) -> None:
    assert statistics.interquartile_mean(values) == (expected if expected is None else pytest.approx(expected))


def test_mean_median_and_middle_of_the_rules() -> None:
    values = MIDDLES["the rules' numbers"][0]
    assert statistics.t_interval(values).value == pytest.approx(0.859375)
    assert np.median(values) == pytest.approx(0.9225)
    assert statistics.interquartile_mean(values) == pytest.approx(stats.trim_mean(values, 0.25))


@pytest.mark.parametrize(
    ("scores", "floor"),
    [([0.5, -8.0], 2.0**-20), ([math.inf, math.nan, 2.0], 2.0**-22), ([], 0.0), ([math.inf], 0.0)],
)
def test_what_float32_rounds_away_is_the_least_deviation(scores: list, floor: float) -> None:
    assert statistics.rounding_floor(scores) == floor
