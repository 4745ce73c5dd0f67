"""Metrics equal scikit-learn's; guessing and intervals are what they say."""

import time
import warnings

import numpy as np
import pytest
from sklearn import metrics as theirs

from lossopt_cli.catalogue import metrics
from lossopt_cli.catalogue.intervals import interval, intervals, wilson
from lossopt_cli.catalogue.metrics import METRICS, Outputs, compute, guessing

K = 4


def multiclass(count: int = 200, seed: int = 0) -> Outputs:
    generator = np.random.default_rng(seed)
    probabilities = generator.dirichlet(np.ones(K), count)
    targets = np.where(generator.random(count) < 0.5, probabilities.argmax(1), generator.integers(0, K - 1, count))
    return Outputs("multiclass", targets, probabilities.argmax(1), probabilities)


def binary(count: int = 200, seed: int = 0) -> Outputs:
    """Scores with many ties."""
    generator = np.random.default_rng(seed)
    targets = generator.integers(0, 2, count)
    scores = np.round(generator.normal(targets, 1.0), 1)
    p = 1.0 / (1.0 + np.exp(-scores))
    return Outputs("binary", targets, (scores > 0).astype(int), np.stack([1 - p, p], axis=1), scores)


def regression(count: int = 200, seed: int = 0) -> Outputs:
    generator = np.random.default_rng(seed)
    targets = generator.normal(50.0, 10.0, count)
    return Outputs("regression", targets, targets + generator.normal(0.0, 5.0, count))


OUTPUTS = {"multiclass": multiclass(), "binary": binary(), "regression": regression()}
THEIRS = {
    "accuracy": lambda o: theirs.accuracy_score(o.targets, o.predicted),
    "macro_f1": lambda o: theirs.f1_score(o.targets, o.predicted, average="macro"),
    "cross_entropy": lambda o: theirs.log_loss(o.targets, o.probabilities, labels=range(o.probabilities.shape[1])),
    "auc": lambda o: theirs.roc_auc_score(o.targets, o.scores),
    "mae": lambda o: theirs.mean_absolute_error(o.targets, o.predicted),
    "rmse": lambda o: theirs.root_mean_squared_error(o.targets, o.predicted),
    "r2": lambda o: theirs.r2_score(o.targets, o.predicted),
}


@pytest.mark.parametrize(("row", "task"), [(row, task) for row in METRICS for task in row.tasks], ids=str)
def test_metrics_are_those_of_scikit_learn(row, task):
    outputs = OUTPUTS[task]
    assert compute(outputs)[row.name] == pytest.approx(THEIRS[row.name](outputs), rel=1e-9, abs=1e-9)


def test_a_class_that_is_never_predicted_counts_0():
    outputs = Outputs("multiclass", np.array([0, 0, 1, 3]), np.array([0, 0, 0, 3]))
    assert compute(outputs)["macro_f1"] == pytest.approx((2 * 2 / 5 + 0 + 1) / 3)


def test_sure_and_wrong_costs_36():
    outputs = Outputs("binary", np.array([1]), np.array([0]), np.array([[1.0, 0.0]]))
    assert compute(outputs)["cross_entropy"] == pytest.approx(-np.log(2.220446049250313e-16))


@pytest.mark.parametrize("task", OUTPUTS)
def test_without_probabilities_there_is_no_cross_entropy(task):
    outputs = Outputs(task, OUTPUTS[task].targets, OUTPUTS[task].predicted)
    expected = {row.name for row in METRICS if task in row.tasks and row.needs in ("classes", "values")}
    assert set(compute(outputs)) == expected


@pytest.mark.parametrize(
    ("name", "outputs"),
    [
        ("auc", Outputs("binary", np.ones(3, int), np.ones(3, int), scores=np.arange(3.0))),
        ("auc", Outputs("binary", np.array([0, 1]), np.ones(2, int), scores=np.array([np.nan, 1.0]))),
        ("r2", Outputs("regression", np.ones(3), np.arange(3.0))),
        ("rmse", Outputs("regression", np.ones(2), np.array([np.inf, np.nan]))),
        ("accuracy", Outputs("multiclass", np.zeros(0, int), np.zeros(0, int))),
        ("mae", Outputs("regression", np.zeros(0), np.zeros(0))),
    ],
)
def test_what_is_not_defined_is_nan_and_silent(name, outputs):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(compute(outputs)[name])


