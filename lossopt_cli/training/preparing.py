"""What a trial, or a stage of it, trains with: model, loss and rule on the device, and the data as they are fed."""

from dataclasses import dataclass, replace
from pathlib import Path

import keras
import torch

from lossopt_cli.config.schema import Config
from lossopt_cli.data.problem import SPLITS, Problem
from lossopt_cli.errors import Fault, UsageError
from lossopt_cli.training.augmentation import Augmentation
from lossopt_cli.training.building import Build, UserParts, build, is_pure
from lossopt_cli.training.examination import Examination
from lossopt_cli.training.feeding import feed
from lossopt_cli.training.plain import PlainProgram
from lossopt_cli.training.user_code import Running


@dataclass(frozen=True)
class Parts:
    """What a stage of a trial trains with. plain: no pure step can train the model."""

    built: Build
    examination: Examination
    plain: bool


def parts_of(
    config: Config,
    problem: Problem,
    user: UserParts,
    device: torch.device,
    changes: Augmentation | None,
    *,
    tracing: bool,
) -> Parts:
    """problem: as the network is fed it. changes: of training images, unless it has views of them."""
    built = build(config, problem, user)
    with keras.device(keras_name(device)):
        program = built.program(device, tracing)
        splits = {name: problem.split(name) for name in SPLITS}
        feeds = {
            name: feed(problem, own, built.objective, device, built.channels_first) for name, own in splits.items()
        }
        first = next(feeds["train"].epoch(config.train.seed, 0, config.train.batch_size))
        if changes is not None and not feeds["train"].views:
            feeds["train"] = replace(feeds["train"], augmentation=changes)
        with Running(files_of(user), None):
            _try_loss(built, program, first)
            plain = not is_pure(program, *first)
        if plain:
            program = _plain_program(built, device)
        return Parts(built, Examination(problem, built.objective, feeds, program, config.train.batch_size), plain)


def _plain_program(built: Build, device: torch.device) -> PlainProgram:
    if built.optimizer is None:
        raise UsageError(
            Fault(
                "the model draws random numbers without a SeedGenerator, and the optimizer is torch's",
                "--model",
                remedy="pass seed=keras.random.SeedGenerator(...) to keras.random, or use a Keras optimizer",
            )
        )
    return built.plain_program(device)


def _try_loss(built: Build, program, first) -> None:
    """Calls a loss of the user's once on the first batch, so that what is wrong with it is said before training."""
    loss = built.objective.loss
    if built.user["loss"] is None or not hasattr(loss, "check"):
        return
    inputs, targets = first
    raw = program.predict(program.start(), inputs).requires_grad_()
    loss.check(targets, raw)


def keras_name(device: torch.device) -> str:
    return "cpu" if device.type == "cpu" else f"{device.type}:{device.index or 0}"


def files_of(user: UserParts) -> frozenset[Path]:
    return frozenset(path for obj in user.objects.values() for path in obj.files)
