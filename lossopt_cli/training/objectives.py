"""The loss function of a recipe: the library's own object, and where it pays the same formula in fewer kernels."""

import math
from collections.abc import Mapping
from functools import partial

import keras
import torch
import torch.nn.functional as F

from lossopt_cli.catalogue.losses import fit as fit_of
from lossopt_cli.catalogue.losses import loss_named, stands_for
from lossopt_cli.catalogue.rows import Fit, LossRow, defaults
from lossopt_cli.config.schema import Config
from lossopt_cli.data.problem import Problem
from lossopt_cli.data.trial import units_of
from lossopt_cli.errors import Fault, UsageError
from lossopt_cli.training.targets import LossFunction, Objective, activation
from lossopt_cli.training.user_parts import UserLoss

# Losses in torch's own kernels, where the Keras form takes three to ten calls or branches on values, which no trace
# can follow. Each agrees with Keras's to rounding (a test holds value and gradient to a NumPy twin); the settings named
# are the only ones that may differ from their defaults.
NATIVE = {
    "sparse_categorical_crossentropy": (),
    "categorical_crossentropy": ("label_smoothing",),
    "binary_crossentropy": (),
    "mse": (),
    "mae": (),
    "huber": ("delta",),
    "hinge": (),
    "squared_hinge": (),
    "categorical_generalized_cross_entropy": ("q",),
}


def objective_of(config: Config, problem: Problem, user: UserLoss | None = None, activated: bool = False) -> Objective:
    """What the config's loss means on this problem. UsageError with the reason where it makes no sense.

    activated: the model ends in a softmax or sigmoid of its own.
    """
    if user is not None:
        return _user_objective(config, problem, user, activated)
    named = loss_named(config.loss.name, "--loss")
    fit = fit_of(named, problem.task, config.loss.settings, "--loss")
    if problem.task == "regression" and (width := math.prod(problem.train.targets.shape[1:])) != 1:
        raise UsageError(
            Fault(
                f"the targets are {width} numbers an example, and {named.name} is trained with one",
                "--data",
                "one number an example; a loss of your own (file.py:function) may take any shape",
            )
        )
    if problem.task == "regression" and (reason := fit.refuses(problem.train.targets)):
        what = f"{named.name} does not fit these targets: {reason}"
        raise UsageError(Fault(what, "--loss", remedy="take mse or mae"))
    row, settings = stands_for(named, problem.task, config.loss.settings)
    units = units_of(fit, problem)
    if activated and fit.reads == "logits":
        raise UsageError(
            Fault(
                f"the model ends in a softmax or sigmoid, and {named.name} reads raw outputs",
                "--model",
                "a linear last layer: the activation that a loss needs is lossopt's job",
                f"drop the activation, or --loss {named.name}:from_logits=false",
            )
        )
    read = activation(fit, units) if fit.reads == "probabilities" and not activated else None
    reference = _library_loss(row, settings)
    fast = _engine_loss(row, settings) or reference
    wrap = partial(_seen_by_loss, problem=problem, fit=fit, read=read)
    return Objective(row.name, row.library, fit, units, wrap(fast), wrap(reference), settings, activated)


def _seen_by_loss(loss: LossFunction, problem: Problem, fit: Fit, read) -> LossFunction:
    """The loss of what it reads, from raw outputs: as they are, as probabilities, or in the target's own units."""
    if fit.own_units:
        deviation, mean = problem.target_deviation, problem.target_mean
        return lambda targets, raw: loss(targets, raw * deviation + mean)
    return (lambda targets, raw: loss(targets, read(raw))) if read else loss


def _user_objective(config: Config, problem: Problem, user: UserLoss, activated: bool) -> Objective:
    """Unless the file's settings say otherwise: one-hot (two classes: one 0/1 column) targets and raw outputs."""
    usual = {"multiclass": "one_hot", "binary": "binary", "regression": "numbers"}[problem.task]
    targets = user.targets or usual
    reads = user.reads or ("values" if problem.task == "regression" else "scores")
    one = targets in ("binary", "numbers") or (targets == "signs" and problem.task == "binary")
    threshold = 0.5 if reads == "probabilities" or (reads == "scores" and targets == "binary") else 0.0
    fit = Fit(targets, "one" if one else "classes", reads, threshold)
    units = units_of(fit, problem)
    read = activation(fit, units) if reads == "probabilities" and not activated else None
    loss = _seen_by_loss(user, problem, fit, read)
    return Objective(user.obj.name, "user", fit, units, loss, loss, user.settings_resolved, activated)


def _library_loss(row: LossRow, settings: Mapping) -> LossFunction:
    """(targets, what the loss reads) -> scalar through the library's own loss object."""
    if row.library == "keras":
        return getattr(keras.losses, row.class_name)(**settings)
    tensors = {key: torch.tensor(value) if isinstance(value, list) else value for key, value in settings.items()}
    loss = getattr(torch.nn, row.class_name)(**tensors)
    return lambda targets, read: loss(read, targets)


def _engine_loss(row: LossRow, settings: Mapping) -> LossFunction | None:
    """The same in a few kernels, where there are such for these settings."""
    if row.library != "keras" or row.name not in NATIVE:
        return None
    initial = defaults(row)
    changed = {key for key, value in settings.items() if value != initial.get(key)}
    return _NATIVE_LOSSES[row.name](settings) if changed <= set(NATIVE[row.name]) else None


def _cross_entropy(settings: Mapping) -> LossFunction:
    smoothing = settings.get("label_smoothing") or 0.0
    return lambda targets, raw: F.cross_entropy(raw, targets, label_smoothing=smoothing)


def _generalized(targets: torch.Tensor, probabilities: torch.Tensor, q: float) -> torch.Tensor:
    """The mean of (1 - p_y^q) / q."""
    return ((1.0 - probabilities.gather(1, targets[:, None]) ** q) / q).mean()


_NATIVE_LOSSES = {
    "sparse_categorical_crossentropy": _cross_entropy,
    "categorical_crossentropy": _cross_entropy,
    "binary_crossentropy": lambda settings: lambda y, raw: F.binary_cross_entropy_with_logits(raw, y),
    "mse": lambda settings: lambda y, raw: F.mse_loss(raw, y),
    "mae": lambda settings: lambda y, raw: F.l1_loss(raw, y),
    "huber": lambda settings: lambda y, raw: F.huber_loss(raw, y, delta=settings["delta"]),
    "hinge": lambda settings: lambda y, raw: F.relu(1.0 - y * raw).mean(),
    "squared_hinge": lambda settings: lambda y, raw: F.relu(1.0 - y * raw).square().mean(),
    "categorical_generalized_cross_entropy": lambda settings: partial(_generalized, q=settings["q"]),
}
