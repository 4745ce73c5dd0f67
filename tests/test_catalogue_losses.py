"""The rows of the losses: all of Keras are there, settings are the signature's, readings the library's."""

import inspect
import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
import pytest
import torch
from twins import twin

from lossopt_cli.catalogue.lookup import names_of
from lossopt_cli.catalogue.losses import LOSSES, fit, loss_named, stands_for
from lossopt_cli.catalogue.rows import TASKS, Fit, LossRow
from lossopt_cli.errors import UsageError

LIBRARIES = {"keras": keras.losses, "torch": torch.nn}
NOT_HYPERPARAMETERS = {"reduction", "name", "dtype", "size_average", "reduce"}
OF_A_LIBRARY = [row for row in LOSSES if row.library in LIBRARIES]
PAIRS = [(row, task) for row in LOSSES for task in row.tasks]
REFUSED = [(row, task) for row in LOSSES for task in TASKS if task not in row.tasks]
MEAN, DEVIATION = 12.0, 2.5  # of the targets of losses that work in the target's own units
OTHER_SETTINGS = {
    "sparse_categorical_crossentropy": [{"from_logits": False}, {"ignore_class": 1}],
    "categorical_crossentropy": [{"from_logits": False}, {"label_smoothing": 0.2}],
    "binary_crossentropy": [{"from_logits": False}, {"label_smoothing": 0.2}],
    "categorical_focal_crossentropy": [
        {"from_logits": False, "gamma": 1.0},
        {"gamma": 0.0, "alpha": 1.0, "label_smoothing": 0.2},
    ],
    "binary_focal_crossentropy": [
        {"from_logits": False, "gamma": 1.0},
        {"apply_class_balancing": True, "alpha": 0.4, "label_smoothing": 0.2},
    ],
    "categorical_generalized_cross_entropy": [{"q": 0.7}],
    "dice": [{"axis": 0}, {"axis": -1}],
    "tversky": [{"alpha": 0.3, "beta": 0.7, "axis": 0}, {"alpha": 0.3, "beta": 0.7}],
    "huber": [{"delta": 0.3}],
    "CrossEntropyLoss": [{"ignore_index": 1}, {"label_smoothing": 0.2}],
    "SmoothL1Loss": [{"beta": 0.4}, {"beta": 0.0}],
    "HuberLoss": [{"delta": 0.3}],
    "cross_entropy": [{"label_smoothing": 0.2}, {"from_logits": False}],
}
CASES = [(row, task, settings) for row, task in PAIRS for settings in [{}, *OTHER_SETTINGS.get(row.name, [])]]
K = 3


def named(value) -> str | None:
    if isinstance(value, LossRow):
        return value.name
    return ",".join(f"{k}={v}" for k, v in value.items()) or "defaults" if isinstance(value, dict) else None


def signature(library, class_name: str) -> dict:
    parameters = inspect.signature(getattr(library, class_name)).parameters.values()
    return {p.name: p.default for p in parameters if p.name not in NOT_HYPERPARAMETERS}


def targets_for(found: Fit, classes: int, count: int) -> np.ndarray:
    generator = np.random.default_rng(1)
    if found.targets == "numbers":
        return generator.normal(size=(count, 1))
    numbers = generator.permutation(np.arange(count) % classes)
    if found.targets == "integer":
        return numbers
    columns = numbers[:, None].astype(float) if found.units == "one" else np.eye(classes)[numbers]
    return 2.0 * columns - 1.0 if found.targets == "signs" else columns


def libraries_loss(row: LossRow, task: str, settings: dict, found: Fit, y: np.ndarray, raw: torch.Tensor):
    """The loss of the library's own class in float64, fed as the Fit says."""
    row, settings = stands_for(row, task, {s.name: s.default for s in row.settings} | settings)
    y = torch.tensor(y)
    if found.own_units:
        y, raw = y * DEVIATION + MEAN, raw * DEVIATION + MEAN
    elif found.reads == "probabilities":
        one_by_one = found.one_against_rest or found.units == "one"
        raw = torch.sigmoid(raw) if one_by_one else torch.softmax(raw, dim=-1)
    if row.library == "torch":
        lists = {k: torch.tensor(v, dtype=raw.dtype) if isinstance(v, list) else v for k, v in settings.items()}
        return getattr(torch.nn, row.class_name)(**lists)(raw, y)
    # The targets as integers, where the class casts them to its own dtype.
    return getattr(keras.losses, row.class_name)(**settings, dtype="float64")(y, raw)


def test_every_concrete_loss_of_keras_is_a_row():
    exported = {
        name for name, value in vars(keras.losses).items() if inspect.isclass(value) and value is not keras.losses.Loss
    }
    assert {row.class_name for row in LOSSES if row.library == "keras"} == exported


@pytest.mark.parametrize("row", OF_A_LIBRARY, ids=named)
def test_settings_are_those_of_the_signature_in_its_order(row):
    ours = {s.name: s.default if s.upstream is ... else s.upstream for s in row.settings}
    assert list(ours.items()) == list(signature(LIBRARIES[row.library], row.class_name).items())


@pytest.mark.parametrize("row", LOSSES, ids=named)
def test_each_task_is_served_or_refused_with_a_reason(row):
    assert set(row.tasks) | set(row.refusals) == set(TASKS)
    assert not set(row.tasks) & set(row.refusals)


@pytest.mark.parametrize(("row", "task"), REFUSED, ids=named)
def test_a_refusal_says_why_and_what_to_take(row, task):
    with pytest.raises(UsageError) as refused:
        fit(row, task, {}, "--loss")
    [fault] = refused.value.faults
    assert fault.where == "--loss"
    assert row.refusals[task].split("; take ")[0] in fault.what
    assert any(name in fault.remedy for name in ("cross_entropy", "mse", "msle"))


