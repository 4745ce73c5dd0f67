"""stdout carries the result and nothing else; progress, notes, warnings, hints and errors go to stderr.

Colour only on a terminal (NO_COLOR, FORCE_COLOR and TERM=dumb are honoured), Unicode only where the stream
can take it: every sign that lossopt prints has an ASCII twin.
"""

import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TextIO

from lossopt_cli.data.counted import Counted
from lossopt_cli.rendering import duration, json_text, render_rows

__all__ = ["Console", "ascii_twin", "json_text", "render_rows", "sparkline"]

BLOCKS = "▁▂▃▄▅▆▇█"
ASCII_BLOCKS = "_.-:=+*#"
TWINS = str.maketrans(
    dict(zip(BLOCKS, ASCII_BLOCKS, strict=True))
    | {"±": "+/-", "×": "x", "…": "...", "–": "-", "—": "-", "−": "-", "·": ".", "●": "o", "│": "|", "─": "-"}
    | {
        "├": "|",
        "┤": "|",
        "┼": "+",
        "†": "+",
        "‡": "#",
        "≤": "<=",
        "≥": ">=",
        "→": "->",
        "²": "^2",
        "√": "sqrt",
        "∞": "inf",
        "π": "pi",
    }
    | {"█": "#", "░": ".", "’": "'", "“": '"', "”": '"', "Σ": "sum", "∂": "d", "ε": "eps", "β": "beta"}
)
BAR_WIDTH, NARROWEST_BAR = 24, 6
REDRAW_SECONDS, COUNT_SECONDS, PLAIN_SECONDS = 0.1, 2.0, 10.0
STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


def ascii_twin(text: str) -> str:
    """The same text in ASCII: block signs as `_.-:=+*#`, ± as +/-, what has no twin as `?`."""
    return text.translate(TWINS).encode("ascii", "replace").decode("ascii")


def sparkline(values: Sequence[float], width: int = 48) -> str:
    """At most `width` block signs, each the mean of its share of the values, from the least (▁) to the most
    (█).

    Values that are not finite are left out of the means; a share without any finite value is a blank.
    """
    import numpy as np

    shares = np.array_split(np.asarray(values, dtype=np.float64), min(width, len(values)) or 1)
    finite = [share[np.isfinite(share)] for share in shares]
    means = [float(share.mean()) if len(share) else None for share in finite]
    known = [mean for mean in means if mean is not None]
    if not known:
        return ""
    low, reach = min(known), max(known) - min(known)

    def sign(mean: float | None) -> str:
        if mean is None:
            return " "
        return BLOCKS[round((mean - low) / reach * (len(BLOCKS) - 1)) if reach > 0 else 0]

    return "".join(map(sign, means))


def bar(share: float, width: int = BAR_WIDTH) -> str:
    """So many signs, of which this share is filled."""
    filled = round(width * share)
    return "█" * filled + "░" * (width - filled)


def is_terminal(stream: TextIO) -> bool:
    """Whether a person watches this stream: a terminal that can move its cursor, and no CI."""
    return stream.isatty() and os.environ.get("TERM") != "dumb" and not os.environ.get("CI")


def has_colour(stream: TextIO) -> bool:
    """NO_COLOR (not empty) wins over FORCE_COLOR (not empty); else colour is for terminals."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def write(stream: TextIO, text: str) -> None:
    """The text, or its ASCII twin where the stream's encoding cannot hold it; flushed."""
    try:
        text.encode(stream.encoding or "utf-8")
    except UnicodeEncodeError:
        text = ascii_twin(text)
    stream.write(text)
    stream.flush()


@dataclass
class _Counting:
    """Something that takes long: since when it is watched, how much was done then, and when it was last told of."""

    began_at: float
    done: int
    told_at: float

    def line(self, text: Counted, now: float, width: int | None) -> str:
        """A bar, how many of many, and the time that the rest takes at the pace so far; of at most `width` signs, of
        which the bar gives way first."""
        pace = (text.done - self.done) / max(now - self.began_at, 1e-9)
        left = f"  {duration((text.count - text.done) / pace)} left" if pace > 0 else ""
        said = f"{text}{left}"
        room = BAR_WIDTH if width is None else min(BAR_WIDTH, width - len(said) - 2)
        drawn = f"{bar(text.done / text.count, room)}  " if room >= NARROWEST_BAR else ""
        return f"{drawn}{said}"[:width]


