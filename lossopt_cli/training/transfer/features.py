"""The features of a frozen backbone in the place of images: made once, kept in the cache, trained on ever after."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import torch

from lossopt_cli.catalogue.backbones import is_file
from lossopt_cli.catalogue.wording import counted
from lossopt_cli.config.schema import AugmentConfig, Config
from lossopt_cli.config.stages import has_backbone, is_slow, second_stage
from lossopt_cli.data import cache
from lossopt_cli.data.problem import SPLITS, FeatureInputs, ImageInputs, Problem
from lossopt_cli.data.rows import Rows, mapped, write_array
from lossopt_cli.runs.fingerprint import canonical
from lossopt_cli.training.augmentation import Augmentation
from lossopt_cli.training.transfer.backbone import Backbone
from lossopt_cli.training.transfer.extraction import Change, Extraction, telling

KIND = "features"
SCHEME = 1  # raise it when the same key begins to mean other numbers
FEATURES, NOTE = "features.npy", "note.txt"
HASHED_BYTES = 16 << 20  # at a time

Images = np.ndarray | Rows


@dataclass(frozen=True)
class Gathered:
    """The images of a problem, each once. places: of the examples of each split among them, in the order of pieces."""

    pieces: tuple[Images, ...]
    places: tuple[np.ndarray, ...]

    def __len__(self) -> int:
        return sum(map(len, self.pieces))


def featured(config: Config, problem: Problem, device: torch.device, announce: Callable[[str], None]) -> Problem:
    """The problem with the features of its images in their place, where the config's model is a frozen backbone; else
    the problem itself. They are taken from the cache, or made on the device and put there. So are the views of the
    training images, where augmentation makes such.

    announce: told what goes through which backbone, and how far it is. UsageError for images that the backbone cannot
    read; RunError where its weights cannot be had.
    """
    if not has_backbone(config) or not isinstance(problem.inputs, ImageInputs):
        return problem
    augment, stage = config.train.augment, second_stage(config)
    epochs = config.train.epochs if stage is None else stage.after
    if is_slow(config):
        announce(f"new changes of the images at every step: {counted(epochs, 'slow pass')} through the backbone")
        return problem
    backbone = Backbone.of(config.model.settings, problem.inputs, config.train.precision)
    whole = Pass(backbone, problem.inputs, gathered_of(problem, SPLITS), device)
    features, note = whole.features(problem.name, announce)
    fed = on_features(problem, features, whole.gathered, note)
    if augment is None:
        return fed
    count = min(augment.views, epochs)
    announce(
        f"{counted(count, 'changed view')} of each training image, made once, taking turns by epoch; "
        "train.augment.views=0 makes new ones at every step, and every batch goes through the backbone"
    )
    seen = replace(whole, gathered=gathered_of(problem, ("train",)))
    changes = Augmentation.of(augment, problem)
    views = tuple(
        replace(seen, change=View(augment, changes, number)).rows(problem.name, announce) for number in range(count)
    )
    return replace(fed, train=replace(fed.train, views=views))


@dataclass(frozen=True)
class View:
    """How images are changed on their way: the same for every training seed, so that they go through once."""

    config: AugmentConfig
    changes: Augmentation
    number: int

    @property
    def identity(self) -> dict[str, Any]:
        return {**self.config.model_dump(exclude={"views"}), "number": self.number}

    def of(self, count: int, device: torch.device) -> Change:
        """For so many images in their order."""
        drawn = self.changes.drawn(count, device, "view", self.number)

        def changed(first: int, images: torch.Tensor) -> torch.Tensor:
            rows = torch.arange(first, first + len(images), device=images.device)
            return self.changes.applied(images, drawn, rows)

        return changed


@dataclass(frozen=True)
class Pass:
    """Images on their way through a backbone, once. change: what happens to them before, None for nothing."""

    backbone: Backbone
    images: ImageInputs
    gathered: Gathered
    device: torch.device
    change: View | None = None

    @property
    def key(self) -> str:
        """Of all that the features are a function of: weights, preprocessing, size, the pixels themselves, and how they
        are changed."""
        known = {"scheme": SCHEME, **self.backbone.identity(), "white": self.images.scale}
        known |= {"images": _content(self.gathered.pieces)}
        known |= {} if self.change is None else {"change": self.change.identity}
        return hashlib.sha256(canonical(known).encode()).hexdigest()[:32]

    def folder(self, name: str, announce: Callable[[str], None]) -> Path:
        """The entry of the cache that has the features, made where it is not there. name: of the data."""
        count, key = counted(len(self.gathered), "image"), self.key
        what, view = self.backbone.in_words, "" if self.change is None else f"view {self.change.number + 1}"
        if (folder := cache.found(KIND, key)) is not None:
            announce(f"{view}, from the cache" if view else f"of {count} by {what}, from the cache: {folder}")
            return folder
        announce(f"{view} of {count}" if view else f"{count} go once through {what}")
        about = {"what": f"features of {count} by {what}", "from": name, **self.backbone.identity()}
        about |= {} if self.change is None else {"augment": self.change.identity}
        folder = cache.entry(KIND, key, about, partial(self._make, announce), announce)
        if not view:
            announce(f"kept for every later run: {folder}")
        return folder

    def features(self, name: str, announce: Callable[[str], None]) -> tuple[np.ndarray, str]:
        """The features, and what there is to say of the way they were made: from the cache, or in memory for this run
        alone where the cache cannot be written to. name: of the data."""
        try:
            folder = self.folder(name, announce)
        except cache.CacheUnavailable as error:
            announce(f"{error.faults[0].what}; the features stay in memory ({error.faults[0].remedy})")
            extraction, _, chunks = self._begun(announce)
            return np.concatenate(list(chunks)), extraction.note
        return mapped(folder / FEATURES), _note(folder)

    def rows(self, name: str, announce: Callable[[str], None]) -> Rows:
        """The features of the first split that was gathered."""
        return Rows(self.features(name, announce)[0], self.gathered.places[0])

    def _make(self, announce: Callable[[str], None], folder: Path) -> None:
        extraction, shape, chunks = self._begun(announce)
        write_array(folder / FEATURES, np.float32, shape, chunks)
        if extraction.note:
            (folder / NOTE).write_text(extraction.note, encoding="utf-8")

    def _begun(self, announce: Callable[[str], None]) -> tuple[Extraction, tuple[int, ...], Iterator[np.ndarray]]:
        """How the images go through, the shape of their features, and these, chunk by chunk, as they are made."""
        model, pieces = self.backbone.build(), self.gathered.pieces
        extraction = extraction_of(model, self.backbone.precision, self.images, pieces, self.device)
        change = None if self.change is None else self.change.of(len(self.gathered), self.device)
        chunks = extraction.features(pieces, self.images.scale, telling(self.backbone.row, announce), change)
        return extraction, (len(self.gathered), *model.output_shape[1:]), chunks


def featured_split(
    backbone: keras.Model,
    config: Config,
    problem: Problem,
    split: str,
    device: torch.device,
    told: Callable[[int, int], None],
) -> Problem:
    """The problem with the features of one split in the place of its images: from the cache where they are there, else
    made by the backbone of a trained model and not kept. told: (images done, of all)."""
    images, part = problem.inputs, problem.split(split)
    assert isinstance(images, ImageInputs)
    if (kept := _kept(config, problem)) is not None:
        return kept
    extraction = extraction_of(backbone, config.train.precision, images, [part.inputs], device)
    made = np.concatenate(list(extraction.features([part.inputs], images.scale, told)))
    inputs = FeatureInputs(made.shape[1:], images, extraction.note)
    return replace(problem, inputs=inputs, **{split: replace(part, inputs=made)})


def _kept(config: Config, problem: Problem) -> Problem | None:
    """The problem on features that are in the cache; None where they are not."""
    backbone = Backbone.of(config.model.settings, problem.inputs, config.train.precision)
    if is_file(backbone.weights) and not Path(backbone.weights).is_file():
        return None
    whole = Pass(backbone, problem.inputs, gathered_of(problem, SPLITS), torch.device("cpu"))
    folder = cache.found(KIND, whole.key)
    return None if folder is None else on_features(problem, mapped(folder / FEATURES), whole.gathered, _note(folder))


def unheard(text: str) -> None:
    """The listener of what nobody hears."""


def gathered_of(problem: Problem, splits: Sequence[str]) -> Gathered:
    """Rows of one shared array in the order of that array, arrays of their own one after the other."""
    inputs = [problem.split(name).inputs for name in splits]
    if all(isinstance(part, Rows) and part.array is inputs[0].array for part in inputs):
        used = np.unique(np.concatenate([part.rows for part in inputs]))
        places = tuple(np.searchsorted(used, part.rows) for part in inputs)
        return Gathered((Rows(inputs[0].array, used, inputs[0].digests),), places)
    ends = np.cumsum([0, *map(len, inputs)])
    places = tuple(np.arange(first, first + len(part)) for first, part in zip(ends[:-1], inputs, strict=True))
    return Gathered(tuple(inputs), places)


def on_features(problem: Problem, features: np.ndarray, gathered: Gathered, note: str) -> Problem:
    """The problem whose examples are these rows of features."""
    digests = None
    if len(gathered.pieces) == 1 and (own := gathered.pieces[0]).digests is not None:
        digests = own.digests[own.rows]
    splits = {
        name: replace(problem.split(name), inputs=Rows(features, places, digests))
        for name, places in zip(SPLITS, gathered.places, strict=True)
    }
    return replace(problem, inputs=FeatureInputs(features.shape[1:], problem.inputs, note), **splits)


def extraction_of(
    model: keras.Model, precision: str, images: ImageInputs, pieces: Sequence[Images], device: torch.device
) -> Extraction:
    """How these images go through the model."""
    first = next(piece for piece in pieces if len(piece))
    sample = torch.from_numpy(np.array(first[:2])).to(torch.float32).mul_(images.scale)
    return Extraction.of(model, device, precision, sample)


def _note(folder: Path) -> str:
    return (folder / NOTE).read_text(encoding="utf-8") if (folder / NOTE).exists() else ""


def _content(pieces: Sequence[Images]) -> str:
    """Of the pixels, in order: by their digests where they have them."""
    whole = hashlib.sha256()
    for piece in pieces:
        whole.update(canonical([str(piece.dtype), list(piece.shape)]).encode())
        if isinstance(piece, Rows) and piece.digests is not None:
            whole.update(np.ascontiguousarray(piece.digests[piece.rows]).data)
            continue
        size = max(1, HASHED_BYTES // max(1, int(np.prod(piece.shape[1:])) * piece.dtype.itemsize))
        for first in range(0, len(piece), size):
            whole.update(np.ascontiguousarray(piece[first : first + size]).data)
    return whole.hexdigest()
