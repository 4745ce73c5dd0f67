"""Training images changed at random: Keras's layers draw how, from explicit seeds, for each image on its own.

What is drawn for an image depends on the seed, the epoch and its place in the training data, not on its batch. Shifts
and rotations are drawn by Keras and made by one kernel of torch, which gives what Keras's own gives, twenty times
faster on a CPU.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import torch
import torch.nn.functional as F

from lossopt_cli.config.schema import AugmentConfig
from lossopt_cli.data.problem import ImageInputs, Problem
from lossopt_cli.errors import Fault, UsageError
from lossopt_cli.training.randomness import pure_randomness, sequence

FLIPS = {"horizontal": "horizontal", "vertical": "vertical", "both": "horizontal_and_vertical"}

# For each layer what it has drawn: tensors with a row for each image, and facts of all.
Drawn = list[Mapping[str, Any]]


@dataclass(frozen=True)
class Augmentation:
    """layers: of Keras, applied in this order to images in [0, 1] of this shape."""

    layers: tuple[keras.Layer, ...]
    shape: tuple[int, int, int]

    @classmethod
    def of(cls, config: AugmentConfig, problem: Problem) -> "Augmentation":
        """UsageError where the inputs are no images."""
        inputs = problem.inputs
        if not isinstance(inputs, ImageInputs):
            what = (
                f"train.augment changes images: {problem.name} is {'a table' if inputs.kind == 'table' else 'arrays'}"
            )
            raise UsageError(Fault(what, "train.augment", "images [height, width, channels]", "train.augment=null"))
        layers, made = keras.layers, []
        options = {"seed": 0, "dtype": "float32", "data_format": "channels_last"}  # the seed is never used
        with keras.device("cpu"):
            if config.flip:
                made.append(layers.RandomFlip(FLIPS[config.flip], name="flip", **options))
            if config.rotation:
                made.append(layers.RandomRotation(config.rotation / 360.0, name="rotation", **options))
            if config.crop:
                made.append(layers.RandomTranslation(config.crop, config.crop, name="crop", **options))
            if config.brightness:
                made.append(layers.RandomBrightness(config.brightness, (0.0, 1.0), name="brightness", **options))
        return cls(tuple(made), inputs.shape)

    def drawn(self, count: int, device: torch.device, name: str, *numbers: int) -> Drawn:
        """What each of so many images will go through, on the device: a function of the name and the numbers, on every
        device the same."""
        like, found = torch.empty(1, 1, 1, 1).expand(count, *self.shape), []
        seeds = sequence(name, *numbers).generate_state(len(self.layers))
        with keras.device("cpu"), pure_randomness():
            for layer, seed in zip(self.layers, seeds, strict=True):
                generator = keras.random.SeedGenerator(int(seed) % 2**31, name="augmentation")
                found.append(layer.get_random_transformation(like, training=True, seed=generator))
        return [{key: _on(value, device) for key, value in drawn.items()} for drawn in found]

    def applied(self, images: torch.Tensor, drawn: Drawn, rows: torch.Tensor) -> torch.Tensor:
        """These images, float32 in [0, 1], [n, height, width, channels], as the drawn rows change them. It may write
        over the images."""
        for layer, of_all in zip(self.layers, drawn, strict=True):
            own = {key: v.index_select(0, rows) if isinstance(v, torch.Tensor) else v for key, v in of_all.items()}
            if isinstance(layer, keras.layers.RandomRotation):
                images = resampled(images, own["rotation_matrix"])
            elif isinstance(layer, keras.layers.RandomTranslation):
                images = resampled(images, layer._get_translation_matrix(own["translations"]))
            else:
                images = layer.transform_images(images, own, training=True)
        return images


def resampled(images: torch.Tensor, matrices: torch.Tensor) -> torch.Tensor:
    """out[y, x] = in[b0 x + b1 y + b2, a0 x + a1 y + a2] of each image, for matrices of (a0, a1, a2, b0, b1, b2, ...);
    between pixels bilinear, mirrored beyond the edges.

    Keras's `affine_transform` with `reflect`, which keeps the index of every channel of every pixel and takes 15 ms for
    an image of 96x96."""
    _, height, width, _ = images.shape
    a0, a1, a2, b0, b1, b2, *_ = matrices[:, :, None, None].unbind(1)
    y = torch.arange(height, device=images.device)[:, None]
    x = torch.arange(width, device=images.device)[None, :]
    across, down = a0 * x + a1 * y + a2, b0 * x + b1 * y + b2
    places = torch.stack([(2.0 * across + 1.0) / width - 1.0, (2.0 * down + 1.0) / height - 1.0], dim=-1)
    moved = F.grid_sample(images.permute(0, 3, 1, 2), places, padding_mode="reflection", align_corners=False)
    return moved.permute(0, 2, 3, 1)


def _on(value: Any, device: torch.device) -> Any:
    return value.to(device) if isinstance(value, torch.Tensor) else value
