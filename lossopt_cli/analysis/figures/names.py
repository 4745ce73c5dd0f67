"""Long names in several lines, so that they stand beside what they name."""

import re

SETTINGS = re.compile(r"(?<=[:, ])")  # `sgd:`, `momentum=0.9:`, `weight_decay=0.01`
WORDS = re.compile(r"(?<=[_=/+-])")


def in_lines(name: str, room: int) -> str:
    """The name with line breaks after at most `room` signs: between its settings, then between words, at last anywhere;
    those that it has stay."""
    return "\n".join(line for given in name.split("\n") for line in _packed(given, max(room, 1)))


def longest_word(name: str) -> int:
    """Signs between two places where the name may be broken."""
    return max(len(word) for part in re.split(r"[:,\s]", name) for word in WORDS.split(part))


def height(name: str) -> int:
    return name.count("\n") + 1


def width(name: str) -> int:
    return max(map(len, name.split("\n")))


def _packed(text: str, room: int) -> list[str]:
    lines = [""]
    for piece in (piece for part in SETTINGS.split(text) for piece in _pieces(part, room)):
        if lines[-1] and len((lines[-1] + piece).rstrip()) > room:
            lines.append("")
        lines[-1] += piece
    return [line.rstrip() for line in lines]


def _pieces(part: str, room: int) -> list[str]:
    if len(part.rstrip()) <= room:
        return [part]
    return [word[start : start + room] for word in WORDS.split(part) for start in range(0, len(word), room)]
