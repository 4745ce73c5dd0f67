"""The kernels of a network in inference mode: convolutions that hold their batch norm, activations in place.

Values are [N, channels, height, width] over memory that stays height, width, channels, which is what convolutions like.
Seen as [N, height, width, channels], as Keras has them, they are the same memory.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import keras
import torch
import torch.nn.functional as F

from lossopt_cli.training.transfer.graph import Call

Function = Callable[..., torch.Tensor]
Sides = tuple[int, int, int, int]  # left, right, top, bottom: as F.pad takes them
NO_SIDES = (0, 0, 0, 0)

# Keras's activations as torch's, (x, inplace) -> y.
ACTIVATIONS: dict[str, Function] = {
    "relu": F.relu,
    "silu": F.silu,
    "hard_silu": F.hardswish,
    "hard_sigmoid": F.hardsigmoid,
    "sigmoid": lambda x, inplace: x.sigmoid_() if inplace else x.sigmoid(),
    "gelu": lambda x, inplace: F.gelu(x),
}


@dataclass
class Step:
    """values[takes] -> values[gives]. fresh: whether the result is memory of its own, which may be written over.
    activation: what happens to the result then, in place."""

    takes: tuple[int, ...]
    gives: int
    run: Function | None = None
    fresh: bool = True
    activation: Function | None = None

    def finish(self, device: torch.device, dtype: torch.dtype) -> None:
        """Moves what it holds to where it will run."""

    def __call__(self, *operands: torch.Tensor) -> torch.Tensor:
        result = self.run(*operands)
        return result if self.activation is None else self.activation(result, inplace=True)


@dataclass
class Convolution(Step):
    """weight [out, in / groups, height, width], bias [out]. sides: zeros around the operand."""

    weight: torch.Tensor = field(default_factory=torch.Tensor)
    bias: torch.Tensor | None = None
    sides: Sides = NO_SIDES
    strides: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    def scale(self, factor: torch.Tensor, shift: torch.Tensor) -> None:
        """Makes it factor * what it was + shift, by channel."""
        self.weight = self.weight * factor[:, None, None, None]
        self.bias = shift if self.bias is None else self.bias * factor + shift

    def finish(self, device: torch.device, dtype: torch.dtype) -> None:
        weight = self.weight.to(device, dtype).contiguous(memory_format=torch.channels_last)
        bias = None if self.bias is None else self.bias.to(device, dtype)
        left, right, top, bottom = sides = self.sides
        strides, dilation, groups = self.strides, self.dilation, self.groups
        even = left == right and top == bottom
        around = (top, left) if even else (0, 0)

        def convolved(x: torch.Tensor) -> torch.Tensor:
            x = x.to(dtype)  # layers that are called as they are give what they like
            return torch.conv2d(x if even else F.pad(x, sides), weight, bias, strides, around, dilation, groups)

        self.run = convolved


@dataclass
class Affine(Step):
    """factor * x + shift, by channel: a batch norm that no convolution could take in."""

    factor: torch.Tensor = field(default_factory=torch.Tensor)
    shift: torch.Tensor = field(default_factory=torch.Tensor)

    def finish(self, device: torch.device, dtype: torch.dtype) -> None:
        factor, shift = self.factor.to(device, dtype), self.shift.to(device, dtype)
        self.run = lambda x: torch.addcmul(_by_channel(shift, x), x.to(dtype), _by_channel(factor, x))


def _by_channel(values: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    return values.reshape(-1, *[1] * (x.ndim - 2))


def ours(value: torch.Tensor) -> torch.Tensor:
    """Keras's view of a value as ours."""
    return value.permute(0, 3, 1, 2) if value.ndim == 4 else value


def theirs(value: torch.Tensor) -> torch.Tensor:
    """Our view of a value as Keras's."""
    return value.permute(0, 2, 3, 1) if value.ndim == 4 else value


def convolution(call: Call, source: int, sides: Sides) -> Convolution:
    """The convolution of a Conv2D or DepthwiseConv2D; sides: zeros that a layer before it has put around."""
    layer = call.operation
    sides = _same(call.shape, layer) if layer.padding == "same" else sides
    kernel = layer.kernel.value.detach()
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        height, width, groups, many = kernel.shape
        weight = kernel.permute(2, 3, 0, 1).reshape(groups * many, 1, height, width)
    else:
        weight, groups = kernel.permute(3, 2, 0, 1), layer.groups
    bias = layer.bias.value.detach() if layer.use_bias else None
    step = Convolution((source,), call.gives, weight=weight, bias=bias, sides=sides, groups=groups)
    step.strides, step.dilation = _pair(layer.strides), _pair(layer.dilation_rate)
    if layer.activation is not keras.activations.linear:
        step.activation = _activation_named(layer.activation)
    return step


