"""The learning rate of a recipe: chosen on validation by some trials, reported by others (rules 1, 3 and 7)."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from lossopt_cli.analysis.arms import VALIDATION, View, arms_of
from lossopt_cli.analysis.comparison import Arm, Edge
from lossopt_cli.analysis.recipes import Recipe
from lossopt_cli.errors import Fault, UsageError
from lossopt_cli.runs.records import LeftOut, Record

TUNING, REPORT = "tuning", "report"


@dataclass(frozen=True, eq=False)
class Tried:
    """A recipe with its rates.

    arms: of the trials that report, whose runs are `reporting`. tuning: of those that chose, where they are others.
    seen: the arms that chose, as they scored on validation (on the compared split where there is no validation).
    chosen: the place of the chosen rate in `arms`. unconfirmed: whether the chosen rate has no trials that report, so
    that those that chose stand for them."""

    name: str
    recipe: Recipe
    arms: tuple[Arm, ...]
    tuning: tuple[Arm, ...]
    seen: tuple[Arm, ...]
    chosen: int
    edge: Edge | None
    reporting: tuple[Record, ...]
    unconfirmed: bool = False

    @property
    def arm(self) -> Arm:
        return self.arms[self.chosen]

    @property
    def records(self) -> list[Record]:
        """Of the trials at the chosen rate that report."""
        return [record for record in self.reporting if record.learning_rate == self.arm.learning_rate]

    def seen_by(self, view: View) -> "Tried":
        """The same choice in another view; `tuning` and `seen` stay as they were."""
        return replace(self, arms=arms_of(self.reporting, view))

    @property
    def mean(self) -> float:
        return mean_score(self.arm)

    @property
    def judged(self) -> bool:
        """Whether it may be called better or worse: tuned, or a setting of one rate; and not lost."""
        return self.edge is None and not self.arm.is_lost


def tried(name: str, recipe: Recipe, view: View) -> Tried:
    """The recipe at the rate that validation chooses. UsageError where there are several and no validation data."""
    choosing, reporting = by_role(recipe.records)
    by_validation = all(record.sizes.get(VALIDATION) for record in choosing)
    seen = arms_of(choosing, replace(view, split=VALIDATION if by_validation else view.split))
    if len(seen) > 1 and not by_validation:
        raise UsageError(_nothing_to_choose_by(name, seen))
    place = best_place(seen, view)
    arms = arms_of(reporting, view)
    rates = [arm.learning_rate for arm in arms]
    unconfirmed = seen[place].learning_rate not in rates
    if unconfirmed:
        reporting, arms = choosing, arms_of(choosing, view)
        rates = [arm.learning_rate for arm in arms]
    chosen = rates.index(seen[place].learning_rate)
    return Tried(
        name=name,
        recipe=recipe,
        arms=arms,
        tuning=() if reporting == choosing else arms_of(choosing, view),
        seen=seen,
        chosen=chosen,
        edge=edge_of(seen, place),
        reporting=tuple(reporting),
        unconfirmed=unconfirmed,
    )


def by_role(records: Sequence[Record]) -> tuple[list[Record], list[Record]]:
    """The trials that choose and those that report: all do both, unless some were trained for the one or the other."""
    tuning = [record for record in records if record.role == TUNING]
    report = [record for record in records if record.role == REPORT]
    others = [record for record in records if record.role not in (TUNING, REPORT)]
    if tuning:
        return tuning, report + others
    return (others, report) if report and others else (list(records), list(records))


def best_place(arms: Sequence[Arm], view: View) -> int:
    """Of the best mean over its seeds; of equals the smallest rate."""
    means = [mean_score(arm) for arm in arms]
    return max(range(len(arms)), key=lambda place: (means[place] if view.higher else -means[place], -place))


def mean_score(arm: Arm) -> float:
    """Exact, so that equal scores in another order tie."""
    return math.fsum(arm.scores) / len(arm.scores)


def edge_of(arms: Sequence[Arm], place: int) -> Edge | None:
    """Why the best of several rates may not be the best there is (rule 3); None where its neighbours are worse."""
    if len(arms) < 2 or arms[place].is_lost:
        return None
    if place == 0:
        return "lowest"
    if place == len(arms) - 1:
        return "highest"
    return "stability" if all(arm.is_lost for arm in arms[place + 1 :]) else None


def without_copies(recipe: Recipe) -> tuple[Recipe, list[LeftOut], list[str]]:
    """The recipe with each trial once; what is left out for that; and a sentence for each trial whose copies differ,
    which are kept and averaged within the seed."""
    trials: dict[tuple, list[Record]] = defaultdict(list)
    for record in sorted(recipe.records, key=lambda record: (record.began_at, record.folder)):
        trials[record.role, record.learning_rate, record.seed].append(record)
    left_out: list[LeftOut] = []
    warnings: list[str] = []
    for trial, copies in trials.items():
        kept = _different(copies)
        first = kept[0].folder
        left_out += [LeftOut(copy.folder, "copy", f"the trial of {first}") for copy in copies if copy not in kept]
        trials[trial] = kept
        if len(kept) > 1:
            others = ", ".join(str(copy.folder) for copy in kept[1:])
            warnings.append(f"{first} and {others} are one trial with other numbers: averaged")
    records = tuple(record for copies in trials.values() for record in copies)
    return replace(recipe, records=records), left_out, warnings


def _different(copies: Iterable[Record]) -> list[Record]:
    """Those whose metrics no earlier one has."""
    found: list[Record] = []
    for record in copies:
        if all(record.metrics != other.metrics or record.lost != other.lost for other in found):
            found.append(record)
    return found


def _nothing_to_choose_by(name: str, arms: Sequence[Arm]) -> Fault:
    return Fault(
        what=f"{name} has {len(arms)} learning rates, and there are no validation data to choose one by",
        where="data.split",
        expected="validation data, or one learning rate for each recipe: test data are never used to choose",
        remedy="train again with a validation part, for example --set data.split=[0.7,0.2,0.1]",
    )
