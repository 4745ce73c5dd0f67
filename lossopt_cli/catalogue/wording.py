"""Nouns as so many of them are called, for the sentences of every layer."""


def counted(count: int, noun: str) -> str:
    """`1 seed`, `8 epochs`, `2 losses`, `3 batches`, `2 entries`."""
    return f"{count:,} {plural(noun, count)}"


def plural(noun: str, count: int) -> str:
    """The noun as `count` of them are called."""
    if count == 1:
        return noun
    if noun.endswith("y") and noun[-2] not in "aeou":
        return noun[:-1] + "ies"
    return noun + ("es" if noun.endswith(("s", "x", "tch")) else "s")


def ago(seconds: float) -> str:
    """`12 s ago`, `5 min ago`, `2 h ago`, `3 days ago`: how long since, in the largest unit that there is one of."""
    for unit, length in (("day", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            count = int(seconds // length)
            return f"{counted(count, unit)} ago" if unit == "day" else f"{count} {unit} ago"
    return f"{max(int(seconds), 0)} s ago"
