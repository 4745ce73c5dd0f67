"""What a loss costs and how hard it pulls, in plain NumPy: a curve for each loss on each axis that suits it.

The axes, and what x is on them:
    error        f - y, prediction less target, in standardised units
    ratio        f / y, prediction over target, for a target of 100
    probability  of the right class, two classes
    margin       how far the right class is ahead, in raw outputs: y f with y = -1 or +1; for a softmax of two
                 classes the difference of its outputs
    angle        between the raw outputs and the one-hot target, degrees
Loss and slope are of one example; the slope is d loss / dx, and infinite where the loss is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lossopt_cli.catalogue.losses import loss_named, stands_for
from lossopt_cli.catalogue.rows import LossRow, Value, defaults
from lossopt_cli.errors import Fault, UsageError

Axis = Literal["error", "ratio", "probability", "margin", "angle"]
Pair = tuple[np.ndarray, np.ndarray]
Shape = Callable[[np.ndarray, Mapping[str, Value]], Pair]

CLIP = 1e-7  # of Keras: probabilities stay within CLIP .. 1 - CLIP
TARGET = 100.0  # of the ratio axis

POINTS: Mapping[Axis, tuple[float, ...]] = {
    "error": (0, 0.5, 1, 2, 5, 10),
    "ratio": (0, 0.5, 0.9, 1, 1.5, 3),
    "probability": (0.01, 0.1, 0.5, 0.9, 0.99),
    "margin": (-5, -1, 0, 1, 2, 5),
    "angle": (0, 30, 60, 90, 180),
}
RANGES: Mapping[Axis, tuple[float, float]] = {
    "error": (-3.0, 3.0),
    "ratio": (0.0, 3.0),
    "probability": (0.005, 1.0),
    "margin": (-3.0, 3.0),
    "angle": (0.0, 180.0),
}
LABELS: Mapping[Axis, str] = {
    "error": "error: prediction − target",
    "ratio": "prediction / target (target 100)",
    "probability": "probability of the right class",
    "margin": "margin of the right class",
    "angle": "angle between outputs and target, degrees",
}


@dataclass(frozen=True)
class Curve:
    """A loss along an axis: x, what it costs there, and its slope; float64 of one shape."""

    axis: Axis
    x: np.ndarray
    value: np.ndarray
    slope: np.ndarray


def axes(name: str) -> tuple[Axis, ...]:
    """The axes on which this loss has a curve, the one that suits it best first; empty for CTC and Circle."""
    return tuple(_SHAPES.get(_computed(name, {})[0].name, {}))


def curve(name: str, settings: Mapping[str, Value], x: np.ndarray, axis: Axis | None = None) -> Curve:
    """The loss of that name with these settings (defaults where not given) at x, on `axis` or its first."""
    row, given = _computed(name, settings)
    shapes = _SHAPES.get(row.name, {})
    if not shapes:
        reason = next(iter(row.refusals.values())).split("; take ")[0]
        raise UsageError(Fault(f"{row.name} has no curve: {reason}", "--loss", "a loss that lossopt trains"))
    if axis is not None and axis not in shapes:
        raise UsageError(Fault(f"{row.name} has no curve over {axis}", "--loss", f"{' or '.join(shapes)}"))
    axis = axis or next(iter(shapes))
    x = np.asarray(x, dtype=np.float64)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        value, slope = shapes[axis](x, defaults(row) | given)
    return Curve(axis, x, np.broadcast_to(value, x.shape), np.broadcast_to(slope, x.shape))


def _computed(name: str, settings: Mapping[str, Value]) -> tuple[LossRow, dict[str, Value]]:
    """`cross_entropy` and `focal` are drawn as what they are on several classes."""
    return stands_for(loss_named(name), "multiclass", settings)


# Errors.


def _square(e, settings) -> Pair:
    return e**2, 2.0 * e


def _absolute(e, settings) -> Pair:
    return np.abs(e), np.sign(e)


def _huber(e, settings) -> Pair:
    delta = settings["delta"]
    inside = np.abs(e) <= delta
    return (
        np.where(inside, e**2 / 2.0, delta * (np.abs(e) - delta / 2.0)),
        np.where(inside, e, delta * np.sign(e)),
    )


def _smooth_l1(e, settings) -> Pair:
    if settings["beta"] == 0.0:
        return _absolute(e, settings)
    value, slope = _huber(e, {"delta": settings["beta"]})
    return value / settings["beta"], slope / settings["beta"]


def _log_cosh(e, settings) -> Pair:
    return np.abs(e) + np.log1p(np.exp(-2.0 * np.abs(e))) - np.log(2.0), np.tanh(e)


def _percentage(ratio, settings) -> Pair:
    return 100.0 * np.abs(ratio - 1.0), 100.0 * np.sign(ratio - 1.0)


def _logarithmic(ratio, settings) -> Pair:
    prediction = np.maximum(TARGET * ratio, CLIP)
    difference = np.log1p(prediction) - np.log1p(TARGET)
    inner = np.where(TARGET * ratio > CLIP, TARGET / (1.0 + prediction), 0.0)
    return difference**2, 2.0 * difference * inner


# Probabilities p of the right class and q = 1 - p of the other, of two.


def _clipped(p) -> tuple[np.ndarray, np.ndarray]:
    """p within CLIP .. 1 - CLIP, and the slope of the clipping."""
    return np.clip(p, CLIP, 1.0 - CLIP), np.where((p >= CLIP) & (p <= 1.0 - CLIP), 1.0, 0.0)


def _cross_entropy(p, settings) -> Pair:
    """-(1 - s/2) ln p - s/2 ln q; clipped where the loss reads probabilities."""
    smooth = settings.get("label_smoothing", 0.0) / 2.0
    inner = 1.0
    if settings.get("from_logits") is False:
        p, inner = _clipped(p)
    value, slope = -(1.0 - smooth) * np.log(p), -(1.0 - smooth) / p
    if smooth:
        value, slope = value - smooth * np.log(1.0 - p), slope + smooth / (1.0 - p)
    return value, slope * inner


def _bce_loss(p, settings) -> Pair:
    """torch's BCELoss: the logarithm is at least -100."""
    return np.minimum(-np.log(p), 100.0), np.where(-np.log(p) < 100.0, -1.0 / p, 0.0)


