"""Optimizers of the user's own: those that are one computation train in stacks, the others alone, all to the bit."""

from pathlib import Path

import pytest
from small_problems import Nobody, config_of, problem_of
from test_engine_stacks import assert_same

from lossopt_cli.training import running
from lossopt_cli.training.building import user_parts
from lossopt_cli.training.loop import train
from lossopt_cli.training.stacking import prepare_stack, together, train_stack

OPTIMIZERS = '''
import keras
import torch
from keras import ops


class Sign(keras.optimizers.Optimizer):
    """With an average of gradients, whose signs it goes by."""

    def __init__(self, learning_rate=0.01, beta=0.9, **settings):
        super().__init__(learning_rate=learning_rate, **settings)
        self.beta = beta

    def build(self, variables):
        if not self.built:
            super().build(variables)
            self.averages = [self.add_variable_from_reference(variable, "average") for variable in variables]

    def update_step(self, gradient, variable, learning_rate):
        average = self.averages[self._get_variable_index(variable)]
        self.assign(average, self.beta * average + (1.0 - self.beta) * gradient)
        self.assign_sub(variable, ops.cast(learning_rate, variable.dtype) * ops.sign(average))


class Normed(keras.optimizers.Optimizer):
    """Steps as long as the learning rate, tensor by tensor."""

    def update_step(self, gradient, variable, learning_rate):
        size = ops.sqrt(ops.sum(ops.square(gradient))) + 1e-7
        self.assign_sub(variable, ops.cast(learning_rate, variable.dtype) * gradient / size)


class WarmsUp(keras.optimizers.Optimizer):
    def update_step(self, gradient, variable, learning_rate):
        share = ops.minimum(1.0, ops.cast(self.iterations + 1, "float32") / 5.0)
        self.assign_sub(variable, share * ops.cast(learning_rate, variable.dtype) * gradient)


class KeepsItsRate(keras.optimizers.Optimizer):
    def __init__(self, learning_rate=0.01):
        super().__init__(learning_rate=learning_rate)
        self.pace = learning_rate

    def update_step(self, gradient, variable, learning_rate):
        self.assign_sub(variable, self.pace * gradient)


class Counts(keras.optimizers.Optimizer):
    calls = 0

    def update_step(self, gradient, variable, learning_rate):
        type(self).calls += 1
        self.assign_sub(variable, ops.cast(learning_rate, variable.dtype) * gradient / (1.0 + self.calls % 2))


class Branches(keras.optimizers.Optimizer):
    def update_step(self, gradient, variable, learning_rate):
        if self.iterations % 2 == 0:
            self.assign_sub(variable, ops.cast(learning_rate, variable.dtype) * gradient)


class Starts(keras.optimizers.Optimizer):
    """Its average starts at the learning rate."""

    def build(self, variables):
        if not self.built:
            super().build(variables)
            rate = float(self.learning_rate)
            start = keras.initializers.Constant(rate)
            self.averages = [self.add_variable(variable.shape, initializer=start) for variable in variables]

    def update_step(self, gradient, variable, learning_rate):
        average = self.averages[self._get_variable_index(variable)]
        self.assign(average, 0.5 * average + 0.5 * gradient)
        self.assign_sub(variable, ops.cast(learning_rate, variable.dtype) * average)


def nesterov(learning_rate, momentum=0.9):
    return keras.optimizers.SGD(learning_rate, momentum=momentum, nesterov=True)


class OfTorch(torch.optim.SGD):
    def __init__(self, params, lr=0.01):
        super().__init__(params, lr=lr, momentum=0.5)
'''
STACKED, ALONE = ("Sign", "Normed", "WarmsUp", "nesterov"), ("KeepsItsRate", "Counts", "Branches", "Starts", "OfTorch")


@pytest.fixture
def optimizers(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(OPTIMIZERS)
    return tmp_path


@pytest.mark.parametrize("name", [*STACKED, *ALONE])
def test_a_trial_comes_out_as_it_does_alone(optimizers, name):
    """Four rates and two seeds, in a stack where that is one computation."""
    rates = (0.003, 0.01, 0.03, 0.1)
    configs = [
        config_of("multiclass", None, f"mine.py:{name}", seed=place % 2, learning_rate=rate, epochs=2)
        for place, rate in enumerate(rates)
    ]
    runs = prepare_stack(configs, problem_of("multiclass"), user_parts(configs[0], optimizers))
    stacked = together(runs, [Nobody() for _ in runs]) is not None
    assert stacked is (name in STACKED)
    outcomes = train_stack(runs, [Nobody() for _ in runs])
    for place in (0, 3):
        run = running.prepare(configs[place], problem_of("multiclass"), user_parts(configs[place], optimizers))
        assert_same(outcomes[place], train(run.examination.program, run.examination, run.plan, Nobody(), run.state))
        assert runs[place].trial.hash == run.trial.hash
