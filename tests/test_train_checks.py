"""The six checks of a run: each sees its ailment, says what to change, and is silent without it."""

import math
from dataclasses import replace

import numpy as np
import pytest
from small_problems import Workbench, config_of, problem_of

from lossopt_cli.catalogue.losses import LOSSES
from lossopt_cli.training.doctor.ending import Evidence, findings
from lossopt_cli.training.doctor.rates import higher_rate, lower_rate
from lossopt_cli.training.judging import guess_of, judge

HEALTHY = Evidence(
    metric="accuracy",
    higher=True,
    rate=0.001,
    default_rate=0.001,
    split="validation",
    initial_loss=2.3,
    guess_loss=2.303,
    fair_start=2.303,
    losses=np.linspace(2.3, 0.2, 200),
    train={"accuracy": 0.97, "loss": 0.2},
    judged={"accuracy": 0.95, "loss": 0.25},
    examples=500,
    guessing={"accuracy": 0.1},
    learned=True,
    predicted=0.12,
    standard_error=0.01,
)
NUMBERS = replace(
    HEALTHY,
    metric="mae",
    higher=False,
    initial_loss=1.5,
    guess_loss=1.2,
    fair_start=1.2,
    losses=np.linspace(1.5, 0.4, 100),
    train={"mae": 33.0},
    judged={"mae": 48.0},
    guessing={"mae": 68.0},
    predicted=None,
    standard_error=4.0,
)
COSINE = replace(HEALTHY, initial_loss=0.01, guess_loss=-0.3, fair_start=0.0, losses=np.linspace(0.0, -0.9, 200))
AT_GUESSING = replace(
    HEALTHY, learned=False, train={"accuracy": 0.1}, judged={"accuracy": 0.1}, losses=np.full(200, 2.303)
)

# (evidence, the check that speaks, what it says, the rate to try)
AILING = {
    "far start": (
        replace(HEALTHY, initial_loss=9.0, losses=np.linspace(9.0, 0.2, 200)),
        "start_loss",
        "9, where knowing nothing costs 2.303",
        None,
    ),
    "raw targets": (
        replace(NUMBERS, initial_loss=2.9e4, losses=np.linspace(2.9e4, 0.4, 100)),
        "start_loss",
        "badly scaled",
        None,
    ),
    "rate too high": (
        replace(AT_GUESSING, rate=1.0, losses=np.r_[2.3, np.full(199, 15.2)]),
        "no_better_than_guessing",
        "rose from 2.3 to 15.2: the learning rate is too high. Try --lr 0.001.",
        0.001,
    ),
    "rate too high, and back to guessing": (
        replace(AT_GUESSING, rate=0.002, losses=np.r_[np.full(30, 400.0), np.full(170, 2.303)]),
        "no_better_than_guessing",
        "too high. Try --lr 0.0002.",
        0.0002,
    ),
    "rate too low": (
        replace(AT_GUESSING, rate=1e-6),
        "no_better_than_guessing",
        "hardly fell (2.3 to 2.3): the learning rate is too low",
        0.001,
    ),
    "rate far above the default": (
        replace(NUMBERS, learned=False, judged={"mae": 70.0}, rate=1.0, default_rate=0.01),
        "no_better_than_guessing",
        "(68). The learning rate 1 is 100 times the optimizer's default. Try --lr 0.01; if that changes nothing",
        0.01,
    ),
    "a loss of one's own": (
        replace(NUMBERS, learned=False, judged={"mae": 70.0}, train={"mae": 70.0}, guess_loss=None, own_loss=True),
        "no_better_than_guessing",
        "Or your loss asks for something else than mae measures: then judge by the loss itself",
        None,
    ),
    "ahead by chance": (
        replace(HEALTHY, learned=False, examples=30, train={"accuracy": 0.22}, judged={"accuracy": 0.2}),
        "no_better_than_guessing",
        "less than two standard errors of 30 examples, as chance may be. Try more epochs",
        None,
    ),
    "ahead by chance, where validation is harder to guess": (
        replace(
            NUMBERS,
            learned=False,
            train={"mae": 57.3},
            judged={"mae": 64.0},
            guessing={"mae": 68.6},
            guessing_on_train={"mae": 63.6},
        ),
        "no_better_than_guessing",
        "ahead of guessing (68.6) by less than two standard errors. It is ahead, but",
        None,
    ),
    "learned by heart only": (
        replace(HEALTHY, learned=False, judged={"accuracy": 0.11}),
        "no_better_than_guessing",
        "by heart",
        None,
    ),
    "too few steps": (
        replace(AT_GUESSING, losses=np.linspace(4.0, 2.31, 50), initial_loss=4.0),
        "no_better_than_guessing",
        "Try more epochs",
        None,
    ),
    "a last batch of a few examples": (
        replace(
            NUMBERS,
            learned=False,
            train={"mae": 68.0},
            judged={"mae": 68.0},
            losses=np.r_[np.full(14, 1.1), 3.7, np.full(5, 1.1)],
        ),
        "no_better_than_guessing",
        "fell from 1.5 to 1.1",
        None,
    ),
    "another aim": (
        replace(AT_GUESSING, losses=np.linspace(2.3, 0.9, 50)),
        "no_better_than_guessing",
        "asks for something else than accuracy measures",
        None,
    ),
    "above its start": (
        replace(HEALTHY, losses=np.linspace(2.3, 4.0, 200), train={"accuracy": 0.97, "loss": 4.0}),
        *("loss_rose", "ends at 3.919, above its start of 2.3. Steps overshoot: the learning rate is too high", 0.0001),
    ),
    "one class": (replace(HEALTHY, predicted=1.0), "one_class", "one class for every example", None),
    "by heart": (
        replace(HEALTHY, train={"accuracy": 1.0}, judged={"accuracy": 0.7}),
        "overfitting",
        "Training accuracy 1, validation only 0.7",
        None,
    ),
    "one class in validation": (
        replace(HEALTHY, metric="auc", learned=None, judged={"auc": math.nan}, guessing={"auc": math.nan}, train={}),
        "metric_undefined",
        "learned anything is not known. On the 500 examples of validation auc is not defined",
        None,
    ),
    "one example to validate": (
        replace(NUMBERS, learned=None, examples=1, standard_error=None),
        "metric_undefined",
        "Validation has one example, which shows no spread. Give validation more examples",
        None,
    ),
    "of the best epoch": (
        replace(AT_GUESSING, best_epoch=3.0),
        "no_better_than_guessing",
        "Validation accuracy 0.1 at the best epoch, 3: no better than guessing (0.1)",
        0.01,
    ),
    "numbers by heart": (replace(NUMBERS, train={"mae": 5.0}), "overfitting", "Training mae 5", None),
}
SOUND = {
    "healthy": HEALTHY,
    "batches above the start, and the weights below": replace(HEALTHY, losses=np.linspace(2.3, 4.0, 200)),
    "a rise in few steps": replace(HEALTHY, losses=np.linspace(2.3, 4.0, 8), train={"accuracy": 0.97}),
    "numbers": NUMBERS,
    "a loss below zero": COSINE,
    "batch normalisation without statistics": replace(HEALTHY, initial_loss=11.8),
    "a start at 1.5 times guessing": replace(HEALTHY, initial_loss=3.4),
    "guessing is not known": replace(HEALTHY, guess_loss=None, fair_start=None, initial_loss=50.0),
    "noise of batches": replace(HEALTHY, losses=np.linspace(2.3, 0.2, 200) * np.tile([0.7, 1.3], 100)),
    "a gap within the error of the sample": replace(
        HEALTHY, train={"accuracy": 1.0}, judged={"accuracy": 0.8}, standard_error=0.07
    ),
    "most of one class": replace(HEALTHY, predicted=0.99),
    "no steps": replace(HEALTHY, losses=np.array([])),
    "nothing to judge by": replace(HEALTHY, learned=None, judged={}, train={}, guessing={}),
}