def _focal(p, settings, scale: float, label: float = 1.0) -> Pair:
    """-scale label (1 - p)^gamma ln p of one class."""
    clipped, inner = _clipped(p)
    gamma, rest = settings["gamma"], 1.0 - clipped
    value = -(rest**gamma) * np.log(clipped)
    bend = gamma * rest ** (gamma - 1.0) * np.log(clipped) if gamma else 0.0
    return scale * label * value, scale * label * inner * (bend - rest**gamma / clipped)


def _categorical_focal(p, settings) -> Pair:
    smooth = settings["label_smoothing"] / 2.0
    scale = settings["alpha"]
    right, wrong = (scale[0], scale[-1]) if isinstance(scale, list) else (scale, scale)
    value, slope = _focal(p, settings, right, 1.0 - smooth)
    if smooth:
        other, other_slope = _focal(1.0 - p, settings, wrong, smooth)
        value, slope = value + other, slope - other_slope
    return value, slope


def _binary_focal(p, settings) -> Pair:
    """(1 - p_t)^gamma of the smoothed target times the clipped cross-entropy."""
    smooth, gamma = settings["label_smoothing"] / 2.0, settings["gamma"]
    target = 1.0 - smooth
    p_t, p_t_slope = target * p + smooth * (1.0 - p), target - smooth
    entropy, entropy_slope = _cross_entropy(p, {**settings, "from_logits": False})
    factor = (1.0 - p_t) ** gamma
    factor_slope = -gamma * (1.0 - p_t) ** (gamma - 1.0) * p_t_slope if gamma else 0.0
    weight = target * settings["alpha"] + smooth * (1.0 - settings["alpha"])
    scale = weight if settings["apply_class_balancing"] else 1.0
    return scale * factor * entropy, scale * (factor_slope * entropy + factor * entropy_slope)


def _generalized(p, settings) -> Pair:
    return (1.0 - p ** settings["q"]) / settings["q"], -(p ** (settings["q"] - 1.0))


