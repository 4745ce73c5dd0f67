"""Nouns as so many of them are called, for the sentences of every layer."""


def counted(count: int, noun: str) -> str:
    """`1 seed`, `8 epochs`, `2 losses`, `3 batches`."""
    return f"{count:,} {plural(noun, count)}"


def plural(noun: str, count: int) -> str:
    """The noun as `count` of them are called."""
    if count == 1:
        return noun
    return noun + ("es" if noun.endswith(("s", "x", "tch")) else "s")
