"""What a comparison says, in at most seven sentences of plain English, each only where it has something to say."""

from collections.abc import Callable, Sequence

from lossopt_cli.analysis import baselines, wording
from lossopt_cli.analysis.case import OPEN, Case
from lossopt_cli.analysis.columns import behind, span_of
from lossopt_cli.analysis.comparison import Comparison, RecipeResult, Sentence
from lossopt_cli.analysis.findings import (
    faster,
    lost,
    oscillating,
    other_metrics,
    room,
    untuned,
    without_tuning,
)
from lossopt_cli.analysis.layout import wrapped
from lossopt_cli.analysis.reasons import why_not
from lossopt_cli.analysis.statistics import LEAST_SEEDS

MOST = 7
SEEDS = 8  # what a sweep is told where it is not known how many would do
BULLET, INDENT = "  - ", "    "


def verdict(comparison: Comparison, folder: str | None) -> list[Sentence]:
    """The sentences in their order; folder: as one types it, None where no sweep can add to it.

    Beyond MOST the ones that are least needed are left out: of what has no consequence first."""
    case = Case(comparison, folder)
    if comparison.refused is not None:
        return [Sentence("ranking", (), f"No ranking: {comparison.refused.rstrip('.')}.")]
    if len(comparison.recipes) == 1:
        return [found for found in (_alone(case), untuned(case), lost(case)) if found is not None]
    found = {say: sentence for say in ORDER if (sentence := say(case)) is not None}
    for say in LEAST_NEEDED:
        if len(found) > MOST:
            found.pop(say, None)
    return list(found.values())


def text(sentences: Sequence[Sentence], width: int) -> str:
    """The first as a paragraph, the others as a list; a command stands in the same line where there is room."""
    lines: list[str] = []
    for place, sentence in enumerate(sentences):
        first, indent = (BULLET, INDENT) if place else ("", "")
        told = wrapped(sentence.text, width, indent, first)
        if sentence.command is not None:
            last = f"{told[-1]}  {sentence.command}"
            told = [*told[:-1], last] if len(last) <= width else [*told, INDENT + sentence.command]
        lines += told
    return "\n".join(lines)


def _alone(case: Case) -> Sentence:
    recipe = case.comparison.recipes[0]
    over = f"over {wording.counted(recipe.n, 'seed')}" if recipe.n > 1 else "with one seed"
    mean = recipe.mean
    examples, error = case.comparison.examples, case.comparison.standard_error
    sure, other = (recipe.sample, f"on other {examples}") if recipe.sample else (mean, "with other seeds")
    between = "" if sure.low is None else f" ({span_of(case.comparison, sure)} {other})"
    scores = f"{case.label(recipe)} scores {case.value(mean.value)} {over}{between}"
    if recipe.n > 1 and error is not None:
        scores += f"; on other {examples} one run's standard error is {case.value(error)}"
    said = f"One recipe, so nothing to compare: {scores}."
    return Sentence("ranking", (recipe.name,), said, case.sweep("--opt", "sgd,momentum,rmsprop,adam", "--lr", "auto"))


def ranking(case: Case) -> Sentence:
    """Who is best, who may be as good, who is worse; or why that cannot be said."""
    if case.comparison.judged and len(case.recipes) > 1:
        said, command = _ranked(case), None
    elif max(recipe.n for recipe in case.comparison.recipes) == 1:
        said, command = _one_seed(case)
    elif len(case.recipes) > 1:
        said, command = _few_seeds(case)
    elif case.recipes:
        said, command = f"No ranking: only {case.label(case.recipes[0])} can be judged.", None
    else:
        said, command = "No ranking: none of the recipes can be judged.", None
    return Sentence("ranking", case.names(case.recipes), said, command)


def _ranked(case: Case) -> str:
    unclaimed = case.standing(OPEN)
    tied = [r for r in case.others if r.standing == "tied"]
    worse = [r for r in case.others if r.standing == "worse"]
    said = _with_worse(case, tied, worse) if worse else _tie(case, tied)
    equal = [r for r in tied if r.difference_to_best.equal]
    if equal and len(tied) + len(worse) > 1:
        who = f"{wording.listing(case.labels(equal))} {wording.is_or_are(equal)} equal to {case.label(case.best)}"
        said += f" {who} within {case.comparison.min_effect:g}."
    if case.one_rate_each:
        said += f" {_settings(case)}"
    if unclaimed:
        few = f"fewer than {wording.word(LEAST_SEEDS)} seeds in common with {case.label(case.best)}"
        said += f" Nothing can be said of {wording.listing(case.labels(unclaimed))}: {few}."
    return said


