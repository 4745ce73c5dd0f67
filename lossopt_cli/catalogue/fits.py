"""How losses meet tasks: the few ways in which targets, head and loss go together, named once."""

from collections.abc import Mapping
from types import MappingProxyType

from lossopt_cli.catalogue.rows import Fit, Setting

NUMBERS = Fit("numbers", "one", "values")

# One unit for two classes, K units for K.
SIGMOID = Fit("binary", "one", "logits")
SIGMOIDS = Fit("one_hot", "classes", "logits", one_against_rest=True)
SOFTMAX_INTEGER = Fit("integer", "classes", "logits")
SOFTMAX_ONE_HOT = Fit("one_hot", "classes", "logits")

# The loss would give nonsense or NaN on raw outputs.
PROBABILITY = Fit("binary", "one", "probabilities", threshold=0.5)
PROBABILITIES_SIGMOID = Fit("one_hot", "classes", "probabilities", one_against_rest=True)
PROBABILITIES = Fit("one_hot", "classes", "probabilities")
PROBABILITIES_INTEGER = Fit("integer", "classes", "probabilities")

# Classes told by raw outputs that are no probabilities.
SIGN = Fit("signs", "one", "scores")
SIGNS = Fit("signs", "classes", "scores")
SCORE = Fit("binary", "one", "scores", threshold=0.5)
SCORES = Fit("one_hot", "classes", "scores")

REGRESSION_NEEDS_CLASSES = "it needs classes, and the target is a number; take mse or huber"

FROM_LOGITS = Setting(
    "from_logits",
    True,
    "true: reads raw outputs; false: a softmax or sigmoid, clipped at 1e-7 (no slope beyond)",
    kind="switch",
    upstream=False,
)
LABEL_SMOOTHING = Setting(
    "label_smoothing",
    0.0,
    "share of each target spread evenly over the classes, 0 to 1",
    from_=0.0,
    to=1.0,
    example=0.1,
)
AXIS = Setting("axis", -1, "the axis of the classes; outputs here are [N, K]", kind="integer", choices=(-1, 1))
AXIS_OR_ALL = Setting(
    "axis",
    None,
    "what is summed: null the whole batch, 0 each class over the batch, -1 each example",
    kind="integer",
    choices=(None, -1, 0, 1),
)


def everywhere(multiclass: Fit, binary: Fit, regression: Fit) -> Mapping[str, Fit]:
    """A loss that serves all three tasks."""
    return MappingProxyType({"multiclass": multiclass, "binary": binary, "regression": regression})


def for_classes(multiclass: Fit, binary: Fit) -> Mapping[str, Fit]:
    """A loss for classes only."""
    return MappingProxyType({"multiclass": multiclass, "binary": binary})


def refuses_regression(reason: str = REGRESSION_NEEDS_CLASSES) -> Mapping[str, str]:
    """The refusal of a loss for classes only."""
    return MappingProxyType({"regression": reason})


def refuses_classes(reason: str) -> Mapping[str, str]:
    """The refusal of a loss for numbers only."""
    return MappingProxyType({"multiclass": reason, "binary": reason})


def refuses_all(reason: str) -> Mapping[str, str]:
    """The refusal of a loss that serves none of the tasks, for one reason."""
    return MappingProxyType({"multiclass": reason, "binary": reason, "regression": reason})
