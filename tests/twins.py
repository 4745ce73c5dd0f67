"""A slow plain twin of every loss in float64: value from the formula, gradient by the complex step.

    twin(name, settings, fit, targets, raw, mean=0.0, deviation=1.0) -> (loss, gradient)

name, settings: a row of `catalogue.losses` and what differs from its defaults; `cross_entropy` and `focal` take the
    form that fits the targets.
fit: the Fit of the row for the task, as `catalogue.losses.fit` gives it (with `from_logits: false` it reads
    probabilities).
targets: y_true exactly as `fit.targets` says: integer [N], one_hot [N, K], binary [N, 1], signs [N, 1] or
    [N, K], numbers [N, 1] (standardised).
raw: the raw outputs of the head, [N, 1] or [N, K]. Where the fit reads probabilities the twin applies the softmax
    or sigmoid; where it has own_units the twin multiplies targets and outputs by `deviation` and adds `mean`.
Returns the loss of the batch, as the library reduces it, and its gradient with respect to `raw`, of raw's shape.

The complex step: d loss / d x = Im loss(x + ih) / h, exact to rounding for h = 1e-30, where every function is
analytic; comparisons and maxima look at the real part only, so that the slope of a clipped value is 0.
"""

from collections.abc import Callable, Mapping

import numpy as np

from lossopt_cli.catalogue.losses import loss_named
from lossopt_cli.catalogue.rows import Fit, Value, defaults

EPSILON = 1e-7  # keras.backend.epsilon()
STEP = 1e-30
FORMS = {
    ("cross_entropy", "integer"): "sparse_categorical_crossentropy",
    ("cross_entropy", "one_hot"): "categorical_crossentropy",
    ("cross_entropy", "binary"): "binary_crossentropy",
    ("focal", "one_hot"): "categorical_focal_crossentropy",
    ("focal", "binary"): "binary_focal_crossentropy",
}


def twin(
    name: str,
    settings: Mapping[str, Value],
    fit: Fit,
    targets: np.ndarray,
    raw: np.ndarray,
    mean: float = 0.0,
    deviation: float = 1.0,
) -> tuple[float, np.ndarray]:
    """(loss, gradient) as the module says."""
    row = loss_named(name)
    row = loss_named(FORMS.get((row.name, fit.targets), row.name))
    values, formula = defaults(row) | dict(settings), TWINS[row.name]
    if fit.own_units:
        targets = targets * deviation + mean

    def loss(outputs: np.ndarray) -> complex:
        if fit.own_units:
            outputs = outputs * deviation + mean
        elif fit.reads == "probabilities":
            outputs = _sigmoid(outputs) if fit.one_against_rest or fit.units == "one" else _softmax(outputs)
        reads_logits = fit.reads == "logits"
        return formula(targets, outputs, {**values, "reads_logits": reads_logits})

    raw = np.asarray(raw, dtype=np.complex128)
    gradient = np.zeros(raw.shape)
    for place in np.ndindex(raw.shape):
        stepped = raw.copy()
        stepped[place] += 1j * STEP
        gradient[place] = loss(stepped).imag / STEP
    return float(loss(raw).real), gradient


def _abs(x):
    return np.where(x.real < 0, -x, x)


def _at_least(x, low):
    return np.where(x.real > low, x, low + 0j)


def _clip(x, low=EPSILON, high=1.0 - EPSILON):
    return np.where(x.real < low, low + 0j, np.where(x.real > high, high + 0j, x))