@pytest.mark.parametrize(("row", "task", "settings"), CASES, ids=named)
def test_the_librarys_loss_is_the_twin(row, task, settings):
    found = fit(row, task, settings)
    classes = 2 if task == "binary" else K
    y = targets_for(found, classes, 6)
    raw = np.random.default_rng(0).normal(size=(6, classes if found.units == "classes" else 1))
    value, gradient = twin(row.name, settings, found, y, raw, MEAN, DEVIATION)
    outputs = torch.tensor(raw, requires_grad=True)
    loss = libraries_loss(row, task, settings, found, y, outputs)
    loss.backward()
    assert loss.item() == pytest.approx(value, rel=1e-6, abs=1e-6)
    np.testing.assert_allclose(outputs.grad.numpy(), gradient, rtol=1e-6, atol=1e-6)
    assert np.abs(gradient).max() > 1e-4


@pytest.mark.parametrize(
    ("name", "task", "settings"),
    [
        ("CrossEntropyLoss", "multiclass", {"weight": [0.5, 1.0, 3.0], "label_smoothing": 0.1}),
        ("BCEWithLogitsLoss", "multiclass", {"weight": [0.5, 1.0, 3.0], "pos_weight": [2.0, 1.0, 4.0]}),
        ("BCEWithLogitsLoss", "binary", {"pos_weight": [4.0]}),
        ("BCELoss", "multiclass", {"weight": [0.5, 1.0, 3.0]}),
        ("categorical_focal_crossentropy", "multiclass", {"alpha": [0.5, 1.0, 3.0]}),
    ],
)
def test_weights_of_classes_are_lists(name, task, settings):
    test_the_librarys_loss_is_the_twin(loss_named(name), task, settings)


@pytest.mark.parametrize(("row", "task"), PAIRS, ids=named)
def test_learning_the_loss_learns_the_task(row, task):
    """Gradient descent on free outputs ends with the right classes, or at the targets."""
    found = fit(row, task, {})
    classes = 2 if task == "binary" else K
    y = targets_for(found, classes, 6)
    raw = 0.1 * np.random.default_rng(2).normal(size=(6, classes if found.units == "classes" else 1))
    for step in range(400):
        _, gradient = twin(row.name, {}, found, y, raw, MEAN, DEVIATION)
        raw -= 0.1 * 0.99**step * gradient / max(np.abs(gradient).max(), 1e-12)
    if task == "regression":
        np.testing.assert_allclose(raw, y, atol=0.05)
        return
    right = y if y.ndim == 1 else y[:, 0] > 0.5 if found.units == "one" else y.argmax(axis=1)
    level = 1.0 / (1.0 + np.exp(-raw)) if found.reads == "probabilities" and found.units == "one" else raw
    said = level[:, 0] > found.threshold if found.units == "one" else raw.argmax(axis=1)
    np.testing.assert_array_equal(said, right)


@pytest.mark.parametrize("row", LOSSES, ids=named)
@pytest.mark.parametrize("change", [str, str.upper, lambda n: n.replace("_", ""), lambda n: n.replace("_", "-")])
def test_every_name_finds_its_row(row, change):
    for name in names_of(row):
        assert loss_named(change(name)) is row


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("MeanSquaredError", "mse"),
        ("mean_squared_error", "mse"),
        ("BinaryCrossentropy", "binary_crossentropy"),
        ("scce", "sparse_categorical_crossentropy"),
        ("kld", "kl_divergence"),
        ("logcosh", "log_cosh"),
        ("l1", "mae"),
        ("huber_loss", "HuberLoss"),
        ("cross_entropy_loss", "CrossEntropyLoss"),
        ("cross_entropy", "cross_entropy"),
    ],
)
def test_names_that_people_type(name, row):
    assert loss_named(name).name == row


@pytest.mark.parametrize(
    ("task", "settings", "row", "targets"),
    [
        ("multiclass", {}, "sparse_categorical_crossentropy", "integer"),
        ("multiclass", {"label_smoothing": 0.1}, "categorical_crossentropy", "one_hot"),
        ("binary", {"label_smoothing": 0.1}, "binary_crossentropy", "binary"),
    ],
)
def test_cross_entropy_becomes_the_form_that_fits(task, settings, row, targets):
    cross_entropy = loss_named("cross_entropy")
    assert stands_for(cross_entropy, task, settings)[0].name == row
    assert fit(cross_entropy, task, settings).targets == targets


@pytest.mark.parametrize(
    ("task", "row"), [("multiclass", "categorical_focal_crossentropy"), ("binary", "binary_focal_crossentropy")]
)
def test_focal_becomes_the_form_that_fits(task, row):
    assert stands_for(loss_named("focal"), task, {"gamma": 3.0}) == (loss_named(row), {"gamma": 3.0})


def test_from_logits_false_reads_probabilities():
    found = fit(loss_named("bce"), "binary", {"from_logits": False})
    assert (found.reads, found.threshold) == ("probabilities", 0.5)


@pytest.mark.parametrize(
    ("name", "targets", "reason"),
    [("mape", [1.0, 0.0, 0.0], "2 of 3 targets are 0"), ("msle", [1.0, -2.0], "1 of 2 targets are negative")],
)
def test_targets_without_a_meaning_are_refused(name, targets, reason):
    found = loss_named(name).tasks["regression"]
    assert reason in found.refuses(np.array(targets))
    assert found.refuses(np.array([1.0, 2.0])) is None
