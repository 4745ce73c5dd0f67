"""Matrices and rows of intervals, drawn on a matplotlib figure."""

import math
from textwrap import fill
from typing import Any

import numpy as np

from lossopt_cli.analysis.figures.picture import Forest, Grid
from lossopt_cli.analysis.figures.style import FAINT, INK, Style

COLOURS = {"light_is_much": "cividis", "light_is_little": "cividis_r", "white_is_none": "Blues"}
LUMINANCE = (0.2126, 0.7152, 0.0722)  # of red, green and blue (ITU-R BT.709)
SMALLEST = 4.0  # points; smaller nobody reads
CLAIMED, UNCLAIMED = "#D55E00", "#6B6B6B"


def draw_grid(figure: Any, grid: Grid, style: Style) -> float:
    """Coloured cells with their texts where these can be read, and the scale; the height in inches."""
    axis = figure.subplots()
    rows, columns = grid.values.shape
    beside = 0.56 * style.size * max(map(len, grid.rows)) + 9.0 * style.size  # names of the rows, and the scale
    wide, high = (0.95 * style.width * 72.0 - beside) / columns, _height_of_a_row(grid, style)
    known = grid.values[np.isfinite(grid.values)]
    least, most = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    least = 0.0 if grid.colours == "white_is_none" else least
    colours = {"cmap": COLOURS[grid.colours], "vmin": least, "vmax": most if most > least else least + 1.0}
    shown = axis.imshow(np.ma.masked_invalid(grid.values), aspect="auto", **colours)
    _write_cells(axis, shown, grid, min(style.size, wide / (0.62 * _widest(grid)), high / (1.35 * _tallest(grid))))
    _name_cells(axis, grid, wide, high, style)
    if most > least:
        bar = figure.colorbar(shown, ax=axis, fraction=0.04, pad=0.02)
        bar.set_label(grid.scale)
        bar.outline.set_visible(False)
    return (rows * high + 7.0 * style.size) / 72.0


def _height_of_a_row(grid: Grid, style: Style) -> float:
    """Room for the texts, in points; less where there are so many rows that the picture would be higher than wide."""
    wanted = style.size * max(3.0, 2.0 + 1.35 * _tallest(grid))
    return min(wanted, 0.95 * style.width * 72.0 / len(grid.rows))


def _tallest(grid: Grid) -> int:
    return max(text.count("\n") + 1 for row in grid.texts for text in row)


def _widest(grid: Grid) -> int:
    return max(max(len(line) for row in grid.texts for text in row for line in text.split("\n")), 1)


def _write_cells(axis: Any, shown: Any, grid: Grid, size: float) -> None:
    if size < SMALLEST:
        return
    for row, column in np.ndindex(grid.values.shape):
        value = grid.values[row, column]
        light = not np.isfinite(value) or float(np.dot(shown.to_rgba(value)[:3], LUMINANCE)) > 0.5
        middle = {"ha": "center", "va": "center", "fontsize": size}
        axis.text(column, row, grid.texts[row][column], color=INK if light else "white", **middle)


def _name_cells(axis: Any, grid: Grid, wide: float, high: float, style: Style) -> None:
    """Rows and columns, every so many where they stand too close; white lines between them."""
    rows, columns = grid.values.shape
    every = math.ceil(1.3 * style.size / high)
    axis.set_yticks(range(0, rows, every), grid.rows[::every])
    flat = max(len(line) for name in grid.columns for line in name.split("\n")) * 0.62 * style.size < wide
    every = 1 if flat else math.ceil(1.3 * style.size / wide)
    axis.set_xticks(range(0, columns, every), grid.columns[::every])
    for label in axis.get_xticklabels() if not flat else ():
        label.set(rotation=45, ha="right", rotation_mode="anchor")
    axis.set_xlabel(grid.column_label)
    axis.set_ylabel(grid.row_label)
    axis.set_xticks(np.arange(columns + 1) - 0.5, minor=True)
    axis.set_yticks(np.arange(rows + 1) - 0.5, minor=True)
    axis.grid(which="minor", color="white", linewidth=min(1.2, 0.05 * high))
    axis.tick_params(which="both", length=0)
    axis.set_facecolor("#F2F2F2")
    for spine in axis.spines.values():
        spine.set_visible(False)


def draw_forest(figure: Any, forest: Forest, style: Style) -> float:
    """A point and a bar a row, the first on top, and the line at 0; the height in inches."""
    axis = figure.subplots()
    places = np.arange(len(forest.spans))[::-1]
    axis.axvline(0.0, color=INK, linewidth=0.8 * style.stroke, zorder=1)
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
    axis.set_yticks(places, [span.label for span in forest.spans])
    axis.set_ylim(-0.6, len(places) - 0.4)
    names = 0.56 * style.size * max(len(span.label) for span in forest.spans)
    axis.set_xlabel(fill(forest.x_label, int((style.width * 72.0 - names) / (0.6 * style.size))))
    axis.grid(axis="x", color=FAINT, linewidth=0.6)
    axis.spines["left"].set_visible(False)
    axis.tick_params(axis="y", length=0)
    handles, labels = axis.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=2, frameon=False, borderpad=0.2)
    return (len(places) * 1.9 + 5.5) * style.size / 72.0 + 0.15
