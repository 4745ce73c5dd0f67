"""Pixels as a problem has them, and as a network of keras.applications was trained on them."""

import math
from collections.abc import Mapping
from typing import Any

import keras

from lossopt_cli.catalogue.backbones import PIXELS, Pixels, backbone_named
from lossopt_cli.data.problem import ArrayInputs, ImageInputs, Problem
from lossopt_cli.errors import Fault, UsageError
from lossopt_cli.training.transfer.gathering import chunks_of

# Of ImageNet, red, green, blue, for images from 0 to 1.
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# Of the images that the weights of ResNet and VGG were made with: blue, green, red from 0 to 255.
BGR_MEAN = (103.939, 116.779, 123.68)
# By which pixels may lie outside 0..1: resampling goes beyond by a tenth, other scales (-1..1, 0..255) by 1 and more.
BEYOND = 0.25


def images_of(problem: Problem) -> ImageInputs | None:
    """How a backbone reads the inputs. Arrays [N, height, width, channels] of the user's own are images from 0 to 1;
    None for all that is no image."""
    inputs = problem.inputs
    if isinstance(inputs, ArrayInputs) and len(inputs.shape) == 3:
        return ImageInputs(inputs.shape, 1.0)
    return inputs if isinstance(inputs, ImageInputs) else None


def pixel_ends(problem: Problem) -> tuple[float, float]:
    """The least and the largest value of the training images as preprocessing is given them: of arrays of the user's
    own it is looked up, other images are from 0 to 1. Infinite ends, the wrong way round, without an image."""
    if isinstance(problem.inputs, ImageInputs):
        return 0.0, 1.0
    low, high = math.inf, -math.inf
    for chunk in chunks_of(problem.train.inputs):
        low, high = min(low, float(chunk.min())), max(high, float(chunk.max()))
    return low, high


def check_pixels(settings: Mapping[str, Any], problem: Problem) -> None:
    """UsageError where the preprocessing that the settings of `transfer` ask for would be of pixels that are not from 0
    to 1. What is fed as it is, is the user's own affair: the doctor knows which range the backbone expects."""
    low, high = pixel_ends(problem)
    if settings["scale"] == "unit" or (low >= -BEYOND and high <= 1.0 + BEYOND) or low > high:
        return
    row = backbone_named(settings["backbone"], "model.backbone")
    what = f"the training images of {problem.name} are numbers from {low:.4g} to {high:.4g}, not from 0 to 1"
    expected = f"from 0 to 1, of which {row.name} is given what it was trained on; or uint8 from 0 to 255"
    remedy = f"x / 255 where white is 255; where they are {PIXELS[row.pixels]} already, model.scale=unit feeds them so"
    raise UsageError(Fault(what, "--data", expected, remedy))


def preprocessed(pixels: Pixels, x: keras.KerasTensor) -> keras.KerasTensor:
    """Images in [0, 1], red, green, blue, as the network was trained on them: `preprocess_input` of its module."""
    layers = keras.layers
    if pixels == "-1 to 1":
        return layers.Rescaling(2.0, -1.0, dtype="float32", name="from_minus_1_to_1")(x)
    if pixels == "0 to 255":
        return layers.Rescaling(255.0, dtype="float32", name="from_0_to_255")(x)
    if pixels == "standardised":
        scale, offset = [1.0 / d for d in DEVIATION], [-m / d for m, d in zip(MEAN, DEVIATION, strict=True)]
        return layers.Rescaling(scale, offset, dtype="float32", name="standardised_colours")(x)
    turned = keras.ops.flip(x, axis=-1)
    return layers.Rescaling(255.0, [-mean for mean in BGR_MEAN], dtype="float32", name="minus_means")(turned)


def over_roots(network: keras.Model) -> keras.Model:
    """The network, its layers shared, with colours over the roots of ImageNet's deviations behind its Normalization."""

    def called(layer: keras.Layer, *args, **options):
        made = layer(*args, **options)
        if not isinstance(layer, keras.layers.Normalization):
            return made
        return keras.layers.Rescaling([1.0 / math.sqrt(d) for d in DEVIATION])(made)

    return keras.models.clone_model(network, clone_function=lambda layer: layer, call_function=called)
