"""The catalogue's models as Keras models with a linear head, in either layout, with the same weights in both.

Nothing here reads or sets a global of Keras: layout and dtype policy go to every layer, and every layer has a
name of its own, so that a model does not depend on what was built before it. Initialisers and dropout are
unseeded: they draw their seeds from Python's `random`, which the caller seeds.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal

import keras

from lossopt_cli.catalogue.models import model_named
from lossopt_cli.catalogue.rows import ModelRow
from lossopt_cli.data.problem import ArrayInputs, FeatureInputs, ImageInputs, TableInputs
from lossopt_cli.errors import Fault, UsageError
from lossopt_cli.training.transfer.backbone import Backbone, unfreeze

Inputs = ImageInputs | TableInputs | ArrayInputs | FeatureInputs
Layout = Literal["channels_first", "channels_last"]
Precision = Literal["float32", "bfloat16"]


def build(
    name: str,
    settings: Mapping[str, Any],
    inputs: Inputs,
    units: int,
    layout: Layout = "channels_first",
    precision: Precision = "float32",
) -> keras.Model:
    """x float32 [N, *core_shape(inputs, layout)] -> raw outputs float32 [N, units].

    The variables are float32 in either precision, and the same arrays in the same order in either layout.
    Raises UsageError for a value that the model cannot use and for inputs that do not fit it.
    """
    row = model_named(name)
    values = {setting.name: setting.default for setting in row.settings} | dict(settings)
    _check_activation(row, values)
    if row.inputs == "image" and not isinstance(inputs, FeatureInputs):
        _check_image(row, values, inputs)
    layout = layout if isinstance(inputs, ImageInputs) else "channels_last"
    policy = "mixed_bfloat16" if precision == "bfloat16" else "float32"
    x = keras.Input(core_shape(inputs, layout), dtype="float32", name="inputs")
    y = _BUILDERS[row.name](_Parts(layout, policy, values, inputs), x)
    y = keras.layers.Dense(units, dtype=policy, name="head")(y)
    if precision == "bfloat16":
        y = keras.layers.Identity(dtype="float32", name="float32")(y)
    return keras.Model(x, y, name=row.name)


def core_shape(inputs: Inputs, layout: Layout) -> tuple[int, ...]:
    """The shape of one example as a model of that layout takes it.

    Images follow the layout; arrays from a user's function are eaten as they are, whatever they hold.
    """
    if isinstance(inputs, TableInputs):
        return (inputs.features,)
    if isinstance(inputs, ImageInputs) and layout == "channels_first":
        height, width, channels = inputs.shape
        return (channels, height, width)
    return tuple(inputs.shape)


@dataclass(frozen=True)
class _Parts:
    """The layers of one model: each gets the model's layout, dtype policy and settings."""

    layout: Layout
    policy: str
    settings: Mapping[str, Any]
    inputs: Inputs

    def conv(self, x, filters: int, size: int, name: str, **options):
        """Convolution without activation; its bias is left out where batch normalisation follows."""
        options = {"padding": "same", **options}
        return keras.layers.Conv2D(filters, size, data_format=self.layout, dtype=self.policy, name=name, **options)(x)

    def norm(self, x, name: str):
        axis = 1 if self.layout == "channels_first" else -1
        return keras.layers.BatchNormalization(axis=axis, dtype=self.policy, name=name)(x)

    def activate(self, x, name: str, function: str | None = None):
        function = function or self.settings["activation"]
        return keras.layers.Activation(function, dtype=self.policy, name=name)(x)

    def pool(self, x, name: str):
        pooling = {"max": keras.layers.MaxPooling2D, "average": keras.layers.AveragePooling2D}
        layer = pooling[self.settings["pooling"]]
        return layer(2, data_format=self.layout, dtype=self.policy, name=name)(x)

    def activate_and_pool(self, x, number: int):
        """pool(activation(x)); for ReLU and maxima relu(pool(x)), the same with a quarter of the work."""
        if self.settings["activation"] == "relu" and self.settings["pooling"] == "max":
            return self.activate(self.pool(x, f"pool_{number}"), f"activation_{number}")
        return self.pool(self.activate(x, f"activation_{number}"), f"pool_{number}")

    def flatten(self, x):
        """[N, ...] -> [N, features], in the order height, width, channels in either layout."""
        if len(x.shape) == 2:
            return x
        return keras.layers.Flatten(data_format=self.layout, dtype=self.policy, name="flatten")(x)

    def dense(self, x, units: int, name: str, **options):
        return keras.layers.Dense(units, dtype=self.policy, name=name, **options)(x)

    def hidden(self, x):
        """Dense, batch normalisation, activation, dropout for every width in `hidden`."""
        for number, width in enumerate(_widths(self.settings["hidden"]), 1):
            normalised = self.settings["batch_norm"]
            x = self.dense(x, width, f"hidden_{number}", use_bias=not normalised)
            x = self.norm(x, f"hidden_norm_{number}") if normalised else x
            x = self.activate(x, f"hidden_activation_{number}")
            if self.settings["dropout"] > 0:
                rate = self.settings["dropout"]
                x = keras.layers.Dropout(rate, dtype=self.policy, name=f"dropout_{number}")(x)
        return x


