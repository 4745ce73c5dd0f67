"""The few forms of protobuf that an event needs: writing in bulk lays out the bytes itself, and doing so here
spares the import of TensorBoard's classes (30 ms)."""

import struct

VARINT, EIGHT_BYTES, COUNTED, FOUR_BYTES = 0, 1, 2, 5


def varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; the high bit says that more follow. value >= 0."""
    groups = [value & 0x7F]
    while value := value >> 7:
        groups[-1] |= 0x80
        groups.append(value & 0x7F)
    return bytes(groups)


def tag(field: int, wire: int) -> bytes:
    """What stands before a field: its number and how it is written."""
    return varint(field << 3 | wire)


def integer(field: int, value: int) -> bytes:
    return tag(field, VARINT) + varint(value)


def double(field: int, value: float) -> bytes:
    return tag(field, EIGHT_BYTES) + struct.pack("<d", value)


def message(field: int, contents: bytes) -> bytes:
    """Bytes, or a message within a message."""
    return tag(field, COUNTED) + varint(len(contents)) + contents


def text(field: int, value: str) -> bytes:
    return message(field, value.encode())
