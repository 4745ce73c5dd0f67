"""The pixels of image files: in memory where they are few; else decoded once, into a file that later runs map."""

import hashlib
import json
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from lossopt_cli.catalogue.wording import counted
from lossopt_cli.data import cache
from lossopt_cli.data.counted import Counted
from lossopt_cli.data.decoding import OtherSize, decoded
from lossopt_cli.data.pictures import DECODER, BrokenPicture, Size, read_picture
from lossopt_cli.data.rows import Rows, mapped, write_array
from lossopt_cli.data.spelling import spelled
from lossopt_cli.errors import Fault, UsageError

KIND = "images"
MIXED_SIZE: Size = (64, 64)
LARGEST_OWN_SIZE = 256
FEW_FILES, FEW_PIXELS = 8 << 20, 32 << 20  # bytes; up to here reading and decoding them again costs no time
PIXELS, DIGESTS, DECODED = "pixels.npy", "digests.npy", "decoded.json"
Announce = Callable[[str], None]
Write = Callable[[tuple[int, ...], Iterator[np.ndarray]], None]


@dataclass(frozen=True)
class Pictures:
    """The images of some files that can be read.

    pixels: uint8 [n, height, width, 3]. places: int64 [n], which of the files they are. skipped: why, by the name of
    each file that cannot be read. sha256: of names and contents of the files that can. resized: whether they were made
    to agree in size without being asked to.
    """

    pixels: Rows
    places: np.ndarray
    skipped: dict[str, str]
    sha256: str
    resized: bool

    @property
    def notes(self) -> list[str]:
        """What a user must know of how they were read."""
        notes = []
        if self.resized:
            notes.append(
                f"the images are of different sizes, or over {LARGEST_OWN_SIZE} pixels: "
                f"all are resized to {MIXED_SIZE[0]}x{MIXED_SIZE[1]}; another size: --set data.image_size=N"
            )
        if self.skipped:
            shown = ", ".join(f"{spelled(name)} ({why})" for name, why in list(self.skipped.items())[:3])
            more = f" and {len(self.skipped) - 3} more" if len(self.skipped) > 3 else ""
            of = f"{len(self.skipped):,} of {counted(len(self.skipped) + len(self.places), 'image')}"
            notes.append(f"left out, since they cannot be read: {of}: {shown}{more}")
        return notes


