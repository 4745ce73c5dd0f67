"""A trial that trains alone in the way of a stack: what the config of a sweep's trial asks for, so that it repeats it.

A convolution of a stack is a product of its own, whose last bits are not those of the single kernel.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING

import keras
import torch

from lossopt_cli.training.layout import Layout
from lossopt_cli.training.program import Program, Step
from lossopt_cli.training.stack_program import StackProgram, StackSession, stack_of
from lossopt_cli.training.state import State
from lossopt_cli.training.tracing import Untraceable

if TYPE_CHECKING:
    from lossopt_cli.training.running import Run


@dataclass(frozen=True)
class StackOfOne:
    """`alone` with the steps and predictions of its stack, one trial wide; the same interface."""

    alone: Program
    stack: StackProgram

    @property
    def model(self) -> keras.Model:
        return self.alone.model

    @property
    def layout(self) -> Layout:
        return self.alone.layout

    def start(self) -> State:
        return self.alone.start()

    def prepare(self, state: State, batches: Sequence[tuple[torch.Tensor, torch.Tensor]], steps_to_come: int) -> None:
        """Nothing: a stack records a step when it takes the first of its shape."""

    def session(self, state: State) -> "Session":
        return Session(self.stack.session(state))

    def predict(self, state: State, inputs: torch.Tensor) -> torch.Tensor:
        return self.stack.predict(state, inputs)[0]

    def evaluated(self, state: State) -> State:
        return self.stack.evaluated(state)

    def finished(self, state: State) -> State:
        return self.stack.finished(state)


class Session:
    """A stack of one at work, with the steps of a single trial."""

    def __init__(self, session: StackSession):
        self.session = session

    def __enter__(self) -> "Session":
        self.session.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.session.__exit__(kind, error, trace)

    def step(self, inputs: torch.Tensor, targets: torch.Tensor, rate: float) -> Step:
        step = self.session.step(inputs[None], targets[None], [rate])
        return Step(step.loss[0], step.norm[0], step.outputs[0])


def in_its_way(run: "Run") -> "Run":
    """The run as its config says that its steps are taken: `train.engine: stack` is a stack of one, where there can be
    one; a note says why not."""
    if run.trial.config.train.engine != "stack" or run.plain or run.second is not None:
        return run
    program, plan = run.examination.program, run.plan
    inputs, targets = next(run.examination.feeds["train"].epoch(plan.seed, 0, plan.batch_size))
    stack = stack_of(program)
    try:
        stack.prepare(run.state, inputs[None], targets[None])
    except Untraceable as reason:
        program.notes.append(f"not stacked: {str(reason).splitlines()[0][:200]}")
        return run
    return replace(run, examination=replace(run.examination, program=StackOfOne(program, stack)))
