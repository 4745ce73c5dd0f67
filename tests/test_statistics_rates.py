"""Learning rates, speed and oscillation: the numbers of the rules, worked by hand, and the edges."""

import math

import numpy as np
import pytest

from lossopt_cli.analysis import convergence, learning_rates
from lossopt_cli.runs import curve

INF, NAN = math.inf, math.nan
TIMES = [[10, 20, INF, 5], [12, 10, 30, 20], [40, 15, 90, 6]]

ROOMS = {
    "the first lost above": ([0.01, 0.1, 1.0], [False, True, True], 0.01, 10.0),
    "in any order": ([1.0, 0.01, 0.1], [True, False, False], 0.1, 10.0),
    "lost below does not count": ([0.001, 0.01, 0.1], [True, False, False], 0.01, None),
    "nothing lost": ([0.01, 0.1], [False, False], 0.01, None),
    "one rate": ([0.01], [False], 0.01, None),
    "none": ([], [], 0.01, None),
}


@pytest.mark.parametrize(("rates", "lost", "chosen", "expected"), ROOMS.values(), ids=ROOMS)
def test_room(rates: list[float], lost: list[bool], chosen: float, expected: float | None) -> None:
    assert learning_rates.room(rates, lost, chosen) == (expected if expected is None else pytest.approx(expected))


GRID = [1e-3, 1e-2, 1e-1, 1.0]
WINDOWS = {
    "two decades": (GRID, [0.90, 0.95, 0.96, 0.955], True, 2.0),
    "exactly a point": (GRID, [0.94, 0.95, 0.90, 0.1], True, 1.0),
    "a gap ends it": ([*GRID, 10.0], [0.96, 0.5, 0.955, 0.96, 0.95], True, 0.0),
    "lower is better": (GRID, [0.5, 0.3, 0.305, 0.31], False, 2.0),
    "in any order": ([1e-1, 1e-3, 1.0, 1e-2], [0.96, 0.90, 0.955, 0.95], True, 2.0),
    "NaN ends it": (GRID, [0.96, 0.96, NAN, 0.96], True, 1.0),
    "infinity is no best": (GRID, [INF, 0.96, 0.96, NAN], True, 1.0),
    "one": ([0.1], [0.9], True, 0.0),
    "all lost": (GRID, [NAN] * 4, True, None),
    "none": ([], [], True, None),
}


@pytest.mark.parametrize(("rates", "values", "higher", "expected"), WINDOWS.values(), ids=WINDOWS)
def test_safe_window(rates: list[float], values: list[float], higher: bool, expected: float | None) -> None:
    found = learning_rates.safe_window(rates, values, 0.01, higher=higher)
    assert found == (expected if expected is None else pytest.approx(expected))


def test_the_tolerance_of_points_and_of_other_metrics() -> None:
    assert learning_rates.usual_tolerance(0.97, points=True) == 0.01
    assert learning_rates.usual_tolerance(-50.0, points=False) == pytest.approx(1.0)


SENSITIVITIES = {
    "the rules' numbers": ([2.1, 1.6, 1.0, 0.6, 0.4, 0.35, 0.5, 1.4, NAN], 2.3, False, 0.788889),
    "mirrored": ([-2.1, -1.6, -1.0, -0.6, -0.4, -0.35, -0.5, -1.4, NAN], -2.3, True, 0.788889),
    "worse than the start is the start": ([0.5, 9.0], 2.5, False, 1.0),
    "infinite is the start": ([0.5, INF], 2.5, False, 1.0),
    "flat": ([0.5, 0.5], 2.5, False, 0.0),
    "nothing learned": ([9.0, NAN], 2.5, False, 0.0),
    "no start": ([0.5], None, False, None),
    "a start that is NaN": ([0.5], NAN, False, None),
    "none": ([], 2.5, False, None),
}


@pytest.mark.parametrize(("values", "initial", "higher", "expected"), SENSITIVITIES.values(), ids=SENSITIVITIES)
def test_sensitivity(values: list[float], initial: float | None, higher: bool, expected: float | None) -> None:
    found = learning_rates.sensitivity(values, initial, higher=higher)
    assert found == (expected if expected is None else pytest.approx(expected, abs=5e-7))


@pytest.mark.parametrize(("k", "expected"), [(1, 0.57), (2, 0.45), (3, 0.4068), (5, 0.375312)])
@pytest.mark.parametrize("higher", [False, True])
def test_expected_best(k: int, expected: float, higher: bool) -> None:
    sign = -1.0 if higher else 1.0
    values = sign * np.array([0.50, 0.40, 0.60, 0.35, 1.0])
    assert learning_rates.expected_best(values, k, higher=higher) == pytest.approx(sign * expected, abs=1e-12)


def test_expected_best_is_the_mean_over_all_draws() -> None:
    values = [0.3, 0.7, 0.1]
    draws = np.array(np.meshgrid(values, values, values, values)).reshape(4, -1)
    assert learning_rates.expected_best(values, 4, higher=True) == pytest.approx(draws.max(axis=0).mean())


EXPECTED_EDGES = {
    "one": ([0.4], 5, 0.4),
    "a lost one of no chance": ([0.4] * 999 + [INF], 200, 0.4),
    "a lost one of some chance": ([0.4, INF], 1, INF),
    "NaN": ([0.4, NAN], 1, None),
    "none": ([], 1, None),
}


@pytest.mark.parametrize(("values", "k", "expected"), EXPECTED_EDGES.values(), ids=EXPECTED_EDGES)
def test_edges_of_expected_best(values: list[float], k: int, expected: float | None) -> None:
    found = learning_rates.expected_best(values, k, higher=False)
    assert found == (expected if expected is None else pytest.approx(expected))


