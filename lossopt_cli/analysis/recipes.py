"""Runs of one problem as recipes: what is the same however it is written, what differs, and how each is called."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lossopt_cli.catalogue.recipes import is_user_code
from lossopt_cli.catalogue.rows import defaults
from lossopt_cli.catalogue.spelling import CONSTANT, TABLES, meaning, spelled_as
from lossopt_cli.errors import UsageError
from lossopt_cli.runs.fingerprint import SETTING_OF_TRAIN
from lossopt_cli.runs.records import Record

IN_THE_HEAD = ("model", "train.epochs", "train.batch_size")  # of the setting, said even where all agree
CODE_SHOWN = 6  # hexadecimal digits of a hash that tells two of one name apart


@dataclass(frozen=True, eq=False)
class Recipe:
    """A loss with an optimizer and a schedule in a setting, and its runs at every learning rate and seed.

    loss, optimizer, schedule: the shortest of their spellings, without the learning rate; schedule is None for none.
    setting: all of it, by config key. code: hashes of the user's files that it is written in, if any. of_baseline:
    whether its runs are of a folder that the others are compared with; they are never mixed with those. identity: equal
    for recipes that mean the same."""

    loss: str
    optimizer: str
    schedule: str | None
    setting: Mapping[str, Any]
    setting_hash: str
    code: str
    of_baseline: bool
    records: tuple[Record, ...]
    identity: tuple[str, ...]

    @property
    def default_rate(self) -> float | None:
        """What the optimizer's row has; None for one that has no row."""
        part = self.records[0].result["optimizer"]
        try:
            row = TABLES["optimizer"](part["name"])
        except UsageError:  # a name that this version does not know
            return None
        return defaults(row).get("learning_rate") if row is not None else None


def recipes_of(records: Iterable[Record], *, of_baseline: bool = False) -> list[Recipe]:
    """The records by recipe, in order of their first runs. Equal recipes that are written differently are one."""
    written: dict[tuple, list[Record]] = defaultdict(list)
    for record in records:
        written[_as_written(record)].append(record)
    same: dict[tuple, list[Record]] = defaultdict(list)
    for alike in written.values():
        same[_identity(alike[0])] += alike
    return [_recipe(identity, alike, of_baseline) for identity, alike in same.items()]


def differing(recipes: Sequence[Recipe]) -> list[str]:
    """The config keys of the setting in which some of the recipes differ."""
    keys = dict.fromkeys(key for recipe in recipes for key in recipe.setting)
    return [key for key in keys if not _agree(recipe.setting.get(key) for recipe in recipes)]


def names(recipes: Sequence[Recipe]) -> list[str]:
    """`adam`, `mse + adam`, `adam + cosine`, `adam (epochs=5)`: as short as tells them apart, all different."""
    losses_vary = not _agree(recipe.loss for recipe in recipes)
    optimizers_vary = not _agree(recipe.optimizer for recipe in recipes)
    found = []
    for recipe in recipes:
        loss = [recipe.loss] if losses_vary else []
        optimizer = [recipe.optimizer] if optimizers_vary or not losses_vary else []
        schedule = [recipe.schedule] if recipe.schedule and not _agree(other.schedule for other in recipes) else []
        found.append(" + ".join([*loss, *optimizer, *schedule]))
    found = _told_apart(found, recipes, _by_setting)
    found = [name + " (baseline)" * recipe.of_baseline for name, recipe in zip(found, recipes, strict=True)]
    found = _told_apart(found, recipes, lambda recipe, alike: f"setting {recipe.setting_hash[:CODE_SHOWN]}")
    return _told_apart(found, recipes, lambda recipe, alike: f"code {recipe.code[:CODE_SHOWN]}")


def common(recipes: Sequence[Recipe]) -> dict[str, Any]:
    """What all recipes share and no name of theirs says: model, loss, optimizer, schedule, epochs, batch size."""
    shared: dict[str, Any] = {}
    varying = differing(recipes)
    first = recipes[0]
    model, *numbers = IN_THE_HEAD
    if model not in varying:
        shared[model] = first.setting[model]
    losses_vary = not _agree(recipe.loss for recipe in recipes)
    if not losses_vary:
        shared["loss"] = first.loss
    elif _agree(recipe.optimizer for recipe in recipes):
        shared["optimizer"] = first.optimizer
    if first.schedule and _agree(recipe.schedule for recipe in recipes):
        shared["schedule"] = first.schedule
    return shared | {key: first.setting[key] for key in numbers if key not in varying}


