"""One live table while a sweep runs: done, running, lost, best so far of each recipe, remaining time. On stderr."""

import time
from collections.abc import Callable

from lossopt_cli.console import Console, write
from lossopt_cli.progress import duration
from lossopt_cli.sweeps.candidates import Candidate
from lossopt_cli.sweeps.course import Course

REDRAW_SECONDS = 0.25
LINE_SECONDS = 10.0


class SweepScreen:
    """Redraws in place on a terminal; elsewhere prints one line every LINE_SECONDS, and one at the end."""

    def __init__(self, console: Console, course: Course, clock: Callable[[], float] = time.monotonic):
        self.console, self.course, self.clock = console, course, clock
        self.started_at = self.drawn_at = clock()
        self.lines_on_screen = 0
        self.done_before = 0

    def draw(self, in_progress: float, *, last: bool = False) -> None:
        """in_progress: how much of the shares at work is done, in trials."""
        now = self.clock()
        if not last and now - self.drawn_at < (REDRAW_SECONDS if self.console.live else LINE_SECONDS):
            return
        self.drawn_at = now
        line = self._line(in_progress)
        if not self.console.live:
            self.console.note(line)
            return
        lines = [*(self._row(candidate) for candidate in self.course.candidates), line]
        self._clear()
        width = self.console.width - 1
        write(self.console.err, "".join(f"{text[:width]}\n" for text in lines))
        self.lines_on_screen = len(lines)

    def close(self) -> None:
        self.draw(0.0, last=True)

    def _line(self, in_progress: float) -> str:
        trained = [end for end in self.course.ended.values() if end.cell.role != "search"]
        known = sum(cell.role != "search" for trial, cell in self.course.cells.items() if self._is_done(trial))
        lost = sum(end.lost for end in trained)
        total, spent = self.course.total, self.clock() - self.started_at
        text = f"{known} of {total} trials" + (f", {lost} lost" if lost else "")
        moved = len(trained) + in_progress
        if moved > 0.0 and known < total:
            left = max(0.0, total - known - in_progress)
            text += f"; {duration(spent)}, about {duration(spent / moved * left)} left"
        return text

    def _is_done(self, trial: str) -> bool:
        return trial in self.course.ended or trial in self.course.folder.finished

    def _row(self, candidate: Candidate) -> str:
        ends = [end for end in self.course.ended.values() if end.cell.recipe.startswith(candidate.name)]
        values = [(end.value, end.cell.rate) for end in ends if end.value is not None and not end.lost]
        best = (max if candidate.view.higher else min)(values, default=None)
        lost = sum(end.lost for end in ends if end.cell.role != "search")
        text = f"  {candidate.name.replace('+', ' + '):<34} {candidate.stage:<7} {len(ends):>4} done {lost:>3} lost"
        return text + (f"   best {best[0]:.4g} at {best[1]:g}" if best else "")

    def _clear(self) -> None:
        if self.lines_on_screen:
            write(self.console.err, f"\x1b[{self.lines_on_screen}A\x1b[J")
            self.lines_on_screen = 0
