"""The cells of a sweep: arms at their learning rates with their seeds, each a trial with a folder to be."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from lossopt_cli.data.trial import Trial
from lossopt_cli.errors import Fault, UsageError
from lossopt_cli.sweeps.arms import Arm, Pace, Problems, trial_of
from lossopt_cli.sweeps.naming import trial_name

Role = Literal["measure", "search", "tuning", "refining", "report"]
PASSING = ("measure", "search")  # of which nothing is kept
MANY, TOO_MANY = 10_000, 1_000_000


@dataclass(frozen=True)
class Cell:
    """A trial of a sweep. name: of its folder. recipe: as the screen calls it. role: what its numbers are for, None
    where every rate got every seed; of those to measure a pace or to search a scale nothing is kept. tuned: the
    settings that are chosen as the learning rate is, by dotted key. pace: how it is to be trained, None where that is
    to be found."""

    trial: Trial
    name: str
    recipe: str
    rate: float | None
    role: Role | None = None
    tuned: tuple[str, ...] = ()
    pace: Pace | None = None

    @property
    def seed(self) -> int:
        return self.trial.config.train.seed

    @property
    def key(self) -> str:
        """Equal for the same trial for the same purpose: of what passes, nothing answers another question."""
        return self.trial.hash if self.is_kept else f"{self.role} {self.trial.hash}"

    @property
    def is_kept(self) -> bool:
        """Whether it leaves a run."""
        return self.role not in PASSING

    @property
    def marks(self) -> dict[str, Any]:
        """What its result.json has beside what every run has."""
        return {"role": self.role, "tuned": list(self.tuned)}


def cells_of(
    arms: Iterable[tuple[Arm, Sequence[float | None]]],
    seeds: Sequence[int],
    problems: Problems,
    role: Role | None = None,
) -> list[Cell]:
    """Every arm at each of its rates with every seed, a trial that comes twice once; seeds turn slowest, so that all
    recipes grow together."""
    found: dict[str, Cell] = {}
    arms = list(arms)
    for seed in seeds:
        for arm, rates in arms:
            for rate in rates:
                trial = trial_of(arm, rate, seed, problems)
                name = trial_name(arm.label, rate, seed, trial.hash)
                cell = Cell(trial, name, arm.label, rate, role, tuple(arm.tuned), arm.pace)
                found.setdefault(trial.hash, cell)
    return list(found.values())


def check_count(count: int, how: str, *, agreed: bool) -> None:
    """UsageError for more trials than anyone may want. how: what they come from, as `2 recipes, 1,000 seeds`; agreed:
    whether the user has said --yes, or nothing is trained."""
    what = f"{how}: {count:,} trials"
    if count > TOO_MANY:
        raise UsageError(Fault(what, expected=f"at most {TOO_MANY:,}"))
    if count > MANY and not agreed:
        raise UsageError(
            Fault(what, expected=f"at most {MANY:,} without --yes", remedy="--dry-run says what they cost")
        )
