"""What the outputs show: losses without a gradient, probabilities where logits belong, classes left out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lossopt_cli.catalogue.wording import counted
from lossopt_cli.training.doctor.finding import Finding

# Of the examples, wrong and without a gradient. A tenth: fewer are carried by the others, and mislabelled examples of a
# trained network are among them; and never on the word of a single example.
STUCK_SHARE, FEWEST_STUCK = 0.1, 2
SUM_OF_SHARES = 1e-3  # how far float32 and bfloat16 probabilities of a row are from 1 in sum
NAMED_CLASSES = 3  # the others are counted
FEWEST_OF_A_CLASS = 5  # in validation: of fewer, a good model may miss all


@dataclass(frozen=True)
class Batch:
    """Outputs of some training examples.

    raw: [n, units], as the loss is given them by the network. reads: what the loss takes them for, as in Fit.
    stuck: how many examples are predicted wrongly and have no gradient all the same; None where that is not known.
    loss: its name. has_logits: whether that loss has a form which reads logits.
    """

    raw: np.ndarray
    reads: str
    stuck: int | None
    loss: str
    has_logits: bool = False

    @property
    def share(self) -> float:
        return 0.0 if self.stuck is None else self.stuck / len(self.raw)


def findings(batch: Batch) -> list[Finding]:
    """Every check of a batch that has something to say."""
    checks = (_zero_gradient, _probabilities)
    return [finding for check in checks if (finding := check(batch)) is not None]


def _zero_gradient(batch: Batch) -> Finding | None:
    """Keras clips probabilities at 1e-7, where the loss is 16.1 and its slope is 0; a softmax or sigmoid that is
    saturated multiplies the slope of any loss by 0."""
    if batch.stuck is None or batch.stuck < FEWEST_STUCK or batch.share < STUCK_SHARE:
        return None
    why = "The last layer's outputs are so large that their probabilities are 0 or 1, where this loss is flat"
    remedy = "Take cross_entropy, which reads logits"
    if batch.has_logits:
        why = "Their probability of the truth is below 1e-7, where the loss is clipped: 16.1 and flat"
        remedy = f"Let {batch.loss} read logits (no from_logits=false, no softmax in the model)"
    return Finding(
        "zero_gradient",
        f"{batch.stuck} of {counted(len(batch.raw), 'training example')} are predicted wrongly, and their loss has no "
        "gradient.",
        f"{why}, so these examples cost the most and teach nothing.",
        f"{remedy}, and make the last layer's inputs smaller (scaled inputs, pooling or normalisation before it).",
    )


def _probabilities(batch: Batch) -> Finding | None:
    if batch.reads == "logits" and _are_shares(batch.raw):
        return Finding(
            "probabilities_for_logits",
            "The model's outputs are probabilities already: each row is in 0..1 and adds up to 1.",
            f"{batch.loss} reads logits and takes their softmax once more, which hides most of the gradient.",
            "Leave the softmax out of the model, which then gives logits.",
        )
    if batch.reads == "probabilities" and batch.has_logits:
        return Finding(
            "probabilities_for_logits",
            f"{batch.loss} is given probabilities (from_logits=false).",
            "They are clipped at 1e-7: an example that is wrong by more costs 16.1 and has no gradient. Of logits the "
            "same loss always has one.",
            "Leave from_logits=false out, and a softmax or sigmoid at the end of the model, if it has one.",
        )
    return None


def _are_shares(raw: np.ndarray) -> bool:
    """One unit is never told from a logit that happens to be between 0 and 1."""
    if raw.ndim != 2 or raw.shape[1] < 2 or not np.isfinite(raw).all():
        return False
    inside = raw.min() >= 0.0 and raw.max() <= 1.0
    return bool(inside and np.abs(raw.sum(axis=1) - 1.0).max() <= SUM_OF_SHARES)


@dataclass(frozen=True)
class Predictions:
    """classes: their names. true, predicted: how many examples of `split` are and were said to be of each class."""

    classes: Sequence[str]
    true: np.ndarray
    predicted: np.ndarray
    split: str


def missing_class(predictions: Predictions) -> Finding | None:
    """Classes that `split` has and the model never says; one_class speaks where it says the same of all."""
    said = predictions.predicted > 0
    missing = np.flatnonzero((predictions.true >= FEWEST_OF_A_CLASS) & ~said)
    if not len(missing) or said.sum() < 2:
        return None
    names = [f"'{predictions.classes[place]}'" for place in missing[:NAMED_CLASSES]]
    if (more := len(missing) - len(names)) > 0:
        names.append(f"{more} more")
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    count = counted(int(predictions.true[missing].sum()), "example")
    return Finding(
        "missing_class",
        f"Never predicted: {listed}, which {count} of {predictions.split} are of.",
        "Too few examples of it, too few steps, or it looks like another class.",
        "Train longer or at another rate (--lr auto finds one), look at the confusion (lossopt evaluate), or give it "
        "more examples.",
    )
