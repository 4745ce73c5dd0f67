"""Parts of a config as one writes them: with what differs from their defaults."""

from pathlib import Path

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
    own = is_user_code(value.name)
    usual = {} if own or value.name.startswith(FOREIGN) else defaults(TABLES[part](value.name))
    settings = {key: item for key, item in value.settings.items() if key != "learning_rate"}
    return spell_part(Path(value.name).name if own else value.name, settings, usual)


def label(config: Config, part: str) -> str:
    """`spelled`, and an optimizer with its learning rate: `adam, lr 0.001`."""
    rate = config.optimizer.settings.get("learning_rate") if part == "optimizer" else None
    return spelled(config, part) + ("" if rate is None else f", lr {rate:g}")
