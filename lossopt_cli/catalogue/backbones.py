"""The networks of keras.applications that `transfer` stands on, without their last layer."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from lossopt_cli.catalogue.lookup import nearest, plain
from lossopt_cli.errors import Fault, UsageError

Pixels = Literal["-1 to 1", "0 to 255", "BGR", "standardised"]

# What the pixels that a network was trained on look like.
PIXELS: Mapping[Pixels, str] = MappingProxyType(
    {
        "-1 to 1": "from -1 to 1",
        "0 to 255": "from 0 to 255, since the network scales them itself",
        "BGR": "blue, green, red from 0 to 255 minus the means of ImageNet",
        "standardised": "minus the mean and over the deviation of ImageNet, by colour",
    }
)
NO_FILE = ("imagenet", "none")


@dataclass(frozen=True)
class BackboneRow:
    """A class of keras.applications. pixels: what it was trained on, see PIXELS. size, least: height and width of the
    images, usual and smallest. channels: of what comes out. millions: of weights, the last layer left out.

    over_roots: its weights were made with standardised colours over the roots of their deviations (tensorflow issue
    49930), which Keras has in the network only where it downloads them itself."""

    name: str
    pixels: Pixels
    size: int
    least: int
    channels: int
    millions: float
    paper: str
    over_roots: bool = False


_CONVNEXT = "Liu et al. 2022"
_DENSENET = "Huang et al. 2017"
_EFFICIENT = "Tan & Le 2019"
_EFFICIENT_2 = "Tan & Le 2021"
_RESNET = "He et al. 2016a"
_RESNET_2 = "He et al. 2016b"

BACKBONES: tuple[BackboneRow, ...] = (
    BackboneRow("MobileNet", "-1 to 1", 224, 32, 1024, 3.2, "Howard et al. 2017"),
    BackboneRow("MobileNetV2", "-1 to 1", 224, 32, 1280, 2.3, "Sandler et al. 2018"),
    BackboneRow("MobileNetV3Small", "0 to 255", 224, 32, 576, 0.9, "Howard et al. 2019"),
    BackboneRow("MobileNetV3Large", "0 to 255", 224, 32, 960, 3.0, "Howard et al. 2019"),
    BackboneRow("EfficientNetB0", "0 to 255", 224, 32, 1280, 4.0, _EFFICIENT, over_roots=True),
    BackboneRow("EfficientNetB1", "0 to 255", 240, 32, 1280, 6.6, _EFFICIENT, over_roots=True),
    BackboneRow("EfficientNetB2", "0 to 255", 260, 32, 1408, 7.8, _EFFICIENT, over_roots=True),
    BackboneRow("EfficientNetB3", "0 to 255", 300, 32, 1536, 10.8, _EFFICIENT, over_roots=True),
    BackboneRow("EfficientNetB4", "0 to 255", 380, 32, 1792, 17.7, _EFFICIENT, over_roots=True),
    BackboneRow("EfficientNetB5", "0 to 255", 456, 32, 2048, 28.5, _EFFICIENT, over_roots=True),
    BackboneRow("EfficientNetB6", "0 to 255", 528, 32, 2304, 41.0, _EFFICIENT, over_roots=True),
    BackboneRow("EfficientNetB7", "0 to 255", 600, 32, 2560, 64.1, _EFFICIENT, over_roots=True),
    BackboneRow("EfficientNetV2B0", "0 to 255", 224, 32, 1280, 5.9, _EFFICIENT_2),
    BackboneRow("EfficientNetV2B1", "0 to 255", 240, 32, 1280, 6.9, _EFFICIENT_2),
    BackboneRow("EfficientNetV2B2", "0 to 255", 260, 32, 1408, 8.8, _EFFICIENT_2),
    BackboneRow("EfficientNetV2B3", "0 to 255", 300, 32, 1536, 12.9, _EFFICIENT_2),
    BackboneRow("EfficientNetV2S", "0 to 255", 384, 32, 1280, 20.3, _EFFICIENT_2),
    BackboneRow("EfficientNetV2M", "0 to 255", 480, 32, 1280, 53.2, _EFFICIENT_2),
    BackboneRow("EfficientNetV2L", "0 to 255", 480, 32, 1280, 117.7, _EFFICIENT_2),
    BackboneRow("ResNet50", "BGR", 224, 32, 2048, 23.6, _RESNET),
    BackboneRow("ResNet101", "BGR", 224, 32, 2048, 42.7, _RESNET),
    BackboneRow("ResNet152", "BGR", 224, 32, 2048, 58.4, _RESNET),
    BackboneRow("ResNet50V2", "-1 to 1", 224, 32, 2048, 23.6, _RESNET_2),
    BackboneRow("ResNet101V2", "-1 to 1", 224, 32, 2048, 42.6, _RESNET_2),
    BackboneRow("ResNet152V2", "-1 to 1", 224, 32, 2048, 58.3, _RESNET_2),
    BackboneRow("DenseNet121", "standardised", 224, 32, 1024, 7.0, _DENSENET),
    BackboneRow("DenseNet169", "standardised", 224, 32, 1664, 12.6, _DENSENET),
    BackboneRow("DenseNet201", "standardised", 224, 32, 1920, 18.3, _DENSENET),
    BackboneRow("ConvNeXtTiny", "0 to 255", 224, 32, 768, 27.8, _CONVNEXT),
    BackboneRow("ConvNeXtSmall", "0 to 255", 224, 32, 768, 49.5, _CONVNEXT),
    BackboneRow("ConvNeXtBase", "0 to 255", 224, 32, 1024, 87.6, _CONVNEXT),
    BackboneRow("ConvNeXtLarge", "0 to 255", 224, 32, 1536, 196.2, _CONVNEXT),
    BackboneRow("ConvNeXtXLarge", "0 to 255", 224, 32, 2048, 348.1, _CONVNEXT),
    BackboneRow("InceptionV3", "-1 to 1", 299, 75, 2048, 21.8, "Szegedy et al. 2016"),
    BackboneRow("InceptionResNetV2", "-1 to 1", 299, 75, 1536, 54.3, "Szegedy et al. 2017"),
    BackboneRow("Xception", "-1 to 1", 299, 71, 2048, 20.9, "Chollet 2017"),
    BackboneRow("NASNetLarge", "-1 to 1", 331, 32, 4032, 84.9, "Zoph et al. 2018"),
    BackboneRow("VGG16", "BGR", 224, 32, 512, 14.7, "Simonyan & Zisserman 2015"),
    BackboneRow("VGG19", "BGR", 224, 32, 512, 20.0, "Simonyan & Zisserman 2015"),
)


def backbone_named(name: str, where: str | None = None) -> BackboneRow:
    """The backbone of that name, without case and underscores. UsageError with the nearest where there is none."""
    found = next((row for row in BACKBONES if plain(row.name) == plain(name)), None)
    if found is not None:
        return found
    near = nearest(name, [row.name for row in BACKBONES])
    remedy = f"did you mean {' or '.join(near)}?" if near else "MobileNetV2, EfficientNetB0, ResNet50V2, DenseNet121"
    raise UsageError(Fault(f"unknown backbone '{name}'", where, "a name of keras.applications", remedy))


def is_file(weights: str) -> bool:
    """Whether `model.weights` names a file."""
    return weights not in NO_FILE
