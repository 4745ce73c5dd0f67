"""The doctor's checks over evidence made by hand: each sees its ailment, says what to change, is silent without it."""

from dataclasses import replace

import numpy as np
import pytest

from lossopt_cli.catalogue.ailments import AILMENTS, NAMES
from lossopt_cli.catalogue.backbones import PIXELS
from lossopt_cli.training.diagnosis import RANGES
from lossopt_cli.training.doctor import course, inputs, layers, outputs
from lossopt_cli.training.doctor.course import Course
from lossopt_cli.training.doctor.finding import Finding, cause_among, told
from lossopt_cli.training.doctor.inputs import Pixels, Repeated, Spread
from lossopt_cli.training.doctor.layers import Activity, Gradient
from lossopt_cli.training.doctor.outputs import Batch, Predictions

LOGITS = np.random.default_rng(0).normal(size=(32, 4))
SHARES = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
BATCH = Batch(LOGITS, "logits", 0, "cross_entropy", has_logits=True)
OF_SHARES = replace(BATCH, reads="probabilities")
HEALTHY = Course(
    losses=np.linspace(2.3, 0.5, 100),
    norms=np.full(100, 1.0),
    steps=100,
    initial_loss=2.3,
    guess_loss=2.303,
    train=[2.0, 1.4, 0.9, 0.7, 0.5],
    validation=[1.9, 1.4, 1.0, 0.8, 0.7],
    judged=[0.3, 0.5, 0.7, 0.8, 0.85],
    moved=1e-3,
    rate=0.001,
    default_rate=0.001,
)
STUCK = replace(HEALTHY, losses=np.full(100, 2.3), train=[2.3] * 5, validation=[2.3] * 5, judged=[0.1] * 5)
TURNING = replace(HEALTHY, validation=[1.5, 1.0, 1.4, 1.5, 1.6], judged=[0.5, 0.8, 0.8, 0.78, 0.78])
CLASSES = Predictions(("a", "b", "c"), np.array([20, 20, 20]), np.array([30, 30, 0]), "validation")


def of_pixels(pixels: Pixels) -> list[Finding]:
    return [finding for finding in [inputs.input_range(pixels)] if finding is not None]


def of_spread(spread: Spread) -> list[Finding]:
    return [finding for finding in [inputs.inputs_alike(spread)] if finding is not None]


def of_copies(found: list[Repeated]) -> list[Finding]:
    return [finding for finding in [inputs.repeated_images(found)] if finding is not None]


def of_gradients(gradients: list[Gradient]) -> list[Finding]:
    return [finding for finding in [layers.vanishing_gradients(gradients)] if finding is not None]


def of_norm(evidence: tuple[float, float | None]) -> list[Finding]:
    return [finding for finding in [layers.exploding_gradients(*evidence)] if finding is not None]


def of_classes(predictions: Predictions) -> list[Finding]:
    return [finding for finding in [outputs.missing_class(predictions)] if finding is not None]


def gradients_of(*sizes: float) -> list[Gradient]:
    return [Gradient(f"dense_{place}", size) for place, size in enumerate(sizes)]


