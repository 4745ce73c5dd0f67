"""What a recipe's metric costs in training seconds."""

import numpy as np

from lossopt_cli.analysis import wording
from lossopt_cli.analysis.figures.picture import Chart, Line, Panel
from lossopt_cli.analysis.figures.selection import Selection, seeds_in_words
from lossopt_cli.errors import Fault, UsageError


def tradeoff(selection: Selection) -> Chart:
    """A point for each recipe: mean training seconds, and the metric with its interval. UsageError where seconds say
    nothing: trials trained side by side, or on different devices."""
    comparison = selection.comparison
    if without := [recipe.name for recipe in selection.recipes if recipe.seconds is None]:
        raise UsageError(
            Fault(
                f"the seconds of {', '.join(without[:4])} cannot be compared",
                "--kind tradeoff",
                "trials trained alone, on one device",
                selection.runs.plot("--kind curves --by step"),
            )
        )
    lines = []
    for recipe in selection.recipes:
        mean = recipe.mean
        ends = (None, None) if mean.low is None else (np.array([mean.low]), np.array([mean.high]))
        x, y = np.array([recipe.seconds]), np.array([mean.value])
        lines.append(Line(x, y, selection.look(recipe), selection.label(recipe), "dot", *ends))
    most = max(line.x[0] for line in lines)
    one_run = max(recipe.n for recipe in selection.recipes) < 2
    of_how_many = "; of one run each, which vary by themselves" if one_run else ""
    return Chart(
        wording.capital(f"{comparison.split} {comparison.metric} and what it costs"),
        selection.caption(
            seeds_in_words([recipe.n for recipe in selection.recipes], "bars"),
            f"seconds: training alone, without evaluation, logging and the first step{of_how_many}",
        ),
        (Panel("training seconds", comparison.metric, tuple(lines), x_limits=(0.0, 1.1 * most)),),
    )
