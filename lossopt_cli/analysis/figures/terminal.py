"""Pictures as text, for a terminal of any width, without colour: a sign for each line."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lossopt_cli.analysis.figures.picture import Chart, Forest, Grid, Limits, Line, Panel, Picture, y_limits

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
    return "\n".join(_panel(_merged(panels), width) for panels in list(rows.values())[-MOST:])


def _merged(panels: Sequence[Panel]) -> Panel:
    """One panel with the lines of all; where two have a line of the same name, the last of them (validation)."""
    lines = [line for panel in panels for line in _told(panel)]
    named = {line.label: line for line in lines}
    title = panels[-1].title if len(named) < len(lines) else ""
    return replace(panels[-1], lines=tuple(named.values()), title=title)


def _told(panel: Panel) -> list[Line]:
    """The lines that have a sign: those with a label."""
    return [line for line in panel.lines if line.label][: len(SIGNS)]


def _panel(panel: Panel, width: int) -> str:
    lines = _told(panel)
    columns = width - LEFT
    ends, limits = _ends(panel, lines), y_limits(panel)
    canvas = np.full((HEIGHT, columns), " ")
    for sign, line in reversed(list(zip(SIGNS, lines, strict=False))):
        _trace(canvas, sign, line, ends, limits, log=panel.log_x)
    levels = {row: limits[1] - (limits[1] - limits[0]) * row / (HEIGHT - 1) for row in (0, HEIGHT // 2, HEIGHT - 1)}
    scale = [f"{levels[row]:.3g}" if row in levels else "" for row in range(HEIGHT)]
    drawn = [f"{text:>8} |{''.join(row).rstrip()}" for text, row in zip(scale, canvas, strict=True)]
    left, right = (f"{10.0**end if panel.log_x else end:.3g}" for end in ends)
    ruler = f"{'':>{LEFT}}{left}{panel.x_label:^{columns - len(left) - len(right)}}{right}"
    head = " ".join(part for part in (panel.title, panel.y_label) if part)
    key = "   ".join(f"{sign} {line.label}" for sign, line in zip(SIGNS, lines, strict=False))
    return "\n".join([f"{'':>{LEFT}}{head}   {key}"[:width], *drawn, ruler])


def _ends(panel: Panel, lines: Sequence[Line]) -> Limits:
    """Of the x axis; of its logarithm to the base of 10 where that is drawn."""
    if panel.x_limits is not None:
        return panel.x_limits
    x = np.concatenate([line.x[np.isfinite(line.x)] for line in lines])
    x = np.log10(x) if panel.log_x else x
    return float(x.min()), float(x.max())


def _trace(canvas: np.ndarray, sign: str, line: Line, ends: Limits, limits: Limits, *, log: bool) -> None:
    """The line put on the canvas: at every column of it, or where its points are."""
    rows, columns = canvas.shape
    x = np.log10(line.x) if log else line.x
    known = np.isfinite(line.y)
    if not known.any():
        return
    x, y = x[known], line.y[known]
    at = np.linspace(*ends, columns) if len(x) > 1 else x
    inside = (at >= x.min()) & (at <= x.max())
    heights = np.interp(at, x, y)
    places = np.arange(columns) if len(x) > 1 else np.round((x - ends[0]) / ((ends[1] - ends[0]) or 1) * (columns - 1))
    level = np.round((limits[1] - heights) / (limits[1] - limits[0]) * (rows - 1))
    seen = inside & (level >= 0) & (level < rows)
    canvas[level[seen].astype(int), places[seen].astype(int)] = sign


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
    columns = max(width - room - 3, 20)
    ends = [end for span in forest.spans for end in (span.low, span.high, span.value) if end is not None]
    low, high = min([0.0, *ends]), max([0.0, *ends])

    def place(value: float) -> int:
        return round((value - low) / ((high - low) or 1.0) * (columns - 1))

    lines = []
    for span in forest.spans:
        row = [" "] * columns
        if span.low is not None and span.high is not None:
            row[place(span.low) : place(span.high) + 1] = "─" * (place(span.high) - place(span.low) + 1)
        row[place(0.0)] = "│"
        row[place(span.value)] = "●"
        lines.append(f"{span.label:<{room}}  {''.join(row)}".rstrip())
    left, right = f"{low:.3g}", f"{high:.3g}"
    ruler = f"{'':<{room}}  {left}{forest.x_label:^{max(columns - len(left) - len(right), 0)}}{right}"
    return "\n".join([*lines, ruler])
