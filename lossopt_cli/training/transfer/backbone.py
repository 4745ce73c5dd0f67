"""The backbone of a transfer model: a network of keras.applications that is not trained, as a Keras model."""

import contextlib
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras
import torch
from keras.src.backend.common import global_state

from lossopt_cli.catalogue.backbones import BackboneRow, backbone_named, is_file
from lossopt_cli.catalogue.wording import counted
from lossopt_cli.data.problem import ImageInputs
from lossopt_cli.errors import Fault, UsageError
from lossopt_cli.runs.fingerprint import file_hash
from lossopt_cli.training.randomness import seeded
from lossopt_cli.training.transfer.pixels import over_roots, preprocessed
from lossopt_cli.training.transfer.weights import Download, load

POOLING = {
    "average": keras.layers.GlobalAveragePooling2D,
    "max": keras.layers.GlobalMaxPooling2D,
    "flatten": keras.layers.Flatten,
}
BACKBONE = "backbone"  # the layer of a transfer model
NAMES = "object_name_uids"  # of the global state of Keras: how often each name was given


@dataclass(frozen=True)
class Backbone:
    """Images in [0, 1], [N, height, width, channels], to features [N, ...]. weights: imagenet, none (random, always the
    same) or a file of Keras. scale: `auto` gives the network the pixels that it was trained on, `unit` those in [0, 1].
    """

    row: BackboneRow
    weights: str
    scale: str
    pooling: str
    shape: tuple[int, int, int]
    precision: str = "float32"

    @classmethod
    def of(cls, settings: Mapping[str, Any], images: ImageInputs, precision: str) -> "Backbone":
        """By the settings of `transfer`. UsageError where such images cannot be its inputs."""
        row = backbone_named(settings["backbone"], "model.backbone")
        made = cls(row, settings["weights"], settings["scale"], settings["pooling"], images.shape, precision)
        height, width, channels = images.shape
        if min(height, width) < row.least:
            what = f"images of {height}x{width} are too small for {row.name}"
            remedy = f"--model minicnn; or, for images of a folder, data.image_size={row.size} enlarges them"
            raise UsageError(Fault(what, "model.backbone", f"at least {row.least}x{row.least} pixels", remedy))
        if channels not in (1, 3):
            what = f"{row.name} cannot read images of {channels} channels"
            raise UsageError(Fault(what, "model.backbone", "grey or red, green, blue"))
        return made

    def build(self) -> keras.Model:
        """The network with its preprocessing and pooling, not trainable. Unobtainable where its weights cannot be had,
        UsageError where their file is of another network."""
        return self.built()[0]

    def built(self) -> tuple[keras.Model, Path | None]:
        """What `build` gives, and the file of ImageNet's weights that Keras has; None for other weights."""
        height, width, channels = self.shape
        with _as_built_alone(self.precision), seeded("backbone"), keras.device("cpu"):
            inputs = keras.Input(self.shape, dtype="float32", name="images")
            colours = inputs
            if channels == 1:
                colours = keras.layers.Concatenate(dtype="float32", name="grey_as_colours")([inputs] * 3)
            pixels = colours if self.scale == "unit" else preprocessed(self.row.pixels, colours)
            network, file = self._application((height, width, 3))
            pooling = POOLING[self.pooling](data_format="channels_last", name="pooling")
            model = keras.Model(inputs, pooling(network(pixels, training=False)), name=BACKBONE)
        model.trainable = False
        return model, file

    def identity(self) -> dict[str, Any]:
        """What its numbers are a function of, beside the images. UsageError where the file of weights is not there."""
        known = {"name": self.row.name, "scale": self.scale, "pooling": self.pooling, "shape": list(self.shape)}
        versions = [keras.__version__, torch.__version__] if self.weights == "none" else None
        weights = file_hash(Path(self.weights)) if is_file(self.weights) else self.weights
        return known | {"weights": weights, "versions": versions, "precision": self.precision}

    @property
    def in_words(self) -> str:
        """`MobileNetV2 (2.3 million weights, ImageNet's) at 224x224`."""
        whose = {"imagenet": "ImageNet's", "none": "random"}.get(self.weights) or f"of {Path(self.weights).name}"
        height, width, _ = self.shape
        return f"{self.row.name} ({self.row.millions:g} million weights, {whose}) at {height}x{width}"

    def _application(self, shape: tuple[int, int, int]) -> tuple[keras.Model, Path | None]:
        """The same network whatever its weights, so that those that a run has kept can be put into any of them."""
        make = partial(getattr(keras.applications, self.row.name), include_top=False, input_shape=shape)
        if self.weights == "imagenet":
            with Download(self.row.name) as download, warnings.catch_warnings():
                # MobileNets have their weights for a few sizes, and say so where they take those of another
                warnings.filterwarnings("ignore", "`input_shape` is undefined or non-square")
                return make(weights="imagenet"), download.file
        network = make(weights=None)
        if self.row.over_roots:
            network = over_roots(network)
        if is_file(self.weights):
            load(network, self.weights, self.row.name)
        return network, None


