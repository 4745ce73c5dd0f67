"""Losses themselves: what they cost, and how hard they pull."""

from collections.abc import Mapping, Sequence

import numpy as np

from lossopt_cli.analysis.figures.looks import COLOURS
from lossopt_cli.analysis.figures.picture import Chart, Limits, Line, Look, Panel
from lossopt_cli.analysis.shapes import LABELS, RANGES, Axis, Curve, axes, curve
from lossopt_cli.catalogue.recipes import spell_part
from lossopt_cli.catalogue.rows import Value
from lossopt_cli.errors import Fault, UsageError

Losses = Sequence[tuple[str, Mapping[str, Value]]]  # name and the settings that were given

POINTS = 1201
DASHES = 4
TITLES: Mapping[Axis, str] = {
    "error": "What an error costs, and how hard it pulls",
    "ratio": "What missing a target of 100 costs, and how hard it pulls",
    "probability": "What a probability of the right class costs, and how hard it pulls",
    "margin": "What a margin costs, and how hard it pulls",
    "angle": "What a wrong direction costs, and how hard it pulls",
}
# The most that is drawn, so that one steep curve does not flatten the others: of the loss, of the slope.
LIMITS: Mapping[Axis, tuple[float, float]] = {
    "error": (5.0, 3.5),
    "ratio": (220.0, 130.0),
    "probability": (5.0, 12.0),
    "margin": (5.0, 4.5),
    "angle": (1.0, 0.02),
}
TICKS: Mapping[Axis, tuple[float, ...]] = {"angle": tuple(range(0, 181, 30))}


def shared_axis(losses: Losses) -> Axis:
    """The axis that all these losses have. UsageError where there is none: errors of numbers and margins of classes
    are never drawn over one axis."""
    per_loss = {name: axes(name) for name, _ in losses}
    if without := [name for name, found in per_loss.items() if not found]:
        curve(without[0], {}, np.zeros(1))  # raises with the reason
    first = next(iter(per_loss.values()))
    for axis in first:
        if all(axis in found for found in per_loss.values()):
            return axis
    groups: dict[str, list[str]] = {}
    for name, found in per_loss.items():
        groups.setdefault(" or ".join(found), []).append(name)
    listed = "; ".join(f"{', '.join(names)} over {axis}" for axis, names in groups.items())
    raise UsageError(
        Fault(
            "these losses have no axis in common",
            "--loss",
            "losses of one kind in one picture",
            f"draw them apart: {listed}",
        )
    )


def shapes_of(losses: Losses, axis: Axis, points: int = POINTS) -> dict[str, Curve]:
    """Each loss as it is spelled -> its curve over the whole axis."""
    x = np.linspace(*RANGES[axis], points)
    return {spell_part(name, settings, {}): curve(name, settings, x, axis) for name, settings in losses}


def losses(drawn: Mapping[str, Curve]) -> Chart:
    """Loss and slope beside each other over one axis: formulas, so without n and band."""
    axis = next(iter(drawn.values())).axis
    values = {label: found.value for label, found in drawn.items()}
    slopes = {label: broken(found.slope) for label, found in drawn.items()}
    return Chart(
        TITLES[axis],
        "",
        (
            _panel(drawn, axis, "loss", values, _limits(values, LIMITS[axis][0])),
            _panel(drawn, axis, "slope of the loss", slopes, _limits(slopes, LIMITS[axis][1])),
        ),
        2,
    )


def broken(slope: np.ndarray) -> np.ndarray:
    """The slope with a gap where it jumps, as that of |e| does at 0."""
    steps = np.abs(np.diff(slope))
    reach = np.ptp(slope[np.isfinite(slope)])
    gaps = np.flatnonzero(steps > 0.25 * reach) if reach > 0 else []
    found = slope.astype(np.float64).copy()
    found[gaps] = np.nan
    return found


def _panel(drawn: Mapping[str, Curve], axis: Axis, label: str, values: Mapping[str, np.ndarray], ends: Limits) -> Panel:
    lines = tuple(
        Line(found.x, values[name], Look(COLOURS[place % len(COLOURS)], place % DASHES), name)
        for place, (name, found) in enumerate(drawn.items())
    )
    left, right = RANGES[axis]
    return Panel(
        LABELS[axis],
        label,
        lines,
        x_limits=(0.0 if axis == "probability" else left, right),
        y_limits=ends,
        x_ticks=TICKS.get(axis),
        zero=True,
        upright=(1.0, "") if axis == "ratio" else None,
    )


def _limits(values: Mapping[str, np.ndarray], most: float) -> Limits:
    finite = np.concatenate([value[np.isfinite(value)] for value in values.values()])
    low, high = max(float(finite.min()), -most), min(float(finite.max()), most)
    room = 0.05 * (high - low or 1.0)
    return low - room, high + room
