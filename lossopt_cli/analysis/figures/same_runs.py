"""The runs of a picture on another command line, so that what is told to type can be pasted."""

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lossopt_cli.analysis.problems import ProblemRuns
from lossopt_cli.runs.reading import CONFIG

FIRST = "1"  # of --problem, unless said


@dataclass(frozen=True)
class SameRuns:
    """folders: as they are typed; problem: its number among those in them. source: what `lossopt sweep` adds to, or the
    config of a single run; None where the runs lie among those of other problems."""

    folders: str = ""
    problem: str = FIRST
    source: str | None = None

    def plot(self, *words: str) -> str:
        """`lossopt plot logs --kind curves`."""
        problem = "" if self.problem == FIRST else f"--problem {self.problem}"
        return " ".join(filter(None, ["lossopt plot", self.folders, problem, *words]))

    def compare(self) -> str:
        """Every problem in the folders."""
        return " ".join(filter(None, ["lossopt compare", self.folders, "--problem all"]))

    def sweep(self, *words: str) -> str | None:
        """`lossopt sweep logs --seeds 4`."""
        return None if self.source is None else " ".join(["lossopt sweep", self.source, *words])


def same_runs(folders: Sequence[Path], problems: Sequence[ProblemRuns], number: str) -> SameRuns:
    """folders: as they were typed; number: of the problem among those in them, from 1."""
    typed = " ".join(shlex.quote(str(folder)) for folder in folders)
    return SameRuns(typed, number, _source(folders, problems, problems[int(number) - 1]))


def _source(folders: Sequence[Path], problems: Sequence[ProblemRuns], problem: ProblemRuns) -> str | None:
    around = Path(os.path.commonpath([record.folder.absolute() for record in problem.records]))
    strange = [record.folder.absolute() for other in problems if other is not problem for record in other.records]
    if any(place.is_relative_to(around) for place in strange):
        return None
    typed = (
        folder / around.relative_to(folder.absolute()) for folder in folders if around.is_relative_to(folder.absolute())
    )
    found = next(typed, None)
    if found is None:
        return None
    return shlex.quote(str(found / CONFIG if len(problem.records) == 1 else found))
