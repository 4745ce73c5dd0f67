"""Backbones with weights that no training made, but whose features differ from image to image as a trained one's do."""

from pathlib import Path

import h5py
import keras
import numpy as np
import torch
from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group
from PIL import Image

from lossopt_cli.catalogue.backbones import backbone_named
from lossopt_cli.config.resolving import resolve
from lossopt_cli.config.schema import Config
from lossopt_cli.data import cache
from lossopt_cli.data.problem import Problem
from lossopt_cli.data.trial import load_trial
from lossopt_cli.training.transfer.backbone import Backbone
from lossopt_cli.training.transfer.features import KIND, unheard

SIDE = 32
CALIBRATION = 32  # images
LEAST = 0.05  # of the mean variance
DEEP = 5e-4  # what rounding grows to in a hundred layers, in Keras's forward as in ours


def backbone_of(name: str, weights: str = "none", side: int = SIDE, channels: int = 3, **changes) -> Backbone:
    settings = {"scale": "auto", "pooling": "average", **changes}
    return Backbone(backbone_named(name), weights, shape=(side, side, channels), **settings)


def images_of(side: int, count: int = 3, channels: int = 3) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(1).random((count, side, side, channels), dtype=np.float32))


def furthest(found: torch.Tensor, wanted: torch.Tensor) -> float:
    """The largest difference over the largest value."""
    return float((found - wanted).abs().max() / wanted.abs().max())


def calibrated(model: keras.Model, seed: int = 0) -> keras.Model:
    """The backbone with batch norms that have seen images: without, random networks give next to nothing. Channels that
    hardly vary are not blown up, so that rounding is not either."""
    generator = np.random.default_rng(seed)
    place, network = next((k, layer) for k, layer in enumerate(model.layers) if isinstance(layer, keras.Model))
    norms = [layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)]
    for layer in norms:
        layer.trainable, layer.momentum = True, 0.0
    images = generator.random((CALIBRATION, *model.input_shape[1:]), dtype=np.float32)
    with torch.no_grad():
        network(keras.Model(model.inputs, model.layers[place - 1].output)([images]), training=True)
    for layer in norms:
        layer.trainable = False
        variance = layer.moving_variance.value.detach()
        layer.moving_variance.assign(variance + LEAST * variance.mean())
    return model


def write_weights(path: Path, name: str = "MobileNetV2", side: int = SIDE, seed: int = 0) -> Path:
    """A file of weights as `model.weights` takes it."""
    model = calibrated(backbone_of(name, side=side).build(), seed)
    next(layer for layer in model.layers if isinstance(layer, keras.Model)).save_weights(path)
    return path


def write_as_theirs(file: Path, name: str, seed: int = 0) -> Path:
    """A file of weights in the format of those that Keras downloads."""
    model = calibrated(backbone_of(name).build(), seed)
    with h5py.File(file, "w") as group:
        save_weights_to_hdf5_group(group, next(layer for layer in model.layers if isinstance(layer, keras.Model)))
    return file


def write_images(folder: Path, count: int = 60, side: int = 40, seed: int = 0) -> Path:
    """Class folders of pictures that differ in colour, more than in noise."""
    generator = np.random.default_rng(seed)
    for number in range(count):
        kind = number % 3
        pixels = generator.integers(0, 120, (side, side, 3))
        pixels[:, :, kind] += 90
        place = folder / ["red", "green", "blue"][kind]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(place / f"{number:04d}.png")
    return folder


def resolved_of(pictures: Path, weights: Path | str, *sets: str, **flags):
    given = {"data": str(pictures), "model": "transfer", "batch_size": 8, "optimizer": "sgd", **flags}
    usual = {"data.image_size": str(SIDE), "model.weights": str(weights)}
    said = usual | dict(text.split("=", 1) for text in sets)
    return resolve(None, {}, given, [f"{key}={value}" for key, value in said.items()])


def loaded(pictures: Path, weights: Path | str, *sets: str) -> tuple[Config, Problem]:
    trial, problem = load_trial(resolved_of(pictures, weights, *sets), unheard)
    return trial.config, problem


def kept_keys() -> set[str]:
    return {entry.key for entry in cache.entries() if entry.kind == KIND}
