"""Rows by name: without case, underscores and hyphens; a name that is not there gets the nearest that is."""

from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from typing import TypeVar

from lossopt_cli.catalogue.rows import LossRow, OptimizerRow, Row, Setting, Value
from lossopt_cli.errors import Fault, UsageError

RowT = TypeVar("RowT", bound=Row)


def plain(name: str) -> str:
    """The form in which names are compared: `RMSprop`, `rms_prop` and `rms-prop` are `rmsprop`."""
    return name.casefold().replace("_", "").replace("-", "").replace(" ", "")


def names_of(row: Row) -> tuple[str, ...]:
    """Every spelling that means this row: its name, its aliases, its class (a preset has none of its own)."""
    named_by_class = isinstance(row, LossRow) or (isinstance(row, OptimizerRow) and not row.preset)
    return (row.name, *row.aliases, *((row.class_name,) if named_by_class and row.class_name else ()))


def index(table: Iterable[RowT]) -> dict[str, RowT]:
    """plain name -> row. ValueError where two rows answer to one name."""
    rows: dict[str, RowT] = {}
    for row in table:
        for name in names_of(row):
            if rows.setdefault(plain(name), row) is not row:
                raise ValueError(f"{name!r} means both {rows[plain(name)].name} and {row.name}")
    return rows


def find(table: Sequence[RowT], name: str, kind: str = "name", where: str | None = None) -> RowT:
    """The row that `name` means. UsageError with the nearest names where there is none.

    kind: what is looked for, in one word ("loss"); where: the flag or place of the name.
    """
    rows = index(table)
    if (row := rows.get(plain(name))) is not None:
        return row
    section = _SECTIONS.get(kind, "")
    raise UsageError(
        Fault(
            what=f"unknown {kind} '{name}'",
            where=where,
            expected=f"a name of: lossopt list {section}" if section else None,
            remedy=_did_you_mean(nearest(name, [n for row in table for n in names_of(row)])),
        )
    )


def find_setting(row: LossRow | OptimizerRow | Row, name: str) -> Setting | None:
    """The setting of that name (without case, underscores, hyphens), or None."""
    return next((s for s in getattr(row, "settings", ()) if plain(s.name) == plain(name)), None)


def nearest(name: str, names: Iterable[str], count: int = 3) -> list[str]:
    """At most `count` of the names that look most like `name`, best first; empty where nothing does."""
    wanted = plain(name)

    def likeness(other: str) -> float:
        ratio = SequenceMatcher(None, wanted, plain(other)).ratio()
        begins = len(wanted) >= 3 and plain(other).startswith(wanted)
        return max(ratio, 0.8) if begins else ratio

    ranked = sorted({plain(n): n for n in reversed(list(names))}.values(), key=lambda n: (-likeness(n), n))
    best = [n for n in ranked if likeness(n) >= 0.6]
    close = likeness(best[0]) - 0.15 if best else 0.0
    return [n for n in best if likeness(n) >= close][:count]


def value_fault(setting: Setting, value: Value, where: str | None = None) -> Fault | None:
    """What is wrong with this value of this setting; None where nothing is."""
    if value is None and setting.may_be_null:
        return None
    if any(_same(value, c) for c in setting.choices) or (setting.kind == "file" and isinstance(value, str)):
        return None
    if setting.choices:
        wanted = " or ".join([*(_spell(c) for c in setting.choices), *(["a file"] if setting.kind == "file" else [])])
    elif not _is_kind(value, setting.kind) or not all(_in_bounds(setting, x) for x in _numbers(value)):
        wanted = _wanted(setting)
    else:
        return None
    return Fault(
        what=f"{setting.name} cannot be {_spell(value)}",
        where=where,
        expected=wanted,
        remedy=f"unless said it is {_spell(setting.default)}",
    )


def settled(setting: Setting, value: Value) -> Value:
    """The value in the type of its kind: 2 and 2.0 are one number, and Keras insists on some floats."""
    if setting.kind == "integer" and _is_number(value):
        return int(value)
    if setting.kind == "widths" and isinstance(value, list):
        return [int(v) for v in value]
    if setting.kind in ("number", "number or list", "numbers"):
        if isinstance(value, list):
            return [float(v) for v in value]
        return float(value) if _is_number(value) else value
    return value


_SECTIONS = {
    "loss": "losses",
    "optimizer": "optimizers",
    "model": "models",
    "data set": "data",
    "schedule": "schedules",
    "metric": "metrics",
}


def _did_you_mean(names: list[str]) -> str | None:
    return f"did you mean {', '.join(names[:-1])}{' or ' if names[:-1] else ''}{names[-1]}?" if names else None


def _spell(value: Value) -> str:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _same(value: Value, other: Value) -> bool:
    """Equal, and True is not 1."""
    return isinstance(value, bool) == isinstance(other, bool) and value == other


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value


def _is_kind(value: Value, kind: str) -> bool:
    if kind == "switch":
        return isinstance(value, bool)
    if kind == "word":
        return isinstance(value, str)
    if kind == "integer":
        return _is_number(value) and float(value).is_integer()
    if kind == "number":
        return _is_number(value)
    item_kind = {"words": "word", "widths": "integer"}.get(kind, "number")
    items_are_right = isinstance(value, list) and all(_is_kind(v, item_kind) for v in value)
    return items_are_right or (kind == "number or list" and _is_number(value))


def _numbers(value: Value) -> list[float]:
    return [float(v) for v in (value if isinstance(value, list) else [value]) if _is_number(v)]


def _in_bounds(setting: Setting, x: float) -> bool:
    return (
        (setting.above is None or x > setting.above)
        and (setting.from_ is None or x >= setting.from_)
        and (setting.below is None or x < setting.below)
        and (setting.to is None or x <= setting.to)
        and abs(x) != float("inf")
    )


def _wanted(setting: Setting) -> str:
    words = {
        "number": "a number",
        "integer": "a whole number",
        "switch": "true or false",
        "word": "a word",
        "numbers": "a list of numbers, [0.5, 0.75]",
        "widths": "a list of whole numbers, [64, 32]",
        "words": "a list of words",
        "number or list": "a number, or a list with one for each class",
    }[setting.kind]
    bounds = [
        f"{word} {bound:g}"
        for word, bound in (
            ("above", setting.above),
            ("at least", setting.from_),
            ("below", setting.below),
            ("at most", setting.to),
        )
        if bound is not None
    ]
    return " ".join(
        [
            words,
            *([" and ".join(bounds)] if bounds else []),
            *(["or null"] if setting.may_be_null else []),
        ]
    )
