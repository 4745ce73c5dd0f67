"""The curves of the losses are the twins' values on one example; slopes are their derivatives."""

import numpy as np
import pytest
from twins import twin

from lossopt_cli.analysis.shapes import RANGES, axes, curve
from lossopt_cli.catalogue.losses import LOSSES, fit, loss_named, stands_for
from lossopt_cli.errors import UsageError

DRAWN = [(row.name, axis) for row in LOSSES for axis in axes(row.name)]
SETTINGS = {
    "huber": {"delta": 0.4},
    "SmoothL1Loss": {"beta": 0.4},
    "binary_crossentropy": {"label_smoothing": 0.2},
    "categorical_crossentropy": {"label_smoothing": 0.2},
    "CrossEntropyLoss": {"label_smoothing": 0.2},
    "cross_entropy": {"from_logits": False},
    "categorical_focal_crossentropy": {"gamma": 1.5, "label_smoothing": 0.2},
    "binary_focal_crossentropy": {"gamma": 1.5, "label_smoothing": 0.2, "apply_class_balancing": True},
    "categorical_generalized_cross_entropy": {"q": 0.7},
    "dice": {"axis": 0},
    "tversky": {"alpha": 0.3, "beta": 0.9, "axis": 0},
    "BCEWithLogitsLoss": {"pos_weight": [3.0]},
}
CASES = [(name, axis, s) for name, axis in DRAWN for s in ({}, SETTINGS.get(name, {}))]


def points(axis: str) -> np.ndarray:
    """Irregular, away from kinks and ends."""
    low, high = RANGES[axis]
    return np.linspace(low, high, 9)[1:-1] + 0.0123 * (high - low)


def cost_of_one(name: str, settings: dict, axis: str, x: float) -> float:
    """The twin's loss of one example that lies at x on the axis."""
    row, settings = stands_for(loss_named(name), "multiclass", settings)
    if axis == "error":
        return twin(name, settings, row.tasks["regression"], np.array([[2.0]]), np.array([[2.0 + x]]))[0]
    if axis == "ratio":
        return twin(name, settings, row.tasks["regression"], np.array([[100.0]]), np.array([[100.0 * x]]))[0]
    # Overlaps are drawn for a softmax of two classes.
    found = fit(row, "multiclass" if name in ("dice", "tversky") else "binary", settings)
    margin = np.log(x / (1.0 - x)) if axis == "probability" else x
    raw = np.array([[margin]])
    if found.units == "classes":
        pair = np.array([np.cos(np.radians(x)), np.sin(np.radians(x))]) if axis == "angle" else [margin, 0.0]
        raw = np.array([pair])
    targets = {"integer": np.array([0]), "one_hot": np.array([[1.0, 0.0]])}.get(found.targets, np.array([[1.0]]))
    return twin(name, settings, found, targets, raw)[0]


@pytest.mark.parametrize(("name", "axis", "settings"), CASES, ids=str)
def test_a_curve_is_the_twin(name, axis, settings):
    x = points(axis)
    drawn = curve(name, settings, x, axis)
    assert drawn.axis == axis
    expected = [cost_of_one(name, settings, axis, at) for at in x]
    np.testing.assert_allclose(drawn.value, expected, rtol=1e-6, atol=1e-9)
    h = 1e-5
    after, before = (curve(name, settings, x + step, axis).value for step in (h, -h))
    np.testing.assert_allclose(drawn.slope, (after - before) / (2 * h), rtol=1e-4, atol=1e-4)


def test_every_loss_that_trains_has_a_curve():
    assert {row.name for row in LOSSES if row.tasks} == {name for name, _ in DRAWN}


@pytest.mark.parametrize("name", ["ctc", "circle"])
def test_no_curve_says_why(name):
    with pytest.raises(UsageError, match="has no curve"):
        curve(name, {}, np.zeros(1))


def test_huber_as_in_a_textbook():
    drawn = curve("huber", {}, np.array([0, 0.5, 1, 2, 5, 10]))
    assert drawn.value.tolist() == [0, 0.125, 0.5, 1.5, 4.5, 9.5]
    assert drawn.slope.tolist() == [0, 0.5, 1, 1, 1, 1]