def _linear(parts: _Parts, x):
    """f(x) = W x + b: softmax or logistic regression, or least squares, by the loss."""
    return parts.flatten(x)


def _mlp(parts: _Parts, x):
    return parts.hidden(parts.flatten(x))


def _minicnn(parts: _Parts, x):
    """3x3 convolution, activation, 2x2 pooling for each of `filters`; then the dense layers of `hidden`."""
    normalised = parts.settings["batch_norm"]
    for number, filters in enumerate(_widths(parts.settings["filters"]), 1):
        x = parts.conv(x, filters, 3, f"conv_{number}", use_bias=not normalised)
        x = parts.norm(x, f"norm_{number}") if normalised else x
        x = parts.activate_and_pool(x, number)
    return parts.hidden(parts.flatten(x))


def _lenet(parts: _Parts, x):
    """LeNet-5 (LeCun et al. 1998, figure 2) with full connections between maps.

    As published on images of 32x32 and more; a convolution whose input is smaller than the published one
    (32, 14) pads to keep its size, so that 28x28 gives the usual modern form and 8x8 still works.
    """
    for number, (filters, published) in enumerate(((6, 32), (16, 14)), 1):
        padding = "valid" if min(_sides(x, parts.layout)) >= published else "same"
        x = parts.conv(x, filters, 5, f"conv_{number}", padding=padding)
        x = parts.activate_and_pool(x, number)
    x = parts.flatten(x)
    for number, width in enumerate((120, 84), 1):
        x = parts.activate(parts.dense(x, width, f"hidden_{number}"), f"hidden_activation_{number}")
    return x


def _resnet20(parts: _Parts, x):
    """ResNet-20 for CIFAR (He et al. 2016, section 4.2): three stages of three blocks, 16, 32 and 64 filters.

    Strided convolutions pad as TensorFlow does (after, not before, on even sides).
    """
    x = _conv_norm(parts, x, 16, "stem")
    x = parts.activate(x, "stem_activation", "relu")
    for stage, filters in enumerate((16, 32, 64), 1):
        for block in (1, 2, 3):
            x = _residual(parts, x, filters, 2 if stage > 1 and block == 1 else 1, f"stage_{stage}_block_{block}")
    return keras.layers.GlobalAveragePooling2D(data_format=parts.layout, dtype=parts.policy, name="mean")(x)


def _conv_norm(parts: _Parts, x, filters: int, name: str, *, size: int = 3, stride: int = 1):
    """Convolution without bias (the normalisation has one), initialised as in He et al. 2015."""
    options = {"strides": stride, "use_bias": False, "kernel_initializer": "he_normal"}
    return parts.norm(parts.conv(x, filters, size, name, **options), f"{name}_norm")


def _residual(parts: _Parts, x, filters: int, stride: int, name: str):
    """relu(F(x) + shortcut(x)), F two 3x3 convolutions with batch normalisation."""
    y = _conv_norm(parts, x, filters, f"{name}_1", stride=stride)
    y = parts.activate(y, f"{name}_1_activation", "relu")
    y = _conv_norm(parts, y, filters, f"{name}_2")
    if stride > 1 and parts.settings["shortcut"] == "A":
        x = _subsample(parts, x, name)
    elif stride > 1:
        x = _conv_norm(parts, x, filters, f"{name}_shortcut", size=1, stride=stride)
    y = keras.layers.Add(dtype=parts.policy, name=f"{name}_add")([y, x])
    return parts.activate(y, f"{name}_2_activation", "relu")


