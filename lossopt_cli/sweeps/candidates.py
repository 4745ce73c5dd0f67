"""A recipe on its way through a sweep: the search for its scale, the trials that choose its rate, those that report."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from lossopt_cli.analysis.arms import View
from lossopt_cli.analysis.comparison import Edge
from lossopt_cli.analysis.looking import is_higher_better
from lossopt_cli.config.stages import shortened
from lossopt_cli.data.trial import default_metric
from lossopt_cli.errors import Fault, UsageError
from lossopt_cli.runs.fingerprint import canonical
from lossopt_cli.runs.records import Record
from lossopt_cli.sweeps.arms import Arm, Problems
from lossopt_cli.sweeps.cells import Cell, Role, cells_of
from lossopt_cli.sweeps.ranges import Rates, rounded
from lossopt_cli.sweeps.rates import (
    FINAL_SEEDS,
    FINALISTS,
    FINER,
    POINTS,
    SEARCHED,
    TUNING_SEEDS,
    WIDENINGS,
    best_of,
    finalists_of,
    grid_around,
    scale_of,
)
from lossopt_cli.sweeps.shares import Ended

Stage = Literal["search", "choose", "refine", "finals", "report", "done"]
SEARCH_STEPS = 40
FIRST_TUNING_SEED = 1000


@dataclass(frozen=True)
class Protocol:
    """choosing: the seeds of the trials that choose the rate, and what these are for (None: they report, too).
    finals: further ones for the best rates, before one of them is chosen. report: the seeds that the chosen rate gets
    afterwards, and where `default` is said the default rate, too. widenings: how often a recipe that is best at an end
    may try further rates."""

    choosing: Sequence[int]
    role: Role | None
    finals: Sequence[int] = ()
    report: Sequence[int] = ()
    default: bool = False
    widenings: int = 0


@dataclass(frozen=True)
class Wishes:
    """seeds: of the report. confirm: how many fresh seeds the chosen rate of a given grid gets. extend: whether further
    rates are tried where the best is at an end. report: whether a rate that was found is reported."""

    seeds: Sequence[int]
    confirm: int = 0
    extend: bool = False
    report: bool = True


@dataclass
class Candidate:
    """arms: of one recipe, several where settings of it are tuned; rates: of each of them, as they become known.

    scale: what the search found. finer: rates beside the best of these, by the place of their arm. finalists: places
    and rates of the best of all. chosen: the place of the best arm, and its rate. edge: why it may not be the best.
    measured: whether it is known how its trials are trained."""

    arms: tuple[Arm, ...]
    protocol: Protocol
    view: View
    scale: float | None = None
    rates: list[tuple[float | None, ...]] = field(default_factory=list)
    finer: dict[int, tuple[float, ...]] = field(default_factory=dict)
    finalists: list[tuple[int, float | None]] = field(default_factory=list)
    chosen: tuple[int, float | None] | None = None
    edge: Edge | None = None
    widened: int = 0
    stage: Stage = "choose"
    measured: bool = False

    def __post_init__(self) -> None:
        self.measured = all(arm.pace is not None for arm in self.arms)
        if any(arm.rates.searched for arm in self.arms) and self.scale is None:
            self.stage = "search"
        else:
            self._place_grid()

    @property
    def name(self) -> str:
        return self.arms[0].recipe

    def known(self) -> list[Arm]:
        """Its arms with what came out so far; rates that were given, and widened since, as they are now."""
        found = []
        for place, arm in enumerate(self.arms):
            given = not arm.rates.searched and place < len(self.rates)
            rates = Rates(self.rates[place]) if given else arm.rates
            known = self.chosen is not None and self.stage in ("report", "done")
            chosen = self.chosen[0] == place and self.chosen[1] if known else None
            found.append(replace(arm, rates=rates, scale=self.scale, chosen=chosen))
        return found

    @property
    def grid_count(self) -> int:
        """How many trials the present grid has."""
        points = sum(map(len, self.rates)) if self.rates else sum(len(arm.rates.values) or POINTS for arm in self.arms)
        return len(self.protocol.choosing) * points

    @property
    def refine_count(self) -> int:
        """How many trials the finer rates and the finals have at most."""
        finals = len(self.protocol.finals)
        return finals * FINALISTS + (FINER * len(self.protocol.choosing) if finals else 0)

    @property
    def choose_count(self) -> int:
        """How many trials choose the rate, as far as one knows."""
        return self.grid_count + self.refine_count

    @property
    def report_count(self) -> int:
        """How many trials report at most, beside those that choose."""
        has_default = self.protocol.default and any(arm.default_rate is not None for arm in self.arms)
        return len(self.protocol.report) * (2 if has_default else 1)

    @property
    def to_come(self) -> int:
        """How many trials later stages will ask for, as far as one knows."""
        finals = len(self.protocol.finals) * FINALISTS
        refine, report = self.refine_count + self.report_count, self.report_count
        left = {"search": self.grid_count + refine, "choose": refine, "refine": finals + report, "finals": report}
        return left.get(self.stage, 0)

    def cells(self, problems: Problems) -> list[Cell]:
        """All that the present stage needs, trained or not."""
        seeds, role = self.protocol.choosing, self.protocol.role
        match self.stage:
            case "search":
                arms = [(_shortened(arm, problems), SEARCHED) for arm in self.arms[:1]]
                return [replace(cell, role="search") for cell in cells_of(arms, seeds[:1], problems)]
            case "choose":
                return cells_of(zip(self.arms, self.rates, strict=True), seeds, problems, role)
            case "refine":
                arms = [(self.arms[place], rates) for place, rates in self.finer.items()]
                return cells_of(arms, seeds, problems, "refining")
            case "finals":
                arms = [(self.arms[place], [rate]) for place, rate in self.finalists]
                return cells_of(arms, self.protocol.finals, problems, "refining")
            case "report":
                place, rate = self.chosen
                arm = self.arms[place]
                rates = [rate, arm.default_rate] if self.protocol.default else [rate]
                wanted = [known for known in dict.fromkeys(rates) if known is not None or rate is None]
                return cells_of([(arm, wanted)], self.protocol.report, problems, "report")
        return []

    def searched(self, ended: Iterable[Ended]) -> None:
        """Ends the search: the scale is where the loss was lowest, the default rate where it fell nowhere."""
        ended = list(ended)
        start = max((end.initial for end in ended if end.initial is not None), default=math.inf)
        found = scale_of({end.cell.rate: end.loss for end in ended}, start)
        self.scale = found or self.arms[0].default_rate or 1.0
        self.stage = "choose"
        self._place_grid()

    def learn_pace(self, ended: Ended) -> None:
        """Keeps how trials of this kind are trained, for all of them, where that was found."""
        self.measured = True
        self.arms = tuple(replace(arm, pace=arm.pace or ended.pace) for arm in self.arms)

    def choose(self, records: Mapping[str, Record], problems: Problems) -> None:
        """Chooses by the records of the trials that have ended (by trial hash). Asks for more trials where the grid is
        too narrow, for finer rates and for finals; ends where none has ended."""
        found = self._tried(records, problems)
        if not found:
            self.stage = "done"
            return
        best = best_of(found, self.view)
        place = best.place
        self.chosen, self.edge = (place, best.arm.learning_rate), best.edge
        further = [rate for rate in best.beyond if rate not in self.rates[place]]
        if further and self.widened < self.protocol.widenings:
            self.widened += 1
            self.rates[place] = tuple(sorted([*self.rates[place], *further]))
            self.stage = "choose"
            return
        if self.stage == "choose" and self.protocol.finals and best.finer:
            self.finer[place] = tuple(dict.fromkeys([*self.finer.get(place, ()), *best.finer]))
            self.stage = "refine"
            return
        self.finalists = finalists_of(found, self.view) if self.stage != "finals" and self.protocol.finals else []
        if len(self.finalists) > 1:
            self.stage = "finals"
        else:
            self.stage = "report" if self.protocol.report else "done"

    def _tried(self, records: Mapping[str, Record], problems: Problems) -> dict[int, list[Record]]:
        """The records of the trials that choose at this stage, by the place of their arm."""
        seeds = [*self.protocol.choosing, *(self.protocol.finals if self.stage == "finals" else ())]
        found: dict[int, list[Record]] = {}
        for place, (arm, rates) in enumerate(zip(self.arms, self.rates, strict=True)):
            tried = dict.fromkeys([*rates, *(self.finer.get(place, ()) if self.stage != "choose" else ())])
            cells = cells_of([(arm, list(tried))], seeds, problems, self.protocol.role)
            there = [records[cell.trial.hash] for cell in cells if cell.trial.hash in records]
            found |= {place: there} if there else {}
        return found

    def _place_grid(self) -> None:
        """The rates of every arm, now that the scale is known or not needed."""
        for arm in self.arms:
            if arm.rates.auto:
                self.rates.append(grid_around(self.scale, arm.default_rate))
            elif arm.rates.relative:
                self.rates.append(tuple(rounded(self.scale * factor) for factor in arm.rates.values))
            else:
                self.rates.append(arm.rates.values)


def _shortened(arm: Arm, problems: Problems) -> Arm:
    """The arm with as few epochs as have SEARCH_STEPS steps."""
    train = arm.config.train
    per_epoch = -(-len(problems.of(arm.config).train) // train.batch_size)
    epochs = min(train.epochs, -(-SEARCH_STEPS // per_epoch))
    config = arm.config if epochs == train.epochs else shortened(arm.config, epochs)
    return replace(arm, config=config)


def candidates_of(arms: Iterable[Arm], wishes: Wishes, problems: Problems) -> list[Candidate]:
    """One for each recipe. Where the rate is to be found it is chosen with seeds of its own, and then the chosen and
    the default rate get the seeds asked for; else every rate gets them, and the chosen one `confirm` fresh ones.

    UsageError where a rate is to be chosen and there are no validation data."""
    recipes: dict[str, list[Arm]] = {}
    for arm in arms:
        config = arm.config.model_dump()
        for key in arm.tuned:
            section, _, setting = key.partition(".")
            config[section].pop(setting)
        recipes.setdefault(canonical({"config": config, "auto": arm.rates.auto}), []).append(arm)
    if wishes.confirm and all(variants[0].rates.auto for variants in recipes.values()):
        what = "--confirm is for rates that are given: those that are found report with seeds of their own"
        raise UsageError(Fault(what, "--confirm", remedy="--seeds says how many"))
    return [_candidate(tuple(variants), wishes, problems) for variants in recipes.values()]


def _candidate(arms: tuple[Arm, ...], wishes: Wishes, problems: Problems) -> Candidate:
    config = arms[0].config
    problem = problems.of(config)
    metric = config.train.metric or default_metric(problem.task)
    view = View(metric, is_higher_better(metric), "validation" if len(problem.validation) else "train")
    many = len(arms) > 1 or any(arm.rates.searched or len(arm.rates.values) > 1 for arm in arms)
    if many and not len(problem.validation):
        remedy = "one rate for each recipe (--lr RATE), or --set data.split=[0.7,0.2,0.1]"
        raise UsageError(Fault("no validation data to choose a learning rate by", "data.split", remedy=remedy))
    seeds = wishes.seeds
    if arms[0].rates.auto:
        widenings = WIDENINGS * (2 if wishes.extend else 1)
        report = seeds if wishes.report else ()
        first, finals = _apart(seeds)
        protocol = Protocol(first, "tuning", finals, report, default=wishes.report, widenings=widenings)
    else:
        after = max(seeds) + 1 if wishes.confirm else 0
        fresh = range(after, after + wishes.confirm)
        protocol = Protocol(seeds, None, report=fresh, widenings=WIDENINGS if wishes.extend and many else 0)
    return Candidate(arms, protocol, view, scale=arms[0].scale)


def _apart(seeds: Sequence[int]) -> tuple[range, range]:
    """Seeds to tune with, and those of the finals: none of them reports."""
    first, count = FIRST_TUNING_SEED, TUNING_SEEDS + FINAL_SEEDS
    while any(seed in seeds for seed in range(first, first + count)):
        first += FIRST_TUNING_SEED
    return range(first, first + TUNING_SEEDS), range(first + TUNING_SEEDS, first + count)
