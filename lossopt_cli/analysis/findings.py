"""What a comparison says beside the ranking: not tuned, lost, other metrics, speed, oscillation, how much a recipe
forgives."""

import math
from collections.abc import Sequence

from lossopt_cli.analysis import wording
from lossopt_cli.analysis.case import Case
from lossopt_cli.analysis.columns import badness, highest_rate_tried
from lossopt_cli.analysis.comparison import OtherMetric, RecipeResult, Sentence
from lossopt_cli.analysis.convergence import OSCILLATES_ABOVE

NEAR = 0.05  # of the way from guessing to the best: as good without tuning
MORE_ROOM = 2.0  # times as much is worth a sentence
PLACES = {
    "highest": "the highest rate tried",
    "lowest": "the lowest rate tried",
    "stability": "next to the stability limit (the next rate fails)",
}


def untuned(case: Case) -> Sentence | None:
    """Whose best rate is at the end of its grid, and the command that extends the grid."""
    found = case.standing("not_tuned")
    if not found:
        return None
    rates = {wording.rate(recipe.learning_rate) for recipe in found}
    edges = [edge for edge in dict.fromkeys(recipe.edge for recipe in found) if edge is not None]
    where = " or ".join(PLACES[edge] for edge in edges) or "the end of its rates"
    if len(rates) == 1:
        where = f"at {rates.pop()}, {where}"
    elif edges[:1] != ["stability"]:
        where = f"at {where}"
    if len(found) == 1:
        said = f"{case.label(found[0])} is not tuned, so not judged: it is best {where}."
    else:
        many = wording.capital(wording.word(len(found)))
        who = wording.listing(case.labels(found)) if len(found) <= 3 else f"{many} recipes"
        said = f"{who} are not tuned, so not judged: they are best {where}."
    return Sentence("not_tuned", case.names(found), said, case.sweep("--extend"))


def lost(case: Case) -> Sentence | None:
    """Who lost most of its seeds, and who lost some."""
    gone = case.standing("lost")
    some = [recipe for recipe in case.comparison.recipes if recipe.lost and recipe.standing != "lost"]
    said = []
    if gone:
        counts = wording.listing([f"{case.label(r)} in {r.lost} of {wording.counted(r.n, 'seed')}" for r in gone])
        said.append(f"lost (diverged, or no better than guessing): {counts}.")
    if some:
        counts = wording.listing([f"{case.label(r)} lost {r.lost} of {wording.counted(r.n, 'seed')}" for r in some])
        said.append(f"{counts}.")
    if not said:
        return None
    command = case.sweep("--lr", "auto") if gone and case.one_rate_each else None
    return Sentence("lost", case.names([*gone, *some]), " ".join(said), command)


def other_metrics(case: Case) -> Sentence | None:
    """Whether another recorded metric would rank otherwise."""
    found = [other for other in case.comparison.other_metrics if other.changes]
    if not found or case.best is None or not case.comparison.judged:
        return None
    told = {_by(case, other): [] for other in found}
    for other in found:
        told[_by(case, other)].append(other.metric)
    said, metrics = next(iter(told.items()))
    said = f"by {wording.listing(metrics)} {said}"
    if not case.one_rate_each:  # `-m` would choose other rates, so perhaps say another thing
        return Sentence("other_metric", tuple(found[0].order), f"{said}, at these learning rates.")
    command = None if case.folder is None else f"lossopt compare {case.folder} -m {metrics[0]}"
    return Sentence("other_metric", tuple(found[0].order), f"{said}.", command)


def _by(case: Case, other: OtherMetric) -> str:
    best, *worse = (case.label(case.comparison.named(name)) for name in (other.best, *other.worse))
    said = [f"{best} is best, not {case.label(case.best)}"] if other.best != case.best.name else []
    before = {recipe.name for recipe in case.standing("worse")}
    if set(other.worse) != before or not said:
        who = f"{wording.listing(worse)} {wording.is_or_are(worse)} worse than {best}" if worse else "no one is worse"
        said.append(who)
    return ", and ".join(said)


