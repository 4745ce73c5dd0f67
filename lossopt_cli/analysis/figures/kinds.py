"""Kinds of pictures: what each shows, of which runs, and who draws it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from lossopt_cli.analysis.comparison import Comparison
from lossopt_cli.analysis.figures.confusion import confusion, read_evaluation, the_run
from lossopt_cli.analysis.figures.curves import By, curves
from lossopt_cli.analysis.figures.differences import differences
from lossopt_cli.analysis.figures.heatmap import MOST, heatmap
from lossopt_cli.analysis.figures.looks import SHOWN
from lossopt_cli.analysis.figures.losses import Losses, losses, shapes_of, shared_axis
from lossopt_cli.analysis.figures.picture import Picture
from lossopt_cli.analysis.figures.profile import profile_of
from lossopt_cli.analysis.figures.rates import rates
from lossopt_cli.analysis.figures.same_runs import FIRST, SameRuns, same_runs
from lossopt_cli.analysis.figures.selection import Selection, selected
from lossopt_cli.analysis.figures.steps import steps
from lossopt_cli.analysis.figures.tradeoff import tradeoff
from lossopt_cli.analysis.problems import ProblemRuns
from lossopt_cli.analysis.ranking import Request, compare
from lossopt_cli.catalogue.lookup import nearest
from lossopt_cli.errors import Fault, UsageError
from lossopt_cli.runs.records import LeftOut, Record


@dataclass(frozen=True)
class Wanted:
    """What is asked for. problem: a number, 1 for the newest. losses: to draw themselves, with their settings."""

    kind: str
    metric: str | None = None
    split: str | None = None
    by: By | None = None
    recipes: str | None = None
    problem: str = FIRST
    losses: Losses = ()


@dataclass(frozen=True)
class Material:
    """The runs below some folders, compared when that is needed."""

    folders: Sequence[Path]
    problems: Sequence[ProblemRuns]
    left_out: Sequence[LeftOut]
    wanted: Wanted

    @property
    def comparison(self) -> Comparison:
        """Of the problem that is asked for."""
        return self.of_problem(self.problem)

    @property
    def comparisons(self) -> list[Comparison]:
        """Of every problem."""
        return [self.of_problem(problem) for problem in self.problems]

    @cached_property
    def compared(self) -> dict[str, Comparison]:
        """Those that were needed so far, by problem."""
        return {}

    @property
    def problem(self) -> ProblemRuns:
        wanted = self.wanted.problem
        number = int(wanted) if wanted.isdigit() else 0
        if not 1 <= number <= len(self.problems):
            expected = f"1 to {len(self.problems)}" if len(self.problems) > 1 else "1: all runs are of one problem"
            raise UsageError(Fault(f"there is no problem {wanted!r}", "--problem", expected))
        return self.problems[number - 1]

    def selection(self, most: int = SHOWN) -> Selection:
        return selected(self.comparison, self.wanted.recipes, most, self.runs)

    @property
    def runs(self) -> SameRuns:
        """The runs that are drawn, for what is told to type next."""
        number = str(self.problems.index(self.problem) + 1)
        return same_runs(self.folders, self.problems, number)

    @property
    def by_folder(self) -> dict[Path, Record]:
        return {record.folder: record for record in self.problem.records}

    def of_problem(self, problem: ProblemRuns) -> Comparison:
        if problem.problem not in self.compared:
            self.compared[problem.problem] = compare(problem.records, self._request(problem))[0]
        return self.compared[problem.problem]

    def _request(self, problem: ProblemRuns) -> Request:
        split = self.wanted.split
        validated = all(record.sizes.get("validation") for record in problem.records)
        if split is None and KINDS[self.wanted.kind].chosen_by and validated:
            split = "validation"
        return Request(metric=self.wanted.metric, split=split)


@dataclass(frozen=True)
class Kind:
    """sentence: what it shows. draw: the picture. takes: the options that it has a use for. chosen_by: whether it shows
    what one chooses by, so that it is of the validation data unless a split is named. by: the values of --by that it
    takes, the first unless said. of: what it is drawn from."""

    sentence: str
    draw: Callable[[Material], Picture]
    takes: tuple[str, ...] = ("metric", "split", "recipes", "problem")
    chosen_by: bool = False
    by: tuple[By, ...] = ()
    of: Literal["recipes", "runs", "run", "losses"] = "recipes"

    @property
    def of_runs(self) -> bool:
        return self.of != "losses"


def _curves(material: Material) -> Picture:
    return curves(material.selection(), material.by_folder, material.wanted.by or "epoch")


def _steps(material: Material) -> Picture:
    return steps(material.selection(), "epoch" if material.wanted.by == "epoch" else "step")


def _confusion(material: Material) -> Picture:
    split = material.wanted.split or "test"
    record = the_run(material.problems, split)
    return confusion(record.folder.name, split, read_evaluation(record, split))


def _losses(material: Material) -> Picture:
    axis = shared_axis(material.wanted.losses)
    return losses(shapes_of(material.wanted.losses, axis))


KINDS: Mapping[str, Kind] = {
    "curves": Kind(
        "loss and metric over the training",
        _curves,
        takes=("metric", "recipes", "problem"),
        chosen_by=True,
        by=("epoch", "step", "second"),
        of="runs",
    ),
    "steps": Kind("the loss of every batch", _steps, takes=("recipes", "problem"), by=("step", "epoch"), of="runs"),
    "lr": Kind("the metric by learning rate", lambda material: rates(material.selection()), chosen_by=True),
    "heatmap": Kind("the metric by loss and optimizer", lambda material: heatmap(material.selection(MOST))),
    "differences": Kind("which recipes differ, with intervals", lambda material: differences(material.selection())),
    "profile": Kind(
        "who is fast, over several problems",
        lambda material: profile_of(material.comparisons, material.runs),
        takes=("metric",),
    ),
    "tradeoff": Kind("the metric against training seconds", lambda material: tradeoff(material.selection())),
    "confusion": Kind("which classes are taken for which", _confusion, takes=("split",), of="run"),
    "losses": Kind("losses themselves: what an error costs, and how it pulls", _losses, takes=("loss",), of="losses"),
}


def kind_named(name: str, given: Mapping[str, str | None]) -> Kind:
    """The kind of that name. given: the options that were typed, by name. UsageError with the nearest name where there
    is none, and for options that the kind has no use for."""
    if name not in KINDS:
        near = nearest(name, KINDS)
        remedy = f"did you mean {' or '.join(near)}?" if near else None
        raise UsageError(Fault(f"unknown kind {name!r}", "--kind", f"one of {', '.join(KINDS)}", remedy))
    kind = KINDS[name]
    takes = dict.fromkeys(kind.takes, True) | {"by": given.get("by") in kind.by, "runs": kind.of_runs}
    useless = [option for option, value in given.items() if value and not takes.get(option)]
    if useless:
        raise UsageError(*(_useless(name, kind, option, given) for option in useless))
    return kind


def _useless(name: str, kind: Kind, option: str, given: Mapping[str, str | None]) -> Fault:
    value = given[option]
    if option == "runs":
        what = f"losses are drawn from their formulas, not from the runs in {value}"
        return Fault(
            what, "--kind losses", "no RUN_OR_FOLDER", f"lossopt plot --loss {given.get('loss') or 'mse,huber'}"
        )
    if option == "loss":
        return Fault(f"--kind {name} draws runs, not losses", "--loss", "--kind losses, or --recipes to choose of runs")
    if option == "by" and kind.by:
        return Fault(f"{name} cannot be drawn by {value}", "--by", " or ".join(kind.by))
    taken = ", ".join(f"--{other}" for other in kind.takes)
    return Fault(f"--kind {name} has no use for it", f"--{option}", f"of the options that choose, only {taken}")
