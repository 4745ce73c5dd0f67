"""Parts of a config as one writes them: with what differs from their defaults."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lossopt_cli.catalogue.losses import loss_named
from lossopt_cli.catalogue.models import model_named
from lossopt_cli.catalogue.optimizers import FOREIGN, optimizer_named
from lossopt_cli.catalogue.recipes import is_user_code, spell_part
from lossopt_cli.catalogue.rows import defaults
from lossopt_cli.catalogue.schedules import schedule_named
from lossopt_cli.config.schema import Config

TABLES = {
    "loss": loss_named,
    "optimizer": optimizer_named,
    "model": model_named,
    "schedule": schedule_named,
}


def spelled(config: Config, part: str) -> str:
    """`sgd:momentum=0.9`, without the learning rate; a user's file by its last name."""
    value = getattr(config, part)
    return spelled_as(part, value.name, value.settings)


def spelled_as(part: str, name: str, settings: Mapping[str, Any]) -> str:
    """`spelled`, of a name and its settings."""
    own = is_user_code(name)
    usual = {} if own or name.startswith(FOREIGN) else defaults(TABLES[part](name))
    shown = {key: item for key, item in settings.items() if key != "learning_rate"}
    return spell_part(Path(name).name if own else name, shown, usual)


def brief(config: Config, part: str) -> str:
    """`spelled` for the name of a folder: of a user's code only the name, for all its settings would be told."""
    name = getattr(config, part).name
    return name.rpartition(":")[2] if is_user_code(name) else spelled(config, part)


def label(config: Config, part: str) -> str:
    """`spelled`, and an optimizer with its learning rate: `adam, lr 0.001`."""
    rate = config.optimizer.settings.get("learning_rate") if part == "optimizer" else None
    return spelled(config, part) + ("" if rate is None else f", lr {rate:g}")
