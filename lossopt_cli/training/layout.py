"""Many tensors in one vector, so that an update is a few kernels over all weights instead of a few for each."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

ALIGNMENT = 16  # float32s in 64 bytes: every tensor starts where the allocator would have put it


@dataclass(frozen=True)
class Layout:
    """Where each tensor lies in a vector of `size` floats; the gaps between them stay zero."""

    shapes: tuple[tuple[int, ...], ...]
    offsets: tuple[int, ...]
    size: int

    @classmethod
    def of(cls, shapes: Sequence[Sequence[int]]) -> "Layout":
        """Tensors of these shapes in order, each at a multiple of ALIGNMENT."""
        offsets, end = [], 0
        for shape in shapes:
            offsets.append(end)
            end += -(-math.prod(shape) // ALIGNMENT) * ALIGNMENT
        return cls(tuple(tuple(shape) for shape in shapes), tuple(offsets), end)

    def views(self, vector: torch.Tensor) -> list[torch.Tensor]:
        """The tensors that share their memory with vector, [size]."""
        return [
            vector[offset : offset + math.prod(shape)].view(shape)
            for shape, offset in zip(self.shapes, self.offsets, strict=True)
        ]

    def stacked_views(self, stack: torch.Tensor) -> list[torch.Tensor]:
        """The tensors of T trials, [T, *shape] each, that share their memory with the stack, [T, size]."""
        return [
            stack[:, offset : offset + math.prod(shape)].unflatten(1, shape or (1,)).reshape(len(stack), *shape)
            for shape, offset in zip(self.shapes, self.offsets, strict=True)
        ]
