"""The metric of each loss with each optimizer, at the chosen learning rates."""

import statistics
from collections.abc import Sequence

import numpy as np

from lossopt_cli.analysis import wording
from lossopt_cli.analysis.columns import metric_places
from lossopt_cli.analysis.comparison import Comparison, RecipeResult
from lossopt_cli.analysis.figures.picture import Grid, Limits
from lossopt_cli.analysis.figures.selection import Selection, counted
from lossopt_cli.analysis.statistics import LEAST_SEEDS
from lossopt_cli.errors import Fault, UsageError

SAID = {"best": "best", "tied": "tied", "worse": "", "open": "too few seeds", "not_tuned": "not tuned", "lost": ""}
MOST = 144  # cells that can be read


def heatmap(selection: Selection) -> Grid:
    """Losses down, optimizers across. A recipe whose seeds were mostly lost has no colour; the best has a frame, and
    those that may be as good. UsageError for one loss with one optimizer."""
    comparison = selection.comparison
    cells = {(recipe.loss, across(recipe)): recipe for recipe in selection.recipes}
    rows = tuple(dict.fromkeys(recipe.loss for recipe in selection.recipes))
    columns = tuple(dict.fromkeys(across(recipe) for recipe in selection.recipes))
    if len(cells) < 2:
        raise UsageError(
            Fault(
                "one loss with one optimizer: a heatmap needs several",
                "--kind heatmap",
                "runs of several losses or optimizers",
                selection.runs.sweep("--opt sgd,adam --lr auto"),
            )
        )
    values = np.full((len(rows), len(columns)), np.nan)
    texts = [["" for _ in columns] for _ in rows]
    for (loss, optimizer), recipe in cells.items():
        row, column = rows.index(loss), columns.index(optimizer)
        texts[row][column] = _text(comparison, recipe)
        if recipe.standing != "lost":
            values[row, column] = recipe.mean.value
    seeds = counted([recipe.n for recipe in selection.recipes], "seed")
    limits, chance = colour_limits(comparison, [r for r in selection.recipes if r.standing != "lost"])
    framed = [place for place, recipe in cells.items() if _standing(comparison, recipe) in ("best", "tied")]
    told = "framed: the best, and what may be as good" if framed else "too few seeds to say which may be as good"
    return Grid(
        wording.capital(f"{comparison.split} {comparison.metric} by loss and optimizer"),
        selection.caption(
            f"mean of {seeds}, each recipe at its own learning rate; no band: see --kind differences",
            "; ".join(filter(None, [told, chance])),
        ),
        rows,
        columns,
        "loss",
        "optimizer",
        values,
        tuple(map(tuple, texts)),
        f"{comparison.split} {comparison.metric}",
        "light_is_much" if comparison.higher else "light_is_little",
        limits,
        tuple((rows.index(loss), columns.index(optimizer)) for loss, optimizer in framed),
    )


def colour_limits(comparison: Comparison, recipes: Sequence[RecipeResult]) -> tuple[Limits | None, str]:
    """From the best mean to the worst, but at least over what chance does, so that it is not painted as a difference:
    the median width of the means' intervals, with fewer than four seeds 4 standard errors of one run's metric; and the
    words for that, where it decides."""
    if not recipes:
        return None, ""
    means = [recipe.mean.value for recipe in recipes]
    widths = [r.mean.high - r.mean.low for r in recipes if r.n >= LEAST_SEEDS and r.mean.low is not None]
    least = statistics.median(widths) if widths else 4.0 * (comparison.standard_error or 0.0)
    reach = max(max(means) - min(means), least)
    limits = (max(means) - reach, max(means)) if comparison.higher else (min(means), min(means) + reach)
    what = "the width of a 95 % interval" if widths else "4 standard errors of one run"
    return limits, f"the colours reach as far as {what}" if reach > max(means) - min(means) else ""


def across(recipe: RecipeResult) -> str:
    """What tells recipes of one loss apart: the optimizer, and schedule and setting where they differ."""
    setting = [f"{key.rpartition('.')[2]} {value}" for key, value in recipe.setting.items() if key != "loss"]
    return "\n".join(part for part in (recipe.optimizer, recipe.schedule, *setting) if part)


def _text(comparison: Comparison, recipe: RecipeResult) -> str:
    """The mean; below it the standing, where the seeds allow one, and the lost seeds."""
    said = [_standing(comparison, recipe), f"{recipe.lost}/{recipe.n} lost" if recipe.lost else ""]
    return "\n".join([wording.fixed(recipe.mean.value, metric_places(comparison)), *filter(None, said)])


def _standing(comparison: Comparison, recipe: RecipeResult) -> str:
    """In words, where the seeds allow one."""
    return SAID[recipe.standing] if comparison.judged or recipe.standing == "not_tuned" else ""