REACHED = {
    "first of several": ([0.2, 0.9, 0.95], 0.9, True, 1.0),
    "at the start": ([0.9, 0.2, 0.9], 0.9, True, 0.0),
    "never": ([0.2, 0.3, 0.4], 0.9, True, INF),
    "downwards": ([2.0, 0.5, 0.1], 0.2, False, 2.0),
    "NaN reaches nothing": ([NAN, NAN, 0.9], 0.9, True, 2.0),
    "nothing": ([], 0.9, True, INF),
}


@pytest.mark.parametrize(("values", "target", "higher", "expected"), REACHED.values(), ids=REACHED)
def test_time_to_target(values: list[float], target: float, higher: bool, expected: float) -> None:
    assert convergence.time_to_target(range(len(values)), values, target, higher=higher) == expected


@pytest.mark.parametrize(
    ("times", "expected"),
    [([3, INF, 1], 3), ([3, INF, INF], INF), ([1, 2], 1.5), ([1, INF], INF), ([INF, INF], INF), ([], None)],
)
def test_misses_take_part_in_the_median(times: list[float], expected: float | None) -> None:
    assert convergence.median_time(times) == expected


def test_the_target_is_the_best_recipes_median_less_a_standard_deviation() -> None:
    assert convergence.default_target([0.9, 0.92, 0.94, NAN], higher=True) == pytest.approx(0.90)
    assert convergence.default_target([2.0, 4.0, 3.0], higher=False) == pytest.approx(4.0)
    assert convergence.default_target([0.9], higher=True) == 0.9
    assert convergence.default_target([NAN], higher=True) is None


def test_a_miss_counts_as_one_epoch_after_the_last() -> None:
    logs = convergence.log_times([1.0, 2.5, INF, 0.0], miss=6.0, quantum=0.5)
    assert np.exp(logs) == pytest.approx([1.0, 2.5, 6.0, 0.5])


def test_times_that_agree_vary_by_their_quantum() -> None:
    """2 and 3 epochs: two times one epoch apart have the deviation 1 / sqrt(2), near sqrt(6) that over sqrt(6)."""
    a, b = np.log([2.0, 2.0]), np.log([3.0, 3.0])
    assert convergence.log_time_floor(a, b, quantum=1.0) == pytest.approx(1 / math.sqrt(2) / math.sqrt(6))


def test_relative_times() -> None:
    assert convergence.relative_times(TIMES).tolist() == [
        [1.0, 2.0, INF, 1.0],
        [1.2, 1.0, 1.0, 4.0],
        [4.0, 1.5, 3.0, 1.2],
    ]


@pytest.mark.parametrize(
    ("times", "expected"),
    [([INF, INF], [INF, INF]), ([0.0, 2.0], [1.0, INF]), ([0.0, INF], [1.0, INF]), ([NAN, 2.0], [INF, 1.0])],
)
def test_edges_of_relative_times(times: list[float], expected: list[float]) -> None:
    assert convergence.relative_times(np.array(times)[:, None])[:, 0].tolist() == expected


def test_profile_scores_of_the_rules() -> None:
    assert convergence.profile_score(TIMES) == pytest.approx([0.666667, 0.733333, 0.525], abs=5e-7)


@pytest.mark.parametrize("r_max", [1.3, 2.0, 4.0, 10.0])
def test_the_score_is_the_area_under_the_profile(r_max: float) -> None:
    taus, shares = convergence.profile(TIMES, r_max)
    area = (shares[:, :-1] * np.diff(taus)).sum(axis=1) / (r_max - 1.0)
    assert area == pytest.approx(convergence.profile_score(TIMES, r_max))


def test_the_profile_rises_by_a_problem_at_each_relative_time() -> None:
    taus, shares = convergence.profile(TIMES)
    assert taus.tolist() == [1.0, 1.2, 1.5, 2.0, 3.0, 4.0]
    assert shares.tolist() == [
        [0.5, 0.5, 0.5, 0.75, 0.75, 0.75],
        [0.5, 0.75, 0.75, 0.75, 0.75, 1.0],
        [0.0, 0.25, 0.5, 0.5, 0.75, 1.0],
    ]


OSCILLATIONS = {
    "above": (0.16, False, 32, True),
    "at the threshold": (0.15, False, 32, False),
    "lost": (0.9, True, 40, None),
    "noise of the batches, of a loss that falls all the way": (0.24, False, 10, None),
    "too few steps to average": (0.9, False, 31, None),
    "unknown": (None, False, 40, None),
}


@pytest.mark.parametrize(("relapse", "lost", "steps", "expected"), OSCILLATIONS.values(), ids=OSCILLATIONS)
def test_what_oscillates(relapse: float | None, lost: bool, steps: int, expected: bool | None) -> None:
    assert convergence.oscillates(relapse, lost=lost, steps_per_epoch=steps) is expected


def test_the_curve_of_the_rules() -> None:
    losses = [5.0, 4.0, 4.5, 3.0, 3.6, 2.0, 2.2, 1.0]
    assert curve.roughness(losses) == pytest.approx(1.65)
    assert curve.upward_share(losses) == pytest.approx(3 / 7)
    assert curve.relapse(losses, initial=5.0, steps_per_epoch=4) == pytest.approx(0.12)  # a quarter epoch is a step


@pytest.mark.parametrize("seed", range(5))
def test_a_slow_straight_fall_does_not_relapse(seed: int) -> None:
    noise = np.random.default_rng(seed).normal(0.0, 0.02 * 2.3, 400)
    losses = np.linspace(2.3, 2.0, 400) + noise
    assert curve.relapse(losses, initial=2.3, steps_per_epoch=40) < 0.05
