"""How a sweep goes: which cells are trained next, as those before them end."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from lossopt_cli.errors import Fault, RunError
from lossopt_cli.runs.reading import FINISHED
from lossopt_cli.runs.records import Record
from lossopt_cli.sweeps.arms import Problems
from lossopt_cli.sweeps.candidates import Candidate
from lossopt_cli.sweeps.cells import Cell
from lossopt_cli.sweeps.folder import SweepFolder
from lossopt_cli.sweeps.shares import Ended


@dataclass
class Course:
    """candidates: the recipes. folder: what is there already, read. changed: called when a candidate knows more (its
    scale, its rate), so that it can be written down.

    cells: all that are needed so far, by their key; asked: by the place of the candidate that needs them; requested:
    those that were given out; waiting: those that a candidate waits for; ended, ended_before: by this sweep, and by
    earlier ones."""

    candidates: Sequence[Candidate]
    problems: Problems
    folder: SweepFolder
    retry_failed: bool = False
    changed: Callable[[], None] = lambda: None
    cells: dict[str, Cell] = field(default_factory=dict)
    waiting: dict[int, set[str]] = field(default_factory=dict)
    ended: dict[str, Ended] = field(default_factory=dict)
    asked: dict[int, dict[str, None]] = field(default_factory=dict)
    ended_before: dict[str, Ended] = field(default_factory=dict)
    requested: set[str] = field(default_factory=set)

    def begin(self) -> list[Cell]:
        """The cells to train first."""
        return [cell for place in range(len(self.candidates)) for cell in self._advance(place)]

    def missing(self) -> list[Cell]:
        """The cells that are asked for and not there, whatever must be known before they are trained."""
        self.begin()
        return [cell for cell in self.cells.values() if cell.is_kept and not self._is_known(cell)]

    def heard(self, ended: Ended) -> list[Cell]:
        """The cells to train besides, now that this one has ended."""
        key = ended.cell.key
        self.ended[key] = ended
        if ended.cell.is_kept and ended.status in FINISHED:
            self.folder.note(ended.cell.name)
        found = []
        for place, waiting in list(self.waiting.items()):
            if key in waiting:
                waiting.discard(key)
                if ended.cell.role == "measure":
                    self.candidates[place].learn_pace(ended)
                    self.changed()
                found += [] if waiting else self._advance(place)
        return found

    def check_ended(self) -> None:
        """RunError where a recipe waits for trials and none is at work."""
        waiting = [candidate.name for candidate in self.candidates if candidate.stage != "done"]
        if waiting:
            raise RunError(Fault(f"internal error: the sweep has ended before {', '.join(waiting)}"))

    def cells_of(self, candidate: Candidate) -> list[Cell]:
        """The trials that it needs so far."""
        place = next(place for place, other in enumerate(self.candidates) if other is candidate)
        return [self.cells[key] for key in self.asked.get(place, ()) if self.cells[key].is_kept]

    @property
    def total(self) -> int:
        """The trials that are needed so far, and those that, as far as one knows, will be."""
        needed = sum(cell.is_kept for cell in self.cells.values())
        return needed + sum(candidate.to_come for candidate in self.candidates)

    @property
    def known(self) -> list[Ended]:
        """How those of them ended that have, now or in an earlier sweep."""
        found = (self.outcome(trial) for trial, cell in self.cells.items() if cell.is_kept)
        return [ended for ended in found if ended is not None]

    def outcome(self, trial: str) -> Ended | None:
        """How a trial ended, now or in an earlier sweep; None for one that has not."""
        if trial not in self.ended and trial in self.folder.finished:
            self.ended_before[trial] = self.ended_before.get(trial) or Ended.of(
                self.cells[trial], self.folder.finished[trial].result
            )
            return self.ended_before[trial]
        return self.ended.get(trial)

    @property
    def failed(self) -> list[Ended]:
        return [ended for ended in self.ended.values() if ended.status == "failed" and ended.cell.is_kept]

    @property
    def records(self) -> list[Record]:
        """The finished trials of this sweep."""
        return [self.folder.finished[trial] for trial in self.cells if trial in self.folder.finished]

    def _advance(self, place: int) -> list[Cell]:
        """Moves a candidate on until it needs cells that are not there; those of them that nobody asked for before. The
        first that any needs is one that says how many make a stack."""
        candidate = self.candidates[place]
        while candidate.stage != "done":
            cells = candidate.cells(self.problems)
            self.cells |= {cell.key: cell for cell in cells}
            self.asked.setdefault(place, {}).update(dict.fromkeys(cell.key for cell in cells))
            missing = [cell for cell in cells if not self._is_known(cell)]
            if missing and not candidate.measured:
                missing = [replace(missing[0], role="measure")]
            if missing:
                self.waiting[place] = {cell.key for cell in missing}
                return self._request(missing)
            self._conclude(candidate, cells)
            self.changed()
        self.waiting.pop(place, None)
        return []

    def _request(self, cells: Iterable[Cell]) -> list[Cell]:
        """Those of them that nobody asked for before."""
        new = [cell for cell in cells if cell.key not in self.requested]
        self.requested |= {cell.key for cell in new}
        return new

    def _conclude(self, candidate: Candidate, cells: Sequence[Cell]) -> None:
        if candidate.stage == "search":
            candidate.searched([self.ended[cell.key] for cell in cells])
        elif candidate.stage in ("choose", "refine", "finals"):
            candidate.choose(self.folder.finished, self.problems)
        else:
            candidate.stage = "done"

    def _is_known(self, cell: Cell) -> bool:
        """Whether its training has ended: now, or in an earlier sweep (a failure then counts unless tried again)."""
        trial = cell.key
        if trial in self.ended or trial in self.folder.finished:
            return True
        if trial in self.folder.failed and not self.retry_failed:
            self.ended[trial] = Ended.of(cell, self.folder.failed[trial].result)
            return True
        return False
