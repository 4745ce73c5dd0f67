"""Loss and metric over the training, on training and validation data: the mean over seeds, its band, and each seed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from lossopt_cli.analysis import student, wording
from lossopt_cli.analysis.comparison import RecipeResult
from lossopt_cli.analysis.figures.picture import Chart, Line, Look, Panel
from lossopt_cli.analysis.figures.reading import table_of
from lossopt_cli.analysis.figures.selection import Selection, seeds_in_words
from lossopt_cli.analysis.statistics import deviation
from lossopt_cli.errors import Fault, UsageError
from lossopt_cli.runs.records import Record

By = Literal["epoch", "step", "second"]
Table = Mapping[str, np.ndarray]

SPLITS = ("train", "validation")
FEW_SEEDS = 10  # below, every seed is drawn: a mean hides what so few do
MOST_LOSSES = 3  # rows of loss panels; with more losses the metric alone is drawn
CONFIDENCE = 0.95
TRAINING = "#6B6B6B"  # of one recipe, beside the validation in its colour
X_LABELS: Mapping[By, str] = {"epoch": "epoch", "step": "step", "second": "training seconds"}


def epochs_of(record: Record) -> dict[str, np.ndarray]:
    """epochs.csv by column, with a first row of what result.json says of step 0; NaN where a trial diverged before a
    value was taken."""
    table = table_of(record.folder, "epochs.csv")
    missing = np.full(len(table["step"]), np.nan)
    rows = {name: np.concatenate([[0.0], values]) for name, values in table.items()}
    for split in SPLITS:
        for metric in record.result["initial"].get(split, {}):
            start, name = record.at_start(metric, split), f"{split}_{metric}"
            rows[name] = np.concatenate([[np.nan if start is None else start], table.get(name, missing)])
    return rows


def together(tables: Sequence[Table], column: str, *, held: bool) -> np.ndarray:
    """[seeds, evaluations]; where a trial has no finite value NaN, or, `held`, what it had at step 0: so a lost trial
    scores, and no mean is that of the survivors."""
    values = np.full((len(tables), max(len(table[column]) for table in tables)), np.nan)
    for row, table in zip(values, tables, strict=True):
        row[: len(table[column])] = table[column]
        if held:
            row[~np.isfinite(row)] = table[column][0]
    return np.where(np.isfinite(values), values, np.nan)


def band(
    values: np.ndarray, floor: float = 0.0, test_over_train: float = 0.0
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """`statistics.t_interval` at every evaluation: [seeds, evaluations] -> mean, low, high [evaluations]; NaN where a
    seed is. No low and high for one seed."""
    n, mean = len(values), values.mean(axis=0)
    if n < 2:
        return mean, None, None
    half = student.quantile(CONFIDENCE, n - 1) * deviation(values.T, floor) * np.sqrt(1.0 / n + test_over_train)
    return mean, mean - half, mean + half


def curves(selection: Selection, records: Mapping[Path, Record], by: By = "epoch") -> Chart:
    """A row of panels for each loss, and one for the metric: training beside validation; of a single recipe both in
    one panel. UsageError where the tables lack what is asked for."""
    tables = {
        recipe.name: [epochs_of(records[folder]) for folder in recipe.arm.folders] for recipe in selection.recipes
    }
    metric = selection.comparison.metric
    every = [table for found in tables.values() for table in found]
    splits = tuple(split for split in SPLITS if all(f"{split}_{metric}" in table for table in every))
    if not splits:
        raise UsageError(Fault(f"{metric} was not recorded every epoch", "--metric", "a column of epochs.csv"))
    drawing = _Drawing(selection, tables, by, single=len(selection.recipes) == 1)
    losses = selection.losses if len(selection.losses) <= MOST_LOSSES else ()
    groups = [splits] if drawing.single else [(split,) for split in splits]
    panels = [drawing.panel(loss, group) for loss in (*losses, None) for group in groups]
    title = f"Loss and {metric} by {by}" if losses else wording.capital(f"{metric} by {by}")
    return Chart(
        f"{title}: {selection.label(selection.recipes[0])}" if drawing.single else title,
        selection.caption(
            seeds_in_words([recipe.n for recipe in selection.recipes], "band", few=FEW_SEEDS),
            "" if losses else f"{len(selection.losses)} losses: too many for a panel each, so the metric alone",
            climbs=bool(losses),
        ),
        tuple(panels),
        2 if len(panels) > 1 else 1,
    )


@dataclass(frozen=True)
class _Drawing:
    selection: Selection
    tables: Mapping[str, Sequence[Table]]
    by: By
    single: bool

    def panel(self, loss: str | None, splits: Sequence[str]) -> Panel:
        """Of one loss, or of the metric (None), on these splits."""
        lines = [
            line
            for split in splits
            for recipe in self.selection.recipes
            if loss in (None, recipe.loss)
            for line in self._lines(recipe, split, loss)
        ]
        comparison = self.selection.comparison
        metric = loss is None
        return Panel(
            X_LABELS[self.by],
            comparison.metric if metric else f"loss: {loss}",
            tuple(lines),
            title="" if self.single else splits[0],
            loss=loss,
            row=loss or "metric",
            level=(comparison.guessing, "guessing") if metric and comparison.guessing is not None else None,
            falls=not (metric and comparison.higher),
        )

    def _lines(self, recipe: RecipeResult, split: str, loss: str | None) -> list[Line]:
        """The mean with its band, and each seed where they are few."""
        comparison = self.selection.comparison
        tables = self.tables[recipe.name]
        column = f"{split}_loss" if loss else f"{split}_{comparison.metric}"
        values = together(tables, column, held=loss is None)
        floor = comparison.floor if loss is None and split == comparison.split else 0.0
        mean, low, high = band(values, floor, comparison.test_over_train)
        if loss and recipe.lost:  # of losses without bound: it would cover all others
            low, high = None, None
        x, look = self._x(recipe), self.selection.look(recipe)
        if self.single and split == "train":
            look = Look(TRAINING, 1, look.marker)
        label = split if self.single else self.selection.label(recipe)
        seeds = values if 1 < len(values) < FEW_SEEDS else ()
        return [
            Line(x, mean, look, label, "mean", low, high),
            *(Line(x, of_seed, look, "", "seed") for of_seed in seeds),
        ]

    def _x(self, recipe: RecipeResult) -> np.ndarray:
        """When each value was: an epoch, a step, or its share of the training seconds of the mean trial."""
        longest = max(self.tables[recipe.name], key=lambda table: len(table["step"]))
        if self.by != "second":
            return longest[self.by]
        if recipe.seconds is None:
            raise UsageError(
                Fault(
                    f"the seconds of {recipe.name} cannot be compared",
                    "--by",
                    "trials trained alone, on one device",
                    "--by epoch or --by step",
                )
            )
        return longest["step"] / longest["step"][-1] * recipe.seconds
