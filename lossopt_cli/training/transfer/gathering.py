"""The images of a problem, each once, and the problem with what was made of them in their place."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from lossopt_cli.data.problem import SPLITS, FeatureInputs, ImageInputs, Problem
from lossopt_cli.data.rows import Rows
from lossopt_cli.runs.fingerprint import canonical

READ_BYTES = 16 << 20  # at a time

Images = np.ndarray | Rows


@dataclass(frozen=True)
class Gathered:
    """The images of a problem, each once. places: of the examples of each split among them, in the order of pieces."""

    pieces: tuple[Images, ...]
    places: tuple[np.ndarray, ...]

    def __len__(self) -> int:
        return sum(map(len, self.pieces))

    @cached_property
    def content(self) -> str:
        """sha256 of the pixels, in order: by their digests where they have them."""
        whole = hashlib.sha256()
        for piece in self.pieces:
            whole.update(canonical([str(piece.dtype), list(piece.shape)]).encode())
            if isinstance(piece, Rows) and piece.digests is not None:
                whole.update(np.ascontiguousarray(piece.digests[piece.rows]).data)
                continue
            for chunk in chunks_of(piece):
                whole.update(np.ascontiguousarray(chunk).data)
        return whole.hexdigest()


def chunks_of(images: Images) -> Iterator[np.ndarray]:
    """The images, a few at a time."""
    size = max(1, READ_BYTES // max(1, int(np.prod(images.shape[1:])) * images.dtype.itemsize))
    for first in range(0, len(images), size):
        yield images[first : first + size]


def gathered_of(problem: Problem, splits: Sequence[str]) -> Gathered:
    """Rows of one shared array in the order of that array, arrays of their own one after the other."""
    inputs = [problem.split(name).inputs for name in splits]
    if all(isinstance(part, Rows) and part.array is inputs[0].array for part in inputs):
        used = np.unique(np.concatenate([part.rows for part in inputs]))
        places = tuple(np.searchsorted(used, part.rows) for part in inputs)
        return Gathered((Rows(inputs[0].array, used, inputs[0].digests),), places)
    ends = np.cumsum([0, *map(len, inputs)])
    places = tuple(np.arange(first, first + len(part)) for first, part in zip(ends[:-1], inputs, strict=True))
    return Gathered(tuple(inputs), places)


def on_features(problem: Problem, images: ImageInputs, features: np.ndarray, gathered: Gathered, note: str) -> Problem:
    """The problem whose examples are these rows of features, made of such images."""
    digests = None
    if len(gathered.pieces) == 1 and (own := gathered.pieces[0]).digests is not None:
        digests = own.digests[own.rows]
    splits = {
        name: replace(problem.split(name), inputs=Rows(features, places, digests))
        for name, places in zip(SPLITS, gathered.places, strict=True)
    }
    return replace(problem, inputs=FeatureInputs(features.shape[1:], images, note), **splits)
