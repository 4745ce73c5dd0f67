"""Images through a frozen network once, as fast as the machine can, in the order of the images."""

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import keras
import numpy as np
import torch

from lossopt_cli.catalogue.backbones import BackboneRow
from lossopt_cli.data.counted import Counted
from lossopt_cli.data.rows import Rows
from lossopt_cli.runs.environment import cores
from lossopt_cli.training.transfer.fast import FastNetwork

# Bytes of the images, as float32, that go through together: more leave the cache of a CPU, fewer leave a GPU idle.
BATCH_BYTES = {"cpu": 4 << 20}
BATCH_BYTES_ELSEWHERE = 128 << 20
FEWEST = 4
CHECKED = 2  # images on which the fast network is held against Keras's
# Of the largest feature, in float32. Keras itself is up to 2e-4 from exact arithmetic in networks of fifty layers and
# more.
AGREEMENT = 1e-3

Network = Callable[[torch.Tensor], torch.Tensor]
# (number of the first image, images) -> images
Change = Callable[[int, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Extraction:
    """run: images in [0, 1] to features. workers: threads that run it, of one torch thread each, so that no bit depends
    on how many there are. note: what there is to say of the way."""

    run: Network
    device: torch.device
    workers: int
    note: str = ""

    @classmethod
    def of(cls, model: keras.Model, device: torch.device, precision: str, sample: torch.Tensor) -> "Extraction":
        """The fast form of the network, or the network itself where that does not give the same numbers.

        sample: a few images in [0, 1], [n, height, width, channels]."""
        dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
        fast, sample = FastNetwork(model, device), sample[:CHECKED].to(device)
        workers = cores() if device.type == "cpu" else 1
        with keras.device(device.type), torch.inference_mode(), _in_float32(model), _in_full():
            wanted, got = model(sample, training=False), fast(sample)
        largest = float(wanted.abs().max())
        if float((got - wanted).abs().max()) <= AGREEMENT * largest:
            return cls(fast if dtype == torch.float32 else FastNetwork(model, device, dtype), device, workers)
        note = "the backbone runs as Keras has it, several times slower: its fast form gives other numbers"
        return cls(lambda images: model(images, training=False).float(), device, workers, note)

    def features(
        self,
        pieces: Sequence[np.ndarray | Rows],
        scale: float,
        told: Callable[[int, int], None],
        change: Change | None = None,
    ) -> Iterator[np.ndarray]:
        """float32 chunks of the features of all images of all pieces, in order; those of an image are the same bytes
        whatever goes with it. told: (images done, of all). change: what happens to images on the way."""
        count = sum(map(len, pieces))
        done, waiting = 0, deque[Future[np.ndarray]]()
        batches = self._batches(pieces)
        with _in_full(), ThreadPoolExecutor(self.workers) as threads:
            first = 0
            for batch in batches:
                waiting.append(threads.submit(self._one, batch, scale, change and partial(change, first)))
                first += len(batch)
                if len(waiting) <= self.workers:
                    continue
                chunk = waiting.popleft().result()
                done += len(chunk)
                told(done, count)
                yield chunk
            for future in waiting:
                done += len(chunk := future.result())
                told(done, count)
                yield chunk

    def _one(self, raw: np.ndarray, scale: float, change: Callable[[torch.Tensor], torch.Tensor] | None) -> np.ndarray:
        if self.device.type == "cpu":
            torch.set_num_threads(1)
        with keras.device(self.device.type), torch.inference_mode():
            images = torch.from_numpy(raw).to(self.device).to(torch.float32).mul_(scale)
            images = images if change is None else change(images)
            # kernels are chosen by the size of a batch, and with them how sums are rounded: all have the same
            short = batch_size(images.shape[1:], self.device) - len(images)
            whole = torch.cat([images, images.new_zeros((short, *images.shape[1:]))]) if short else images
            return self.run(whole)[: len(images)].cpu().numpy()

    def _batches(self, pieces: Sequence[np.ndarray | Rows]) -> Iterator[np.ndarray]:
        for piece in pieces:
            size = batch_size(piece.shape[1:], self.device)
            for first in range(0, len(piece), size):
                yield np.array(piece[first : first + size])


def batch_size(shape: Sequence[int], device: torch.device) -> int:
    """How many images of this shape go through together."""
    allowed = BATCH_BYTES.get(device.type, BATCH_BYTES_ELSEWHERE)
    return max(FEWEST, allowed // (4 * int(np.prod(shape))))


@contextlib.contextmanager
def _in_float32(model: keras.Model) -> Iterator[None]:
    """Within it all layers compute in float32, whatever they were made for."""
    policies = [(layer, layer.dtype_policy) for layer in model._flatten_layers()]
    for layer, _ in policies:
        layer.dtype_policy = "float32"
    try:
        yield
    finally:
        for layer, policy in policies:
            layer.dtype_policy = policy


@contextlib.contextmanager
def _in_full() -> Iterator[None]:
    """Within it a GPU multiplies all bits of float32: convolutions of cuDNN leave 13 of 23 out unless they are told."""
    allowed = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = allowed


def telling(row: BackboneRow, announce: Callable[[str], None]) -> Callable[[int, int], None]:
    """(images done, of all) as something to announce: the last time when all is done. Time counts from now."""
    began_at = time.perf_counter()

    def told(done: int, count: int) -> None:
        rate = done / max(time.perf_counter() - began_at, 1e-9)
        announce(Counted(done, count, f"images through {row.name}, {rate:,.0f} a second"))
        if done == count:
            announce(f"{count:,} images in {count / rate:.1f} s, {rate:,.0f} a second")

    return told
