"""Update rules on the flat weights of T trials, [T, size]; each trial moves as its rule alone would move it."""

import math
from collections.abc import Callable
from typing import Protocol

import torch

from lossopt_cli.training.batching import StackedFunction
from lossopt_cli.training.rules import STEP_DEPENDENT_SETTINGS, FusedAdam, KerasRule, Rule
from lossopt_cli.training.state import State
from lossopt_cli.training.tracing import Untraceable


class StackRule(Protocol):
    """How T trials move: `update` changes weights and slots of its state in place.

    gradients: [T, size], the same memory at every call. rates: one a trial. step: from 1.
    """

    def update(self, gradients: torch.Tensor, rates: list[float], step: int) -> None: ...


def stacked_update(rule: Rule) -> StackedFunction | None:
    """The update of the rule where it is a function of tensors. Raises Untraceable for one that goes one at a time."""
    if isinstance(rule, FusedAdam):
        return None
    if isinstance(rule, KerasRule):
        if any(vars(rule.optimizer).get(key) for key in STEP_DEPENDENT_SETTINGS):
            raise Untraceable(f"{rule.name} does something else from step to step")
        return StackedFunction(rule._function, comes_again=True)
    raise Untraceable(f"{rule.name} keeps a state of its own for one trial")


def stack_rule(rule: Rule, state: State, update: StackedFunction | None) -> StackRule:
    """The rule of one trial for all that stand in the state. update: `stacked_update` of the rule."""
    return StackedAdam(rule, state) if update is None else StackedKeras(rule, state, update)


class StackedAdam:
    """`FusedAdam`, once for all trials that have the same rate."""

    def __init__(self, rule: FusedAdam, state: State):
        self.rule, self.state = rule, state
        self.rows: list[tuple[torch.Tensor, ...]] = []
        self.lists: dict[tuple[int, ...], list[list[torch.Tensor]]] = {}

    def update(self, gradients: torch.Tensor, rates: list[float], step: int) -> None:
        rule, state = self.rule, self.state
        if not self.rows:
            self.rows = [tensor.unbind() for tensor in (state.weights, gradients, *state.slots)]
        state.slots[-1].fill_(step)
        epsilon = rule.epsilon / math.sqrt(1.0 - rule.beta_2**step)
        alike: dict[float, list[int]] = {}
        for row, rate in enumerate(rates):
            alike.setdefault(rate, []).append(row)
        for rate, rows in alike.items():
            weights, gradient, m, v, largest, counters = self._lists(tuple(rows))
            torch._fused_adamw_(
                weights,
                gradient,
                m,
                v,
                largest if rule.amsgrad else [],
                counters,
                lr=rate,
                beta1=rule.beta_1,
                beta2=rule.beta_2,
                weight_decay=rule.weight_decay,
                eps=epsilon,
                amsgrad=rule.amsgrad,
                maximize=False,
            )

    def _lists(self, rows: tuple[int, ...]) -> list[list[torch.Tensor]]:
        """These rows of every tensor as lists, which the kernel takes."""
        if rows not in self.lists:
            self.lists[rows] = [[tensor[row] for row in rows] for tensor in self.rows]
        return self.lists[rows]


class StackedKeras:
    """The graph of `KerasRule`'s update, stacked."""

    def __init__(self, rule: KerasRule, state: State, function: StackedFunction):
        self.rule, self.state, self.function = rule, state, function
        self.weights = self._split(state.weights)
        self.gradients: list[torch.Tensor] = []
        self.rates: list[float] = []

    def update(self, gradients: torch.Tensor, rates: list[float], step: int) -> None:
        rule, slots = self.rule, self.state.slots
        self.gradients = self.gradients or self._split(gradients)
        if rates != self.rates and rule.rate_at is not None and not math.isnan(rates[0]):
            slots[rule.rate_at].copy_(torch.tensor(rates, dtype=torch.float64))
            self.rates = rates
        old = [*self.weights, *slots]
        new = self.function(*self.weights, *self.gradients, *slots)
        changed = [(into, value) for into, value in zip(old, new, strict=True) if into is not value]
        torch._foreach_copy_([into for into, _ in changed], [value for _, value in changed])

    def _split(self, stack: torch.Tensor) -> list[torch.Tensor]:
        return [stack] if self.rule.flat else self.rule.layout.stacked_views(stack)


def averaged(state: State, of_one: Callable) -> torch.Tensor | None:
    """The weights that results are of, [T, size], by `Rule.evaluated` or `Rule.finished` of each trial."""
    found = [of_one(weights, [slot[row] for slot in state.slots]) for row, weights in enumerate(state.weights.unbind())]
    return None if found[0] is None else torch.stack(found)
