"""The features of a frozen backbone in the place of images: made once, kept in the cache, trained on ever after.

<cache folder>/features/<key>/features.npy    float32 [N, ...], in the order of the images that were gathered
<cache folder>/features/<key>/made.json       note, what there is to say of the way; weights, the digest of those that
                                              made them; file and sha256, ImageNet's weights as Keras has them, or null
"""

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
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
from lossopt_cli.errors import Fault
from lossopt_cli.runs.fingerprint import canonical, file_hash
from lossopt_cli.training.augmentation import Augmentation
from lossopt_cli.training.transfer.backbone import Backbone
from lossopt_cli.training.transfer.extraction import Change, Extraction, telling
from lossopt_cli.training.transfer.gathering import Gathered, Images, gathered_of, on_features
from lossopt_cli.training.transfer.pixels import check_pixels, images_of

KIND = "features"
SCHEME = 2  # raise it when the same key begins to mean other numbers
FEATURES, MADE = "features.npy", "made.json"
# What is raised of an entry that a disk, or a hand, has damaged.
DAMAGED = (OSError, ValueError, EOFError, KeyError, TypeError)


def featured(config: Config, problem: Problem, device: torch.device, announce: Callable[[str], None]) -> Problem:
    """The problem with the features of its images in their place, where the config's model is a frozen backbone; else
    the problem itself. They are taken from the cache, or made on the device and put there. So are the views of the
    training images, where augmentation makes such.

    announce: told what goes through which backbone, and how far it is. UsageError for images that the backbone cannot
    read, or that are in another range than they are taken to be; RunError where its weights cannot be had.
    """
    if not has_backbone(config) or (images := images_of(problem)) is None:
        return problem
    check_pixels(config.model.settings, problem)
    augment, stage = config.train.augment, second_stage(config)
    epochs = config.train.epochs if stage is None else stage.after
    if is_slow(config):
        announce(f"new changes of the images at every step: {counted(epochs, 'slow pass')} through the backbone")
        return problem
    backbone = Backbone.of(config.model.settings, images, config.train.precision)
    whole = Pass(backbone, images, gathered_of(problem, SPLITS), device)
    features, note = whole.features(problem.name, announce)
    fed = on_features(problem, images, features, whole.gathered, note)
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
class Kept:
    """An entry of the cache, with what MADE says of it."""

    folder: Path
    features: np.ndarray
    note: str
    weights: str


@dataclass(frozen=True)
class Pass:
    """Images on their way through a backbone, once. change: what happens to them before, None for nothing."""

    backbone: Backbone
    images: ImageInputs
    gathered: Gathered
    device: torch.device
    change: View | None = None

    @cached_property
    def key(self) -> str:
        """Of all that the features are a function of: weights, preprocessing, size, the pixels themselves, how they are
        changed, and the kind of device, which rounds in its own way. ImageNet's weights are in it by that name."""
        known = {"scheme": SCHEME, **self.backbone.identity(), "white": self.images.scale, "device": self.device.type}
        known |= {"images": self.gathered.content}
        known |= {} if self.change is None else {"change": self.change.identity}
        return hashlib.sha256(canonical(known).encode()).hexdigest()[:32]

    def kept(self) -> Kept | None:
        """What the cache has; None where it has nothing. An entry that is damaged, or whose ImageNet weights are not
        those that Keras has now, is deleted and counts as nothing."""
        if (folder := cache.found(KIND, self.key)) is None:
            return None
        with contextlib.suppress(*DAMAGED):
            made = json.loads((folder / MADE).read_text(encoding="utf-8"))
            found = Kept(folder, mapped(folder / FEATURES), made["note"], made["weights"])
            if len(found.features) == len(self.gathered) and made["sha256"] == _hash_now(made["file"], made["sha256"]):
                return found
        with contextlib.suppress(cache.CacheUnavailable):
            cache.clear((KIND,), (self.key,))
        return None

    def features(self, name: str, announce: Callable[[str], None]) -> tuple[np.ndarray, str]:
        """The features, and what there is to say of the way they were made: from the cache, where they are put if they
        are not there, or in memory for this run alone where it cannot be written to. name: of the data."""
        try:
            kept = self.kept()
            if kept is None:
                kept = self._entered(name, announce)
            else:
                self._announce_kept(kept.folder, announce)
            return kept.features, kept.note
        except cache.CacheUnavailable as error:
            announce(f"{error.faults[0].what}; the features stay in memory ({error.faults[0].remedy})")
            shape, chunks, made = self._begun(announce)
            return _filled(shape, chunks), made["note"]

    def rows(self, name: str, announce: Callable[[str], None]) -> Rows:
        """The features of the first split that was gathered."""
        return Rows(self.features(name, announce)[0], self.gathered.places[0])

    @property
    def _count(self) -> str:
        return counted(len(self.gathered), "image")

    @property
    def _view(self) -> str:
        return "" if self.change is None else f"view {self.change.number + 1}"

    def _announce_kept(self, folder: Path, announce: Callable[[str], None]) -> None:
        of_all = f"of {self._count} by {self.backbone.in_words}, from the cache: {folder}"
        announce(f"{self._view}, from the cache" if self._view else of_all)

    def _entered(self, name: str, announce: Callable[[str], None]) -> Kept:
        """The features as they are put into the cache now, or were by another process a moment ago."""
        what = self.backbone.in_words
        announce(f"{self._view} of {self._count}" if self._view else f"{self._count} go once through {what}")
        about = {"what": f"features of {self._count} by {what}", "from": name, **self.backbone.identity()}
        about |= {"device": self.device.type} | ({} if self.change is None else {"augment": self.change.identity})
        folder = cache.entry(KIND, self.key, about, partial(self._make, announce), announce)
        if (kept := self.kept()) is None:
            what, remedy = "the cache does not keep what is put into it", f"another place: {cache.FOLDER}=FOLDER"
            raise cache.CacheUnavailable(Fault(what, str(folder), remedy=remedy))
        if not self._view:
            announce(f"kept for every later run: {folder}")
        return kept

    def _make(self, announce: Callable[[str], None], folder: Path) -> None:
        shape, chunks, made = self._begun(announce)
        write_array(folder / FEATURES, np.float32, shape, chunks)
        (folder / MADE).write_text(json.dumps(made), encoding="utf-8")

    def _begun(self, announce: Callable[[str], None]) -> tuple[tuple[int, ...], Iterator[np.ndarray], dict[str, Any]]:
        """The shape of the features, these, chunk by chunk, as they are made, and what MADE has."""
        (model, file), pieces = self.backbone.built(), self.gathered.pieces
        extraction = extraction_of(model, self.backbone.precision, self.images, pieces, self.device)
        change = None if self.change is None else self.change.of(len(self.gathered), self.device)
        chunks = extraction.features(pieces, self.images.scale, telling(self.backbone.row, announce), change)
        made = {"note": extraction.note, "weights": _digest(model)}
        made |= {"file": file and str(file), "sha256": file and file_hash(file)}
        return (len(self.gathered), *model.output_shape[1:]), chunks, made


