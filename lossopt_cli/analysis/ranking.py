"""Runs into comparisons: problems apart, recipes named, rates chosen on validation, standings by rule 8."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from lossopt_cli.analysis import starts, statistics, wording
from lossopt_cli.analysis.arms import View
from lossopt_cli.analysis.choosing import Tried, tried
from lossopt_cli.analysis.comparison import Comparison
from lossopt_cli.analysis.convergence import default_target
from lossopt_cli.analysis.copies import without_copies
from lossopt_cli.analysis.looking import counts_predictions, floor_of, view_of, with_metric
from lossopt_cli.analysis.naming import common, differing, names
from lossopt_cli.analysis.pairs import Rule
from lossopt_cli.analysis.problems import data_of, problems_of
from lossopt_cli.analysis.protocol import budget_warnings, protocol_of, splits_vary, standard_error
from lossopt_cli.analysis.recipes import Recipe, recipes_of
from lossopt_cli.analysis.results import Surroundings, result_of
from lossopt_cli.analysis.standings import Ranked, best_values, other_metrics, ranked, time_differences, timed
from lossopt_cli.catalogue.lookup import nearest, plain
from lossopt_cli.errors import Fault, UsageError
from lossopt_cli.runs.records import LeftOut, Record


@dataclass(frozen=True)
class Request:
    """What is to be compared. Where a field is None the runs decide.

    metric: of the metrics that they recorded; what they were judged by unless said. split: test unless said, or the
    best there is (validation, train). target: of the metric on validation; else what the best recipe reaches. baseline:
    the name of a recipe, or of the folder that `baseline_records` are of. min_effect: the least difference that is
    claimed, in the metric's units."""

    metric: str | None = None
    split: str | None = None
    target: float | None = None
    min_effect: float | None = None
    baseline: str | None = None
    baseline_records: Sequence[Record] = ()


@dataclass
class Notes:
    """What must be said beside the numbers."""

    warnings: list[str] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    refused: str | None = None


def compare(records: Sequence[Record], request: Request) -> list[Comparison]:
    """A comparison for each problem that the records are of, the one with the newest run first.

    UsageError where the request cannot be met: a metric that nobody recorded, a split without examples, losses ranked
    by their own values, several learning rates and no validation data, a baseline that is not there."""
    found = [_compared(group.records, request) for group in problems_of(records)]
    if request.baseline is not None and all(comparison.baseline is None for comparison in found):
        raise UsageError(_no_baseline(request, found))
    return found


def _compared(records: Sequence[Record], request: Request) -> Comparison:
    base = [record for record in request.baseline_records if record.problem == records[0].problem]
    notes = Notes()
    view, warnings = view_of([*records, *base], request.metric, request.split)
    notes.warnings += warnings
    recipes = [*_recipes(records, view, notes), *_recipes(base, view, notes, of_baseline=True)]
    if not recipes:
        raise UsageError(_nobody_scored(view, notes))
    found = [tried(name, recipe, view) for name, recipe in zip(names(recipes), recipes, strict=True)]
    notes.warnings += [said for one in found if (said := _equal_rates(one, view)) is not None]
    notes.refused = starts.disagreement(record for recipe in recipes for record in recipe.records)
    order = ranked(found, _rule(found, view, request, is_open=notes.refused is None))
    return _comparison(timed(order, _target(order, request, notes)), request, notes)


def _recipes(records: Sequence[Record], view: View, notes: Notes, *, of_baseline: bool = False) -> list[Recipe]:
    """Of the records that have a score, each trial once."""
    records, without = with_metric(records, view)
    notes.left_out += without
    recipes = []
    for recipe in recipes_of(records, of_baseline=of_baseline):
        recipe, copies, differ = without_copies(recipe)
        recipes.append(recipe)
        notes.left_out += copies
        notes.warnings += differ
    return recipes


def _equal_rates(one: Tried, view: View) -> str | None:
    """That validation did not choose alone."""
    equal = [wording.rate(rate) for rate in one.equals(view)]
    if len(equal) < 2:
        return None
    return f"{one.name}: {wording.listing(equal)} are equal on validation; the lowest learning rate was taken"


