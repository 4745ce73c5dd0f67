"""Rows of values as a table to read, JSON, CSV, Markdown or LaTeX. Full precision where machines read."""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import PurePath

from lossopt_cli.analysis import escapes

FORMATS = ("table", "json", "csv", "markdown", "latex")


def render_rows(format: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """One text in one of FORMATS. JSON is a list of objects, one a row."""
    if format == "json":
        return json_text([dict(zip(columns, row, strict=True)) for row in rows])
    if format == "csv":
        return _csv(columns, rows)
    cells = [[_cell(value) for value in row] for row in rows]
    if format == "markdown":
        return _markdown(columns, rows, cells)
    if format == "latex":
        return _latex(columns, rows, cells)
    return _table(columns, rows, cells)


def duration(seconds: float) -> str:
    """`0.4 s`, `12 s`, `3 min 05 s`, `2 h 07 min`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def size(count: int) -> str:
    """Bytes as `1.6 GB`, `181 MB`, `12 kB` or `700 B`, in powers of 1000 as disks are sold."""
    for unit, length in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= length:
            return f"{count / length:.1f} {unit}" if count < 10 * length else f"{count / length:.0f} {unit}"
    return f"{count} B"


def json_text(value: object) -> str:
    """Strict JSON, indented by 2: full precision, null for what is not finite, no NaN."""
    return json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False)


def plain(value: object) -> object:
    """The value in the types that JSON has; a float that is not finite is None, a path its text."""
    if value is None or isinstance(value, bool | str | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, PurePath):
        return str(value)
    import numpy as np

    if isinstance(value, np.generic | np.ndarray):
        return plain(value.tolist())
    raise TypeError(f"no JSON for {type(value).__name__}")


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(value: object) -> str:
    """As a person reads it: four significant digits, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(_cell, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _is_numeric(rows: Sequence[Sequence[object]], place: int) -> bool:
    values = [row[place] for row in rows if row[place] is not None]
    return bool(values) and all(map(is_number, values))


def _table(columns: Sequence[str], rows: Sequence[Sequence[object]], cells: list[list[str]]) -> str:
    """Two blanks between columns, numbers to the right, no ruler lines."""
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    right = [_is_numeric(rows, place) for place in range(len(columns))]

    def line(texts: Sequence[str]) -> str:
        padded = [
            text.rjust(width) if to_right else text.ljust(width)
            for text, width, to_right in zip(texts, widths, right, strict=True)
        ]
        return "  ".join(padded).rstrip()

    return "\n".join(map(line, [columns, *cells]))


def _csv(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    sheet = io.StringIO()
    writer = csv.writer(sheet, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        values = [plain(value) for value in row]
        writer.writerow(["" if v is None else json.dumps(v) if isinstance(v, list | dict) else v for v in values])
    return sheet.getvalue()


def _markdown(columns: Sequence[str], rows: Sequence[Sequence[object]], cells: list[list[str]]) -> str:
    rule = ["---:" if _is_numeric(rows, place) else "---" for place in range(len(columns))]

    def line(texts: Sequence[str]) -> str:
        return "| " + " | ".join(map(escapes.markdown, texts)) + " |"

    return "\n".join(map(line, [columns, rule, *cells]))


def _latex(columns: Sequence[str], rows: Sequence[Sequence[object]], cells: list[list[str]]) -> str:
    """A booktabs tabular."""
    alignment = "".join("r" if _is_numeric(rows, place) else "l" for place in range(len(columns)))

    def line(texts: Sequence[str]) -> str:
        return " & ".join(map(escapes.latex, texts)) + r" \\"

    body = [line(row) for row in cells]
    head = [rf"\begin{{tabular}}{{{alignment}}}", r"\toprule", line(columns), r"\midrule"]
    return "\n".join([*head, *body, r"\bottomrule", r"\end{tabular}"])