def featured_split(
    backbone: keras.Model,
    config: Config,
    problem: Problem,
    split: str,
    device: torch.device,
    told: Callable[[int, int], None],
) -> Problem:
    """The problem with the features of one split in the place of its images: from the cache where it has those of the
    same weights, else made by the backbone of a trained model and not kept. told: (images done, of all)."""
    images = images_of(problem)
    assert images is not None
    part, known = problem.split(split), Backbone.of(config.model.settings, images, config.train.precision)
    if not is_file(known.weights) or Path(known.weights).is_file():
        whole = Pass(known, images, gathered_of(problem, SPLITS), device)
        if (kept := whole.kept()) is not None and kept.weights == _digest(backbone):
            return on_features(problem, images, kept.features, whole.gathered, kept.note)
    extraction = extraction_of(backbone, config.train.precision, images, [part.inputs], device)
    shape = (len(part), *backbone.output_shape[1:])
    made = _filled(shape, extraction.features([part.inputs], images.scale, told))
    inputs = FeatureInputs(shape[1:], images, extraction.note)
    return replace(problem, inputs=inputs, **{split: replace(part, inputs=made)})


def unheard(text: str) -> None:
    """The listener of what nobody hears."""


def extraction_of(
    model: keras.Model, precision: str, images: ImageInputs, pieces: Sequence[Images], device: torch.device
) -> Extraction:
    """How these images go through the model."""
    first = next(piece for piece in pieces if len(piece))
    sample = torch.from_numpy(np.array(first[:2])).to(torch.float32).mul_(images.scale)
    return Extraction.of(model, device, precision, sample)


def _filled(shape: tuple[int, ...], chunks: Iterable[np.ndarray]) -> np.ndarray:
    """float32 of this shape, of chunks in order, which are in memory one at a time."""
    whole, rows = np.empty(shape, np.float32), 0
    for chunk in chunks:
        whole[rows : rows + len(chunk)] = chunk
        rows += len(chunk)
    assert rows == len(whole), (rows, shape)
    return whole


def _digest(model: keras.Model) -> str:
    """sha256 of the weights, in order."""
    whole = hashlib.sha256()
    for variable in model.weights:
        whole.update(np.ascontiguousarray(keras.ops.convert_to_numpy(variable)).data)
    return whole.hexdigest()


def _hash_now(file: str | None, before: str | None) -> str | None:
    """sha256 of a file; what it was before where the file is gone, of which nobody can tell."""
    return before if file is None or not Path(file).is_file() else file_hash(Path(file))
