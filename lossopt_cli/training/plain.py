"""The plain step: Keras's own forward, backward and optimizer, in place. Bit for bit what `fit` does.

It is the reference of the tests, and the way for models that no pure step can train: random numbers drawn without a
SeedGenerator, variables changed behind the model's back.
"""

from collections.abc import Callable

import keras
import torch

from lossopt_cli.training.layout import Layout
from lossopt_cli.training.program import Step
from lossopt_cli.training.state import State


class PlainProgram:
    """The same interface as Program, over one Keras model whose variables share their memory with the state."""

    tracing_seconds = 0.0

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

    def start(self) -> State:
        """The state before the first step; from here on the model's variables are views of it."""
        weights = torch.zeros(1, self.layout.size, device=self.device)
        for view, variable in zip(self.layout.views(weights[0]), self.model.trainable_variables, strict=True):
            view.copy_(variable.value.detach())
            variable.value.data = view
        for variable in self.model.non_trainable_variables:
            variable.value.data = variable.value.data.to(self.device)
        self.optimizer.build(self.model.trainable_variables)
        return State(weights, *self._kept())

    def _kept(self) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        buffers = [variable.value.data[None] for variable in self.model.non_trainable_variables]
        return buffers, [variable.value.data[None] for variable in self.optimizer.variables]

    def prepare(self, state, batches, steps_to_come) -> None:
        pass

    def session(self, state: State) -> "PlainSession":
        return PlainSession(self, state)

    def predict(self, state: State, inputs: torch.Tensor) -> torch.Tensor:
        """Raw outputs float32 [n, ...] in inference mode."""
        with torch.no_grad():
            return torch.cat([self.model(rows, training=False).float() for rows in inputs.split(1024)])

    def finish(self, state: State) -> None:
        """The moving average in place of the weights, where `use_ema` asks for it."""
        self.optimizer.finalize_variable_values(self.model.trainable_variables)


class PlainSession:
    """Steps of `fit` without `fit`: the same calls in the same order."""

    def __init__(self, program: PlainProgram, state: State):
        self.program, self.state = program, state
        self.rate: float | None = None

    def __enter__(self) -> "PlainSession":
        return self

    def __exit__(self, *error) -> None:
        buffers, slots = self.program._kept()
        self.state.buffers, self.state.slots = buffers, slots

    def step(self, inputs: torch.Tensor, targets: torch.Tensor, rate: float) -> Step:
        """One update on a batch, in place."""
        program = self.program
        if rate != self.rate:
            program.optimizer.learning_rate = rate
            self.rate = rate
        raw = program.model(inputs, training=True)
        program.model.zero_grad()
        loss = program.loss(targets, raw.float())
        for penalty in program.model.losses:
            loss = loss + penalty
        loss.backward()
        variables = program.model.trainable_variables
        gradients = [variable.value.grad for variable in variables]
        with torch.no_grad():
            program.optimizer.apply(gradients, variables)
            norm = torch.linalg.vector_norm(torch.stack([g.norm() for g in gradients if g is not None]))
        self.state.step += 1
        return Step(loss.detach(), norm, raw.detach().float())
