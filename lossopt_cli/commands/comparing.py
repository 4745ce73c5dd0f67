"""A comparison from what was typed: find the runs, choose the problem, compare, show it, check what was asked for."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lossopt_cli import errors
from lossopt_cli.analysis import conditions, several, wording
from lossopt_cli.analysis.columns import COLUMNS
from lossopt_cli.analysis.comparison import Comparison
from lossopt_cli.analysis.problems import ProblemRuns, problems_of
from lossopt_cli.analysis.ranking import Request, compare
from lossopt_cli.commands.comparison_checks import WORSE, Check, checked
from lossopt_cli.commands.comparison_output import HELP, Output, Shown, show
from lossopt_cli.commands.comparison_progress import unfinished
from lossopt_cli.commands.left_out import left_out_lines, tell
from lossopt_cli.commands.references import folder_of_several
from lossopt_cli.console import Console
from lossopt_cli.errors import Fault, UsageError
from lossopt_cli.runs.reading import LAST
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


@dataclass(frozen=True)
class Found:
    """The problems of the runs, the chosen ones with their comparisons, what was left out, runs of a baseline that is
    a folder, and the folder as one types it (None where there are several)."""

    groups: Sequence[ProblemRuns]
    chosen: Sequence[ProblemRuns]
    comparisons: Sequence[Comparison]
    left_out: Sequence[LeftOut]
    baseline: Sequence[Record]
    folder: str | None


def carry_out(asked: Asked, shown: Shown, fail_if: str | None, console: Console) -> int:
    """Compares what was asked for and shows it; the exit code."""
    if shown.columns == HELP:
        console.rows(["column", "shows"], [[column.name, column.meaning] for column in COLUMNS])
        return errors.DONE
    condition = _condition(fail_if, asked)
    shown.check()
    found = _found(asked, console)
    checks = [checked(condition, comparison) for comparison in found.comparisons] if condition is not None else []
    if len(found.groups) > len(found.chosen):
        for line in several.listing(found.groups, found.folder or "this", found.groups.index(found.chosen[0])):
            console.note(line)
    records = [[*group.records, *found.baseline] for group in found.chosen]
    folder = found.folder if len(found.groups) == 1 and not found.baseline else None
    show(Output(found.comparisons, records, found.left_out, folder, checks), shown, console)
    of_comparisons = [item for comparison in found.comparisons for item in comparison.left_out]
    tell([*found.left_out, *of_comparisons], console)
    _warn(found.comparisons, console)
    return _outcome(checks, console)


def _found(asked: Asked, console: Console) -> Found:
    """The runs that are meant, and the comparisons of the problems that were asked for."""
    folders = _folders(asked, console)
    records, left_out = read_records(folders)
    if not records:
        raise UsageError(_nothing(folders, left_out))
    failed = sum(item.kind == "failed" for item in left_out)
    if len(folders) == 1 and (said := unfinished(folders[0], records, failed)) is not None:
        console.note(said)
    baseline = _baseline_records(asked.baseline)
    of_baseline = {record.folder.absolute() for record in baseline}
    groups = problems_of([record for record in records if record.folder.absolute() not in of_baseline])
    if not groups:
        raise UsageError(Fault(f"all runs of {asked.baseline} are the baseline", "--baseline", "others to hold to it"))
    chosen = _chosen(groups, asked.problem)
    request = Request(
        metric=asked.metric,
        split=asked.split,
        target=asked.target,
        min_effect=asked.min_effect,
        baseline=asked.baseline,
        baseline_records=tuple(baseline),
    )
    comparisons = [comparison for group in chosen for comparison in compare(group.records, request)]
    return Found(groups, chosen, comparisons, left_out, baseline, _word(folders))


def _warn(comparisons: Sequence[Comparison], console: Console) -> None:
    """The first few unless --verbose: a thousand copies of trials are one thing to say."""
    warnings = list(dict.fromkeys(warning for comparison in comparisons for warning in comparison.warnings))
    told = len(warnings) if console.verbose else WARNINGS_TOLD
    for text in warnings[:told]:
        console.warn(text)
    if len(warnings) > told:
        console.note(f"and {wording.counted(len(warnings) - told, 'warning')} more: --verbose")


def _condition(fail_if: str | None, asked: Asked) -> conditions.Condition | None:
    condition = conditions.parse(fail_if, words=[WORSE]) if fail_if else None
    if condition is not None and WORSE in condition.names and asked.baseline is None:
        said = Fault(
            f"{WORSE!r} than what? There is no baseline", "--fail-if", remedy="add: --baseline RECIPE_OR_FOLDER"
        )
        raise UsageError(said)
    return condition


def _outcome(checks: Sequence[Check], console: Console) -> int:
    """The first check that is not met is told."""
    for check in checks:
        if check.failed:
            console.error(f"--fail-if: {check.expression}: {check.reason}")
            return errors.CHECK_NOT_MET
    return errors.DONE


def _folders(asked: Asked, console: Console) -> list[Path]:
    """What the references mean: any folder that is there, runs and sweeps by name, `last`; without one, the newest,
    which is told."""
    if asked.references:
        return [folder_of_several(reference, asked.logs, console.note) for reference in asked.references]
    told: list[str] = []
    folder = folder_of_several(LAST, asked.logs, told.append)
    console.note(told[0] if told else f"the newest: {shlex.quote(str(folder))}")
    return [folder]


def _baseline_records(baseline: str | None) -> list[Record]:
    """The runs of a baseline that is a folder; none where it names a recipe."""
    folder = Path(baseline) if baseline is not None else None
    if folder is None or not folder.is_dir():
        return []
    records, left_out = read_records([folder])
    if not records:
        raise UsageError(_nothing([folder], left_out, "--baseline"))
    return records


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
    told = "\n  ".join(left_out_lines(left_out)).removeprefix("left out: ")
    running = all(item.kind == "running" for item in left_out)
    remedy = "wait until one is done" if running else "make some: lossopt train, or lossopt sweep"
    return Fault(f"no finished run in {places}: {told}", where, "runs that are done", remedy)
