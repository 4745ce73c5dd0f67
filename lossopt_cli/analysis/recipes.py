"""Runs of one problem as recipes: what is the same, however it is written."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from lossopt_cli.catalogue.optimizers import default_rate
from lossopt_cli.catalogue.recipes import is_user_code
from lossopt_cli.catalogue.spelling import CONSTANT, meaning, spelled_as
from lossopt_cli.errors import UsageError
from lossopt_cli.runs.fingerprint import SETTING_OF_TRAIN
from lossopt_cli.runs.records import Record

PARTS = ("loss", "optimizer", "schedule")


@dataclass(frozen=True, eq=False)
class Recipe:
    """A loss with an optimizer and a schedule in a setting, and its runs at every learning rate and seed.

    loss, optimizer, schedule: the shortest of their spellings, without the learning rate; schedule is None for none.
    setting: all of it, by config key. code: hashes of the user's files that it is written in, if any. of_baseline:
    whether its runs are of a folder that the others are compared with; they are never mixed with those. identity: equal
    for recipes that mean the same. tuned: config keys that are tuned as the learning rate is, so no part of it."""

    loss: str
    optimizer: str
    schedule: str | None
    setting: Mapping[str, Any]
    setting_hash: str
    code: str
    of_baseline: bool
    records: tuple[Record, ...]
    identity: tuple[str, ...]
    tuned: tuple[str, ...]

    def tuned_in(self, record: Record) -> dict[str, Any]:
        """The values in this run of the settings that are tuned, by config key."""
        found = {}
        for key in self.tuned:
            part, _, setting = key.partition(".")
            found[key] = (record.config.get(part) or {}).get(setting)
        return found

    @property
    def default_rate(self) -> float | None:
        return default_rate(self.records[0].result["optimizer"]["name"])


def recipes_of(records: Iterable[Record], *, of_baseline: bool = False) -> list[Recipe]:
    """The records by recipe, in order of their first runs. Equal recipes that are written differently are one."""
    written: dict[tuple[str, ...], list[Record]] = defaultdict(list)
    for record in records:
        written[_as_written(record)].append(record)
    same: dict[tuple[str, ...], list[list[Record]]] = defaultdict(list)
    for alike in written.values():
        same[_identity(alike[0])].append(alike)
    return [_recipe(identity, spellings, of_baseline) for identity, spellings in same.items()]


def _as_written(record: Record) -> tuple[str, ...]:
    """Equal for records whose recipes are written alike, so that the catalogue is asked once for all of them."""
    result = record.result
    optimizer = {key: value for key, value in result["optimizer"].items() if key != "learning_rate"}
    schedule, code = result["config"].get("schedule"), record.code
    parts = (result["loss"], optimizer, schedule, code, record.tuned)
    return record.setting, *map(repr, parts)


def _identity(record: Record) -> tuple[str, ...]:
    """loss, optimizer, schedule, setting, code, what is tuned: equal for recipes that mean the same."""
    parts = _parts(record)
    meant = (_meaning(part, settings, record.task) for part, settings in parts.items())
    code = record.code
    names = (settings["name"] for settings in parts.values() if is_user_code(settings["name"]))
    own = (code.get(name, {}).get("sha256", "") for name in names)
    return (*meant, record.setting, "".join(own), " ".join(record.tuned))


def _recipe(identity: tuple[str, ...], spellings: Sequence[Sequence[Record]], of_baseline: bool) -> Recipe:
    """spellings: the runs of each way in which it is written."""
    *_, setting_hash, code, _ = identity
    first = spellings[0][0]
    written = [(_parts(alike[0]), alike[0].code) for alike in spellings]
    spelled = {
        part: min((_spelled(part, parts[part], code) for parts, code in written), key=_brevity) for part in PARTS
    }
    return Recipe(
        loss=spelled["loss"],
        optimizer=spelled["optimizer"],
        schedule=None if spelled["schedule"] == CONSTANT else spelled["schedule"],
        setting=_setting(first),
        setting_hash=setting_hash,
        code=code,
        of_baseline=of_baseline,
        records=tuple(chain.from_iterable(spellings)),
        identity=identity,
        tuned=first.tuned,
    )


def _parts(record: Record) -> dict[str, dict[str, Any]]:
    """Each of PARTS with its settings, but for those that are tuned."""
    schedule = record.config.get("schedule") or {"name": CONSTANT}
    parts = zip(PARTS, (record.result["loss"], record.result["optimizer"], schedule), strict=True)
    return {
        part: {key: value for key, value in settings.items() if f"{part}.{key}" not in record.tuned}
        for part, settings in parts
    }


def _meaning(part: str, settings: Mapping[str, Any], task: str) -> str:
    name, rest = _split(settings)
    try:
        return meaning(part, name, rest, task)
    except UsageError:  # a name that this version does not know stands for itself
        return repr(sorted(settings.items()))


def _spelled(part: str, settings: Mapping[str, Any], code: Mapping[str, Any]) -> str:
    name, rest = _split(settings)
    try:
        return spelled_as(part, name, rest, code)
    except UsageError:
        return name


def _brevity(text: str) -> tuple[int, str]:
    return len(text), text


def _split(settings: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    return settings["name"], {key: value for key, value in settings.items() if key != "name"}


def _setting(record: Record) -> dict[str, Any]:
    """What the runs of a problem may differ in beside the recipe, by config key."""
    config = record.config
    model = config.get("model") or {"name": "none"}
    found = {"model": _spelled("model", model, record.code)}
    found |= {f"train.{key}": config["train"].get(key) for key in SETTING_OF_TRAIN}
    if record.task == "regression":
        found["data.scale_target"] = config["data"].get("scale_target", True)
    return found