@pytest.mark.parametrize("case", AILING)
def test_an_ailment_is_seen_and_says_what_to_change(case):
    evidence, name, words, rate = AILING[case]
    spoken = [found for found in findings(evidence) if found.name == name]
    assert len(spoken) == 1
    assert words in str(spoken[0])
    assert spoken[0].learning_rate == rate
    assert str(spoken[0]).endswith(".")


@pytest.mark.parametrize("case", SOUND)
def test_without_an_ailment_there_is_silence(case):
    assert findings(SOUND[case]) == []


@pytest.mark.parametrize(
    ("rate", "default", "lower", "higher"),
    [
        (1e9, 0.01, 0.01, 1e10),
        (0.01, 0.01, 0.001, 0.1),
        (1e-6, 0.01, 1e-7, 0.01),
        (0.0316, None, 0.003, 0.3),
        (None, None, None, None),
    ],
)
def test_rates_to_try(rate, default, lower, higher):
    assert lower_rate(rate, default) == pytest.approx(lower)
    assert higher_rate(rate, default) == pytest.approx(higher)


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        (("--data", "digits", "--opt", "sgd", "--lr", 30, "--epochs", 2), "no_better_than_guessing"),
        (("--data", "digits", "--opt", "sgd", "--lr", 1e-6, "--epochs", 2), "no_better_than_guessing"),
        (("--data", "digits", "--opt", "sgd", "--lr", 30, "--epochs", 2), "one_class"),
        (("--data", "synthetic_regression:signal=0:samples=400", "--epochs", 3), "no_better_than_guessing"),
        (("--data", "diabetes", "--set", "data.scale_target=false", "--epochs", 2), "start_loss"),
        (("--data", "sonar.csv", "--opt", "adam", "--lr", 0.03, "--epochs", 60), "overfitting"),
    ],
)
def test_a_sick_training_says_so(train, typed, name):
    from tests.conftest import shared_file

    typed = [shared_file(word) if str(word).endswith(".csv") else word for word in typed]
    run = train(*typed)
    assert run.code == 0
    assert name in [warning["name"] for warning in run.result["warnings"]]
    assert " ".join(run.result["warnings"][0]["text"].split())[:40] in " ".join(run.out.split())


