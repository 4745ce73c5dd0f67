"""A config as YAML 1.2 that resolves to the same config."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from lossopt_cli.config.schema import Config

PLAIN_WORD = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*(:[A-Za-z0-9_./-]+)*")
NOT_WORDS = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}
COMMENT_COLUMN = 44
NESTED = ("data.settings", "train.augment")  # mappings whose keys have lines of their own


def dump(config: Config, origins: Mapping[str, str] | None = None) -> str:
    """Valid YAML: one key a line, with the origin of its value as a comment where `origins` (dotted keys)
    are given."""
    lines: list[tuple[str, str]] = []
    for section, value in config.model_dump(mode="json").items():
        if value is None and section in ("sweep", "schedule"):
            continue
        if not isinstance(value, dict):
            lines.append((f"{section}: {flow(value)}", section))
            continue
        lines.append((f"{section}:", ""))
        for key, item in value.items():
            nested = isinstance(item, dict) and f"{section}.{key}" in NESTED
            if not nested:
                lines.append((f"  {key}: {flow(item)}", f"{section}.{key}"))
            elif item:
                lines.append((f"  {key}:", ""))
                lines += [(f"    {k}: {flow(v)}", f"{section}.{key}.{k}") for k, v in item.items()]
    if origins is None:
        return "".join(f"{text}\n" for text, _ in lines)
    longest = max((len(text) for text, key in lines if key in origins), default=0)
    column = min(longest, COMMENT_COLUMN)
    return "".join(f"{text:<{column}}  # {origins[key]}\n" if key in origins else f"{text}\n" for text, key in lines)


def flow(value: Any) -> str:
    """A value on one line; a word that could be read as something else in quotes; floats so that YAML 1.1
    reads them."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        plain = PLAIN_WORD.fullmatch(value) and value.lower() not in NOT_WORDS
        return value if plain else json.dumps(value, ensure_ascii=False)
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(flow, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{flow(str(key))}: {flow(item)}" for key, item in value.items()) + "}"
    return str(value)


def _float(value: float) -> str:
    """repr, with a point also before an exponent: 1.0e-07."""
    if not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    mantissa, exponent, power = repr(value).partition("e")
    return mantissa + (".0" if exponent and "." not in mantissa else "") + exponent + power
