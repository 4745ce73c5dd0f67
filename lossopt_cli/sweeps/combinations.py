"""Every combination of the axes of a sweep, with the lists that are tuned written out."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from lossopt_cli.catalogue.lookup import find_setting, plain
from lossopt_cli.config.layers import Places
from lossopt_cli.config.parts import NAMED
from lossopt_cli.config.references import is_foreign, is_user_code
from lossopt_cli.sweeps.axes import LEARNING_RATE, Axes, choices, named_part
from lossopt_cli.sweeps.ranges import Rates, rates_of

LISTS = ("number or list", "numbers", "widths", "words")


def combinations(axes: Axes) -> Iterator[tuple[dict[str, tuple[Any, Places]], dict[str, Any], Rates | None]]:
    """(values of the axes, the tuned settings among them, the rates of the recipe itself or None)"""
    for chosen in choices(axes):
        listed, rates = {}, None
        parts = dict(chosen)
        for section in ("loss", "optimizer"):
            if section not in chosen:
                continue
            value, at = chosen[section]
            name, settings = named_part(value)
            if section == "optimizer":
                key = next((key for key in settings if _is_rate(name, key)), None)
                rates = rates_of(settings.pop(key), at.place) if key else None
            lists = {key: item for key, item in settings.items() if _is_tuned(section, name, key, item)}
            listed |= {(section, key): item for key, item in lists.items()}
            parts[section] = ({"name": name, **settings}, at)
        for values in product(*listed.values()):
            yield _with(parts, dict(zip(listed, values, strict=True))), _dotted(listed, values), rates


def _is_rate(name: str, key: str) -> bool:
    """Whether the setting is the optimizer's learning rate, which torch and its kin call `lr`."""
    return plain(key) == plain(LEARNING_RATE) or (key == "lr" and (is_user_code(name) or is_foreign(name)))


def _with(
    parts: Mapping[str, tuple[Any, Places]], settings: Mapping[tuple[str, str], Any]
) -> dict[str, tuple[Any, Places]]:
    """The parts with these settings, by section and name, in place of their lists."""
    changed = dict(parts)
    for (section, key), value in settings.items():
        part, at = changed[section]
        changed[section] = ({**part, key: value}, at)
    return changed


def _dotted(listed: Mapping[tuple[str, str], Any], values: Sequence[Any]) -> dict[str, Any]:
    return {f"{section}.{key}": value for (section, key), value in zip(listed, values, strict=True)}


def _is_tuned(section: str, name: str, key: str, value: Any) -> bool:
    """Whether a list means several values to choose from: a list of lists where the setting itself takes a list."""
    if not isinstance(value, list) or not value:
        return False
    if is_user_code(name) or (section == "optimizer" and is_foreign(name)):
        from lossopt_cli.training.user_settings import takes_a_list

        takes_list = takes_a_list(name, key, "--opt" if section == "optimizer" else f"--{section}")
    else:
        setting = find_setting(NAMED[section](name), key)
        takes_list = setting is not None and setting.kind in LISTS
    return all(isinstance(item, list) for item in value) if takes_list else True
