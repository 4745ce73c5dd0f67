"""Sizes, type and strokes of a picture on a screen, in a talk and in a paper; and how it is written."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lossopt_cli.errors import Fault, UsageError

ENDINGS = (".png", ".svg", ".pdf")
DASHES = ("-", (0, (6, 2)), (0, (2, 1.5)), (0, (6, 2, 1.5, 2)))
MARKERS = "osD^vP*"
INK, QUIET, FAINT = "#222222", "#6B6B6B", "#E2E2E2"


@dataclass(frozen=True)
class Style:
    """width: of the picture, inches; panel: height of a panel, inches; narrowest: a panel, inches; size: of the type,
    points; stroke: of a line, points; dpi: of a PNG."""

    width: float
    panel: float
    narrowest: float
    size: float
    stroke: float
    dpi: int


STYLES: Mapping[str, Style] = {
    "screen": Style(width=9.0, panel=3.5, narrowest=2.6, size=10.0, stroke=1.9, dpi=160),
    "talk": Style(width=13.333, panel=5.2, narrowest=4.2, size=18.0, stroke=3.2, dpi=120),
    "paper": Style(width=3.4, panel=2.1, narrowest=1.55, size=8.0, stroke=1.2, dpi=300),
}


def settings(style: Style) -> dict[str, Any]:
    """What matplotlib is told, and nothing of the user's own matplotlibrc that would change a picture's size."""
    return {
        "font.family": "sans-serif",
        "font.size": style.size,
        "axes.titlesize": style.size,
        "axes.labelsize": style.size,
        "xtick.labelsize": 0.9 * style.size,
        "ytick.labelsize": 0.9 * style.size,
        "legend.fontsize": 0.95 * style.size,
        "axes.edgecolor": "#888888",
        "axes.linewidth": 0.08 * style.size,
        "axes.labelcolor": INK,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlelocation": "left",
        "axes.titlecolor": INK,
        "text.color": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "lines.linewidth": style.stroke,
        "lines.markersize": 2.6 * style.stroke,
        "pdf.fonttype": 42,
        "svg.hashsalt": "lossopt",
    }


def checked_ending(file: Path) -> str:
    """The ending that decides the format, in lower case. UsageError for another than ENDINGS."""
    ending = file.suffix.lower()
    if ending not in ENDINGS:
        raise UsageError(
            Fault(
                f"cannot draw a {file.suffix or 'file without ending'}",
                "--out",
                " or ".join(ENDINGS),
                f"--out {file.stem}.png",
            )
        )
    return ending


def save(figure: Any, file: Path, style: Style) -> None:
    """The same figure gives the same bytes: no date. UsageError where the file cannot be written."""
    no_date = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(checked_ending(file))
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(file, metadata=no_date, dpi=style.dpi)
    except OSError as error:
        raise UsageError(
            Fault(f"cannot write {file}: {error.strerror}", "--out", "a place that can be written")
        ) from error