def _sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def _softmax(x):
    exponentials = np.exp(x - x.real.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def _log_softmax(x):
    shifted = x - x.real.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def _log_sigmoid(x):
    """min(x, 0) - ln(1 + exp(-|x|)), which overflows nowhere."""
    return np.where(x.real < 0, x, 0.0) - np.log(1.0 + np.exp(-_abs(x)))


def _one_hot(targets, outputs):
    return np.eye(outputs.shape[1])[targets]


def _smooth(targets, smoothing, classes):
    return targets * (1.0 - smoothing) + smoothing / classes


def _per_number(of_error: Callable) -> Callable:
    """A loss that is a function of f - y, the mean over all elements."""
    return lambda y, f, s: np.mean(of_error(f - y, s))


def _parabola_then_line(error, delta):
    size = _abs(error)
    return np.where(size.real <= delta, error**2 / 2.0, delta * (size - delta / 2.0))


def _smooth_l1(error, s):
    beta = s["beta"]
    return _abs(error) if beta == 0 else _parabola_then_line(error, beta) / beta


def _log_cosh(error, s):
    size = _abs(error)
    return size + np.log(1.0 + np.exp(-2.0 * size)) - np.log(2.0)


def _log_probabilities(f, s):
    if s["reads_logits"]:
        return _log_softmax(f)
    return np.log(_clip(f / f.sum(axis=-1, keepdims=True)))


def _categorical(y, f, s):
    y = _smooth(y, s.get("label_smoothing", 0.0), f.shape[1])
    return np.mean(-np.sum(y * _log_probabilities(f, s), axis=-1))


def _sparse(y, f, s):
    kept = np.ones(len(y), bool) if s.get("ignore_class") is None else y != s["ignore_class"]
    return _categorical(_one_hot(y[kept], f), f[kept], s)


def _log_both(f, s):
    """ln p and ln (1 - p) of each output."""
    if s["reads_logits"]:
        return _log_sigmoid(f), _log_sigmoid(-f)
    p = _clip(f)
    return np.log(p), np.log(1.0 - p)


def _binary(y, f, s):
    y = _smooth(y, s.get("label_smoothing", 0.0), 2)
    log_p, log_q = _log_both(f, s)
    return np.mean(-y * log_p - (1.0 - y) * log_q)


def _categorical_focal(y, f, s):
    y = _smooth(y, s["label_smoothing"], f.shape[1])
    p = _clip(_softmax(f) if s["reads_logits"] else f / f.sum(axis=-1, keepdims=True))
    return np.mean(np.sum(-np.asarray(s["alpha"]) * (1.0 - p) ** s["gamma"] * y * np.log(p), axis=-1))


def _binary_focal(y, f, s):
    y = _smooth(y, s["label_smoothing"], 2)
    p = _sigmoid(f) if s["reads_logits"] else f
    entropy = -y * np.log(_clip(p)) - (1.0 - y) * np.log(1.0 - _clip(p))
    p_t = y * p + (1.0 - y) * (1.0 - p)
    weight = y * s["alpha"] + (1.0 - y) * (1.0 - s["alpha"]) if s["apply_class_balancing"] else 1.0
    return np.mean(weight * (1.0 - p_t) ** s["gamma"] * entropy)


def _generalized(y, p, s):
    right = np.sum(p * _one_hot(y, p), axis=-1)
    return np.mean((1.0 - right ** s["q"]) / s["q"])


def _kl_divergence(y, p, s):
    y, p = np.clip(y, EPSILON, 1.0), _clip(p, EPSILON, 1.0)
    return np.mean(np.sum(y * np.log(y / p), axis=-1))


def _dice(y, p, s):
    overlap, size = np.sum(y * p, axis=s["axis"]), np.sum(y, axis=s["axis"]) + np.sum(p, axis=s["axis"])
    return np.mean(1.0 - 2.0 * overlap / (size + EPSILON))


def _tversky(y, p, s):
    hit = np.sum(y * p, axis=s["axis"])
    missed = np.sum(y * (1.0 - p), axis=s["axis"])
    false = np.sum((1.0 - y) * p, axis=s["axis"])
    return np.mean(1.0 - hit / (hit + s["alpha"] * missed + s["beta"] * false + EPSILON))


def _categorical_hinge(y, f, s):
    wrong = (1.0 - y) * f
    strongest = np.take_along_axis(wrong, wrong.real.argmax(axis=-1)[:, None], axis=-1)[:, 0]
    return np.mean(_at_least(strongest - np.sum(y * f, axis=-1) + 1.0, 0.0))


def _cosine(y, f, s):
    lengths = np.sqrt(np.sum(f**2, axis=-1)) * np.sqrt(np.sum(y**2, axis=-1))
    return np.mean(-np.sum(y * f, axis=-1) / lengths)


def _percentage(y, f, s):
    return 100.0 * np.mean(_abs(y - f) / np.maximum(np.abs(y), EPSILON))


def _logarithmic(y, f, s):
    return np.mean((np.log(_at_least(f, EPSILON) + 1.0) - np.log(np.maximum(y, EPSILON) + 1.0)) ** 2)


def _torch_cross_entropy(y, f, s):
    """(1 - s) sum w_y (-ln p_y) / sum w_y + s / K sum w_k (-ln p_k) / sum w_y; ignored examples left out."""
    kept = y != s["ignore_index"]
    y, f = y[kept], f[kept]
    weight = np.ones(f.shape[1]) if s["weight"] is None else np.asarray(s["weight"])
    log_p, smoothing = _log_softmax(f), s["label_smoothing"]
    right = -np.sum(weight[y] * log_p[np.arange(len(y)), y])
    spread = -np.sum(weight * log_p) / f.shape[1]
    return ((1.0 - smoothing) * right + smoothing * spread) / np.sum(weight[y])


def _torch_bce_with_logits(y, f, s):
    lift = 1.0 if s["pos_weight"] is None else np.asarray(s["pos_weight"])
    weight = 1.0 if s["weight"] is None else np.asarray(s["weight"])
    return np.mean(-weight * (lift * y * _log_sigmoid(f) + (1.0 - y) * _log_sigmoid(-f)))


def _torch_bce(y, p, s):
    weight = 1.0 if s["weight"] is None else np.asarray(s["weight"])
    log_p, log_q = _at_least(np.log(p), -100.0), _at_least(np.log(1.0 - p), -100.0)
    return np.mean(-weight * (y * log_p + (1.0 - y) * log_q))


_square = _per_number(lambda error, s: error**2)
_absolute = _per_number(lambda error, s: _abs(error))
_huber = _per_number(lambda error, s: _parabola_then_line(error, s["delta"]))

TWINS: Mapping[str, Callable] = {
    "mse": _square,
    "mae": _absolute,
    "huber": _huber,
    "log_cosh": _per_number(_log_cosh),
    "mape": _percentage,
    "msle": _logarithmic,
    "sparse_categorical_crossentropy": _sparse,
    "categorical_crossentropy": _categorical,
    "binary_crossentropy": _binary,
    "categorical_focal_crossentropy": _categorical_focal,
    "binary_focal_crossentropy": _binary_focal,
    "categorical_generalized_cross_entropy": _generalized,
    "kl_divergence": _kl_divergence,
    "poisson": lambda y, p, s: np.mean(p - y * np.log(p + EPSILON)),
    "dice": _dice,
    "tversky": _tversky,
    "hinge": lambda y, f, s: np.mean(_at_least(1.0 - y * f, 0.0)),
    "squared_hinge": lambda y, f, s: np.mean(_at_least(1.0 - y * f, 0.0) ** 2),
    "categorical_hinge": _categorical_hinge,
    "cosine_similarity": _cosine,
    "CrossEntropyLoss": _torch_cross_entropy,
    "BCEWithLogitsLoss": _torch_bce_with_logits,
    "BCELoss": _torch_bce,
    "MSELoss": _square,
    "L1Loss": _absolute,
    "SmoothL1Loss": _per_number(_smooth_l1),
    "HuberLoss": _huber,
}