def faster(case: Case) -> Sentence | None:
    """Who reaches the target sooner than whom, by rule 8 on the logarithm of the time."""
    comparison = case.comparison
    timed = [recipe for recipe in case.recipes if recipe.time_to_target_epochs is not None]
    if comparison.protocol.report_seeds[1] == 1:
        return _first_in_one_seed(case, timed)
    if not comparison.judged or len(timed) < 2 or comparison.target is None:
        return None
    timed.sort(key=lambda recipe: recipe.time_to_target_epochs)
    first, *rest = timed
    slower = [recipe for recipe in rest if _is_slower(case, recipe, first)]
    target = f"{comparison.target:.3g}"
    if not slower:
        if any(math.isinf(recipe.time_to_target_epochs) for recipe in timed):
            return _some_arrive(case, timed, target)
        span = wording.span([wording.count(recipe.time_to_target_epochs) for recipe in timed])
        said = f"no one is faster for sure: {target} is reached in {_epochs(span)}."
        return Sentence("faster", (), said)
    reached = _epochs(wording.count(first.time_to_target_epochs))
    said = f"faster: {case.label(first)} reaches {target} in {reached}, {_later(case, slower)}."
    return Sentence("faster", (first.name, *case.names(slower)), said)


def _some_arrive(case: Case, timed: Sequence[RecipeResult], target: str) -> Sentence | None:
    """In how many seeds who reaches the target, where that is too little to call one faster; None where no one does."""
    there = [recipe for recipe in timed if recipe.reached]
    if not there:
        return None
    counts = [f"{case.label(recipe)} in {recipe.reached} of {wording.counted(recipe.n, 'seed')}" for recipe in there]
    rest = ", by no other in any" if len(there) < len(timed) else ""
    said = f"no one is faster for sure: {target} is reached by {wording.listing(counts)}{rest}; --target sets another."
    return Sentence("faster", case.names(there), said)


def _first_in_one_seed(case: Case, timed: Sequence[RecipeResult]) -> Sentence | None:
    """Who got there first, in the only seed that there is; None where all or none did."""
    best = min((recipe.time_to_target_epochs for recipe in timed), default=math.inf)
    first = [recipe for recipe in timed if recipe.time_to_target_epochs == best]
    if math.isinf(best) or len(first) == len(timed):
        return None
    who, epoch = wording.listing(case.labels(first)), wording.count(best)
    said = f"in this one seed {who} got to {case.comparison.target:.3g} first (epoch {epoch}); another may differ."
    return Sentence("faster", case.names(first), said)


def _is_slower(case: Case, recipe: RecipeResult, first: RecipeResult) -> bool:
    """Whether rule 8 says so, of the logarithms of their times."""
    pair = next((pair for pair in case.comparison.time_pairs if {pair.a, pair.b} == {recipe.name, first.name}), None)
    return pair is not None and pair.different and (pair.value > 0.0) == (pair.a == first.name)


def _later(case: Case, recipes: Sequence[RecipeResult]) -> str:
    """`momentum in 5, sgd in only 4 of 8 seeds and lion never`."""
    arrive = [recipe for recipe in recipes if math.isfinite(recipe.time_to_target_epochs)]
    at_times = [recipe for recipe in recipes if recipe not in arrive and recipe.reached]
    never = [recipe for recipe in recipes if recipe not in arrive and not recipe.reached]
    times = [wording.count(time) for time in sorted(recipe.time_to_target_epochs for recipe in arrive)]
    said = [f"{case.named(arrive)} in {wording.span(times)}"] if arrive else []
    said += [f"{case.label(r)} in only {r.reached} of {wording.counted(r.n, 'seed')}" for r in at_times]
    said += [f"{case.named(never)} never"] if never else []
    return wording.listing(said, most=len(said)) if len(said) < 3 else "; ".join(said)


def _epochs(span: str) -> str:
    return f"{span} epoch" if span == "1" else f"{span} epochs"


def oscillating(case: Case) -> Sentence | None:
    """Whose loss climbs back; or that no one's does."""
    known = [recipe for recipe in case.comparison.recipes if recipe.oscillates is not None]
    wild = [recipe for recipe in known if recipe.oscillates]
    calm = [recipe for recipe in known if not recipe.oscillates]
    if not wild:
        return _calm(case, known)
    who = "the others" if len(calm) > 1 else "".join(case.labels(calm))
    others = f"; {who} by {_relapses(calm)}" if calm else ""
    if len(wild) == 1:
        one = wild[0]
        worst = f" ({wording.percent(one.worst_relapse)} in the worst seed)" if one.n > 1 and one.worst_relapse else ""
        at = "" if case.one_rate_each or one.learning_rate is None else f" at {wording.rate(one.learning_rate)}"
        back = f"its loss climbs back by {wording.percent(one.relapse)} of its start{worst}"
        said = f"{case.label(one)} oscillates{at}: {back}{others}."
    else:
        back = f"their losses climb back by {_relapses(wild)} of their start"
        said = f"{wording.listing(case.labels(wild))} oscillate: {back}{others}."
    return Sentence("oscillates", case.names(wild), said)