def _tie(case: Case, tied: Sequence[RecipeResult]) -> str:
    best = case.label(case.best)
    if len(tied) == 1:
        return _tie_of_two(case, tied[0])
    count = len(tied) + 1
    everyone = count == len(case.comparison.recipes)
    who = f"All {wording.word(count)}" if everyone else f"The {wording.word(count)} that can be judged"
    return f"{who} are a tie: what crosses 0 may be as good as {best}."


def _tie_of_two(case: Case, other: RecipeResult) -> str:
    """Why the two are not told apart: too near for the purpose, no difference seen, or one that chance may explain."""
    least, (ahead, low, high) = case.comparison.min_effect or 0.0, behind(other)
    best, name = case.label(case.best), case.label(other)
    by = f"{best} is ahead of {name} by {case.value(ahead)}"
    if other.difference_to_best.equal:
        return f"{best} and {name} are equal within {least:g}: {by} ({case.value(low)} to {case.value(high)})."
    if float(case.value(ahead)) == 0.0:
        return f"A tie: {_no_difference(case, other)}."
    if low > 0.0:
        return f"A tie: {by}, less than the {least:g} that was asked for."
    return f"A tie: {by}, no more than chance may do."


def _no_difference(case: Case, other: RecipeResult) -> str:
    """That the means agree is no sign that the recipes do."""
    _, low, high = behind(other)
    seen = f"no difference of {case.label(case.best)} and {case.label(other)} is seen"
    return seen if low is None else f"{seen}; it may be up to {case.value(max(-low, high))} either way"


def _with_worse(case: Case, tied: Sequence[RecipeResult], worse: Sequence[RecipeResult]) -> str:
    best, by = case.label(case.best), case.worse_by(worse)
    pairs = case.comparison.protocol.pairs
    sure = f"95 % for all {pairs} pairs together" if pairs > 1 else "95 %"
    if not tied and len(worse) == 1:
        _, low, high = behind(worse[0])
        return (
            f"{best} is better than {case.label(worse[0])} by {by} ({case.value(low)} to {case.value(high)}; {sure})."
        )
    if not tied:
        return f"{best} is best: {case.named(worse)} are worse, by {by} ({sure})."
    most = len(worse) > len(tied)
    few, many = (tied, worse) if most else (worse, tied)
    named = wording.listing(case.labels(few))
    others = case.label(many[0]) if len(many) == 1 else f"the other {wording.word(len(many))}"
    if most:
        return f"{best} is best on average. {named} may be as good; {others} are worse, by {by} ({sure})."
    verb = wording.is_or_are(worse)
    return f"{best} is best on average. Only {named} {verb} worse, by {by} ({sure}); {others} may be as good."


def _one_seed(case: Case) -> tuple[str, str | None]:
    said = "No ranking. One seed each: nothing can be said about chance."
    if not case.one_rate_each:
        return said, case.sweep("--seeds", SEEDS)
    return f"{said} {_settings(case)}", case.sweep("--lr", "auto", "--seeds", SEEDS)


def _few_seeds(case: Case) -> tuple[str, str | None]:
    second = case.by_mean(case.others)[0]
    pair = second.difference_to_best
    common = "" if pair.n == min(case.best.n, second.n) else " in common"
    said = f"{wording.capital(wording.counted(pair.n, 'seed'))}{common}: too few to tell chance from effect."
    ahead = case.value(behind(second)[0])
    best, other = case.label(case.best), case.label(second)
    if float(ahead) == 0.0:
        return f"{said} {wording.capital(_no_difference(case, second))}.", case.sweep("--seeds", SEEDS)
    said += f" {best} is ahead of {other} by {ahead}"
    if pair.seeds_needed is None:
        return f"{said}.", case.sweep("--seeds", SEEDS)
    said += f"; with the spread seen, about {pair.seeds_needed:,} seeds would tell."
    return said, case.sweep("--seeds", pair.seeds_needed)


