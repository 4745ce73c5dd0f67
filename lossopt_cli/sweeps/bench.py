"""Where shares of a sweep are trained: a process with torch in it."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lossopt_cli.config.schema import Config
from lossopt_cli.errors import Fault, LossoptError, Refused, Unobtainable, UsageError
from lossopt_cli.sweeps.arms import Pace, Problems
from lossopt_cli.sweeps.cells import Cell
from lossopt_cli.sweeps.folder import failed
from lossopt_cli.sweeps.probing import Probes
from lossopt_cli.sweeps.shares import Ended, Moved, Probed, Share, Told, Workplace
from lossopt_cli.sweeps.trials import Heard, Trained, write_trial
from lossopt_cli.training import devices
from lossopt_cli.training.building import UserParts, user_parts
from lossopt_cli.training.grouping import stack_key
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
    """Trains shares, one after the other, and tells of every trial that has ended. parts: the user's code that a config
    names."""

    workplace: Workplace
    tell: Callable[[Ended | Moved | Probed | Told], None]
    problems: Problems = field(default_factory=lambda: Problems(lambda text: None))
    ended: set[str] = field(default_factory=set)
    parts: Callable[[Config], UserParts] = lambda config: user_parts(config, Path.cwd())
    probes: Probes = field(init=False)

    def __post_init__(self) -> None:
        self.probes = Probes(self.problems)

    def train(self, share: Share, stopping: Stopping) -> None:
        """Trains every cell of the share and writes its folder. What goes wrong with one does not touch the others:
        they are trained again without it; where memory runs out, in halves. Raises the signal that `stopping` has
        caught, Unobtainable where what they all need cannot be had, and Refused for a kind of trial that cannot be."""
        if share.probe:
            self.tell(self.probes.of(share.cells))
            return
        try:
            self._together(share.cells, stopping)
        except Unobtainable:
            raise
        except LossoptError as error:
            if isinstance(error, UsageError) and share.cells[0].role == "measure":
                raise Refused(*error.faults) from error
            self._again(share.cells, 1, str(error), stopping)
        except (MemoryError, RuntimeError) as error:
            if not devices.is_out_of_memory(error):
                raise
            self._again(share.cells, len(share.cells) // 2, "out of memory", stopping)

    def _again(self, cells: Sequence[Cell], width: int, reason: str, stopping: Stopping) -> None:
        """The cells that have not ended, in smaller shares; a cell that is alone has failed."""
        left = [cell for cell in cells if cell.key not in self.ended]
        if len(cells) == 1:
            self._tell_ended(failed(self.workplace, cells[0], reason))
            return
        for first in range(0, len(left), width):
            self.train(Share(tuple(left[first : first + width])), stopping)

    def _tell_ended(self, ended: Ended) -> None:
        self.ended.add(ended.cell.key)
        self.tell(ended)

    def _together(self, cells: Sequence[Cell], stopping: Stopping) -> None:
        """As stacks of the width that is worth it for this kind, one after the other, each written when it has ended.

        The width is that of the sweep where it has found one before, so that a trial comes out the same."""
        began_at = time.perf_counter()
        configs = [cell.trial.config for cell in cells]
        if len(cells) > 1 and stack_key(configs[0]) is None:
            for cell in cells:  # one network at a time in memory
                self._together([cell], stopping)
            return
        runs = prepare_stack(configs, self.problems.of(configs[0]), self.parts(configs[0]), self._announcer(cells))
        _check_same(cells, runs)
        with at_work(runs[0]):
            guess, pace = guess_of(runs[0].examination, runs[0].state), cells[0].pace or _pace(runs[0])
        if cells[0].role == "measure":  # so do all of the share, each for a recipe that waits for it
            for cell in cells:
                self._tell_ended(Ended(cell, "done", False, None, None, 0.0, pace))
            return
        for first in range(0, len(cells), pace.width):
            some = slice(first, first + pace.width)
            stack = Stack(cells[some], runs[some], guess, pace.width, began_at)
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
                self._tell_ended(_searched(cell, outcome))
            else:
                trained = Trained(run.ended(outcome), outcome, stack.guess, told, stack.widest, spent)
                self._tell_ended(Ended.of(cell, write_trial(self.workplace, cell, trained)))

    def _announcer(self, cells: Sequence[Cell]) -> Callable[[str], None]:
        """Tells what takes long before these can begin."""
        return lambda text: self.tell(Told.of_cells(cells, text))

    def _moved(self, cells: Sequence[Cell]) -> Callable[[int, int, int], None]:
        """Tells how far trials are that leave a run."""
        kept = sum(cell.is_kept for cell in cells)
        return lambda step, steps, alive: self.tell(Moved(kept * step / steps))


def _check_same(cells: Sequence[Cell], runs: Sequence[Run]) -> None:
    """Unobtainable where a run is another trial than the sweep has asked for: its code is no longer that of then."""
    if any(cell.trial.hash != run.trial.hash for cell, run in zip(cells, runs, strict=True)):
        named = ", ".join(obj.reference for obj in runs[0].built.user.objects.values())
        what = f"{named or 'what this trains'} has changed while the sweep ran"
        raise Unobtainable(Fault(what, remedy="call the sweep again: trials of the file as it is now are new ones"))


def _pace(run: Run) -> Pace:
    """The width that is worth it for trials of this kind, and what one takes then."""
    found = choice(run)
    spent = found.microseconds.get(found.width)
    return Pace(found.width, None if spent is None else 1e-6 * spent * run.steps)


def _searched(cell: Cell, outcome: Outcome) -> Ended:
    """What a search needs of a trial, of which nothing is kept."""
    final = outcome.evaluations[-1].metrics if outcome.status == "done" else {}
    loss, initial = ((metrics.get("validation") or {}).get("loss") for metrics in (final, outcome.initial))
    known = loss is not None and math.isfinite(loss)
    return Ended(cell, outcome.status, not known, None, None, 0.0, None, loss if known else None, initial)
