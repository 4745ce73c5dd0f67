"""One image file to pixels: metadata that are odd, files that are damaged, and more bits than 8."""

import io
import random
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, features

from lossopt_cli.data.pictures import BrokenPicture, read_picture

# Pillow's, of odd metadata and of sizes that are damaged; image_store keeps them quiet
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::PIL.Image.DecompressionBombWarning")

PHOTO = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8).repeat(4, axis=0).repeat(4, axis=1)
SHORT, ASCII = 3, 2
ORIENTATION = (0x0112, SHORT, 1, struct.pack("<HH", 6, 0))


def saved(kind: str, image: Image.Image | None = None, **options) -> bytes:
    file = io.BytesIO()
    (Image.fromarray(PHOTO) if image is None else image).save(file, kind, **options)
    return file.getvalue()


def exif_of(*tags: tuple[int, int, int, bytes]) -> bytes:
    """EXIF written by hand: (tag, type, count, four bytes) each, in the byte order of Intel."""
    entries = b"".join(struct.pack("<HHI", *tag) + value for *tag, value in tags)
    return b"Exif\0\0II*\0" + struct.pack("<IH", 8, len(tags)) + entries + struct.pack("<I", 0)


ODD = {
    "a unit in letters": exif_of(ORIENTATION, (0x0128, ASCII, 2, b"2\0\0\0")),
    "a resolution in letters": exif_of(ORIENTATION, (0x011A, ASCII, 3, b"72\0\0")),
    "a text beyond the end": exif_of(ORIENTATION, (0x0100, 9, 1, b"\xff" * 4), (0x010F, ASCII, 40, b"\x0f\x27\0\0")),
    "nothing else": exif_of(ORIENTATION),
}


@pytest.mark.parametrize("exif", ODD.values(), ids=ODD)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_odd_metadata_beside_the_orientation_change_nothing(kind, exif):
    options = {"lossless": True} if kind == "WEBP" else {}
    plain = read_picture(saved(kind, **options), None)
    np.testing.assert_array_equal(read_picture(saved(kind, exif=exif, **options), None), np.rot90(plain, -1))


UNREADABLE = {
    "no EXIF": b"Exif\0\0nonsense",
    "too short": b"Exif\0\0II*\0",
    "in letters": exif_of((0x0112, ASCII, 2, b"6\0\0\0")),
    "none of eight": exif_of((0x0112, SHORT, 1, struct.pack("<HH", 9, 0))),
}


@pytest.mark.parametrize("exif", UNREADABLE.values(), ids=UNREADABLE)
def test_without_a_readable_orientation_a_photograph_is_as_it_is_stored(exif):
    np.testing.assert_array_equal(read_picture(saved("PNG", exif=exif), None), PHOTO)


KINDS = {
    "JPEG": {"exif": ODD["nothing else"]},
    "PNG": {"exif": ODD["nothing else"]},
    "GIF": {},
    "BMP": {},
    "PPM": {},
    "WEBP": {"exif": ODD["nothing else"]},
    "TIFF": {"exif": ODD["nothing else"][6:]},
    **({"AVIF": {}} if features.check("avif") else {}),
}


def damaged(whole: bytes, draw: random.Random) -> bytes:
    """Cut off somewhere, or not, and with a few bytes at its beginning that are others."""
    content = bytearray(whole[: draw.choice([len(whole), draw.randrange(1, len(whole))])])
    for _ in range(draw.choice([1, 2, 5])):
        content[draw.randrange(min(len(content), 300))] = draw.randrange(256)
    return bytes(content)


def outcome(content: bytes) -> str:
    try:
        return "x".join(map(str, read_picture(content, (4, 4)).shape))
    except BrokenPicture:
        return "broken"


@pytest.mark.parametrize(("kind", "options"), KINDS.items(), ids=KINDS)
def test_a_damaged_file_is_a_picture_or_a_broken_one_and_nothing_else(kind, options):
    whole, draw = saved(kind, **options), random.Random(0)
    assert {outcome(damaged(whole, draw)) for _ in range(300)} == {"4x4x3", "broken"}


@pytest.mark.parametrize("error", [struct.error, TypeError, IndexError, zlib.error, OverflowError], ids=str)
def test_what_pillow_meets_in_a_damaged_file_is_told_by_its_name(monkeypatch, error):
    def fail(image):
        raise error

    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load_prepare", fail)
    with pytest.raises(BrokenPicture, match=f"^{error.__name__}$"):
        read_picture(saved("PNG"), None)


# ---------------------------------------------------------------------------------------------- more bits than 8


def pgm(*values: int, most: int = 65535) -> bytes:
    return f"P5 {len(values)} 1 {most}\n".encode() + struct.pack(f">{len(values)}H", *values)


def grey_png(*values: int, transparent: int) -> bytes:
    """16 bits of grey, of which one value is transparent; written by hand."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", len(values), 1, 16, 0, 0, 0, 0))
    row = zlib.compress(b"\0" + struct.pack(f">{len(values)}H", *values))
    clear = chunk(b"tRNS", struct.pack(">H", transparent))
    return b"\x89PNG\r\n\x1a\n" + head + clear + chunk(b"IDAT", row) + chunk(b"IEND", b"")


def tiff(*values: int) -> bytes:
    return saved("TIFF", Image.fromarray(np.array([values], dtype=np.int32)))


DEEP = {
    "PGM, dark": (pgm(100, 200, 0), [0, 1, 0]),
    "PGM, bright": (pgm(100, 51400, 65535), [0, 200, 255]),
    "PGM to 1023, dark": (pgm(4, 200, most=1023), [1, 50]),
    "TIFF of 32 bits, bytes": (tiff(0, 200, 255), [0, 200, 255]),
    "PNG, transparent": (grey_png(1000, 2570, transparent=1000), [255, 10]),
    "PNG, nothing transparent": (grey_png(1000, 2570, transparent=7), [4, 10]),
}


@pytest.mark.parametrize(("content", "greys"), DEEP.values(), ids=DEEP)
def test_the_depth_of_a_file_decides_and_not_its_largest_value(content, greys):
    np.testing.assert_array_equal(read_picture(content, None)[0], np.repeat(greys, 3).reshape(-1, 3))


@pytest.mark.parametrize("values", [(0, 256), (-1, 0), (2**31 - 1, 7)])
def test_numbers_of_32_bits_beyond_a_byte_have_no_known_white(values):
    with pytest.raises(BrokenPicture, match=r"32-bit numbers, from -?[0-9]+ to [0-9]+: which is white is not known"):
        read_picture(tiff(*values), None)
