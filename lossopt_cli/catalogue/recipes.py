"""Parts as they are written on one line: `huber:delta=0.5`, `sgd:momentum=0.9:nesterov=true`, `my.py:f:a=1`.

A value is a YAML 1.2 scalar or a list of them, `[64, 32]`; nothing is ever evaluated.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping

from lossopt_cli.catalogue.lookup import nearest
from lossopt_cli.catalogue.rows import Value
from lossopt_cli.errors import Fault, UsageError

_WORDS: Mapping[str, Value] = {
    **dict.fromkeys(("null", "Null", "NULL", "~"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf"), math.inf),
    "-.inf": -math.inf,
    ".nan": math.nan,
}
_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_BARE_WORD = re.compile(r"[^\s:,=\[\]'\"#]+")
KAGGLE = "kaggle:"
_KAGGLE_PAGE = re.compile(
    r"(?:https?://)?(?:www\.)?kaggle\.com/datasets/([\w-]+/[\w-]+)(/versions/\d+)?", re.IGNORECASE
)
_LIKE_KAGGLE = re.compile(r"([A-Za-z]+):/*([\w-]+/[\w-].*)")
_WINDOWS_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


def parse_part(text: str, where: str | None = None) -> tuple[str, dict[str, Value]]:
    """`huber:delta=0.5` -> ("huber", {"delta": 0.5}). UsageError with all that cannot be read."""
    refuse_almost_kaggle(text, where)
    pieces = list(_split(text.strip(), ":"))
    settings_at = next((i for i, piece in enumerate(pieces) if i and "=" in piece), len(pieces))
    name = ":".join(pieces[:settings_at]).strip()
    faults = [*_name_faults(name, text, where)]
    settings: dict[str, Value] = {}
    for piece in pieces[settings_at:]:
        key, equals, value = (part.strip() for part in piece.partition("="))
        if not equals or not key or not value:
            faults.append(
                Fault(
                    f"cannot read {piece!r} in {text!r}",
                    where,
                    ("NAME:key=value"),
                    f"{name}:{key or 'key'}=1",
                )
            )
        elif key in settings:
            faults.append(Fault(f"{key} is given twice in {text!r}", where, "each setting once"))
        else:
            settings[key] = parse_value(value)
    if faults:
        raise UsageError(*faults)
    return name, settings


def split_parts(text: str) -> list[str]:
    """`sgd:momentum=0.9,adam` -> ["sgd:momentum=0.9", "adam"]; commas in brackets or quotes stay."""
    return [part.strip() for part in _split(text, ",") if part.strip()]


def parse_value(text: str) -> Value:
    """A YAML 1.2 scalar, a quoted text, or a list: "1e-3" -> 0.001, "no" -> "no", "[0, 1]" -> [0, 1]."""
    text = text.strip()
    if text.startswith("[") and text.endswith("]"):
        return [parse_value(item) for item in _split(text[1:-1], ",") if item.strip()]
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return _unquoted(text)
    if len(text) >= 2 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def spell_part(name: str, settings: Mapping[str, Value], defaults: Mapping[str, Value]) -> str:
    """("huber", {"delta": 0.5}, {"delta": 1.0}) -> "huber:delta=0.5": only what differs from the defaults."""
    changed = {key: value for key, value in settings.items() if key not in defaults or not _same(value, defaults[key])}
    return ":".join([name, *(f"{key}={spell_value(value)}" for key, value in changed.items())])


def spell_value(value: Value) -> str:
    """The shortest spelling that `parse_value` reads back as an equal value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{','.join(spell_value(item) for item in value)}]"
    if isinstance(value, float):
        return _spell_float(value)
    if isinstance(value, str):
        bare = _BARE_WORD.fullmatch(value) and parse_value(value) == value
        return value if bare else json.dumps(value, ensure_ascii=False)
    return str(value)


def is_kaggle(name: str) -> bool:
    """Whether the name is `kaggle:OWNER/NAME...`, a data set of Kaggle; without case, as OWNER and NAME are not."""
    return name[: len(KAGGLE)].lower() == KAGGLE


def refuse_almost_kaggle(text: str, where: str | None) -> None:
    """UsageError for the address of a data set of Kaggle and for a slip in `kaggle:`, with the name that is meant."""
    if is_kaggle(text):
        return
    page, like = _KAGGLE_PAGE.match(text), _LIKE_KAGGLE.fullmatch(text)
    meant = "".join(page.groups("")) if page else like[2] if like and nearest(like[1], [KAGGLE[:-1]]) else None
    if meant is not None:
        remedy = f"did you mean {KAGGLE}{meant}?"
        raise UsageError(
            Fault(f"{text!r} names no data", where, f"{KAGGLE}OWNER/NAME for a data set of Kaggle", remedy)
        )


def is_user_code(name: str) -> bool:
    """Whether a name is `file.py:function`, of a file of the user's."""
    path, colon, function = name.rpartition(":")
    return bool(colon) and path.endswith(".py") and function.isidentifier()


def _name_faults(name: str, text: str, where: str | None) -> Iterator[Fault]:
    if not name or "=" in name:
        yield Fault(f"no name in {text!r}", where, "NAME or NAME:key=value", "huber:delta=0.5")
    elif ":" in name and not is_user_code(name) and not _has_its_own_colon(name):
        name, _, setting = name.partition(":")
        yield Fault(f"{setting!r} has no value in {text!r}", where, "NAME:key=value", f"{name}:{setting}=...")


def _has_its_own_colon(name: str) -> bool:
    return is_kaggle(name) or bool(_WINDOWS_DRIVE.match(name))


def _split(text: str, at: str) -> Iterator[str]:
    """The pieces between the `at` signs that stand outside brackets and quotes."""
    depth, quote, start = 0, "", 0
    for place, sign in enumerate(text):
        if quote:
            closes = sign == quote and not (quote == '"' and text[place - 1] == "\\")
            quote = "" if closes else quote
        elif sign in "\"'":
            quote = sign
        elif sign in "[]":
            depth += 1 if sign == "[" else -1
        elif sign == at and depth <= 0:
            yield text[start:place]
            start = place + 1
    yield text[start:]


def _unquoted(text: str) -> str:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text[1:-1]


def _spell_float(value: float) -> str:
    if not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def _same(value: Value, other: Value) -> bool:
    """Equal, and True is not 1."""
    return isinstance(value, bool) == isinstance(other, bool) and value == other
