"""A csv file read by the columns that a run kept: by name in any order, with or without the target."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lossopt_cli.data.delimited import Cells, is_hole, is_number, read_cells
from lossopt_cli.data.kept import KeptRun
from lossopt_cli.data.problem import Column
from lossopt_cli.data.tables import with_points
from lossopt_cli.data.unseen import Unseen, class_codes, code_of_category, refuse_columns
from lossopt_cli.errors import Fault, UsageError

NUMBERED = re.compile(r"column_\d+")


def read_unseen_table(path: Path, kept: KeptRun) -> Unseen:
    """The rows of a csv file. Missing values are an error, are dropped with their row or are filled with the mean (the
    most frequent category) of the training rows, as `data.missing` of the run says."""
    cells = _cells(path, kept)
    lines = cells.lines
    if not cells.rows:
        raise UsageError(Fault(f"{path.name} has no rows of data", str(path), "at least one example"))
    missing = [column.name for column in kept.inputs.columns if column.name not in cells.names]
    if missing:
        refuse_columns(path.name, missing, cells.names, kept)
    table = _Table(path, with_points(cells)[0], kept)
    table, notes = table.without_holes()
    others = [name for name in cells.names if name not in table.used]
    if others:
        notes.insert(0, f"not used, since the model does not know them: {', '.join(others)}")
    inputs = np.stack([table.values(column, notes) for column in kept.inputs.columns], axis=1)
    rows, count = np.searchsorted(lines, table.cells.lines), len(table.cells.rows)
    found = Unseen(path.name, inputs, None, rows, notes=tuple(notes), sha256=cells.sha256)
    if not table.labelled:
        return found
    truth = table.column(kept.target)
    if kept.task == "regression":
        return replace(found, targets=table.numbers(kept.target, truth, np.arange(count)))
    codes, said = class_codes(path.name, truth, kept)
    return replace(found, targets=codes, notes=(*notes, *said)).take(np.flatnonzero(codes >= 0))


def _cells(path: Path, kept: KeptRun) -> Cells:
    """The cells under the run's names: those of the first row; where the training file had no names, by position."""
    known = [column.name for column in kept.inputs.columns]
    cells = read_cells(path, True, None, fewest=1)
    if {*known, kept.target} & set(cells.names):
        return cells
    if not all(NUMBERED.fullmatch(name) for name in (*known, kept.target)):
        refuse_columns(path.name, known, cells.names, kept)
    cells = read_cells(path, False, None, fewest=1)
    if len(cells.names) == len(known):  # all but the target
        return replace(cells, names=tuple(known))
    if len(cells.names) != len(known) + 1:
        what = f"{path.name} has {len(cells.names)} columns without names"
        expected = f"{len(known) + 1} columns as the training data had, or {len(known)} without the target"
        raise UsageError(Fault(what, "--data", expected))
    return cells


@dataclass(frozen=True)
class _Table:
    """The cells of a file with every column of the run, and perhaps its target."""

    path: Path
    cells: Cells
    kept: KeptRun

    def column(self, name: str) -> list[str]:
        place = self.cells.names.index(name)
        return [row[place] for row in self.cells.rows]

    @property
    def labelled(self) -> bool:
        """Whether the target is there; a column without a single value is none."""
        target = self.kept.target
        return target in self.cells.names and not all(map(is_hole, self.column(target)))

    @property
    def used(self) -> list[str]:
        names = [column.name for column in self.kept.inputs.columns]
        return [*names, self.kept.target] if self.labelled else names

    def without_holes(self) -> tuple["_Table", list[str]]:
        """Without the rows that `data.missing` drops; UsageError for holes that it does not fill."""
        missing, target = self.kept.config.data.missing, self.kept.target
        names = set(self.used) - ({target} if missing == "mean" else set())
        must = names if missing != "mean" else {target} & set(self.used)
        places = [place for place, name in enumerate(self.cells.names) if name in must]
        rows = self.cells.rows
        bad = {number: place for number, row in enumerate(rows) for place in places if is_hole(row[place])}
        if not bad:
            return self, []
        if missing == "drop" and len(bad) < len(rows):
            keep = [number for number in range(len(rows)) if number not in bad]
            lines = [self.cells.lines[number] for number in keep]
            cells = replace(self.cells, rows=[rows[number] for number in keep], lines=lines)
            return replace(self, cells=cells), [f"{len(bad)} of {len(rows)} rows left out for missing values"]
        number, place = next(iter(bad.items()))
        line, name = self.cells.lines[number], self.cells.names[place]
        more = f"; {len(bad)} rows have such" if len(bad) > 1 else ""
        raise UsageError(
            Fault(f"missing value in line {line}, column '{name}'{more}", f"{self.path}:{line}",
                  f"a value in every cell, as in the training data (data.missing: {missing})",
                  "fill them in, or take the rows out" if name != target else "without the target column there are "
                  "predictions alone")
        )  # fmt: skip

    def values(self, column: Column, notes: list[str]) -> np.ndarray:
        """The column as the run has it, float64 [n]: numbers, or the codes of the training categories."""
        cells = self.column(column.name)
        full = np.array([not is_hole(cell) for cell in cells])
        there = [cell for cell, is_full in zip(cells, full, strict=True) if is_full]
        values = np.full(len(cells), self.kept.fill(column))
        if column.categories is None:
            values[full] = self.numbers(column.name, there, np.flatnonzero(full))
        else:
            values[full] = code_of_category(column, there)
            if strange := sorted({cell for cell in there if cell not in column.categories}):
                shown = ", ".join(f"'{text}'" for text in strange[:3]) + (", ..." if len(strange) > 3 else "")
                count = int((values < 0).sum())
                notes.append(f"column '{column.name}': {shown} in {count} rows, which training never had: none of its "
                             f"categories")  # fmt: skip
        if not full.all():
            filled = "mean" if column.categories is None else "most frequent category"
            notes.append(f"column '{column.name}': {int((~full).sum())} missing values take the training {filled}")
        return values

    def numbers(self, name: str, cells: Sequence[str], rows: np.ndarray) -> np.ndarray:
        """float64 [n] of cells, which stand in these rows. UsageError at the first that is no finite number."""
        bad = [place for place, cell in enumerate(cells) if not is_number(cell) or not np.isfinite(float(cell))]
        if bad:
            line = self.cells.lines[rows[bad[0]]]
            more = f", and {len(bad) - 1} more" if len(bad) > 1 else ""
            what = f"column '{name}' is a number in the training data, and '{cells[bad[0]]}' in line {line}{more}"
            raise UsageError(Fault(what, f"{self.path}:{line}", "finite numbers"))
        return np.array(cells, dtype=np.float64)
