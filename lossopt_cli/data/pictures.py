"""One image file to uint8 RGB, as people see it."""

import io

import numpy as np

Size = tuple[int, int]

DECODER = 1  # raise it when the same file begins to give other pixels
SUFFIXES = (
    *(".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp"),
    *(".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm"),
)


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
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise BrokenPicture(str(error) or type(error).__name__) from error


def _as_rgb(image, size: Size | None):
    """The PIL image turned by its EXIF, on white where it is transparent, resized and in RGB.

    16-bit grey becomes 8-bit by value / 257; 32-bit integers by the same rule where any is above 255.
    """
    from PIL import Image, ImageOps

    ImageOps.exif_transpose(image, in_place=True)
    if image.mode.startswith("I"):
        values = np.asarray(image, dtype=np.int64)
        if image.mode != "I" or values.max() > 255:
            values = np.round(values / 257)
        image = Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))
    elif image.mode == "F":
        raise ValueError("its pixels are floating-point numbers: their range is not known")
    if image.has_transparency_data:
        colours = image.convert("RGBA")
        image = Image.new("RGBA", image.size, "white")
        image.alpha_composite(colours)
    if image.mode != "RGB":
        image = image.convert("RGB")
    if size is not None and image.size != (size[1], size[0]):
        image = image.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return image
