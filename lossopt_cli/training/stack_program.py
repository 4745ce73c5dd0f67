"""T trials of one program as one batched computation: a step is the step of every trial, on batches of its own."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch

from lossopt_cli.training.batching import StackedFunction
from lossopt_cli.training.calling import called
from lossopt_cli.training.layout import Layout
from lossopt_cli.training.program import Program, Step, rows_at_once
from lossopt_cli.training.randomness import pure_randomness
from lossopt_cli.training.stack_rules import averaged, stack_rule, stacked_update
from lossopt_cli.training.state import State
from lossopt_cli.training.tracing import Untraceable

# Between a trial in a stack and the same alone, relative to the largest number of a tensor: what rounding may do to one
# step of a convolution, and far less than a kernel that was batched wrongly.
TOLERANCE = 1e-3


@dataclass
class StackProgram:
    """The steps of `program` for the trials of a state, whatever their number; recorded once for each."""

    program: Program
    _steps: dict[tuple, StackedFunction] = field(default_factory=dict)
    _predictions: dict[tuple, StackedFunction] = field(default_factory=dict)

    @cached_property
    def update(self) -> StackedFunction | None:
        return stacked_update(self.program.rule)

    @property
    def layout(self) -> Layout:
        return self.program.layout

    @property
    def tracing_seconds(self) -> float:
        """What recording has taken."""
        return sum(function.seconds for function in (*self._of_a_step, *self._predictions.values()))

    @property
    def bytes_of_one(self) -> int:
        """Of all that a step makes for one trial, as if nothing were freed; 0 before the first one."""
        return sum(function.bytes_of_one for function in self._of_a_step)

    @property
    def _of_a_step(self) -> list[StackedFunction]:
        return [*self._steps.values(), *([self.update] if self.update else [])]

    def prepare(self, state: State, inputs: torch.Tensor, targets: torch.Tensor) -> None:
        """Records step and update for batches of this shape, [T, batch, ...]. Raises Untraceable where that is
        impossible, and where what is recorded is not what the first and the last trial do alone."""
        remembered = self.program.remembered()
        tensors = [*self.layout.stacked_views(state.weights), *state.buffers, inputs, targets]
        with pure_randomness(), torch.no_grad():
            found = [*self.step_of(inputs, targets)(*tensors), self.predict(state, inputs[0])]
            for row in {0, len(state.weights) - 1}:
                wanted = self.program._gradients(*[tensor[row].clone() for tensor in tensors])
                wanted.append(self.program.predict(state.take([row]), inputs[0]))
                if not all(_agree(many[row], one) for many, one in zip(found, wanted, strict=True)):
                    raise Untraceable("a trial in a stack would not take the step that it takes alone")
        if self.program.remembered() != remembered:
            raise Untraceable("code of yours changes values of its own from step to step")
        with self.session(state.copy()) as session:
            session.step(inputs, targets, [0.0] * len(state.weights))

    def session(self, state: State) -> "StackSession":
        """Steps on this state, in place."""
        return StackSession(self, state)

    def step_of(self, inputs: torch.Tensor, targets: torch.Tensor) -> StackedFunction:
        """The gradients for batches of this shape, of (weights..., buffers..., inputs, targets)."""
        key = (inputs.shape[1:], inputs.stride(), targets.shape[1:])
        if key not in self._steps:
            self._steps[key] = StackedFunction(self.program._gradients, comes_again=True)
        return self._steps[key]

    def predict(self, state: State, inputs: torch.Tensor) -> torch.Tensor:
        """Raw outputs float32 [T, n, ...] in inference mode, of inputs that all trials have in common, [n, ...]."""
        tensors = [*self.layout.stacked_views(state.weights), *state.buffers]
        outputs = []
        for rows in inputs.split(rows_at_once(inputs)):
            key = (rows.shape, rows.stride())
            if key not in self._predictions:
                self._predictions[key] = StackedFunction(self._predicted, frozenset((len(tensors),)))
            with torch.no_grad():
                outputs += self._predictions[key](*tensors, rows)
        return torch.cat(outputs, dim=1)

    def evaluated(self, state: State) -> State:
        """The state that an evaluation between two steps is of: averaged weights where the rule keeps such."""
        return self._at(state, self.program.rule.evaluated)

    def finished(self, state: State) -> State:
        """The state that results are of when the training ends here; the given one stays as the next step needs it."""
        return self._at(state, self.program.rule.finished)

    def _at(self, state: State, of_one: Callable) -> State:
        with torch.no_grad():
            weights = averaged(state, of_one)
        return state if weights is None else replace(state, weights=weights)

    def _predicted(self, *tensors: torch.Tensor) -> list[torch.Tensor]:
        """(weights..., buffers..., inputs) -> (raw outputs,)"""
        count = len(self.layout.shapes)
        *buffers, inputs = tensors[count:]
        raw, *_ = called(self.program.model, list(tensors[:count]), buffers, inputs, training=False)
        return [raw.float()]


def stack_of(program: Program) -> StackProgram:
    """The program's own: what it has recorded for one stack serves the next."""
    if not isinstance(program.stack, StackProgram):
        program.stack = StackProgram(program)
    return program.stack


class StackSession:
    """A stack at work on one state. Enter it around the steps: Keras's random primitives are pure within."""

    def __init__(self, stack: StackProgram, state: State):
        self.stack, self.state = stack, state
        self.rule = stack_rule(stack.program.rule, state, stack.update)
        self.weights = stack.layout.stacked_views(state.weights)
        self.gradient = torch.zeros_like(state.weights)
        self.gradients = stack.layout.stacked_views(self.gradient)

    def __enter__(self) -> "StackSession":
        self._entered = contextlib.ExitStack()
        self._entered.enter_context(pure_randomness())
        self._entered.enter_context(torch.no_grad())
        return self

    def __exit__(self, *error) -> None:
        self._entered.close()

    def step(self, inputs: torch.Tensor, targets: torch.Tensor, rates: list[float]) -> Step:
        """One update on the batches [T, batch, ...] of every trial, at its own rate, in place; nothing is read back
        from the device. Losses and norms of the step are [T], outputs [T, batch, ...]."""
        state = self.state
        function = self.stack.step_of(inputs, targets)
        losses, raw, *rest = function(*self.weights, *state.buffers, inputs, targets)
        count = len(self.gradients)
        torch._foreach_copy_(self.gradients, rest[:count])
        norms = torch.linalg.vector_norm(self.gradient, dim=1)
        state.step += 1
        self.rule.update(self.gradient, rates, state.step)
        moved = [(into, value) for into, value in zip(state.buffers, rest[count:], strict=True) if into is not value]
        if moved:
            torch._foreach_copy_([into for into, _ in moved], [value for _, value in moved])
        return Step(losses, norms, raw)


def _agree(found: torch.Tensor, wanted: torch.Tensor) -> bool:
    """Whether they differ by no more than rounding; what is not finite on one side must not be on the other."""
    if not wanted.is_floating_point():
        return torch.equal(found, wanted)
    finite = wanted.isfinite()
    room = TOLERANCE * float(wanted[finite].abs().max()) if bool(finite.any()) else 0.0
    return torch.allclose(found.where(finite, 0.0), wanted.where(finite, 0.0), rtol=0.0, atol=room + 1e-12)
