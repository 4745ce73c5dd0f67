"""Who is best, who ties and who is worse: rule 8 on the recipes at their chosen rates."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lossopt_cli.analysis.arms import View
from lossopt_cli.analysis.choosing import Tried
from lossopt_cli.analysis.comparison import Difference, OtherMetric, Standing
from lossopt_cli.analysis.looking import counts_predictions, floor_of, is_higher_better, shared
from lossopt_cli.analysis.pairs import Rule, differences_of, is_claimed_worse, mirrored, time_differences_of


@dataclass(frozen=True, eq=False)
class Ranked:
    """The recipes, the best mean first and lost ones last; the best of those that can be judged (else of those that are
    tuned and not lost, else the first); and the differences of every two, by their names in this order."""

    found: tuple[Tried, ...]
    best: Tried
    rule: Rule
    differences: Mapping[tuple[str, str], Difference]

    def between(self, one: Tried, other: Tried) -> Difference:
        """Positive where `one` is better."""
        pair = self.differences.get((one.name, other.name))
        return pair if pair is not None else mirrored(self.differences[other.name, one.name])

    def is_worse(self, one: Tried, than: Tried) -> bool:
        """Whether that is claimed."""
        if one is than:
            return False
        pair = self.between(one, than)
        return pair.different and pair.value < 0.0

    def worse(self) -> set[str]:
        """Those claimed to be worse than the best."""
        return {one.name for one in self.found if one.judged and self.is_worse(one, self.best)}

    def standing(self, one: Tried) -> Standing:
        if one.arm.is_lost:
            return "lost"
        if one.edge is not None:
            return "not_tuned"
        if one is self.best:
            if any(self.is_worse(other, one) for other in self.found):
                return "best"
            return "tied" if any(pair.claimable for pair in self._pairs_of(one)) else "open"
        if not self.between(one, self.best).claimable:
            return "open"
        return "worse" if self.is_worse(one, self.best) else "tied"

    def _pairs_of(self, one: Tried) -> Iterable[Difference]:
        return (pair for pair in self.differences.values() if one.name in (pair.a, pair.b))

    def rank(self, one: Tried) -> int | None:
        """1 + how many are claimed to be better; None where nothing can be claimed of it."""
        others = [other for other in self.found if other is not one and other.judged]
        if not one.judged or not any(self.between(one, other).claimable for other in others):
            return None
        return 1 + sum(self.is_worse(one, other) for other in others)


def ranked(found: Iterable[Tried], rule: Rule) -> Ranked:
    """The recipes in order, with all their differences."""
    order = _in_order(found, rule.view)
    differences = {(pair.a, pair.b): pair for pair in differences_of(order, rule)}
    return Ranked(tuple(order), _best(order, differences.values()), rule, differences)


def timed(of: Ranked, target: float | None) -> Ranked:
    """The same with the times to this target on validation."""
    view = replace(of.rule.view, target=target)
    found = {one.name: one.seen_by(view) for one in of.found}
    return replace(of, found=tuple(found.values()), best=found[of.best.name], rule=replace(of.rule, view=view))


def best_values(of: Ranked) -> list[float]:
    """Of each seed of the best recipe the best value on validation; NaN where none is finite."""
    view = of.rule.view
    best = max if view.higher else min
    curves = [filter(math.isfinite, record.curve(view.metric).values) for record in of.best.records]
    return [best(values, default=math.nan) for values in curves]


def time_differences(of: Ranked, *, is_given: bool) -> tuple[Difference, ...]:
    """Of the times to the target. One that nobody gave is itself an estimate: who is faster to it is claimed only where
    that is so to a target of one validation example less, and of one more, too; but of no more than the best recipe
    reaches in the median, for a target that no one reaches tells nothing.

    is_given: whether the target was asked for, and so is exact."""
    pairs, view = time_differences_of(of.found, of.rule), of.rule.view
    examples = of.best.records[0].sizes.get("validation", 0)
    if is_given or view.target is None or not examples or not counts_predictions(view.metric):
        return pairs
    reached, step = float(np.nanmedian(best_values(of))), 1.0 / examples
    around = np.sort([view.target - step, view.target + step])
    easier, harder = around if view.higher else around[::-1]
    hardest = min(harder, reached) if view.higher else max(harder, reached)
    moved = [timed(of, float(target)) for target in (easier, hardest)]
    beside = zip(*(time_differences_of(other.found, other.rule) for other in moved), strict=True)
    return tuple(
        replace(pair, different=all(one.different and one.value * pair.value > 0.0 for one in (pair, *others)))
        for pair, others in zip(pairs, beside, strict=True)
    )


def other_metrics(of: Ranked) -> tuple[OtherMetric, ...]:
    """What every other metric that all recorded says of the same trials."""
    split = of.rule.view.split
    names = shared((record for one in of.found for record in one.records), split)
    return tuple(_by_metric(of, name) for name in names if name != of.rule.view.metric)


def _by_metric(of: Ranked, metric: str) -> OtherMetric:
    """changes: whether others are worse than the best."""
    view = replace(of.rule.view, metric=metric, higher=is_higher_better(metric), target=None)
    size = of.best.records[0].sizes[view.split]
    order = _in_order((one.at_choice(view) for one in of.found), view)
    floor = floor_of(metric, size, [score for one in order for score in one.arm.scores])
    rule = replace(of.rule, view=view, floor=floor, min_effect=0.0)
    best = _best(order, of.differences.values())
    worse = [one.name for one in order if one.judged and one is not best and is_claimed_worse(one, best, rule)]
    return OtherMetric(
        metric=metric,
        best=best.name,
        worse=tuple(worse),
        order=tuple(one.name for one in order),
        changes=set(worse) != of.worse(),
    )


def _in_order(found: Iterable[Tried], view: View) -> list[Tried]:
    def place(one: Tried) -> tuple[bool, float, str]:
        return one.arm.is_lost, -one.mean if view.higher else one.mean, one.name

    return sorted(found, key=place)


def _best(order: Sequence[Tried], differences: Iterable[Difference]) -> Tried:
    """The first that can be judged: tuned, not lost, and with four seeds in common with some other. One lucky seed
    would else be what all others are held to, so that nothing could be said of any."""
    able = {name for pair in differences if pair.claimable for name in (pair.a, pair.b)}
    judged = [one for one in order if one.judged]
    return next((one for one in judged if one.name in able), next(iter(judged), order[0]))
