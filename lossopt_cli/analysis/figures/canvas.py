"""Pictures drawn to a file with matplotlib, which is imported when something is drawn (without pyplot: it costs time
and keeps state)."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill, wrap
from typing import Any

import numpy as np

from lossopt_cli.analysis.figures.matrix import draw_forest, draw_grid
from lossopt_cli.analysis.figures.picture import Chart, Grid, Limits, Line, Panel, Picture, is_log, y_limits
from lossopt_cli.analysis.figures.style import DASHES, FAINT, INK, MARKERS, QUIET, Style, checked_ending, save, settings

OTHERS = "#C8C8C8"
FEW_BATCHES = 20  # points, as of a training that diverged at once: no line of theirs would be seen
HEAVY = 5000  # points; a longer faint line is a bitmap in PDF and SVG
SIGNS: Mapping[str, Mapping[str, Any]] = {
    "lost": {"marker": "X", "s": 3.4, "linewidths": 0.6, "edgecolors": "white"},
    "chosen": {"marker": "o", "s": 5.2, "linewidths": 1.4},
}


def draw(picture: Picture, file: Path, style: Style) -> None:
    """PNG, SVG or PDF by the ending of `file`; the same picture gives the same bytes. UsageError for another ending
    and for a place that cannot be written."""
    checked_ending(file)
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(settings(style)):
        figure = Figure(dpi=style.dpi, layout="constrained")
        if isinstance(picture, Chart):
            height = _draw_chart(figure, picture, style)
        elif isinstance(picture, Grid):
            height = draw_grid(figure, picture, style)
        else:
            height = draw_forest(figure, picture, style)
        _head(figure, picture, style, height)
        save(figure, file, style)


def _head(figure: Any, picture: Picture, style: Style, body: float) -> None:
    """Title and caption above the body, whose height in inches is given; the figure grows by them."""
    line = 1.35 * style.size / 72.0
    title = wrap(picture.title, int(style.width * 72.0 / (0.66 * style.size)))
    caption = [
        part
        for text in picture.caption.split("\n")
        for part in wrap(text, int(style.width * 72.0 / (0.53 * style.size)))
    ]
    head = line * (1.2 * len(title) + len(caption) + 0.7)
    figure.set_size_inches(style.width, body + head)
    figure.get_layout_engine().set(rect=(0.0, 0.0, 1.0, body / (body + head)))
    at = body + head - 0.35 * line
    left = 0.5 * line / style.width
    for text, size, weight, colour, step in [
        *((text, 1.15 * style.size, "bold", INK, 1.2 * line) for text in title),
        *((text, 0.95 * style.size, "normal", QUIET, line) for text in caption),
    ]:
        figure.text(left, at / (body + head), text, fontsize=size, fontweight=weight, color=colour, ha="left", va="top")
        at -= step


def _draw_chart(figure: Any, chart: Chart, style: Style) -> float:
    """All panels and one legend below them; the height that this takes, in inches."""
    columns = max(1, min(chart.columns, len(chart.panels), int(style.width / style.narrowest)))
    rows = math.ceil(len(chart.panels) / columns)
    height = style.panel * (0.72 if rows > 2 else 1.0 if columns > 1 or rows > 1 else 1.15)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, panel in zip(axes, chart.panels, strict=False):
        together = [other for other in chart.panels if panel.row and other.row == panel.row]
        if is_log(panel, together):
            axis.set_yscale("log")
            axis.minorticks_off()
        _draw_panel(axis, panel, y_limits(panel, together), style)
        wide = int(0.8 * style.width / columns * 72.0 / (0.56 * style.size))
        axis.set_title(fill(panel.title, wide))
        axis.set_xlabel(fill(panel.x_label, wide))
        axis.set_ylabel(fill(panel.y_label, int(height * 72.0 / (0.66 * style.size))))
    for axis in axes[len(chart.panels) :]:
        axis.remove()
    _once(axes, chart.panels, columns)
    below = _legend(figure, style)
    return rows * height + below


def _once(axes: Sequence[Any], panels: Sequence[Panel], columns: int) -> None:
    """Labels that the panel to the left or below has, too, are left out, and the numbers of a scale that is shared."""
    for place, panel in enumerate(panels):
        if place % columns and panels[place - 1].y_label == panel.y_label:
            axes[place].set_ylabel("")
            axes[place].tick_params(labelleft=not (panel.row and panels[place - 1].row == panel.row))
        below = panels[place + columns] if place + columns < len(panels) else None
        if below is not None and below.x_label == panel.x_label:
            axes[place].set_xlabel("")


def _legend(figure: Any, style: Style) -> float:
    """Every label that is no panel's title, once, below the panels, in as many columns as fit; its height in inches."""
    found = {}
    for axis in figure.axes:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            if label != axis.get_title(loc="left").replace("\n", " "):
                found.setdefault(label, handle)
    if not found:
        return 0.0
    widest = max(map(len, found)) + 7
    columns = max(1, min(len(found), int(style.width * 72.0 / (0.56 * style.size * widest))))
    figure.legend(
        found.values(), found, loc="outside lower left", ncols=columns, frameon=False, handlelength=2.4, borderpad=0.2
    )
    return math.ceil(len(found) / columns) * 1.6 * style.size / 72.0


