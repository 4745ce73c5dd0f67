"""A table from a csv file: what every column is, and what is missing."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from lossopt_cli.catalogue.rows import Task
from lossopt_cli.catalogue.wording import counted
from lossopt_cli.config.schema import DataConfig
from lossopt_cli.data.delimited import Cells, is_hole, is_number, read_cells
from lossopt_cli.data.examples import Examples, data_name
from lossopt_cli.data.problem import Column
from lossopt_cli.data.table_targets import label_codes, read_target, target_place
from lossopt_cli.errors import Fault, UsageError

_CATEGORIES_AT_MOST = 100


def read_table(path: Path, config: DataConfig, tasks: tuple[Task, ...] | None) -> Examples:
    """The examples of a csv file: float64 [N, columns], NaN where a cell is missing, categories as codes in
    the order of their names. A column is numeric where every cell is a number, categorical where hardly any
    is."""
    cells = read_cells(path, config.header, config.target)
    _check_rows(path, cells)
    place, target_note = target_place(path, cells.names, config.target)
    lines = cells.lines
    cells, missing_notes = _without_holes(path, cells, place, config.missing)
    cells, decimal_notes = with_points(cells)
    target = read_target(path, cells, place, config.task, tasks)
    columns, values = _columns(path, cells, place)
    categorical = [c.name for c in columns if c.categories is not None]
    column_notes = [f"one-hot: {', '.join(categorical)}"] if categorical else []
    name, called = cells.names[place], data_name(config, path)
    return Examples(
        name=called,
        family=target.family,
        raw=values,
        targets=target.values,
        inputs=columns,
        describe=lambda classes, count: _description(called, count, columns, name, classes),
        classes=target.classes,
        rows=np.searchsorted(lines, cells.lines),
        target=name,
        notes=(*cells.notes, target_note, *target.notes, *decimal_notes, *missing_notes, *column_notes),
        facts={
            "sha256": cells.sha256,
            "target": name,
            "rows": len(cells.rows),
            "missing": config.missing if missing_notes else None,
            "header": cells.has_header,
        },
    )


def _description(
    name: str, count: int, columns: tuple[Column, ...], target: str, classes: tuple[str, ...] | None
) -> str:
    width = counted(len(columns), "column")
    if classes is None:
        return f"{name}: {count} rows, {width} -> {target}"
    shown = " or ".join(classes) if len(classes) == 2 else f"{len(classes)} classes"
    return f"{name}: {count} rows, {width} -> {target} ({shown})"


def _check_rows(path: Path, cells: Cells) -> None:
    count = len(cells.rows)
    if count < 2:
        raise UsageError(
            Fault(
                f"{path.name} has {counted(count, 'row')} of data",
                str(path),
                "at least two examples",
                "if the first row is data, not names: --set data.header=false" if not count else None,
            )
        )


def _without_holes(path: Path, cells: Cells, place: int, missing: str) -> tuple[Cells, list[str]]:
    """The cells without the rows that `data.missing` drops; holes that are to be filled stay."""
    holes = [(r, c) for r, row in enumerate(cells.rows) for c, cell in enumerate(row) if is_hole(cell)]
    if not holes:
        return cells, []
    count = counted(len(holes), "missing value")
    in_target = [hole for hole in holes if hole[1] == place]
    if missing == "drop":
        bad = {r for r, _ in holes}
        keep = [r for r in range(len(cells.rows)) if r not in bad]
        if len(keep) < 2:
            raise UsageError(
                Fault(f"only {counted(len(keep), 'row')} left without {count}", str(path), "two or more",
                      "data.missing=mean fills them with the mean of the training rows")
            )  # fmt: skip
        kept = replace(cells, rows=[cells.rows[r] for r in keep], lines=[cells.lines[r] for r in keep])
        return kept, [f"{len(bad)} of {len(cells.rows)} rows left out for {count}"]
    if missing == "mean" and not in_target:
        return cells, [f"{count} filled with the mean (or most frequent category) of the training rows"]
    row, column = (in_target if missing == "mean" else holes)[0]
    by_column = ", ".join(
        f"'{cells.names[c]}' {sum(1 for _, k in holes if k == c)}" for c in sorted({c for _, c in holes})[:5]
    )
    what = (
        f"missing target in line {cells.lines[row]}: a target cannot be filled ({len(in_target)} missing)"
        if missing == "mean"
        else f"{count}, the first in line {cells.lines[row]}, column '{cells.names[column]}' ({by_column})"
    )
    raise UsageError(
        Fault(
            what,
            f"{path}:{cells.lines[row]}",
            "a value in every cell",
            "data.missing=drop leaves such rows out"
            + ("" if in_target else "; data.missing=mean fills them with the mean of the training rows"),
        )
    )


def with_points(cells: Cells) -> tuple[Cells, list[str]]:
    """Columns of numbers written with a decimal comma (1,5) written with a point."""
    changed = []
    for place, name in enumerate(cells.names):
        column = [row[place] for row in cells.rows if not is_hole(row[place])]
        commas = any("," in cell for cell in column)
        if commas and all(cell.count(",") <= 1 and is_number(cell.replace(",", ".")) for cell in column):
            changed.append((place, name))
    if not changed:
        return cells, []
    places = {place for place, _ in changed}
    rows = [[c.replace(",", ".") if k in places else c for k, c in enumerate(row)] for row in cells.rows]
    return replace(cells, rows=rows), [f"decimal commas in: {', '.join(name for _, name in changed)}"]


def _columns(path: Path, cells: Cells, target: int) -> tuple[tuple[Column, ...], np.ndarray]:
    """The columns but the target and their values, float64 [N, columns]; all that is wrong with them at
    once."""
    columns, values, faults = [], [], []
    for place, name in enumerate(cells.names):
        if place == target:
            continue
        column, codes, fault = _column(path, cells, place, name)
        columns.append(column)
        values.append(codes)
        faults += [fault] if fault else []
    if faults:
        raise UsageError(*faults)
    table = np.stack(values, axis=1)
    if all(np.nanmin(v) == np.nanmax(v) for v in values if not np.isnan(v).all()):
        raise UsageError(
            Fault(
                "every column but the target has one value only: nothing to learn from",
                str(path),
                "a column with different values",
            )
        )
    return tuple(columns), table


def _column(path: Path, cells: Cells, place: int, name: str) -> tuple[Column, np.ndarray, Fault | None]:
    """A column, its values with NaN for holes, and what is wrong with it."""
    text = [row[place] for row in cells.rows]
    full = np.array([not is_hole(cell) for cell in text])
    present = [cell for cell in text if not is_hole(cell)]
    values = np.full(len(text), np.nan)
    bad = [(cells.lines[r], c) for r, c in enumerate(text) if full[r] and not is_number(c)]
    if not bad:
        values[full] = np.array(present, dtype=np.float64)
        infinite = np.flatnonzero(np.isinf(values))
        if len(infinite):
            line = cells.lines[infinite[0]]
            fault = Fault(f"column '{name}' is infinite in line {line}", f"{path}:{line}", "finite numbers")
            return Column(name), values, fault
        return Column(name), values, None
    line, cell = bad[0]
    if len(bad) < 0.1 * len(present):
        more = f" and {len(bad) - 1} more like it" if len(bad) > 1 else ""
        fault = Fault(f"column '{name}' has numbers, but '{cell}' in line {line}{more}", f"{path}:{line}", "a number")
        return Column(name), values, fault
    categories, codes = label_codes(present)
    values[full] = codes
    if len(categories) > _CATEGORIES_AT_MOST:
        fault = Fault(
            f"column '{name}' is text with {len(categories)} different values ('{cell}' in line {line})",
            str(path),
            f"numbers, or at most {_CATEGORIES_AT_MOST} categories",
            "leave the column out of the file (names and dates of examples are nothing to learn from)",
        )
        return Column(name), values, fault
    return Column(name, categories=categories), values, None
