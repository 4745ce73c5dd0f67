"""What the course of a training shows at an epoch's end: the rate, gradients that grow, a loss that stands still,
validation that turns."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lossopt_cli.training.doctor.finding import Finding
from lossopt_cli.training.doctor.rates import higher_rate, lower_rate, spoken

FEWEST = 5  # steps to a mean
ROSE = 0.5  # of the start, as at the end of a run: above the noise of batches
# Of the size of the weights, a step. About 1e-3 is usual (Stanford's CS231n, "Ratio of weights:updates"); the slowest
# of the optimizers at its default, Keras's Adadelta, makes 1e-5.
TINY_STEP = 1e-6
HUGE_STEP = 1.0
UNMOVED = 0.01  # of the start: what the loss moves by in an epoch that does nothing
FAR_BELOW = 10.0  # times: how far a rate is from the default before it is called too low
GREW = 1e3  # times: gradients of networks that train grow tenfold at most while the loss does not fall
# A loss stands still where the evaluations of the last third came by less than this share of the start below the one
# before them (Adagrad, the slowest that learns at its default, comes by 0.02), and only where it has not come BELOW
# guessing (of what that costs), for there it may be at its floor.
STILL, BELOW = 0.002, 0.1
FEWEST_TO_STAND = 3  # evaluations
TURNED = 0.25  # of what validation had gained over guessing, given back
IN_A_ROW = 3  # evaluations


@dataclass(frozen=True)
class Course:
    """A training so far.

    losses, norms: of every step, finite; steps: planned. initial_loss: before the first; guess_loss: what guessing
    costs, None where not known. train, validation, judged: the loss on each and the metric on validation, one an
    evaluation; validation and judged are empty where there is none. higher: whether a higher metric is better.
    moved: by how much of their size the weights have changed in a step, on the mean over the first epoch; None where
    not known. rate: the largest of the plan so far and to come; None where the optimizer keeps its own.
    keeps_best: whether the best weights are kept, so that later ones do no harm.
    """

    losses: np.ndarray
    norms: np.ndarray
    steps: int
    initial_loss: float
    guess_loss: float | None
    train: Sequence[float]
    validation: Sequence[float] = ()
    judged: Sequence[float] = ()
    higher: bool = True
    moved: float | None = None
    rate: float | None = None
    default_rate: float | None = None
    keeps_best: bool = False

    @property
    def settled(self) -> float:
        """The mean loss of the last tenth of the steps so far."""
        return float(np.mean(self.losses[-max(FEWEST, len(self.losses) // 10) :]))

    @property
    def scale(self) -> float:
        """What a change of the loss is measured by."""
        return max(abs(self.initial_loss), abs(self.guess_loss or 0.0), 1e-6)


def findings(course: Course) -> list[Finding]:
    """Every check that has something to say."""
    if not len(course.losses) or not math.isfinite(course.initial_loss):
        return []
    checks = (_rate_too_high, _rate_too_low, _exploding, _loss_still, _turned)
    return [finding for check in checks if (finding := check(course)) is not None]


def _rate_too_high(course: Course) -> Finding | None:
    leaps = course.moved is not None and course.moved > HUGE_STEP
    if not leaps and not course.settled > course.initial_loss + ROSE * course.scale:
        return None
    seen = f"The training loss rose from {course.initial_loss:.4g} to {course.settled:.4g}."
    if leaps:
        seen = f"A step changes the weights by {course.moved:.2g} times their size."
    rate = lower_rate(course.rate, course.default_rate)
    why = "Steps overshoot: the learning rate is far too high."
    return Finding("rate_too_high", seen, why, f"Try {spoken(rate, 'a lower rate')}.", rate)


def _rate_too_low(course: Course) -> Finding | None:
    """Silent near the optimizer's default, and where the loss moves all the same."""
    if course.moved is None or course.moved >= TINY_STEP or course.rate is None:
        return None
    if course.default_rate is not None and course.rate * FAR_BELOW > course.default_rate:
        return None
    if abs(course.settled - course.initial_loss) > UNMOVED * course.scale and not _is_noise(course.losses):
        return None
    rate = higher_rate(course.rate, course.default_rate)
    return Finding(
        "rate_too_low",
        f"A step changes the weights by {course.moved:.0e} of their size, and the loss hardly moves.",
        "The learning rate is far too low: about 1e-3 of their size is usual.",
        f"Try {spoken(rate, 'a higher rate')}.",
        rate,
    )


