"""Pictures of losses: what they cost, and how hard they pull. matplotlib is imported when something is drawn."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from lossopt_cli.analysis.shapes import LABELS, RANGES, Axis, Curve, axes, curve
from lossopt_cli.catalogue.recipes import spell_part
from lossopt_cli.catalogue.rows import Value
from lossopt_cli.errors import Fault, UsageError

Losses = Sequence[tuple[str, Mapping[str, Value]]]  # name and the settings that were given

ENDINGS = (".png", ".svg", ".pdf")
POINTS = 1201
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
# Okabe & Ito 2008: told apart by people who see red and green alike; the dashes help in black and white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES = ("-", (0, (6, 2)), (0, (2, 1.5)), (0, (6, 2, 1.5, 2)))
SIGNS = "*o+x#@%&"  # of the curves in a terminal
INK, FAINT = "#222222", "#DDDDDD"
STYLE = {
    "font.size": 10,
    "axes.edgecolor": "#888888",
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "axes.titlecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "svg.hashsalt": "lossopt",
}


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


def curves(losses: Losses, axis: Axis, points: int = POINTS) -> dict[str, Curve]:
    """Each loss as it is spelled -> its curve over the whole axis."""
    x = np.linspace(*RANGES[axis], points)
    return {spell_part(name, settings, {}): curve(name, settings, x, axis) for name, settings in losses}


def draw_losses(drawn: Mapping[str, Curve], file: Path) -> None:
    """Two panels side by side, loss and slope, over one axis; PNG, SVG or PDF by the ending of `file`.

    The same curves give the same bytes. UsageError for another ending and for a place that cannot be written.
    """
    if file.suffix.lower() not in ENDINGS:
        raise UsageError(
            Fault(
                f"cannot draw a {file.suffix or 'file without ending'}",
                "--out",
                " or ".join(ENDINGS),
                f"--out {file.stem}.png",
            )
        )
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    axis = next(iter(drawn.values())).axis
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9.0, 4.2), dpi=160, layout="constrained")
        left, right = figure.subplots(1, 2)
        for place, (label, line) in enumerate(drawn.items()):
            look = {
                "color": COLOURS[place % len(COLOURS)],
                "linestyle": DASHES[place % len(DASHES)],
                "linewidth": 2.0,
                "label": label,
            }
            left.plot(line.x, line.value, **look)
            right.plot(line.x, broken(line.slope), **look)
        _dress(left, axis, "loss", [line.value for line in drawn.values()], LIMITS[axis][0])
        _dress(right, axis, "slope of the loss", [line.slope for line in drawn.values()], LIMITS[axis][1])
        figure.suptitle(TITLES[axis], x=0.012, ha="left", fontsize=13, fontweight="bold", color=INK)
        handles, labels = left.get_legend_handles_labels()
        figure.legend(
            handles, labels, loc=("outside lower left"), ncols=_columns(labels), frameon=False, handlelength=3.2
        )
        _save(figure, file)


def broken(slope: np.ndarray) -> np.ndarray:
    """The slope with a gap where it jumps, as that of |e| does at 0."""
    steps = np.abs(np.diff(slope))
    reach = np.ptp(slope[np.isfinite(slope)])
    gaps = np.flatnonzero(steps > 0.25 * reach) if reach > 0 else []
    found = slope.astype(np.float64).copy()
    found[gaps] = np.nan
    return found


def in_terminal(drawn: Mapping[str, Curve], width: int = 80, height: int = 16) -> str:
    """The losses (not their slopes) as text: a sign for each, the first on top where they meet."""
    axis = next(iter(drawn.values())).axis
    columns = min(width, 100) - 10
    low, high = _limits([line.value for line in drawn.values()], LIMITS[axis][0])
    canvas = np.full((height, columns), " ")
    for sign, line in reversed(list(zip(SIGNS, drawn.values(), strict=False))):
        at = np.interp(np.linspace(*RANGES[axis], columns), line.x, line.value)
        rows = np.round((high - at) / (high - low) * (height - 1))
        inside = np.flatnonzero((rows >= 0) & (rows < height))
        canvas[rows[inside].astype(int), inside] = sign
    levels = {0: f"{high:.2g}", height // 2: f"{high - (high - low) * (height // 2) / (height - 1):.2g}"}
    levels |= {height - 1: f"{low:.2g}"}
    lines = [f"{levels.get(row, ''):>8} |{''.join(signs).rstrip()}" for row, signs in enumerate(canvas)]
    left, right = (f"{end:g}" for end in RANGES[axis])
    ruler = f"{'':>10}{left}{LABELS[axis]:^{columns - len(left) - len(right)}}{right}"
    key = "   ".join(f"{sign} {label}" for sign, label in zip(SIGNS, drawn, strict=False))
    return "\n".join([f"{'':>10}loss   {key}", *lines, ruler])


def _columns(labels: Sequence[str]) -> int:
    """As many entries of the legend side by side as fit, at most 4."""
    return max(min(len(labels), 4, 108 // (max(map(len, labels)) + 8)), 1)


def _limits(values: Sequence[np.ndarray], most: float) -> tuple[float, float]:
    finite = np.concatenate([value[np.isfinite(value)] for value in values])
    low, high = max(float(finite.min()), -most), min(float(finite.max()), most)
    room = 0.05 * (high - low or 1.0)
    return low - room, high + room


def _dress(panel, axis: Axis, title: str, values: Sequence[np.ndarray], most: float) -> None:
    panel.set_title(title)
    panel.set_xlabel(LABELS[axis])
    panel.set_xlim(0.0 if axis == "probability" else RANGES[axis][0], RANGES[axis][1])
    panel.set_ylim(*_limits(values, most))
    panel.grid(color=FAINT, linewidth=0.6)
    panel.set_axisbelow(True)
    panel.axhline(0.0, color="#888888", linewidth=0.8, zorder=1)
    if RANGES[axis][0] < 0.0:
        panel.axvline(0.0, color="#888888", linewidth=0.8, zorder=1)
    if axis == "ratio":
        panel.axvline(1.0, color="#888888", linewidth=0.8, zorder=1)
    if axis == "angle":
        panel.set_xticks(range(0, 181, 30))


def _save(figure, file: Path) -> None:
    no_date = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(file.suffix.lower())
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(file, metadata=no_date)
    except OSError as error:
        raise UsageError(
            Fault(f"cannot write {file}: {error.strerror}", "--out", "a place that can be written")
        ) from error