def _calm(case: Case, known: Sequence[RecipeResult]) -> Sentence | None:
    """That none does as a rule, and how far the worst seed of all went where that is farther than a calm one goes."""
    if len(known) < 2 or not case.comparison.judged:
        return None
    most = max(recipe.relapse for recipe in known)
    wildest = max(known, key=lambda recipe: recipe.worst_relapse or recipe.relapse)
    worst = wildest.worst_relapse or wildest.relapse
    if worst <= OSCILLATES_ABOVE:
        said = f"none oscillates: a training loss climbs back by at most {wording.percent(worst)} of its start."
    else:
        said = (
            f"none oscillates as a rule: a training loss climbs back by at most {wording.percent(most)} of its start, "
            f"but by {wording.percent(worst)} in the worst seed of {case.label(wildest)}."
        )
    return Sentence("oscillates", (), said)


def _relapses(recipes: Sequence[RecipeResult]) -> str:
    shown = [f"{100.0 * relapse:.0f}" for relapse in sorted(recipe.relapse for recipe in recipes)]
    return f"{wording.span(shown)} %"


def room(case: Case) -> Sentence | None:
    """Who has least room above its rate, where others have more."""
    known = [recipe for recipe in case.recipes if recipe.room is not None]
    if not known or len(case.recipes) < 2:
        return None
    least = min(recipe.room for recipe in known)
    tight = [recipe for recipe in known if recipe.room <= 1.01 * least]
    wide = [recipe for recipe in case.recipes if recipe not in tight and _room(recipe) >= MORE_ROOM * least]
    if not wide or len(tight) + len(wide) < len(case.recipes):
        return None
    verb, rate = ("forgives", "its rate") if len(tight) == 1 else ("forgive", "their rates")
    most = max(wide, key=_room)
    more = wording.times(_room(most)) if most.room is not None else f"more than {wording.times(_room(most))}"
    said = (
        f"{wording.listing(case.labels(tight))} {verb} least: {wording.times(least)} from {rate} to the first that "
        f"fails; {case.label(most)} most: {more}."
    )
    return Sentence("forgiving", case.names([*tight, most]), said)


def _room(recipe: RecipeResult) -> float:
    """The room, or at least how far rates were tried."""
    highest = highest_rate_tried(recipe)
    if recipe.room is not None:
        return recipe.room
    return highest / recipe.learning_rate if highest and recipe.learning_rate else 1.0


def without_tuning(case: Case) -> Sentence | None:
    """Who comes near its best at its default rate, where someone does not."""
    known = [recipe for recipe in case.recipes if recipe.at_default is not None]
    near = [recipe for recipe in known if _is_near(case, recipe)]
    far = [recipe for recipe in known if recipe not in near]
    if case.one_rate_each or len(known) < 2 or not far or not case.comparison.judged:
        return None
    if len(near) > len(far):
        who, verb = wording.listing(case.labels(far)), "stays" if len(far) == 1 else "stay"
        short = "; ".join(f"{case.value(r.at_default)}, tuned {case.value(r.mean.value)}" for r in far)
        return Sentence("forgiving", case.names(far), f"without tuning {who} {verb} far from the best ({short}).")
    worst = max(far, key=lambda recipe: badness(case.comparison, recipe.at_default))
    if not near:
        said = f"without tuning none comes near its best ({_at_defaults(case, known)})."
    else:
        verb, its = ("comes", "its") if len(near) == 1 else ("come", "their")
        who, values = wording.listing(case.labels(near)), _at_defaults(case, near)
        said = f"without tuning only {who} {verb} near {its} best ({values}; but {_at_defaults(case, [worst])})."
    return Sentence("forgiving", case.names([*near, worst]), said)


def _at_defaults(case: Case, recipes: Sequence[RecipeResult]) -> str:
    return wording.listing([f"{case.label(recipe)} {case.value(recipe.at_default)}" for recipe in recipes])


def _is_near(case: Case, recipe: RecipeResult) -> bool:
    start = 0.0 if case.comparison.guessing is None else case.comparison.guessing
    away = badness(case.comparison, recipe.at_default) - badness(case.comparison, recipe.mean.value)
    return away <= NEAR * abs(recipe.mean.value - start)
