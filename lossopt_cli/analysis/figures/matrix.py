"""Matrices and rows of intervals, drawn on a matplotlib figure."""

import math
from collections.abc import Sequence
from textwrap import fill
from typing import Any

import numpy as np

from lossopt_cli.analysis.figures.names import height, in_lines, longest_word, width
from lossopt_cli.analysis.figures.picture import Forest, Grid, Limits
from lossopt_cli.analysis.figures.style import FAINT, INK, Style

COLOURS = {"light_is_much": "cividis", "light_is_little": "cividis_r", "white_is_none": "Blues"}
LUMINANCE = (0.2126, 0.7152, 0.0722)  # of red, green and blue (ITU-R BT.709)
SMALLEST = 4.0  # points; smaller nobody reads
SIGN = 0.62  # width of a sign, in sizes of the type
SLANT = 0.72  # of a name at 45 degrees, and a little room
NAMES = 0.35  # of the picture's width, at most, for the names of the rows
SHORT = 16  # signs; a shorter name at an angle needs no second line
CLAIMED, UNCLAIMED = "#D55E00", "#6B6B6B"


def draw_grid(figure: Any, grid: Grid, style: Style) -> float:
    """Coloured cells with their texts where these can be read, and the scale; the height in inches."""
    axis = figure.subplots()
    columns = grid.values.shape[1]
    names = tuple(in_lines(name, int(NAMES * style.width * 72.0 / (SIGN * style.size))) for name in grid.rows)
    beside = 0.56 * style.size * max(map(width, names)) + 9.0 * style.size  # names of the rows, and the scale
    wide, high = (0.95 * style.width * 72.0 - beside) / columns, _height_of_a_row(grid, names, style)
    least, most = limits_of(grid)
    colours = {"cmap": COLOURS[grid.colours], "vmin": least, "vmax": most if most > least else least + 1.0}
    shown = axis.imshow(np.ma.masked_invalid(grid.values), aspect="auto", **colours)
    _write_cells(axis, shown, grid, min(style.size, wide / (SIGN * _widest(grid)), high / (1.35 * _tallest(grid))))
    _frame(axis, grid, min(2.0 * style.stroke, 0.1 * high))
    _name_rows(axis, names, high, style)
    below = _name_columns(axis, grid, wide, style)
    _lines_between(axis, grid, min(1.2, 0.05 * high))
    if most > least:
        bar = figure.colorbar(shown, ax=axis, fraction=0.04, pad=0.02)
        bar.set_label(in_lines(grid.scale, max(int(len(grid.rows) * high / (0.56 * style.size)), 8)))
        bar.outline.set_visible(False)
    return (len(grid.rows) * high + below + 5.0 * style.size) / 72.0


def limits_of(grid: Grid) -> Limits:
    """What the colours are spread over: the limits that were given, else what the values need."""
    if grid.limits is not None:
        return grid.limits
    known = grid.values[np.isfinite(grid.values)]
    least, most = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    return (0.0 if grid.colours == "white_is_none" else least), most


def _height_of_a_row(grid: Grid, names: Sequence[str], style: Style) -> float:
    """Room for the texts, in points; less where there are so many rows that the picture would be higher than wide."""
    wanted = style.size * max(3.0, 2.0 + 1.35 * max(_tallest(grid), *map(height, names)))
    return min(wanted, 0.95 * style.width * 72.0 / len(names))


def _tallest(grid: Grid) -> int:
    return max(height(text) for row in grid.texts for text in row)


def _widest(grid: Grid) -> int:
    return max(max(width(text) for row in grid.texts for text in row), 1)


def _write_cells(axis: Any, shown: Any, grid: Grid, size: float) -> None:
    if size < SMALLEST:
        return
    for row, column in np.ndindex(grid.values.shape):
        value = grid.values[row, column]
        light = not np.isfinite(value) or float(np.dot(shown.to_rgba(value)[:3], LUMINANCE)) > 0.5
        middle = {"ha": "center", "va": "center", "fontsize": size}
        axis.text(column, row, grid.texts[row][column], color=INK if light else "white", **middle)


def _frame(axis: Any, grid: Grid, stroke: float) -> None:
    """A frame inside each of the cells that are to be seen first."""
    from matplotlib.patches import Rectangle

    for row, column in grid.framed:
        inside = {"fill": False, "edgecolor": CLAIMED, "linewidth": stroke, "zorder": 4}
        axis.add_patch(Rectangle((column - 0.46, row - 0.46), 0.92, 0.92, **inside))


def _name_rows(axis: Any, names: Sequence[str], high: float, style: Style) -> None:
    """Every so many where they stand too close."""
    every = math.ceil(1.3 * style.size * max(map(height, names)) / high)
    axis.set_yticks(range(0, len(names), every), names[::every])


def _name_columns(axis: Any, grid: Grid, wide: float, style: Style) -> float:
    """Below each other where that fits and takes less height, else slanting or upright, every so many where they stand
    too close; the height that this takes, in points."""
    line, sign = 1.25 * style.size, SIGN * 0.9 * style.size
    flat = [in_lines(name, int(0.95 * wide / sign)) for name in grid.columns]
    longest = max(len(name) for name in grid.columns)
    fits = max(map(longest_word, grid.columns)) * sign <= 0.95 * wide
    if fits and max(map(height, flat)) * line <= max(longest * sign * SLANT, 2.0 * line):
        axis.set_xticks(range(len(flat)), flat)
        return max(map(height, flat)) * line
    slants = longest * sign * SLANT <= NAMES * style.width * 72.0
    beside = max(int(wide * (SLANT if slants else 1.0) / line), 1)  # lines that one name may have
    room = max(math.ceil(1.2 * longest / beside), SHORT)
    names = [in_lines(name.replace("\n", ", "), room) for name in grid.columns]
    every = math.ceil(line / wide)
    axis.set_xticks(range(0, len(names), every), names[::every])
    turned = {"rotation": 45, "rotation_mode": "anchor"} if slants else {"rotation": 90}
    for label in axis.get_xticklabels():
        label.set(ha="right" if slants else "center", **turned)
    return max(map(width, names)) * sign * (SLANT if slants else 1.0) + 2.0 * line


def _lines_between(axis: Any, grid: Grid, stroke: float) -> None:
    """White ones between the cells, and no others."""
    rows, columns = grid.values.shape
    axis.set_xlabel(grid.column_label)
    axis.set_ylabel(grid.row_label)
    axis.set_xticks(np.arange(columns + 1) - 0.5, minor=True)
    axis.set_yticks(np.arange(rows + 1) - 0.5, minor=True)
    axis.grid(which="minor", color="white", linewidth=stroke)
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
