"""Numbers and lists as a sentence or a table has them: counts in words, as many decimals as a metric needs."""

import math
from collections.abc import Iterable, Sequence

from lossopt_cli.catalogue.wording import counted as counted
from lossopt_cli.catalogue.wording import plural as plural

WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
NAMED = 4  # names that a sentence lists before it counts


def word(count: int) -> str:
    """`three`, and `13`."""
    return WORDS[count] if count < len(WORDS) else f"{count:,}"


def listing(names: Sequence[str], most: int = NAMED) -> str:
    """`adam`, `adam and sgd`, `adam, sgd and rmsprop`; beyond `most`: `adam, sgd, rmsprop and 9 more`."""
    if len(names) > most:
        names = [*names[: most - 1], f"{len(names) - most + 1} more"]
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]])) if names else ""


def is_or_are(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


def capital(text: str) -> str:
    """Its first letter upper case; a recipe's name begins as it is typed, so this is for words only."""
    return text[:1].upper() + text[1:]


def decimals(values: Iterable[float | None]) -> int:
    """For about four significant digits of the largest: 3 below 10 (an accuracy), 2 below 100, 0 from 1000 on."""
    known = [abs(value) for value in values if value is not None and math.isfinite(value) and value != 0.0]
    if not known:
        return 3
    exponent = math.floor(math.log10(max(known)))
    return max(0, 3 - max(exponent, 0)) if exponent >= -1 else min(2 - exponent, 9)


def fixed(value: float | None, places: int) -> str:
    """With this many decimals, from a million on in powers of ten; `inf` in words, nothing for None."""
    if value is None:
        return ""
    if math.isinf(value):
        return "never"
    if abs(value) >= 1e6:
        return f"{value:.2g}"
    text = f"{value:.{places}f}"
    return text.removeprefix("-") if float(text) == 0.0 else text


def rate(value: float | None) -> str:
    """A learning rate as one types it to train at it again: `0.0316`. "" for None."""
    return "" if value is None else f"{value:.10g}"


def times(factor: float) -> str:
    """How many times as much: `3x`, `1.5x`, `320x`."""
    return f"{float(f'{factor:.2g}'):g}x"


def count(value: float) -> str:
    """Epochs and the like: `2`, `2.5`, `never`."""
    return "never" if math.isinf(value) else f"{value:.3g}"


def percent(share: float) -> str:
    """`17 %`, `99.2 %`; at least one digit, and one decimal where it is close to 100."""
    scaled = 100.0 * share
    return f"{scaled:.1f} %" if 99.0 < scaled < 100.0 else f"{scaled:.0f} %"


def span(values: Sequence[str]) -> str:
    """`4 to 6` of the first and the last, `4` where they read alike."""
    return values[0] if values[0] == values[-1] else f"{values[0]} to {values[-1]}"


def counted_range(counts: tuple[int, int], noun: str) -> str:
    """`8 seeds`, `3 to 8 seeds`."""
    return f"{span([f'{count:,}' for count in counts])} {plural(noun, counts[1])}"


def target(value: float) -> str:
    """`.90`, `.953`, `54.3`: a target as the head of a column has it."""
    text = f"{value:.3g}" if abs(value) >= 1.0 else f"{value:.3f}".removesuffix("0")
    return text.replace("0.", ".", 1) if abs(value) < 1.0 else text
