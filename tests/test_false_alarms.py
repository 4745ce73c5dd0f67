"""How often the one rule of `compare` is wrong: simulated comparisons of equal recipes, and of recipes that differ.

Each case is 2,000 comparisons, decided by the function that the ranking decides with, all pairs at once."""

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest

from lossopt_cli.analysis import statistics, student

COMPARISONS = 2_000
IMAGES = 180
THREE_SIGMA = 3.0 * math.sqrt(0.05 * 0.95 / COMPARISONS)
FLOOR = statistics.count_floor(IMAGES)

Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


def _counts(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """The accuracy on 180 images of recipes that get each right with 0.95."""
    return generator.binomial(IMAGES, 0.95, shape) / IMAGES


def _settled_counts(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Most images are always right or always wrong: only two of them depend on the seed."""
    return (169 + generator.binomial(2, 0.5, shape)) / IMAGES


SCORES: dict[str, tuple[Draw, float]] = {
    "normal": (lambda generator, shape: generator.normal(size=shape), 0.0),
    "skewed": (lambda generator, shape: generator.lognormal(size=shape), 0.0),
    "counts": (_counts, FLOOR),
    "settled counts": (_settled_counts, FLOOR),
}


def _all_pairs(scores: np.ndarray) -> np.ndarray:
    """[comparisons, recipes, n] to the differences of all pairs, [comparisons, pairs, n]."""
    first, second = np.array(list(itertools.combinations(range(scores.shape[1]), 2))).T
    return scores[:, first] - scores[:, second]


def _share_of_false_alarms(draw: Draw, floor: float, recipes: int, seeds: int) -> float:
    scores = draw(np.random.default_rng([recipes, seeds]), (COMPARISONS, recipes, seeds))
    called = statistics.claims(_all_pairs(scores), statistics.pair_confidence(recipes), floor)
    return float(called.any(axis=1).mean())


@pytest.mark.parametrize("seeds", [4, 5, 8, 10])
@pytest.mark.parametrize("recipes", [2, 5, 12])
@pytest.mark.parametrize("kind", SCORES)
def test_equal_recipes_are_seldom_called_different(kind: str, recipes: int, seeds: int) -> None:
    draw, floor = SCORES[kind]
    assert _share_of_false_alarms(draw, floor, recipes, seeds) <= 0.05 + THREE_SIGMA


def test_two_normal_recipes_use_the_level_up() -> None:
    """The rule is not safe by being blind: with one pair the t test is exact, 5 % are called."""
    draw, floor = SCORES["normal"]
    assert _share_of_false_alarms(draw, floor, 2, 8) >= 0.05 - THREE_SIGMA


def test_without_the_floor_agreement_by_luck_is_taken_for_certainty() -> None:
    assert _share_of_false_alarms(_settled_counts, 0.0, 12, 4) > 0.2


def test_without_the_share_of_pairs_many_recipes_mislead() -> None:
    scores = np.random.default_rng(0).normal(size=(COMPARISONS, 12, 8))
    assert statistics.claims(_all_pairs(scores), 0.95).any(axis=1).mean() > 0.4


def _share_found(shift: float, recipes: int, seeds: int) -> float:
    """How often the one recipe that is better by `shift` is told from the next; the scores have deviation 1."""
    scores = np.random.default_rng(recipes).normal(size=(COMPARISONS, recipes, seeds))
    scores[:, 0] += shift
    called = statistics.claims(_all_pairs(scores), statistics.pair_confidence(recipes))
    return float(called[:, 0].mean())


@pytest.mark.parametrize("recipes", [2, 5])
def test_a_real_difference_is_found(recipes: int) -> None:
    """Two standard deviations of the paired difference, which is sqrt(2) of a recipe, with ten seeds."""
    assert _share_found(2.0 * math.sqrt(2.0), recipes, 10) >= 0.9


@pytest.mark.parametrize(("recipes", "seeds", "shift"), [(2, 10, 2.0), (5, 10, 2.0), (12, 10, 2.83), (5, 6, 3.0)])
def test_the_power_that_is_promised_is_the_power_that_is_found(recipes: int, seeds: int, shift: float) -> None:
    noncentrality = shift / math.sqrt(2.0) * math.sqrt(seeds)
    promised = student.power(noncentrality, seeds - 1, statistics.pair_confidence(recipes))
    tolerance = 3.0 * math.sqrt(promised * (1.0 - promised) / COMPARISONS)
    assert _share_found(shift, recipes, seeds) == pytest.approx(promised, abs=tolerance + 1e-3)


@pytest.mark.parametrize("recipes", [2, 5])
def test_the_seeds_that_are_asked_for_are_enough(recipes: int) -> None:
    needed = statistics.seeds_needed(1.0, math.sqrt(2.0), statistics.pair_confidence(recipes))
    assert _share_found(1.0, recipes, needed) == pytest.approx(0.8, abs=0.05)


def test_a_skewed_difference_is_found_too() -> None:
    scores = np.random.default_rng(1).lognormal(size=(COMPARISONS, 2, 10))
    spread = math.sqrt(2.0 * (math.e - 1.0) * math.e)  # of the difference of two lognormal values
    scores[:, 0] += 2.0 * spread
    called = statistics.claims(_all_pairs(scores), statistics.pair_confidence(2))
    assert called.mean() >= 0.9
