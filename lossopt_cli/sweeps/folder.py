"""The folder of a sweep: sweep.yaml, a run folder for each trial that has ended, nothing that is half done."""

import fcntl
import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from lossopt_cli.config.writing import dump
from lossopt_cli.errors import Fault, UsageError
from lossopt_cli.runs.folder import RunFolder
from lossopt_cli.runs.reading import (
    CONFIG,
    FINISHED,
    RESULT,
    SCHEMA_VERSION,
    Found,
    Unreadable,
    found_under,
    parsed_result,
)
from lossopt_cli.runs.records import Record
from lossopt_cli.sweeps.cells import Cell
from lossopt_cli.sweeps.shares import Ended, Workplace

UNFINISHED, LOCK = ".unfinished", ".lock"


@dataclass
class SweepFolder:
    """path: the folder. finished, failed: the runs in it by trial hash, as they were when it was read."""

    path: Path
    finished: dict[str, Record] = field(default_factory=dict)
    failed: dict[str, Record] = field(default_factory=dict)

    def read(self) -> None:
        """Notes every run below that has ended, done or diverged or failed."""
        self.finished, self.failed = {}, {}
        for found in found_under(self.path):
            self._note(found)

    def note(self, name: str) -> None:
        """Notes a run that has ended since."""
        for found in found_under(self.path / name):
            self._note(found)

    def _note(self, found: Found) -> None:
        try:
            result = parsed_result(found)
        except Unreadable:  # what a killed process of another command left: not a trial that has ended
            return
        record, status = Record(found.folder, result, found.began_at), result.get("status")
        if "trial" in result and status in FINISHED:
            self.finished.setdefault(record.trial, record)
        elif "trial" in result and status == "failed":
            self.failed[record.trial] = record

    @contextmanager
    def opened(self, tell: Callable[[str], None] = lambda text: None) -> Iterator[bool]:
        """Makes the folder and keeps other sweeps out of it until the block ends, also where it ends in a kill. One
        that is at work there is waited for, which is told; gives whether it was: what was read before is old then.
        Nothing is left where nothing was written."""
        RunFolder.check(self.path.parent, None)
        with _locked(self.path, tell) as (made, waited):
            shutil.rmtree(self.path / UNFINISHED, ignore_errors=True)
            (self.path / UNFINISHED).mkdir()
            try:
                yield waited
            finally:
                shutil.rmtree(self.path / UNFINISHED, ignore_errors=True)
                if made and [path.name for path in self.path.iterdir()] == [LOCK]:
                    (self.path / LOCK).unlink()
                    for path in itertools.takewhile(lambda path: not any(path.iterdir()), made):
                        path.rmdir()


@contextmanager
def _locked(folder: Path, tell: Callable[[str], None]) -> Iterator[tuple[list[Path], bool]]:
    """Holds the lock of the folder; gives what was made for it, and whether another process had to end first."""
    waited = False
    while True:
        made = [path for path in (folder, *folder.parents) if not path.exists()]
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = (folder / LOCK).open("w")
        except OSError as error:
            raise UsageError(Fault(f"cannot make {folder}: {error.strerror}", "--logs")) from error
        with lock:
            waited = _waited(lock, folder, tell) or waited
            if _is_there(lock, folder / LOCK):  # who had it may have left nothing: then this is the lock of no folder
                yield made, waited
                return


def _waited(lock: IO[str], folder: Path, tell: Callable[[str], None]) -> bool:
    """Takes the lock; whether another process had it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        tell(f"another sweep is at work in {folder}: waiting for it to end")
    except OSError as error:
        remedy = "--logs DIR, on a disk that has locks"
        raise UsageError(Fault(f"cannot lock {folder}: {error.strerror}", "--logs", remedy=remedy)) from error
    fcntl.flock(lock, fcntl.LOCK_EX)
    return True


def _is_there(file: IO[str], path: Path) -> bool:
    """Whether the open file is the one at the path."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def begin(sweep: Path, cell: Cell) -> RunFolder:
    """A folder to write the run of a cell into, out of sight until `end`."""
    path = sweep / UNFINISHED / cell.name
    shutil.rmtree(path, ignore_errors=True)  # of a process that was killed while it wrote
    path.mkdir()
    return RunFolder(path)


def end(sweep: Path, cell: Cell) -> Path:
    """Shows the run of a cell under its name; a failed one that stood there gives way."""
    path = sweep / cell.name
    if path.exists():
        os.replace(path, sweep / UNFINISHED / f"{cell.name}.before")
    os.replace(sweep / UNFINISHED / cell.name, path)
    return path


def failed(workplace: Workplace, cell: Cell, reason: str) -> Ended:
    """Leaves a folder for a trial that ended before it had a result: its config, and why; none for a search."""
    if not cell.is_kept:
        return Ended(cell, "failed", False, None, reason, 0.0)
    trial, config = cell.trial, cell.trial.config
    result = {
        "schema_version": SCHEMA_VERSION,
        "run_dir": workplace.run_dir(cell),
        "status": "failed",
        "reason": reason,
        "learned": None,
        "seed": cell.seed,
        "metrics": {},
        "config": config.model_dump(),
        "trial": trial.hash,
        "problem": trial.problem,
        "setting": trial.setting,
        "environment": dict(workplace.environment),
        **cell.marks,
    }
    run_folder = begin(workplace.sweep, cell)
    run_folder.write_text(CONFIG, dump(config))
    run_folder.write_json(RESULT, result)
    end(workplace.sweep, cell)
    return Ended.of(cell, result)