def _as_written(record: Record) -> tuple:
    """Equal for records whose recipes are written alike, so that the catalogue is asked once for all of them."""
    result = record.result
    optimizer = {key: value for key, value in result["optimizer"].items() if key != "learning_rate"}
    schedule, code = result["config"].get("schedule"), result.get("code")
    return record.setting, repr(result["loss"]), repr(optimizer), repr(schedule), repr(code)


def _identity(record: Record) -> tuple[str, str, str, str, str]:
    """loss, optimizer, schedule, setting, code: equal for recipes that mean the same."""
    parts = _parts(record)
    meant = tuple(_meaning(part, settings, record.task) for part, settings in parts.items())
    code = record.result.get("code") or {}
    own = (code.get(settings["name"], "") for settings in parts.values() if is_user_code(settings["name"]))
    return (*meant, record.setting, "".join(own))


def _recipe(identity: tuple, records: Sequence[Record], of_baseline: bool) -> Recipe:
    *_, setting_hash, code = identity
    written = {_as_written(record): record for record in records}.values()
    spelled = {part: _shortest(part, written) for part in ("loss", "optimizer", "schedule")}
    none = spelled["schedule"] == CONSTANT
    return Recipe(
        loss=spelled["loss"],
        optimizer=spelled["optimizer"],
        schedule=None if none else spelled["schedule"],
        setting=_setting(records[0]),
        setting_hash=setting_hash,
        code=code,
        of_baseline=of_baseline,
        records=tuple(records),
        identity=identity,
    )


def _parts(record: Record) -> dict[str, Mapping[str, Any]]:
    schedule = record.config.get("schedule") or {"name": CONSTANT}
    return {"loss": record.result["loss"], "optimizer": record.result["optimizer"], "schedule": schedule}


def _meaning(part: str, settings: Mapping[str, Any], task: str) -> str:
    name, rest = _split(settings)
    try:
        return meaning(part, name, rest, task)
    except UsageError:  # a name that this version does not know stands for itself
        return repr(sorted(settings.items()))


def _shortest(part: str, records: Iterable[Record]) -> str:
    return min((_spelled(part, _parts(record)[part]) for record in records), key=lambda text: (len(text), text))


def _spelled(part: str, settings: Mapping[str, Any]) -> str:
    name, rest = _split(settings)
    try:
        return spelled_as(part, name, rest)
    except UsageError:
        return name


def _split(settings: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    return settings["name"], {key: value for key, value in settings.items() if key != "name"}


def _setting(record: Record) -> dict[str, Any]:
    """What the runs of a problem may differ in beside the recipe, by config key."""
    config = record.config
    model = config.get("model") or {"name": "none"}
    found = {"model": _spelled("model", model)}
    found |= {f"train.{key}": config["train"].get(key) for key in SETTING_OF_TRAIN}
    if record.task == "regression":
        found["data.scale_target"] = config["data"].get("scale_target", True)
    return found


def _agree(values: Iterable[Any]) -> bool:
    return len({repr(value) for value in values}) <= 1


def _told_apart(
    found: Sequence[str], recipes: Sequence[Recipe], mark: Callable[[Recipe, Sequence[Recipe]], str]
) -> list[str]:
    """The names; those that several recipes have, with a mark in brackets."""
    named = defaultdict(list)
    for name, recipe in zip(found, recipes, strict=True):
        named[name].append(recipe)
    marked = []
    for name, recipe in zip(found, recipes, strict=True):
        said = mark(recipe, named[name]) if len(named[name]) > 1 else ""
        marked.append(f"{name} ({said})" if said else name)
    return marked


def _by_setting(recipe: Recipe, alike: Sequence[Recipe]) -> str:
    """`mlp, epochs=5`: what of the setting tells it from those of the same name."""
    values = {key: recipe.setting.get(key) for key in differing(alike)}
    return ", ".join(
        str(value) if key == "model" else f"{key.rpartition('.')[2]}={value}" for key, value in values.items()
    )
