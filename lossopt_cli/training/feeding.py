"""A split on the device: raw where it is smaller raw (images as uint8), batches as the model eats them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from lossopt_cli.data.problem import ImageInputs, Problem, Split
from lossopt_cli.training.randomness import batch_order
from lossopt_cli.training.targets import Objective, encoded

CHUNK_BYTES = 32 << 20


@dataclass(frozen=True)
class Feed:
    """inputs: uint8 or float32 [n, ...] on the device. targets: as the loss wants them, [n, ...].

    scale: what images are multiplied by, None where inputs are eaten as they are. channels_first: images are fed as
    [n, channels, height, width] over memory that stays height, width, channels, which convolutions on a CPU prefer.
    """

    inputs: torch.Tensor
    targets: torch.Tensor
    scale: float | None
    channels_first: bool

    def __len__(self) -> int:
        return len(self.targets)

    def rows(self, order: torch.Tensor) -> torch.Tensor:
        """These examples as the model eats them, float32."""
        return self._eaten(self.inputs.index_select(0, order))

    def all(self) -> Iterator[torch.Tensor]:
        """All examples in order, in chunks of CHUNK_BYTES as the model eats them."""
        for raw in self.inputs.split(self._rows_in_a_chunk(1)):
            yield self._eaten(raw)

    def epoch(self, seed: int, epoch: int, batch_size: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Batches in the order of (seed, epoch), the last one smaller where it must be.

        Examples are gathered a chunk at a time; the batches are views of it.
        """
        order = torch.from_numpy(batch_order(len(self), seed, epoch)).to(self.targets.device)
        for chunk in order.split(self._rows_in_a_chunk(batch_size)):
            inputs = self.rows(chunk).split(batch_size)
            yield from zip(inputs, self.targets.index_select(0, chunk).split(batch_size), strict=True)

    def _eaten(self, raw: torch.Tensor) -> torch.Tensor:
        if self.scale is None:
            return raw
        images = raw.permute(0, 3, 1, 2) if self.channels_first else raw
        return images.to(torch.float32).mul_(self.scale)

    def _rows_in_a_chunk(self, batch_size: int) -> int:
        row_bytes = 4 * max(1, int(np.prod(self.inputs.shape[1:])))
        return max(1, CHUNK_BYTES // row_bytes // batch_size) * batch_size


def feed(problem: Problem, split: Split, objective: Objective, device: torch.device, channels_first: bool) -> Feed:
    """The split on the device, its targets encoded for the objective."""
    targets = torch.from_numpy(np.ascontiguousarray(encoded(problem, objective.fit, split.targets))).to(device)
    if isinstance(problem.inputs, ImageInputs):
        raw = np.ascontiguousarray(split.inputs)
        kept = raw if raw.dtype == np.uint8 else raw.astype(np.float32)
        return Feed(torch.from_numpy(kept).to(device), targets, problem.inputs.scale, channels_first)
    table = problem.inputs.encode(split.inputs) if problem.inputs.kind == "table" else split.inputs
    eaten = torch.from_numpy(np.ascontiguousarray(table, dtype=np.float32)).to(device)
    return Feed(eaten, targets, None, False)
