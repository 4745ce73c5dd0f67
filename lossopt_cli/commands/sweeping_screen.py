"""What a person sees while a sweep runs, on stderr: what it is of, and one live table of its recipes."""

import math
import shutil
import textwrap
import time
from collections.abc import Callable, Iterable
from statistics import fmean

from lossopt_cli.catalogue.wording import counted
from lossopt_cli.commands.sweeping_names import short_names, shown_setting
from lossopt_cli.console import Console, write
from lossopt_cli.data.counted import Counted
from lossopt_cli.progress import duration
from lossopt_cli.sweeps.candidates import Candidate
from lossopt_cli.sweeps.course import Course
from lossopt_cli.sweeps.shares import Ended, Told

REDRAW_SECONDS = 0.25
LINE_SECONDS = 10.0
LABEL = 11
STAGES = {
    "search": "scale",
    "choose": "rate",
    "refine": "finer",
    "finals": "finals",
    "report": "report",
    "done": "done",
}
KEPT_LINES = 4  # of the terminal, for what is not a recipe


class SweepScreen:
    """Redraws in place on a terminal; elsewhere prints one line every LINE_SECONDS, and one at the end."""

    def __init__(self, console: Console, course: Course, clock: Callable[[], float] = time.monotonic):
        self.console, self.course, self.clock = console, course, clock
        self.drawn_at = clock()
        self.at_work_since: float | None = None
        self.lines_on_screen = 0
        self.long = ""
        self.said: set[str] = set()
        self.tellers: dict[str, str] = {}
        self.names = short_names(course.candidates, max(24, console.width - 46))
        self.width = max(map(len, ["recipe", *self.names]))

    def head(self, workers: int) -> None:
        """The problem, the setting, the seeds, the folder."""
        candidate = self.course.candidates[0]
        protocol = candidate.protocol
        problems = [self.course.problems.of(arm.config) for c in self.course.candidates for arm in c.arms]
        datasets = {problem.description for problem in problems}
        notes = dict.fromkeys(note for problem in problems for note in problem.notes)
        rates = "each learning rate found for it" if candidate.arms[0].rates.auto else "learning rates as given"
        seeds = protocol.report or protocol.choosing
        lines = {
            "data": "; ".join(sorted(datasets)),
            "setting": shown_setting(self.course.candidates),
            "recipes": f"{len(self.course.candidates)}, {rates}; {counted(len(seeds), 'seed')}",
            "folder": f"{self.course.folder.path}      {counted(workers, 'worker')}",
        }
        for word, text in lines.items():
            self._labelled(word, text)
            for note in notes if word == "data" else ():
                self._labelled("", f"({note})")
        self.console.note()
        if self.console.live:
            self.draw(0.0, last=True)

    def tell(self, told: Told) -> None:
        """What takes long before trials can begin: how far it is in the last line; anything else above the table, once,
        by the first share that needs it, however many do."""
        text = told.text
        if self.tellers.setdefault(told.of, told.by) != told.by:
            return
        if isinstance(text, Counted):
            self.long = "" if text.done == text.count else text
        if isinstance(text, Counted) or text in self.said:
            return
        self.said.add(text)
        self._clear()
        self._labelled("features", text)
        if self.console.live:
            self.drawn_at = -math.inf

    def _labelled(self, word: str, text: str) -> None:
        for place, line in enumerate(textwrap.wrap(text, min(self.console.width, 80) - LABEL)):
            self.console.note(f"{'' if place else word:<{LABEL}}{line}")

    def draw(self, in_progress: float, *, last: bool = False) -> None:
        """in_progress: how much of the shares at work is done, in trials."""
        now = self.clock()
        if self.at_work_since is None and (in_progress or any(end.cell.is_kept for end in self.course.ended.values())):
            self.at_work_since = now
        if not last and now - self.drawn_at < (REDRAW_SECONDS if self.console.live else LINE_SECONDS):
            return
        self.drawn_at = now
        line = self._line(in_progress)
        if not self.console.live:
            self.console.note(line)
            return
        lines = [*self._rows(), line]
        self._clear()
        width = self.console.width - 1
        write(self.console.err, "".join(f"{text[:width]}\n" for text in lines))
        self.lines_on_screen = len(lines)

    def close(self) -> None:
        """Leaves the last state on the screen."""
        self.draw(0.0, last=True)
        self.lines_on_screen = 0

    def _line(self, in_progress: float) -> str:
        ended = [end for end in self.course.ended.values() if end.cell.is_kept]
        known = self.course.known
        done, total, lost = len(known), self.course.total, sum(end.lost for end in known)
        failed = sum(end.status == "failed" for end in ended)
        text = f"{done} of {counted(total, 'trial')}" + (f", {lost} lost" if lost else "")
        text += f", {failed} failed" if failed else ""
        if self.at_work_since is None and self.long:
            return f"{text}; {self.long}"
        if self.at_work_since is None:
            searching = any(candidate.stage == "search" for candidate in self.course.candidates)
            at_it = "; looking where each recipe learns" if searching else ""
            return f"{text}{at_it if self.course.ended else '; starting'}"
        spent, moved = self.clock() - self.at_work_since, len(ended) + in_progress
        if done < total and moved > 1.0:
            left = spent / moved * (total - done - in_progress)
            text += f"; {duration(spent)}, about {duration(max(1.0, left))} left"
        return text

    def _rows(self) -> list[str]:
        height = shutil.get_terminal_size((80, 24)).lines - KEPT_LINES
        rows = [self._row(*known) for known in zip(self.names, self.course.candidates, strict=True)]
        if len(rows) > height:
            rows = [*rows[: height - 1], f"and {len(rows) - height + 1} more"]
        return [f"{'recipe':<{self.width}}  {'stage':<6} {'done':>9} {'lost':>5}   best so far", *rows]

    def _row(self, name: str, candidate: Candidate) -> str:
        asked = self.course.cells_of(candidate)
        known = [found for cell in asked if (found := self.course.outcome(cell.key)) is not None]
        if candidate.chosen is not None and candidate.stage in ("report", "done"):
            known = _reporting(candidate, known)
        best = _best(known, higher=candidate.view.higher)
        lost = sum(end.lost for end in known)
        count = f"{len(known)}/{len(asked) + candidate.to_come}"
        text = f"{name:<{self.width}}  {STAGES[candidate.stage]:<6} {count:>9} {lost:>5}"
        if best is None:
            return text
        value, rate = best
        return f"{text}   {value:.4g}{'' if rate is None else f' at {rate:g}'}"

    def _clear(self) -> None:
        if self.lines_on_screen:
            # From the first column: the terminal may have shown a ^C.
            write(self.console.err, f"\r\x1b[{self.lines_on_screen}A\x1b[J")
            self.lines_on_screen = 0


def _reporting(candidate: Candidate, known: list[Ended]) -> list[Ended]:
    """Those at the chosen rate: of them those that report, where there are some by now."""
    place, rate = candidate.chosen
    chosen = [end for end in known if (end.cell.recipe, end.cell.rate) == (candidate.arms[place].label, rate)]
    return [end for end in chosen if end.cell.role == "report"] or chosen


def _best(known: Iterable[Ended], *, higher: bool) -> tuple[float, float | None] | None:
    """(mean over its seeds, learning rate) of the best rate so far; None where none is known. Lost ones stay out."""
    by_rate: dict[tuple[str, float | None], list[float]] = {}
    for end in known:
        if end.value is not None and not end.lost:
            by_rate.setdefault((end.cell.recipe, end.cell.rate), []).append(end.value)
    means = [(fmean(values), rate) for (_, rate), values in by_rate.items()]
    return (max if higher else min)(means, key=lambda found: found[0], default=None)
