"""A sweep from what was typed: its recipes, what is missing of their trials, and what came of it."""

import os
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from pathlib import Path
from typing import Any

from lossopt_cli import errors
from lossopt_cli.catalogue.wording import counted
from lossopt_cli.commands import comparing
from lossopt_cli.commands.comparison_output import Shown
from lossopt_cli.commands.references import folder_of_several
from lossopt_cli.commands.sweeping_lines import print_commands
from lossopt_cli.commands.sweeping_plan import show_plan
from lossopt_cli.commands.sweeping_screen import SweepScreen
from lossopt_cli.console import Console, json_text
from lossopt_cli.errors import Fault, LossoptError, RunError, UsageError
from lossopt_cli.runs.environment import cores, environment
from lossopt_cli.runs.reading import SCHEMA_VERSION
from lossopt_cli.sweeps.arms import Problems
from lossopt_cli.sweeps.axes import Asked
from lossopt_cli.sweeps.candidates import Candidate, Wishes, candidates_of
from lossopt_cli.sweeps.cells import check_count
from lossopt_cli.sweeps.cluster import Cluster
from lossopt_cli.sweeps.course import Course
from lossopt_cli.sweeps.crew import Crew
from lossopt_cli.sweeps.folder import SweepFolder
from lossopt_cli.sweeps.rates import FINAL_SEEDS, TUNING_SEEDS
from lossopt_cli.sweeps.shares import Ended, Told, Workplace, shares_of
from lossopt_cli.sweeps.source import Source, fingerprints, source_of, source_of_one
from lossopt_cli.sweeps.sweep_file import SweepFile, write_sweep

FAILED_TOLD = 5  # reasons
RETRY = "--retry-failed tries them again"
CONFIG_SUFFIXES = (".yaml", ".yml", ".json")
ONE_RANGE = """\
one range of learning rates for recipes of different scale:
  --lr auto, or --lr x0.03..x30, goes around the scale of each"""


@dataclass(frozen=True)
class Request:
    """What was typed. workers: None for as many as there are cores."""

    asked: Asked
    logs: Path
    name: str | None
    _: KW_ONLY
    confirm: int
    extend: bool
    retry_failed: bool
    yes: bool
    workers: int | None
    ray: str | None
    dry_run: bool
    print_commands: bool

    @property
    def trains_nothing(self) -> bool:
        return self.dry_run or self.print_commands


def carry_out(request: Request, console: Console) -> int:
    """Trains what is missing of the sweep and compares its recipes; the exit code."""
    problems = Problems(console.note)
    asked = _found(request.asked, request.logs, console)
    source = source_of(asked, os.environ, request.logs, request.name, problems)
    candidates = _candidates(source, request, problems)
    if source.one_range:
        console.hint(ONE_RANGE)
    sweep = SweepFolder(source.folder)
    if request.trains_nothing:
        sweep.read()
        course = Course(candidates, problems, sweep, request.retry_failed)
        if request.print_commands:
            print_commands(course, console)
        else:
            show_plan(source, course, request.workers or cores(), console)
        return errors.DONE
    with sweep.opened(console.note) as waited:
        if waited:
            source = source_of(asked, os.environ, request.logs, request.name, problems)
            candidates = _candidates(source, request, problems)
        sweep.read()
        course = Course(candidates, problems, sweep, request.retry_failed)
        course.changed = lambda: _write(source, course, source.written.with_candidates)
        _train(course, request.workers, console, request.ray)
    return _conclude(source, course, console)