class Console:
    """What a command prints, and where.

    format: of the result (table, json, csv, markdown, latex). quiet: notes and progress are left out,
    warnings and errors are not. verbose: details are printed too.
    """

    def __init__(
        self,
        format: str = "table",
        *,
        quiet: bool = False,
        verbose: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.format, self.quiet, self.verbose = format, quiet, verbose
        self.out, self.err = sys.stdout, sys.stderr
        self.told: list[str] = []
        self.clock = clock
        self._counting: _Counting | None = None
        self._is_line_open = False

    def protect_stdout(self) -> "Console":
        """From here on whatever writes to stdout (file descriptor 1, a library's `print`) lands on stderr;
        `result` alone still reaches the real stdout. Does nothing where stdout is no file (a test's
        buffer) or done before."""
        global _real_stdout
        if _real_stdout is None:
            try:
                number, target = sys.stdout.fileno(), sys.stderr.fileno()
            except (OSError, ValueError):
                return self
            sys.stdout.flush()
            _real_stdout = os.fdopen(
                os.dup(number), "w", encoding=sys.stdout.encoding, errors=sys.stdout.errors, newline=None
            )
            os.dup2(target, number)
        self.out = _real_stdout
        return self

    def result(self, text: str) -> None:
        """To stdout; a line break is added."""
        write(self.out, text if text.endswith("\n") else text + "\n")

    def rows(self, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """To stdout, in the format that was asked for."""
        self.result(render_rows(self.format, columns, rows))

    def note(self, text: str = "") -> None:
        """What is going on, to stderr, folded on a terminal; not under --quiet. How far something is (`Counted`): after
        COUNT_SECONDS a live line on a terminal, elsewhere a plain one in PLAIN_SECONDS; nothing for what is done at
        once."""
        if isinstance(text, Counted):
            self._count(text)
        else:
            self._tell(text, quietly=True, shown=self._filled(text, indent=""))

    def detail(self, text: str) -> None:
        """To stderr under --verbose; kept for the log in any case."""
        self.told.append(text)
        if self.verbose:
            write(self.err, text + "\n")

    def hint(self, text: str) -> None:
        """What one may do next, to stderr; not under --quiet."""
        self._tell(text, quietly=True)

    def warn(self, text: str) -> None:
        """To stderr, always."""
        self._tell(f"{self.style('warning', 'yellow')}: {self._filled(text, len('warning: '))}")

    def asked(self, question: str) -> str:
        """What a person types after the question; nothing where the input ends."""
        self._close_line()
        write(self.err, question)
        return sys.stdin.readline()

    def error(self, text: str) -> None:
        """To stderr, always."""
        self._tell(f"{self.style('error', 'red')}: {self._filled(text, len('error: '))}")

    def style(self, text: str, *names: str) -> str:
        """The text in these STYLES where stderr has colour."""
        if not has_colour(self.err):
            return text
        return f"\x1b[{';'.join(STYLES[name] for name in names)}m{text}\x1b[0m"

    @property
    def live(self) -> bool:
        """Whether a progress bar may be drawn."""
        return not self.quiet and is_terminal(self.err)

    @property
    def width(self) -> int:
        """Columns of the terminal; COLUMNS, or 80 where there is none."""
        import shutil

        return shutil.get_terminal_size((80, 24)).columns

    def _filled(self, text: str, taken: int = 0, indent: str = "  ") -> str:
        """On a terminal long lines folded between words, the first with so many signs before it; elsewhere a line stays
        a line, so that grep finds it. A word that is longer than a line (a path, an address) stays whole."""
        import textwrap

        if not is_terminal(self.err):
            return text
        whole = {"break_on_hyphens": False, "break_long_words": False}
        lines = []
        for place, line in enumerate(text.split("\n")):
            room, hang = self.width - taken * (place == 0), indent + " " * (len(line) - len(line.lstrip()))
            lines.append(line if len(line) <= room else textwrap.fill(line, room, subsequent_indent=hang, **whole))
        return "\n".join(lines)

    def _count(self, text: Counted) -> None:
        now = self.clock()
        if self._counting is None:
            self._counting = _Counting(now, text.done, now)
        seen = self._counting
        wait = COUNT_SECONDS if seen.told_at == seen.began_at else REDRAW_SECONDS if self.live else PLAIN_SECONDS
        if text.done >= text.count:
            self._close_line()
            self._counting = None
        elif not self.quiet and now - seen.told_at >= wait:
            seen.told_at = now
            self._close_line()
            write(self.err, seen.line(text, now, self.width - 1) if self.live else seen.line(text, now, None) + "\n")
            self._is_line_open = self.live

    def _close_line(self) -> None:
        """Takes the live line away, if there is one."""
        if self._is_line_open:
            write(self.err, "\r\x1b[K")
            self._is_line_open = False

    def _tell(self, text: str, *, quietly: bool = False, shown: str | None = None) -> None:
        """shown: what stands on the screen for the text, where that is not the text itself."""
        self._close_line()
        self.told.append(text)
        if not (quietly and self.quiet):
            write(self.err, (text if shown is None else shown) + "\n")


_real_stdout: TextIO | None = None


def real_stdout() -> TextIO:
    """Where results go, also after `protect_stdout`."""
    return _real_stdout or sys.stdout
