"""A split on the device: raw where it is smaller raw (images as uint8), batches as the model eats them."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from lossopt_cli.data.problem import ImageInputs, Problem, Split
from lossopt_cli.data.rows import Rows
from lossopt_cli.training.augmentation import Augmentation, Drawn
from lossopt_cli.training.randomness import batch_order
from lossopt_cli.training.targets import Objective, encoded

CHUNK_BYTES = 32 << 20


@dataclass(frozen=True)
class Feed:
    """inputs: uint8 or float32 [N, ...], a storage that splits may share. targets: as the loss wants them, [n, ...].

    places: which rows of the storage the examples are, int64 [n]; None where they are all of them, in order.
    scale: what images are multiplied by, None where inputs are eaten as they are. channels_first: images are fed as
    [n, channels, height, width] over memory that stays height, width, channels, which convolutions on a CPU prefer.

    Epochs of a training may see the examples otherwise than they are: views take turns, or augmentation changes each at
    random. `rows` and `all` give them as they are.
    """

    inputs: torch.Tensor
    targets: torch.Tensor
    scale: float | None
    channels_first: bool
    places: torch.Tensor | None = None
    views: tuple["Feed", ...] = ()
    augmentation: Augmentation | None = None

    def __len__(self) -> int:
        return len(self.targets)

    def rows(self, order: torch.Tensor) -> torch.Tensor:
        """These examples as the model eats them, float32."""
        places = order if self.places is None else self.places.index_select(0, order)
        return self._eaten(self.inputs.index_select(0, places))

    def all(self) -> Iterator[torch.Tensor]:
        """All examples in order, in chunks of CHUNK_BYTES as the model eats them."""
        count = self._rows_in_a_chunk(1)
        if self.places is None:
            for raw in self.inputs.split(count):
                yield self._eaten(raw)
            return
        for places in self.places.split(count):
            yield self._eaten(self.inputs.index_select(0, places))

    def epoch(self, seed: int, epoch: int, batch_size: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Batches in the order of (seed, epoch), the last one smaller where it must be.

        Examples are gathered a chunk at a time; the batches are views of it.
        """
        order = torch.from_numpy(batch_order(len(self), seed, epoch)).to(self.targets.device)
        shown, drawn = self.shown(epoch), self.drawn(seed, epoch)
        for chunk in order.split(self._rows_in_a_chunk(batch_size)):
            batches = shown.rows(chunk).split(batch_size), chunk.split(batch_size)
            targets = self.targets.index_select(0, chunk).split(batch_size)
            for inputs, rows, wanted in zip(*batches, targets, strict=True):
                self.change(inputs, drawn, rows)
                yield inputs, wanted

    def shown(self, epoch: int) -> "Feed":
        """The view whose turn it is; these examples themselves where there are no views."""
        return self.views[epoch % len(self.views)] if self.views else self

    def drawn(self, seed: int, epoch: int) -> Drawn | None:
        """What augmentation does to every example in this epoch; None without."""
        if self.augmentation is None:
            return None
        return self.augmentation.drawn(len(self), self.targets.device, "augmentation", seed, epoch)

    def change(self, inputs: torch.Tensor, drawn: Drawn | None, rows: torch.Tensor) -> None:
        """Changes inputs that `rows` has gathered as was drawn for them, in place."""
        if drawn is not None:
            images = inputs.permute(0, 2, 3, 1) if self.channels_first else inputs
            images.copy_(self.augmentation.applied(images, drawn, rows))

    def _eaten(self, raw: torch.Tensor) -> torch.Tensor:
        if self.scale is None:
            return raw
        images = raw.permute(0, 3, 1, 2) if self.channels_first else raw
        return images.to(torch.float32).mul_(self.scale)

    def _rows_in_a_chunk(self, batch_size: int) -> int:
        row_bytes = 4 * max(1, int(np.prod(self.inputs.shape[1:])))
        return max(1, CHUNK_BYTES // row_bytes // batch_size) * batch_size


def feed(problem: Problem, split: Split, objective: Objective, device: torch.device, channels_first: bool) -> Feed:
    """The split on the device, its targets encoded for the objective, with its views."""
    targets = torch.from_numpy(np.ascontiguousarray(encoded(problem, objective.fit, split.targets))).to(device)
    is_image = isinstance(problem.inputs, ImageInputs)
    raw = problem.inputs.encode(split.inputs) if problem.inputs.kind == "table" else split.inputs
    kept = np.uint8 if is_image and raw.dtype == np.uint8 else np.float32
    storage, places = _stored(raw, kept, device)
    scale = problem.inputs.scale if is_image else None
    plain = Feed(storage, targets, scale, channels_first and is_image, places)
    views = [_stored(view, kept, device) for view in split.views]
    return replace(plain, views=tuple(replace(plain, inputs=own, places=places) for own, places in views))


def _stored(
    raw: np.ndarray | Rows, kept: type[np.generic], device: torch.device
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The storage and the places in it, None for all of them in order."""
    if isinstance(raw, Rows):
        return _shared(raw, device)
    return torch.from_numpy(np.ascontiguousarray(raw, dtype=kept)).to(device), None


def _shared(raw: Rows, device: torch.device) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The storage and the places in it: on the CPU that of the rows, without a copy; elsewhere these rows alone."""
    with warnings.catch_warnings():
        # the storage is often a file that is mapped and not to be written to; nobody writes to what a model is fed
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        storage = torch.from_numpy(raw.array)
    if device.type == "cpu":
        in_order = np.array_equal(raw.rows, np.arange(len(raw.array)))
        return storage, None if in_order else torch.from_numpy(raw.rows)
    there = torch.empty(raw.shape, dtype=storage.dtype, device=device)
    count = max(1, CHUNK_BYTES // max(1, storage[:1].nbytes))
    for places, chunk in zip(torch.from_numpy(raw.rows).split(count), there.split(count), strict=True):
        chunk.copy_(storage.index_select(0, places))
    return there, None
