"""`--fail-if 'accuracy < 0.9 and seconds > 60'`: comparisons of named numbers, nothing else. Nothing is evaluated.

condition   = all ("or" all)*
all         = comparison ("and" comparison)*
comparison  = NAME ("<" | "<=" | ">" | ">=" | "==" | "!=") NUMBER, or with the number first, or WORD

A WORD stands alone and holds or not; a command says which ones it has.
"""

import math
import operator
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lossopt_cli.catalogue.lookup import nearest
from lossopt_cli.errors import Fault, UsageError

SIGNS = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}
_MIRRORED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "==", "!=": "!="}
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_COMPARISON = re.compile(rf"\s*([A-Za-z_][\w.]*|{_NUMBER})\s*(<=|>=|==|!=|<|>)\s*([A-Za-z_][\w.]*|{_NUMBER})\s*")
_WORD = re.compile(r"\s*([A-Za-z_]\w*)\s*")
FORM = "comparisons such as 'accuracy < 0.9', joined by `and` or `or`"


@dataclass(frozen=True)
class Comparison:
    """name sign number; NaN and a metric that is missing meet every `<` and `>`: what is not known has not been met."""

    name: str
    sign: str
    number: float

    def holds(self, values: Mapping[str, float | None]) -> bool:
        value = values[self.name]
        if value is None or math.isnan(value):
            return True
        return SIGNS[self.sign](value, self.number)

    def __str__(self) -> str:
        return f"{self.name} {self.sign} {self.number:g}"


@dataclass(frozen=True)
class Word:
    """name, alone: holds where its value is not 0, and where it is not known: a check that cannot be decided is not
    met."""

    name: str

    def holds(self, values: Mapping[str, float | None]) -> bool:
        value = values[self.name]
        return value is None or bool(value)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Condition:
    """Alternatives, each of which is comparisons that must hold together."""

    text: str
    alternatives: tuple[tuple[Comparison | Word, ...], ...]

    @property
    def names(self) -> list[str]:
        return [comparison.name for together in self.alternatives for comparison in together]

    def check(self, known: Mapping[str, float | None], where: str = "--fail-if") -> None:
        """UsageError for a name that is not among the known ones."""
        for name in self.names:
            if name not in known:
                near = nearest(name, known)
                remedy = f"did you mean {near[0]}?" if near else None
                raise UsageError(Fault(f"nothing here is called {name!r}", where, ", ".join(known), remedy))

    def holds(self, values: Mapping[str, float | None]) -> bool:
        return any(all(one.holds(values) for one in together) for together in self.alternatives)


def parse(text: str, where: str = "--fail-if", words: Sequence[str] = ()) -> Condition:
    """The condition that the text says; words: those that may stand alone. UsageError where it says none."""
    alternatives = []
    for side in re.split(r"\bor\b", text):
        together = [_read(piece, where, words) for piece in re.split(r"\band\b", side)]
        alternatives.append(tuple(together))
    return Condition(text, tuple(alternatives))


def _read(piece: str, where: str, words: Sequence[str]) -> Comparison | Word:
    alone = _WORD.fullmatch(piece)
    if alone is not None and alone[1] in words:
        return Word(alone[1])
    match = _COMPARISON.fullmatch(piece)
    if match is None:
        expected = FORM + "".join(f", or {word!r}" for word in words)
        raise UsageError(Fault(f"cannot read {piece.strip()!r}", where, expected))
    return _comparison(*match.groups(), where=where)


def _comparison(left: str, sign: str, right: str, where: str) -> Comparison:
    numbers = [bool(re.fullmatch(_NUMBER, side)) for side in (left, right)]
    if sum(numbers) != 1:
        raise UsageError(Fault(f"'{left} {sign} {right}' does not compare a name with a number", where, FORM))
    if numbers[0]:
        return Comparison(right, _MIRRORED[sign], float(left))
    return Comparison(left, sign, float(right))
