"""Matrices and rows of intervals, drawn on a matplotlib figure."""

from typing import Any

import numpy as np

from lossopt_cli.analysis.figures.picture import Forest, Grid
from lossopt_cli.analysis.figures.style import FAINT, INK, QUIET, Style

CLAIMED, UNCLAIMED = "#D55E00", "#6B6B6B"


def draw_grid(figure: Any, grid: Grid, style: Style) -> float:
    """Coloured cells with their texts, and the scale; the height in inches."""
    axis = figure.subplots()
    rows, columns = grid.values.shape
    known = grid.values[np.isfinite(grid.values)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    shown = axis.imshow(
        np.ma.masked_invalid(grid.values), cmap="cividis", aspect="auto", vmin=low, vmax=high if high > low else low + 1
    )
    axis.set_xticks(range(columns), grid.columns, rotation=0 if _fits(grid.columns, style) else 35)
    if not _fits(grid.columns, style):
        for label in axis.get_xticklabels():
            label.set(ha="right", rotation_mode="anchor")
    axis.set_yticks(range(rows), grid.rows)
    axis.set_xlabel(grid.column_label)
    axis.set_ylabel(grid.row_label)
    axis.tick_params(length=0)
    for spine in axis.spines.values():
        spine.set_visible(False)
    axis.set_xticks(np.arange(columns + 1) - 0.5, minor=True)
    axis.set_yticks(np.arange(rows + 1) - 0.5, minor=True)
    axis.grid(which="minor", color="white", linewidth=1.2)
    axis.tick_params(which="minor", length=0)
    axis.set_facecolor("#F2F2F2")
    middle = (low + high) / 2.0
    room = style.width * 72.0 * 0.62 / columns
    longest = max((len(line) for row in grid.texts for text in row for line in text.split("\n")), default=1)
    size = min(style.size, room / (0.6 * longest))
    for row, column in np.ndindex(rows, columns):
        dark = np.isfinite(grid.values[row, column]) and grid.values[row, column] <= middle
        axis.text(
            column,
            row,
            grid.texts[row][column],
            ha="center",
            va="center",
            fontsize=size,
            color="white" if dark else INK,
        )
    bar = figure.colorbar(shown, ax=axis, fraction=0.04, pad=0.02)
    bar.set_label(grid.scale)
    bar.outline.set_visible(False)
    return (rows * max(4.5, 2.0 + 1.3 * _lines(grid)) + 7.0) * style.size / 72.0


def _lines(grid: Grid) -> int:
    """Of the tallest cell."""
    return max(text.count("\n") + 1 for row in grid.texts for text in row)


def _fits(labels: tuple[str, ...], style: Style) -> bool:
    return max(map(len, labels)) * 0.6 * style.size < style.width * 72.0 * 0.66 / len(labels)


def draw_forest(figure: Any, forest: Forest, style: Style) -> float:
    """A point and a bar a row, the first on top, and the line at 0; the height in inches."""
    axis = figure.subplots()
    places = np.arange(len(forest.spans))[::-1]
    axis.axvline(0.0, color=INK, linewidth=0.5 * style.stroke, zorder=1)
    labelled = set()
    for place, span in zip(places, forest.spans, strict=True):
        label = forest.strong_label if span.strong else forest.weak_label
        look = {"color": CLAIMED if span.strong else UNCLAIMED, "zorder": 3}
        if span.low is not None:
            axis.plot([span.low, span.high], [place, place], **look, solid_capstyle="butt")
            axis.plot([span.low, span.high], [place, place], **look, marker="|", linestyle="none")
        axis.plot(
            [span.value],
            [place],
            **look,
            marker="o",
            linestyle="none",
            markerfacecolor=look["color"] if span.strong else "white",
            label=label if label not in labelled else "",
        )
        labelled.add(label)
        axis.annotate(
            span.note,
            (1.01, place),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=0.85 * style.size,
            color=QUIET,
            annotation_clip=False,
        )
    axis.set_yticks(places, [span.label for span in forest.spans])
    axis.set_ylim(-0.6, len(places) - 0.4)
    axis.set_xlabel(forest.x_label)
    axis.grid(axis="x", color=FAINT, linewidth=0.6)
    axis.spines["left"].set_visible(False)
    axis.tick_params(axis="y", length=0)
    handles, labels = axis.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=2, frameon=False, borderpad=0.2)
    return (len(places) * 1.9 + 5.5) * style.size / 72.0 + 0.15
