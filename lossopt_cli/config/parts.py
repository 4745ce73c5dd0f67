"""A part with all its settings: what was given, checked against the catalogue, over the defaults of its
row."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lossopt_cli.catalogue.lookup import find_setting, plain, value_fault
from lossopt_cli.catalogue.losses import loss_named
from lossopt_cli.catalogue.models import model_named
from lossopt_cli.catalogue.optimizer_settings import learning_rate
from lossopt_cli.catalogue.optimizers import optimizer_named
from lossopt_cli.catalogue.rows import Row, Setting, defaults
from lossopt_cli.catalogue.schedules import schedule_named
from lossopt_cli.config.layers import Given, did_you_mean, moved
from lossopt_cli.config.messages import shown
from lossopt_cli.config.references import anchored, is_foreign, is_user_code
from lossopt_cli.config.schema import Part
from lossopt_cli.errors import Fault, UsageError

NAMED: Mapping[str, Callable[[str], Row | None]] = {
    "loss": loss_named,
    "optimizer": optimizer_named,
    "model": model_named,
    "schedule": schedule_named,
}


@dataclass
class Filled:
    """A part, the origin of each of its values by dotted key, and what is wrong with it."""

    part: Part | None = None
    origins: dict[str, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)


def canonical(section: str, given: Given) -> Given:
    """A part's name as the catalogue writes it; `file.py:function` with an absolute path. UsageError if
    unknown."""
    name = given.value
    if not isinstance(name, str):
        raise UsageError(Fault(f"{section}.name cannot be {name!r}", given.place, "a name"))
    if is_user_code(name):
        return replace(given, value=anchored(name, given.folder, given.place))
    if section == "optimizer" and is_foreign(name):
        return given
    if "," in name:
        several = {"loss": "losses"}.get(section, f"{section}s")
        raise UsageError(Fault(f"{name} are several {several}", given.place, "one", "lossopt sweep trains several"))
    try:
        row = NAMED[section](name)
    except UsageError as error:
        raise UsageError(*moved(error.faults, given.place)) from None
    assert row is not None
    return replace(given, value=row.name)


def fill(section: str, name: str, origin: str, given: Mapping[str, Given]) -> Filled:
    """The part of this (canonical) name with `given` (setting -> Given) over the defaults of its row.

    Of user code and other libraries only what was given is known; their signatures check it when they are
    built.
    """
    filled = Filled(origins={f"{section}.name": origin})
    foreign = is_user_code(name) or (section == "optimizer" and is_foreign(name))
    row = None if foreign else NAMED[section](name)
    settings = {} if row is None else defaults(row)
    filled.origins |= {f"{section}.{setting}": "default" for setting in settings}
    for word, item in given.items():
        setting = _known_anywhere(section, word) if row is None else find_setting(row, word)
        if setting is None and row is None:
            settings[word] = item.value
            filled.origins[f"{section}.{word}"] = item.origin
            continue
        if setting is None:
            filled.faults.append(_unknown_setting(name, word, item, row))
            continue
        if (fault := value_fault(setting, item.value)) is not None:
            what = f"{section}.{setting.name} cannot be {shown(item.value)}"
            remedy = _separated(name, setting.name, item.value) or fault.remedy
            filled.faults.append(replace(fault, what=what, where=item.place, remedy=remedy))
            continue
        if setting.kind == "file" and item.value not in setting.choices:
            item = _anchored_file(section, setting, item, filled)
        settings[setting.name] = _typed(setting, item.value)
        filled.origins[f"{section}.{setting.name}"] = item.origin
    filled.part = Part(name=name, settings=settings)
    return filled


def _anchored_file(section: str, setting: Setting, given: Given, filled: Filled) -> Given:
    """The absolute path of a file, relative ones being seen from where they are written."""
    path = (given.folder / Path(given.value).expanduser()).resolve()
    if not path.is_file():
        words = " or ".join(map(str, setting.choices))
        near = did_you_mean(given.value, [*map(str, setting.choices), *_names_beside(path)])
        what = f"{section}.{setting.name}: no such file: {given.value}"
        filled.faults.append(
            Fault(what, given.place, f"{words}, or a file", near if near and "did you" in near else None)
        )
    return replace(given, value=str(path))


def _names_beside(path: Path) -> list[str]:
    return [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []


def learning_rate_fault(given: Given) -> Fault | None:
    """What is wrong with a learning rate of an optimizer that is not known."""
    fault = value_fault(learning_rate(0.001), given.value)
    what = f"optimizer.learning_rate cannot be {shown(given.value)}"
    return replace(fault, what=what, where=given.place, remedy=None) if fault else None


def _known_anywhere(section: str, word: str) -> Setting | None:
    """A setting of a part that has no row: only an optimizer's learning rate is known, and has no default."""
    return learning_rate(0.001) if section == "optimizer" and plain(word) == "learningrate" else None


def _unknown_setting(name: str, word: str, given: Given, row: Row | None) -> Fault:
    names = [setting.name for setting in getattr(row, "settings", ())]
    takes = f"one of {', '.join(names)}" if names else f"no settings: {name} takes none"
    near = did_you_mean(word, names)
    return Fault(f"{name} does not take {word}", given.place, takes, near if near and "did you" in near else None)


def _separated(name: str, setting: str, value: Any) -> str | None:
    """The remedy where another setting was written behind a comma: `weight_decay=0.1,amsgrad=true`."""
    if not isinstance(value, str) or not re.search(r",\s*\w+=", value):
        return None
    spelled = re.sub(r",\s*(?=\w+=)", ":", value)
    return f"settings are separated by colons: {name}:{setting}={spelled}"


def _typed(setting: Setting, value: Any) -> Any:
    """A whole number for a setting of real numbers as a float (Keras refuses an int as learning rate)."""
    if setting.kind == "number" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if setting.kind == "integer" and isinstance(value, float) and value.is_integer():
        return int(value)
    return value
