"""Whether an optimizer of the user's own can train many trials as one computation: found out, never believed.

What it does to weights may depend on more than its variables: a learning rate that it keeps as a number, a counter in
Python, a branch on a value. Three updates of two trials at different rates are therefore made in a stack, and again by
an optimizer of each trial's own; where a bit differs every trial is trained alone.
"""

from dataclasses import replace

import torch

from lossopt_cli.config.schema import Config
from lossopt_cli.training.building import rule_of
from lossopt_cli.training.randomness import pure_randomness
from lossopt_cli.training.rules import KerasRule
from lossopt_cli.training.running import Run, at_work
from lossopt_cli.training.stack_rules import StackedKeras, stacked_update
from lossopt_cli.training.state import State
from lossopt_cli.training.tracing import Untraceable

STEPS = 3


def is_one_update(first: Run, other: Config) -> bool:
    """Whether the rule of the first run, in a stack, does for both what the rule that each has alone would do.

    other: a config that differs in its learning rate, where that is given at all."""
    rule = first.built.rule
    if not isinstance(rule, KerasRule):
        return False
    rates = [first.built.learning_rate, other.optimizer.settings.get("learning_rate", first.built.learning_rate)]
    with at_work(first), pure_randomness(), torch.no_grad():
        own = rule_of(other.optimizer, first.built.user, first.built.model)
        before = rule.remembered(rule.optimizer)
        try:
            same = _moves_alike(rule, own, first.state, [float("nan") if rate is None else rate for rate in rates])
        except Untraceable:
            return False
        return same and rule.remembered(rule.optimizer) == before


def _moves_alike(rule: KerasRule, own: KerasRule, state: State, rates: list[float]) -> bool:
    """rule, own: of the first and of the other trial; both begin at the state."""
    fresh = [slot[None].to(state.weights.device) for slot in own.start(state.weights[0])]
    begin = zip(fresh, state.slots, strict=True)  # a stack begins with those of the first
    if any(place != rule.rate_at and not torch.equal(*slots) for place, slots in enumerate(begin)):
        return False
    alone = [state.copy(), replace(state.copy(), slots=fresh)]
    both = alone[0].join(alone[1])
    stacked = StackedKeras(rule, both, stacked_update(rule))
    gradients = torch.zeros_like(both.weights)
    generator = torch.Generator().manual_seed(0)
    for step in range(1, STEPS + 1):
        for row in rule.layout.stacked_views(gradients):
            row.copy_(0.1 * torch.randn(row.shape, generator=generator))
        stacked.update(gradients, rates, step)
        for place, (each, trial) in enumerate(zip((rule, own), alone, strict=True)):
            slots = [slot[0] for slot in trial.slots]
            each.update(trial.weights[0], gradients[place], slots, rates[place], step)
            wanted, found = [trial.weights, *trial.slots], [both.weights, *both.slots]
            if any(not torch.equal(many[place], one[0]) for many, one in zip(found, wanted, strict=True)):
                return False
    return True
