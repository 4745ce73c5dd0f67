"""Pictures as text, for a terminal of any width, without colour: a sign for each line."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from lossopt_cli.analysis.figures.picture import Chart, Forest, Grid, Limits, Line, Panel, Picture, y_limits
from lossopt_cli.analysis.scale import Scale

SIGNS = "*o+x#@%&$"
LEFT = 10  # columns for the scale
HEIGHT = 14
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
    rows: dict[str, list[Panel]] = {}
    for place, panel in enumerate(chart.panels):
        rows.setdefault(panel.row or str(place), []).append(panel)
    labels = dict.fromkeys(line.label for panel in chart.panels for line in panel.lines if line.label)
    signs = dict(zip(labels, SIGNS, strict=False))
    return "\n".join(_panel(_merged(panels, signs), signs, width) for panels in list(rows.values())[-MOST:])


def _merged(panels: Sequence[Panel], signs: Mapping[str, str]) -> Panel:
    """One panel with the lines of all that have a sign; where two have one name, the last of them (validation)."""
    lines = [line for panel in panels for line in panel.lines if line.label in signs]
    named = {line.label: line for line in lines}
    title = panels[-1].title if len(named) < len(lines) else ""
    return replace(panels[-1], lines=tuple(named.values()), title=title)


def _panel(panel: Panel, signs: Mapping[str, str], width: int) -> str:
    columns = width - LEFT
    ends, limits = _ends(panel), y_limits(panel)
    canvas = np.full((HEIGHT, columns), " ")
    for line in reversed(panel.lines):
        _trace(canvas, signs[line.label], line, ends, limits, log=panel.log_x)
    levels = {row: limits[1] - (limits[1] - limits[0]) * row / (HEIGHT - 1) for row in (0, HEIGHT // 2, HEIGHT - 1)}
    scale = [f"{levels[row]:.3g}" if row in levels else "" for row in range(HEIGHT)]
    drawn = [f"{text:>8} |{''.join(row).rstrip()}" for text, row in zip(scale, canvas, strict=True)]
    left, right = (f"{10.0**end if panel.log_x else end:.3g}" for end in ends)
    ruler = f"{'':>{LEFT}}{left}{panel.x_label:^{columns - len(left) - len(right)}}{right}"
    head = " ".join(part for part in (panel.title, panel.y_label) if part)
    key = [f"{signs[line.label]} {line.label}" for line in panel.lines]
    return "\n".join([*_packed([head, *key], width), *drawn, ruler])


def _packed(parts: Sequence[str], width: int) -> list[str]:
    """The parts in as few lines as they fit in, below each other's beginning."""
    lines = [""]
    for part in parts:
        longer = f"{lines[-1]}   {part}" if lines[-1] else " " * LEFT + part
        if len(longer) <= width:
            lines[-1] = longer
        else:
            lines.append((" " * LEFT + part)[:width])
    return lines


def _ends(panel: Panel) -> Limits:
    """Of the x axis; of its logarithm to the base of 10 where that is drawn."""
    x = np.concatenate([line.x[np.isfinite(line.x)] for line in panel.lines])
    low, high = panel.x_limits or (float(x.min()), float(x.max()))
    return (math.log10(low), math.log10(high)) if panel.log_x else (low, high)


def _trace(canvas: np.ndarray, sign: str, line: Line, ends: Limits, limits: Limits, *, log: bool) -> None:
    """The line put on the canvas, without gaps where it is steep; a single point where it is one."""
    rows, columns = canvas.shape
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
                canvas[row, place] = sign
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
