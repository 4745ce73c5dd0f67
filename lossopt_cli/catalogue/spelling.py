"""Parts of a recipe as one writes them, with what differs from their defaults; and which spellings mean the same."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lossopt_cli.catalogue.losses import loss_named, stands_for
from lossopt_cli.catalogue.models import model_named
from lossopt_cli.catalogue.optimizers import FOREIGN, optimizer_named
from lossopt_cli.catalogue.recipes import is_user_code, spell_part
from lossopt_cli.catalogue.rows import NOTHING, OptimizerRow, defaults
from lossopt_cli.catalogue.schedules import schedule_named

TABLES = {
    "loss": loss_named,
    "optimizer": optimizer_named,
    "model": model_named,
    "schedule": schedule_named,
}
CONSTANT = "constant"  # the schedule that having none means


def spelled_as(part: str, name: str, settings: Mapping[str, Any], code: Mapping[str, Any] = NOTHING) -> str:
    """`sgd:momentum=0.9`, without the learning rate; files by their last name.

    code: as result.json keeps it, by name; where it has the defaults of the user's signature, these are not told."""
    if _is_elsewhere(name):
        usual = code.get(name, NOTHING).get("defaults", NOTHING)
        return spell_part(_last_name(name), _without_rate(settings), usual)
    row = TABLES[part](name)
    files = {s.name for s in row.settings if s.kind == "file"}
    told = {key: Path(str(value)).name if key in files else value for key, value in _without_rate(settings).items()}
    return spell_part(name, told, defaults(row))


def meaning(part: str, name: str, settings: Mapping[str, Any], task: str) -> str:
    """What is `meant`, as a text: every setting is in it but the learning rate."""
    what, settings = meant(part, name, settings, task)
    return spell_part(what, dict(sorted(_without_rate(settings).items())), {})


def meant(part: str, name: str, settings: Mapping[str, Any], task: str) -> tuple[str, dict[str, Any]]:
    """The same name and settings for all that means the same, however it is written: `momentum` and
    `sgd:momentum=0.9`, `cross_entropy` on several classes and `sparse_categorical_crossentropy`.

    Every setting is among them. The same class of two libraries is two things."""
    if _is_elsewhere(name):
        return _last_name(name), dict(settings)
    row = TABLES[part](name)
    settings = {**defaults(row), **settings}
    if part == "loss":
        row, settings = stands_for(row, task, settings)
        settings = {**defaults(row), **settings}
    return f"{row.library}.{row.class_name}" if isinstance(row, OptimizerRow) else row.name, settings


def _is_elsewhere(name: str) -> bool:
    """Whether no row of the catalogue has its defaults: a user's code, another library."""
    return is_user_code(name) or name.startswith(FOREIGN)


def _last_name(name: str) -> str:
    return Path(name).name if is_user_code(name) else name


def _without_rate(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if key != "learning_rate"}
