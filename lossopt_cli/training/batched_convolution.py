"""Convolutions of T trials, each with kernels of its own, as batched products of matrices.

torch's batched form is one convolution in T groups; on a CPU it is as slow as T convolutions, or slower. With the
pixels under each place of the kernel laid out as columns (Chellapilla et al. 2006) small images are products of
matrices: measured on 8x8 images, 32 and 64 filters, batch 32, a first layer of one channel takes a seventh of the time
of single convolutions, and a second one 0.7 of it. What is larger is convolved trial by trial, to the bits that it has
alone.
"""

from dataclasses import astuple, dataclass
from itertools import product
from typing import Any

import torch

from lossopt_cli.training.capture import constant, opaque

aten = torch.ops.aten

# Numbers in the columns of one trial that its cache holds beside the rest. With few channels the other way is so slow
# that they may be many more.
MOST_COLUMNS, MOST_COLUMNS_OF_FEW = 1 << 19, 1 << 22
FEW_CHANNELS = 4


@dataclass(frozen=True)
class Window:
    """How a kernel moves over an image, height before width."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    image: tuple[int, int]

    @property
    def padded(self) -> tuple[int, int]:
        return tuple(side + 2 * pad for side, pad in zip(self.image, self.padding, strict=True))

    @property
    def result(self) -> tuple[int, int]:
        """Height and width of what comes out."""
        sides = zip(self.padded, self.kernel, self.stride, self.dilation, strict=True)
        return tuple((side - far * (size - 1) - 1) // step + 1 for side, size, step, far in sides)

    def seen(self, padded: torch.Tensor) -> torch.Tensor:
        """A view of [..., height, width, channels]: [..., h, w, kh, kw, channels], the pixels under the kernel."""
        *outer, down, across, along = padded.stride()
        shape = (*padded.shape[:-3], *self.result, *self.kernel, padded.shape[-1])
        steps = (down * self.stride[0], across * self.stride[1], down * self.dilation[0], across * self.dilation[1])
        return padded.as_strided(shape, (*outer, *steps, along))

    def inside(self, padded: torch.Tensor) -> torch.Tensor:
        """A view of [..., height, width, channels] without the padding."""
        (top, left), (height, width) = self.padding, self.image
        return padded[..., top : top + height, left : left + width, :]


def forward(memory: dict, width: int, flags: tuple, images, kernels, bias, *settings) -> Any:
    """aten.convolution of every trial: [T, n, channels, h, w] with [T, filters, channels, kh, kw]; images that all
    trials have in common are laid out once."""
    if not flags[1] or bias is not None:
        return NotImplemented
    images = images if flags[0] else images[None]
    window = _window(images, kernels, settings)
    if window is None and images.device.type != "cpu":
        return NotImplemented
    if window is None:
        return convolved_each(images.expand(width, *images.shape[1:]), kernels, _plain(settings))
    columns = _columns(memory, images, window).expand(width, -1, -1)
    found = torch.bmm(columns, kernels.permute(0, 3, 4, 2, 1).flatten(1, 3))
    return found.unflatten(1, (images.shape[1], *window.result)).permute(0, 1, 4, 2, 3)


def backward(memory: dict, width: int, flags: tuple, slopes, images, kernels, bias_sizes, *settings) -> Any:
    """aten.convolution_backward of every trial: the slopes of images and kernels, as far as the mask asks for them."""
    *settings, mask = settings
    if not all(flags[:3]) or mask[2]:
        return NotImplemented
    window = _window(images, kernels, settings)
    if window is None and images.device.type != "cpu":
        return NotImplemented
    of_images = of_kernels = None
    if mask[0] and window is None:
        of_images = slopes_of_each(slopes, images, kernels, _plain(settings), 0)
    elif mask[0]:
        flat = slopes.permute(0, 1, 3, 4, 2).flatten(1, 3)
        of_images = spread_back(flat, kernels.permute(0, 3, 4, 1, 2), astuple(window)).permute(0, 1, 4, 2, 3)
    if mask[1] and window is None:
        of_kernels = slopes_of_each(slopes, images, kernels, _plain(settings), 1)
    elif mask[1]:
        of_kernels = _from_columns(_columns(memory, images, window), slopes, kernels)
    return of_images, of_kernels, None


def _window(images: torch.Tensor, kernels: torch.Tensor, settings: tuple) -> Window | None:
    """None for what is no product of matrices, or one that is too large."""
    stride, padding, dilation, transposed, _, groups = settings
    if kernels.dim() != 5 or transposed or groups != 1 or images.dtype != torch.float32:
        return None
    window = Window(*(tuple(pair) for pair in (kernels.shape[3:], stride, padding, dilation, images.shape[3:])))
    places = images.shape[1] * window.result[0] * window.result[1]
    most = MOST_COLUMNS_OF_FEW if images.shape[2] <= FEW_CHANNELS else MOST_COLUMNS
    return window if places * kernels[0, 0].numel() <= most else None


def _columns(memory: dict, images: torch.Tensor, window: Window) -> torch.Tensor:
    """[T, n h w, kh kw channels], laid out once for the way there and back. memory: what has been laid out so far."""
    key = (id(images), window)
    if key not in memory:
        width, examples, channels = images.shape[:3]
        padded = constant(lambda: images.new_zeros((width, examples, *window.padded, channels)))
        places = None
        if channels <= FEW_CHANNELS:
            places = constant(lambda: _places(padded, window))
        memory[key] = images, laid_out(images, padded, places, astuple(window))
    return memory[key][1]


def _places(padded: torch.Tensor, window: Window) -> torch.Tensor:
    """Where in a padded image each number of its columns lies."""
    numbers = torch.arange(padded[0, 0].numel(), device=padded.device).view(padded.shape[2:])
    return window.seen(numbers).reshape(-1)


@opaque
def laid_out(images: torch.Tensor, padded: torch.Tensor, places: torch.Tensor | None, window: tuple) -> torch.Tensor:
    """The columns of the images. padded: is overwritten but for its margin, which is 0. places: for runs so short that
    looking up every number is faster than copying runs."""
    moving = Window(*window)
    moving.inside(padded).copy_(images.permute(0, 1, 3, 4, 2))
    size = moving.kernel[0] * moving.kernel[1] * padded.shape[-1]
    seen = moving.seen(padded) if places is None else padded.flatten(0, 1).flatten(1).index_select(1, places)
    return seen.reshape(len(padded), -1, size)


def _from_columns(columns: torch.Tensor, slopes: torch.Tensor, kernels: torch.Tensor) -> torch.Tensor:
    """The slopes of the kernels, [T, filters, channels, kh, kw]."""
    flat = slopes.permute(0, 1, 3, 4, 2).flatten(1, 3)
    channels, *sides = kernels.shape[2:]
    if channels <= FEW_CHANNELS:
        return torch.bmm(columns.transpose(1, 2), flat).unflatten(1, (*sides, channels)).permute(0, 4, 3, 1, 2)
    return torch.bmm(flat.transpose(1, 2), columns).unflatten(2, (*sides, channels)).permute(0, 1, 4, 2, 3)


@opaque
def spread_back(slopes: torch.Tensor, kernels: torch.Tensor, window: tuple) -> torch.Tensor:
    """Slopes of results, [T, n h w, filters], as slopes of the images, [T, n, height, width, channels]: of each pixel
    the sum over the places of the kernel, [T, kh, kw, filters, channels], that saw it.

    A product for each place: all of them at once would leave the cache before they are added up.
    """
    moving, width = Window(*window), len(slopes)
    examples = slopes.shape[1] // (moving.result[0] * moving.result[1])
    padded = slopes.new_zeros((width, examples, *moving.padded, kernels.shape[-1]))
    seen = moving.seen(padded)
    for down, across in product(*map(range, moving.kernel)):
        part = torch.bmm(slopes, kernels[:, down, across])
        seen[:, :, :, :, down, across] += part.view(width, examples, *moving.result, -1)
    return moving.inside(padded).contiguous()


def _plain(settings: tuple) -> tuple:
    return tuple(tuple(value) if isinstance(value, list | tuple) else value for value in settings)


@opaque
def convolved_each(images: torch.Tensor, kernels: torch.Tensor, settings: tuple) -> torch.Tensor:
    """aten.convolution, trial by trial."""
    return _side_by_side([aten.convolution(x, k, None, *settings) for x, k in zip(images, kernels, strict=True)])


@opaque
def slopes_of_each(slopes, images, kernels, settings: tuple, what: int) -> torch.Tensor:
    """aten.convolution_backward, trial by trial. what: 0 the slopes of the images, 1 of the kernels."""
    mask = [what == 0, what == 1, False]
    rows = zip(slopes, images, kernels, strict=True)
    return _side_by_side([aten.convolution_backward(g, x, k, None, *settings, mask)[what] for g, x, k in rows])


def _side_by_side(rows: list[torch.Tensor]) -> torch.Tensor:
    """[T, ...] whose rows have the memory layout that they have alone."""
    first = rows[0]
    size = first.untyped_storage().nbytes() // first.element_size()
    stack = first.new_empty(len(rows), size).as_strided((len(rows), *first.shape), (size, *first.stride()))
    for row, into in zip(rows, stack, strict=True):
        into.copy_(row)
    return stack
