"""What a check says, and which findings of a run are worth saying."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from lossopt_cli.catalogue.ailments import AILMENTS, BLOCKING


@dataclass(frozen=True)
class Finding:
    """name: one of AILMENTS. learning_rate: one to try, None where the remedy is another.

    epoch: how many were behind when it was first seen; step: the same in steps, 0 for the first batch.
    """

    name: str
    seen: str
    why: str
    remedy: str
    learning_rate: float | None = None
    epoch: float | None = None
    step: int | None = None

    def __str__(self) -> str:
        return f"{self.seen} {self.why} {self.remedy}"


def told(findings: Iterable[Finding]) -> list[Finding]:
    """Each name once, in its last words but at the place where it was first seen, without what another finding says
    better. What was seen on the first batch comes first, for it may be the cause of the others; then by importance."""
    latest: dict[str, Finding] = {}
    for finding in findings:
        first = latest.get(finding.name, finding)
        latest[finding.name] = replace(finding, epoch=first.epoch, step=first.step)
    worth = [
        latest[ailment.name]
        for ailment in AILMENTS
        if ailment.name in latest and not any(name in latest for name in ailment.better_said_by)
    ]
    return sorted(worth, key=lambda finding: finding.step != 0)


def cause_among(findings: Iterable[Finding]) -> Finding | None:
    """What was seen on the first batch and lets nothing be learned; None where there is no such thing."""
    return next((one for one in told(findings) if one.step == 0 and one.name in BLOCKING), None)


def meaning_of(finding: Finding) -> str:
    """What the finding's name means, in a few words."""
    return next(ailment.meaning for ailment in AILMENTS if ailment.name == finding.name)
