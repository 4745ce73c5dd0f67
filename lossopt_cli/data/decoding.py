"""Many image files decoded side by side: in order, and only a few of them in memory at a time."""

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lossopt_cli.data.pictures import BrokenPicture, Size, read_picture

CHUNK_BYTES = 4 << 20
MOST_IN_A_CHUNK = 64
MOST_THREADS = 16


class OtherSize(Exception):
    """An image is not of the size that all were expected to have."""


@dataclass(frozen=True)
class Chunk:
    """Images in a row. pixels: uint8 [n, height, width, 3], black where an image is broken. digests: uint64 [n], of the
    pixels. hashes: sha256 of each file. broken: why, by the place in the chunk."""

    pixels: np.ndarray
    digests: np.ndarray
    hashes: list[bytes]
    broken: dict[int, str]


def decoded(paths: Sequence[Path], size: Size, *, resize: bool) -> Iterator[Chunk]:
    """The images in order, a chunk at a time. resize: to `size`; else OtherSize is raised at one that is not of it."""
    count = max(1, min(MOST_IN_A_CHUNK, CHUNK_BYTES // (3 * size[0] * size[1])))
    chunks = [paths[start : start + count] for start in range(0, len(paths), count)]
    with ThreadPoolExecutor(_threads()) as pool:
        yield from _in_order(pool, lambda part: _chunk(part, size, resize=resize), chunks)


def _threads() -> int:
    return min(MOST_THREADS, os.cpu_count() or 1)


def _in_order(pool: ThreadPoolExecutor, work: Callable[[Sequence[Path]], Chunk], items: Sequence) -> Iterator[Chunk]:
    """What `work` makes of each item, in order; begun no further ahead than keeps all threads busy."""
    running: deque[Future[Chunk]] = deque()
    for item in items:
        running.append(pool.submit(work, item))
        if len(running) > 2 * _threads():
            yield running.popleft().result()
    while running:
        yield running.popleft().result()


def _chunk(paths: Sequence[Path], size: Size, *, resize: bool) -> Chunk:
    pixels = np.zeros((len(paths), *size, 3), dtype=np.uint8)
    digests, hashes, broken = np.zeros(len(paths), dtype=np.uint64), [], {}
    for place, path in enumerate(paths):
        content = b""
        try:
            content = path.read_bytes()
            image = read_picture(content, size if resize else None)
        except BrokenPicture as error:
            broken[place] = str(error)
        except OSError as error:
            broken[place] = error.strerror or str(error)
        else:
            if image.shape[:2] != tuple(size):
                raise OtherSize
            pixels[place] = image
            digests[place] = int.from_bytes(hashlib.blake2b(pixels[place].data, digest_size=8).digest(), "little")
        hashes.append(hashlib.sha256(content).digest())
    return Chunk(pixels, digests, hashes, broken)
