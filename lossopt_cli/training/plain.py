"""The plain step: Keras's own forward, backward and optimizer, in place. Bit for bit what `fit` does.

It is the reference of the tests, and the way for models that no pure step can train: those that draw random numbers
without a SeedGenerator of their own.
"""

import math
from collections.abc import Callable
from dataclasses import replace

import keras
import torch

from lossopt_cli.training.layout import Layout
from lossopt_cli.training.program import Step, predict
from lossopt_cli.training.state import State

# Keras 3.15.1 overwrites the momentum before it has read it for the last time, so that `fit` is about 10 % off after
# 20 steps; `stateless_apply` is right.
WRONG_IN_PLACE = (keras.optimizers.ScheduleFreeAdamW,)


class PlainProgram:
    """The same interface as Program; while a session is open the Keras variables are views of its state."""

    is_traced = False
    tracing_seconds = 0.0
    behind = 0  # its optimizer counts its own steps

    def __init__(
        self,
        model: keras.Model,
        loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
        optimizer: keras.optimizers.Optimizer,
        layout: Layout,
        device: torch.device,
    ):
        self.model, self.loss, self.optimizer = model, loss, optimizer
        self.layout, self.device = layout, device
        self.notes: list[str] = []
        self.optimizer.build(self.model.trainable_variables)

    def start(self) -> State:
        """The state before the first step, from the values that the model's variables have."""
        weights = torch.zeros(1, self.layout.size, device=self.device)
        for view, variable in zip(self.layout.views(weights[0]), self.model.trainable_variables, strict=True):
            view.copy_(variable.value.detach())
        copied = lambda variables: [v.value.detach().clone().to(self.device)[None] for v in variables]  # noqa: E731
        return State(weights, copied(self.model.non_trainable_variables), copied(self.optimizer.variables))

    def prepare(self, state, batches, steps_to_come) -> None:
        pass

    def session(self, state: State) -> "PlainSession":
        return PlainSession(self, state)

    def predict(self, state: State, inputs: torch.Tensor) -> torch.Tensor:
        """Raw outputs float32 [n, ...] in inference mode."""
        return predict(self.model, self.layout.views(state.weights[0]), [b[0] for b in state.buffers], inputs)

    def evaluated(self, state: State) -> State:
        """As at the end, so that every evaluation is of weights that may be kept."""
        return self.finished(state)

    def finished(self, state: State) -> State:
        """The moving average in place of the weights, where `use_ema` asks for it."""
        if not self.optimizer.use_ema:
            return state
        averaged = state.weights.clone()
        averages = self.optimizer._model_variables_moving_average
        for view, average in zip(self.layout.views(averaged[0]), averages, strict=True):
            view.copy_(average.value)
        return replace(state, weights=averaged)


class PlainSession:
    """Steps of `fit` without `fit`: the same calls in the same order."""

    def __init__(self, program: PlainProgram, state: State):
        self.program, self.state = program, state
        self.rate: float | None = None

    def __enter__(self) -> "PlainSession":
        model, optimizer = self.program.model, self.program.optimizer
        places = [*self.program.layout.views(self.state.weights[0])]
        places += [tensor[0] for tensor in (*self.state.buffers, *self.state.slots)]
        variables = [*model.trainable_variables, *model.non_trainable_variables, *optimizer.variables]
        for variable, place in zip(variables, places, strict=True):
            variable.value.data = place
        return self

    def __exit__(self, *error) -> None:
        pass

    def step(self, inputs: torch.Tensor, targets: torch.Tensor, rate: float) -> Step:
        """One update on a batch, in place."""
        model, optimizer = self.program.model, self.program.optimizer
        if rate != self.rate and not math.isnan(rate):
            optimizer.learning_rate = rate
            self.rate = rate
        raw = model(inputs, training=True)
        model.zero_grad()
        loss = self.program.loss(targets, raw.float())
        for penalty in model.losses:
            loss = loss + penalty.sum()
        optimizer.scale_loss(loss).backward()
        variables = model.trainable_variables
        gradients = [variable.value.grad for variable in variables]
        norm = torch.linalg.vector_norm(torch.stack([g.norm() for g in gradients if g is not None]))
        with torch.no_grad():
            if isinstance(optimizer, WRONG_IN_PLACE):
                self._apply_stateless(gradients)
            else:
                optimizer.apply(gradients, variables)
        self.state.step += 1
        return Step(loss.detach(), norm / (optimizer.loss_scale_factor or 1.0), raw.detach().float())

    def _apply_stateless(self, gradients: list[torch.Tensor]) -> None:
        variables, optimizer = self.program.model.trainable_variables, self.program.optimizer
        slots = [variable.value for variable in optimizer.variables]
        moved, kept = optimizer.stateless_apply(slots, gradients, [variable.value for variable in variables])
        for variable, value in zip([*variables, *optimizer.variables], [*moved, *kept], strict=True):
            variable.assign(value)
