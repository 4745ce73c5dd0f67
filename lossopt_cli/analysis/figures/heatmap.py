"""The metric of each loss with each optimizer, at the chosen learning rates."""

import numpy as np

from lossopt_cli.analysis import wording
from lossopt_cli.analysis.columns import metric_places
from lossopt_cli.analysis.comparison import Comparison, RecipeResult
from lossopt_cli.analysis.figures.picture import Grid
from lossopt_cli.analysis.figures.selection import Selection, counted
from lossopt_cli.errors import Fault, UsageError

SAID = {"best": "best", "tied": "tied", "worse": "", "not_tuned": "not tuned", "lost": ""}


MOST = 144  # cells that can be read


def heatmap(selection: Selection) -> Grid:
    """Losses down, optimizers across. A recipe whose seeds were mostly lost has no colour. UsageError for one loss
    with one optimizer."""
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
                "lossopt train --opt sgd",
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
    return Grid(
        wording.capital(f"{comparison.split} {comparison.metric} by loss and optimizer"),
        selection.caption(f"mean of {seeds}, each recipe at its own learning rate; no band: see --kind differences"),
        rows,
        columns,
        "loss",
        "optimizer",
        values,
        tuple(map(tuple, texts)),
        f"{comparison.split} {comparison.metric}",
        "light_is_much" if comparison.higher else "light_is_little",
    )


def across(recipe: RecipeResult) -> str:
    """What tells recipes of one loss apart: the optimizer, and schedule and setting where they differ."""
    setting = [f"{key.rpartition('.')[2]} {value}" for key, value in recipe.setting.items() if key != "loss"]
    return "\n".join(part for part in (recipe.optimizer, recipe.schedule, *setting) if part)


def _text(comparison: Comparison, recipe: RecipeResult) -> str:
    """The mean; below it the standing, where the seeds allow one, and the lost seeds."""
    judged = comparison.judged or recipe.standing == "not_tuned"
    said = [SAID[recipe.standing] if judged else "", f"{recipe.lost}/{recipe.n} lost" if recipe.lost else ""]
    return "\n".join([wording.fixed(recipe.mean.value, metric_places(comparison)), *filter(None, said)])
