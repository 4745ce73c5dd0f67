"""Pictures as text, for a terminal of any width, without colour: a sign for each line."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from lossopt_cli.analysis.figures.picture import Chart, Forest, Grid, Limits, Line, Panel, Picture, is_log, y_limits
from lossopt_cli.analysis.scale import Scale

SIGNS = "*o+x#@%&$"
LEFT = 10  # columns for the scale
HEIGHT = 14
APART = 2  # rows between numbers of the scale, at least
MOST = 2  # panels; more would scroll away


def as_text(picture: Picture, width: int = 80) -> str:
    """The means (not the bands, not every seed) of the first panels, a matrix as a table, intervals as bars."""
    if isinstance(picture, Grid):
        body = _grid(picture)
    elif isinstance(picture, Forest):
        body = _forest(picture, min(width, 100))
    else:
        body = _chart(picture, min(width, 100))
    return f"{picture.title}\n{body}"


def _chart(chart: Chart, width: int) -> str:
    """One legend for all panels, and the panels below each other."""
    rows: dict[str, list[Panel]] = {}
    for place, panel in enumerate(chart.panels):
        rows.setdefault(panel.row or str(place), []).append(panel)
    labels = dict.fromkeys(line.label for panel in chart.panels for line in panel.lines if line.label)
    signs = dict(zip(labels, SIGNS, strict=False))
    panels = [_merged(panels, signs) for panels in list(rows.values())[-MOST:]]
    shown = {line.label for panel in panels for line in panel.lines}
    legend = _legend([f"{sign} {label}" for label, sign in signs.items() if label in shown], width)
    return "\n".join([*legend, *(_panel(panel, signs, width) for panel in panels)])


def _merged(panels: Sequence[Panel], signs: Mapping[str, str]) -> Panel:
    """One panel with the lines of all that have a sign; where two have one name, the last of them (validation)."""
    lines = [line for panel in panels for line in panel.lines if line.label in signs]
    named = {line.label: line for line in lines}
    title = panels[-1].title if len(named) < len(lines) else ""
    return replace(panels[-1], lines=tuple(named.values()), title=title)


def _legend(entries: Sequence[str], width: int) -> list[str]:
    """In one line where they fit, else a line each."""
    line = " " * LEFT + "   ".join(entries)
    return [line] if len(line) <= width else [(" " * LEFT + entry)[:width] for entry in entries]


def _panel(panel: Panel, signs: Mapping[str, str], width: int) -> str:
    columns, panel = width - LEFT, _logarithmic(panel) if is_log(panel) else panel
    ends, limits = _ends(panel), y_limits(panel)
    levels = _levels(limits)
    rows = enumerate(_canvas(panel, signs, columns, ends, limits))
    drawn = [f"{levels.get(place, ''):>{LEFT - 2}} |{row.rstrip()}" for place, row in rows]
    head = " ".join(part for part in (panel.title, panel.y_label) if part)
    below = [_ruler(panel, ends, columns), panel.x_label.center(columns)]
    return "\n".join([" " * LEFT + head, *drawn, *(" " * LEFT + line.rstrip() for line in below)])


def _logarithmic(panel: Panel) -> Panel:
    """The panel with powers of ten on its y axis."""
    lines = tuple(replace(line, y=np.log10(line.y)) for line in panel.lines)
    return replace(panel, lines=lines, marks=(), falls=False, y_label=f"log10 of {panel.y_label}")


def _levels(limits: Limits) -> dict[int, str]:
    """Round numbers beside the rows that they belong to."""
    scale = Scale(*limits, HEIGHT)
    return {HEIGHT - 1 - scale.place(tick): text for tick, text in _texts(scale.ticks(APART)).items()}


def _ruler(panel: Panel, ends: Limits, columns: int) -> str:
    """Round numbers below the columns that they belong to; of a logarithm powers of ten."""
    scale = Scale(*ends, columns) if ends[1] > ends[0] else Scale(ends[0] - 0.5, ends[1] + 0.5, columns)
    line = [" "] * columns
    for tick, text in (_decades(ends, columns) if panel.log_x else _texts(scale.ticks(_room(panel, scale)))).items():
        start = min(max(scale.place(tick) - len(text) // 2, 0), columns - len(text))
        line[start : start + len(text)] = text
    return "".join(line)


def _texts(ticks: Sequence[float]) -> dict[float, str]:
    """The numbers with as many decimals as tell them apart; in powers of ten where that takes too much room."""
    step = min((b - a for a, b in pairwise(ticks)), default=1.0)
    places = max(0, math.ceil(-math.log10(step) - 1e-9))
    texts = {tick: f"{round(tick, places) + 0.0:.{places}f}" for tick in ticks}
    return texts if max(map(len, texts.values())) <= LEFT - 2 else {tick: f"{tick:.2g}" for tick in ticks}


def _decades(ends: Limits, columns: int) -> dict[float, str]:
    """Where there are fewer than two, the ends."""
    decades = range(math.ceil(ends[0] - 1e-9), math.floor(ends[1] + 1e-9) + 1)
    marked = [float(power) for power in decades[:: 1 + len(decades) * LEFT // columns]]
    return {power: f"{10.0**power:.3g}".replace("e-0", "e-") for power in (marked if len(marked) > 1 else ends)}


def _room(panel: Panel, scale: Scale) -> float:
    """Columns between two numbers, at least; those of epochs and steps are whole."""
    whole = all((line.x % 1.0 == 0.0).all() for line in panel.lines)
    return max(LEFT - 2, (scale.width - 1) / (scale.high - scale.low) if whole else 0.0)


def _canvas(panel: Panel, signs: Mapping[str, str], columns: int, ends: Limits, limits: Limits) -> list[str]:
    """The rows of the drawing. Where lines lie over each other their signs take turns, so that each is seen."""
    found = np.full((len(panel.lines), HEIGHT, columns), fill_value=False)
    for cells, line in zip(found, panel.lines, strict=True):
        _trace(cells, line, ends, limits, log=panel.log_x)
    drawn = np.full((HEIGHT, columns), " ")
    for row, column in np.argwhere(found.any(axis=0)):
        here = np.flatnonzero(found[:, row, column])
        drawn[row, column] = signs[panel.lines[here[(row + column) % len(here)]].label]
    return ["".join(row) for row in drawn]


def _ends(panel: Panel) -> Limits:
    """Of the x axis; of its logarithm to the base of 10 where that is drawn."""
    x = np.concatenate([line.x[np.isfinite(line.x)] for line in panel.lines])
    low, high = panel.x_limits or (float(x.min()), float(x.max()))
    return (math.log10(low), math.log10(high)) if panel.log_x else (low, high)


def _trace(cells: np.ndarray, line: Line, ends: Limits, limits: Limits, *, log: bool) -> None:
    """The cells [rows, columns] that the line goes through, without gaps where it is steep; a single point where it is
    one."""
    rows, columns = cells.shape
    known = np.isfinite(line.y)
    if not known.any():
        return
    x, y = (np.log10(line.x) if log else line.x)[known], line.y[known]
    reach = (ends[1] - ends[0]) or 1.0
    first, last = (round((end - ends[0]) / reach * (columns - 1)) for end in (x.min(), x.max()))
    places = np.arange(max(first, 0), min(last, columns - 1) + 1)
    at = np.clip(ends[0] + places / (columns - 1) * reach, x.min(), x.max())
    staircase = line.kind == "staircase"
    heights = y[np.searchsorted(x, at, side="right") - 1] if staircase else np.interp(at, x, y)
    levels = np.round((limits[1] - heights) / (limits[1] - limits[0]) * (rows - 1)).astype(int)
    before = levels[0] if len(levels) else 0
    for place, level in zip(places, levels, strict=True):
        steps = range(before + 1, level) if level > before else range(level + 1, before)
        for row in (*steps, level):
            if 0 <= row < rows:
                cells[row, place] = True
        before = level


def _grid(grid: Grid) -> str:
    cells = [["", *grid.columns], *([name, *map(_flat, row)] for name, row in zip(grid.rows, grid.texts, strict=True))]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]).rstrip()
        for row in cells
    )


def _flat(text: str) -> str:
    return text.replace("\n", " ")


def _forest(forest: Forest, width: int) -> str:
    room = max(len(span.label) for span in forest.spans)
    ends = [end for span in forest.spans for end in (span.low, span.high, span.value) if end is not None]
    low, high = min([0.0, *ends]), max([0.0, *ends])
    scale = Scale(low, high if high > low else low + 1.0, max(width - room - 2, 20))
    lines = [f"{span.label:<{room}}  {scale.interval(span.value, span.low, span.high)}" for span in forest.spans]
    return "\n".join(line.rstrip() for line in [f"{'':<{room}}  {scale.axis()}", *lines, forest.x_label.rjust(width)])