PINBALL = """
from keras import ops

def pinball(y_true, y_pred, q=0.9):
    error = y_true - y_pred
    return ops.mean(ops.maximum(q * error, (q - 1.0) * error), axis=-1)
"""


def test_a_quantile_judged_by_mae_is_told_that_the_loss_may_ask_for_something_else(train, tmp_path):
    (tmp_path / "own.py").write_text(PINBALL)
    run = train("--data", "diabetes", "--loss", f"{tmp_path / 'own.py'}:pinball", "--opt", "sgd", "--epochs", 20)
    assert [warning["name"] for warning in run.result["warnings"]] == ["no_better_than_guessing"]
    assert "your loss asks for something else than mae measures" in " ".join(run.out.split())


@pytest.mark.parametrize(("keep", "learned"), [("last", False), ("best", True)])
def test_the_judgement_is_of_the_weights_that_are_reported(keep, learned):
    """Rates that ruin the second half: the best weights have learned, and the last have not."""
    config = config_of("regression", None, "adam", epochs=12, learning_rate=0.03)
    bench = Workbench(config, problem_of("regression", sizes=(200, 100, 50)))
    rates = np.where(np.arange(300) < 150, 0.03, 30.0)
    outcome = bench.train(rates=rates, keep_best=keep == "best")
    plan, examination = bench.plan(rates), bench.examination()
    guess = guess_of(examination, bench.program.start())
    judgement = judge(examination, plan, outcome, guess, config, 0.03)
    assert judgement.learned is learned
    assert judgement.sample.value == outcome.reported[0]["test"]["mae"]
    assert judgement.sample.low < judgement.sample.value < judgement.sample.high
    assert ("no_better_than_guessing" in [found.name for found in judgement.found]) is not learned


ONE_CLASS_LEFT = "a,y\n" + "".join(f"{n % 7},{'yes' if n == 3 else 'no'}\n" for n in range(40))


@pytest.mark.parametrize(
    ("rows", "typed", "words"),
    [
        (ONE_CLASS_LEFT, ("--metric", "auc"), "On the 8 examples of validation auc is not defined"),
        ("a,y\n" + "".join(f"{n},{n % 5}.5\n" for n in range(5)), ("--metric", "mae"), "Validation has one example"),
        ("a,y\n" + "".join(f"{n},{n % 5}.5\n" for n in range(5)), ("--metric", "r2"), "Validation has one example"),
    ],
)
def test_what_validation_cannot_tell_is_not_known_and_not_a_failure(train, tmp_path, rows, typed, words):
    (tmp_path / "few.csv").write_text(rows)
    run = train("--data", tmp_path / "few.csv", *typed, "--epochs", 2)
    assert run.code == 0, run.err
    assert run.result["learned"] is None
    assert run.result["standard_error"] is None
    assert "Whether this run learned anything is not known." in " ".join(run.out.split())
    assert words in " ".join(run.out.split())


def test_batches_that_nobody_asked_for_are_cut_to_few_rows(train, tmp_path):
    """10 rows leave 7 to train on."""
    (tmp_path / "few.csv").write_text("a,y\n" + "".join(f"{n},{n}.5\n" for n in range(10)))
    run = train("--data", tmp_path / "few.csv", "--epochs", 1)
    assert run.code == 0, run.err
    assert run.result["config"]["train"]["batch_size"] == 2
    assert "batches of 2, since only 7 examples train; --batch-size takes another size" in run.err
    assert "on 1 row: how it does on other rows cannot be said" in " ".join(run.out.split())
    refused = train("--data", tmp_path / "few.csv", "--batch-size", 32)
    assert refused.code == 2
    assert "--batch-size 2" in refused.err


def test_a_third_is_not_taken_for_three_classes(train, tmp_path):
    """Two of three training rows are of one class, and the only row to validate is of the other: -ln 1/3."""
    (tmp_path / "few.csv").write_text("a,y\n1,no\n2,no\n3,yes\n4,yes\n")
    said = train("--data", tmp_path / "few.csv", "--epochs", 1).err
    assert "guessing costs 1.099" in said
    assert "ln 3" not in said


REGRESSION = [row.name for row in LOSSES if "regression" in row.tasks]
CLASSES = [row.name for row in LOSSES if "multiclass" in row.tasks]


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("loss", REGRESSION)
def test_every_regression_loss_beats_the_mean_or_says_why_not(train, loss, optimizer):
    run = train("--data", "diabetes", "--loss", loss, "--opt", optimizer)
    assert run.code == 0, run.err
    names = [warning["name"] for warning in run.result["warnings"]]
    metrics, guessing = run.result["metrics"]["test"], run.result["guessing"]["test"]
    assert names == [] if run.result["learned"] else names == ["no_better_than_guessing"]
    assert run.result["learned"] is False or metrics["mae"] < guessing["mae"]


@pytest.mark.parametrize("loss", CLASSES)
def test_no_loss_of_classes_raises_a_false_alarm(train, loss):
    run = train("--data", "wine", "--loss", loss)
    assert run.code == 0, run.err
    assert run.result["learned"] is True
    assert run.result["warnings"] == []
