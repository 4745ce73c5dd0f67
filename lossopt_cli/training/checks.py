"""Five checks of a run: each says in one sentence what is seen, why, and what to change; silent on healthy runs."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

FAR_START = 1.5  # times what guessing costs
OVERFIT_GAP = 0.1  # of accuracy, and three standard errors of the validation sample


@dataclass(frozen=True)
class Finding:
    """name: one of start_loss, no_better_than_guessing, loss_rose, one_class, overfitting."""

    name: str
    seen: str
    why: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.seen} {self.why} {self.remedy}"


@dataclass(frozen=True)
class Evidence:
    """What the checks look at. losses: of every batch. guess_loss: what the best constant output costs, None where
    that is not known. learned: whether the metric beats guessing by two standard errors of the sample.

    predicted: the share of the most predicted class on validation, None for numbers; most_frequent: of the targets.
    validation_error: the standard error of the validation metric.
    """

    metric: str
    higher: bool
    rate: float | None
    initial_loss: float
    guess_loss: float | None
    losses: np.ndarray
    train: Mapping[str, float]
    validation: Mapping[str, float]
    guessing: Mapping[str, float]
    learned: bool | None
    predicted: float | None = None
    validation_error: float = 0.0
    epochs: int = 1


def findings(evidence: Evidence) -> list[Finding]:
    """Every check that has something to say, in the order of a training."""
    checks = (_start, _not_learned, _rose, _one_class, _overfitting)
    return [finding for check in checks if (finding := check(evidence)) is not None]


def start_loss(initial: float, guess: float | None) -> Finding | None:
    """The loss at step 0 is far above what guessing costs."""
    if guess is None or guess <= 0.0 or initial <= FAR_START * guess + 0.1:
        return None
    return Finding(
        "start_loss",
        f"The loss starts at {initial:.4g}, where guessing costs {guess:.4g}.",
        "The inputs are badly scaled, or the last layer's outputs are too large at the start.",
        "Scale the inputs (images to 0..1, columns standardised), or make the last layer start smaller.",
    )


def _start(evidence: Evidence) -> Finding | None:
    return start_loss(evidence.initial_loss, evidence.guess_loss)


def _not_learned(evidence: Evidence) -> Finding | None:
    if evidence.learned is not False:
        return None
    value, guess = evidence.validation.get(evidence.metric), evidence.guessing.get(evidence.metric)
    seen = f"Validation {evidence.metric} {value:.3g}: no better than guessing ({guess:.3g})."
    if _climbed(evidence):
        return Finding(
            "no_better_than_guessing", seen, "The loss rose above its start and never came back: the learning rate is"
            " too high.", f"Try --lr {_tidy(evidence.rate, 0.03)}." if evidence.rate else "Try a lower rate.",
        )  # fmt: skip
    if len(evidence.losses) and _settled(evidence) > 0.9 * evidence.initial_loss:
        return Finding(
            "no_better_than_guessing", seen, "The loss hardly fell: the learning rate is too low, or the targets have"
            " nothing to do with the inputs.",
            f"Try --lr {_tidy(evidence.rate, 10)}; if that changes nothing, look at the data." if evidence.rate
            else "Try a higher rate; if that changes nothing, look at the data.",
        )  # fmt: skip
    return Finding(
        "no_better_than_guessing", seen, "The loss on the training data fell, so the model learns by heart what does"
        " not carry over: the inputs may not tell the targets.",
        "Look at the data and their labels; more examples or a smaller model may help.",
    )  # fmt: skip


def _rose(evidence: Evidence) -> Finding | None:
    """Said only where the run learned something all the same; the check before says it of a run that did not."""
    if evidence.learned is False or not _climbed(evidence):
        return None
    return Finding(
        "loss_rose",
        f"The training loss ends at {_settled(evidence):.4g}, above its start of {evidence.initial_loss:.4g}.",
        "Steps overshoot: the learning rate is too high.",
        f"Try --lr {_tidy(evidence.rate, 0.1)}." if evidence.rate else "Try a lower rate.",
    )


def _one_class(evidence: Evidence) -> Finding | None:
    if evidence.predicted is None or evidence.predicted < 1.0:
        return None
    return Finding(
        "one_class",
        "The model predicts one class for every validation example.",
        "It has collapsed to a constant (a rate too high, a dead layer), or one class outnumbers the others by far.",
        "Lower the rate, train longer, or look at macro_f1 and the class counts.",
    )


def _overfitting(evidence: Evidence) -> Finding | None:
    """Validation loss well above its training value and the metric well behind, both beyond the sample's error."""
    train, validation = evidence.train.get(evidence.metric), evidence.validation.get(evidence.metric)
    if train is None or validation is None or evidence.learned is False:
        return None
    gap = train - validation if evidence.higher else validation - train
    scale = 1.0 if evidence.higher else abs(evidence.guessing.get(evidence.metric) or 1.0)
    if gap <= max(OVERFIT_GAP * scale, 3.0 * evidence.validation_error):
        return None
    return Finding(
        "overfitting",
        f"Training {evidence.metric} {train:.3g}, validation only {validation:.3g}.",
        "The model learns the training examples by heart.",
        "Fewer epochs or train.keep: best, weight decay, dropout, or more data.",
    )


def _climbed(evidence: Evidence) -> bool:
    return len(evidence.losses) > 0 and _settled(evidence) > 1.05 * evidence.initial_loss + 1e-6


def _settled(evidence: Evidence) -> float:
    """The mean loss of the last tenth of the steps."""
    tail = max(1, len(evidence.losses) // 10)
    return float(np.mean(evidence.losses[-tail:]))


def _tidy(rate: float, factor: float) -> str:
    """The rate times the factor, to one digit."""
    value = rate * factor
    digit = 10.0 ** math.floor(math.log10(value))
    return f"{round(value / digit) * digit:g}"
