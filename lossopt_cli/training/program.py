"""What trials of one graph share: the Keras model, the loss, the update rule, and the recorded kernels.

`step` is one batched gradient and one update of the weights. It reads nothing back from the device.
"""

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import keras
import torch

from lossopt_cli.training.calling import called
from lossopt_cli.training.layout import Layout
from lossopt_cli.training.randomness import ImpureRandomness, pure_randomness
from lossopt_cli.training.rules import Rule
from lossopt_cli.training.state import State
from lossopt_cli.training.tracing import Function, Untraceable, traced, verified

# A trace takes 0.04 to 0.25 s and repays itself after 8 to 26 steps (mlp and minicnn; adam, ftrl, muon).
STEPS_THAT_REPAY_A_TRACE = 30
# Of the inputs that are predicted at once: activations of images are tens of times larger, and leave the cache of a CPU
PREDICTION_BYTES = {"cpu": 1 << 20}
PREDICTION_BYTES_ELSEWHERE = 16 << 20
PREDICTION_ROWS = (8, 1024)  # at least, at most


@dataclass
class Step:
    """What a step leaves behind, on the device: the loss [], the gradient's norm [], the raw outputs [batch, ...];
    of a stack of T trials all of them [T, ...]."""

    loss: torch.Tensor
    norm: torch.Tensor
    outputs: torch.Tensor


@dataclass
class Program:
    """One trial at a time of a model, a loss and a rule; inputs are float32, as the model eats them.

    model: its variables give the shapes; their values are not read after `start`. loss: (targets, raw) -> scalar;
    penalties of the layers are added. tracing: False keeps the plain Python of the step (the same bits).
    remembered: what the user's code keeps in plain Python; a step that changes it is not recorded.
    stack: what trains many trials of this program, kept since its recordings serve one stack after the other.
    behind: how many steps of a state were taken by another program, before this one's optimizer began.
    """

    model: keras.Model
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    rule: Rule
    layout: Layout
    device: torch.device
    tracing: bool = True
    remembered: Callable[[], object] = lambda: None
    notes: list[str] = field(default_factory=list)
    tracing_seconds: float = 0.0
    stack: object | None = None
    behind: int = 0
    _recorded: dict[tuple, Function] = field(default_factory=dict)

    def start(self) -> State:
        """The state before the first step, from the values that the model's variables have."""
        weights = torch.zeros(1, self.layout.size)
        for view, variable in zip(self.layout.views(weights[0]), self.model.trainable_variables, strict=True):
            view.copy_(variable.value.detach())
        weights = weights.to(self.device)
        buffers = [v.value.detach().clone().to(self.device)[None] for v in self.model.non_trainable_variables]
        slots = [slot[None] for slot in self.rule.start(weights[0])]
        return State(weights, buffers, slots)

    def prepare(self, state: State, batches: Sequence[tuple[torch.Tensor, torch.Tensor]], steps_to_come: int) -> None:
        """Records step and update for the shape of these two batches when the steps to come repay it."""
        if steps_to_come < STEPS_THAT_REPAY_A_TRACE or not self.tracing:
            return
        began_at = time.perf_counter()
        row = self._row(state)
        with pure_randomness(), torch.no_grad():
            self.rule.prepare(state.weights[0], [slot[0].clone() for slot in state.slots])
            examples = [[*row.weights, *row.buffers, inputs, targets] for inputs, targets in batches]
            try:
                before = self.remembered()
                recorded = verified(traced(self._gradients, examples[0]), self._gradients, examples)
                if self.remembered() != before:
                    raise Untraceable("code of yours changes values of its own from step to step")
                self._recorded[_key(*batches[0])] = recorded
            except (Untraceable, ImpureRandomness) as reason:
                self.notes.append(f"not traced: {str(reason).splitlines()[0][:200]}")
        self.tracing_seconds += time.perf_counter() - began_at

    @property
    def is_traced(self) -> bool:
        """Whether the step of the common batch shape was recorded."""
        return bool(self._recorded)

    def session(self, state: State) -> "Session":
        """Steps on this state, in place."""
        return Session(self, state, self._row(state))

    def predict(self, state: State, inputs: torch.Tensor) -> torch.Tensor:
        """Raw outputs float32 [n, ...] in inference mode."""
        return predict(self.model, self.layout.views(state.weights[0]), [b[0] for b in state.buffers], inputs)

    def evaluated(self, state: State) -> State:
        """The state that an evaluation between two steps is of: averaged weights where the rule keeps such."""
        return self._at(state, self.rule.evaluated)

    def finished(self, state: State) -> State:
        """The state that results are of when the training ends here; the given one stays as the next step needs it."""
        return self._at(state, self.rule.finished)

    def _at(self, state: State, averaged: Callable) -> State:
        row = self._row(state)
        with torch.no_grad():
            weights = averaged(row.vector, row.slots)
        return state if weights is None else replace(state, weights=weights[None])

    def _gradients(self, *tensors: torch.Tensor) -> list[torch.Tensor]:
        """(weights..., buffers..., inputs, targets) -> (loss, raw outputs, gradients..., buffers...)"""
        count = len(self.layout.shapes)
        weights = [tensor.detach().requires_grad_() for tensor in tensors[:count]]
        *buffers, inputs, targets = tensors[count:]
        with torch.enable_grad():
            raw, moved, penalties = called(self.model, weights, buffers, inputs, training=True)
            raw = raw.float()
            loss = self.loss(targets, raw)
            for penalty in penalties:
                loss = loss + penalty.sum()
            gradients = torch.autograd.grad(loss, weights, allow_unused=True, materialize_grads=True)
        return [loss.detach(), raw.detach(), *gradients, *[tensor.detach() for tensor in moved]]

    def _row(self, state: State) -> "Row":
        weights = state.weights[0]
        return Row(
            weights, self.layout.views(weights), [b[0] for b in state.buffers], [slot[0] for slot in state.slots]
        )


