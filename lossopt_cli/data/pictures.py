"""One image file to uint8 RGB, as people see it."""

import io
import struct
import zlib

import numpy as np

Size = tuple[int, int]

DECODER = 2  # raise it when the same file begins to give other pixels
SUFFIXES = (
    *(".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp"),
    *(".jpe", ".jfif", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".avif", ".jp2", ".j2k"),
)
ORIENTATION = 0x0112
# what Pillow's readers raise of damaged files: they meet what the bytes say with plain Python
DAMAGED = (OSError, SyntaxError, ValueError, TypeError, EOFError, struct.error, zlib.error, LookupError, AttributeError,
           ArithmeticError, AssertionError, RuntimeError)  # fmt: skip


class BrokenPicture(Exception):
    """Why the content of a file is no image."""


def read_picture(content: bytes, size: Size | None) -> np.ndarray:
    """uint8 [height, width, 3]; resized to `size` where that is given: the whole image, not in its own proportions, to
    the same pixels as by torchvision's Resize. BrokenPicture where it cannot be read."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content)) as image:
            return np.asarray(_as_rgb(image, size))
    except UnidentifiedImageError:
        raise BrokenPicture("no known image format" if content else "the file is empty") from None
    except (*DAMAGED, Image.DecompressionBombError) as error:
        raise BrokenPicture(str(error) or type(error).__name__) from error


def _as_rgb(image, size: Size | None):
    """The PIL image turned by its EXIF, on white where it is transparent, resized and in RGB."""
    from PIL import Image

    image.load()
    turn = _turn(image)
    if image.mode == "F":
        raise ValueError("its pixels are floating-point numbers: their range is not known")
    if image.mode.startswith("I"):
        image = Image.fromarray(_grey(image))
    if turn is not None:
        image = image.transpose(turn)
    if image.has_transparency_data:
        colours = image.convert("RGBA")
        image = Image.new("RGBA", image.size, "white")
        image.alpha_composite(colours)
    if image.mode != "RGB":
        image = image.convert("RGB")
    if size is not None and image.size != (size[1], size[0]):
        image = image.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return image


def _turn(image):
    """What sets the image upright, by its EXIF; None where it stands so, or no orientation can be read.

    No other tag is looked at: `ImageOps.exif_transpose` writes them all anew, and fails at one that is odd.
    """
    from PIL.Image import Transpose

    try:
        orientation = image.getexif().get(ORIENTATION)
    except DAMAGED:  # viewers show such a photograph as it is stored
        return None
    turns = (Transpose.FLIP_LEFT_RIGHT, Transpose.ROTATE_180, Transpose.FLIP_TOP_BOTTOM, Transpose.TRANSPOSE,
             Transpose.ROTATE_270, Transpose.TRANSVERSE, Transpose.ROTATE_90)  # fmt: skip
    return dict(enumerate(turns, start=2)).get(orientation)


def _grey(image) -> np.ndarray:
    """uint8 [height, width] of integers of more than 8 bits: 16 bits by value / 257, white where the file calls that
    value transparent; 32 bits as they are, where they go from 0 to 255, ValueError beyond."""
    values = np.asarray(image, dtype=np.int64)
    if image.mode == "I" and image.format != "PPM":  # whose 16 bits Pillow holds in this mode, white being 65535
        if values.min() < 0 or values.max() > 255:
            seen = f"from {values.min()} to {values.max()}"
            raise ValueError(f"its pixels are 32-bit numbers, {seen}: which is white is not known")
        return values.astype(np.uint8)
    values = np.where(values == image.info.get("transparency", -1), 65535, values)
    return np.round(values / 257).astype(np.uint8)
