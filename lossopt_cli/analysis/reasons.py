"""Why nothing can be claimed of two recipes, or of any: refused, not tuned, too few common seeds."""

from lossopt_cli.analysis import wording
from lossopt_cli.analysis.comparison import Comparison, Difference
from lossopt_cli.analysis.statistics import LEAST_SEEDS


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


def why_none(comparison: Comparison) -> str | None:
    """Why rule 8 cannot be asked of any two: `no recipe is tuned`; None where it can be of some."""
    if comparison.judged:
        return None
    if comparison.refused is not None:
        return comparison.refused.rstrip(".")
    if len(comparison.recipes) < 2:
        return "there is one recipe"
    tuned = [recipe.name for recipe in comparison.recipes if recipe.edge is None]
    if len(tuned) < 2:
        return f"only {tuned[0]} is tuned" if tuned else "no recipe is tuned"
    return f"no two recipes have {LEAST_SEEDS} seeds in common"
