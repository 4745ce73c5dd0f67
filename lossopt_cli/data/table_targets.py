"""Which column of a table is to be predicted, and whether it holds classes or numbers."""

from pathlib import Path
from typing import NoReturn

import numpy as np

from lossopt_cli.catalogue.lookup import nearest
from lossopt_cli.catalogue.rows import Task
from lossopt_cli.data.delimited import Cells, is_number
from lossopt_cli.data.examples import Family, Targets
from lossopt_cli.errors import Fault, UsageError

_FEW = 20


def target_place(path: Path, names: tuple[str, ...], target: str | int | None) -> tuple[int, str]:
    """The place of the target column from 0, and the note that says so.

    target: a name, a position (0 is the first, -1 the last), a text that is such a position, or None: the
    last.
    """
    if target is None:
        return len(names) - 1, f"target: the last column, '{names[-1]}'; another: --target NAME"
    if isinstance(target, str) and target in names:
        return names.index(target), f"target: column '{target}'"
    alike = [name for name in names if name.casefold() == str(target).strip().casefold()]
    if len(alike) == 1:
        return names.index(alike[0]), f"target: column '{alike[0]}'"
    try:
        position = int(target)
    except ValueError:
        close = nearest(str(target), names)
        shown = ", ".join(names[:8]) + (f", ... {names[-1]}" if len(names) > 8 else "")
        raise UsageError(
            Fault(
                f"{path.name} has no column '{target}'",
                "data.target",
                f"columns of {path.name}: {shown}",
                f"did you mean --target {close[0]}?"
                if close
                else f"a position works as well: --target {len(names) - 1}",
            )
        ) from None
    if not -len(names) <= position < len(names):
        raise UsageError(
            Fault(
                f"{path.name} has no column {position}",
                "data.target",
                f"a position from 0 to {len(names) - 1} (-1 is the last), or a name",
            )
        )
    place = position % len(names)
    return place, f"target: column {place} of 0 to {len(names) - 1}, '{names[place]}'"


def read_target(path: Path, cells: Cells, place: int, task: Family | None, tasks: tuple[Task, ...] | None) -> Targets:
    """The target with its task. First what `data.task` says, then what the cells and the loss allow.

    task: `data.task`. tasks: what the loss serves; None where no loss was named. Text means classes,
    fractions mean numbers. Whole numbers follow the loss where it serves one of the two; else few distinct
    values (at most 20, and a fifth of the rows) are classes, except that a loss that serves both, which are
    the losses of regression, takes them as numbers where there are more than two.
    """
    column = [row[place] for row in cells.rows]
    if task == "classification":
        return _classes(path, cells, place, column, ())
    allows_numbers = tasks is None or "regression" in tasks
    allows_classes = tasks is None or any(t != "regression" for t in tasks)
    if task == "regression" or not allows_classes:
        return _numbers(path, cells, place, column, ())
    if not all(is_number(cell) for cell in column):
        if not allows_numbers or not _mostly_numbers(column):
            return _classes(path, cells, place, column, ())
        return _numbers(path, cells, place, column, ())
    values = np.array(column, dtype=np.float64)
    whole = np.flatnonzero(values != np.round(values))
    if len(whole):
        if not allows_numbers:
            _refuse_fractions(path, cells, place, int(whole[0]))
        return _numbers(path, cells, place, column, ())
    if not allows_numbers:
        return _classes(path, cells, place, column, ())
    distinct = len(np.unique(values))
    few = distinct <= 2 if tasks is not None else distinct <= min(_FEW, max(2, len(values) // 5))
    seen = f"'{cells.names[place]}' has {distinct} different whole numbers"
    if few:
        note = f"{seen}, taken as classes; if they are amounts: --set data.task=regression"
        return _classes(path, cells, place, column, (note,))
    note = f"{seen}, taken as numbers; if they are classes: --set data.task=classification"
    return _numbers(path, cells, place, column, (note,))


def _mostly_numbers(column: list[str]) -> bool:
    """Whether more than nine in ten cells are numbers: then the rest are mistakes, not names of classes."""
    return sum(is_number(cell) for cell in column) > 0.9 * len(column)


def _classes(path: Path, cells: Cells, place: int, column: list[str], notes: tuple[str, ...]) -> Targets:
    names, codes = label_codes(column)
    if len(names) < 2:
        _refuse_constant(path, cells.names[place], names[0])
    if len(names) > 20 and len(names) > len(column) / 2:
        raise UsageError(
            Fault(
                f"target '{cells.names[place]}' has {len(names)} different labels in {len(column)} rows",
                "data.target",
                "a column in which every class comes several times",
                "--target names another column",
            )
        )
    return Targets("classification", codes, names, notes)


def _numbers(path: Path, cells: Cells, place: int, column: list[str], notes: tuple[str, ...]) -> Targets:
    bad = [(line, cell) for line, cell in zip(cells.lines, column, strict=True) if not is_number(cell)]
    if bad:
        line, cell = bad[0]
        raise UsageError(
            Fault(
                f"target '{cells.names[place]}' is not a number: '{cell}' in line {line}"
                + (f", and {len(bad) - 1} more" if len(bad) > 1 else ""),
                f"{path}:{line}",
                "numbers, for a regression",
                "--target names another column; for classes take a loss of classes: --loss cross_entropy",
            )
        )
    values = np.array(column, dtype=np.float64)
    infinite = np.flatnonzero(~np.isfinite(values))
    if len(infinite):
        line = cells.lines[infinite[0]]
        raise UsageError(
            Fault(
                f"target '{cells.names[place]}' is infinite in line {line}",
                f"{path}:{line}",
                "finite numbers",
            )
        )
    if values.min() == values.max():
        _refuse_constant(path, cells.names[place], column[0])
    return Targets("regression", values, None, notes)


def label_codes(column: list[str]) -> tuple[tuple[str, ...], np.ndarray]:
    """Names in order (by size where all are numbers, else by text) and the code of each cell, int64 [N].

    Numbers that are equal are one class, called as the shortest is written: 1, 1.0 and 01 are "1".
    """
    if all(is_number(cell) for cell in column):
        distinct, codes = np.unique(np.array(column, dtype=np.float64), return_inverse=True)
        return tuple(f"{v:.0f}" if v == round(v) else repr(float(v)) for v in distinct), codes.astype(np.int64)
    names, codes = np.unique(np.array(column), return_inverse=True)
    return tuple(str(n) for n in names), codes.astype(np.int64)


def _refuse_constant(path: Path, name: str, value: str) -> NoReturn:
    raise UsageError(
        Fault(
            f"target '{name}' is '{value}' in every row: there is nothing to learn",
            str(path),
            "a target with at least two different values",
            "--target names another column",
        )
    )


def _refuse_fractions(path: Path, cells: Cells, place: int, row: int) -> NoReturn:
    line = cells.lines[row]
    raise UsageError(
        Fault(
            f"target '{cells.names[place]}' holds fractions ('{cells.rows[row][place]}' in line {line}), "
            "and the loss serves classes only here",
            f"{path}:{line}",
            "text or whole numbers, for classes",
            "--loss mse for a regression (`lossopt list losses NAME` says why another is none), or "
            "data.task=classification to make a class of every value",
        )
    )
