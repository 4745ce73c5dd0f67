"""What the end of a run shows: whether it learned anything, and what stands against it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lossopt_cli.training.doctor.finding import Finding, meaning_of
from lossopt_cli.training.doctor.rates import higher_rate, lower_rate, spoken

FAR_START = 2.0  # times what guessing costs; a fresh network's outputs alone may add half of it
FAR_RATE = 10.0  # times the optimizer's default
ROSE = 0.5  # of the start: above the noise of batches
FEWEST_TO_RISE = 20  # steps: the mean of the last of fewer is also of the first
FEWEST = 5  # steps to a mean, for the last batch of an epoch may be a handful of examples
# Validation behind training, beyond three standard errors: of accuracy and its like; else of what training gained
# over guessing.
BY_HEART, BY_HEART_SHARE = 0.15, 0.5


@dataclass(frozen=True)
class Evidence:
    """What the checks look at.

    losses: of every batch, finite. guess_loss, fair_start: what guessing and a fair start cost, None where not known.
    train, judged, guessing: metrics on train, on `split` of so many examples, and there without a model, of the weights
    that are reported: those of best_epoch, of the last where it is None; guessing_on_train: what train is beside, as
    guessing where it is None. learned: whether the metric beats guessing by two standard errors, standard_error where
    it is known. predicted: the share of the most predicted class on `split`, None for numbers.
    default_rate: of the optimizer, None for one that is not in the catalogue. own_loss: whether the loss is the user's,
    of which it is not known what it asks for. cause: what was seen on the first batch and lets nothing be learned.
    """

    metric: str
    higher: bool
    rate: float | None
    default_rate: float | None
    split: str
    initial_loss: float
    guess_loss: float | None
    fair_start: float | None
    losses: np.ndarray
    train: Mapping[str, float]
    judged: Mapping[str, float]
    examples: int
    guessing: Mapping[str, float]
    learned: bool | None
    predicted: float | None = None
    standard_error: float | None = None
    own_loss: bool = False
    cause: Finding | None = None
    best_epoch: float | None = None
    guessing_on_train: Mapping[str, float] | None = None

    @property
    def at(self) -> str:
        """Which weights the metrics are of, where they are not the last."""
        return "" if self.best_epoch is None else f" at the best epoch, {self.best_epoch:g}"

    @property
    def settled(self) -> float:
        """The mean loss of the last tenth of the steps."""
        return float(np.mean(self.losses[-max(FEWEST, len(self.losses) // 10) :]))

    @property
    def peak(self) -> float:
        """The largest mean loss of a twentieth of the steps."""
        window = min(max(FEWEST, len(self.losses) // 20), len(self.losses))
        return float(np.convolve(self.losses, np.ones(window) / window, "valid").max())

    @property
    def scale(self) -> float:
        """What a change of the loss is measured by; not 0 for losses that start there (cosine similarity)."""
        return max(abs(self.initial_loss), abs(self.guess_loss or 0.0), 1e-6)


def findings(evidence: Evidence) -> list[Finding]:
    """Every check that has something to say, in the order of a training."""
    checks = (_start, _undefined, _not_learned, _rose, _one_class, _overfitting)
    return [finding for check in checks if (finding := check(evidence)) is not None]


def start_loss(initial: float, fair: float | None, in_training: float | None = None) -> Finding | None:
    """The loss at step 0 is far above what a fair start costs. Silent for losses that can be negative: their zero
    means nothing, and neither does a ratio.

    in_training: of the first batch as the first step sees it. Before that step batch normalisation has no statistics
    to evaluate by, and what a deep network then gives (`initial`) is far off though it starts fairly."""
    start = initial if in_training is None or not in_training < initial else in_training
    if fair is None or fair <= 0.0 or start <= FAR_START * fair + 0.1:
        return None
    return Finding(
        "start_loss",
        f"The loss starts at {start:.4g}, where knowing nothing costs {fair:.4g}.",
        "The inputs or the targets are badly scaled, or the last layer's outputs are too large at the start.",
        "Scale them (images to 0..1, columns and targets standardised), or make the last layer start smaller.",
    )


def _start(evidence: Evidence) -> Finding | None:
    first = float(evidence.losses[0]) if len(evidence.losses) else None
    return start_loss(evidence.initial_loss, evidence.fair_start, first)


def _undefined(evidence: Evidence) -> Finding | None:
    """The metric is measured, and says nothing of whether the run learned."""
    metric, split = evidence.metric, evidence.split
    if evidence.learned is not None or metric not in evidence.judged or metric not in evidence.guessing:
        return None
    why = f"{split.capitalize()} has one example, which shows no spread."
    if evidence.examples > 1:
        why = f"On the {evidence.examples} examples of {split} {metric} is not defined, as where all are of one class "
        why += "or of one value."
    seen = "Whether this run learned anything is not known."
    return Finding("metric_undefined", seen, why, f"Give {split} more examples, or judge by another --metric.")


def _not_learned(evidence: Evidence) -> Finding | None:
    if evidence.learned is not False or not len(evidence.losses):
        return None
    value, guess = evidence.judged[evidence.metric], evidence.guessing[evidence.metric]
    seen = f"{evidence.split.capitalize()} {evidence.metric} {value:.3g}{evidence.at}: "
    ahead = _ahead(evidence) > 0.0
    by = f"ahead of guessing ({guess:.3g}) by less than two standard errors"
    seen += f"{by}." if ahead else f"no better than guessing ({guess:.3g})."
    start, end = evidence.initial_loss, evidence.settled
    if evidence.cause is not None:
        why = f"The cause was seen on the first batch: {meaning_of(evidence.cause)}."
        return Finding("no_better_than_guessing", seen, why, "Mend that first.")
    rate, fall = None, f"fell from {start:.3g} to {end:.3g}"
    if evidence.peak > start + ROSE * evidence.scale:
        rate = lower_rate(evidence.rate, evidence.default_rate)
        why = f"The loss rose from {start:.3g} to {evidence.peak:.3g}: the learning rate is too high."
        return Finding("no_better_than_guessing", seen, why, f"Try {spoken(rate, 'a lower rate')}.", rate)
    if _far_rate(evidence):
        rate = evidence.default_rate
        why = f"The learning rate {evidence.rate:g} is {evidence.rate / rate:.3g} times the optimizer's default."
        remedy = f"Try --lr {rate:g}; if that changes nothing, look at the data."
    elif start - end <= 0.1 * evidence.scale:
        rate = higher_rate(evidence.rate, evidence.default_rate)
        why = f"The loss hardly fell ({start:.3g} to {end:.3g}): the learning rate is too low for so few steps, "
        why += "or the inputs do not tell the targets."
        remedy = f"Try {spoken(rate, 'a higher rate')}; if that changes nothing, look at the data."
    elif _ahead(evidence) > max(0.0, 0.5 * _ahead_on_train(evidence)):
        why = f"It is ahead, but by less than two standard errors of {evidence.examples} examples, as chance may be."
        remedy = f"Try more epochs, or give {evidence.split} more examples."
    elif _ahead_on_train(evidence) > 0.1 * abs(guess):
        why = f"The training loss {fall}, by heart: little or nothing of it carries over."
        remedy = (
            "Fewer epochs, train.keep: best, a smaller model or more examples; if no epoch was better, look at the "
            "data and their labels."
        )
    elif evidence.guess_loss is not None and end < evidence.guess_loss - 0.1 * evidence.scale:
        why = f"The loss {fall}, below the {evidence.guess_loss:.3g} of guessing: it asks for something else than "
        why += f"{evidence.metric} measures."
        remedy = "Take another loss, or judge by another --metric."
    else:
        why = f"The loss {fall}, but the training metric is hardly better either: too few steps, or the inputs do not "
        why += "tell the targets."
        remedy = "Try more epochs; if that changes nothing, look at the data."
    if evidence.own_loss:
        remedy += (
            f" Or your loss asks for something else than {evidence.metric} measures: then judge by the loss itself, "
        )
        remedy += "in epochs.csv."
    return Finding("no_better_than_guessing", seen, why, remedy, rate)


def _far_rate(evidence: Evidence) -> bool:
    rate, default = evidence.rate, evidence.default_rate
    return rate is not None and default is not None and rate >= FAR_RATE * default


def _rose(evidence: Evidence) -> Finding | None:
    """Said only where the run learned something all the same; the check before says it of a run that did not."""
    if evidence.learned is False or not len(evidence.losses):
        return None
    after = evidence.train.get("loss") if evidence.best_epoch is None else None
    end = evidence.settled if after is None else min(evidence.settled, after)
    if end <= evidence.initial_loss + 0.05 * evidence.scale or len(evidence.losses) < FEWEST_TO_RISE:
        return None
    rate = lower_rate(evidence.rate, evidence.default_rate)
    return Finding(
        "loss_rose",
        f"The training loss ends at {end:.4g}, above its start of {evidence.initial_loss:.4g}.",
        "Steps overshoot: the learning rate is too high.",
        f"Try {spoken(rate, 'a lower rate')}.",
        rate,
    )


def _one_class(evidence: Evidence) -> Finding | None:
    if evidence.predicted is None or evidence.predicted < 1.0:
        return None
    return Finding(
        "one_class",
        f"The model predicts one class for every example of {evidence.split}.",
        "It has collapsed to a constant (a rate too high, too few steps), or one class outnumbers the others by far.",
        "Change the rate, train longer, or look at macro_f1 and the class counts.",
    )


def _overfitting(evidence: Evidence) -> Finding | None:
    """Validation behind training, each beside what guessing gives there, by more than the sample's error explains."""
    train, judged = evidence.train.get(evidence.metric), evidence.judged.get(evidence.metric)
    if evidence.split == "train" or train is None or judged is None or evidence.learned is False:
        return None
    if evidence.standard_error is None:
        return None
    gap = _ahead_on_train(evidence) - _ahead(evidence)
    of_classes = evidence.predicted is not None and evidence.higher
    behind = BY_HEART if of_classes else BY_HEART_SHARE * _ahead_on_train(evidence)
    if not gap > max(behind, 3.0 * evidence.standard_error):
        return None
    remedy = "Fewer epochs or train.keep: best," if evidence.best_epoch is None else "Fewer epochs,"
    return Finding(
        "overfitting",
        f"Training {evidence.metric} {train:.3g}, {evidence.split} only {judged:.3g}{evidence.at}.",
        "The model learns the training examples by heart.",
        f"{remedy} weight decay, dropout, or more data.",
    )


def _ahead(evidence: Evidence) -> float:
    """By how much the metric is better than guessing where it is judged."""
    return _better(evidence, evidence.judged, evidence.guessing)


def _ahead_on_train(evidence: Evidence) -> float:
    """The same on train, beside what guessing gives there."""
    return _better(evidence, evidence.train, evidence.guessing_on_train or evidence.guessing)


def _better(evidence: Evidence, metrics: Mapping[str, float], guessing: Mapping[str, float]) -> float:
    ahead = metrics.get(evidence.metric, math.nan) - guessing.get(evidence.metric, math.nan)
    return ahead if evidence.higher else -ahead