# (check, evidence that has the ailment, its name, what is said, evidence that has not)
AILING = {
    "images in [0, 1] for [-1, 1]": (
        of_pixels,
        Pixels(0.0, 1.0, -1.0, 1.0, "MobileNetV2"),
        "input_range",
        "fed in 0..1, and MobileNetV2 expects -1..1",
    ),
    "images in [0, 1] for [0, 255]": (
        of_pixels, Pixels(0.0, 1.0, 0.0, 255.0, "EfficientNetB0"), "input_range", "EfficientNetB0 expects 0..255"
    ),
    "tiny inputs": (of_spread, Spread(2e-7, 32), "inputs_alike", "differs by 2e-07 from example to example"),
    "a random backbone": (
        of_spread, Spread(1e-13, 32, "MobileNetV2"), "inputs_alike", "The weights of MobileNetV2 are random"
    ),
    "clipped at 1e-7": (
        outputs.findings, replace(OF_SHARES, stuck=18), "zero_gradient", "18 of 32 training examples"
    ),
    "flat without a clip": (
        outputs.findings,
        replace(OF_SHARES, stuck=18, has_logits=False, loss="mse"),
        "zero_gradient",
        "Take cross_entropy, which reads logits",
    ),
    "softmax twice": (
        outputs.findings, replace(BATCH, raw=SHARES), "probabilities_for_logits", "Leave the softmax out"
    ),
    "from_logits=false": (
        outputs.findings, OF_SHARES, "probabilities_for_logits", "cross_entropy is given probabilities"
    ),
    "dead": (
        layers.of_activities, [Activity("relu_1", 1.0), Activity("relu_2", 0.97)], "dead_layer", "(and 1 more like it)"
    ),
    "saturated": (
        layers.of_activities, [Activity("tanh_1", saturated=0.95)], "saturated_layer", "95 % of the outputs of tanh_1"
    ),
    "vanishing": (of_gradients, gradients_of(1e-9, 1e-6, 1e-3, 1.0), "vanishing_gradients", "dense_0 is 1e-09"),
    "exploding at once": (of_norm, (1e6, 2.3), "exploding_gradients", "norm of 1e+06"),
    "exploding": (
        course.findings,
        replace(HEALTHY, norms=np.geomspace(1.0, 1e5, 100), losses=np.linspace(2.3, 3.0, 100)),
        "exploding_gradients",
        "grew from 1.7 to 5.9e+04",
    ),
    "one of three classes": (of_classes, CLASSES, "missing_class", "Never predicted: 'c', which 20 examples"),
    "many classes": (
        of_classes,
        Predictions(tuple("abcdefg"), np.full(7, 9), np.array([30, 33, 0, 0, 0, 0, 0]), "validation"),
        "missing_class",
        "'c', 'd', 'e' and 2 more, which 45 examples",
    ),
    "still at guessing": (course.findings, STUCK, "loss_still", "stands still at 2.3; guessing costs 2.303"),
    "still above guessing": (
        course.findings,
        replace(STUCK, initial_loss=8.9, losses=np.full(100, 6.0), validation=[6.4, 6.2, 6.1, 6.1, 6.1]),
        "loss_still",
        "stands still at 6.1",
    ),
    "validation turns": (course.findings, TURNING, "overfitting", "rose from 1 to 1.6"),
    "rises at once": (
        course.findings,
        replace(HEALTHY, losses=np.r_[2.3, np.full(19, 9.0)], train=[9.0], validation=[9.0], rate=0.1),
        "rate_too_high",
        "rose from 2.3 to 9",
    ),
    "leaps": (course.findings, replace(HEALTHY, moved=5.6, rate=3.0), "rate_too_high", "by 5.6 times their size"),
    "crawls": (
        course.findings,
        replace(STUCK, moved=9e-10, rate=1e-7, losses=np.full(20, 2.3), train=[2.3], validation=[2.3]),
        "rate_too_low",
        "Try --lr 0.001",
    ),
    "in train and test": (
        of_copies,
        [Repeated("test", 100, 3), Repeated("validation", 100, 0)],
        "repeated_images",
        "3 of 100 images of test are also in train",
    ),
}  # fmt: skip
SOUND = {
    "the right range": (of_pixels, Pixels(-1.0, 1.0, -1.0, 1.0, "MobileNetV2")),
    "the right range but for rounding": (of_pixels, Pixels(-120.0, 150.0, -123.7, 151.1, "ResNet50")),
    "inputs that differ": (of_spread, Spread(0.05, 32)),
    "a random backbone whose features differ": (of_spread, Spread(0.05, 32, "MobileNetV2")),
    "one example": (of_spread, Spread(0.0, 1)),
    "logits": (outputs.findings, BATCH),
    "one is stuck": (outputs.findings, replace(BATCH, stuck=1)),
    "a loss of probabilities alone": (outputs.findings, replace(OF_SHARES, has_logits=False, loss="kl_divergence")),
    "one logit between 0 and 1": (outputs.findings, replace(BATCH, raw=np.full((32, 1), 0.5))),
    "a loss of one's own": (outputs.findings, Batch(SHARES, "scores", None, "own")),
    "half of a deep layer is 0": (layers.of_activities, [Activity("relu_9", 0.7), Activity("tanh", saturated=0.5)]),
    "gradients of a deep network": (of_gradients, gradients_of(1e-3, 3e-3, 2e-3, 1.0)),
    "weights that are not in use": (of_gradients, gradients_of(0.0, 0.1, 0.2, 1.0)),
    "one layer": (of_gradients, gradients_of(1.0)),
    "a gradient as large as the loss": (of_norm, (50.0, 2.3)),
    "a gradient beside what is not known": (of_norm, (1e9, None)),
    "every class": (of_classes, replace(CLASSES, predicted=np.array([58, 1, 1]))),
    "a class of four": (of_classes, replace(CLASSES, true=np.array([20, 20, 4]))),
    "one class for all": (of_classes, replace(CLASSES, predicted=np.array([60, 0, 0]))),
    "healthy": (course.findings, HEALTHY),
    "no steps": (course.findings, replace(HEALTHY, losses=np.array([]), norms=np.array([]))),
    "a plateau that is left": (course.findings, replace(HEALTHY, norms=np.geomspace(1e-3, 10.0, 100))),
    "a slow start": (course.findings, replace(STUCK, steps=300)),
    "slow, and not still": (course.findings, replace(STUCK, validation=[2.30, 2.29, 2.28, 2.26, 2.24])),
    "learned by heart alone": (course.findings, replace(HEALTHY, validation=[2.5] * 5)),
    "from far above to below guessing": (
        course.findings,
        replace(HEALTHY, initial_loss=105.0, train=[17.0, 2.0, 1.9, 1.85, 1.8], validation=[4.0, 1.9, 1.7, 1.7, 1.65]),
    ),
    "at its floor": (course.findings, replace(HEALTHY, validation=[0.7] * 5, losses=np.full(100, 0.7))),
    "guessing is not known": (course.findings, replace(STUCK, guess_loss=None)),
    "turning, but the metric improves": (course.findings, replace(TURNING, judged=[0.5, 0.8, 0.8, 0.81, 0.82])),
    "turning, but the best is kept": (course.findings, replace(TURNING, keeps_best=True)),
    "turned for two epochs": (course.findings, replace(TURNING, validation=[1.5, 1.2, 1.0, 1.5, 1.6])),
    "a little above the best": (course.findings, replace(TURNING, validation=[1.5, 1.0, 1.1, 1.1, 1.1])),
    "crawls at the default": (course.findings, replace(HEALTHY, moved=9e-10)),
    "the optimizer has its own rate": (course.findings, replace(HEALTHY, moved=9e-10, rate=None, default_rate=None)),
    "one in a thousand": (of_copies, [Repeated("test", 1000, 1)]),
    "no copies": (of_copies, []),
}


