"""The user's own model: a function or a class that gives a keras.Model, called, built and looked at."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lossopt_cli.errors import UsageError
from lossopt_cli.training.user_code import UserObject, running
from lossopt_cli.training.user_signatures import Settings, arguments, described, signature_of

if TYPE_CHECKING:
    import keras

MODEL_FORM = "a function (or a subclass of keras.Model) that gives a keras.Model"
UNITS = ("units", "classes", "num_classes", "n_classes", "outputs")
SHAPE = ("input_shape", "shape")


@dataclass(frozen=True)
class UserModel:
    """A built model. output_shape: without the batch, () for one value a batch entry.

    told_units: whether lossopt gave it the width of its head; where it did not, the caller holds output_shape
    against what the loss needs. ends_in: the activation of its last layer where that is a softmax or a
    sigmoid.
    """

    model: "keras.Model"
    output_shape: tuple[int | None, ...]
    told_units: bool
    ends_in: Literal["softmax", "sigmoid"] | None
    settings_resolved: Mapping[str, Any]


def make_model(obj: UserObject, settings: Settings, input_shape: tuple[int, ...], units: int) -> UserModel:
    """The model that the user's function or class gives for one example of `input_shape` and a head of
    `units`.

    Parameters named as in SHAPE and UNITS are filled in where the user did not set them. Raises UsageError.
    """
    import keras

    if isinstance(obj.value, keras.Model):
        remedy = f"return it from a function: def {obj.name}(): ..."
        what = f"{obj.name} is a model that was built when its file was read, before the seed was set"
        raise UsageError(obj.fault(what, MODEL_FORM, remedy))
    signature = signature_of(obj.value) if callable(obj.value) else None
    if signature is None:
        raise UsageError(obj.fault(f"{obj.name} is {described(obj.value)}", MODEL_FORM))
    filled = dict.fromkeys(UNITS, units) | dict.fromkeys(SHAPE, tuple(input_shape))
    own = {p.name for p in signature.named()}
    matched = arguments(obj, signature, settings, filled={k: v for k, v in filled.items() if k in own})
    with running(obj, f"{obj.name} cannot be called with its settings"):
        model = obj.value(**matched.keywords)
    if not isinstance(model, keras.Model):
        raise UsageError(obj.fault(f"{obj.name} returned {described(model)}", MODEL_FORM))
    shape = _built(obj, model, tuple(input_shape))
    told = any(name in own and name not in settings for name in UNITS)
    if told and shape != (units,):
        what = f"{obj.name} gives outputs of shape {_batch(shape)}"
        remedy = "end it in keras.layers.Dense(units), without activation"
        raise UsageError(obj.fault(what, f"{_batch((units,))}, the units that it was given", remedy))
    return UserModel(model, shape, told, _ends_in(obj, model, tuple(input_shape)), matched.resolved)


def _built(obj: UserObject, model: "keras.Model", input_shape: tuple[int, ...]) -> tuple[int | None, ...]:
    """Builds the model by calling it on a symbolic batch; the shape of one output. UsageError where it does
    not fit.
    """
    import keras

    wanted = model.inputs if isinstance(model, keras.Sequential | keras.src.models.Functional) and model.built else None
    if wanted is not None and len(wanted) != 1:
        raise UsageError(obj.fault(f"{obj.name} takes {len(wanted)} inputs", "one input"))
    if wanted is not None and not _fits(tuple(wanted[0].shape[1:]), input_shape):
        what = f"{obj.name} takes inputs of shape {_batch(tuple(wanted[0].shape[1:]))}"
        remedy = "take the shape from a parameter: def model(input_shape, units)"
        raise UsageError(obj.fault(what, f"{_batch(input_shape)}, as the data have", remedy))
    with running(obj, f"{obj.name} cannot be built for inputs of shape {_batch(input_shape)}"):
        outputs = model(keras.Input(input_shape))
    if not isinstance(outputs, keras.KerasTensor):
        raise UsageError(obj.fault(f"{obj.name} gives {described(outputs)}", "one output tensor"))
    if not model.trainable_variables:
        raise UsageError(obj.fault(f"{obj.name} has no weights to train", "a model with trainable weights"))
    return tuple(outputs.shape[1:])


def _fits(wanted: tuple[int | None, ...], given: tuple[int, ...]) -> bool:
    return len(wanted) == len(given) and all(w in (None, g) for w, g in zip(wanted, given, strict=True))


def _batch(shape: tuple) -> str:
    return f"({', '.join(str(s) for s in (None, *shape))})"


def _ends_in(
    obj: UserObject, model: "keras.Model", input_shape: tuple[int, ...]
) -> Literal["softmax", "sigmoid"] | None:
    """The last layer's activation, read from the graph; where there is none to read, from what the model
    gives.
    """
    import keras

    layer = model
    while isinstance(layer, keras.Sequential | keras.src.models.Functional):
        layer = layer.outputs[0]._keras_history.operation
    if isinstance(layer, keras.layers.Softmax):
        return "softmax"
    if isinstance(layer, keras.layers.Dense | keras.layers.Activation):
        ends = {keras.activations.softmax: "softmax", keras.activations.sigmoid: "sigmoid"}
        return ends.get(layer.activation)
    return _looks_like(obj, model, input_shape)


def _looks_like(
    obj: UserObject, model: "keras.Model", input_shape: tuple[int, ...]
) -> Literal["softmax", "sigmoid"] | None:
    """Outputs of 64 random inputs, small to large: rows that are all non-negative and sum to 1 are a
    softmax's; values that all lie in [0, 1], some below and some above a half, a sigmoid's. A linear head
    does neither by chance.
    """
    import keras
    import torch

    draws = np.random.Generator(np.random.PCG64(0)).standard_normal((64, *input_shape))
    scales = np.logspace(-1, 3, 64).reshape(-1, *[1] * len(input_shape))
    with torch.no_grad(), running(obj, f"{obj.name} cannot be called"):
        outputs = model(keras.ops.convert_to_tensor(draws * scales, "float32"), training=False)
    values = outputs.detach().to("cpu", torch.float64).numpy()
    if values.ndim != 2 or not np.isfinite(values).all() or values.min() < 0 or values.max() > 1 + 1e-6:
        return None
    if values.shape[1] > 1 and np.abs(values.sum(axis=1) - 1).max() < 1e-4:
        return "softmax"
    return "sigmoid" if values.min() < 0.5 < values.max() else None