def read_pictures(
    root: Path, paths: Sequence[Path], size: Size | None, announce: Announce, *, skip_bad: bool
) -> Pictures:
    """The images at these paths in a folder. UsageError that names those that are broken, unless they are skipped.

    size: [height, width] to resize to (the whole image, without keeping its proportions). None: the size of the images
    where all agree and neither side is over 256 pixels, else 64 x 64. The pixels are the same in memory and in a file.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of odd metadata and large images: they name no file
        names = [path.relative_to(root).as_posix() for path in paths]
        files = _Files(root, list(paths), names, size, _own_size(paths) if size is None else None)
        if files.are_few():
            return files.in_memory(announce, skip_bad=skip_bad)
        try:
            return files.from_cache(announce, skip_bad=skip_bad)
        except cache.CacheUnavailable as error:
            announce(f"{error.faults[0].what}; the images stay in memory ({error.faults[0].remedy})")
            return files.in_memory(announce, skip_bad=skip_bad)


def _own_size(paths: Sequence[Path]) -> Size | None:
    """The size of the first image that can be read, unless it is too large to be kept."""
    for path in paths:
        try:
            height, width = read_picture(path.read_bytes(), None).shape[:2]
        except (BrokenPicture, OSError):
            continue
        return (height, width) if max(height, width) <= LARGEST_OWN_SIZE else None
    return None


def _read(folder: Path) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """(pixels, digests, what DECODED says) of an entry."""
    told = json.loads((folder / DECODED).read_text(encoding="utf-8"))
    return mapped(folder / PIXELS), np.load(folder / DIGESTS), told


@dataclass(frozen=True)
class _Files:
    """Files in a folder, to be resized to `size`; where that is None to be kept in the size `own` if all have it."""

    root: Path
    paths: list[Path]
    names: list[str]
    size: Size | None
    own: Size | None

    def are_few(self) -> bool:
        height, width = self.size or self.own or MIXED_SIZE
        if 3 * height * width * len(self.paths) > FEW_PIXELS:
            return False
        return sum(path.stat().st_size for path in self.paths) <= FEW_FILES

    def key(self) -> str:
        """Of all that decides the pixels: which files, as they are now, the size, and what decodes them.

        Two times of each file: contents may change under the time of the last change being set back, by an archive that
        is unpacked, say; the other time cannot be set.
        """
        import PIL

        whole = hashlib.sha256(repr((DECODER, PIL.__version__, self.size, str(self.root.resolve()))).encode())
        for name, path in zip(self.names, self.paths, strict=True):
            said = path.stat()
            whole.update(repr((name, said.st_size, said.st_mtime_ns, said.st_ctime_ns)).encode())
        return whole.hexdigest()[:32]

    def in_memory(self, announce: Announce, *, skip_bad: bool) -> Pictures:
        pixels = np.empty(0, dtype=np.uint8)

        def keep(shape: tuple[int, ...], chunks: Iterator[np.ndarray]) -> None:
            nonlocal pixels
            pixels, start = np.empty(shape, dtype=np.uint8), 0
            for chunk in chunks:
                pixels[start : start + len(chunk)] = chunk
                start += len(chunk)

        told, digests = self.decode(keep, announce)
        return self.pictures(pixels, digests, told, skip_bad=skip_bad)

    def from_cache(self, announce: Announce, *, skip_bad: bool) -> Pictures:
        """As they were decoded once, now if they were not before. Broken ones that are not skipped leave no entry."""
        size = "as they are" if self.size is None else "x".join(map(str, self.size))
        about = {"what": f"{counted(len(self.paths), 'image')} of {spelled(self.root.name)}",
                 "from": spelled(str(self.root)), "image_size": size}  # fmt: skip

        def make(folder: Path) -> None:
            told, digests = self.decode(partial(write_array, folder / PIXELS, np.uint8), announce)
            if not skip_bad:
                self.refuse(told["broken"])
            np.save(folder / DIGESTS, digests)
            (folder / DECODED).write_text(json.dumps(told), encoding="utf-8")

        key = self.key()
        try:
            found = _read(cache.entry(KIND, key, about, make, announce))
        except (OSError, ValueError, EOFError):  # damaged by a disk, or by hand
            cache.clear((KIND,), (key,))
            found = _read(cache.entry(KIND, key, about, make, announce))
        return self.pictures(*found, skip_bad=skip_bad)

    def decode(self, write: Write, announce: Announce) -> tuple[dict[str, Any], np.ndarray]:
        """Hands all pixels to `write`, black ones where an image is broken; what DECODED says, and the digests."""
        if self.size is None and self.own is not None:
            try:
                return self.decode_to(self.own, write, announce, resize=False)
            except OtherSize:
                pass
        return self.decode_to(self.size or MIXED_SIZE, write, announce, resize=True)

    def decode_to(
        self, size: Size, write: Write, announce: Announce, *, resize: bool
    ) -> tuple[dict[str, Any], np.ndarray]:
        digests, broken, whole = [], {}, hashlib.sha256()
        names = iter(self.names)

        def pixels() -> Iterator[np.ndarray]:
            done = 0
            for chunk in decoded(self.paths, size, resize=resize):
                for place, sha in enumerate(chunk.hashes):
                    name = next(names)
                    if place in chunk.broken:
                        broken[name] = chunk.broken[place]
                    else:
                        whole.update(os.fsencode(name) + b"\0" + sha)
                digests.append(chunk.digests)
                done += len(chunk.pixels)
                announce(Counted(done, len(self.paths), "images decoded"))
                yield chunk.pixels

        write((len(self.paths), *size, 3), pixels())
        told = {"sha256": whole.hexdigest(), "resized": resize and self.size is None, "broken": broken}
        return told, np.concatenate(digests)

    def pictures(self, pixels: np.ndarray, digests: np.ndarray, told: dict[str, Any], *, skip_bad: bool) -> Pictures:
        broken = told["broken"]
        if not skip_bad or len(broken) == len(self.paths):
            self.refuse(broken)
        places = np.array([place for place, name in enumerate(self.names) if name not in broken], dtype=np.int64)
        return Pictures(Rows(pixels, places, digests), places, broken, told["sha256"], told["resized"])

    def refuse(self, broken: dict[str, str]) -> None:
        """UsageError with the first of the broken files and the number of the others; nothing where there are none."""
        if not broken:
            return
        faults = [
            Fault(f"{spelled(Path(name).name)} cannot be read as an image: {why}", spelled(str(self.root / name)))
            for name, why in list(broken.items())[:5]
        ]
        more = f"; {len(broken) - 5} more like it" if len(broken) > 5 else ""
        remedy = "delete or replace what is broken"
        if len(broken) < len(self.paths):
            remedy += ", or leave it out: --skip-bad-images"
        faults[-1] = Fault(faults[-1].what + more, faults[-1].where, None, remedy)
        raise UsageError(*faults)
