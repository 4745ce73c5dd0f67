"""What a picture shows, as plain numbers: drawn to a file by `canvas`, told in a terminal by `terminal`, held to the
comparison by tests. Nothing here knows how it is drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

Kind = Literal["mean", "seed", "running", "batches", "rates", "seeds", "staircase", "dot", "others"]
Sign = Literal["lost", "chosen"]
Colours = Literal["light_is_much", "light_is_little", "white_is_none"]
Limits = tuple[float, float]
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
    what the lines need."""

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
    colour means; colours: whether light is much, little, or 0 is white."""

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


@dataclass(frozen=True)
class Span:
    """One row of a Forest: value with its interval; strong: what it says is claimed."""

    label: str
    value: float
    low: float | None
    high: float | None
    strong: bool
    note: str = ""


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


def limits_without_climbers(lines: Sequence[Line]) -> Limits | None:
    """For something to minimise: from the least to the start and half as far above it, where a line goes beyond that;
    None where none does. So one trial that diverges does not flatten all others."""
    values = np.concatenate([line.y[np.isfinite(line.y)] for line in lines]) if lines else np.zeros(0)
    starts = [line.y[0] for line in lines if len(line.y) and np.isfinite(line.y[0])]
    if not len(values) or not starts:
        return None
    low, start = float(values.min()), max(starts)
    top = start + CLIMB * (start - low)
    return (low - 0.06 * (top - low), top) if values.max() > top > low else None


def y_limits(panel: Panel, together: Sequence[Panel] = ()) -> Limits:
    """What the lines and signs of these panels need, and a little room; bands may leave it."""
    given = [other.y_limits for other in together or [panel] if other.y_limits is not None]
    if given:
        return min(low for low, _ in given), max(high for _, high in given)
    values = [np.asarray(part) for other in together or [panel] for line in other.lines for part in _needed(line)]
    values += [np.asarray([mark.y]) for other in together or [panel] for mark in other.marks]
    every = np.concatenate(values) if values else np.zeros(0)
    every = every[np.isfinite(every)]
    if not len(every):
        return 0.0, 1.0
    low, high = float(every.min()), float(every.max())
    room = 0.06 * (high - low or abs(high) or 1.0)
    return low - room, high + room


def _needed(line: Line) -> list[np.ndarray]:
    """A band may leave the picture, for with two or three seeds it is wide; the bar of a single point may not."""
    bars = [line.low, line.high] if line.kind == "dot" else []
    return [line.y, *(bar for bar in bars if bar is not None)]
