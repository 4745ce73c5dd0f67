"""`lossopt sweep --dry-run`: what would be trained, how long that would take, and what is there already."""

import shlex
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from lossopt_cli.catalogue.wording import counted
from lossopt_cli.commands.sweeping_names import short_names, shown_names
from lossopt_cli.console import Console, render_rows
from lossopt_cli.errors import RunError
from lossopt_cli.progress import duration
from lossopt_cli.rendering import json_text
from lossopt_cli.sweeps.candidates import Candidate
from lossopt_cli.sweeps.cells import Cell
from lossopt_cli.sweeps.course import Course
from lossopt_cli.sweeps.crew import Crew
from lossopt_cli.sweeps.shares import FEW, Probed, Share, Workplace, inputs_of
from lossopt_cli.sweeps.source import Source

START_SECONDS = 5.0  # torch and keras
MEASURE_SECONDS = 1.0  # of how many of a kind are worth training together
LEAST_NAME = 24
SELDOM = ("tuned", "failed")  # columns that are there where they have something to say
TOLD = ("recipe", "rates", "tuned", "trials", "report", "further", "done", "failed")  # in JSON
FOLDER_BYTES, STEP_BYTES, EPOCH_BYTES = 12_000, 120, 700  # of a trial: its result and config, and what grows


@dataclass(frozen=True)
class Cost:
    """once_seconds: of all, those before any trial can begin. bytes: on disk."""

    seconds: float
    once_seconds: float
    bytes: float


@dataclass(frozen=True)
class Line:
    """Of one recipe. trials: to choose its rate (they report too where no others do); report: afterwards; done, failed:
    of those that are known by now (what is tried again has not failed); further: at most, where the best is at an end.
    passing: what the search for its scale takes, in trials; shares: how often its network is built; measured: whether
    it is known how its trials are trained."""

    recipe: str
    rates: str
    tuned: str
    trials: int
    report: int
    further: int
    done: int
    failed: int
    passing: float
    shares: int
    measured: bool
    probed: Probed | None


def show_plan(source: Source, course: Course, workers: int, console: Console) -> None:
    """The plan as a table, or as JSON. RunError where a kind of trial cannot be trained."""
    course.begin()
    found = _probed(course, console)
    if faults := [probed.fault for probed in found if probed and probed.fault]:
        raise RunError(*dict.fromkeys(faults))
    named = zip(shown_names(course.candidates), course.candidates, found, strict=True)
    lines = [_line(name, candidate, course, probed) for name, candidate, probed in named]
    spent = sum(_seconds(line) for line in lines) / min(workers, len(lines) * 2)
    once = sum({inputs_of(p.cell): p.once_seconds for p in found if p}.values())
    seconds = START_SECONDS + once + spent if spent else 0.0
    total = sum(line.trials + line.report for line in lines)
    cost = Cost(seconds, once, total * _bytes(course.candidates[0], course))
    if console.format == "json":
        plan = [{key: value for key, value in vars(line).items() if key in TOLD} for line in lines]
        head = {"schema_version": 1, "folder": str(source.folder), "trials": total, **vars(cost)}
        console.result(json_text({**head, "recipes": plan}))
        return
    _show_lines(lines, course.candidates, console)
    for text in _sentences(source, lines, cost, workers):
        console.result(text)


def _show_lines(lines: Sequence[Line], candidates: Sequence[Candidate], console: Console) -> None:
    """One row each; on the screen within its width."""
    columns = ("recipe", "learning rates", "tuned", "to choose", "to report", "done", "failed")
    rows = [(line.recipe, line.rates, line.tuned, line.trials, line.report, line.done, line.failed) for line in lines]
    used = [place for place, name in enumerate(columns) if name not in SELDOM or any(row[place] for row in rows)]
    head, rows = [columns[place] for place in used], [[row[place] for place in used] for row in rows]
    if console.format == "table":
        others = sum(2 + max(len(str(row[place])) for row in [head, *rows]) for place in range(1, len(head)))
        room = max(LEAST_NAME, console.width - others)
        if max(len(line.recipe) for line in lines) > room:
            rows = [[name, *row[1:]] for name, row in zip(short_names(candidates, room), rows, strict=True)]
    console.result(render_rows(console.format, head, rows))