def _is_noise(losses: np.ndarray) -> bool:
    """Whether the first and the last quarter of the steps differ by less than two standard errors."""
    first, last = np.array_split(losses, 4)[0], np.array_split(losses, 4)[-1]
    error = math.sqrt(first.var() / len(first) + last.var() / max(1, len(last))) if len(losses) >= 4 else math.inf
    return len(losses) < 4 or abs(float(first.mean() - last.mean())) <= 2.0 * error


def _exploding(course: Course) -> Finding | None:
    """Gradients that grow while the loss does not fall; a network that leaves a plateau has both, and is well."""
    window = max(FEWEST, len(course.norms) // 10)
    first, last = np.median(course.norms[:window]), np.median(course.norms[-window:])
    if not first > 0.0 or last < GREW * first or course.settled < course.initial_loss:
        return None
    rate = lower_rate(course.rate, course.default_rate)
    return Finding(
        "exploding_gradients",
        f"The norm of the gradient grew from {first:.2g} to {last:.2g}.",
        "Each step makes the next one larger: the training is about to diverge.",
        f"Clip the gradients (--set optimizer.clipnorm=1) or try {spoken(rate, 'a lower rate')}.",
        rate,
    )


def _loss_still(course: Course) -> Finding | None:
    """From the half of the plan on: before it, a slow start is a slow start. Silent where the loss falls on train
    alone, for what is learned by heart is learned."""
    if course.guess_loss is None or 2 * len(course.losses) < course.steps:
        return None
    splits = [np.asarray(values, dtype=np.float64) for values in (course.validation, course.train) if len(values)]
    if not splits or not all(_stands(values, course) for values in splits):
        return None
    rate = higher_rate(course.rate, course.default_rate)
    rate = rate if rate is not None and rate == course.default_rate else None
    return Finding(
        "loss_still",
        f"The loss stands still at {splits[0][-1]:.4g}; guessing costs {course.guess_loss:.4g}.",
        "The last third of the epochs did not make it better: the gradient is lost on the way, the rate is wrong, or "
        "the inputs do not tell the targets.",
        f"Try {spoken(rate, 'another rate')}, scale the inputs, or look at the data.",
        rate,
    )


def _stands(values: np.ndarray, course: Course) -> bool:
    """Whether the last third is neither below guessing nor on the way there. values: finite, one an evaluation."""
    if len(values) < FEWEST_TO_STAND or not np.isfinite(values).all():
        return False
    last = np.array_split(values, 3)[-1]
    level, before = float(last.min()), values[-len(last) - 1]
    floor = course.guess_loss - BELOW * (abs(course.guess_loss) or course.scale)
    return level >= floor and before - level <= STILL * course.scale


def _turned(course: Course) -> Finding | None:
    """Validation has given back a good part of what it had gained, evaluation after evaluation, while train falls."""
    losses = np.asarray(course.validation, dtype=np.float64)
    if course.keeps_best or course.guess_loss is None or len(losses) <= IN_A_ROW or not np.isfinite(losses).all():
        return None
    best = int(losses.argmin())
    gained, since = course.guess_loss - losses[best], losses[best + 1 :]
    if gained <= 0.0 or len(since) < IN_A_ROW or min(since[-IN_A_ROW:]) < losses[best] + TURNED * gained:
        return None
    sign = 1.0 if course.higher else -1.0
    gained_since = sign * (course.judged[-1] - course.judged[best]) if len(course.judged) else 0.0
    if gained_since > 0.0 or not course.train[-1] < course.train[best]:
        return None
    return Finding(
        "overfitting",
        f"The validation loss rose from {losses[best]:.3g} to {losses[-1]:.3g} while that of training went on falling.",
        "The model learns the training examples by heart.",
        "Set train.keep: best, train fewer epochs, or add weight decay, dropout or data.",
    )
