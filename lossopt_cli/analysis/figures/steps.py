"""The loss of every batch, and its running mean: whether a recipe oscillates, climbs back, or crawls."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from lossopt_cli.analysis.comparison import RecipeResult
from lossopt_cli.analysis.figures.picture import Chart, Line, Mark, Panel, columns_for
from lossopt_cli.analysis.figures.reading import table_of
from lossopt_cli.analysis.figures.selection import Selection, counted

ByStep = Literal["step", "epoch"]


def running_mean(losses: np.ndarray, window: int) -> np.ndarray:
    """The mean of the `window` values around each, so that it lies among them also where they fall; at the ends over
    what is there, and NaN where one of them is not finite. Of the shape of `losses`.

    At i over the values from i - floor((window - 1) / 2) to i + floor(window / 2)."""
    beyond = ((window - 1) // 2, window // 2)
    sums, counts = (
        np.lib.stride_tricks.sliding_window_view(np.pad(values, beyond), window).sum(axis=-1)
        for values in (losses, np.ones(len(losses)))
    )
    found = sums / counts
    return np.where(np.isfinite(found), found, np.nan)


def steps(selection: Selection, by: ByStep = "step") -> Chart:
    """A panel for each recipe; those with the same loss have the same limits."""
    panels, windows = [], set()
    for recipe in sorted(selection.recipes, key=lambda recipe: selection.losses.index(recipe.loss)):
        lines, window = _lines(selection, recipe, by)
        windows.add(window)
        panels.append(
            Panel(
                by,
                f"loss: {recipe.loss}",
                tuple(lines),
                title=selection.label(recipe),
                loss=recipe.loss,
                marks=_ends(lines),
                row=recipe.loss,
                falls=True,
            )
        )
    last = max(float(line.x[-1]) for panel in panels for line in panel.lines)
    return Chart(
        "Loss of every batch",
        selection.caption(_caption(selection.recipes, sorted(windows)), climbs=True),
        tuple(replace(panel, x_limits=(0.0, last)) for panel in panels),
        columns_for(len(panels)),
    )


def _ends(lines: Sequence[Line]) -> tuple[Mark, ...]:
    """Where the loss of the trial whose every batch is drawn was finite for the last time, if it was not to its end."""
    (batches,) = [line for line in lines if line.kind == "batches"]
    known = np.flatnonzero(np.isfinite(batches.y))
    if not len(known) or known[-1] == len(batches.y) - 1:
        return ()
    at = known[-1]
    return (Mark(float(batches.x[at]), float(batches.y[at]), "lost", "not finite from here on", batches.look),)


def _caption(recipes: Sequence[RecipeResult], windows: Sequence[int]) -> str:
    counts = [recipe.n for recipe in recipes]
    single = max(counts) < 2
    each = counted(counts, "seed") + ("" if single else ", a line each")
    faint = "every batch" if single else "every batch of the first seed"
    around = f"mean over a quarter of an epoch, centred ({counted(windows, 'step')}; at the ends over what is there)"
    return f"{each}; {around}, no band; faint: {faint}"


def _lines(selection: Selection, recipe: RecipeResult, by: ByStep) -> tuple[list[Line], int]:
    """Every batch of the first seed, the running mean of every seed; and over how many steps that is."""
    look = selection.look(recipe)
    lines, window = [], 1
    for place, folder in enumerate(recipe.arm.folders):
        table = table_of(folder, "steps.csv")
        per_epoch = int((table["epoch"] == table["epoch"][0]).sum())
        window = max(per_epoch // 4, 1)
        x = table["step"] if by == "step" else table["step"] / per_epoch
        losses = np.where(np.isfinite(table["loss"]), table["loss"], np.nan)
        if place == 0:
            lines.append(Line(x, losses, look, "", "batches"))
        label = selection.label(recipe) if place == 0 else ""
        lines.append(Line(x, running_mean(losses, window), look, label, "mean" if recipe.n == 1 else "running"))
    return lines, window