@dataclass(frozen=True)
class Row:
    """One trial's share of a state: views, so that what is written here is written there."""

    vector: torch.Tensor
    weights: list[torch.Tensor]
    buffers: list[torch.Tensor]
    slots: list[torch.Tensor]


class Session:
    """A program at work on one state. Enter it around the steps: Keras's random primitives are pure within."""

    def __init__(self, program: Program, state: State, row: Row):
        self.program, self.state, self.row = program, state, row
        self.gradient = torch.zeros_like(row.vector)
        self.gradients = program.layout.views(self.gradient)

    def __enter__(self) -> "Session":
        self._stack = contextlib.ExitStack()
        self._stack.enter_context(pure_randomness())
        self._stack.enter_context(torch.no_grad())
        self.program.rule.attach(self.row.vector, self.row.slots)
        return self

    def __exit__(self, *error) -> None:
        rule, notes = self.program.rule, self.program.notes
        self.state.slots = [slot[None] for slot in rule.detach(self.row.slots)]
        if rule.note and rule.note not in notes:
            notes.append(rule.note)
        self._stack.close()

    def step(self, inputs: torch.Tensor, targets: torch.Tensor, rate: float) -> Step:
        """One update on a batch, in place; nothing is read back from the device."""
        program, row = self.program, self.row
        function = program._recorded.get(_key(inputs, targets), program._gradients)
        loss, raw, *rest = function(*row.weights, *row.buffers, inputs, targets)
        count = len(self.gradients)
        torch._foreach_copy_(self.gradients, rest[:count])
        norm = torch.linalg.vector_norm(self.gradient)
        self.state.step += 1
        program.rule.update(row.vector, self.gradient, row.slots, rate, self.state.step - program.behind)
        moved = [(into, value) for into, value in zip(row.buffers, rest[count:], strict=True) if into is not value]
        if moved:
            torch._foreach_copy_([into for into, _ in moved], [value for _, value in moved])
        return Step(loss, norm, raw)


def predict(model: keras.Model, weights, buffers, inputs: torch.Tensor) -> torch.Tensor:
    """Raw outputs float32 [n, ...] of a model at these weights and buffers, in inference mode."""
    outputs = []
    with torch.no_grad():
        for rows in inputs.split(rows_at_once(inputs)):
            raw, *_ = called(model, weights, buffers, rows, training=False)
            outputs.append(raw.float())
    return torch.cat(outputs)


def rows_at_once(inputs: torch.Tensor) -> int:
    """How many examples are predicted together."""
    fewest, most = PREDICTION_ROWS
    row_bytes = max(1, inputs[:1].numel() * inputs.element_size())
    allowed = PREDICTION_BYTES.get(inputs.device.type, PREDICTION_BYTES_ELSEWHERE)
    return max(fewest, min(most, allowed // row_bytes))


def _key(inputs: torch.Tensor, targets: torch.Tensor) -> tuple:
    return (*inputs.shape, *inputs.stride(), *targets.shape)