def test_guessing_a_class_is_the_most_frequent_of_training():
    train, test = np.array([2, 2, 2, 0]), np.array([2, 0, 1, 2])
    guessed = guessing("multiclass", train, test)
    assert guessed["accuracy"] == 0.5
    expected = [0.75, 0.25, np.finfo(float).eps, 0.75]  # class 1 never occurs in training
    assert guessed["cross_entropy"] == pytest.approx(-np.log(expected).mean())
    assert guessed["macro_f1"] == pytest.approx((2 * 2 / 6) / 3)


def test_guessing_ten_equal_classes_costs_ln_10():
    targets = np.repeat(np.arange(10), 5)
    assert guessing("multiclass", targets, targets)["cross_entropy"] == pytest.approx(np.log(10))


def test_guessing_does_not_rank():
    assert guessing("binary", np.array([0, 1, 1]), np.array([0, 1]))["auc"] == 0.5


def test_guessing_a_number_is_the_mean_of_training():
    guessed = guessing("regression", np.array([1.0, 3.0]), np.array([2.0, 4.0]))
    assert guessed == pytest.approx({"mae": 1.0, "rmse": np.sqrt(2.0), "r2": -1.0})


def test_wilson_as_worked_by_hand():
    """171 of 180 with z = 1.96: OUTPUT's example."""
    assert wilson(171, 180) == pytest.approx((0.9077, 0.9735), abs=5e-4)
    assert wilson(0, 10)[0] == pytest.approx(0.0, abs=1e-15)
    assert wilson(10, 10)[1] == pytest.approx(1.0)


@pytest.mark.parametrize("name", [row.name for row in METRICS])
def test_an_interval_holds_the_metric_and_narrows_with_the_sample(name):
    task = metrics.metric_named(name).tasks[-1]
    make = {"multiclass": multiclass, "binary": binary, "regression": regression}[task]
    widths = []
    for count in (100, 1600):
        low, high = interval(name, make(count), draws=200)
        assert low < compute(make(count))[name] < high
        widths.append(high - low)
    assert 2.0 < widths[0] / widths[1] < 8.0
    assert interval(name, make(100), draws=50) == interval(name, make(100), draws=50)


def bootstrap_by_hand(name: str, outputs: Outputs, draws: int) -> list[float]:
    """The metric itself of every sample, drawn example by example."""
    generator, size = np.random.default_rng(0), len(outputs)
    samples = [outputs.take(generator.integers(0, size, size)) for _ in range(draws)]
    return np.quantile([compute(sample)[name] for sample in samples], [0.025, 0.975]).tolist()


BOOTSTRAPPED = [(row.name, task) for row in METRICS for task in row.tasks if row.name != "accuracy"]


@pytest.mark.parametrize(("name", "task"), BOOTSTRAPPED)
def test_the_bootstrap_is_that_of_the_metric_itself(name, task):
    found = interval(name, OUTPUTS[task], draws=100)
    assert found == pytest.approx(bootstrap_by_hand(name, OUTPUTS[task], 100), rel=1e-12)


def test_intervals_of_many_metrics_are_those_of_each():
    together = intervals(compute(OUTPUTS["binary"]), OUTPUTS["binary"], draws=50)
    assert together == {name: interval(name, OUTPUTS["binary"], draws=50) for name in together}
    assert len(together) == 4


@pytest.mark.parametrize(
    ("name", "outputs"),
    [
        ("mae", regression(1)),
        ("macro_f1", multiclass(1)),
        ("accuracy", multiclass(0)),
        ("auc", Outputs("binary", np.ones(9, int), np.ones(9, int), scores=np.arange(9.0))),
        ("r2", Outputs("regression", np.ones(9), np.arange(9.0))),
        ("rmse", Outputs("regression", np.ones(2), np.array([np.inf, np.nan]))),
    ],
)
def test_what_is_not_defined_has_no_interval(name, outputs):
    assert np.isnan(interval(name, outputs)).all()


def test_samples_without_one_of_the_classes_are_left_out_of_the_interval_of_auc():
    """Two examples: every other sample has one class; of the rest all score alike."""
    outputs = Outputs("binary", np.array([0, 1]), np.array([0, 1]), scores=np.array([0.0, 1.0]))
    assert interval("auc", outputs) == (1.0, 1.0)


def test_an_interval_of_many_examples_takes_seconds_at_most():
    began_at = time.perf_counter()
    assert interval("auc", binary(60_000), draws=100)[0] > 0.7
    assert time.perf_counter() - began_at < 1.0
