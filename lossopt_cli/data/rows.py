"""Rows of an array that stays where it is, in a file mapped into memory, say; and such files."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Rows:
    """What `array[rows]` is, [n, ...], without the copy: rows of an array that is shared.

    array: [N, ...], of the whole data set or cache. rows: int64 [n]. digests: uint64 [N], equal where rows of `array`
    are equal, or None. Pickled and copied, it is an array of its own rows only, which can travel to another machine.
    """

    array: np.ndarray
    rows: np.ndarray
    digests: np.ndarray | None = None

    @classmethod
    def whole(cls, array: np.ndarray, digests: np.ndarray | None = None) -> "Rows":
        """All rows of an array, in order."""
        return cls(array, np.arange(len(array)), digests)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.rows), *self.array.shape[1:])

    @property
    def dtype(self) -> np.dtype:
        return self.array.dtype

    @property
    def ndim(self) -> int:
        return self.array.ndim

    def __getitem__(self, index: Any) -> np.ndarray:
        """What the array of these rows has there, as a copy; all of it is read where the index goes into the rows."""
        if isinstance(index, tuple) or index is Ellipsis:
            return np.asarray(self.array[self.rows])[index]
        return np.asarray(self.array[self.rows[index]])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("rows of a shared array are an array only as a copy")
        return np.asarray(self[:], dtype=dtype)

    def take(self, rows: np.ndarray) -> "Rows":
        """These of the rows, in this order; still shared."""
        return Rows(self.array, self.rows[rows], self.digests)

    def copy(self) -> "Rows":
        """The same rows over an array of their own."""
        digests = None if self.digests is None else self.digests[self.rows]
        return Rows.whole(self[:], digests)

    def __reduce__(self) -> tuple:
        own = self.copy()
        return Rows, (own.array, own.rows, own.digests)


def taken(inputs: np.ndarray | Rows, rows: np.ndarray) -> np.ndarray | Rows:
    """These rows of the inputs: of an array a copy, of shared rows shared ones."""
    return inputs.take(rows) if isinstance(inputs, Rows) else inputs[rows]


def write_array(path: Path, dtype: np.dtype | type, shape: tuple[int, ...], chunks: Iterable[np.ndarray]) -> None:
    """A .npy file of this shape, of chunks in order. Written, not mapped: a full disk is an OSError and no SIGBUS."""
    with path.open("wb") as file:
        header = {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        rows = 0
        for chunk in chunks:
            assert (chunk.dtype, chunk.shape[1:]) == (dtype, shape[1:]), (chunk.dtype, chunk.shape)
            file.write(np.ascontiguousarray(chunk).data)
            rows += len(chunk)
        assert rows == shape[0], (rows, shape)
        file.flush()
        os.fsync(file.fileno())


def mapped(path: Path) -> np.ndarray:
    """The array of a .npy file, mapped into memory and not to be written to."""
    return np.load(path, mmap_mode="r")