def normalisation(layer: keras.layers.BatchNormalization) -> tuple[torch.Tensor, torch.Tensor]:
    """(factor, shift) by channel: gamma (x - mean) / sqrt(variance + epsilon) + beta is factor x + shift."""
    factor = torch.rsqrt(layer.moving_variance.value.detach() + layer.epsilon)
    factor = factor * layer.gamma.value.detach() if layer.scale else factor
    shift = -layer.moving_mean.value.detach() * factor
    return factor, shift + layer.beta.value.detach() if layer.center else shift


def activation(operation: keras.Operation) -> Function | None:
    """(x, inplace) -> y of a layer that is an activation; None for any other, and for one that is not elementwise."""
    if isinstance(operation, keras.layers.ReLU):
        return _relu(operation)
    if isinstance(operation, keras.layers.Activation) and operation.activation.__name__ in ACTIVATIONS:
        return ACTIVATIONS[operation.activation.__name__]
    return None


def elementwise(kernel: str, own: Sequence[bool]) -> Function:
    """A sum or product of operands, over the first one that is memory of its `own` and as large as the result.

    kernel: of torch, `add` or `mul`; with an underscore behind it, it works in place."""

    def combined(*operands: torch.Tensor) -> torch.Tensor:
        shape = torch.broadcast_shapes(*[operand.shape for operand in operands])
        place = next((k for k, x in enumerate(operands) if own[k] and x.shape == shape), None)
        rest = list(operands)
        result = rest.pop(place or 0)
        for position, operand in enumerate(rest):
            written = place is not None or position > 0
            result = getattr(result, f"{kernel}_" if written else kernel)(operand)
        return result

    return combined


def known(call: Call) -> Step | None:
    """The step of a layer that has one kernel of torch; None where there is none."""
    layer = call.operation
    step = Step(call.takes, call.gives)
    if isinstance(layer, keras.layers.ZeroPadding2D):
        sides = sides_of(layer)
        step.run = lambda x: F.pad(x, sides)
    elif isinstance(layer, keras.layers.MaxPooling2D) and layer.padding == "valid":
        step.run = lambda x: F.max_pool2d(x, layer.pool_size, layer.strides)
    elif isinstance(layer, keras.layers.AveragePooling2D) and layer.padding == "valid":
        step.run = lambda x: F.avg_pool2d(x, layer.pool_size, layer.strides)
    elif isinstance(layer, keras.layers.GlobalAveragePooling2D):
        step.run = lambda x: x.mean((2, 3), keepdim=layer.keepdims)
    elif isinstance(layer, keras.layers.Concatenate) and layer.axis in (-1, len(call.shape)):
        step.run = lambda *operands: torch.cat(operands, dim=1)
    else:
        return None
    return step


def as_it_is(call: Call) -> Step:
    """The layer itself, on Keras's view of the values. Its result may share memory with an operand."""

    def called(*operands: torch.Tensor) -> torch.Tensor:
        return ours(call.applied([theirs(operand) for operand in operands]))

    return Step(call.takes, call.gives, called, fresh=False)


def sides_of(layer: keras.layers.ZeroPadding2D) -> Sides:
    (top, bottom), (left, right) = layer.padding
    return left, right, top, bottom


def _same(shape: tuple[int, ...], layer) -> Sides:
    """The zeros of padding `same`: ceil(n / stride) results, the odd zero behind, as TensorFlow has them."""
    sides: list[int] = []
    for size, kernel, stride, dilation in zip(
        shape[:2], layer.kernel_size, _pair(layer.strides), _pair(layer.dilation_rate), strict=True
    ):
        whole = max(0, (-(-size // stride) - 1) * stride + (kernel - 1) * dilation + 1 - size)
        sides = [whole // 2, whole - whole // 2, *sides]
    return tuple(sides)


def _pair(value: int | Sequence[int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)


def _relu(layer: keras.layers.ReLU) -> Function | None:
    if layer.negative_slope or layer.threshold:
        return None
    if layer.max_value is None:
        return F.relu
    most = float(layer.max_value)
    return lambda x, inplace: F.hardtanh(x, 0.0, most, inplace=inplace)


def _activation_named(function: Callable) -> Function:
    """(x, inplace) -> y of any of Keras's activations."""
    return ACTIVATIONS.get(function.__name__) or (lambda x, inplace: ours(function(theirs(x))))
