"""Kernels on [T, ...] that give each trial the bits that it gets alone, where torch's own batched forms do not.

On a CPU three things differ between a tensor and a stack of such tensors (measured; torch 2.11 to 2.15 with MKL):
a product of matrices with one row, one column or fewer than 400 multiplications takes another routine than `bmm`, and
with other processors and libraries further ones may, which is tried out; a vectorised loop computes the last numbers
of a tensor by a scalar function whose exponentials differ in the last bit; and the mean of `nll_loss` adds in an order
of its own.
"""

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

import torch

from lossopt_cli.training import batched_convolution
from lossopt_cli.training.capture import constant, opaque

aten = torch.ops.aten

# What a rule answers for a kernel that is to be called for each trial; NotImplemented leaves it to vmap.
EACH = object()
# Below this many multiplications `bmm` on a CPU is a loop of its own.
SMALL_PRODUCT = 400
# Products by which it is found out whether `bmm` has the bits of `mm`.
TRIED = 4
# Numbers that a vectorised loop takes at once: two vectors of 512 bits.
VECTORISED = 32
# Pointwise kernels whose scalar and vectorised forms give the same bits.
# fmt: off
ALIKE = frozenset((
    "abs", "add", "bitwise_and", "bitwise_not", "bitwise_or", "bitwise_xor", "ceil", "clamp", "clamp_max", "clamp_min",
    "clone", "copy", "cos", "div", "eq", "erf", "exp", "expm1", "fill", "floor", "fmod", "ge", "gt",
    "isfinite", "isinf", "isnan", "le", "lerp", "log", "log1p", "log2", "log10", "logical_and", "logical_not",
    "logical_or", "logical_xor", "lt", "maximum", "minimum", "mul", "ne", "neg", "reciprocal", "relu", "remainder",
    "round", "rsqrt", "rsub", "sign", "sin", "sqrt", "square", "sub", "tan", "tanh", "tanh_backward",
    "threshold_backward", "trunc", "where", "__rshift__", "__lshift__", "__and__", "__or__", "__xor__",
    "sigmoid_backward", "_to_copy",
))
# fmt: on


# Kernels with exponentials in a loop over numbers that torch does not tag as pointwise.
UNTAGGED = frozenset(
    (
        *("elu_backward", "glu", "glu_backward", "log_sigmoid_backward", "log_sigmoid_forward", "mish_backward"),
        "softplus_backward",
    )
)


def depends_on_place(kernel: torch._ops.OpOverload) -> bool:
    """Whether the bits that a number gets may depend on where in its tensor it lies."""
    if kernel._schema.is_mutable:
        return False
    return kernel._opname in UNTAGGED or (torch.Tag.pointwise in kernel.tags and kernel._opname not in ALIKE)


def by_rows(stack: torch.Tensor) -> torch.Tensor:
    """The same values, laid out so that a kernel goes over the numbers of each trial by themselves."""
    width, count = len(stack), stack[0].numel()
    if stack.device.type != "cpu" or count % VECTORISED == 0 or not stack.is_floating_point():
        return stack
    order = sorted(range(1, stack.dim()), key=lambda dim: -stack.stride(dim))
    strides, step = [0] * stack.dim(), 1
    for dim in reversed(order):
        strides[dim], step = step, step * stack.shape[dim]
    strides[0] = count + 1
    spread = stack.new_empty(width * (count + 1)).as_strided(stack.shape, strides)
    return torch.ops.aten.copy_(spread, stack)


def _rows(width: int, is_stacked: bool, tensor: torch.Tensor) -> torch.Tensor:
    return tensor if is_stacked else tensor.expand(width, *tensor.shape)


