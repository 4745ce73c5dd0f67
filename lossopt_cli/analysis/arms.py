"""Trials of one recipe by learning rate and seed, as one looks at them: a metric, a split, a target."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lossopt_cli.analysis.comparison import Arm
from lossopt_cli.analysis.convergence import time_to_target
from lossopt_cli.runs.records import Curve, Record

VALIDATION = "validation"


@dataclass(frozen=True)
class View:
    """What is looked at. target: of the metric on validation, None for no time to it."""

    metric: str
    higher: bool
    split: str
    target: float | None = None

    def better(self, a: float, b: float) -> float:
        """By how much a is better than b."""
        return a - b if self.higher else b - a


def arms_of(records: Iterable[Record], view: View) -> tuple[Arm, ...]:
    """One for each learning rate, ascending. Every record has a score (see `Record.score`)."""
    rates: dict[float | None, dict[int, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        rates[record.learning_rate][record.seed].append(record)
    order = sorted(rates, key=lambda rate: -math.inf if rate is None else rate)
    return tuple(_arm(rate, rates[rate], view) for rate in order)


def _arm(rate: float | None, by_seed: dict[int, list[Record]], view: View) -> Arm:
    seeds = sorted(by_seed)
    trials = [by_seed[seed] for seed in seeds]
    times = [_times(copies, view) for copies in trials] if view.target is not None else []
    followed = all(time is not None for time in times)
    return Arm(
        learning_rate=rate,
        seeds=tuple(seeds),
        scores=tuple(_mean([record.score(view.metric, view.split) for record in copies]) for copies in trials),
        chosen_by=tuple(_mean([record.score(view.metric, VALIDATION) for record in copies]) for copies in trials),
        lost=tuple(any(record.lost for record in copies) for copies in trials),
        initial=tuple(_mean([record.at_start(view.metric, view.split) for record in copies]) for copies in trials),
        times=tuple(epochs for epochs, _ in times) if followed else (),
        step_times=tuple(steps for _, steps in times) if followed else (),
        relapses=tuple(_mean([record.relapse for record in copies]) for copies in trials),
        areas=tuple(_mean([_area(record) for record in copies]) for copies in trials),
        seconds=tuple(_mean([record.train_seconds for record in copies]) for copies in trials),
        folders=tuple(copies[0].folder for copies in trials),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    """None where one is not known; exact, so that equal values tie."""
    if len(values) == 1:
        return values[0]
    return None if None in values else math.fsum(values) / len(values)


def _times(copies: Sequence[Record], view: View) -> tuple[float, float] | None:
    """Epochs and steps to the target; infinite for a lost trial, None where the metric was not followed."""
    curves = [record.curve(view.metric) for record in copies]
    if None in curves:
        return None
    if any(record.lost for record in copies):
        return math.inf, math.inf
    found = [(_time(curve.epochs, curve, view), _time(curve.steps, curve, view)) for curve in curves]
    return _mean([epochs for epochs, _ in found]), _mean([steps for _, steps in found])


def _time(at: Sequence[float], curve: Curve, view: View) -> float:
    return time_to_target(at, curve.values, view.target, higher=view.higher)


def _area(record: Record) -> float | None:
    """A lost trial's is that of a curve that stays where it began."""
    curve = record.curve(record.metric) if record.lost else None
    if curve is None or not curve.values:
        return record.area
    return curve.values[0] if math.isfinite(curve.values[0]) else None
