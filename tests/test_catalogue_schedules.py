"""Schedules: where they start and end, against Keras and torch where those have the same one, and the warm-up."""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
import pytest
import torch

from lossopt_cli.catalogue.schedules import SCHEDULES, multiplier, multipliers

STEPS, STEPS_PER_EPOCH = 100, 10
ENDS = {
    "constant": (1.0, 1.0),
    "step": (1.0, 0.01),
    "exponential": (1.0, 0.01),
    "cosine": (1.0, 0.0),
    "one_cycle": (0.04, 4e-6),
    "polynomial": (1.0, 0.0),
    "inverse_time": (1.0, 1.0 / 11.0),
}
KERAS = keras.optimizers.schedules
TWINS = {
    "cosine": ({"final": 0.1}, KERAS.CosineDecay(1.0, STEPS, alpha=0.1)),
    "exponential": ({"final": 0.01}, KERAS.ExponentialDecay(1.0, STEPS, 0.01)),
    "polynomial": ({"power": 2.0, "final": 0.1}, KERAS.PolynomialDecay(1.0, STEPS, 0.1, power=2.0)),
    "inverse_time": ({"decay": 0.5}, KERAS.InverseTimeDecay(1.0, STEPS_PER_EPOCH, 0.5)),
    "step": ({"at": [0.5, 0.75], "factor": 0.1}, KERAS.PiecewiseConstantDecay([49, 74], [1.0, 0.1, 0.01])),
}


@pytest.mark.parametrize("name", [row.name for row in SCHEDULES])
def test_start_and_end(name):
    start, end = ENDS[name]
    values = multipliers(name, {}, STEPS, STEPS_PER_EPOCH)
    assert values[0] == pytest.approx(start)
    assert multiplier(name, {}, STEPS, STEPS, STEPS_PER_EPOCH) == pytest.approx(end)
    assert values.max() == pytest.approx(1.0)
    assert values.min() >= 0.0


@pytest.mark.parametrize("name", TWINS)
def test_the_same_as_keras(name):
    settings, theirs = TWINS[name]
    expected = [float(theirs(step)) for step in range(STEPS)]
    np.testing.assert_allclose(multipliers(name, settings, STEPS, STEPS_PER_EPOCH), expected, rtol=1e-5, atol=1e-7)


def test_one_cycle_is_torchs_up_to_where_its_steps_are_counted():
    """torch's cycle ends with its last step, ours one step later: total_steps is one more."""
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 1.0, total_steps=STEPS + 1, pct_start=0.31, div_factor=25, cycle_momentum=False
    )
    expected = []
    for _ in range(STEPS):
        expected.append(theirs.get_last_lr()[0])
        optimizer.step()
        theirs.step()
    # torch puts the peak at pct_start * total_steps - 1.
    peak_at = (0.31 * (STEPS + 1) - 1) / STEPS
    ours = multipliers("one_cycle", {"peak_at": peak_at}, STEPS, STEPS_PER_EPOCH)
    np.testing.assert_allclose(ours, expected, rtol=1e-6)


@pytest.mark.parametrize("name", [row.name for row in SCHEDULES if row.settings[-1].name == "warmup_epochs"])
def test_warm_up_rises_linearly_and_delays_the_rest(name):
    values = multipliers(name, {"warmup_epochs": 2.0}, STEPS, STEPS_PER_EPOCH)
    np.testing.assert_allclose(values[:20], np.arange(1, 21) / 20)
    np.testing.assert_allclose(values[20:], multipliers(name, {}, STEPS - 20, STEPS_PER_EPOCH))
