"""TensorBoard event files written in bulk: a whole epoch's events are laid out and checksummed column-wise in
NumPy.

A file is a sequence of records: length (uint64), masked crc32c of the length, an Event in protobuf, masked
crc32c of the Event, all little-endian. Within one set of tags only 13 + 4 * tags bytes of an Event differ
from step to step."""

import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from lossopt_cli.runs import protobuf

CASTAGNOLI = 0x82F63B78  # the polynomial of crc32c, bits reversed (RFC 3720)
MASK_DELTA = 0xA282EAD8  # added to a rotated crc, since a crc of data that hold crcs is weak
STEP_BYTES = 5  # a varint padded to five bytes: steps below 2^35
SESSION_STATUS = {
    "done": 1,
    "diverged": 2,
    "failed": 2,
    "interrupted": 2,
    "running": 3,
}  # success 1, failure 2


class EventFile:
    """The event file of one run, appended to as the run goes, so that a live TensorBoard sees it.

    scalars() once an epoch; hparams() once; close() writes how the session ended. What a call wrote can be
    read when it returns."""

    def __init__(self, folder: Path, started_at: float):
        """started_at: seconds since 1970. A second file of the same second in a folder gets a number."""
        stem = f"events.out.tfevents.{int(started_at):010d}.lossopt"
        taken = sum(1 for _ in folder.glob(f"{stem}*"))
        self.path = folder / (f"{stem}.{taken}" if taken else stem)
        self._file = self.path.open("xb", buffering=0)
        self._started_at = started_at
        self._write(protobuf.double(1, started_at) + protobuf.text(3, "brain.Event:2"))

    @property
    def closed(self) -> bool:
        return self._file.closed

    def scalars(
        self, tags: Sequence[str], steps: np.ndarray, values: np.ndarray, wall_times: np.ndarray | float
    ) -> None:
        """Writes values[n, tags] (as float32) at steps[n] and wall_times[n] (seconds since 1970, or one for
        all)."""
        steps = np.asarray(steps)
        with np.errstate(over="ignore"):  # beyond float32 is infinite there
            values = np.asarray(values, np.float32).reshape(len(steps), len(tags))
        times = np.broadcast_to(np.asarray(wall_times, np.float64), len(steps))
        if len(steps) and len(tags):
            self._file.write(_layout(tuple(tags)).records(steps, values, times))

    def hparams(
        self, settings: Mapping[str, object], metrics: Mapping[str, float] | None = None, step: int = 0
    ) -> None:
        """Writes what the HPARAMS page shows: the settings (None is left out, a list is its text), and
        metrics, which TensorBoard finds as scalars of those names (at that step).

        No experiment summary is written: TensorBoard takes one run's as the schema of all runs and hides what
        others have besides; without one it shows the union."""
        start = b"".join(
            protobuf.message(1, protobuf.text(1, name) + protobuf.message(2, _struct_value(value)))
            for name, value in settings.items()
            if value is not None
        )
        self._session("_hparams_/session_start_info", 3, start + protobuf.double(5, self._started_at))
        if metrics:
            self.scalars(list(metrics), np.array([step]), np.array([list(metrics.values())]), time.time())

    def close(self, status: str) -> None:
        """Writes how the session ended (a status of result.json) and closes the file."""
        end = protobuf.integer(1, SESSION_STATUS[status]) + protobuf.double(2, time.time())
        self._session("_hparams_/session_end_info", 4, end)
        self._file.close()

    def _session(self, tag: str, field: int, info: bytes) -> None:
        """HParamsPluginData with `info` in its field, as the metadata of a summary without a value."""
        plugin = protobuf.text(1, "hparams") + protobuf.message(2, protobuf.message(field, info))
        value = protobuf.text(1, tag) + protobuf.message(9, protobuf.message(1, plugin))
        summary = protobuf.message(5, protobuf.message(1, value))
        self._write(protobuf.double(1, time.time()) + summary)

    def _write(self, event: bytes) -> None:
        self._file.write(record(event))


def record(event: bytes) -> bytes:
    """One event with its length and both checksums."""
    length = np.uint64(len(event)).tobytes()
    return length + _masked_bytes(crc32c(length)) + event + _masked_bytes(crc32c(event))


