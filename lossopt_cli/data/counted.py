"""A text that is told again and again while something takes long."""


class Counted(str):
    """`4,000 of 20,000 images decoded`: how many of many are done. A screen shows the last of them in one line; for
    whoever knows texts only it is one. Told from `done` 0 or more up to `count`, which ends it."""

    done: int
    count: int
    what: str

    def __new__(cls, done: int, count: int, what: str) -> "Counted":
        text = super().__new__(cls, f"{done:,} of {count:,} {what}")
        text.done, text.count, text.what = done, count, what
        return text

    def __getnewargs__(self) -> tuple[int, int, str]:
        """So that it travels between processes."""
        return self.done, self.count, self.what
