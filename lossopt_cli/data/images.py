"""Folders of images: class folders, or train/, validation/ and test/ with class folders in them."""

import os
import re
import shlex
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

import numpy as np

from lossopt_cli.catalogue.wording import counted
from lossopt_cli.config.schema import DataConfig
from lossopt_cli.data.examples import Examples, data_name, select
from lossopt_cli.data.image_store import read_pictures
from lossopt_cli.data.pictures import SUFFIXES
from lossopt_cli.data.problem import SPLITS, ImageInputs
from lossopt_cli.data.spelling import spelled
from lossopt_cli.data.splits import TEST, TRAIN, VALIDATION
from lossopt_cli.errors import Fault, UsageError

_PARTS = {
    "train": TRAIN,
    "training": TRAIN,
    "validation": VALIDATION,
    "valid": VALIDATION,
    "val": VALIDATION,
    "test": TEST,
    "testing": TEST,
}
_PART_IN_A_NAME = re.compile(rf"(?<![a-z])({'|'.join(_PARTS)})(?![a-z])")
_OF_THE_SYSTEM = ("__MACOSX", "Thumbs.db", "desktop.ini")
_KINDS_TOLD = 3
_LAYOUT = "a folder for each class with images in it, or train/ and test/ with such folders"


@dataclass(frozen=True)
class Listing:
    """Image files with their class, spelled, and, where the folder has train/ and test/, their part."""

    paths: list[Path]
    labels: list[str]
    parts: list[int] | None
    notes: tuple[str, ...]


def read_images(root: Path, config: DataConfig, seed: int, announce: Callable[[str], None]) -> Examples:
    """The chosen images of a folder, uint8 [N, height, width, 3], classes sorted by name.

    `data.classes` and `data.limit` are applied before anything is decoded. UsageError for a folder that has
    no class folders, one class, no images, or a broken image that `data.skip_bad_images` does not leave out.
    """
    size = _image_size(config)
    listing = list_images(root)
    classes = tuple(sorted(set(listing.labels)))
    if len(classes) < 2:
        raise UsageError(
            Fault(
                f"{root.name}: one class only, '{classes[0]}'",
                str(root),
                "two or more classes: " + _LAYOUT,
            )
        )
    number = {name: k for k, name in enumerate(classes)}
    paths = np.empty(len(listing.paths), dtype=object)
    paths[:] = listing.paths
    name = data_name(config, root.resolve())
    examples = Examples(
        name=name,
        family="classification",
        raw=paths,
        targets=np.array([number[label] for label in listing.labels], dtype=np.int64),
        inputs=None,
        describe=lambda classes, count: f"{name}: {count} images",
        classes=classes,
        given=None if listing.parts is None else np.array(listing.parts, dtype=np.int64),
        rows=np.arange(len(paths)),
        target="class",
        notes=listing.notes,
    )
    return _decoded(select(examples, config, seed), root, size, announce, skip_bad=config.skip_bad_images)


def _decoded(
    chosen: Examples, root: Path, size: tuple[int, int] | None, announce: Callable[[str], None], *, skip_bad: bool
) -> Examples:
    """The examples with pixels in the place of paths; without those that cannot be read, where they are skipped."""
    found = read_pictures(root, list(chosen.raw), size, announce, skip_bad=skip_bad)
    height, width = found.pixels.shape[1:3]
    skipped = {"skipped_images": len(found.skipped)} if found.skipped else {}
    return replace(
        chosen.take(found.places),
        raw=found.pixels,
        inputs=ImageInputs((height, width, 3), 1 / 255),
        describe=lambda classes, count: f"{chosen.name}: {count} images, {height}x{width}, of {_named(classes)}",
        notes=(*chosen.notes, *found.notes),
        facts={
            **chosen.facts,
            **skipped,
            "sha256": found.sha256,
            "image_size": [height, width],
        },
    )


