"""The recipes held to a baseline: who is claimed to be worse, and of whom nothing can be claimed, with the reason."""

from lossopt_cli.analysis import wording
from lossopt_cli.analysis.comparison import Comparison, Difference, RecipeResult
from lossopt_cli.analysis.statistics import LEAST_SEEDS


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


def why_not(comparison: Comparison, pair: Difference) -> str | None:
    """Why rule 8 cannot be asked of the two: `adam is not tuned`, `2 seeds in common, 4 are needed`; None where it
    can."""
    if pair.claimable:
        return None
    if comparison.refused is not None:
        return comparison.refused.rstrip(".")
    untuned = [name for name in (pair.a, pair.b) if comparison.named(name).edge is not None]
    if untuned:
        return f"{wording.listing(untuned)} {wording.is_or_are(untuned)} not tuned"
    return f"{wording.counted(pair.n, 'seed')} in common, {LEAST_SEEDS} are needed"


def _is_worse(recipe: RecipeResult) -> bool:
    pair = recipe.difference_to_baseline
    return pair is not None and pair.different and (pair.value < 0.0) == (pair.a == recipe.name)
