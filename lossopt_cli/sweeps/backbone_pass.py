"""What the pass of a sweep's images through a frozen backbone takes, from a few of them."""

import time
from dataclasses import dataclass, replace

import numpy as np

from lossopt_cli.config.schema import Config
from lossopt_cli.config.stages import has_features
from lossopt_cli.data import cache
from lossopt_cli.data.problem import SPLITS, ImageInputs, Problem, Split
from lossopt_cli.training.devices import device_named
from lossopt_cli.training.transfer.backbone import Backbone
from lossopt_cli.training.transfer.features import KIND, Gathered, Pass, featured_split, gathered_of, on_features

FEW = 96  # images


@dataclass(frozen=True)
class Seen:
    """features: of a few images. seconds: what the pass of all takes; 0 where their features are in the cache."""

    features: Problem
    seconds: float

    def of(self, problem: Problem) -> Problem:
        """The problem with these features in the place of its own, over and over: what a step takes is the same."""
        known = self.features.train.inputs
        places = tuple(np.arange(len(problem.split(name))) % len(known) for name in SPLITS)
        return on_features(problem, np.asarray(known), Gathered((), places), "")


def seen(config: Config, problem: Problem) -> Seen | None:
    """None where no image goes through a backbone before the first step."""
    if not has_features(config) or not isinstance(problem.inputs, ImageInputs):
        return None
    device = device_named(config.train.device)
    backbone = Backbone.of(config.model.settings, problem.inputs, config.train.precision)
    whole = Pass(backbone, problem.inputs, gathered_of(problem, SPLITS), device)
    is_there = cache.found(KIND, whole.key) is not None
    began_at = time.perf_counter()
    model = backbone.build()
    few = replace(problem, train=_first(problem.train, FEW), validation=_first(problem.validation, 0))
    heard: list[tuple[int, float]] = []

    def told(done: int, count: int) -> None:
        heard.append((done, time.perf_counter()))

    features = featured_split(model, config, few, "train", device, told)
    (first, first_at), (last, last_at) = heard[0], heard[-1]
    each = (last_at - first_at) / (last - first) if last > first else (last_at - began_at) / last
    views = 0 if config.train.augment is None else min(config.train.augment.views, config.train.epochs)
    left = views * len(problem.train) + (0 if is_there else len(whole.gathered))
    return Seen(features, first_at - began_at + each * left if left else 0.0)


def _first(split: Split, count: int) -> Split:
    return Split(split.inputs[:count], split.targets[:count], split.rows[:count])
