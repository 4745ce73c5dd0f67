"""Image files to uint8 RGB arrays of one size."""

import hashlib
import io
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from lossopt_cli.errors import Fault, UsageError

Size = tuple[int, int]

SUFFIXES = (
    *(".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp"),
    *(".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm"),
)
MIXED_SIZE: Size = (64, 64)
LARGEST_OWN_SIZE = 256


class _OtherSize(Exception):
    """An image is not of the size of the first."""


def read_pictures(paths: Sequence[Path], size: Size | None, announce: Callable[[str], None]) -> np.ndarray:
    """RGB as people see it, uint8 [N, height, width, 3]; UsageError that names the files that are broken.

    size: [height, width] to resize to (the whole image, without keeping its proportions). None: the size of
    the images where all agree and neither side is over 256 pixels, else 64 x 64, which is announced.
    """
    if size is None:
        first, fault = _open(paths[0], None)
        if fault is None:
            size = first.shape[:2]
            if max(size) <= LARGEST_OWN_SIZE:
                try:
                    return _decode(paths, size, resize=False)
                except _OtherSize:
                    pass
            announce(
                f"the images are of different sizes, or over {LARGEST_OWN_SIZE} pixels: "
                f"all are resized to {MIXED_SIZE[0]}x{MIXED_SIZE[1]}; another size: --set data.image_size=N"
            )
        size = MIXED_SIZE
    return _decode(paths, size, resize=True)


def hash_files(paths: Sequence[Path], names: Sequence[str]) -> str:
    """sha256 of the names and contents of the files, in this order."""
    with ThreadPoolExecutor(_threads()) as pool:
        contents = pool.map(lambda path: hashlib.sha256(path.read_bytes()).digest(), paths)
        whole = hashlib.sha256()
        for name, digest in zip(names, contents, strict=True):
            whole.update(name.encode() + b"\0" + digest)
    return whole.hexdigest()


def _threads() -> int:
    return min(8, os.cpu_count() or 1)


def _decode(paths: Sequence[Path], size: Size, *, resize: bool) -> np.ndarray:
    pixels = np.empty((len(paths), *size, 3), dtype=np.uint8)

    def fill(places: range) -> list[tuple[Path, str]]:
        broken = []
        for place in places:
            image, fault = _open(paths[place], size if resize else None)
            if fault is not None:
                broken.append((paths[place], fault))
            elif image.shape[:2] != tuple(size):
                raise _OtherSize
            else:
                pixels[place] = image
        return broken

    chunks = [range(start, min(start + 256, len(paths))) for start in range(0, len(paths), 256)]
    with ThreadPoolExecutor(_threads()) as pool:
        broken = [fault for faults in pool.map(fill, chunks) for fault in faults]
    if broken:
        faults = [Fault(f"{path.name} cannot be read as an image: {why}", str(path)) for path, why in broken[:5]]
        more = f"; {len(broken) - 5} more like it" if len(broken) > 5 else ""
        last = faults[-1]
        faults[-1] = Fault(last.what + more, last.where, None, "delete or replace what is broken")
        raise UsageError(*faults)
    return pixels


def _open(path: Path, size: Size | None) -> tuple[np.ndarray | None, str | None]:
    """The pixels of an image file, or why there are none."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(path.read_bytes())) as image:
            if size is not None and image.mode in ("RGB", "L"):
                # JPEG only: decoded at a half, quarter or eighth while that is twice the size: much faster
                image.draft(None, (2 * max(size), 2 * max(size)))
            return np.asarray(_as_rgb(image, size)), None
    except UnidentifiedImageError:
        return None, "the file is empty" if path.stat().st_size == 0 else "no known image format"
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        return None, str(error) or type(error).__name__


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