def _product(memory, width: int, flags: tuple, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """[T, m, k] times [T, k, n]"""
    first, second = _rows(width, flags[0], first), _rows(width, flags[1], second)
    if first.device.type != "cpu" or keeps_bits(*(_layout(operand) for operand in (first, second))):
        return torch.bmm(first, second)
    return product_of_each(first, second)


def _layout(stack: torch.Tensor) -> tuple:
    """Shape, strides and kind of one trial's matrix."""
    return tuple(stack.shape[1:]), stack.stride()[1:], stack.dtype


@cache
def keeps_bits(first: tuple, second: tuple) -> bool:
    """Whether `bmm` on this machine gives each product the bits of `mm`; the operands by shape, strides and kind."""
    (rows, inner), columns = first[0], second[0][1]
    if min(rows, columns) == 1 or rows * inner * columns < SMALL_PRODUCT:
        return False  # too few numbers to find out
    generator = torch.Generator().manual_seed(0)

    def drawn(shape: tuple, strides: tuple, dtype: torch.dtype) -> torch.Tensor:
        extent = 1 + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
        numbers = torch.randn(TRIED * extent, generator=generator).to(dtype)
        return numbers.as_strided((TRIED, *shape), (extent, *strides))

    def is_same() -> bool:
        a, b = drawn(*first), drawn(*second)
        return torch.equal(torch.bmm(a, b), product_of_each(a, b))

    return constant(is_same)


def _products(memory, width: int, flags: tuple, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """[T, n, m, k] times [T, n, k, l]"""
    first, second = _rows(width, flags[0], first), _rows(width, flags[1], second)
    return torch.bmm(first.flatten(0, 1), second.flatten(0, 1)).unflatten(0, first.shape[:2])


@opaque
def product_of_each(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """[T, m, k] times [T, k, n], one by one."""
    result = first.new_empty(len(first), first.shape[1], second.shape[2])
    for a, b, into in zip(first.unbind(), second.unbind(), result.unbind(), strict=True):
        torch.mm(a, b, out=into)
    return result


MEAN, NOTHING_IGNORED = 1, -100


def _nll_loss(memory, width, flags, logs, targets, weight, reduction, ignored) -> Any:
    """(the mean of -logs[target], how many), [T] each, added up as the kernel of one trial does."""
    on_a_cpu = logs.device.type == "cpu"
    if not _is_plain_mean(flags, logs, targets, weight, reduction, ignored):
        return EACH if on_a_cpu else NotImplemented
    size = targets.shape[1]
    right = logs.gather(2, targets[:, :, None])[:, :, 0]
    total = _added_in_groups(right.neg()) if on_a_cpu else -right.sum(1)
    return total / size, torch.full_like(total, size)


def _is_plain_mean(flags, logs, targets, weight, reduction, ignored) -> bool:
    """Of class numbers [T, n], without weights; and no more examples than `_added_in_groups` takes."""
    plain = weight is None and reduction == MEAN and ignored == NOTHING_IGNORED
    return plain and flags[0] and flags[1] and logs.dim() == 3 and targets.shape[1] <= GROUP * GROUP


GROUP = 16


def _added_in_groups(values: torch.Tensor) -> torch.Tensor:
    """The sums of [T, n], n up to 256: 1 to 16, 17 to 32, ... one after the other, then these, then number 0.

    Of torch's `nll_loss_out_frame`, a cascade that carries wherever the number of the example is a multiple of 16.
    """
    columns = values.t().contiguous().unbind()
    carried, rest = None, None
    for number, column in enumerate(columns[1:], 1):
        rest = column if rest is None else rest + column
        if number % GROUP == 0:
            carried, rest = rest if carried is None else carried + rest, None
    total = columns[0]
    parts = [part for part in (rest, carried) if part is not None]
    inner = parts[0] + parts[1] if len(parts) == 2 else parts[0] if parts else None
    return total if inner is None else inner + total


def _nll_loss_backward(memory, width, flags, slope, logs, targets, weight, reduction, ignored, count) -> Any:
    """-slope / n at the target of each example, 0 elsewhere."""
    if not _is_plain_mean(flags[1:], logs, targets, weight, reduction, ignored):
        return EACH if logs.device.type == "cpu" else NotImplemented
    each = (-_rows(width, flags[0], slope) / count)[:, None, None]
    return torch.zeros_like(logs).scatter_(2, targets[:, :, None], each.expand(*targets.shape, 1))


def _binary_cross_entropy(memory, width, flags, scores, targets, weight=None, pos_weight=None, reduction=MEAN) -> Any:
    """The formula of one trial; vmap has another."""
    if not (flags[0] and flags[1]) or any(flags[2:4]):
        return NotImplemented
    values = aten.binary_cross_entropy_with_logits(by_rows(scores), targets, weight, pos_weight, 0)
    dims = list(range(1, values.dim()))
    return values.mean(dims) if reduction == MEAN else values.sum(dims) if reduction else values


def _view(memory, width, flags, stack, shape) -> torch.Tensor:
    return stack.reshape(width, *shape)


def _folded(kernel: Any, memory, width: int, flags: tuple, *args) -> Any:
    """A kernel that treats every example of a batch alike, on the examples of all trials."""
    stacks = [arg for arg, flag in zip(args, flags, strict=True) if flag is True]
    if any(isinstance(arg, torch.Tensor) and flag is not True for arg, flag in zip(args, flags, strict=True)):
        return NotImplemented
    examples = stacks[0].shape[1]
    found = kernel(*[arg.flatten(0, 1) if flag is True else arg for arg, flag in zip(args, flags, strict=True)])
    apart = lambda tensor: tensor.unflatten(0, (width, examples))  # noqa: E731
    return apart(found) if isinstance(found, torch.Tensor) else tuple(map(apart, found))


# Kernels whose vmap form lays images out anew.
FOLDED = (
    aten.avg_pool2d.default,
    aten.avg_pool2d_backward.default,
    aten.max_pool2d_with_indices.default,
    aten.max_pool2d_with_indices_backward.default,
)
RULES: Mapping[Any, Callable] = {
    **{kernel: partial(_folded, kernel) for kernel in FOLDED},
    aten.binary_cross_entropy_with_logits.default: _binary_cross_entropy,
    aten.view.default: _view,
    aten._unsafe_view.default: _view,
    aten.convolution.default: batched_convolution.forward,
    aten.convolution_backward.default: batched_convolution.backward,
    aten.bmm.default: _products,
    aten.mm.default: _product,
    aten.nll_loss_forward.default: _nll_loss,
    aten.nll_loss_backward.default: _nll_loss_backward,
}
