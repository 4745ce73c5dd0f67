"""Values of an axis as one writes them: `0.001,0.01`, `1e-4..1e-1`, `1e-4..1e-1:13`, `x0.03..x30`, `0..7`.

A range includes both of its ends.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lossopt_cli.catalogue.recipes import parse_value, split_parts
from lossopt_cli.catalogue.rows import Value
from lossopt_cli.config.messages import shown
from lossopt_cli.errors import Fault, UsageError

AUTO = "auto"
PER_DECADE = 2
MOST_RATES = 1000
MOST_VALUES = 1_000_000
RATES_FORM = "auto, 0.001,0.01 or 1e-4..1e-1 (two rates a decade; 1e-4..1e-1:13 for 13 rates)"
RATE_KEYS = ("from", "to", "per_decade", "points")
WHOLE_RANGE = re.compile(r"(-?\d+)\.\.(-?\d+)")


@dataclass(frozen=True)
class Rates:
    """Learning rates in rising order; relative: factors of the recipe's own scale; none at all: to be found (auto).

    A rate that is None is the optimizer's own, which nothing sets."""

    values: tuple[float | None, ...] = ()
    relative: bool = False

    @property
    def auto(self) -> bool:
        return not self.values

    @property
    def searched(self) -> bool:
        """Whether the scale of the recipe must be known first."""
        return self.auto or self.relative


def rates_of(given: Any, where: str) -> Rates:
    """What a flag (text) or a config (number, text, list, mapping of from, to, per_decade or points) asks for."""
    if isinstance(given, Mapping):
        return _rates_from_mapping(given, where)
    items = given if isinstance(given, list) else [given]
    pieces = [piece for item in items for piece in (split_parts(item) if isinstance(item, str) else [item])]
    if pieces == [AUTO]:
        return Rates()
    if AUTO in pieces:
        raise UsageError(Fault(f"{AUTO} finds all of the rates, and others are given beside it", where, "one of them"))
    values: list[float] = []
    relative: set[bool] = set()
    for piece in pieces:
        found, factors = _rates_from_piece(piece, where)
        values += found
        relative.add(factors)
    if len(relative) != 1:
        what = "no learning rate" if not relative else "rates and factors (x...) of the scale do not mix"
        raise UsageError(Fault(what, where, RATES_FORM))
    return Rates(tuple(sorted(set(values))), relative.pop())


def log_range(low: float, high: float, points: int) -> list[float]:
    """`points` rates from low to high, both as given, the others evenly between on a log scale and rounded to three
    digits, so that one can type them."""
    if points == 1:
        return [low]
    step = (math.log10(high) - math.log10(low)) / (points - 1)
    inner = [rounded(10 ** (math.log10(low) + step * place)) for place in range(1, points - 1)]
    return [low, *(rate for rate in inner if low < rate < high), high]


def rounded(rate: float) -> float:
    """The rate with three digits: 0.000316."""
    return float(f"{rate:.3g}")


def whole_numbers(given: Any, where: str, what: str) -> Sequence[int]:
    """`0..4`, `0,3,5`, 7 or a list, as numbers of at least 0 in the order given, each once."""
    if isinstance(given, str) and (found := WHOLE_RANGE.fullmatch(given.strip())):
        return _not_empty(range(int(found[1]), int(found[2]) + 1), given, where, what)
    items = given if isinstance(given, list) else [given]
    numbers: list[int] = []
    for item in items:
        for piece in values_of(item, where) if isinstance(item, str) else [item]:
            if isinstance(piece, bool) or not isinstance(piece, int) or piece < 0:
                expected = "a whole number" if what != "seed" else "0..7, or 0,3,5; each at least 0"
                raise UsageError(Fault(f"{shown(piece)} is no {what}", where, expected))
            numbers.append(piece)
    return _not_empty(list(dict.fromkeys(numbers)), given, where, what)


def values_of(text: str, where: str) -> list[Value]:
    """The values of `a,b`, each a YAML scalar or list, whole ranges written out: "0..2,7" -> [0, 1, 2, 7]."""
    values: list[Value] = []
    for piece in split_parts(text):
        found = WHOLE_RANGE.fullmatch(piece)
        if found is None:
            values.append(parse_value(piece))
            continue
        run = _not_empty(range(int(found[1]), int(found[2]) + 1), piece, where, "value")
        if len(run) > MOST_VALUES:
            raise UsageError(Fault(f"{piece} are {len(run):,} values", where, f"at most {MOST_VALUES:,}"))
        values += run
    return values


def _not_empty(numbers: Sequence[int], given: Any, where: str, what: str) -> Sequence[int]:
    if not len(numbers):
        raise UsageError(Fault(f"{given} holds no {what}: 0 values", where, "the lower end first, as 0..7"))
    if numbers[0] < 0:
        raise UsageError(Fault(f"{numbers[0]} is no {what}", where, "0 or more"))
    return numbers


def _rates_from_piece(piece: Any, where: str) -> tuple[list[float], bool]:
    """(rates, whether they are factors) of one number, or of one text `0.01`, `a..b`, `a..b:n`, `xa..xb`."""
    if not isinstance(piece, str):
        return [_rate(piece, where)], False
    range_text, _, count = piece.partition(":")
    ends = range_text.split("..")
    factors = {end.strip().startswith("x") for end in ends}
    if len(ends) > 2 or len(factors) > 1 or (count and not count.strip().isdigit()) or (count and len(ends) == 1):
        raise UsageError(Fault(f"{piece!r} is no learning rate and no range of them", where, RATES_FORM))
    numbers = [_rate(parse_value(end.strip().removeprefix("x")), where) for end in ends]
    relative = factors.pop()
    if len(numbers) == 1:
        return numbers, relative
    return _between(*numbers, int(count) if count else None, PER_DECADE, piece, where), relative


def _between(low: float, high: float, points: int | None, per_decade: float, said: str, where: str) -> list[float]:
    if low > high:
        raise UsageError(
            Fault(f"{said} holds no learning rate: 0 values", where, f"the lower end first, as {high:g}..{low:g}")
        )
    decades = math.log10(high) - math.log10(low)
    steps = points - 1 if points is not None else round(decades * per_decade, 9)
    if not 0 <= steps < MOST_RATES or (steps == 0 and low != high):
        raise UsageError(Fault(f"{said} holds {steps + 1:,.0f} learning rates", where, f"2 to {MOST_RATES:,}"))
    return log_range(low, high, math.ceil(steps) + 1)


def _rates_from_mapping(given: Mapping, where: str) -> Rates:
    """`{from: 1e-4, to: 1e-1, per_decade: 2}`, or with points."""
    unknown = [key for key in given if key not in RATE_KEYS]
    if unknown or not {"from", "to"} <= set(given) or {"per_decade", "points"} <= set(given):
        raise UsageError(
            Fault(f"{shown(dict(given))} is no range", where, "{from: 1.0e-4, to: 1.0e-1, per_decade: 2} (or points)")
        )
    low, high = _rate(given["from"], where), _rate(given["to"], where)
    points = given.get("points")
    if points is not None and (isinstance(points, bool) or not isinstance(points, int) or points < 1):
        raise UsageError(Fault(f"{shown(points)} is no number of learning rates", where, "a whole number, 1 or more"))
    per_decade = _rate(given.get("per_decade", PER_DECADE), where)
    said = f"{low:g}..{high:g}"
    return Rates(tuple(_between(low, high, points, per_decade, said, where)))


def _rate(value: Any, where: str) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value <= 0:
        raise UsageError(Fault(f"{shown(value)} is no learning rate", where, f"a number above 0; {RATES_FORM}"))
    return float(value)