def unfreeze(backbone: keras.Model, count: int, name: str) -> None:
    """Makes the top layers of the network trainable. Its batch norms stay as they are: they run in inference mode, and
    statistics of a few small batches would undo what the others have learned (Keras's guide to transfer learning).

    UsageError where there are not so many layers, or none of them has weights."""
    network = next(layer for layer in backbone.layers if isinstance(layer, keras.Model))
    layers = network.layers
    if count > len(layers):
        what = f"{name} has {len(layers)} layers: {count} of them cannot be unfrozen"
        raise UsageError(Fault(what, "model.unfreeze", f"at most {len(layers)}"))
    backbone.trainable = True
    for place, layer in enumerate(layers):
        is_top = place >= len(layers) - count
        layer.trainable = is_top and not isinstance(layer, keras.layers.BatchNormalization)
    if not backbone.trainable_variables:
        norms = keras.layers.BatchNormalization
        places = [k for k, layer in enumerate(layers) if layer.variables and not isinstance(layer, norms)]
        what = f"no weights that could train are in the top {counted(count, 'layer')} of {name}"
        raise UsageError(Fault(what, "model.unfreeze", f"at least {len(layers) - places[-1]}"))


def places_of_head(model: keras.Model) -> list[int]:
    """Which of the variables beside the weights are those of what stands behind the backbone, in the order of a head
    alone."""
    of_backbone = {id(v) for layer in model.layers if layer.name == BACKBONE for v in layer.variables}
    return [place for place, v in enumerate(model.non_trainable_variables) if id(v) not in of_backbone]


def apart(core: keras.Model) -> tuple[keras.Model, keras.Model]:
    """The backbone of a transfer model, and what stands behind it as a model of features; they share its variables."""
    place = next(place for place, layer in enumerate(core.layers) if layer.name == BACKBONE)
    backbone = core.layers[place]
    inputs = outputs = keras.Input(backbone.output_shape[1:], dtype="float32", name="features")
    for layer in core.layers[place + 1 :]:
        outputs = layer(outputs)
    return backbone, keras.Model(inputs, outputs, name="head")


@contextlib.contextmanager
def _as_built_alone(precision: str) -> Iterator[None]:
    """Within it layers are named as in a process that has built nothing else, and made in this precision and in Keras's
    default layout: keras.applications asks for all three nowhere but globally."""
    names = global_state.get_global_attribute(NAMES)
    policy, layout = keras.config.dtype_policy(), keras.config.image_data_format()
    global_state.set_global_attribute(NAMES, None)
    keras.config.set_dtype_policy("mixed_bfloat16" if precision == "bfloat16" else "float32")
    keras.config.set_image_data_format("channels_last")
    try:
        yield
    finally:
        global_state.set_global_attribute(NAMES, names)
        keras.config.set_dtype_policy(policy)
        keras.config.set_image_data_format(layout)
