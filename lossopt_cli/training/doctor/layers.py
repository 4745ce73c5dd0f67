"""What the layers show on one batch: units that are dead or saturated, gradients that vanish or explode."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lossopt_cli.training.doctor.finding import Finding

# Of a layer's units. With random weights about half of a ReLU's units are zero for all of a batch where the examples
# hardly differ (deep networks), and trained networks come to three quarters.
DEAD = 0.95
# Of a layer's outputs. Where half a layer is saturated the rest still learns; gates are saturated on purpose.
SATURATED = 0.9
# Of the largest gradient of the later layers: what is smaller is lost in float32 beside it, and takes 100,000 times the
# steps. Networks that train (20 layers with batch normalisation, or of ReLUs) stay above a hundredth.
VANISHED = 1e-5
# Times what guessing costs: networks that train begin at 0.1 to 100 times that.
EXPLODED = 1e4


@dataclass(frozen=True)
class Activity:
    """An activation on a batch. layer: its name. dead: the share of units that are exactly 0 for every example, None
    for what has no such state; saturated: the share of outputs at a flat end, None likewise."""

    layer: str
    dead: float | None = None
    saturated: float | None = None


@dataclass(frozen=True)
class Gradient:
    """The root mean square of the gradient of a kernel, in the order of the layers."""

    layer: str
    size: float


def of_activities(activities: Sequence[Activity]) -> list[Finding]:
    """The dead and the saturated layers, each kind said once, of its first layer."""
    found = []
    if dead := [one for one in activities if one.dead is not None and one.dead >= DEAD]:
        found.append(_dead(dead))
    if saturated := [one for one in activities if one.saturated is not None and one.saturated >= SATURATED]:
        found.append(_saturated(saturated))
    return found


def _dead(layers: Sequence[Activity]) -> Finding:
    first = layers[0]
    return Finding(
        "dead_layer",
        f"{_share(first.dead)} units of {first.layer} are 0 for every example{_more(layers)}.",
        "A ReLU that is never above 0 has no gradient: nothing below it is learned, and it does not come back.",
        "Lower the rate, start with smaller weights and biases, scale the inputs, or take leaky_relu or elu.",
    )


def _saturated(layers: Sequence[Activity]) -> Finding:
    first = layers[0]
    return Finding(
        "saturated_layer",
        f"{_share(first.saturated)} outputs of {first.layer} are at the flat ends of its activation{_more(layers)}.",
        "What it is given is so large that its slope is 0: hardly any gradient passes.",
        "Scale the inputs, start with smaller weights, normalise before it, or take relu.",
    )


def _share(value: float) -> str:
    return "All" if value == 1.0 else f"{100.0 * value:.3g} % of the"


def _more(layers: Sequence[Activity]) -> str:
    return f" (and {len(layers) - 1} more like it)" if len(layers) > 1 else ""


def vanishing_gradients(gradients: Sequence[Gradient]) -> Finding | None:
    """The first layers get a tiny share of what the last get. A gradient of exactly 0 is of weights that are not in
    use, or below a dead layer, and tells nothing here."""
    half = len(gradients) // 2
    early = [one for one in gradients[:half] if one.size > 0.0]
    late = max((one.size for one in gradients[half:]), default=0.0)
    if not early or not 0.0 < late < math.inf:
        return None
    first = min(early, key=lambda one: one.size)
    if first.size >= VANISHED * late:
        return None
    return Finding(
        "vanishing_gradients",
        f"The gradient of {first.layer} is {first.size / late:.0e} of that of the last layers.",
        "Every layer on the way back makes it smaller: the first layers stay as they are.",
        "Take relu instead of sigmoid or tanh, batch normalisation, fewer layers, or shortcuts.",
    )


def exploding_gradients(norm: float, fair: float | None) -> Finding | None:
    """The norm of the gradient of the first batch, beside what a fair start costs. Silent where that is not known."""
    if fair is None or fair <= 0.0 or not norm > EXPLODED * fair:
        return None
    return Finding(
        "exploding_gradients",
        f"The first gradient has a norm of {norm:.2g}, where the loss of a fair start is {fair:.3g}.",
        "Inputs or weights are so large that every layer makes the gradient larger: a step leaps far away.",
        "Scale the inputs, start with smaller weights, or clip: --set optimizer.clipnorm=1.",
    )
