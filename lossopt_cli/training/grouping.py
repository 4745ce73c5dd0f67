"""Which trials can be trained together: those whose steps are one computation. No torch."""

from lossopt_cli.catalogue.optimizers import optimizer_named
from lossopt_cli.catalogue.recipes import is_user_code
from lossopt_cli.config.schema import Config
from lossopt_cli.config.stages import has_backbone, has_features
from lossopt_cli.runs.fingerprint import canonical


def stack_key(config: Config) -> str | None:
    """What trials of one stack have in common: all of the config but learning rate, schedule and seed. None for a
    trial that goes alone: its optimizer is torch's, its engine is `single`, or a backbone sees every batch of it. Of an
    optimizer of the user's own it is found out whether it can be stacked (`own_updates`).

    Where `data.split_seed` is `seed` the seed belongs to it. Trials with one key have the same problem, too, and may be
    given the same Problem.
    """
    name = config.optimizer.name
    if config.train.engine == "single" or (optimizer_named(name) is None and not is_user_code(name)):
        return None
    if has_backbone(config) and not has_features(config):
        return None
    plain = config.model_dump(exclude={"schedule", "sweep"})
    plain["optimizer"].pop("learning_rate", None)
    seed = plain["train"].pop("seed")
    return canonical({**plain, "split": seed if config.data.split_seed == "seed" else None})
