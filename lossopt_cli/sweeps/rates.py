"""Learning rates that are found: the scale of a recipe, the grid around it, and what is tried when its end is best.

Grids are of half decades, as wide for one recipe as for another, and centred where the recipe (loss with optimizer)
learns: scaling a loss by c scales the best rate of SGD by 1/c. Around the best of them two finer ones are tried, and
the best two of all meet again with further seeds, a rung of successive halving (Jamieson and Talwalkar 2016): three
seeds cannot tell neighbours apart. Against a grid of an eighth of a decade with 24 seeds (minicnn on digits, four
optimizers) that chooses within one standard error of the best 90 % of the time, where half decades with three seeds
did so 73 % (`tests/benchmarks/rates.py`).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lossopt_cli.analysis.arms import View, arms_of
from lossopt_cli.analysis.choosing import best_place, best_variant, edge_of, fewest_seeds, mean_score
from lossopt_cli.analysis.comparison import Arm, Edge
from lossopt_cli.runs.records import Record
from lossopt_cli.sweeps.ranges import PER_DECADE, log_range, rounded

SEARCHED = tuple(log_range(1e-6, 1e2, 9))  # whole decades: the grid reaches two to either side of what they find
POINTS = 9
TUNING_SEEDS = 3
FINALISTS, FINAL_SEEDS = 2, 5
FINER = 2  # rates at most, one to either side of the best
WIDENINGS = 2
WIDER_BY = 2  # rates beyond an end, a decade


def grid_around(scale: float, default: float | None) -> tuple[float, ...]:
    """POINTS rates a half decade apart, d * 10^(k/2) for the default rate d (1 where there is none), the middle one
    nearest to the scale. Where d lies outside, it takes the place of the end that is farther from it."""
    base = 1.0 if default is None else default
    middle, reach = round(PER_DECADE * math.log10(scale / base)), POINTS // 2
    exponents = list(range(middle - reach, middle + reach + 1))
    if default is not None and 0 not in exponents:
        exponents = [0, *exponents[:-1]] if middle > 0 else [*exponents[1:], 0]
    return tuple(sorted(_at(base, exponent) for exponent in exponents))


def scale_of(losses: Mapping[float, float | None], initial: float) -> float | None:
    """The rate of the coarse search whose loss on validation is lowest; None where no loss is below the initial one.

    losses: by rate, after a short training; None for one that was not finite."""
    finite = {rate: loss for rate, loss in losses.items() if loss is not None and loss < initial}
    return min(finite, key=finite.__getitem__) if finite else None


@dataclass(frozen=True)
class Best:
    """place: of the arm among those of its recipe; arm: at the rate that validation chooses; edge: why that may not be
    the best there is; beyond: the rates to try in that case; finer: those to try in any case."""

    place: int
    arm: Arm
    edge: Edge | None
    beyond: list[float]
    finer: list[float]


def best_of(records: Mapping[int, Sequence[Record]], view: View) -> Best:
    """What the records of a recipe's arms choose, as `compare` chooses; records: by the place of the arm."""
    tried = {place: arms_of(found, view) for place, found in records.items()}
    fewest = fewest_seeds(tried.values())
    place = best_variant(tried, view, fewest)
    arms = tried[place]
    at = best_place(arms, view, fewest)
    edge = edge_of(arms, at)
    return Best(place, arms[at], edge, beyond(arms, at, edge), finer_than(arms, arms[at].learning_rate))


def finalists_of(records: Mapping[int, Sequence[Record]], view: View) -> list[tuple[int, float | None]]:
    """(place of the arm, rate) of the FINALISTS best means, the best first; none that is lost."""
    tried = [(place, arm) for place, found in records.items() for arm in arms_of(found, view) if not arm.is_lost]
    tried.sort(key=lambda one: view.better(0.0, mean_score(one[1])))
    return [(place, arm.learning_rate) for place, arm in tried[:FINALISTS]]


def finer_than(arms: Sequence[Arm], rate: float | None) -> list[float]:
    """The middles between this rate and its neighbours."""
    rates = [arm.learning_rate for arm in arms]
    if rate is None:
        return []
    place = rates.index(rate)
    return [rounded(math.sqrt(rate * other)) for other in rates[max(0, place - 1) : place + 2] if other != rate]


def beyond(arms: Sequence[Arm], place: int, edge: Edge | None) -> list[float]:
    """What to try where the best rate is at an end: WIDER_BY half decades further; towards the stability limit the
    middle between the best and the first that was lost."""
    best = arms[place].learning_rate
    if edge is None or best is None:
        return []
    if edge == "stability":
        return [rounded(math.sqrt(best * arms[place + 1].learning_rate))]
    sign = -1 if edge == "lowest" else 1
    return [_at(best, sign * step) for step in range(1, WIDER_BY + 1)]


def _at(base: float, exponent: int) -> float:
    """The base itself, or a number of half decades from it, in three digits."""
    return base if exponent == 0 else rounded(base * 10 ** (exponent / PER_DECADE))