def crc32c(data: bytes) -> int:
    """The Castagnoli checksum: 0xE3069283 of b"123456789"."""
    table = _table().tolist()
    crc = 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


class _Layout:
    """Records of one set of tags: a template, the places that vary, and what each byte at such a place does
    to the crc.

    A crc is affine over bits: crc(data) = crc(template) ^ xor over places p of effect[p, data[p] ^
    template[p]], and with zeros in the template at those places this is one look-up a byte, for all rows at
    once."""

    def __init__(self, tags: tuple[str, ...]):
        values = [protobuf.text(1, tag) + protobuf.tag(2, protobuf.FOUR_BYTES) + bytes(4) for tag in tags]
        summary = b"".join(protobuf.message(1, value) for value in values)
        head = protobuf.tag(1, protobuf.EIGHT_BYTES) + bytes(8) + protobuf.tag(2, protobuf.VARINT) + bytes(STEP_BYTES)
        event = head + protobuf.message(5, summary)
        ends = len(event) - len(summary) + np.cumsum([len(protobuf.message(1, value)) for value in values])
        self._template = np.frombuffer(record(event), np.uint8)
        self._crc = crc32c(event)
        self._places = np.concatenate(
            [np.arange(1, 9), np.arange(10, 10 + STEP_BYTES), (ends[:, None] + np.arange(-4, 0)).ravel()]
        )
        self._effects = _effects(len(event))[self._places]

    def records(self, steps: np.ndarray, values: np.ndarray, times: np.ndarray) -> bytes:
        """steps [n], values float32 [n, tags], times float64 [n] -> n records."""
        count = len(steps)
        varying = np.empty((count, len(self._places)), np.uint8)
        varying[:, :8] = np.ascontiguousarray(times, "<f8").view(np.uint8).reshape(count, 8)
        groups = steps.astype(np.int64)[:, None] >> (7 * np.arange(STEP_BYTES))
        varying[:, 8 : 8 + STEP_BYTES] = groups & 0x7F
        varying[:, 8 : 7 + STEP_BYTES] |= 0x80
        varying[:, 8 + STEP_BYTES :] = np.ascontiguousarray(values, "<f4").view(np.uint8).reshape(count, -1)
        effects = self._effects[np.arange(len(self._places)), varying]
        crc = np.bitwise_xor.reduce(effects, axis=1) ^ np.uint32(self._crc)
        rows = np.tile(self._template, (count, 1))
        rows[:, 12 + self._places] = varying
        rows[:, -4:] = _masked(crc).astype("<u4").view(np.uint8).reshape(count, 4)
        return rows.tobytes()


@cache
def _layout(tags: tuple[str, ...]) -> _Layout:
    return _Layout(tags)


def _effects(length: int) -> np.ndarray:
    """effects[p, b]: what byte b at place p of a zero message of that length xors into its crc, uint32
    [length, 256].

    At the last place it is the table itself; one place earlier it has gone through one more zero byte.
    """
    table = _table()
    effects = np.empty((length, 256), np.uint32)
    effects[-1] = table
    for place in range(length - 2, -1, -1):
        later = effects[place + 1]
        effects[place] = table[later & 0xFF] ^ (later >> 8)
    return effects


@cache
def _table() -> np.ndarray:
    """The crc of each single byte, uint32 [256], by eight shifts."""
    crc = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        crc = np.where(crc & 1, (crc >> 1) ^ np.uint32(CASTAGNOLI), crc >> 1)
    return crc


def _masked(crc: np.ndarray) -> np.ndarray:
    """Rotated right by 15 bits, plus MASK_DELTA, modulo 2^32."""
    return ((crc >> np.uint32(15)) | (crc << np.uint32(17))) + np.uint32(MASK_DELTA)


def _masked_bytes(crc: int) -> bytes:
    return _masked(np.array([crc], np.uint32)).astype("<u4").tobytes()


def _struct_value(value: object) -> bytes:
    """A google.protobuf.Value: a bool, a number, or the text of anything else."""
    if isinstance(value, bool):
        return protobuf.integer(4, int(value))
    if isinstance(value, int | float):
        return protobuf.double(2, float(value))
    return protobuf.text(3, str(value))
