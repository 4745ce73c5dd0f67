"""The learning rate of a recipe: chosen on validation by some trials, reported by others (rules 1, 3 and 7)."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

from lossopt_cli.analysis.arms import VALIDATION, View, arms_of
from lossopt_cli.analysis.comparison import Arm, Edge
from lossopt_cli.analysis.recipes import Recipe
from lossopt_cli.errors import Fault, UsageError
from lossopt_cli.runs.records import Record

Name = TypeVar("Name")

TUNING, REFINING, REPORT = "tuning", "refining", "report"  # refining: tried because others came out well
ROUNDING = 1e-12  # relative: means of equal counts that were summed in other orders


@dataclass(frozen=True, eq=False)
class Tried:
    """A recipe with its rates.

    arms: of the trials that report, whose runs are `reporting`. tuning: of those that chose, where they are others.
    seen: the arms that chose, as they scored on validation (on the compared split where there is no validation).
    chosen: the place of the chosen rate in `arms`. variants: what `seen` is for every value of the settings that are
    tuned as the rate is; the arms above are those of the best value, `tuned`. grids: the same without what was tried
    because others came out well, and `grid` that of the best value: what tells of rates in general. fewest: the seeds
    that a rate of `seen` must have to be chosen. unconfirmed: whether the chosen rate has no trials that report, so
    that those that chose stand for them."""

    name: str
    recipe: Recipe
    arms: tuple[Arm, ...]
    tuning: tuple[Arm, ...]
    seen: tuple[Arm, ...]
    chosen: int
    edge: Edge | None
    reporting: tuple[Record, ...]
    variants: tuple[tuple[Arm, ...], ...]
    grids: tuple[tuple[Arm, ...], ...]
    grid: tuple[Arm, ...]
    tuned: Mapping[str, Any]
    fewest: int = 1
    unconfirmed: bool = False

    @property
    def arm(self) -> Arm:
        return self.arms[self.chosen]

    @cached_property
    def records(self) -> list[Record]:
        """Of the trials at the chosen rate that report."""
        return [record for record in self.reporting if record.learning_rate == self.arm.learning_rate]

    def equals(self, view: View) -> list[float | None]:
        """The rates whose means on validation are equal to that of the chosen one, which is the first."""
        return [self.seen[place].learning_rate for place in best_places(self.seen, view, self.fewest)]

    def seen_by(self, view: View) -> "Tried":
        """The same choice in another view; `tuning` and `seen` stay as they were."""
        return replace(self, arms=arms_of(self.reporting, view))

    def at_choice(self, view: View) -> "Tried":
        """Its trials at the chosen rate alone, in another view."""
        return replace(self, arms=arms_of(self.records, view), chosen=0, reporting=tuple(self.records))

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
    seen_by = replace(view, split=VALIDATION if by_validation else view.split)
    variants = {value: arms_of(records, seen_by) for value, records in by_variant(recipe, choosing).items()}
    planned = by_variant(recipe, [record for record in choosing if record.role != REFINING])
    grids = {value: arms_of(records, seen_by) for value, records in planned.items()}
    count = sum(map(len, variants.values()))
    if count > 1 and not by_validation:
        raise UsageError(_nothing_to_choose_by(name, count))
    fewest = fewest_seeds(variants.values()) if choosing[0].role in (TUNING, REFINING) else 1
    value = best_variant(variants, view, fewest)
    seen = variants[value]
    place = best_place(seen, view, fewest)
    choosing, reporting = (by_variant(recipe, records).get(value, []) for records in (choosing, reporting))
    unconfirmed = all(record.learning_rate != seen[place].learning_rate for record in reporting)
    if unconfirmed:
        reporting = choosing
    arms = arms_of(reporting, view)
    return Tried(
        name=name,
        recipe=recipe,
        arms=arms,
        tuning=() if reporting == choosing else arms_of(choosing, view),
        seen=seen,
        chosen=[arm.learning_rate for arm in arms].index(seen[place].learning_rate),
        edge=edge_of(seen, place),
        reporting=tuple(reporting),
        variants=tuple(variants.values()),
        grids=tuple(grids.values()),
        grid=grids.get(value, ()),
        tuned=recipe.tuned_in(choosing[0]),
        fewest=fewest,
        unconfirmed=unconfirmed,
    )


def by_variant(recipe: Recipe, records: Iterable[Record]) -> dict[str, list[Record]]:
    """The records by the values of the settings that are tuned as the learning rate is; one group where none is."""
    found: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        found[repr(recipe.tuned_in(record))].append(record)
    return found


def best_variant(variants: Mapping[Name, Sequence[Arm]], view: View, fewest: int) -> Name:
    """The one whose best rate has the best mean; of equals the first. fewest: the seeds that a rate must have."""

    def worth(value: Name) -> float:
        mean = mean_score(variants[value][best_place(variants[value], view, fewest)])
        return mean if view.higher else -mean

    return max((value for value, arms in variants.items() if _contenders(arms, fewest)), key=worth)


def fewest_seeds(variants: Iterable[Sequence[Arm]]) -> int:
    """What a rate must have to be chosen where trials were trained to choose: as many as any has. A sweep gives the
    best of its first round further seeds; one that did not get there lies behind them, whatever three seeds say."""
    return max(len(arm.seeds) for arms in variants for arm in arms)


def by_role(records: Sequence[Record]) -> tuple[list[Record], list[Record]]:
    """The trials that choose and those that report: all do both, unless some were trained for the one or the other."""
    tuning = [record for record in records if record.role in (TUNING, REFINING)]
    report = [record for record in records if record.role == REPORT]
    others = [record for record in records if record.role not in (TUNING, REFINING, REPORT)]
    if tuning:
        return tuning, report + others
    return (others, report) if report and others else (list(records), list(records))


def best_place(arms: Sequence[Arm], view: View, fewest: int = 1) -> int:
    """Of the best mean over its seeds; of equals the smallest rate. fewest: the seeds that a rate must have."""
    return best_places(arms, view, fewest)[0]


def best_places(arms: Sequence[Arm], view: View, fewest: int = 1) -> list[int]:
    """Those whose means are the best but for rounding, ascending."""
    means = {place: mean_score(arms[place]) for place in _contenders(arms, fewest)}
    best = max(means.values()) if view.higher else min(means.values())
    return [place for place, mean in means.items() if abs(mean - best) <= ROUNDING * abs(best)]


def _contenders(arms: Sequence[Arm], fewest: int) -> list[int]:
    return [place for place, arm in enumerate(arms) if len(arm.seeds) >= fewest]


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


def _nothing_to_choose_by(name: str, count: int) -> Fault:
    return Fault(
        what=f"{name} has {count} learning rates, and there are no validation data to choose one by",
        where="data.split",
        expected="validation data, or one learning rate for each recipe: test data are never used to choose",
        remedy="train again with a validation part, for example --set data.split=[0.7,0.2,0.1]",
    )
