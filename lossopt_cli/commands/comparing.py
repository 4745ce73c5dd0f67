"""A comparison from what was typed: find the runs, choose the problem, compare, show it, check what was asked for."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lossopt_cli import errors
from lossopt_cli.analysis import conditions, several, wording
from lossopt_cli.analysis.comparison import Comparison
from lossopt_cli.analysis.problems import ProblemRuns, problems_of
from lossopt_cli.analysis.ranking import Request, compare
from lossopt_cli.commands.comparison_checks import WORSE, observed, values
from lossopt_cli.commands.comparison_output import Output, Shown, show
from lossopt_cli.commands.left_out import left_out_lines
from lossopt_cli.console import Console
from lossopt_cli.errors import Fault, UsageError
from lossopt_cli.runs.reading import RESULT, SWEEP, find_run
from lossopt_cli.runs.records import LeftOut, Record, read_records

ALL = "all"
WARNINGS_TOLD = 4


@dataclass(frozen=True)
class Asked:
    """What was typed about what to compare."""

    references: tuple[str, ...]
    logs: Path
    metric: str | None
    split: str | None
    target: float | None
    baseline: str | None
    min_effect: float | None
    problem: str


def carry_out(asked: Asked, shown: Shown, fail_if: str | None, console: Console) -> int:
    """Compares what was asked for and shows it; the exit code."""
    condition = conditions.parse(fail_if, words=[WORSE]) if fail_if else None
    shown.check()
    folders = _folders(asked, console)
    records, left_out = read_records(folders)
    base, request = _request(asked)
    records = [record for record in records if record.folder.absolute() not in base]
    if not records and not request.baseline_records:
        raise UsageError(_nothing(folders, left_out))
    groups = problems_of([*records, *request.baseline_records])
    chosen = _chosen(groups, asked.problem)
    known = {record.folder for record in records}
    comparisons = [
        comparison
        for group in chosen
        for comparison in compare([record for record in group.records if record.folder in known], request)
    ]
    if condition is not None:
        for comparison in comparisons:
            condition.check(values(comparison))
    if len(groups) > len(chosen):
        for line in several.listing(groups, _word(folders) or "this", groups.index(chosen[0])):
            console.note(line)
    folder = _word(folders) if len(groups) == 1 else None
    show(Output(comparisons, [group.records for group in chosen], left_out, folder), shown, console)
    for line in left_out_lines([*left_out, *(item for comparison in comparisons for item in comparison.left_out)]):
        console.note(line)
    _warn(comparisons, console)
    return _checked(condition, comparisons, console)


def _warn(comparisons: Sequence[Comparison], console: Console) -> None:
    """The first few unless --verbose: a thousand copies of trials are one thing to say."""
    warnings = list(dict.fromkeys(warning for comparison in comparisons for warning in comparison.warnings))
    told = len(warnings) if console.verbose else WARNINGS_TOLD
    for text in warnings[:told]:
        console.warn(text)
    if len(warnings) > told:
        console.note(f"and {wording.counted(len(warnings) - told, 'warning')} more: --verbose")


def _checked(condition: conditions.Condition | None, comparisons: Sequence[Comparison], console: Console) -> int:
    for comparison in comparisons if condition is not None else ():
        if condition.holds(values(comparison)):
            console.error(f"--fail-if: {condition.text}: {observed(comparison, condition.names)}")
            return errors.CHECK_NOT_MET
    return errors.DONE


def _folders(asked: Asked, console: Console) -> list[Path]:
    """What the references mean: runs, sweeps, and any folder that is there."""
    if asked.references:
        paths = [Path(reference) for reference in asked.references]
        return [path if path.is_dir() else find_run(str(path), asked.logs) for path in paths]
    last = find_run(None, asked.logs)
    if (last / SWEEP).is_file():
        return [last]
    if (last.parent / SWEEP).is_file():
        return [last.parent]
    if any(found.parent != last for found in last.parent.glob(f"*/{RESULT}")):
        console.note(f"the last run and those beside it: lossopt compare {shlex.quote(str(last.parent))}")
        return [last.parent]
    return [last]


def _request(asked: Asked) -> tuple[set[Path], Request]:
    """The request, and the folders of the runs that are the baseline."""
    folder = Path(asked.baseline) if asked.baseline is not None and Path(asked.baseline).is_dir() else None
    base: list[Record] = []
    if folder is not None:
        base, left_out = read_records([folder])
        if not base:
            raise UsageError(_nothing([folder], left_out, "--baseline"))
    request = Request(
        metric=asked.metric,
        split=asked.split,
        target=asked.target,
        min_effect=asked.min_effect,
        baseline=asked.baseline,
        baseline_records=tuple(base),
    )
    return {record.folder.absolute() for record in base}, request


def _chosen(groups: Sequence[ProblemRuns], problem: str) -> list[ProblemRuns]:
    if problem == ALL:
        return list(groups)
    number = int(problem) if problem.isdigit() else 0
    if not 1 <= number <= len(groups):
        expected = f"1 to {len(groups)}, or all" if len(groups) > 1 else "1: all runs are of one problem"
        raise UsageError(Fault(f"there is no problem {problem!r}", "--problem", expected))
    return [groups[number - 1]]


def _word(folders: Sequence[Path]) -> str | None:
    """The folder as one types it; None where there are several."""
    return shlex.quote(str(folders[0])) if len(folders) == 1 else None


def _nothing(folders: Sequence[Path], left_out: Sequence[LeftOut], where: str = "RUN_OR_FOLDER") -> Fault:
    """No finished run: there is none, or none is whole."""
    places = ", ".join(map(str, folders))
    if not left_out:
        return Fault(f"no runs in {places}", where, "a folder with runs", "make some: lossopt train, or lossopt sweep")
    told = "; ".join(left_out_lines(left_out)).removeprefix("left out: ")
    running = all(item.kind == "running" for item in left_out)
    remedy = "wait until one is done" if running else "make some: lossopt train, or lossopt sweep"
    return Fault(f"no finished run in {places}: {told}", where, "runs that are done", remedy)