@pytest.mark.parametrize("case", AILING)
def test_an_ailment_is_seen_and_says_what_to_change(case):
    check, evidence, name, words = AILING[case]
    [spoken] = [found for found in check(evidence) if found.name == name]
    assert words in str(spoken)
    assert all(sentence.endswith(".") for sentence in (spoken.seen, spoken.why, spoken.remedy))


@pytest.mark.parametrize("case", SOUND)
def test_without_an_ailment_there_is_silence(case):
    check, evidence = SOUND[case]
    assert check(evidence) == []


@pytest.mark.parametrize("case", AILING)
def test_an_ailment_is_one_finding(case):
    """What a piece of evidence shows beside its own ailment is said better by that."""
    check, evidence, name, _ = AILING[case]
    assert [found.name for found in told(check(evidence))] == [name]


@pytest.mark.parametrize("ailment", AILMENTS, ids=lambda ailment: ailment.name)
def test_the_table_names_each_ailment_once(ailment):
    assert NAMES.count(ailment.name) == 1
    assert set(ailment.better_said_by) <= set(NAMES) - {ailment.name}
    assert set(ailment.seen_at) <= {"start", "epoch", "end"}


def finding(name: str, seen: str = "seen", step: int | None = 10) -> Finding:
    return Finding(name, seen, "why", "remedy", step=step)


def test_a_finding_is_told_once_in_its_last_words_and_where_it_was_first_seen():
    [one] = told([finding("overfitting", "early", 40), finding("overfitting", "late", 90)])
    assert (one.seen, one.step) == ("late", 40)


def test_what_another_finding_says_better_is_left_out():
    names = [one.name for one in told([finding("loss_still"), finding("no_better_than_guessing")])]
    assert names == ["no_better_than_guessing"]


def test_the_first_batch_comes_first_then_what_is_important():
    found = [finding("overfitting"), finding("one_class"), finding("start_loss", step=0)]
    assert [one.name for one in told(found)] == ["start_loss", "one_class", "overfitting"]


@pytest.mark.parametrize(
    ("found", "cause"),
    [
        (finding("dead_layer", step=0), "dead_layer"),
        (finding("dead_layer", step=40), None),
        (finding("repeated_images", step=0), None),
    ],
)
def test_what_was_seen_on_the_first_batch_may_be_the_cause(found, cause):
    known = cause_among([found])
    assert (known and known.name) == cause


def test_every_preprocessing_has_its_range():
    assert set(RANGES) == set(PIXELS)
