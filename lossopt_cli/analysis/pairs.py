"""Two recipes by rule 8: the paired interval of their difference over common seeds decides, all else stands beside."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from lossopt_cli.analysis import statistics
from lossopt_cli.analysis.arms import View
from lossopt_cli.analysis.choosing import Tried
from lossopt_cli.analysis.comparison import Difference
from lossopt_cli.analysis.convergence import log_time_floor, log_times


@dataclass(frozen=True)
class Rule:
    """What decides for every pair of a comparison.

    confidence: of each interval, 1 - 0.05 / m. floor: least deviation of a score, 0 for none. test_over_train: where
    the seeds have splits of their own (Nadeau and Bengio), else 0. is_open: whether anything may be claimed at all."""

    view: View
    confidence: float
    floor: float
    min_effect: float
    test_over_train: float
    is_open: bool


@dataclass(frozen=True)
class Paired:
    """The values of two recipes: all that each has, and by how much a is better at every common seed."""

    a: Sequence[float]
    b: Sequence[float]
    gaps: list[float]

    @property
    def value(self) -> float:
        """The mean gap; of the means where no seed is common."""
        gap = self.gaps or [math.fsum(self.a) / len(self.a) - math.fsum(self.b) / len(self.b)]
        return math.fsum(gap) / len(gap)


def differences_of(found: Sequence[Tried], rule: Rule) -> tuple[Difference, ...]:
    """Of the scores of every two recipes, the earlier one first; Holm's p is over all of them."""
    pairs = []
    for a, b in combinations(found, 2):
        paired = _paired(a, b, a.arm.scores, b.arm.scores, higher=rule.view.higher)
        pairs.append(_beside(_difference(a, b, paired, rule), paired, rule))
    adjusted = statistics.holm([pair.p_sign_flip for pair in pairs])
    return tuple(replace(pair, p_holm=p) for pair, p in zip(pairs, adjusted, strict=True))


def time_differences_of(found: Sequence[Tried], rule: Rule) -> tuple[Difference, ...]:
    """Of the logarithm of the epochs to the target, which decides who is faster: positive where the first of the two
    is. A miss counts as one epoch after the last. Empty without a target."""
    if not all(one.arm.times for one in found):
        return ()
    logs = {one.name: _log_times(one) for one in found}
    differences = []
    for a, b in combinations(found, 2):
        quantum = max(_quantum(a), _quantum(b))
        floor = log_time_floor(logs[a.name], logs[b.name], quantum)
        paired = _paired(a, b, logs[a.name].tolist(), logs[b.name].tolist(), higher=False)
        differences.append(_difference(a, b, paired, replace(rule, floor=floor, min_effect=0.0)))
    return tuple(differences)


def is_claimed_worse(one: Tried, best: Tried, rule: Rule) -> bool:
    """By the scores at the chosen rates."""
    found = _difference(one, best, _paired(one, best, one.arm.scores, best.arm.scores, higher=rule.view.higher), rule)
    return found.different and found.value < 0.0


def mirrored(pair: Difference) -> Difference:
    """The same of b against a."""
    low, high = (None if end is None else -end for end in (pair.high, pair.low))
    chance = pair.probability_of_improvement
    return replace(
        pair,
        a=pair.b,
        b=pair.a,
        value=-pair.value,
        low=low,
        high=high,
        probability_of_improvement=None if chance is None else 1.0 - chance,
    )


def _log_times(one: Tried) -> np.ndarray:
    return log_times(one.arm.times, one.recipe.setting["train.epochs"] + 1.0, _quantum(one))


def _quantum(one: Tried) -> float:
    """Epochs between two evaluations."""
    curve = one.records[0].curve(one.records[0].metric)
    assert curve is not None, "there are times"
    return curve.epochs[1] if len(curve.epochs) > 1 else 1.0


def _paired(a: Tried, b: Tried, of_a: Sequence[float], of_b: Sequence[float], *, higher: bool) -> Paired:
    there = dict(zip(b.arm.seeds, of_b, strict=True))
    sign = 1.0 if higher else -1.0
    both = [(value, there[seed]) for seed, value in zip(a.arm.seeds, of_a, strict=True) if seed in there]
    return Paired([sign * value for value in of_a], [sign * value for value in of_b], [sign * (x - y) for x, y in both])


def _difference(a: Tried, b: Tried, paired: Paired, rule: Rule) -> Difference:
    """What is claimed, and its interval; what stands beside is not known yet."""
    gaps = paired.gaps
    decides = {"floor": rule.floor, "test_over_train": rule.test_over_train}
    claimable = rule.is_open and len(gaps) >= statistics.LEAST_SEEDS and a.edge is None and b.edge is None
    _, low, high = statistics.paired_interval(gaps, rule.confidence, **decides)
    return Difference(
        a=a.name,
        b=b.name,
        n=len(gaps),
        value=paired.value,
        low=low,
        high=high,
        confidence=rule.confidence,
        different=claimable and bool(statistics.claims(gaps, rule.confidence, min_effect=rule.min_effect, **decides)),
        claimable=claimable,
        equal=claimable and low is not None and max(-low, high) < rule.min_effect,
        p_sign_flip=None,
        p_smallest=None,
        p_holm=None,
        probability_of_improvement=None,
        seeds_needed=None,
    )


def _beside(pair: Difference, paired: Paired, rule: Rule) -> Difference:
    """With what is reported beside the interval and never decides."""
    p, smallest = statistics.sign_flip(paired.gaps)
    needed = None
    if pair.n >= 2 and not pair.equal:
        spread = float(statistics.deviation(paired.gaps, rule.floor))
        needed = statistics.seeds_needed(pair.value, spread, rule.confidence, test_over_train=rule.test_over_train)
    return replace(
        pair,
        p_sign_flip=p,
        p_smallest=smallest,
        probability_of_improvement=statistics.probability_of_improvement(paired.a, paired.b, higher=True),
        seeds_needed=needed,
        p_t=statistics.paired_p(paired.gaps, rule.floor, rule.test_over_train),
    )