def _candidates(source: Source, request: Request, problems: Problems) -> list[Candidate]:
    """The recipes. UsageError where they have more trials than anyone may want."""
    candidates = candidates_of(source.arms, Wishes(source.seeds, request.confirm, request.extend), problems)
    rates = sum(candidate.grid_count // len(candidate.protocol.choosing) for candidate in candidates)
    choosing = sum(candidate.choose_count for candidate in candidates)
    reporting = sum(candidate.report_count for candidate in candidates)
    told = ((len(candidates), "recipe"), (rates, "learning rate"), (len(source.seeds), "seed"))
    how = ", ".join(counted(number, noun) for number, noun in told)
    how += f": {choosing:,} to choose, {reporting:,} to report" if reporting else ""
    check_count(choosing + reporting, how, agreed=request.yes or request.trains_nothing)
    return candidates


def _found(asked: Asked, logs: Path, console: Console) -> Asked:
    """With the folder that CONFIG means where it is the name of one, or `last`."""
    given = asked.config
    if given is None or given.exists() or given.suffix in CONFIG_SUFFIXES:
        return asked
    return replace(asked, config=folder_of_several(str(given), logs, console.note))


def found_rate(asked: Asked, logs: Path, console: Console) -> float:
    """The learning rate that `lossopt train --lr auto` trains at, from a sweep of this recipe that reports nothing.

    RunError where none of its trials ends."""
    problems = Problems(console.note)
    source = source_of_one(asked, os.environ, logs, problems)
    sweep = SweepFolder(source.folder)
    with sweep.opened(console.note) as waited:
        if waited:
            source = source_of_one(asked, os.environ, logs, problems)
        sweep.read()
        wishes = Wishes(source.seeds, report=False)
        course = Course(candidates_of(source.arms, wishes, problems), problems, sweep)
        course.changed = lambda: _write(source, course, source.written.with_found)
        _train(course, None, console)
    (candidate,) = course.candidates
    if candidate.chosen is None or candidate.chosen[1] is None:
        raise RunError(Fault("no learning rate was found", "--lr", remedy="--lr RATE gives one"))
    _, rate = candidate.chosen
    tried = counted(len(candidate.rates[0]), "learning rate")
    seeds = f"with {counted(TUNING_SEEDS, 'seed')} each, and {TUNING_SEEDS + FINAL_SEEDS} for the best"
    console.note(f"{'rate':<11}{rate:g}, the best of {tried} on validation, {seeds}")
    return rate


def _write(source: Source, course: Course, known: Callable[[Iterable[Candidate], Sequence[int]], SweepFile]) -> None:
    """sweep.yaml, with what is known by now; nothing of recipes that may turn out to be none."""
    measured = [candidate for candidate in course.candidates if candidate.measured]
    if not measured:
        return
    file = known(measured, source.seeds)
    held = fingerprints(source.arms, course.problems)
    write_sweep(source.folder, replace(file, problems=tuple(dict.fromkeys([*file.problems, *held]))))


def _train(course: Course, workers: int | None, console: Console, ray: str | None = None) -> None:
    """Trains the cells of the course, and those that follow from what came of them, here or on a Ray cluster.

    workers: at most, None for as many as there is room for."""
    cells = course.begin()
    if not cells:
        course.changed()
        return
    workplace = Workplace(course.folder.path, environment(["lossopt", *sys.argv[1:]]))
    device = next(iter(course.cells.values())).trial.config.train.device
    with _crew(workers, workplace, device, course, ray) as crew:
        course.changed()
        screen = SweepScreen(console, course)
        shares = deque(shares_of(cells, crew.count))
        try:
            screen.head(crew.count)
            for event in crew.carry_out(shares):
                if isinstance(event, Ended):
                    shares.extend(shares_of(course.heard(event), crew.count))
                elif isinstance(event, Told):
                    screen.tell(event)
                screen.draw(crew.in_progress)
        except LossoptError:
            screen.close()
            raise
        except KeyboardInterrupt:
            screen.close()
            console.note("stopped; what has ended is kept, and the same command goes on from there")
            raise
        screen.close()
        course.check_ended()


def _crew(workers: int | None, workplace: Workplace, device: str, course: Course, ray: str | None) -> Crew | Cluster:
    if ray is None:
        return Crew(workers or cores(), workplace, device)
    return Cluster(ray, workplace, device, course.problems, workers)


def _conclude(source: Source, course: Course, console: Console) -> int:
    """What failed, and the table and verdict of `compare`; for a script an object where there is nothing to compare."""
    failed, faults = course.failed, _failures(course.failed, source.folder)
    for fault in faults:
        console.error(str(fault))
    if failed:
        faults = [Fault(f"{len(failed)} of {course.total} trials failed", str(source.folder), remedy=RETRY), *faults]
        console.error(f"{faults[0].what}; {RETRY}")
    code = errors.SWEEP_INCOMPLETE if failed else errors.DONE
    if console.quiet and console.format != "json":
        console.result(str(source.folder))
        return code
    if course.records:
        uncompared = _compare(source, course, console)
        if not uncompared:
            return code
        faults += uncompared
    if console.format == "json":
        console.result(json_text(_report(source, course, faults)))
    return code


def _report(source: Source, course: Course, faults: Sequence[Fault]) -> dict[str, Any]:
    """As every error in JSON, with how many trials ended in which way."""
    told, ended = [vars(fault) for fault in faults], Counter(end.status for end in course.known)
    counts = {"trials": course.total, **{status: ended[status] for status in ("done", "diverged", "failed")}}
    head = {"schema_version": SCHEMA_VERSION, "status": "failed" if course.failed else "done"}
    error = {"error": told[0] if told else None, "errors": told}
    return {**head, "folder": str(source.folder), "counts": counts, **error}


def _failures(failed: Sequence[Ended], folder: Path) -> list[Fault]:
    """`logs/s/mse+adam-lr0.1-s0-1a2b3c and 26 others: mine.py:3 in ...`: each of the first reasons."""
    by_reason: dict[str, list[Ended]] = {}
    for ended in failed:
        by_reason.setdefault((ended.reason or "failed").splitlines()[0], []).append(ended)
    faults = []
    for reason, alike in list(by_reason.items())[:FAILED_TOLD]:
        others = f" and {counted(len(alike) - 1, 'other')}" if len(alike) > 1 else ""
        faults.append(Fault(reason, f"{folder / alike[0].cell.name}{others}"))
    more = len(by_reason) - FAILED_TOLD
    return [*faults, Fault(f"and {counted(more, 'other reason')}")] if more > 0 else faults


def _compare(source: Source, course: Course, console: Console) -> tuple[Fault, ...]:
    """The table and verdict of the folder; where they cannot be, why."""
    several = len({record.problem for record in course.records}) > 1
    problem = comparing.ALL if several else "1"
    asked = comparing.Asked((str(source.folder),), source.folder.parent, None, None, None, None, None, problem)
    try:
        comparing.carry_out(asked, Shown(None, None, None, False, "recipes", False), None, console)
    except UsageError as error:
        console.warn(f"the runs are kept, but not compared: {error}")
        return error.faults
    return ()
