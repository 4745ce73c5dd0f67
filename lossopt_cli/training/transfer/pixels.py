"""Pixels as a network of keras.applications was trained on them."""

import math

import keras

from lossopt_cli.catalogue.backbones import Pixels

# Of ImageNet, red, green, blue, for images from 0 to 1.
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# Of the images that the weights of ResNet and VGG were made with: blue, green, red from 0 to 255.
BGR_MEAN = (103.939, 116.779, 123.68)


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
