"""Kinds of pictures: what each shows, of which runs, and who draws it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lossopt_cli.analysis.comparison import Comparison
from lossopt_cli.analysis.figures.confusion import confusion, read_evaluation
from lossopt_cli.analysis.figures.curves import By, curves
from lossopt_cli.analysis.figures.differences import differences
from lossopt_cli.analysis.figures.heatmap import MOST, heatmap
from lossopt_cli.analysis.figures.looks import SHOWN
from lossopt_cli.analysis.figures.losses import Losses, losses, shapes_of, shared_axis
from lossopt_cli.analysis.figures.picture import Picture
from lossopt_cli.analysis.figures.profile import profile_of
from lossopt_cli.analysis.figures.rates import rates
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
    problem: str = "1"
    losses: Losses = ()


@dataclass(frozen=True)
class Material:
    """The runs below some folders, compared when that is needed."""

    folders: Sequence[Path]
    problems: Sequence[ProblemRuns]
    left_out: Sequence[LeftOut]
    wanted: Wanted

    @cached_property
    def comparison(self) -> Comparison:
        """Of the problem that is asked for."""
        return self._compared(self.problem)

    @property
    def comparisons(self) -> list[Comparison]:
        """Of every problem."""
        return [self._compared(problem) for problem in self.problems]

    @property
    def problem(self) -> ProblemRuns:
        wanted = self.wanted.problem
        number = int(wanted) if wanted.isdigit() else 0
        if not 1 <= number <= len(self.problems):
            expected = f"1 to {len(self.problems)}" if len(self.problems) > 1 else "1: all runs are of one problem"
            raise UsageError(Fault(f"there is no problem {wanted!r}", "--problem", expected))
        return self.problems[number - 1]

    def selection(self, most: int = SHOWN) -> Selection:
        return selected(self.comparison, self.wanted.recipes, most)

    @property
    def by_folder(self) -> dict[Path, Record]:
        return {record.folder: record for record in self.problem.records}

    def _compared(self, problem: ProblemRuns) -> Comparison:
        split = self.wanted.split
        validated = all(record.sizes.get("validation") for record in problem.records)
        if split is None and KINDS[self.wanted.kind].chosen_by and validated:
            split = "validation"
        return compare(problem.records, Request(metric=self.wanted.metric, split=split))[0]


@dataclass(frozen=True)
class Kind:
    """sentence: what it shows. draw: the picture. chosen_by: whether it shows what one chooses by, so that it is of the
    validation data unless a split is named. by: the values of --by that it takes, the first unless said."""

    sentence: str
    draw: Callable[[Material], Picture]
    chosen_by: bool = False
    by: tuple[By, ...] = ()
    of_runs: bool = True
    every_problem: bool = False


def _curves(material: Material) -> Picture:
    return curves(material.selection(), material.by_folder, material.wanted.by or "epoch")


def _steps(material: Material) -> Picture:
    return steps(material.selection(), "epoch" if material.wanted.by == "epoch" else "step")


def _confusion(material: Material) -> Picture:
    record, *others = [record for problem in material.problems for record in problem.records]
    if others:
        raise UsageError(
            Fault(
                f"{len(others) + 1} runs: a confusion matrix is of one",
                "--kind confusion",
                "the folder of one run",
                f"lossopt plot {record.folder} --kind confusion",
            )
        )
    split = material.wanted.split or "test"
    return confusion(record.folder.name, split, read_evaluation(record.folder, split))


def _losses(material: Material) -> Picture:
    axis = shared_axis(material.wanted.losses)
    return losses(shapes_of(material.wanted.losses, axis))


KINDS: Mapping[str, Kind] = {
    "curves": Kind("loss and metric over the training", _curves, chosen_by=True, by=("epoch", "step", "second")),
    "steps": Kind("the loss of every batch", _steps, by=("step", "epoch")),
    "lr": Kind("the metric by learning rate", lambda material: rates(material.selection()), chosen_by=True),
    "heatmap": Kind("the metric by loss and optimizer", lambda material: heatmap(material.selection(MOST))),
    "differences": Kind("which recipes differ, with intervals", lambda material: differences(material.selection())),
    "profile": Kind(
        "who is fast, over several problems",
        lambda material: profile_of(material.comparisons),
        every_problem=True,
    ),
    "losses": Kind("losses themselves: what an error costs, and how it pulls", _losses, of_runs=False),
    "confusion": Kind("which classes are taken for which", _confusion),
    "tradeoff": Kind("the metric against training seconds", lambda material: tradeoff(material.selection())),
}


def checked_kind(name: str, by: str | None = None) -> str:
    """The kind of that name. UsageError with the nearest where there is none, and where it is not drawn over `by`."""
    if name not in KINDS:
        near = nearest(name, KINDS)
        remedy = f"did you mean {' or '.join(near)}?" if near else None
        raise UsageError(Fault(f"unknown kind {name!r}", "--kind", f"one of {', '.join(KINDS)}", remedy))
    if by is not None and by not in KINDS[name].by:
        expected = " or ".join(KINDS[name].by) or f"no --by with --kind {name}"
        raise UsageError(Fault(f"{name} cannot be drawn by {by}", "--by", expected))
    return name