def _named(classes: tuple[str, ...]) -> str:
    return " or ".join(classes) if len(classes) == 2 else f"{len(classes)} classes"


def _image_size(config: DataConfig) -> tuple[int, int] | None:
    """[height, width] of `data.image_size`; None where it is not given."""
    if config.image_size is None:
        return None
    size = config.image_size
    return (size, size) if isinstance(size, int) else (size[0], size[1])


@dataclass(frozen=True)
class _Seen:
    """What is in a folder, by name, but for what is hidden. lost: links to what is not there."""

    folders: list[Path]
    images: list[Path]
    others: list[Path]
    lost: list[Path]


def _seen(folder: Path) -> _Seen:
    with os.scandir(folder) as scan:
        entries = sorted((e for e in scan if not e.name.startswith((".", *_OF_THE_SYSTEM))), key=lambda e: e.name)
    files = [Path(e.path) for e in entries if e.is_file()]
    return _Seen(
        folders=[Path(e.path) for e in entries if e.is_dir()],
        images=[f for f in files if f.suffix.lower() in SUFFIXES],
        others=[f for f in files if f.suffix.lower() not in SUFFIXES],
        lost=[Path(e.path) for e in entries if e.is_symlink() and not os.path.exists(e.path)],
    )


def images_in(folder: Path) -> list[Path]:
    """The images of a folder itself, by name."""
    return _seen(folder).images


def notes_beside(folder: Path) -> tuple[str, ...]:
    """What there is in a folder beside its images, if anything."""
    others = _no_images([_seen(folder)])
    return (f"not used: {others} in {spelled(folder.name)}",) if others else ()


def _no_images(places: Sequence[_Seen]) -> str:
    """`6 files (.heic), 1 dangling link`: what there is beside images, the most frequent first; else nothing."""
    kinds = Counter(spelled(f.suffix.lower()) or "no ending" for place in places for f in place.others).most_common()
    told = [f"{counted(count, 'file')} ({kind})" for kind, count in kinds[:_KINDS_TOLD]]
    if rest := sum(count for _, count in kinds[_KINDS_TOLD:]):
        told.append(counted(rest, "other file"))
    if lost := sum(len(place.lost) for place in places):
        told.append(counted(lost, "dangling link"))
    return ", ".join(told)


def list_images(root: Path) -> Listing:
    """What is in the class folders of a folder. UsageError where there are none."""
    try:
        folders = _seen(root).folders
        parts = _parts(folders)
        if TRAIN not in parts.values():
            return _class_folders(root)
        return _part_folders(root, folders, parts)
    except OSError as error:
        raise UsageError(Fault(f"the folder cannot be read: {error.strerror}", str(error.filename or root))) from error


def part_in(name: str) -> int | None:
    """The part that a word in a folder's name says: `seg_train` has training images."""
    word = _PART_IN_A_NAME.search(name.lower())
    return _PARTS[word[1]] if word else None


def _parts(folders: list[Path]) -> dict[Path, int]:
    """The folders called train, test, ... that have class folders; where there is no train, those of one train and one
    of another part whose names differ in that word alone: seg_train and seg_test."""
    found = [f for f in folders if part_in(f.name) is not None and _place_of_classes(f) is not None]
    exact = {f: _PARTS[f.name.lower()] for f in found if f.name.lower() in _PARTS}
    if TRAIN in exact.values():
        return exact
    alike: dict[str, list[Path]] = {}
    for folder in found:
        alike.setdefault(_PART_IN_A_NAME.sub("*", folder.name.lower(), count=1), []).append(folder)
    named = [{f: part_in(f.name) for f in twins} for twins in alike.values() if len(twins) > 1]
    twins = [parts for parts in named if TRAIN in parts.values() and len(set(parts.values())) == len(parts)]
    return twins[0] if len(twins) == 1 else exact


