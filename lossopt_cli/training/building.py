"""From a config and a problem to a program that can train: model, objective, update rule. Configs stop here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import keras
import numpy as np
import torch

from lossopt_cli.catalogue.optimizers import optimizer_named
from lossopt_cli.catalogue.recipes import is_user_code
from lossopt_cli.catalogue.rows import OptimizerRow
from lossopt_cli.config.schema import Config, Part
from lossopt_cli.data.problem import ImageInputs, Problem
from lossopt_cli.errors import Fault, UsageError
from lossopt_cli.training import networks
from lossopt_cli.training.layout import Layout
from lossopt_cli.training.objectives import objective_of
from lossopt_cli.training.plain import PlainProgram
from lossopt_cli.training.program import Program
from lossopt_cli.training.randomness import ImpureRandomness, pure_randomness, seeded, without_global_draws
from lossopt_cli.training.rules import FusedAdam, KerasRule, Rule
from lossopt_cli.training.targets import Objective
from lossopt_cli.training.torch_rule import TorchRule
from lossopt_cli.training.user_code import UserObject, load_object
from lossopt_cli.training.user_models import make_model
from lossopt_cli.training.user_optimizers import (
    KerasOptimizer,
    TorchFactory,
    make_optimizer,
    named_torch_optimizer,
)
from lossopt_cli.training.user_parts import UserLoss, make_loss
from lossopt_cli.training.user_signatures import defaults_of
from lossopt_cli.training.user_state import remembered

TORCH_NAMESPACES = ("torch.", "pytorch_optimizer.", "schedulefree.")
# Settings of Adam that its fused kernel does not know.
NOT_FUSED = (
    "clipnorm",
    "clipvalue",
    "global_clipnorm",
    "use_ema",
    "gradient_accumulation_steps",
    "loss_scale_factor",
)


@dataclass(frozen=True)
class UserParts:
    """The objects that a config names as `file.py:name`, by part ("loss", "optimizer", "model", "data")."""

    objects: Mapping[str, UserObject] = field(default_factory=dict)

    def __getitem__(self, part: str) -> UserObject | None:
        return self.objects.get(part)

    @property
    def defaults(self) -> dict[str, dict[str, Mapping]]:
        """reference -> `defaults` of its signature, as the `code` of result.json has them."""
        return {obj.reference: {"defaults": defaults_of(obj.value)} for obj in self.objects.values()}


def user_parts(config: Config, folder: Path) -> UserParts:
    """Loads what the config names as `file.py:name`; relative files are looked for in `folder`."""
    named = {"loss": config.loss, "optimizer": config.optimizer, "model": config.model}
    references = {part: value.name for part, value in named.items() if value is not None}
    data = config.data
    references["data"] = f"{data.path}:{data.name.rpartition(':')[2]}" if data.path else data.name
    return UserParts(
        {
            part: load_object(reference, f"--{'opt' if part == 'optimizer' else part}", folder)
            for part, reference in references.items()
            if is_user_code(reference)
        }
    )


@dataclass(frozen=True)
class Build:
    """What a trial trains with. settings: what the signatures of user code added, by part, for config.yaml.

    inputs_first: images are fed channels first (the catalogue's own networks). core: the same network in Keras's
    default layout, for the file that is kept; the user's own model itself where it has that layout already.
    """

    model: keras.Model
    objective: Objective
    rule: Rule
    optimizer: Callable[[], keras.optimizers.Optimizer] | None
    layout: Layout
    channels_first: bool
    learning_rate: float | None
    settings: Mapping[str, Mapping]
    user: UserParts

    def program(self, device: torch.device, tracing: bool = True) -> Program:
        watch = partial(remembered, list(self.user.objects.values()), self.model)
        return Program(self.model, self.objective.loss, self.rule, self.layout, device, tracing, watch)

    def plain_program(self, device: torch.device) -> PlainProgram:
        """The step of `fit`; only for Keras's own optimizers."""
        return PlainProgram(self.model, self.objective.reference, self.optimizer(), self.layout, device)


@dataclass(frozen=True)
class Network:
    """A model and what it is trained to do. channels_first and settings: as in Build."""

    model: keras.Model
    objective: Objective
    channels_first: bool
    settings: Mapping[str, Mapping]


def network(config: Config, problem: Problem, user: UserParts) -> Network:
    """The model, with initial weights from the seed, and the objective; of the problem only what its data are, not the
    data. UsageError where the config's parts do not go together."""
    settings: dict[str, Mapping] = {}
    user_loss = make_loss(user["loss"], config.loss.settings) if user["loss"] else None
    if user_loss:
        settings["loss"] = user_loss.settings_resolved
    objective = objective_of(config, problem, user_loss)
    with seeded("initial weights", config.train.seed), keras.device("cpu"):
        if user["model"]:
            model, objective, settings["model"] = _user_model(config, problem, user, user_loss, objective)
        else:
            part, units, precision = config.model, objective.units, config.train.precision
            model = networks.build(part.name, part.settings, problem.inputs, units, "channels_first", precision)
    first = isinstance(problem.inputs, ImageInputs) and not user["model"]
    return Network(model, objective, first, settings)


def build(config: Config, problem: Problem, user: UserParts) -> Build:
    """Model (from the seed), objective and rule. UsageError where the config's parts do not go together."""
    net = network(config, problem, user)
    with seeded("optimizer", config.train.seed), keras.device("cpu"):
        rate, optimizer, rule, layout = _optimizer(config.optimizer, user, net.model)
    settings = dict(net.settings)
    if user["optimizer"]:
        settings["optimizer"] = _resolved(config.optimizer, user, rate)[0].settings_resolved
    _check_trainable(net.model, config)
    return Build(net.model, net.objective, rule, optimizer, layout, net.channels_first, rate, settings, user)


def _user_model(config: Config, problem: Problem, user: UserParts, loss: UserLoss | None, objective: Objective):
    """The user's own model, held to the head that the loss needs."""
    shape = (problem.inputs.features,) if problem.inputs.kind == "table" else problem.inputs.shape
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16" if config.train.precision == "bfloat16" else "float32")
    try:
        made = make_model(user["model"], config.model.settings, shape, objective.units)
    finally:
        keras.config.set_dtype_policy(policy)
    if made.ends_in:
        objective = objective_of(config, problem, loss, activated=True)
    if not made.told_units and made.output_shape != (objective.units,) and loss is None:
        raise UsageError(
            Fault(
                f"{user['model'].name} gives {list(made.output_shape)} values an example",
                "--model",
                f"{objective.units}, which {config.loss.name} needs on this {problem.task} task",
                "end it in keras.layers.Dense(units), and take `units` as a parameter",
            )
        )
    return made.model, objective, made.settings_resolved


def _check_trainable(model: keras.Model, config: Config) -> None:
    variables = model.trainable_variables
    if not variables:
        raise UsageError(Fault(f"{config.model.name} has no trainable weights", "--model"))
    odd = next((v for v in variables if v.dtype != "float32"), None)
    if odd is not None:
        raise UsageError(Fault(f"the weight {odd.path} is {odd.dtype}", "--model", "float32 weights"))


def _optimizer(part: Part, user: UserParts, model: keras.Model):
    """(learning rate, what makes the Keras optimizer or None, the rule, the layout of the weights)"""
    variables = model.trainable_variables
    layout = Layout.of([v.shape for v in variables])
    made, rate = _resolved(part, user, part.settings.get("learning_rate"))
    if isinstance(made, TorchFactory):
        return rate, None, TorchRule(made, layout), layout
    if isinstance(made, KerasOptimizer):
        again = lambda: _resolved(part, user, part.settings.get("learning_rate"))[0].optimizer  # noqa: E731
        watch = partial(remembered, [user["optimizer"]])
        return rate, again, KerasRule(made.optimizer, layout, variables, watch), layout
    settings = _typed(made, part.settings)
    optimizer = partial(getattr(keras.optimizers, made.class_name), **settings)
    plain = settings.get("epsilon") and not any(settings.get(key) for key in NOT_FUSED)
    if made.class_name in ("Adam", "AdamW") and plain and not any(v.constraint is not None for v in variables):
        return rate, optimizer, FusedAdam(settings), layout
    return rate, optimizer, KerasRule(optimizer(), layout, variables), layout


def rule_of(part: Part, user: UserParts, model: keras.Model) -> Rule:
    """The update of these settings for the weights of the model, which stay as they are."""
    with keras.device("cpu"):
        return _optimizer(part, user, model)[2]


def _resolved(part: Part, user: UserParts, rate) -> tuple[OptimizerRow | KerasOptimizer | TorchFactory, float | None]:
    own = {key: value for key, value in part.settings.items() if key != "learning_rate"}
    if user["optimizer"]:
        made = make_optimizer(user["optimizer"], own, rate)
    elif part.name.startswith(TORCH_NAMESPACES):
        made = named_torch_optimizer(part.name, own, rate, "--opt")
    else:
        return optimizer_named(part.name, "--opt"), float(rate)
    return made, made.learning_rate


def _typed(row: OptimizerRow, settings: Mapping) -> dict:
    """Numbers as Python floats: Keras refuses an integer learning rate or momentum."""
    number = {setting.name for setting in row.settings if setting.kind == "number"}
    typed = {key: float(v) if key in number and v is not None else v for key, v in settings.items()}
    return {**row.preset, **typed}


def is_pure(program: Program, inputs: torch.Tensor, targets: torch.Tensor) -> bool:
    """Whether a pure step can train the model; False where it draws numbers that are no function of its state."""
    state = program.start()
    row = program._row(state)
    try:
        with without_global_draws(), pure_randomness(), torch.no_grad():
            program._gradients(*row.weights, *row.buffers, inputs, targets)
    except ImpureRandomness:
        return False
    return True


def sizes(model: keras.Model) -> int:
    """The number of trainable weights."""
    return int(sum(np.prod(v.shape) for v in model.trainable_variables))
