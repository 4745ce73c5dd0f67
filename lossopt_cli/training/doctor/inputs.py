"""What the inputs show: images outside the range that a backbone expects, inputs that hardly differ, and images that
are in two splits."""

from collections.abc import Sequence
from dataclasses import dataclass

from lossopt_cli.catalogue.wording import counted
from lossopt_cli.training.doctor.finding import Finding

# Of the width of the expected range, by which an end of the range may be off: preprocessing of another family is off by
# half a width and more ([0, 1] for [-1, 1]), rounding and interpolation by a hundredth.
OFF = 0.25
# What inputs differ by from example to example, on the mean: standardised columns by 1, images by 0.05 to 0.5, features
# of trained backbones by 0.1 to 1. A thousandth of the least of that asks for weights a thousand times as large.
ALIKE = 1e-4
FEWEST_TO_DIFFER = 4  # examples
REPEATED = 0.01  # of the examples that are judged: fewer move a metric by less than 0.01


@dataclass(frozen=True)
class Pixels:
    """The range of images as the backbone eats them, and the one that it was trained on. backbone: its name."""

    low: float
    high: float
    expected_low: float
    expected_high: float
    backbone: str


def input_range(pixels: Pixels) -> Finding | None:
    """An end of the range is far from where the backbone had it. Silent where the range is the right one."""
    room = OFF * (pixels.expected_high - pixels.expected_low)
    off = max(abs(pixels.low - pixels.expected_low), abs(pixels.high - pixels.expected_high))
    if off <= room:
        return None
    return Finding(
        "input_range",
        f"The images are fed in {_range(pixels.low, pixels.high)}, and {pixels.backbone} expects "
        f"{_range(pixels.expected_low, pixels.expected_high)}.",
        "Its weights are made for that range: on another one its features are poor, however long the head trains.",
        "Set model.scale: auto, the preprocessing of its family.",
    )


def _range(low: float, high: float) -> str:
    return f"{low:.4g}..{high:.4g}"


@dataclass(frozen=True)
class Spread:
    """By how much the inputs of so many examples differ, as the network is given them: the root mean square of the
    standard deviations of each number. untrained: the backbone that they come from, where nothing trained it."""

    size: float
    examples: int
    untrained: str | None = None


def inputs_alike(spread: Spread) -> Finding | None:
    """What the network is given is about the same for every example."""
    if spread.examples < FEWEST_TO_DIFFER or not spread.size < ALIKE:
        return None
    why = "What tells one from another is lost beside the biases and in rounding, so every output is about the same."
    remedy = "Scale the inputs (columns standardised, images to 0..1)."
    if spread.untrained is not None:
        why = f"The weights of {spread.untrained} are random, and what it makes of images fades from layer to layer."
        remedy = "Give it trained ones: --set model.weights=imagenet, or a file."
    return Finding(
        "inputs_alike",
        f"What the network is given differs by {spread.size:.0e} from example to example.",
        why,
        remedy,
    )


@dataclass(frozen=True)
class Repeated:
    """How many of the `examples` of `split` are equal to one of train, pixel by pixel."""

    split: str
    examples: int
    count: int


def repeated_images(found: Sequence[Repeated]) -> Finding | None:
    """Where a split that judges has images of train in it; of test first."""
    worst = [one for one in found if one.count and one.count >= REPEATED * one.examples]
    if not worst:
        return None
    seen = " and ".join(f"{one.count} of {counted(one.examples, 'image')} of {one.split}" for one in worst)
    return Finding(
        "repeated_images",
        f"{seen} {'is' if len(worst) == 1 and worst[0].count == 1 else 'are'} also in train, pixel by pixel.",
        "What was learned by heart scores there, so the metric promises more than new images will give.",
        "Keep each image once, or keep its copies in one split.",
    )
