"""Tables as CSV, fast and with the same bytes for the same numbers."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

DIGITS = (6, 7, 8, 9)  # a float32 has at most one name of 6 digits; 9 digits name every float32
DECADES = (-14, 27)  # 10^x for these x needs powers up to 10^22 only, the largest that is exact in float64


def csv_text(columns: Mapping[str, Sequence]) -> str:
    """A header and one line per row; `\\n` ends a line.

    Floats are the shortest decimals that read back as the same value of their own type (float32 or float64),
    `nan`, `inf`, `-inf`; integers are integers, truth is `true` or `false`, None is an empty cell. All
    columns have one length."""
    cells = [_cells(column) for column in columns.values()]
    lines = [",".join(map(_quoted, columns))]
    lines.extend(map(",".join, zip(*cells, strict=True)))
    return "\n".join(lines) + "\n"


def read_columns(file: Path) -> dict[str, np.ndarray]:
    """The columns of a table of numbers as float64, by name; an empty cell is NaN.

    OSError where there is no such file, ValueError where it is not whole or holds something else."""
    head, *lines = file.read_text(encoding="utf-8").splitlines()
    names = head.split(",")
    rows = [line.split(",") for line in lines]
    if any(len(row) != len(names) for row in rows):
        raise ValueError(f"{file.name}: a line without {len(names)} cells")
    cells = np.array([float(cell) if cell else math.nan for row in rows for cell in row])
    return dict(zip(names, cells.reshape(-1, len(names)).T, strict=True))


def shortest(values: np.ndarray) -> list[float]:
    """Python floats whose repr is the shortest decimal that reads back as `values`, float32 [n].

    With 10^k such that 10^k x has d digits, c = rint(10^k x) / 10^k is the float64 nearest to a decimal of d
    digits, so that repr(c) is that decimal; the smallest d for which float32(c) = x is taken. Outside
    DECADES, where 10^k is no float64, NumPy's own printing (Dragon4) does it, value by value."""
    result = values.astype(np.float64)
    pending = np.flatnonzero(np.isfinite(result) & (result != 0))
    decade = np.floor(np.log10(np.abs(result[pending]))).astype(np.int64)
    inside = (decade >= DECADES[0]) & (decade <= DECADES[1])
    slow, pending, decade = pending[~inside], pending[inside], decade[inside]
    for digits in DIGITS:
        up, down = (10.0 ** np.maximum(power, 0) for power in (digits - 1 - decade, decade - digits + 1))
        candidate = np.rint(result[pending] * up / down) / up * down
        wrong = candidate.astype(np.float32) != values[pending]
        result[pending[~wrong]] = candidate[~wrong]
        pending, decade = pending[wrong], decade[wrong]
    for place in [*slow, *pending]:
        result[place] = float(str(values[place]))
    return result.tolist()


def _cells(column: Sequence) -> list[str]:
    array = column if isinstance(column, np.ndarray) else None
    if array is None:
        return [_cell(value) for value in column]
    if array.dtype == np.float32:
        return list(map(repr, shortest(array)))
    if array.dtype == np.float64 or array.dtype.kind in "iu":
        return list(map(repr, array.tolist()))
    return [_cell(value) for value in array.tolist()]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, np.generic):
        return str(value.item() if not isinstance(value, np.float32) else value)
    if isinstance(value, str):
        return _quoted(value)
    return repr(value)


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\n\r') else text
