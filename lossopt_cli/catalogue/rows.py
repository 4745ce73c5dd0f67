"""The kinds of row that the tables of the catalogue hold. Plain, frozen, without torch or keras."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import EllipsisType, MappingProxyType
from typing import Literal

import numpy as np

Value = None | bool | int | float | str | list
Task = Literal["multiclass", "binary", "regression"]
Library = Literal["keras", "torch", "lossopt"]

TASKS: tuple[Task, ...] = ("multiclass", "binary", "regression")
NOTHING: Mapping = MappingProxyType({})


@dataclass(frozen=True)
class Setting:
    """A hyperparameter: its name in the library's signature, its default, what it means (unit, range).

    kind: what a value is. A number may be written as an integer; where the default is None, the value may be.
    nullable: whether it may be None all the same.
    choices: the only values that make sense, where they can be listed; of a file, the words that name none.
    above, from_, below, to: x > above, x >= from_, x < below, x <= to; None where there is no bound.
    example: a value worth trying, for the command at the end of `lossopt list`.
    upstream: the default of the library's own class, where lossopt chooses another; `...` where it does not.
    """

    name: str
    default: Value
    meaning: str = ""
    kind: Literal["number", "integer", "switch", "word", "number or list", "numbers", "widths", "words", "file"] = (
        "number"
    )
    choices: tuple[Value, ...] = ()
    above: float | None = None
    from_: float | None = None
    below: float | None = None
    to: float | None = None
    example: Value = None
    nullable: bool = False
    upstream: Value | EllipsisType = ...

    @property
    def may_be_null(self) -> bool:
        return self.nullable or self.default is None


@dataclass(frozen=True)
class Fit:
    """How a loss meets a task.

    targets: what y_true holds.
        integer   class numbers, shape [N]
        one_hot   0/1 floats, shape [N, K]
        binary    0/1 floats, shape [N, 1]
        signs     -1/+1 floats, shape [N, 1] for a binary task, [N, K] one against the rest
        numbers   floats, shape [N, 1], standardised unless `data.scale_target: false`
    units: the width of the linear head; "classes" is the number of classes K.
    reads: what the loss is given.
        logits         the raw outputs; probabilities are their softmax or sigmoid
        probabilities  the softmax (sigmoid where units is 1) of the raw outputs
        scores         the raw outputs; they order the classes but are no probabilities
        values         the raw outputs; they are the prediction
    threshold: for units 1 on a binary task, the raw output (or, where reads is probabilities,
        the probability) above which the second class is predicted.
    one_against_rest: K separate yes-or-no questions: the sigmoid of each output takes the softmax's place in
        `reads`. The class probabilities that metrics see are these sigmoids divided by their sum
        (as scikit-learn's OneVsRestClassifier does); the predicted class is the largest output.
    own_units: (numbers) the loss is computed in the target's own units: y_true is the target as given, and
        y_pred the raw output times the target's deviation plus its mean (1 and 0 where not standardised).
    domain: which targets the loss has a meaning for, see `refuses`.
    """

    targets: Literal["integer", "one_hot", "binary", "signs", "numbers"]
    units: Literal["classes", "one"]
    reads: Literal["logits", "probabilities", "scores", "values"]
    threshold: float = 0.0
    one_against_rest: bool = False
    own_units: bool = False
    domain: Literal["any", "not negative", "not zero"] = "any"

    def refuses(self, targets: np.ndarray) -> str | None:
        """Why the loss cannot be asked of these targets (in their own units); None where it can."""
        if self.domain == "not zero" and (bad := int(np.sum(np.abs(targets) < 1e-7))):
            return f"{bad} of {len(targets)} targets are 0, and a percentage of 0 means nothing"
        if self.domain == "not negative" and (bad := int(np.sum(targets < 0))):
            return f"{bad} of {len(targets)} targets are negative, and the logarithm is clipped there"
        return None


@dataclass(frozen=True)
class LossRow:
    """A loss: what it is called, what it eats, when it makes sense.

    tasks: a Fit for every task that it serves; refusals: the reason for every task that it does not.
    becomes: for `cross_entropy` and `focal`, the rows that each may stand for on each task; see `losses.stands_for`.
    keras, torch: how each library spells it, where that is not the class with its settings.
    """

    name: str
    library: Library
    class_name: str
    family: str
    tasks: Mapping[str, Fit]
    formula: str
    use: str
    paper: str
    settings: tuple[Setting, ...] = ()
    aliases: tuple[str, ...] = ()
    refusals: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    becomes: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: NOTHING)
    keras: str = ""
    torch: str = ""
    note: str = ""


@dataclass(frozen=True)
class OptimizerRow:
    """An optimizer: its update rule, its settings, and where libraries differ about it.

    preset: values that a preset such as `momentum` lays over the defaults of its class.
    branches: settings on which Keras branches in Python, which split a stack into groups.
    weight_decay: "decoupled" (w -= lr * wd * w) or "l2" (g += wd * w).
    fault: a known fault of the released library and how it is handled, shown with every use.
    non_finite: where the fault makes a healthy rate end in NaN, the cause and what avoids it.
    state: floats kept per weight beside the weight itself, with default settings.
    """

    name: str
    library: Library
    class_name: str
    family: str
    update: tuple[str, ...]
    use: str
    paper: str
    settings: tuple[Setting, ...]
    aliases: tuple[str, ...] = ()
    preset: Mapping[str, Value] = field(default_factory=lambda: NOTHING)
    branches: tuple[str, ...] = ()
    weight_decay: Literal["decoupled", "l2", "none"] = "decoupled"
    trade: str = ""
    state: str = ""
    torch: str = ""
    differs: str = ""
    fault: str = ""
    non_finite: str = ""


@dataclass(frozen=True)
class ModelRow:
    """A model: builder is the name of the function in `lossopt_cli.training.networks`."""

    name: str
    inputs: Literal["image", "table", "any"]
    layers: str
    use: str
    paper: str
    settings: tuple[Setting, ...] = ()
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class DataRow:
    """A data set by name: task is None where the loss or the file decides."""

    name: str
    task: Task | None
    inputs: Literal["image", "table", "any"]
    contents: str
    source: str
    download: str = ""
    settings: tuple[Setting, ...] = ()
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class ScheduleRow:
    """A learning-rate schedule.

    rate: (t, u, **settings) -> multiple of the base rate; t runs from 0 to 1 over the training, u counts
        epochs; the settings are those of the row but warmup_epochs.
    """

    name: str
    rate: Callable[..., float]
    formula: str
    use: str
    paper: str
    settings: tuple[Setting, ...] = ()
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class MetricRow:
    """A metric: which tasks it serves, which way is better, whether it needs probabilities or scores."""

    name: str
    tasks: tuple[Task, ...]
    better: Literal["higher", "lower"]
    needs: Literal["classes", "probabilities", "scores", "values"]
    formula: str
    use: str = ""
    aliases: tuple[str, ...] = ()


Row = LossRow | OptimizerRow | ModelRow | DataRow | ScheduleRow | MetricRow


def defaults(row: LossRow | OptimizerRow | ModelRow | DataRow | ScheduleRow) -> dict[str, Value]:
    """Every setting of the row with the value it has when nothing is said; a preset's values included."""
    values = {setting.name: setting.default for setting in row.settings}
    return values | dict(row.preset) if isinstance(row, OptimizerRow) else values