def _subsample(parts: _Parts, x, name: str):
    """Option A: every second pixel, and zeros for the channels that x lacks (half of them); no weights."""
    layers, axis = keras.layers, 1 if parts.layout == "channels_first" else -1
    options = {"data_format": parts.layout, "dtype": parts.policy, "name": f"{name}_subsample"}
    x = layers.AveragePooling2D(1, strides=2, **options)(x)
    zeros = layers.Rescaling(0.0, dtype=parts.policy, name=f"{name}_zeros")(x)
    return layers.Concatenate(axis=axis, dtype=parts.policy, name=f"{name}_widen")([x, zeros])


def _transfer(parts: _Parts, x):
    """A backbone, frozen but for the layers of `unfreeze`, and dense layers; on features, which a backbone has made
    before, the dense layers alone, with the same initial weights."""
    if isinstance(parts.inputs, FeatureInputs):
        return parts.hidden(parts.flatten(x))
    precision = "float32" if parts.policy == "float32" else "bfloat16"
    backbone = Backbone.of(parts.settings, parts.inputs, precision).build()
    if parts.settings["unfreeze"]:
        unfreeze(backbone, parts.settings["unfreeze"], parts.settings["backbone"])
    if parts.layout == "channels_first":
        x = keras.layers.Permute((2, 3, 1), dtype="float32", name="channels_last")(x)
    return parts.hidden(parts.flatten(backbone(x, training=False)))


_BUILDERS: Mapping[str, Callable] = {
    "transfer": _transfer,
    "linear": _linear,
    "mlp": _mlp,
    "minicnn": _minicnn,
    "lenet": _lenet,
    "resnet20": _resnet20,
}
# How often a model halves its images; minicnn once for each of its filters.
_HALVINGS = {"lenet": 2, "resnet20": 0, "transfer": 0}


def _sides(x, layout: Layout) -> tuple[int, int]:
    return x.shape[2:4] if layout == "channels_first" else x.shape[1:3]


def _widths(value: int | list[int]) -> list[int]:
    return [value] if isinstance(value, int) else list(value)


def _check_image(row: ModelRow, values: Mapping[str, Any], inputs: Inputs) -> None:
    """Images [height, width, channels], large enough to be halved as often as the model pools."""
    if isinstance(inputs, TableInputs) or len(inputs.shape) != 3:
        got = "a table" if isinstance(inputs, TableInputs) else f"arrays of shape {list(inputs.shape)}"
        expected = "images [height, width, channels]"
        raise UsageError(Fault(f"{row.name} cannot read {got}", "--model", expected, "try --model mlp"))
    halvings = _HALVINGS[row.name] if row.name in _HALVINGS else len(_widths(values["filters"]))
    height, width, _ = inputs.shape
    least = 2**halvings
    if min(height, width) < least:
        what = f"images of {height}x{width} are too small for {row.name}, which halves them {halvings} times"
        remedy = "set data.image_size, or try --model mlp"
        raise UsageError(Fault(what, "--model", f"at least {least}x{least} pixels", remedy))


def _check_activation(row: ModelRow, values: Mapping[str, Any]) -> None:
    """The catalogue knows the settings but not the functions of keras.activations."""
    name = values.get("activation", "relu")
    if name not in (known := _activations()):
        near = get_close_matches(str(name), known, 1)
        remedy = f"did you mean {near[0]}?" if near else "one of " + ", ".join(known)
        raise UsageError(
            Fault(f"unknown activation {name!r}", f"model.activation of {row.name}", "one of Keras's", remedy)
        )


def _activations() -> list[str]:
    """The names of keras.activations that take one argument and keep its shape."""
    others = {"get", "serialize", "deserialize", "glu"}
    return sorted(n for n in dir(keras.activations) if not n.startswith("_") and n not in others)
