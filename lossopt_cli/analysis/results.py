"""One recipe of a comparison: its chosen trials in numbers, and what its other rates tell."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from lossopt_cli.analysis import convergence, learning_rates, statistics
from lossopt_cli.analysis.choosing import Tried, mean_score
from lossopt_cli.analysis.comparison import Arm, Difference, Interval, RecipeResult
from lossopt_cli.analysis.looking import is_in_points
from lossopt_cli.analysis.pairs import Rule
from lossopt_cli.analysis.standings import Ranked

CONFIDENCE = 0.95  # of the interval of one recipe's mean
BEST_OF = (1, 5, 25)


@dataclass(frozen=True, eq=False)
class Surroundings:
    """What a recipe's result needs of the others: their order, the keys of the setting that differ, the names of the
    baseline's recipes, whether seconds may be compared."""

    ranked: Ranked
    varying: Sequence[str]
    baselines: Sequence[str]
    has_seconds: bool


def result_of(one: Tried, around: Surroundings) -> RecipeResult:
    """The recipe as table, figure, verdict and JSON show it."""
    ranked, recipe, arm = around.ranked, one.recipe, one.arm
    rule = ranked.rule
    relapses = [value for value, lost in zip(arm.relapses, arm.lost, strict=True) if value is not None and not lost]
    relapse = median(relapses) if relapses else None
    planned = [score for arms in one.grids for tried in arms for score in tried.scores]
    higher = rule.view.higher
    return RecipeResult(
        name=one.name,
        loss=recipe.loss,
        optimizer=recipe.optimizer,
        schedule=recipe.schedule,
        setting={key: recipe.setting.get(key) for key in around.varying},
        setting_hash=recipe.setting_hash,
        arms=one.arms,
        tuning=one.tuning,
        chosen=one.chosen,
        default_rate=recipe.default_rate,
        mean=_mean(arm, rule),
        worst=min(arm.scores) if higher else max(arm.scores),
        interquartile_mean=statistics.interquartile_mean(arm.scores),
        lost=sum(arm.lost),
        standing=ranked.standing(one),
        rank=ranked.rank(one),
        edge=one.edge,
        difference_to_best=None if one is ranked.best else ranked.between(one, ranked.best),
        difference_to_baseline=_to_baseline(one, around),
        time_to_target_epochs=convergence.median_time(arm.times),
        time_to_target_steps=convergence.median_time(arm.step_times),
        reached=sum(math.isfinite(time) for time in arm.times),
        area=_mean_of(arm.areas) if rule.view.metric == one.records[0].metric else None,
        room=_room(one),
        safe_window_decades=_safe_window(one, rule),
        sensitivity=_sensitivity(one, rule),
        at_default=_at_default(one),
        relapse=relapse,
        worst_relapse=max(relapses, default=None),
        oscillates=convergence.oscillates(relapse, lost=False, steps_per_epoch=one.records[0].steps_per_epoch),
        best_of_k={k: learning_rates.expected_best(planned, k, higher=higher) for k in BEST_OF},
        seconds=_mean_of(arm.seconds) if around.has_seconds else None,
        is_baseline=one.name in around.baselines,
        time_to_target_seconds=_seconds_to_target(one) if around.has_seconds else None,
        sample=_sample(one, rule),
        tuned=one.tuned,
        tried=sum(map(len, one.variants)),
    )


def _mean(arm: Arm, rule: Rule) -> Interval:
    return statistics.t_interval(arm.scores, CONFIDENCE, rule.floor, rule.test_over_train)


def _sample(one: Tried, rule: Rule) -> Interval | None:
    """Of a single run: where its metric may lie on other examples."""
    sample = one.records[0].sample
    if len(one.records) > 1 or sample is None or one.records[0].lost:  # which scores what it had before training
        return None
    if (sample["metric"], sample["split"]) != (rule.view.metric, rule.view.split):
        return None
    return Interval(sample["value"], sample["low"], sample["high"], n=1, confidence=CONFIDENCE)


def _to_baseline(one: Tried, around: Surroundings) -> Difference | None:
    """To the baseline's recipe that is the same one, else to its best."""
    if one.name in around.baselines:
        return None
    ranked = around.ranked
    bases = [other for other in ranked.found if other.name in around.baselines]
    same = [base for base in bases if base.recipe.identity == one.recipe.identity]
    return ranked.between(one, [*same, *bases][0]) if bases else None


def _mean_of(values: Sequence[float | None]) -> float | None:
    return None if None in values or not values else math.fsum(values) / len(values)


def _seconds_to_target(one: Tried) -> float | None:
    """An epoch takes its share of the training's seconds."""
    arm, epochs = one.arm, one.recipe.setting["train.epochs"]
    if not arm.times or None in arm.seconds:
        return None
    return median(time * seconds / epochs for time, seconds in zip(arm.times, arm.seconds, strict=True))


def _room(one: Tried) -> float | None:
    if one.arm.learning_rate is None:
        return None
    arms = [arm for arm in (*one.arms, *one.tuning) if arm.learning_rate is not None]
    rates, lost = [arm.learning_rate for arm in arms], [any(arm.lost) for arm in arms]
    return learning_rates.room(rates, lost, one.arm.learning_rate)


def _safe_window(one: Tried, rule: Rule) -> float | None:
    if len(one.grid) < 2:
        return None
    means = [mean_score(arm) for arm in one.grid]
    best = max(means) if rule.view.higher else min(means)
    within = learning_rates.usual_tolerance(best, points=is_in_points(rule.view.metric))
    rates = [arm.learning_rate for arm in one.grid]
    return learning_rates.safe_window(rates, means, within, higher=rule.view.higher)


def _sensitivity(one: Tried, rule: Rule) -> float | None:
    starts = [start for arm in one.grid for start in arm.initial if start is not None]
    if len(one.grid) < 2 or not starts:
        return None
    means = [mean_score(arm) for arm in one.grid]
    return learning_rates.sensitivity(means, math.fsum(starts) / len(starts), higher=rule.view.higher)


def _at_default(one: Tried) -> float | None:
    """The mean at the optimizer's default rate, of the trials that report where they have it."""
    default = one.recipe.default_rate
    arms = [arm for arm in (*one.arms, *one.tuning) if arm.learning_rate == default]
    return mean_score(arms[0]) if arms and default is not None else None
