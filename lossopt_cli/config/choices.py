"""What is chosen where nothing is said: data by the loss, the loss by the task, the model by the inputs."""

from collections.abc import Mapping
from typing import Literal

from lossopt_cli.catalogue.losses import loss_named
from lossopt_cli.catalogue.rows import DataRow, LossRow, Task
from lossopt_cli.config.parts import fill
from lossopt_cli.config.schema import Part

DATA_FOR: Mapping[str, str] = {"regression": "diabetes", "multiclass": "digits", "binary": "breast_cancer"}
MODEL_FOR: Mapping[str, str] = {"image": "minicnn", "table": "mlp", "array": "mlp"}
DEFAULT_OPTIMIZER = "adam"
DEFAULT_LOSS = "cross_entropy"


def data_for(row: LossRow) -> tuple[str, str] | None:
    """(data, origin) for a loss: diabetes for one that serves regression, breast_cancer for one that asks
    yes-or-no questions (of several classes one against the rest), digits for any other of classes; None for a
    loss that serves nothing."""
    if "regression" in row.tasks:
        task, kind = "regression", "regression"
    elif "binary" in row.tasks and _asks_yes_or_no(row):
        task, kind = "binary", "binary"
    elif "multiclass" in row.tasks:
        task, kind = "multiclass", "classification"
    else:
        return None
    return DATA_FOR[task], f"chosen because {row.name} is a {kind} loss"


def _asks_yes_or_no(row: LossRow) -> bool:
    several = row.tasks.get("multiclass")
    return several is None or several.one_against_rest or several.targets == "signs"


def default_loss(task: Task) -> Part:
    """mse for a regression task, cross_entropy for classes."""
    name = "mse" if task == "regression" else DEFAULT_LOSS
    part = fill("loss", name, "default", {}).part
    assert part is not None
    return part


def default_model(kind: Literal["image", "table", "array"]) -> Part:
    """minicnn for images, mlp for tables and arrays."""
    part = fill("model", MODEL_FOR[kind], "default", {}).part
    assert part is not None
    return part


def inputs_of(row: DataRow, settings: Mapping[str, object]) -> Literal["image", "table"]:
    """The kind of inputs of a named data set; one that can be both makes images where a `shape` is given."""
    if row.inputs == "any":
        return "table" if settings.get("shape") is None else "image"
    return row.inputs


def task_of(row: DataRow | None, settings: Mapping[str, object]) -> Task | None:
    """The task of a named data set; synthetic_classification of two classes is binary."""
    if row is not None and row.task == "multiclass" and settings.get("classes") == 2:
        return "binary"
    return row.task if row else None


def loss_tasks(loss: Part | None) -> tuple[Task, ...] | None:
    """The tasks that a loss serves; None where no loss is named or it is the user's own."""
    if loss is None or ".py:" in loss.name:
        return None
    return tuple(loss_named(loss.name).tasks)
