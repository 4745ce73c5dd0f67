"""What a picture shows, as plain numbers: drawn to a file by `canvas`, told in a terminal by `terminal`, held to the
comparison by tests. Nothing here knows how it is drawn."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

Kind = Literal["mean", "seed", "running", "batches", "rates", "seeds", "staircase", "dot", "others"]
Sign = Literal["lost", "chosen"]
Colours = Literal["light_is_much", "light_is_little", "white_is_none"]
Limits = tuple[float, float]
CAME_DOWN, WENT_UP = 0.9, 30.0  # of the start: nothing came below the one, and something above the other
CLIMB = 0.5  # how far above its start a line is still drawn, as a share of how far the best came down


@dataclass(frozen=True)
class Look:
    """How one recipe (or loss) looks wherever it is drawn; dash and marker are places in lists of `style`."""

    colour: str
    dash: int = 0
    marker: int = 0


@dataclass(frozen=True)
class Line:
    """y over x, float64 [n], a gap where y is NaN; low and high: its band or its error bars. label: in the legend, ""
    for none.

    kind: mean: a line with its band; seed: one trial, thin; running: its running mean; batches: its every batch, faint;
    rates: points with error bars, joined; seeds: small points; staircase: y holds until the next x; dot: a point with
    its error bar; others: a line to compare with, grey. weight: of a staircase's stroke, so that one shows below the
    other."""

    x: np.ndarray
    y: np.ndarray
    look: Look
    label: str = ""
    kind: Kind = "mean"
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    weight: float = 1.0


@dataclass(frozen=True)
class Mark:
    """A sign at a point; label: what the sign means."""

    x: float
    y: float
    sign: Sign
    label: str
    look: Look


@dataclass(frozen=True)
class Panel:
    """One pair of axes. loss: the only loss whose values are on the y axis, None for a metric. level (where it is in
    sight) and upright: a y and an x that are drawn as a line, and what they are; zero: whether 0 is, on both axes.
    shade: from x to x, and what it is. Panels of one `row` word have the same y limits. x_limits, y_limits: None for
    what the lines need; falls: of a quantity to minimise, what climbs far above its start is not needed."""

    x_label: str
    y_label: str
    lines: tuple[Line, ...]
    title: str = ""
    loss: str | None = None
    marks: tuple[Mark, ...] = ()
    level: tuple[float, str] | None = None
    shade: tuple[float, float, str] | None = None
    log_x: bool = False
    zero: bool = False
    upright: tuple[float, str] | None = None
    row: str = ""
    falls: bool = False
    x_limits: Limits | None = None
    y_limits: Limits | None = None
    x_ticks: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Chart:
    """Panels, row by row. caption: n, the band, and what is left out."""

    title: str
    caption: str
    panels: tuple[Panel, ...]
    columns: int = 1


@dataclass(frozen=True)
class Grid:
    """A matrix: values [rows, columns], NaN where there is none, and what is written in each cell. scale: what the
    colour means; colours: whether light is much, little, or 0 is white; limits: what they are spread over, None for
    what the values need. framed: (row, column) of cells that stand out."""

    title: str
    caption: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    row_label: str
    column_label: str
    values: np.ndarray
    texts: tuple[tuple[str, ...], ...]
    scale: str
    colours: Colours = "light_is_much"
    limits: Limits | None = None
    framed: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Span:
    """One row of a Forest: value with its interval; strong: what it says is claimed."""

    label: str
    value: float
    low: float | None
    high: float | None
    strong: bool


@dataclass(frozen=True)
class Forest:
    """Intervals below each other over one axis, and a line at 0."""

    title: str
    caption: str
    x_label: str
    spans: tuple[Span, ...]
    strong_label: str
    weak_label: str


Picture = Chart | Grid | Forest


def columns_for(panels: int) -> int:
    """At most three beside each other; four stand two by two."""
    return 2 if panels == 4 else min(panels, 3)


def y_limits(panel: Panel, together: Sequence[Panel] = ()) -> Limits:
    """What the lines and signs of these panels need, and a little room; bands may leave it.

    Of something that falls, what climbs further above the start than CLIMB times as far as the best came down leaves
    it, too: one trial that diverges does not flatten all others."""
    if panel.y_limits is not None:
        return panel.y_limits
    low, high, starts = _reach(panel, together)
    if not math.isfinite(low):
        return 0.0, 1.0
    if is_log(panel, together):
        return low / 2.0, 2.0 * high
    if panel.falls:
        start = max(starts, default=high)
        high = min(high, start + CLIMB * (start - low or abs(start)))
    room = 0.06 * max(high - low, 1e-3 * abs(high) or 1.0)
    return low - room, high + room


def is_log(panel: Panel, together: Sequence[Panel] = ()) -> bool:
    """Whether of something that falls nothing came down and something climbed so far that only a logarithm shows it:
    trainings that went wrong from the start, which leaving the picture would empty."""
    low, high, starts = _reach(panel, together)
    start = min(starts, default=high)
    return panel.falls and low > 0.0 and low >= CAME_DOWN * start and WENT_UP * start < high < math.inf


def _reach(panel: Panel, together: Sequence[Panel]) -> tuple[float, float, list[float]]:
    """(least, largest, where each line starts) of the lines and signs of these panels; infinite without any."""
    panels = together or [panel]
    values = [part for other in panels for line in other.lines for part in _needed(line)]
    values.append(np.array([mark.y for other in panels for mark in other.marks]))
    every = np.concatenate(values)
    every = every[np.isfinite(every)]
    if not len(every):
        return math.inf, -math.inf, []
    starts = [float(line.y[0]) for other in panels for line in other.lines if np.isfinite(line.y[:1]).all()]
    return float(every.min()), float(every.max()), starts


def _needed(line: Line) -> list[np.ndarray]:
    """A band may leave the picture, for with two or three seeds it is wide; the bar of a single point may not."""
    bars = [line.low, line.high] if line.kind == "dot" else []
    return [line.y, *(bar for bar in bars if bar is not None)]
