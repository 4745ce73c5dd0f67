"""Intervals and points drawn with signs on one common scale: `├──●─┤`. Plain text; the console has ASCII twins."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

POINT, LINE, LEFT, RIGHT, ZERO, CROSSING, BELOW, BEYOND = "●", "─", "├", "┤", "│", "┼", "<", ">"
FAR = 4.0  # what reaches so many times beyond the middle interval is cut off
BESIDE = 1.2  # room beside a point whose interval is cut off
STEPS = (1.0, 2.0, 5.0)
ROOM = 6  # signs from tick to tick
TINY = 5  # decimals from which on a tick is written as 2e-05


@dataclass(frozen=True)
class Scale:
    """From `low` to `high` over `width` signs; both ends are signs of their own."""

    low: float
    high: float
    width: int

    def place(self, value: float) -> int:
        """The sign that stands for the value; outside 0..width-1 for one that is beyond the scale."""
        return round((value - self.low) / (self.high - self.low) * (self.width - 1))

    def ticks(self, room: int = ROOM) -> list[float]:
        """Round numbers of the scale, 0 among them, at least `room` signs apart."""
        least = (self.high - self.low) * room / max(self.width - 1, 1)
        exponent = math.floor(math.log10(least))
        step = next(s * 10.0**e for e in (exponent, exponent + 1) for s in STEPS if s * 10.0**e >= least * (1 - 1e-9))
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [place * step for place in range(first, last + 1)]

    def axis(self) -> str:
        """The ticks as a line of numbers, each centred on its sign as far as there is room; `width` signs. Closer ticks
        where wide apart only one has room: a single number gives no scale."""
        lines = (self._numbers(self.ticks(room)) for room in range(ROOM, 0, -1))
        return next((line for line in lines if len(line.split()) > 1), self._numbers(self.ticks()))

    def _numbers(self, ticks: Sequence[float]) -> str:
        step = min((b - a for a, b in itertools.pairwise(ticks)), default=1.0)
        places = max(0, -math.floor(math.log10(step) + 1e-9))
        signs = [" "] * self.width
        for tick in ticks:
            text = "0" if abs(tick) < step / 2 else f"{tick:.{places}f}" if places < TINY else f"{tick:.2g}"
            start = min(max(self.place(tick) - (len(text) - 1) // 2, 0), self.width - len(text))
            if start >= 0 and not "".join(signs[max(start - 1, 0) : start + len(text) + 1]).strip():
                signs[start : start + len(text)] = text
        return "".join(signs)

    def interval(self, value: float, low: float | None, high: float | None) -> str:
        """`  ├──●─┤  `, with the zero line; what is beyond the scale ends in `>` (or `<`)."""
        signs = [" "] * self.width
        zero, point = self.place(0.0), self.place(value)
        _set(signs, zero, ZERO)
        if low is not None and high is not None:
            first, last = self._beside_zero(low), self._beside_zero(high)
            for place in range(max(first, 0), min(last, self.width - 1) + 1):
                _set(signs, place, CROSSING if place == zero else LINE)
            _set(signs, first, LEFT)
            _set(signs, last, RIGHT)
            if last >= self.width:
                signs[-1] = BEYOND
            if first < 0:
                signs[0] = BELOW
        _set(signs, point, POINT)
        if point >= self.width:
            signs[-1] = BEYOND
        return "".join(signs)

    def _beside_zero(self, end: float) -> int:
        """Its place, but never that of 0: on which side of 0 an interval ends is what one looks for."""
        zero, place = self.place(0.0), self.place(end)
        return place if place != zero or end == 0.0 else zero + (1 if end > 0.0 else -1)

    def blank(self, text: str) -> str:
        """Words in place of an interval, beside the zero line where there is room for both."""
        zero = self.place(0.0)
        line = " " * zero + ZERO + " "
        return (line if len(line) + len(text) <= self.width else "") + text

    def strip(self, values: Sequence[float]) -> str:
        """A dot for each value: `·`, `:` for two at one place, `●` for more."""
        counts = [0] * self.width
        for value in values:
            counts[min(max(self.place(value), 0), self.width - 1)] += 1
        return "".join(" ·:●"[min(count, 3)] for count in counts)


def scale_of(points: Sequence[float], lows: Sequence[float], highs: Sequence[float], width: int) -> Scale:
    """A scale with 0 for points in their intervals from lows to highs. An end or a point that is FAR beyond the end of
    the middle interval is left out, so that the best are told apart; a point nearer by is on it."""
    ends, known = (sorted(filter(math.isfinite, values)) for values in (highs, points))
    reach = [end for end in [*ends, *known] if end <= FAR * max(ends[len(ends) // 2], 0.0)] or ends
    low, high = min([0.0, *lows]), max([0.0, *reach])
    if high in known and high < max(ends, default=high):
        high *= BESIDE
    low = max(low, -high) if high > 0.0 else low
    if low < 0.0:
        low = min(low, -(high - low) / (width - 1))  # a sign to the left of 0
    if high <= low:
        high = low + 1.0
    return Scale(low, high, width)


def scale_from(values: Sequence[float], width: int) -> Scale:
    """From the least to the largest of the values."""
    known = [value for value in values if math.isfinite(value)] or [0.0]
    low, high = min(known), max(known)
    return Scale(low, high if high > low else low + max(abs(low), 1.0) * 1e-3, width)


def _set(signs: list[str], place: int, sign: str) -> None:
    if 0 <= place < len(signs):
        signs[place] = sign
