"""The words by which a value of the config can be given outside a file: flag, environment variable, dotted
key.

One row a word, so that flags, LOSSOPT_* variables and keys cannot drift apart. Plain data, no pydantic.
"""

from dataclasses import dataclass
from typing import Literal

PARTS = ("data", "model", "loss", "optimizer", "schedule")
SECTIONS = (*PARTS, "train", "sweep")
AXES = ("loss", "optimizer", "learning_rate", "seeds", "seed", "data", "model")


@dataclass(frozen=True)
class Word:
    """name: as `resolve` takes it in `flags`. kind: how its text is read; a recipe is NAME[:key=value...],
    text stays text, a column is a whole number or text, a value is a YAML 1.2 scalar, a switch is one of the scalars
    true and false, whose flag stands alone."""

    name: str
    flag: str
    variable: str
    key: str
    kind: Literal["recipe", "data", "text", "column", "value", "switch"] = "value"


WORDS = (
    Word("data", "--data", "LOSSOPT_DATA", "data", "data"),
    Word("target", "--target", "LOSSOPT_TARGET", "data.target", "column"),
    Word("skip_bad_images", "--skip-bad-images", "LOSSOPT_SKIP_BAD_IMAGES", "data.skip_bad_images", "switch"),
    Word("model", "--model", "LOSSOPT_MODEL", "model", "recipe"),
    Word("loss", "--loss", "LOSSOPT_LOSS", "loss", "recipe"),
    Word("optimizer", "--opt", "LOSSOPT_OPT", "optimizer", "recipe"),
    Word("learning_rate", "--lr", "LOSSOPT_LR", "optimizer.learning_rate"),
    Word("schedule", "--schedule", "LOSSOPT_SCHEDULE", "schedule", "recipe"),
    Word("epochs", "--epochs", "LOSSOPT_EPOCHS", "train.epochs"),
    Word("batch_size", "--batch-size", "LOSSOPT_BATCH_SIZE", "train.batch_size"),
    Word("seed", "--seed", "LOSSOPT_SEED", "train.seed"),
    Word("metric", "--metric", "LOSSOPT_METRIC", "train.metric", "text"),
    Word("device", "--device", "LOSSOPT_DEVICE", "train.device", "text"),
    Word("precision", "--precision", "LOSSOPT_PRECISION", "train.precision", "text"),
    Word("threads", "--threads", "LOSSOPT_THREADS", "train.threads"),
    Word("engine", "--engine", "LOSSOPT_ENGINE", "train.engine", "text"),
)
OTHER_VARIABLES = ("LOSSOPT_LOGS", "LOSSOPT_CACHE", "LOSSOPT_CACHE_LIMIT")


def word_named(name: str) -> Word:
    """The word that `resolve` takes under this name; KeyError for another name is a fault of ours."""
    return {word.name: word for word in WORDS}[name]
