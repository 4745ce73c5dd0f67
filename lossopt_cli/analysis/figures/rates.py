"""The metric against the learning rate: where a recipe is best, how wide, and where it fails."""

import numpy as np

from lossopt_cli.analysis import wording
from lossopt_cli.analysis.comparison import Arm, RecipeResult
from lossopt_cli.analysis.figures.picture import Chart, Line, Mark, Panel, columns_for
from lossopt_cli.analysis.figures.selection import Selection, lost_in_words, seeds_in_words
from lossopt_cli.analysis.statistics import t_interval
from lossopt_cli.errors import Fault, UsageError

FEW_SEEDS = 10
MARGIN = 10.0**0.15  # free on both sides of the grid, in rates
ROOM, LOST = "room to a rate that fails", "lost trial"
CHOSEN, DEFAULT = "chosen rate", "default rate"


def rates(selection: Selection) -> Chart:
    """A panel for each recipe over its rates, the other recipes behind it in grey; the axes are the same in all.

    Drawn are the trials that the rate was chosen with. UsageError where no recipe was tried at two rates."""
    comparison = selection.comparison
    tried = {recipe.name: arms_of(recipe) for recipe in selection.recipes}
    if all(len(arms) < 2 for arms in tried.values()):
        raise UsageError(
            Fault(
                "one learning rate for each recipe: nothing to draw over",
                "--kind lr",
                "recipes at two rates or more",
                selection.runs.plot("--kind curves"),
            )
        )
    drawn = {recipe.name: _means(selection, recipe) for recipe in selection.recipes}
    every = [arm.learning_rate for arms in tried.values() for arm in arms]
    every += [recipe.default_rate for recipe in selection.recipes if recipe.default_rate]
    panels = []
    for recipe in selection.recipes:
        behind = [Line(line.x, line.y, line.look, "", "others") for name, line in drawn.items() if name != recipe.name]
        panels.append(
            Panel(
                "learning rate",
                comparison.metric,
                (*behind, drawn[recipe.name], *_seeds(selection, recipe)),
                title=recipe.name + lost_in_words(recipe),
                marks=tuple(_marks(selection, recipe)),
                shade=_room(recipe),
                level=None if comparison.guessing is None else (comparison.guessing, "guessing"),
                upright=(recipe.default_rate, DEFAULT) if recipe.default_rate else None,
                log_x=True,
                row="metric",
                x_limits=(min(every) / MARGIN, max(every) * MARGIN),
            )
        )
    counts = [len(arm.seeds) for arms in tried.values() for arm in arms]
    others = "" if len(panels) == 1 else "; grey: the other recipes"
    return Chart(
        wording.capital(f"{comparison.split} {comparison.metric} by learning rate"),
        selection.caption(seeds_in_words(counts, "bars") + others),
        tuple(panels),
        columns_for(len(panels)),
    )


def arms_of(recipe: RecipeResult) -> list[Arm]:
    """The arms that the rate was chosen from, the lowest rate first."""
    arms = [arm for arm in recipe.tuning or recipe.arms if arm.learning_rate is not None]
    return sorted(arms, key=lambda arm: arm.learning_rate)


def _means(selection: Selection, recipe: RecipeResult) -> Line:
    """The mean at every rate with its interval; a lost trial scores what it had at step 0."""
    comparison, arms = selection.comparison, arms_of(recipe)
    how = {"floor": comparison.floor, "test_over_train": comparison.test_over_train}
    intervals = [t_interval(arm.scores, **how) for arm in arms]
    bars = [
        np.array([found.value if end is None else end for found, end in zip(intervals, ends, strict=True)])
        for ends in ([found.low for found in intervals], [found.high for found in intervals])
    ]
    x, y = np.array([arm.learning_rate for arm in arms]), np.array([found.value for found in intervals])
    return Line(x, y, selection.look(recipe), recipe.name + lost_in_words(recipe), "rates", *bars)


def _seeds(selection: Selection, recipe: RecipeResult) -> list[Line]:
    """Every trial that was not lost, as a point, where they are few."""
    points = [
        (arm.learning_rate, score)
        for arm in arms_of(recipe)
        if 1 < len(arm.seeds) < FEW_SEEDS
        for score, lost in zip(arm.scores, arm.lost, strict=True)
        if not lost
    ]
    if not points:
        return []
    x, y = np.array(points).T
    return [Line(x, y, selection.look(recipe), "", "seeds")]


def _marks(selection: Selection, recipe: RecipeResult) -> list[Mark]:
    look = selection.look(recipe)
    lost = {
        (arm.learning_rate, score)
        for arm in arms_of(recipe)
        for score, gone in zip(arm.scores, arm.lost, strict=True)
        if gone
    }
    line = _means(selection, recipe)
    means = dict(zip(line.x.tolist(), line.y.tolist(), strict=True))
    marks = [Mark(rate, score, "lost", LOST, look) for rate, score in sorted(lost)]
    if recipe.learning_rate in means:
        marks.append(Mark(recipe.learning_rate, means[recipe.learning_rate], "chosen", CHOSEN, look))
    return marks


def _room(recipe: RecipeResult) -> tuple[float, float, str] | None:
    if recipe.room is None or recipe.learning_rate is None:
        return None
    return recipe.learning_rate, recipe.learning_rate * recipe.room, ROOM
