"""The recipes held to a baseline: who is claimed to be worse, and of whom nothing can be claimed, with the reason."""

from lossopt_cli.analysis.comparison import Comparison, RecipeResult
from lossopt_cli.analysis.reasons import why_not


def held(comparison: Comparison) -> list[RecipeResult]:
    """The recipes that are not the baseline; all of them where there is none."""
    return [recipe for recipe in comparison.recipes if not recipe.is_baseline]


def worse(comparison: Comparison) -> list[RecipeResult]:
    """Those whose difference to the baseline is claimed, and not to their favour."""
    return [recipe for recipe in held(comparison) if _is_worse(recipe)]


def undecided(comparison: Comparison) -> dict[str, str]:
    """Why nothing can be claimed of a recipe and its baseline, by the recipe's name; empty where all can be decided."""
    found = {recipe.name: recipe.difference_to_baseline for recipe in held(comparison)}
    reasons = {name: why_not(comparison, pair) for name, pair in found.items() if pair is not None}
    return {name: reason for name, reason in reasons.items() if reason is not None}


def _is_worse(recipe: RecipeResult) -> bool:
    pair = recipe.difference_to_baseline
    return pair is not None and pair.different and (pair.value < 0.0) == (pair.a == recipe.name)
