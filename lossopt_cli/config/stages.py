"""Which way images take through the backbone of a trial: once for all steps, or at every step, and in which stages."""

from dataclasses import dataclass

from lossopt_cli.config.schema import Config
from lossopt_cli.errors import Fault, UsageError

MODEL = "transfer"
HUNDREDTH = 0.01  # of the optimizer's learning rate, for weights that others have trained


@dataclass(frozen=True)
class SecondStage:
    """In the last epochs the top layers of the backbone train, too. after: how many epochs are before it."""

    layers: int
    after: int
    learning_rate: float | None

    def rate(self, first: float) -> float:
        """Its learning rate, where the first stage has this one."""
        return HUNDREDTH * first if self.learning_rate is None else self.learning_rate


def has_backbone(config: Config) -> bool:
    """Whether a backbone stands before the head."""
    return config.model is not None and config.model.name == MODEL


def is_slow(config: Config) -> bool:
    """Whether augmentation makes new images at every step, so that the backbone sees each batch anew."""
    augment = config.train.augment
    return has_backbone(config) and augment is not None and not augment.views


def has_features(config: Config) -> bool:
    """Whether images go through the backbone once, before the first step."""
    return has_backbone(config) and not is_slow(config) and second_stage(config) is None


def second_stage(config: Config) -> SecondStage | None:
    """None where the backbone stays frozen. UsageError where there are too few epochs for two stages."""
    if not has_backbone(config):
        return None
    settings, epochs = config.model.settings, config.train.epochs
    count, own = settings["unfreeze"], settings["unfreeze_epochs"]
    if not count:
        named = next((key for key in ("unfreeze_epochs", "unfreeze_learning_rate") if settings[key] is not None), None)
        if named is not None:
            raise UsageError(Fault(f"{named} without unfreeze: nothing is unfrozen", f"model.{named}", "unfreeze=20"))
        return None
    last = max(1, epochs // 2) if own is None else own
    if last >= epochs:
        what = f"{last} of {epochs} epochs with an unfrozen backbone leave none for the head before"
        remedy = "more epochs" if own is None else f"model.unfreeze_epochs={max(1, epochs // 2)}, or more epochs"
        raise UsageError(Fault(what, "model.unfreeze_epochs", "fewer than train.epochs", remedy))
    return SecondStage(count, epochs - last, settings["unfreeze_learning_rate"])


def as_frozen(config: Config) -> Config:
    """The config of the first stage: its backbone stays as it is."""
    if not has_backbone(config):
        return config
    return _with(config, unfreeze=0, unfreeze_epochs=None, unfreeze_learning_rate=None)


def shortened(config: Config, epochs: int) -> Config:
    """The config with fewer epochs, for a trial of which nothing is kept: a second stage has half of them, and there is
    none in a single epoch."""
    if second_stage(config) is not None:
        config = _with(config, unfreeze_epochs=None) if epochs > 1 else as_frozen(config)
    return config.model_copy(update={"train": config.train.model_copy(update={"epochs": epochs})})


def _with(config: Config, **settings: int | None) -> Config:
    model = config.model.model_copy(update={"settings": {**config.model.settings, **settings}})
    return config.model_copy(update={"model": model})
