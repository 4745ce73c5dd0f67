"""What `lossopt compare --fail-if` may name, and what it was."""

from collections.abc import Mapping, Sequence

from lossopt_cli.analysis.comparison import Comparison, RecipeResult

WORSE = "worse"


def values(comparison: Comparison) -> Mapping[str, float | None]:
    """Numbers by name: the metric and `worst` are of the best recipe, the others count; `worse` is 1 where a recipe is
    worse than the baseline by rule 8, None without a baseline."""
    recipes = comparison.recipes
    best = _best(recipes)
    base = next((recipe for recipe in recipes if recipe.is_baseline), None)
    return {
        comparison.metric: best.mean.value if best else None,
        "worst": best.worst if best else None,
        "recipes": len(recipes),
        "seeds": comparison.protocol.report_seeds[0],
        "lost": sum(recipe.lost for recipe in recipes),
        "not_tuned": sum(recipe.standing == "not_tuned" for recipe in recipes),
        "tied": sum(recipe.standing in ("best", "tied") for recipe in recipes) if comparison.judged else 0,
        "baseline": base.mean.value if base else None,
        WORSE: float(bool(worse_than_baseline(comparison))) if base else None,
    }


def worse_than_baseline(comparison: Comparison) -> list[str]:
    """The recipes whose difference to the baseline is claimed, and not to their favour."""
    found = []
    for recipe in comparison.recipes:
        pair = recipe.difference_to_baseline
        if pair is not None and pair.different and (pair.value < 0.0) == (pair.a == recipe.name):
            found.append(comparison.label(recipe))
    return found


def observed(comparison: Comparison, names: Sequence[str]) -> str:
    """`accuracy is 0.95, worse: sgd`."""
    told = {}
    known = values(comparison)
    for name in names:
        if name == WORSE:
            told[name] = f"worse than the baseline: {', '.join(worse_than_baseline(comparison)) or 'none'}"
        else:
            told[name] = f"{name} is {'unknown' if known[name] is None else format(known[name], '.4g')}"
    return ", ".join(told.values())


def _best(recipes: Sequence[RecipeResult]) -> RecipeResult | None:
    """The best that can be judged, else the best on average that is not lost."""
    judged = [recipe for recipe in recipes if recipe.standing in ("best", "tied", "worse")]
    return next(iter(judged or [recipe for recipe in recipes if recipe.standing != "lost"]), None)
