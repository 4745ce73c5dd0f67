"""Exit codes, and errors that name the place, the cause and the remedy."""

from dataclasses import dataclass

DONE = 0
FAILED = 1
BAD_USAGE = 2
CHECK_NOT_MET = 3
SWEEP_INCOMPLETE = 4
DIVERGED = 5
INTERRUPTED = 130
TERMINATED = 143


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong.

    what: "unknown loss 'hubr'". where: a flag ("--loss"), a place in a file
    ("mine.yaml:3:7") or a path; None where there is no such thing. expected: what would
    have been right. remedy: what to type or change, often the nearest right name.
    """

    what: str
    where: str | None = None
    expected: str | None = None
    remedy: str | None = None

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        lines = [f"{place}{self.what}"]
        if self.expected:
            lines.append(f"expected {self.expected}")
        if self.remedy:
            lines.append(self.remedy)
        return "\n  ".join(lines)


class LossoptError(Exception):
    """What a user is told instead of a traceback; all faults in one go."""

    exit_code = FAILED

    def __init__(self, *faults: Fault | str):
        self.faults = tuple(Fault(f) if isinstance(f, str) else f for f in faults)
        super().__init__("\n".join(str(f) for f in self.faults))


class UsageError(LossoptError):
    """Bad usage or a bad config: found before anything was trained."""

    exit_code = BAD_USAGE


class Refused(UsageError):
    """A kind of trial that cannot be built: found before one of it was trained."""


class RunError(LossoptError):
    """Failed while running."""

    exit_code = FAILED


class Unobtainable(RunError):
    """What all trials of a kind need cannot be had: one says so, and the others need not try."""


class Terminated(KeyboardInterrupt):
    """SIGTERM came; whoever tidies up after Ctrl-C does the same now."""