def _probed(course: Course, console: Console) -> list[Probed | None]:
    """One short training of every kind of trial, as many together as a share would have at least; None for a recipe of
    which nothing is missing."""
    probes = {place: _some_cells(candidate, course) for place, candidate in enumerate(course.candidates)}
    shares = {cells[0].key: (place, Share(tuple(cells), probe=True)) for place, cells in probes.items() if cells}
    found: list[Probed | None] = [None] * len(course.candidates)
    if not shares:
        return found
    console.note(f"trying {counted(len(shares), 'kind')} of trial")
    device = course.candidates[0].arms[0].config.train.device
    with Crew(1, Workplace(course.folder.path, {}), device) as crew:
        for event in crew.carry_out(deque(share for _, share in shares.values())):
            if isinstance(event, Probed):
                found[shares[event.cell.key][0]] = event
    return found


def _some_cells(candidate: Candidate, course: Course) -> Sequence[Cell]:
    """Cells at the middle rates of what the candidate needs now."""
    cells = candidate.cells(course.problems)
    middle = len(cells) // 2
    return cells[max(0, middle - FEW // 2) : middle + FEW // 2] or cells[:1]


def _line(name: str, candidate: Candidate, course: Course, probed: Probed | None) -> Line:
    protocol, arm = candidate.protocol, candidate.arms[0]
    rates = candidate.rates[0] if candidate.rates else ()
    said = ", ".join("its own" if rate is None else f"{rate:g}" for rate in rates)
    if arm.rates.searched and not rates:
        said = "9 around its scale" if arm.rates.auto else f"{len(arm.rates.values)} around its scale"
    elif len(rates) > 4:
        said = f"{len(rates)}: {rates[0]:g} to {rates[-1]:g}"
    report = candidate.report_count
    further = protocol.widenings * 2 * len(protocol.choosing)
    cells = course.cells_of(candidate)
    done = sum(cell.key in course.folder.finished for cell in cells)
    failed = sum(cell.key in course.ended for cell in cells)
    searched = candidate.cells(course.problems) if candidate.stage == "search" else []
    passing = sum(cell.trial.config.train.epochs for cell in searched) / arm.config.train.epochs
    shares = 1 + bool(searched) + bool(report) + (not candidate.measured)
    tuned = ", ".join(dict.fromkeys(key.partition(".")[2] for one in candidate.arms for key in one.tuned))
    known = (candidate.choose_count, report, further, done, failed, passing, shares, candidate.measured)
    return Line(name, said, tuned, *known, probed)


def _seconds(line: Line) -> float:
    left = max(0, line.trials + line.report - line.done - line.failed)
    if line.probed is None or not left:
        return 0.0
    measuring = 0.0 if line.measured else MEASURE_SECONDS
    return measuring + (left + line.passing) * line.probed.trial_seconds + line.shares * line.probed.build_seconds


def _bytes(candidate: Candidate, course: Course) -> int:
    config = candidate.arms[0].config
    per_epoch = -(-len(course.problems.of(config).train) // config.train.batch_size)
    return FOLDER_BYTES + config.train.epochs * (EPOCH_BYTES + STEP_BYTES * per_epoch)


def _sentences(source: Source, lines: Sequence[Line], cost: Cost, workers: int) -> list[str]:
    total = sum(line.trials + line.report for line in lines)
    done, failed, further = (sum(getattr(line, key) for line in lines) for key in ("done", "failed", "further"))
    more = f"; up to {further} more where the best rate is at an end" if further else ""
    place = shlex.quote(str(source.folder))
    told = ["", f"{counted(total, 'trial')}{f', {done} of them done' if done else ''}{more}"]
    told += [f"{failed} failed; --retry-failed tries them again"] if failed else []
    if cost.seconds:
        size = f"{cost.bytes / 1e6:.1f} MB"
        told.append(f"about {duration(cost.seconds)} with {counted(workers, 'worker')}, {size} in {place}")
    else:
        told.append(f"nothing {'else ' if failed else ''}is left to do; the runs are in {place}")
    if cost.once_seconds:
        told.append(f"{duration(cost.once_seconds)} of that for all images to go once through the backbone")
    if len({(line.trials, line.report) for line in lines}) > 1:
        told.append("the budgets of the recipes are not equal; the comparison will say so")
    return told
