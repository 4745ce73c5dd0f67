"""Several problems at once: which there are, and which recipe does well on all of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lossopt_cli.analysis import layout, wording
from lossopt_cli.analysis.columns import metric_places
from lossopt_cli.analysis.comparison import Comparison, RecipeResult
from lossopt_cli.analysis.convergence import R_MAX, profile_score
from lossopt_cli.analysis.marks import MEANT, mark_of
from lossopt_cli.analysis.problems import ProblemRuns
from lossopt_cli.analysis.reasons import why_none
from lossopt_cli.analysis.tables import MARK, View

BEST_OR_TIED = ("best", "tied")
SCORE = (
    "profile score: 1 where a recipe reaches the target first on every problem, 0 where it takes "
    f"{R_MAX:g} times as long as the first or misses it"
)


@dataclass(frozen=True)
class Across:
    """A recipe over the problems: its result in each, None where it was not run. good: on how many it is best or tied;
    score: area under its performance profile up to R_MAX, None where no problem has a target."""

    name: str
    results: tuple[RecipeResult | None, ...]
    good: int
    score: float | None


def listing(groups: Sequence[ProblemRuns], folder: str, shown: int) -> list[str]:
    """`logs holds 3 problems; showing the newest` and a line for each."""
    which = "the newest" if shown == 0 else f"number {shown + 1}"
    lines = [f"{folder} holds {len(groups)} problems; showing {which}. Others: --problem N, --problem all"]
    labels = max(len(group.label) for group in groups)
    for number, group in enumerate(groups, start=1):
        recipes, runs = wording.counted(group.recipes, "recipe"), wording.counted(len(group.records), "run")
        line = f"  {number}  {group.label:<{labels}}  {recipes:>10} {runs:>9}    {group.differs or ''}"
        lines.append(line.rstrip())
    return lines


def across(comparisons: Sequence[Comparison]) -> list[Across]:
    """Every recipe of any problem, those that are best or tied on most of them first."""
    tables = [{_key(recipe): recipe for recipe in comparison.recipes} for comparison in comparisons]
    keys = list(dict.fromkeys(key for table in tables for key in table))
    results = [tuple(table.get(key) for table in tables) for key in keys]
    scores = _scores(comparisons, results)
    found = [
        Across(
            _name(key, keys),
            recipes,
            sum(r is not None and _is_good(r, c) for r, c in zip(recipes, comparisons, strict=True)),
            score,
        )
        for key, recipes, score in zip(keys, results, scores, strict=True)
    ]
    return sorted(found, key=lambda one: (-one.good, -(one.score or 0.0), one.name))


def table(comparisons: Sequence[Comparison], view: View) -> str:
    """A row a recipe, a column a problem: its mean and its mark; then how often it is best or tied, and its profile."""
    rows = across(comparisons)[: view.top]
    blocks = [layout.block("recipe", ("", "recipe"), [row.name for row in rows], left=True, wanted=1)]
    for place, comparison in enumerate(comparisons):
        cells = [_cell(comparison, row.results[place]) for row in rows]
        head = (f"{place + 1} {comparison.data}", f"{comparison.split} {comparison.metric}")
        blocks.append(layout.block(f"problem {place + 1}", head, cells, left=False, wanted=1))
    counts = [f"{row.good} of {sum(result is not None for result in row.results)}" for row in rows]
    blocks.append(layout.block("good", ("best", "or tied"), counts, left=False, wanted=1))
    if any(row.score is not None for row in rows):
        scores = ["" if row.score is None else f"{row.score:.2f}" for row in rows]
        blocks.append(layout.block("score", ("profile", "score"), scores, left=False, wanted=1))
    blocks[0] = layout.narrowed(blocks[0], max(16, view.width // 3))
    lines = []
    for part in layout.split(blocks, view.width - MARK):
        lines += [view.style(" " * MARK + line, "dim") for line in layout.head(part)]
        lines += [" " * MARK + line for place in range(len(rows)) for line in layout.lines(part, place)] + [""]
    marks = dict.fromkeys(
        mark_of(comparison, result)
        for row in rows
        for comparison, result in zip(comparisons, row.results, strict=True)
        if result is not None
    )
    parts = ["   ".join(f"{mark} {MEANT[mark]}" for mark in marks if mark in MEANT), SCORE]
    legend = [view.style(line, "dim") for part in parts for line in layout.wrapped(part, view.width, " " * MARK)]
    return "\n".join([*lines, *legend])


def verdict(comparisons: Sequence[Comparison]) -> str:
    """Who is best or tied most often."""
    rows = across(comparisons)
    best = [row.name for row in rows if row.good == rows[0].good]
    problems = wording.counted(len(comparisons), "problem")
    if not rows[0].good:
        return f"No recipe is best or tied on any of {problems}: {'; '.join(_reasons(comparisons))}."
    each = " each" if len(best) > 1 else ""
    verb = wording.is_or_are(best)
    return f"{wording.listing(best)} {verb} best or tied on {rows[0].good} of {problems}{each}."


def _reasons(comparisons: Sequence[Comparison]) -> list[str]:
    """Why nothing can be said, once where it is the same for all problems."""
    found = {comparison.data: why_none(comparison) for comparison in comparisons}
    reasons = list(dict.fromkeys(reason for reason in found.values() if reason))
    return reasons if len(reasons) == 1 else [f"{reason} on {data}" for data, reason in found.items() if reason]


def _key(recipe: RecipeResult) -> tuple[str, str, str | None]:
    return recipe.loss, recipe.optimizer, recipe.schedule


def _name(key: tuple[str, str, str | None], keys: Sequence[tuple[str, str, str | None]]) -> str:
    """What differs between the recipes of all problems."""
    parts = [part for place, part in enumerate(key) if part and len({other[place] for other in keys}) > 1]
    return " + ".join(parts) or key[1]


def _is_good(recipe: RecipeResult, comparison: Comparison) -> bool:
    return comparison.judged and recipe.standing in BEST_OR_TIED


def _cell(comparison: Comparison, recipe: RecipeResult | None) -> str:
    if recipe is None:
        return "-  "
    mark = mark_of(comparison, recipe)
    return f"{wording.fixed(recipe.mean.value, metric_places(comparison))} {mark}"


def times_of(comparisons: Sequence[Comparison], results: Sequence[Sequence[RecipeResult | None]]) -> list[list[float]]:
    """Epochs to the target, a row for each recipe, a column for each problem that has a target."""
    timed = [place for place, comparison in enumerate(comparisons) if comparison.target is not None]
    return [[_time(recipes[place]) for place in timed] for recipes in results]


def _scores(comparisons: Sequence[Comparison], results: Sequence[Sequence[RecipeResult | None]]) -> list[float | None]:
    times = times_of(comparisons, results)
    return profile_score(times).tolist() if times and times[0] else [None] * len(results)


def _time(recipe: RecipeResult | None) -> float:
    """A recipe that was not run never arrives. One that is not tuned has its time: it is not judged, but measured."""
    if recipe is None or recipe.time_to_target_epochs is None:
        return math.inf
    return recipe.time_to_target_epochs
