"""The models that have a name. Each ends in a linear head whose width the loss decides."""

from lossopt_cli.catalogue import lookup
from lossopt_cli.catalogue.backbones import NO_FILE
from lossopt_cli.catalogue.rows import ModelRow, Setting

_ACTIVATION = Setting(
    ("activation"), "relu", "of the hidden layers: relu, tanh, gelu, ... of keras.activations", kind="word"
)
_POOLING = Setting("pooling", "max", "what a 2x2 square becomes", kind="word", choices=("max", "average"))
_DROPOUT = Setting("dropout", 0.0, "share of hidden units left out in training", from_=0.0, below=1.0)
_BATCH_NORM = Setting(("batch_norm"), False, "normalise each layer by the statistics of its batch", kind="switch")


def _hidden(default: list) -> Setting:
    return Setting("hidden", default, "widths of the dense layers", kind="widths", from_=1)


MODELS: tuple[ModelRow, ...] = (
    ModelRow(
        name="linear",
        inputs="any",
        layers="head",
        use="softmax, logistic or linear regression: what every other model must beat",
        paper="Legendre 1805; Cox 1958",
        aliases=("logistic", "softmax_regression"),
    ),
    ModelRow(
        name="mlp",
        inputs="any",
        layers="dense 128, dense 128, head",
        use="tables, and the fastest way to a first answer",
        paper="Rumelhart, Hinton & Williams 1986",
        settings=(_hidden([128, 128]), _DROPOUT, _BATCH_NORM, _ACTIVATION),
    ),
    ModelRow(
        name="minicnn",
        inputs="image",
        layers="conv 3x3 32, pool, conv 3x3 64, pool, dense 128, head",
        use="small images: digits, CIFAR; two convolutions and one dense layer",
        paper="after LeCun et al. 1998",
        settings=(
            Setting(
                ("filters"),
                [32, 64],
                "channels of the convolutions, each followed by a pooling",
                "widths",
                from_=1,
            ),
            _hidden([128]),
            _DROPOUT,
            _BATCH_NORM,
            _POOLING,
            _ACTIVATION,
        ),
        aliases=("cnn",),
    ),
    ModelRow(
        name="lenet",
        inputs="image",
        layers="conv 5x5 6, pool, conv 5x5 16, pool, dense 120, dense 84, head",
        use="the classic for MNIST; activation=tanh:pooling=average is the original",
        paper="LeCun et al. 1998",
        settings=(_POOLING, _ACTIVATION),
        aliases=("lenet5",),
    ),
    ModelRow(
        name="resnet20",
        inputs="image",
        layers="conv 3x3 16; 3 x 3 residual blocks of 16, 32, 64 channels; mean; head",
        use="CIFAR, seriously: 0.27 million weights; wants SGD with momentum and a schedule",
        paper="He et al. 2016, section 4.2",
        settings=(
            Setting(
                "shortcut",
                "A",
                "where channels double: A pads with zeros, B convolves 1x1",
                kind="word",
                choices=("A", "B"),
            ),
        ),
    ),
    ModelRow(
        name="transfer",
        inputs="image",
        layers="a frozen backbone of keras.applications, pooling, dense layers if any, head",
        use="photographs, few or many: the backbone runs once over them, every training is on its features",
        paper="Razavian et al. 2014; Yosinski et al. 2014",
        settings=(
            Setting("backbone", "MobileNetV2", "a name of keras.applications, as EfficientNetB0", kind="word"),
            Setting(
                "weights",
                "imagenet",
                "imagenet (downloaded once by Keras), none (random ones) or a file of Keras",
                kind="file",
                choices=NO_FILE,
            ),
            Setting(
                "pooling",
                "average",
                "what becomes of height and width of the features",
                kind="word",
                choices=("average", "max", "flatten"),
            ),
            Setting(
                "scale",
                "auto",
                "the pixels that the backbone was trained on (auto), or images from 0 to 1, arrays as they are (unit)",
                kind="word",
                choices=("auto", "unit"),
            ),
            Setting(
                "unfreeze", 0, "top layers of the backbone that train too, after the head", kind="integer", from_=0
            ),
            Setting(
                "unfreeze_epochs", None, "of the epochs, how many they train; half unless said", "integer", from_=1
            ),
            Setting(
                "unfreeze_learning_rate",
                None,
                "in those epochs, times the schedule's share; a hundredth of the optimizer's unless said",
                above=0.0,
            ),
            _hidden([]),
            _DROPOUT,
            _BATCH_NORM,
            _ACTIVATION,
        ),
        aliases=("transfer_learning",),
    ),
)


def model_named(name: str, where: str | None = None) -> ModelRow:
    """The model of that name. UsageError with the nearest names where there is none."""
    return lookup.find(MODELS, name, "model", where)
