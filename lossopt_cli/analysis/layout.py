"""Cells side by side in a given width: which columns fit, long names folded, heads of two lines."""

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace

GAP = " "
FOLDS = re.compile(r"(?<= \+ )|(?=:)|(?<=,)")  # where the name of a recipe may go on in the next line


@dataclass(frozen=True)
class Block:
    """A column ready to print: its head (two lines), its cells, and how wide it is."""

    name: str
    head: tuple[str, str]
    cells: tuple[str, ...]
    left: bool
    wanted: int
    width: int
    room_to_grow: int = 0


def block(name: str, head: tuple[str, str], cells: Sequence[str], *, left: bool, wanted: int) -> Block:
    """As wide as its widest text."""
    return Block(name, head, tuple(cells), left, wanted, max(map(len, [*head, *cells])))


def narrowed(column: Block, room: int) -> Block:
    """No wider than `room`: its cells are folded."""
    if column.width <= room:
        return column
    widest = max(len(line) for cell in column.cells for line in folded(cell, room))
    return replace(column, width=max(widest, *map(len, column.head)))


def chosen(columns: Sequence[Block], width: int) -> list[Block]:
    """Those that fit, the most wanted first; in the order in which they were given."""
    kept: list[Block] = []
    for column in sorted(columns, key=lambda column: column.wanted):
        if _total([*kept, column]) <= width or column.wanted == 1:
            kept.append(column)
    return grown([column for column in columns if column in kept], width)


def grown(columns: Sequence[Block], width: int) -> list[Block]:
    """What can grow takes the room that is left."""
    left = width - _total(columns)
    found = []
    for column in columns:
        more = max(0, min(left, column.room_to_grow))
        found.append(replace(column, width=column.width + more))
        left -= more
    return found


def split(columns: Sequence[Block], width: int) -> list[list[Block]]:
    """Tables beside each other that are each no wider than `width`; each begins with the first column."""
    first, *others = columns
    tables, table = [], [first]
    for column in others:
        if len(table) > 1 and _total([*table, column]) > width:
            tables.append(table)
            table = [first]
        table.append(column)
    return [*tables, table]


def lines(columns: Sequence[Block], place: int) -> list[str]:
    """The row at this place; several lines where a cell is folded."""
    cells = [folded(column.cells[place], column.width) for column in columns]
    height = max(map(len, cells))
    return [_line(columns, [cell[row] if row < len(cell) else "" for cell in cells]) for row in range(height)]


def head(columns: Sequence[Block]) -> list[str]:
    found = [_line(columns, [column.head[row] for column in columns]) for row in (0, 1)]
    return [line for line in found if line]


def folded(text: str, room: int) -> list[str]:
    """A name in lines of at most `room` signs, folded after ` + ` and before `:`; the rest is indented by one."""
    if len(text) <= room:
        return [text]
    found, line = [], ""
    for piece in FOLDS.split(text):
        if line.strip() and len((line + piece).rstrip()) > room:
            found.append(line.rstrip())
            line = " "
        line += piece
    pieces = [*found, line.rstrip()]
    return [part for line in pieces for part in _cut(line, room)]


def wrapped(text: str, width: int, indent: str = "", first: str | None = None) -> list[str]:
    """A sentence in lines of at most `width` signs."""
    begin = indent if first is None else first
    options = {"break_long_words": False, "break_on_hyphens": False}
    return textwrap.wrap(text, width, initial_indent=begin, subsequent_indent=indent, **options)


def _cut(line: str, room: int) -> list[str]:
    """A name without a place to fold is cut."""
    return [line[start : start + room] for start in range(0, max(len(line), 1), max(room, 1))]


def _line(columns: Sequence[Block], cells: Sequence[str]) -> str:
    padded = [
        cell.ljust(column.width) if column.left else cell.rjust(column.width)
        for column, cell in zip(columns, cells, strict=True)
    ]
    return GAP.join(padded).rstrip()


def _total(columns: Sequence[Block]) -> int:
    return sum(column.width for column in columns) + len(GAP) * (len(columns) - 1)
