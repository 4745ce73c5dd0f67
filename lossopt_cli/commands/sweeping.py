"""A sweep from what was typed: axes, recipes, what is missing of their trials, and what came of it."""

import os
import sys
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from lossopt_cli import errors
from lossopt_cli.commands.sweeping_screen import SweepScreen
from lossopt_cli.console import Console
from lossopt_cli.runs.environment import environment
from lossopt_cli.sweeps.arms import Problems, arms_of
from lossopt_cli.sweeps.axes import Asked, axes_of
from lossopt_cli.sweeps.candidates import candidates_of
from lossopt_cli.sweeps.cells import check_count
from lossopt_cli.sweeps.course import Course
from lossopt_cli.sweeps.crew import Crew, cores
from lossopt_cli.sweeps.folder import SweepFolder
from lossopt_cli.sweeps.shares import Ended, Workplace, shares_of


@dataclass(frozen=True)
class Request:
    """What was typed."""

    asked: Asked
    logs: Path
    name: str | None
    retry_failed: bool
    yes: bool
    started_at: float


def carry_out(request: Request, console: Console) -> int:
    """Trains what is missing of the sweep; the exit code."""
    problems = Problems(console.note)
    axes = axes_of(request.asked, os.environ)
    arms = arms_of(axes, problems)
    seeds = axes.seeds if axes.seeds is not None else range(axes.seed_count)
    check_count({"arms": sum(len(arm.rates.values) or 9 for arm in arms), "seeds": len(seeds)}, agreed=request.yes)
    candidates = candidates_of(arms, seeds, 0, problems)
    sweep = SweepFolder(request.logs / (request.name or "sweep"))
    with sweep.opened():
        sweep.read()
        course = Course(candidates, problems, sweep, request.retry_failed)
        _train(course, Workplace(sweep.path, environment(["lossopt", *sys.argv[1:]])), console)
    console.result(str(sweep.path))
    return errors.SWEEP_INCOMPLETE if course.failed else errors.DONE


def _train(course: Course, workplace: Workplace, console: Console) -> None:
    screen = SweepScreen(console, course)
    with Crew(cores(), workplace, "auto") as crew:
        shares = deque(shares_of(course.begin()))
        for event in crew.carry_out(shares):
            if isinstance(event, Ended):
                shares.extend(shares_of(course.heard(event)))
            screen.draw(crew.in_progress)
    screen.close()
