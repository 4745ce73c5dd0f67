"""Whether what a user's function returned as y holds classes or numbers."""

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from lossopt_cli.catalogue.rows import Task
from lossopt_cli.catalogue.wording import counted
from lossopt_cli.data.examples import Family, Targets
from lossopt_cli.errors import Fault, UsageError

_AS_NUMBERS = "y as floats, or data.task=regression, makes numbers of it"


def refuse(name: str, what: str, expected: str | None = None, remedy: str | None = None) -> NoReturn:
    """UsageError that names the function."""
    raise UsageError(Fault(what, name, expected, remedy))


def read_targets(
    name: str, y: np.ndarray, classes: Any, task: Family | None, tasks: tuple[Task, ...] | None
) -> Targets:
    """Class numbers or numbers: as `data.task` says; else as a loss that serves only one of the two needs;
    else floats are numbers and all else is classes (floats too, if one-hot and the classes have names)."""
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if (task or _served(tasks) or _looks_like(y, classes)) == "regression":
        if y.dtype.kind in "US":
            refuse(name, f"y is text ('{y.flat[0]}'), and the task is a regression", "numbers")
        constant = y.size and y.min() == y.max()
        notes = (f"y is {y.flat[0]:g} everywhere: only a loss that does not read it can learn",) if constant else ()
        return Targets("regression", y.astype(np.float64), None, notes)
    if y.ndim == 2:
        values, names, notes = _one_hot_classes(name, y)
    else:
        values, names = _label_classes(name, y, classes)
        notes = ()
    if classes is not None:
        names, values = _with_names(name, names, values, [str(c) for c in classes], is_text=y.dtype.kind in "US")
    if len(names) < 2:
        remedy = None if y.dtype.kind in "US" else _AS_NUMBERS
        refuse(name, f"y has one class only, '{names[0]}'", "two or more classes", remedy)
    return Targets("classification", values, names, notes)


def _served(tasks: tuple[Task, ...] | None) -> Family | None:
    """The family that a loss serves where it serves only one."""
    if not tasks:
        return None
    if "regression" not in tasks:
        return "classification"
    return "regression" if set(tasks) == {"regression"} else None


def _looks_like(y: np.ndarray, classes: Any) -> Family:
    if y.dtype.kind != "f":
        return "classification"
    return "classification" if classes is not None and _is_one_hot(y) else "regression"


def _is_one_hot(y: np.ndarray) -> bool:
    return (
        y.ndim == 2
        and y.dtype.kind in "biuf"
        and bool(np.isin(y, (0, 1)).all())
        and bool((y.sum(axis=1, dtype=np.int64) == 1).all())
    )


def _one_hot_classes(name: str, y: np.ndarray) -> tuple[np.ndarray, tuple[str, ...], tuple[str, ...]]:
    if not _is_one_hot(y):
        refuse(name, f"y has the shape {y.shape}", "class labels [N], or one-hot rows", _AS_NUMBERS)
    names = tuple(str(k) for k in range(y.shape[1]))
    return y.argmax(axis=1).astype(np.int64), names, (f"y is one-hot with {y.shape[1]} classes",)


def _label_classes(name: str, y: np.ndarray, classes: Any) -> tuple[np.ndarray, tuple[str, ...]]:
    """Class numbers and names: labels in order; numbers count from 0 already where the classes have names."""
    if y.ndim > 2:
        refuse(name, f"y has the shape {y.shape}", "class labels [N]", _AS_NUMBERS)
    if y.dtype.kind == "f":
        fractions = y[y != np.round(y)]
        if fractions.size:
            what = f"y has fractions ({fractions[0]:g}), and the task is classification"
            refuse(name, what, "whole numbers or text", "--loss mse for a regression")
        y = y.astype(np.int64)
    if classes is not None and y.dtype.kind not in "US":
        values = y.astype(np.int64)
        if values.min() < 0 or values.max() >= len(classes):
            labels = f"labels from {values.min()} to {values.max()}"
            what = f"classes has {counted(len(classes), 'name')}, but y has {labels}"
            refuse(name, what, f"labels from 0 to {len(classes) - 1}")
        return values, tuple(str(k) for k in range(len(classes)))
    distinct, values = np.unique(y, return_inverse=True)
    return values.astype(np.int64), tuple(str(v) for v in distinct)


def _with_names(
    name: str, found: Sequence[str], values: np.ndarray, classes: Sequence[str], *, is_text: bool
) -> tuple[tuple[str, ...], np.ndarray]:
    """The names that the function gave, and the class numbers in their order."""
    if len(set(classes)) != len(classes):
        refuse(name, f"classes has a name twice: {', '.join(classes)}", "different names")
    if not is_text:
        if len(classes) != len(found):
            refuse(name, f"classes has {counted(len(classes), 'name')}, but y has {counted(len(found), 'class')}")
        return tuple(classes), values
    missing = [label for label in found if label not in classes]
    if missing:
        refuse(name, f"y has the label '{missing[0]}', which is not in classes", f"one of {', '.join(classes)}")
    return tuple(classes), np.array([list(classes).index(label) for label in found])[values]
