"""Parts of a config as one writes them: with what differs from their defaults."""

from collections.abc import Mapping

from lossopt_cli.catalogue.recipes import is_user_code
from lossopt_cli.catalogue.rows import NOTHING
from lossopt_cli.catalogue.spelling import spelled_as
from lossopt_cli.config.schema import Config


def spelled(config: Config, part: str, code: Mapping = NOTHING) -> str:
    """`sgd:momentum=0.9`, without the learning rate; a user's file by its last name. code: as in `spelled_as`."""
    value = getattr(config, part)
    return spelled_as(part, value.name, value.settings, code)


def brief(config: Config, part: str) -> str:
    """`spelled` for the name of a folder: of a user's code only the name, for all its settings would be told."""
    name = getattr(config, part).name
    return name.rpartition(":")[2] if is_user_code(name) else spelled(config, part)


def label(config: Config, part: str, code: Mapping = NOTHING) -> str:
    """`spelled`, and an optimizer with its learning rate: `adam, lr 0.001`."""
    rate = config.optimizer.settings.get("learning_rate") if part == "optimizer" else None
    return spelled(config, part, code) + ("" if rate is None else f", lr {rate:g}")