def _place_of_classes(folder: Path) -> Path | None:
    """The folder, or the only one in it, that has folders with images; None where neither has."""
    seen = _seen(folder)
    if any(images_in(inner) for inner in seen.folders):
        return folder
    only = seen.folders[0] if len(seen.folders) == 1 else None
    return only if only is not None and any(images_in(inner) for inner in _seen(only).folders) else None


def _part_folders(root: Path, folders: list[Path], parts: dict[Path, int]) -> Listing:
    listings = [(part, _class_folders(_place_of_classes(folder))) for folder, part in parts.items()]
    trained = {label for part, listing in listings if part == TRAIN for label in listing.labels}
    unknown = sorted({label for _, listing in listings for label in listing.labels} - trained)
    if unknown:
        raise UsageError(
            Fault(
                f"{root.name}: no training images of class {', '.join(unknown[:5])}",
                str(root),
                "the same class folders in train/ as beside it",
            )
        )
    others = [spelled(f.name) for f in folders if f not in parts]
    named = {spelled(f.name): SPLITS[part] for f, part in parts.items() if f.name.lower() not in _PARTS}
    notes = [f"read as {part}: {name}" for name, part in named.items()]
    if others:
        notes.append(f"not used: the folder{'s' if len(others) > 1 else ''} {', '.join(others)}")
    return Listing(
        paths=[p for _, listing in listings for p in listing.paths],
        labels=[label for _, listing in listings for label in listing.labels],
        parts=[part for part, listing in listings for _ in listing.paths],
        notes=(*notes, *(note for _, listing in listings for note in listing.notes)),
    )


def _class_folders(root: Path) -> Listing:
    """The images in the class folders of a folder; UsageError that says what was seen where there are
    none."""
    top = _seen(root)
    classes = {folder: _seen(folder) for folder in top.folders}
    paths = [image for seen in classes.values() for image in seen.images]
    if not paths:
        _refuse(root, top, classes)
    labels = [spelled(folder.name) for folder, seen in classes.items() for _ in seen.images]
    empty = [spelled(folder.name) for folder, seen in classes.items() if not seen.images]
    notes = [f"without images: {root.name}/{name}" for name in empty]
    if others := _no_images(list(classes.values())):
        notes.append(f"not used: {others} in the class folders of {root.name}")
    if loose := len(top.images):
        notes.append(f"not used: {counted(loose, 'image')} beside the class folders of {root.name}")
    inner = [folder for seen in classes.values() if seen.images for folder in seen.folders]
    if nested := sum(len(images_in(folder)) for folder in inner):
        notes.append(f"not used: {counted(nested, 'image')} in folders inside the class folders of {root.name}")
    return Listing(paths, labels, None, tuple(notes))


def _refuse(root: Path, top: _Seen, classes: dict[Path, _Seen]) -> NoReturn:
    """Says what was seen in a folder without class folders, and where they seem to be."""
    remedy = None
    deeper = [f for f, seen in classes.items() if any(map(images_in, seen.folders)) or _parts(seen.folders)]
    if deeper:
        seen = f"the class folders seem to be one level down, in {deeper[0].name}"
        remedy = f"--data {shlex.quote(str(deeper[0]))}"
    elif top.images:
        seen = f"{counted(len(top.images), 'image')} in no class folder"
        remedy = "put the images of each class into a folder of its own; the folder's name is the class"
    elif classes:
        seen = f"{counted(len(classes), 'folder')} without images ({top.folders[0].name}{', ...' * (len(classes) > 1)})"
        seen += f", with {others}" if (others := _no_images(list(classes.values()))) else ""
        remedy = "images end in " + ", ".join(SUFFIXES[:6]) + ", ..."
    elif others := _no_images([top]):
        seen = f"only {others}"
        tables = [f for f in top.others if f.suffix.lower() in (".csv", ".tsv")]
        remedy = f"--data {shlex.quote(str(tables[0]))}" if tables else None
    else:
        seen = "the folder is empty"
    raise UsageError(Fault(f"{root.name} has no class folders with images: {seen}", str(root), _LAYOUT, remedy))