def _draw_panel(axis: Any, panel: Panel, limits: tuple[float, float], style: Style) -> None:
    if panel.log_x:
        axis.set_xscale("log")
        axis.minorticks_off()  # measuring each of them takes longer than all the rest
        decades = _decades(panel.x_limits, room=axis.get_gridspec().ncols)
        axis.set_xticks(decades, [f"{tick:g}".replace("e-0", "e-") for tick in decades])
    if panel.shade:
        low, high, label = panel.shade
        axis.axvspan(low, high, color="#E9E4D0", linewidth=0, zorder=0, label=label)
    if panel.level and limits[0] <= panel.level[0] <= limits[1]:
        dotted = {"color": QUIET, "linewidth": 0.6 * style.stroke, "linestyle": (0, (1, 1.5)), "zorder": 1}
        axis.axhline(panel.level[0], label=panel.level[1], **dotted)
    for line in panel.lines:
        _draw_line(axis, line, style)
    for mark in panel.marks:
        look = dict(SIGNS[mark.sign])
        look["s"] = (look["s"] * style.stroke) ** 2
        look["linewidths"] *= 0.6 * style.stroke
        filled = {"c": INK} if mark.sign == "lost" else {"c": "none", "edgecolors": INK}
        axis.scatter([mark.x], [mark.y], label=mark.label, zorder=6, clip_on=False, **look | filled)
    _dress(axis, panel, limits)


def _decades(limits: Limits, room: int) -> list[float]:
    """Powers of ten within the limits, written as one types them; fewer where `room` panels are side by side."""
    first, last = math.ceil(math.log10(limits[0])), math.floor(math.log10(limits[1]))
    every = math.ceil((last - first + 1) / (10.0 / room))
    return [10.0**power for power in range(last, first - 1, -every)][::-1]


def _dress(axis: Any, panel: Panel, limits: tuple[float, float]) -> None:
    axis.set_ylim(*limits)
    if panel.x_limits:
        axis.set_xlim(*panel.x_limits)
    if panel.x_ticks:
        axis.set_xticks(panel.x_ticks)
    axis.grid(color=FAINT, linewidth=0.6)
    axis.set_axisbelow(True)
    lines = {"color": "#888888", "linewidth": 0.8, "zorder": 1}
    if panel.zero:
        axis.axhline(0.0, **lines)
    if panel.zero and axis.get_xlim()[0] < 0.0:
        axis.axvline(0.0, **lines)
    if panel.upright is not None:
        axis.axvline(panel.upright[0], label=panel.upright[1], **lines | {"linestyle": (0, (3, 2))})
    if panel.x_ticks is None and not panel.log_x and all((line.x % 1.0 == 0.0).all() for line in panel.lines):
        axis.xaxis.get_major_locator().set_params(integer=True)


def _draw_line(axis: Any, line: Line, style: Style) -> None:
    look: dict[str, Any] = {"color": line.look.colour, "linestyle": DASHES[line.look.dash % len(DASHES)], "zorder": 3}
    if line.label:
        look["label"] = line.label
    marker = {"marker": MARKERS[line.look.marker % len(MARKERS)]}
    if line.kind in ("rates", "dot"):
        bars = None if line.low is None else np.abs(np.stack([line.y - line.low, line.high - line.y]))
        apart = {"linestyle": "none"} if line.kind == "dot" else {}
        ends = {"elinewidth": 0.45 * style.stroke, "capsize": style.stroke}
        axis.errorbar(line.x, line.y, bars, **look | marker | apart | ends)
        return
    if line.low is not None:
        axis.fill_between(line.x, line.low, line.high, color=line.look.colour, alpha=0.16, linewidth=0, zorder=2)
    known = np.isfinite(line.y).sum()
    few = known < (FEW_BATCHES if line.kind == "batches" else 2)
    if line.kind in ("mean", "batches") and few:
        look |= marker
    strokes = {} if line.kind == "batches" and few else _strokes(line, style)
    axis.plot(line.x, line.y, **look | strokes, rasterized=len(line.x) > HEAVY)


def _strokes(line: Line, style: Style) -> Mapping[str, Any]:
    """What tells the kinds of a line apart."""
    kinds: Mapping[str, Mapping[str, Any]] = {
        "mean": {},
        "seed": {"linewidth": 0.4 * style.stroke, "alpha": 0.5},
        "running": {"linewidth": 0.7 * style.stroke, "alpha": 0.8},
        "batches": {"linewidth": 0.3 * style.stroke, "alpha": 0.3},
        "seeds": {"linestyle": "none", "marker": ".", "markersize": 2.0 * style.stroke, "alpha": 0.5},
        "staircase": {"drawstyle": "steps-post", "linewidth": line.weight * style.stroke},
        "others": {"color": OTHERS, "linewidth": 0.5 * style.stroke, "zorder": 1.5},
    }
    return kinds[line.kind]
