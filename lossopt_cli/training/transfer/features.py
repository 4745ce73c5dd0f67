"""The features of a frozen backbone in the place of images: made once, kept in the cache, trained on ever after."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import torch

from lossopt_cli.catalogue.backbones import is_file
from lossopt_cli.catalogue.wording import counted
from lossopt_cli.config.schema import Config
from lossopt_cli.data import cache
from lossopt_cli.data.problem import SPLITS, FeatureInputs, ImageInputs, Problem
from lossopt_cli.data.rows import Rows, mapped, write_array
from lossopt_cli.runs.fingerprint import canonical
from lossopt_cli.training.transfer.backbone import Backbone
from lossopt_cli.training.transfer.extraction import Extraction, telling

KIND, MODEL = "features", "transfer"
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


def is_frozen(config: Config) -> bool:
    """Whether a backbone that is not trained stands before the head, so that its features can be made beforehand."""
    return config.model is not None and config.model.name == MODEL


def featured(config: Config, problem: Problem, device: torch.device, announce: Callable[[str], None]) -> Problem:
    """The problem with the features of its images in their place, where the config's model is a frozen backbone; else
    the problem itself. They are taken from the cache, or made on the device and put there.

    announce: told what goes through which backbone, and how far it is. UsageError for images that the backbone cannot
    read; RunError where its weights cannot be had.
    """
    if not is_frozen(config) or not isinstance(problem.inputs, ImageInputs):
        return problem
    backbone = Backbone.of(config.model.settings, problem.inputs, config.train.precision)
    gathered = gathered_of(problem)
    key = key_of(backbone, problem.inputs, gathered)
    folder = cache.found(KIND, key)
    if folder is not None:
        announce(f"of {counted(len(gathered), 'image')} by {backbone.in_words}, from the cache: {folder}")
    else:
        announce(f"{counted(len(gathered), 'image')} go once through {backbone.in_words}")
        make = _maker(backbone, problem.inputs, gathered, device, announce)
        folder = cache.entry(KIND, key, _about(backbone, problem, gathered), make, announce)
        announce(f"kept for every later run: {folder}")
    return on_features(problem, mapped(folder / FEATURES), gathered, _note(folder))


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
    backbone, gathered = (
        Backbone.of(config.model.settings, problem.inputs, config.train.precision),
        gathered_of(problem),
    )
    if is_file(backbone.weights) and not Path(backbone.weights).is_file():
        return None
    folder = cache.found(KIND, key_of(backbone, problem.inputs, gathered))
    return None if folder is None else on_features(problem, mapped(folder / FEATURES), gathered, _note(folder))


def unheard(text: str) -> None:
    """The listener of what nobody hears."""


def key_of(backbone: Backbone, images: ImageInputs, gathered: Gathered) -> str:
    """Of all that the features are a function of: weights, preprocessing, size and the pixels themselves."""
    known = {"scheme": SCHEME, **backbone.identity(), "white": images.scale, "images": _content(gathered.pieces)}
    return hashlib.sha256(canonical(known).encode()).hexdigest()[:32]


def gathered_of(problem: Problem) -> Gathered:
    """Rows of one shared array in the order of that array, arrays of their own one after the other."""
    inputs = [problem.split(name).inputs for name in SPLITS]
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


def _maker(
    backbone: Backbone, images: ImageInputs, gathered: Gathered, device: torch.device, announce: Callable[[str], None]
) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        model = backbone.build()
        extraction = extraction_of(model, backbone.precision, images, gathered.pieces, device)
        told = telling(backbone.row, announce)
        chunks = extraction.features(gathered.pieces, images.scale, told)
        shape = (len(gathered), *model.output_shape[1:])
        write_array(folder / FEATURES, np.float32, shape, chunks)
        if extraction.note:
            (folder / NOTE).write_text(extraction.note, encoding="utf-8")

    return make


def extraction_of(
    model: keras.Model, precision: str, images: ImageInputs, pieces: Sequence[Images], device: torch.device
) -> Extraction:
    """How these images go through the model."""
    first = next(piece for piece in pieces if len(piece))
    sample = torch.from_numpy(np.array(first[:2])).to(torch.float32).mul_(images.scale)
    return Extraction.of(model, device, precision, sample)


def _about(backbone: Backbone, problem: Problem, gathered: Gathered) -> dict[str, Any]:
    return {
        "what": f"features of {counted(len(gathered), 'image')} by {backbone.in_words}",
        "from": problem.name,
        **backbone.identity(),
    }


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
