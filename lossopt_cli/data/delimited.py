"""Rows of cells from a delimited text file: encoding, delimiter, header, ragged rows."""

import csv
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lossopt_cli.errors import Fault, UsageError

_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_HOLES = frozenset({"", "na", "n/a", "#n/a", "nan", "null", "none", "?"})


@dataclass(frozen=True)
class Cells:
    """The cells of a table as text, without the header. lines: the line of the file on which each row
    ends. has_header: whether the names are those of the first row."""

    names: tuple[str, ...]
    rows: list[list[str]]
    lines: list[int]
    sha256: str
    notes: tuple[str, ...]
    has_header: bool


def is_hole(cell: str) -> bool:
    """Whether a cell means "missing": empty, NA, N/A, NaN, null, None or ?."""
    return cell.casefold() in _HOLES


def is_number(cell: str) -> bool:
    """Whether a cell is a number as Python writes one; 1_000 is none."""
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell


def read_cells(path: Path, header: bool | None, target: str | int | None, fewest: int = 2) -> Cells:
    """The table in the file, cells stripped of blanks. UsageError for every file that is no table.

    header: whether the first row has the names of the columns; None: detected, where `target` is one of its
    cells or text stands over numbers. fewest: columns that there must be. Blank lines are skipped.
    """
    content = _bytes(path)
    text = _decoded(path, content)
    delimiter = _delimiter(text)
    rows, lines = _parsed(path, text, delimiter)
    if not rows:
        raise UsageError(Fault(f"{path.name} is empty", str(path), "a table: a row an example, columns by commas"))
    _check_widths(path, rows, lines, delimiter)
    if len(rows[0]) < fewest:
        raise UsageError(
            Fault(
                f"{path.name} has one column",
                str(path),
                "columns separated by commas, semicolons or tabs; one of them the target",
            )
        )
    notes = [] if delimiter == "," else [f"columns are separated by {_DELIMITERS[delimiter]}s"]
    detected = has_header(rows, target) if header is None else header
    if header is None:
        if detected:
            notes.append("the first row names the columns; if it is data: --set data.header=false")
        else:
            notes.append(
                "the first row is data, and columns are called column_0, column_1, ...; if it names them: "
                "--set data.header=true"
            )
    names, more = _named(rows[0]) if detected else ([f"column_{k}" for k in range(len(rows[0]))], [])
    start = int(detected)
    sha = hashlib.sha256(content).hexdigest()
    return Cells(tuple(names), rows[start:], lines[start:], sha, (*notes, *more), detected)


def has_header(rows: Sequence[Sequence[str]], target: str | int | None = None) -> bool:
    """Whether the first row names the columns.

    It does where it holds the name of the target, or more of its cells are text over numbers than are numbers
    over numbers. Without a column of numbers: where its cells differ and none of them comes again in its
    column.
    """
    first, body = [cell.strip() for cell in rows[0]], rows[1:201]
    if isinstance(target, str) and target in first and not is_number(target):
        return True
    if not body:
        return not any(is_number(cell) for cell in first)
    votes = []
    for place, cell in enumerate(first):
        below = [row[place] for row in body if not is_hole(row[place])]
        if below and all(is_number(b) for b in below) and not is_hole(cell):
            votes.append(not is_number(cell))
    if votes:
        return sum(votes) * 2 > len(votes)
    columns = [{row[place] for row in body} for place in range(len(first))]
    unlike = all(cell not in column for cell, column in zip(first, columns, strict=True))
    return len(set(first)) == len(first) and unlike and not any(is_hole(c) or is_number(c) for c in first)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(Fault(f"{path.name} cannot be read: {error.strerror}", str(path))) from error


def _decoded(path: Path, content: bytes) -> str:
    wide = content[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        return content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UsageError(
            Fault(
                f"{path.name} is not UTF-8 text: byte 0x{content[error.start]:02x} in line {line}",
                f"{path}:{line}",
                "a text file in UTF-8",
                f"save it as UTF-8, or: iconv -f latin1 -t utf-8 {path.name} > utf8.csv",
            )
        ) from error


def _delimiter(text: str) -> str:
    """The separator that gives the first lines the same number of columns, the more the better; else a
    comma."""
    head = [line for line in text[:100_000].splitlines()[:50] if line.strip()]
    best, best_score = ",", (0.0, 0)
    for delimiter in _DELIMITERS:
        try:
            widths = [len(row) for row in csv.reader(head, delimiter=delimiter)]
        except csv.Error:
            continue
        common = max(set(widths), key=widths.count) if widths else 1
        score = (widths.count(common) / len(widths), common) if common > 1 else (0.0, 0)
        if score > best_score:
            best, best_score = delimiter, score
    return best


def _parsed(path: Path, text: str, delimiter: str) -> tuple[list[list[str]], list[int]]:
    reader = csv.reader(text.splitlines(keepends=True), delimiter=delimiter, skipinitialspace=True)
    rows, lines = [], []
    try:
        for row in reader:
            if row and (len(row) > 1 or row[0].strip()):
                rows.append([cell.strip() for cell in row])
                lines.append(reader.line_num)
    except csv.Error as error:
        raise UsageError(Fault(f"{path.name} is no table: {error}", f"{path}:{reader.line_num}")) from error
    return rows, lines


def _check_widths(path: Path, rows: list[list[str]], lines: list[int], delimiter: str) -> None:
    width = len(rows[0])
    ragged = [(line, len(row)) for row, line in zip(rows, lines, strict=True) if len(row) != width]
    if not ragged:
        return
    shown = "; ".join(f"line {line} has {found}" for line, found in ragged[:5])
    more = f"; and {len(ragged) - 5} more lines" if len(ragged) > 5 else ""
    raise UsageError(
        Fault(
            f"rows of different length: {shown}{more}",
            f"{path}:{ragged[0][0]}",
            f"{width} columns separated by {_DELIMITERS[delimiter]}s in every row, as in the first",
            'a cell with the separator in it needs quotes: "a, b"',
        )
    )


def _named(first: list[str]) -> tuple[list[str], list[str]]:
    """Names of columns: an empty one gets its number, one that comes again a number as well."""
    names: list[str] = []
    for place, cell in enumerate(first):
        name, count = cell or f"column_{place}", 1
        while name in names:
            count += 1
            name = f"{cell}_{count}"
        names.append(name)
    changed = [n for n, cell in zip(names, first, strict=True) if n != cell]
    return names, [f"columns without a name of their own are called {', '.join(changed)}"] if changed else []