def _rule(found: Sequence[Tried], view: View, request: Request, *, is_open: bool) -> Rule:
    first = found[0].records[0]
    share = first.sizes[view.split] / first.sizes["train"]
    return Rule(
        view=view,
        confidence=statistics.pair_confidence(len(found)),
        floor=floor_of(view.metric, first.sizes[view.split], [score for one in found for score in one.arm.scores]),
        min_effect=request.min_effect or 0.0,
        test_over_train=share if splits_vary(first) else 0.0,
        is_open=is_open,
    )


def _target(order: Ranked, request: Request, notes: Notes) -> float | None:
    """What was asked for, else the median over seeds of the best validation value of the best recipe, less one standard
    deviation. None where nothing was followed that it could be a target of."""
    metric, higher = order.rule.view.metric, order.rule.view.higher
    records = [record for one in order.found for record in one.records]
    if any(record.curve(metric) is None for record in records):
        if request.target is not None:
            notes.warnings.append(f"no time to the target: these runs followed {records[0].metric}, not {metric}")
        return None
    if request.target is not None:
        return request.target
    return default_target(best_values(order), higher=higher)


def _baselines(order: Ranked, request: Request) -> list[str]:
    """The names of the recipes that the others are compared with: those of the baseline's folder, or the one named."""
    if request.baseline is None:
        return []
    of_folder = [one.name for one in order.found if one.recipe.of_baseline]
    return of_folder or [one.name for one in order.found if plain(one.name) == plain(request.baseline)]


def _seconds_compare(order: Ranked) -> bool:
    """Whether all were trained alone on one device (rule 10)."""
    records = [record for one in order.found for record in one.records]
    return all(record.alone for record in records) and len({record.device for record in records}) == 1


def _comparison(order: Ranked, request: Request, notes: Notes) -> Comparison:
    view, recipes = order.rule.view, [one.recipe for one in order.found]
    first = order.best.records[0]
    protocol = protocol_of(order.found, order.rule)
    baselines = _baselines(order, request)
    around = Surroundings(order, differing(recipes), baselines, has_seconds=_seconds_compare(order))
    return Comparison(
        problem=first.problem,
        data=data_of(first),
        examples=first.result.get("examples") or "examples",
        task=first.task,
        common=common(recipes),
        metric=view.metric,
        higher=view.higher,
        counts=counts_predictions(view.metric),
        split=view.split,
        weights=protocol.keep,
        n_split=first.sizes[view.split],
        standard_error=standard_error(order.best, view),
        guessing=first.guessing(view.metric, view.split),
        target=view.target,
        target_given=request.target is not None,
        recipes=tuple(result_of(one, around) for one in order.found),
        pairs=tuple(order.differences.values()),
        other_metrics=other_metrics(order),
        protocol=protocol,
        baseline=request.baseline if baselines else None,
        min_effect=request.min_effect,
        refused=notes.refused,
        warnings=(*notes.warnings, *budget_warnings(order.found, protocol)),
        folders=tuple(record.folder for recipe in recipes for record in recipe.records),
        time_pairs=time_differences(order, is_given=request.target is not None),
        left_out=tuple(notes.left_out),
        floor=order.rule.floor,
        test_over_train=order.rule.test_over_train,
    )


def _nobody_scored(view: View, notes: Notes) -> Fault:
    return Fault(
        what=f"no run has the {view.split} {view.metric} that a comparison needs",
        where="--metric",
        expected="a metric that the runs recorded",
        remedy=f"{notes.left_out[0].folder} {notes.left_out[0].reason}" if notes.left_out else None,
    )


def _no_baseline(request: Request, found: Sequence[Comparison]) -> Fault:
    if request.baseline_records:
        return Fault(
            what=f"no run of {request.baseline} is of the same problem",
            where="--baseline",
            expected="runs of the same data, target, split and metric",
        )
    there = [recipe.name for comparison in found for recipe in comparison.recipes]
    near = nearest(request.baseline, there)
    return Fault(
        what=f"no recipe is called {request.baseline!r}",
        where="--baseline",
        expected=f"one of {', '.join(dict.fromkeys(there))}; or a folder of runs",
        remedy=f"did you mean {near[0]}?" if near else None,
    )
