"""Two recipes by rule 8: the paired interval of their difference over common seeds decides, all else stands beside."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from lossopt_cli.analysis import statistics
from lossopt_cli.analysis.arms import View
from lossopt_cli.analysis.choosing import Tried
from lossopt_cli.analysis.comparison import Arm, Difference
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


def differences_of(found: Sequence[Tried], rule: Rule) -> tuple[Difference, ...]:
    """Of every two recipes, the earlier one first; Holm's p is over all of them."""
    return with_holm([difference(a, b, rule) for a, b in combinations(found, 2)])


def time_differences_of(found: Sequence[Tried], rule: Rule) -> tuple[Difference, ...]:
    """Of the logarithm of the epochs to the target: positive where the first is faster. Empty without a target."""
    if not all(one.arm.times for one in found):
        return ()
    return with_holm([_time_difference(a, b, rule) for a, b in combinations(found, 2)])


def with_holm(pairs: Sequence[Difference]) -> tuple[Difference, ...]:
    adjusted = statistics.holm([pair.p_sign_flip for pair in pairs])
    return tuple(replace(pair, p_holm=p) for pair, p in zip(pairs, adjusted, strict=True))


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


def difference(a: Tried, b: Tried, rule: Rule) -> Difference:
    """Of the scores at the chosen rates."""
    return _difference(a, b, *_paired(a.arm, b.arm, a.arm.scores, b.arm.scores), rule)


def _time_difference(a: Tried, b: Tried, rule: Rule) -> Difference:
    seeds = _paired(a.arm, b.arm, *(_log_times(one) for one in (a, b)))
    logs = [np.array(side) for side in seeds[:2]]
    quantum = _quantum(a)
    floor = log_time_floor(*logs, quantum) if len(logs[0]) else 0.0
    fewer = replace(rule, view=replace(rule.view, higher=False), floor=floor, min_effect=0.0)
    return _difference(a, b, *seeds, fewer)


def _log_times(one: Tried) -> list[float]:
    """A miss counts as one epoch after the last."""
    epochs = one.recipe.setting["train.epochs"]
    return log_times(one.arm.times, miss=epochs + 1.0, quantum=_quantum(one)).tolist()


def _quantum(one: Tried) -> float:
    """Epochs between two evaluations."""
    curve = one.records[0].curve(one.records[0].metric)
    assert curve is not None, "there are times"
    return curve.epochs[1] if len(curve.epochs) > 1 else 1.0


def _paired(
    a: Arm, b: Arm, of_a: Sequence[float], of_b: Sequence[float]
) -> tuple[list[float], list[float], list[float], list[float]]:
    """The values of both at their common seeds, and all values of both."""
    there = dict(zip(b.seeds, of_b, strict=True))
    both = [(value, there[seed]) for seed, value in zip(a.seeds, of_a, strict=True) if seed in there]
    return [value for value, _ in both], [value for _, value in both], list(of_a), list(of_b)


def _difference(
    a: Tried, b: Tried, left: list[float], right: list[float], all_a: list[float], all_b: list[float], rule: Rule
) -> Difference:
    higher = rule.view.higher
    gaps = [rule.view.better(x, y) for x, y in zip(left, right, strict=True)]
    decides = {"floor": rule.floor, "test_over_train": rule.test_over_train}
    claimable = rule.is_open and len(gaps) >= statistics.LEAST_SEEDS and a.edge is None and b.edge is None
    value, low, high = statistics.paired_interval(gaps, rule.confidence, **decides)
    if not gaps:
        value = rule.view.better(math.fsum(all_a) / len(all_a), math.fsum(all_b) / len(all_b))
    p, smallest = statistics.sign_flip(gaps)
    return Difference(
        a=a.name,
        b=b.name,
        n=len(gaps),
        value=value,
        low=low,
        high=high,
        confidence=rule.confidence,
        different=claimable and bool(statistics.claims(gaps, rule.confidence, min_effect=rule.min_effect, **decides)),
        claimable=claimable,
        p_sign_flip=p,
        p_smallest=smallest,
        p_holm=None,
        probability_of_improvement=statistics.probability_of_improvement(all_a, all_b, higher=higher),
        seeds_needed=_seeds_needed(gaps, value, rule),
    )


def _seeds_needed(gaps: Sequence[float], value: float, rule: Rule) -> int | None:
    if len(gaps) < 2:
        return None
    spread = float(statistics.deviation(gaps, rule.floor))
    return statistics.seeds_needed(value, spread, rule.confidence, test_over_train=rule.test_over_train)
