"""All losses that have a name, and what a name means on a task."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from lossopt_cli.catalogue import lookup
from lossopt_cli.catalogue.class_losses import CROSS_ENTROPIES, GAMMA, PROBABILITY_LOSSES
from lossopt_cli.catalogue.fits import (
    FROM_LOGITS,
    LABEL_SMOOTHING,
    SIGMOID,
    SOFTMAX_INTEGER,
    SOFTMAX_ONE_HOT,
    for_classes,
    refuses_regression,
)
from lossopt_cli.catalogue.margin_losses import MARGIN_LOSSES, REFUSED
from lossopt_cli.catalogue.number_losses import NUMBER_LOSSES
from lossopt_cli.catalogue.rows import TASKS, Fit, LossRow, Value
from lossopt_cli.catalogue.torch_losses import TORCH_LOSSES
from lossopt_cli.errors import Fault, UsageError

CROSS_ENTROPY = LossRow(
    name="cross_entropy",
    library="lossopt",
    class_name="",
    family="cross-entropies",
    tasks=for_classes(SOFTMAX_INTEGER, SIGMOID),
    formula="-ln of the probability of the right class",
    use="the first choice for classes: takes the form that fits the task",
    paper="Good 1952; Bridle 1990; Cox 1958",
    settings=(FROM_LOGITS, LABEL_SMOOTHING),
    aliases=("ce", "crossentropy", "xent", "log_loss"),
    refusals=refuses_regression(),
    becomes=MappingProxyType(
        {
            "multiclass": ("sparse_categorical_crossentropy", "categorical_crossentropy"),
            "binary": ("binary_crossentropy",),
        }
    ),
    keras="SparseCategoricalCrossentropy or BinaryCrossentropy(from_logits=True)",
    torch="torch.nn.CrossEntropyLoss() or torch.nn.BCEWithLogitsLoss()",
    note=(
        "Several classes: softmax and sparse_categorical_crossentropy (categorical_crossentropy with"
        " label_smoothing). Two classes: one unit, sigmoid, binary_crossentropy."
    ),
)

FOCAL = LossRow(
    name="focal",
    library="lossopt",
    class_name="",
    family="cross-entropies",
    tasks=for_classes(SOFTMAX_ONE_HOT, SIGMOID),
    formula="-(1 - p)^gamma ln p of the right class",
    use="many easy examples and a few hard ones: takes the form that fits the task",
    paper="Lin et al. 2017",
    settings=(GAMMA, FROM_LOGITS, LABEL_SMOOTHING),
    refusals=refuses_regression(),
    becomes=MappingProxyType(
        {"multiclass": ("categorical_focal_crossentropy",), "binary": ("binary_focal_crossentropy",)}
    ),
    keras="CategoricalFocalCrossentropy or BinaryFocalCrossentropy(from_logits=True)",
    torch="torch has none; torchvision.ops.sigmoid_focal_loss is the binary one",
    note=(
        "Several classes: softmax and categorical_focal_crossentropy, with its factor alpha = 0.25 on every loss. Two"
        " classes: one unit, sigmoid, binary_focal_crossentropy, without one."
    ),
)

LOSSES: tuple[LossRow, ...] = (
    CROSS_ENTROPY,
    FOCAL,
    *CROSS_ENTROPIES,
    *NUMBER_LOSSES,
    *MARGIN_LOSSES,
    *PROBABILITY_LOSSES,
    *REFUSED,
    *TORCH_LOSSES,
)


def loss_named(name: str, where: str | None = None) -> LossRow:
    """The loss of that name, class name or short name. UsageError with the nearest names otherwise."""
    return lookup.find(LOSSES, name, "loss", where)


def stands_for(row: LossRow, task: str, settings: Mapping[str, Value]) -> tuple[LossRow, dict[str, Value]]:
    """The row of a library that is computed on this task, and its settings.

    It is the row itself, but for `cross_entropy` and `focal`, which are the first of `becomes` that takes every
    setting that differs from its default.
    """
    if task not in row.becomes:
        return row, dict(settings)
    changed = {s.name for s in row.settings if settings.get(s.name, s.default) != s.default}
    rows = [loss_named(name) for name in row.becomes[task]]
    row = next(r for r in rows if changed <= {s.name for s in r.settings})
    taken = {s.name for s in row.settings}
    return row, {name: value for name, value in settings.items() if name in taken}


def fit(row: LossRow, task: str, settings: Mapping[str, Value], where: str | None = None) -> Fit:
    """How this loss with these settings meets the task. UsageError with the written reason where it does not.

    `from_logits: false` turns the reading of logits into one of probabilities, and a threshold of 0 into 0.5.
    """
    if task not in row.tasks:
        serves = " and ".join(tasks_in_words(row)) or "nothing that lossopt trains"
        raise UsageError(
            Fault(
                what=f"{row.name} does not fit a {task} task: {row.refusals[task].split('; take ')[0]}",
                where=where,
                expected=f"a loss for {task}; {row.name} serves {serves}",
                remedy=_remedy(row, task),
            )
        )
    row, settings = stands_for(row, task, settings)
    found = row.tasks[task]
    if settings.get("from_logits") is False and found.reads == "logits":
        return replace(found, reads="probabilities", threshold=0.5)
    return found


def tasks_in_words(row: LossRow) -> list[str]:
    """["multiclass", "regression"]: the tasks that a row serves, in the order of TASKS."""
    return [task for task in TASKS if task in row.tasks]


def _remedy(row: LossRow, task: str) -> str:
    reason = row.refusals[task]
    return f"take {reason.split('; take ', 1)[1]}" if "; take " in reason else f"lossopt list losses {row.name}"