def _kl_divergence(p, settings) -> Pair:
    q = 1.0 - p
    value = -np.log(np.clip(p, CLIP, 1.0)) + CLIP * np.log(CLIP / np.clip(q, CLIP, 1.0))
    return value, -np.where(p >= CLIP, 1.0 / p, 0.0) + np.where(q >= CLIP, CLIP / q, 0.0)


def _poisson(p, settings) -> Pair:
    return (1.0 - np.log(p + CLIP)) / 2.0, -0.5 / (p + CLIP)


def _dice(p, settings) -> Pair:
    """One example and its one-hot target of two classes; `axis: 0` looks at each class, the mean of both."""
    if settings["axis"] == 0:
        right = 1.0 + p + CLIP
        return 1.0 - p / right, -(1.0 + CLIP) / right**2
    return 1.0 - 2.0 * p / (2.0 + CLIP), -2.0 / (2.0 + CLIP) * np.ones_like(p)


def _tversky(p, settings) -> Pair:
    missed, false = settings["alpha"], settings["beta"]
    if settings["axis"] == 0:
        below = p + missed * (1.0 - p) + CLIP
        return 1.0 - p / below / 2.0, -0.5 * (missed + CLIP) / below**2
    below = p + (missed + false) * (1.0 - p) + CLIP
    return 1.0 - p / below, -(missed + false + CLIP) / below**2


# Margins and angles.


def _over_margin(shape: Shape) -> Shape:
    """The same loss over the margin m, where p = 1 / (1 + exp(-m))."""

    def over(m, settings) -> Pair:
        p, q = 1.0 / (1.0 + np.exp(-m)), 1.0 / (1.0 + np.exp(m))
        value, slope = shape(p, settings)
        return value, slope * p * q

    return over


def _hinge(m, settings) -> Pair:
    return np.maximum(1.0 - m, 0.0), np.where(m < 1.0, -1.0, 0.0)


def _squared_hinge(m, settings) -> Pair:
    return np.maximum(1.0 - m, 0.0) ** 2, -2.0 * np.maximum(1.0 - m, 0.0)


def _cosine(degrees, settings) -> Pair:
    return -np.cos(np.radians(degrees)), np.radians(1.0) * np.sin(np.radians(degrees))


def _weighted(shape: Shape) -> Shape:
    """torch's `weight` and `pos_weight` of an output, y = 1; of several outputs the first is drawn."""

    def weighted(x, settings) -> Pair:
        scale = 1.0
        for factor in (settings.get("weight"), settings.get("pos_weight")):
            scale *= factor[0] if factor else 1.0
        value, slope = shape(x, settings)
        return scale * value, scale * slope

    return weighted


def _both(shape: Shape) -> Mapping[Axis, Shape]:
    return {"probability": shape, "margin": _over_margin(shape)}


_SHAPES: Mapping[str, Mapping[Axis, Shape]] = {
    "mse": {"error": _square},
    "mae": {"error": _absolute},
    "huber": {"error": _huber},
    "log_cosh": {"error": _log_cosh},
    "mape": {"ratio": _percentage},
    "msle": {"ratio": _logarithmic},
    "sparse_categorical_crossentropy": _both(_cross_entropy),
    "categorical_crossentropy": _both(_cross_entropy),
    "binary_crossentropy": _both(_cross_entropy),
    "categorical_focal_crossentropy": _both(_categorical_focal),
    "binary_focal_crossentropy": _both(_binary_focal),
    "categorical_generalized_cross_entropy": _both(_generalized),
    "kl_divergence": _both(_kl_divergence),
    "poisson": _both(_poisson),
    "dice": _both(_dice),
    "tversky": _both(_tversky),
    "hinge": {"margin": _hinge},
    "squared_hinge": {"margin": _squared_hinge},
    "categorical_hinge": {"margin": _hinge},
    "cosine_similarity": {"angle": _cosine},
    "CrossEntropyLoss": _both(_cross_entropy),
    "BCEWithLogitsLoss": _both(_weighted(_cross_entropy)),
    "BCELoss": _both(_weighted(_bce_loss)),
    "MSELoss": {"error": _square},
    "L1Loss": {"error": _absolute},
    "SmoothL1Loss": {"error": _smooth_l1},
    "HuberLoss": {"error": _huber},
}
