"""What is chosen where nothing is said: data by the loss, the loss by the task, the model by the inputs."""

from collections.abc import Mapping
from typing import Literal

from lossopt_cli.catalogue.losses import loss_named
from lossopt_cli.catalogue.rows import DataRow, LossRow, Task
from lossopt_cli.config.parts import fill
from lossopt_cli.config.schema import Part

DATA_FOR: Mapping[str, str] = {"regression": "diabetes", "multiclass": "digits", "binary": "breast_cancer"}
ANY_CHOICE = ("regression", "multiclass", "binary")
MODEL_FOR: Mapping[str, str] = {"image": "minicnn", "table": "mlp", "array": "mlp"}
DEFAULT_OPTIMIZER = "adam"
DEFAULT_LOSS = "cross_entropy"


def data_for(row: LossRow) -> tuple[str, str] | None:
    """(data, origin) for a loss: `diabetes` for one that serves regression, else `digits`, else (binary only)
    `breast_cancer`; None for a loss that serves nothing."""
    task = next((task for task in ANY_CHOICE if task in row.tasks), None)
    if task is None:
        return None
    kind = {"regression": "regression", "multiclass": "classification", "binary": "binary"}[task]
    return DATA_FOR[task], f"chosen because {row.name} is a {kind} loss"


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