def _settings(case: Case) -> str:
    """That recipes with one rate each are settings."""
    recipes = case.comparison.recipes
    count = wording.word(len(recipes))
    default = all(r.default_rate is not None and r.learning_rate == r.default_rate for r in recipes)
    losses, optimizers = ({getattr(r, part) for r in recipes} for part in ("loss", "optimizer"))
    things = "optimizers" if len(losses) == 1 else "losses" if len(optimizers) == 1 else "recipes"
    said = "One learning rate each, the default" if default else "One learning rate each"
    return f"{said}: this compares {count} settings, not {count} {things}."


def baseline(case: Case) -> Sentence | None:
    """Who is better and who is worse than the baseline, and of whom that cannot be said."""
    bases = [recipe for recipe in case.comparison.recipes if recipe.is_baseline]
    found: dict[str, list[RecipeResult]] = {"better": [], "worse": [], "equal": [], "open": []}
    unsaid = []
    for recipe in baselines.held(case.comparison):
        pair = recipe.difference_to_baseline
        if pair is None:
            continue
        why = why_not(case.comparison, pair)
        if why is not None:
            unsaid.append(f"nothing can be said of {case.label(recipe)} ({why})")
        else:
            found[_against(recipe)].append(recipe)
    within = f"{case.comparison.min_effect or 0.0:g}"
    verbs = {
        "better": ("is better", "are better"),
        "worse": ("is worse", "are worse"),
        "equal": (f"is equal within {within}", f"are equal within {within}"),
        "open": ("may be as good", "may be as good"),
    }
    said = [f"{wording.listing(case.labels(of))} {verbs[kind][len(of) > 1]}" for kind, of in found.items() if of]
    said += unsaid
    if not said:
        return None
    named = f", {case.label(bases[0])}" if len(bases) == 1 else ""
    return Sentence("ranking", case.names(bases), f"against the baseline{named}: {'; '.join(said)}.")


def _against(recipe: RecipeResult) -> str:
    """better, worse, equal or open, by what is claimed."""
    pair = recipe.difference_to_baseline
    if pair.equal:
        return "equal"
    if not pair.different:
        return "open"
    return "better" if (pair.value > 0.0) == (pair.a == recipe.name) else "worse"


def small(case: Case) -> Sentence | None:
    """That a claimed difference is smaller than what other test examples may change (rule 9)."""
    error, comparison = case.comparison.standard_error, case.comparison
    if not comparison.judged or error is None:
        return None
    found = [recipe for recipe in case.others if recipe.standing == "worse" and behind(recipe)[0] < error]
    if not found:
        return None
    on = f"on these {comparison.n_split:,} {comparison.examples}"
    said = (
        f"that {wording.listing(case.labels(found))} {wording.is_or_are(found)} worse holds {on}: "
        f"others may move a score by {case.value(error)} (its standard error)."
    )
    return Sentence("note", case.names(found), said)


def take(case: Case) -> Sentence | None:
    """The best on average, and what would settle the rest."""
    if case.best is None or not case.comparison.judged or len(case.recipes) < 2:
        return None
    said = f"take {case.best.name}" + (
        f", lr {wording.rate(case.best.learning_rate)}" if case.best.learning_rate else ""
    )
    tied = case.by_mean([recipe for recipe in case.others if recipe.standing == "tied"])
    if not tied:
        return Sentence("take", (case.best.name,), f"{said}.")
    tied = [recipe for recipe in tied if not recipe.difference_to_best.equal]
    if not tied:
        return Sentence("take", (case.best.name,), f"{said} (equal within {case.comparison.min_effect:g}).")
    needed = tied[0].difference_to_best.seeds_needed
    if needed is None:
        return Sentence("take", (case.best.name,), f"{said} (tied).")
    said += f" (tied); {case.label(tied[0])} against {case.label(case.best)} would need about {needed:,} seeds."
    return Sentence("take", (case.best.name, tied[0].name), said, case.sweep("--seeds", needed))


ORDER: tuple[Callable[[Case], Sentence | None], ...] = (
    ranking, baseline, small, untuned, lost, other_metrics, faster, oscillating, room, without_tuning, take,
)  # fmt: skip
LEAST_NEEDED = (room, oscillating, without_tuning, small, faster)
