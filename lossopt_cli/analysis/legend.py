"""What stands below the table: the marks, the drawn intervals, and the columns that their heads do not explain."""

from collections.abc import Mapping, Sequence

from lossopt_cli.analysis import layout, wording
from lossopt_cli.analysis.columns import DIFFERENCE, behind, setting_columns
from lossopt_cli.analysis.comparison import Comparison, RecipeResult
from lossopt_cli.analysis.head import split_correction
from lossopt_cli.analysis.layout import Block
from lossopt_cli.analysis.marks import MEANT, mark_of
from lossopt_cli.analysis.scale import BELOW, BEYOND

TIMES = ("time_to_target_epochs", "time_to_target_steps")
KEYS = {
    "room": "lr room: the lowest learning rate that fails, over this one",
    "relapse": "relapse: how far the running mean of the loss climbs back, over the loss at the start",
    "best_of_k": "best of k trials: what so many of its trials, drawn at random, give on validation",
}


def legend(comparison: Comparison, recipes: Sequence[RecipeResult], told: Mapping[str, Block], width: int) -> list[str]:
    """Lines of at most `width` signs. recipes: the rows that are shown; told: the columns that are, by name."""
    marks = dict.fromkeys(mark_of(comparison, recipe) for recipe in recipes)
    said = [f"{mark} {MEANT[mark]}" for mark in marks if mark in MEANT]
    drawn = told[DIFFERENCE].cells if DIFFERENCE in told else ()
    beyond = [sign for sign in (BELOW, BEYOND) if any(sign in cell for cell in drawn)]
    said += [f"{' '.join(beyond)} beyond the scale"] if beyond else []
    parts = ["   ".join(said)] if said else []
    if drawn and any(ends is not None and ends[1] is not None for ends in map(behind, recipes)):
        parts.append(intervals(comparison))
    parts += [target(comparison)] if comparison.target is not None and any(name in told for name in TIMES) else []
    parts += [key for name, key in KEYS.items() if name in told]
    if any(recipe.lost for recipe in recipes):
        parts.append("a lost seed (diverged, or no better than guessing) counts with its score before training")
    settings = [column.head[1] for column in setting_columns(comparison) if column.name not in told]
    if settings:
        parts.append(f"the recipes also differ in {wording.listing(settings)}: a wider terminal shows how")
    hidden = len(comparison.recipes) - len(recipes)
    if hidden:
        parts.append(f"{wording.counted(hidden, 'recipe')} not shown; all {len(comparison.recipes)} are counted.")
    return [line for part in parts for line in layout.wrapped(part, width, "    ")]


def intervals(comparison: Comparison) -> str:
    """What the drawn intervals are of."""
    found = comparison.protocol
    each = wording.percent(1.0 - 0.05 / max(found.pairs, 1))
    sure = f"95 % for all {found.pairs} pairs together ({each} each)" if found.pairs > 1 else "95 %"
    over = "the split of the data, too" if found.splits_vary else "on one split of the data"
    over += "; " * bool(comparison.test_over_train) + split_correction(comparison)
    return f"├──●─┤ {sure}, paired by seed: initial weights and batch order vary, {over}"


def target(comparison: Comparison) -> str:
    """What the times are to, where that comes from, and whose they are."""
    source = "" if comparison.target_given else " (the median of the best recipe's best epochs, less one sd)"
    first = f"to {wording.target(comparison.target)}: when validation {comparison.metric} first reaches it{source}"
    return f"{first}; median, and how many seeds do"
