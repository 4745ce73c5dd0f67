"""Where shares of a sweep are trained: a process with torch in it."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lossopt_cli.errors import LossoptError
from lossopt_cli.sweeps.arms import Problems
from lossopt_cli.sweeps.cells import Cell
from lossopt_cli.sweeps.folder import failed
from lossopt_cli.sweeps.probing import probed
from lossopt_cli.sweeps.shares import Ended, Moved, Probed, Share, Workplace
from lossopt_cli.sweeps.trials import Heard, Trained, write_trial
from lossopt_cli.training.building import user_parts
from lossopt_cli.training.judging import Guess, guess_of
from lossopt_cli.training.loop import Outcome
from lossopt_cli.training.running import Run, at_work
from lossopt_cli.training.stacking import prepare_stack, train_stack
from lossopt_cli.training.stopping import Stopping
from lossopt_cli.training.widths import choice


@dataclass(frozen=True)
class Stack:
    """Cells that are trained together, and what they have in common. widest: what is worth it for their kind."""

    cells: Sequence[Cell]
    runs: Sequence[Run]
    guess: Guess
    widest: int
    began_at: float


@dataclass
class Bench:
    """Trains shares, one after the other, and tells of every trial that has ended."""

    workplace: Workplace
    tell: Callable[[Ended | Moved | Probed], None]
    problems: Problems = field(default_factory=lambda: Problems(lambda text: None))

    def train(self, share: Share, stopping: Stopping) -> None:
        """Trains every cell of the share and writes its folder. What goes wrong with one does not touch the others:
        they are trained again without it. Raises the signal that `stopping` has caught."""
        if share.probe:
            self.tell(probed(share.cells, self.problems))
            return
        try:
            self._together(share.cells, stopping)
        except LossoptError as error:
            if len(share.cells) > 1:
                self._apart(share.cells, 1, stopping)
            else:
                self.tell(failed(self.workplace, share.cells[0], str(error)))

    def _apart(self, cells: Sequence[Cell], width: int, stopping: Stopping) -> None:
        for first in range(0, len(cells), width):
            self.train(Share(tuple(cells[first : first + width])), stopping)

    def _together(self, cells: Sequence[Cell], stopping: Stopping) -> None:
        """As stacks of the width that is worth it for this kind, one after the other, each written when it has ended.

        The width is that of the sweep where it has found one before, so that a trial comes out the same."""
        began_at = time.perf_counter()
        configs = [cell.trial.config for cell in cells]
        runs = prepare_stack(configs, self.problems.of(configs[0]), user_parts(configs[0], Path.cwd()))
        with at_work(runs[0]):
            guess, widest_ = guess_of(runs[0].examination, runs[0].state), cells[0].width or choice(runs[0]).width
        if cells[0].role == "measure":
            self.tell(Ended(cells[0], "done", False, None, None, 0.0, widest_))
            return
        for first in range(0, len(cells), widest_):
            some = slice(first, first + widest_)
            stack = Stack(cells[some], runs[some], guess, widest_, began_at)
            self._train_stack(stack, stopping)
            began_at = time.perf_counter()

    def _train_stack(self, stack: "Stack", stopping: Stopping) -> None:
        cells, runs = stack.cells, stack.runs
        heard = [Heard() for _ in runs]
        with at_work(runs[0]):
            outcomes = train_stack(runs, heard, stopping=stopping, stepped=self._moved(cells), width=stack.widest)
        if stopping.cause is not None:
            raise stopping.cause
        spent = (time.perf_counter() - stack.began_at) / len(cells)
        for cell, run, outcome, told in zip(cells, runs, outcomes, heard, strict=True):
            if cell.role == "search":
                self.tell(_searched(cell, outcome))
            else:
                trained = Trained(run, outcome, stack.guess, told, len(cells), stack.widest, spent)
                self.tell(Ended.of(cell, write_trial(self.workplace, cell, trained)))

    def _moved(self, cells: Sequence[Cell]) -> Callable[[int, int, int], None]:
        """Tells how far trials are that leave a run."""
        kept = sum(cell.is_kept for cell in cells)
        return lambda step, steps, alive: self.tell(Moved(kept * step / steps))


def _searched(cell: Cell, outcome: Outcome) -> Ended:
    """What a search needs of a trial, of which nothing is kept."""
    final = outcome.evaluations[-1].metrics if outcome.status == "done" else {}
    loss, initial = ((metrics.get("validation") or {}).get("loss") for metrics in (final, outcome.initial))
    known = loss is not None and math.isfinite(loss)
    return Ended(cell, outcome.status, not known, None, None, 0.0, None, loss if known else None, initial)
