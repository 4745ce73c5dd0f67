"""What the pass of a sweep's images through a frozen backbone takes, from a few of them."""

import time
from dataclasses import dataclass

import numpy as np

from lossopt_cli.config.schema import Config
from lossopt_cli.config.stages import has_backbone, is_slow, second_stage
from lossopt_cli.data.problem import SPLITS, ImageInputs, Problem
from lossopt_cli.training.devices import device_named
from lossopt_cli.training.transfer.backbone import Backbone
from lossopt_cli.training.transfer.extraction import batch_size
from lossopt_cli.training.transfer.features import Pass, extraction_of
from lossopt_cli.training.transfer.gathering import Gathered, gathered_of, on_features
from lossopt_cli.training.transfer.pixels import check_pixels, images_of

FEW, FEW_BATCHES = 96, 4  # images, whichever is more


@dataclass(frozen=True)
class Seen:
    """features: of such images, of a few or of all. seconds: what the pass takes; 0 where all is in the cache already.
    is_all: whether no image goes through the backbone after the pass."""

    images: ImageInputs
    features: np.ndarray
    seconds: float
    is_all: bool

    def of(self, problem: Problem) -> Problem:
        """The problem with these features in the place of its own, over and over: what a step takes is the same. The
        problem itself where its steps need the images, too."""
        if not self.is_all:
            return problem
        places = tuple(np.arange(len(problem.split(name))) % len(self.features) for name in SPLITS)
        return on_features(problem, self.images, self.features, Gathered((), places), "")


def seen(config: Config, problem: Problem) -> Seen | None:
    """None where no image goes through a backbone before the first step. UsageError as `featured` has it."""
    if not has_backbone(config) or is_slow(config) or (images := images_of(problem)) is None:
        return None
    check_pixels(config.model.settings, problem)
    device, stage = device_named(config.train.device), second_stage(config)
    backbone = Backbone.of(config.model.settings, images, config.train.precision)
    whole = Pass(backbone, images, gathered_of(problem, SPLITS), device)
    epochs, kept = config.train.epochs if stage is None else stage.after, whole.kept()
    views = 0 if config.train.augment is None else min(config.train.augment.views, epochs)
    left = views * len(problem.train) + (0 if kept is not None else len(whole.gathered))
    if not left:
        return Seen(images, kept.features, 0.0, stage is None)
    began_at = time.perf_counter()
    few = problem.train.inputs[: max(FEW, FEW_BATCHES * batch_size(images.shape, device))]
    extraction = extraction_of(backbone.build(), config.train.precision, images, [few], device)
    heard = [(0, time.perf_counter())]

    def told(done: int, count: int) -> None:
        heard.append((done, time.perf_counter()))

    features = np.concatenate(list(extraction.features([few], images.scale, told)))
    # the first batch is slower: kernels are made for it
    (first, first_at), (last, last_at) = heard[1 if len(heard) > 2 else 0], heard[-1]
    seconds = heard[0][1] - began_at + (last_at - first_at) / (last - first) * left
    return Seen(images, features, seconds, stage is None)
