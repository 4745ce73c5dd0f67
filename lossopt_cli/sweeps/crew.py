"""The local workers of a sweep: fresh processes from a fork server that has keras loaded, one thread each."""

import multiprocessing
import signal
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import connection
from typing import Self

from lossopt_cli.errors import Fault, RunError, UsageError
from lossopt_cli.sweeps.cells import Cell
from lossopt_cli.sweeps.folder import failed
from lossopt_cli.sweeps.shares import Broken, Ended, Idle, Moved, NotThere, Probed, Share, Told, Workplace

TICK_SECONDS = 0.2
WORKER = "lossopt_cli.sweeps.worker"

Event = Ended | Moved | Probed | Told | None


@dataclass
class Task:
    """A share at work. cells: those that have not ended. moved: how far these are, in trials. broken: what its process
    died of, where it could say so. probe: as in Share."""

    cells: list[Cell] = field(default_factory=list)
    probe: bool = False
    moved: float = 0.0
    broken: str | None = None

    def end(self, cell: Cell) -> None:
        """Notes that this one has ended."""
        self.cells = [other for other in self.cells if other.name != cell.name]
        self.moved = min(self.moved, len(self.cells))


@dataclass
class _Worker:
    """A process, and what it is at."""

    process: multiprocessing.Process
    link: connection.Connection
    task: Task = field(default_factory=Task)
    idle: bool = False


class Crew:
    """`count` processes that train shares; on a GPU one. Enter it to have the fork server begin to import; the
    processes are started with the first shares, and ended with the block, at once."""

    def __init__(self, count: int, workplace: Workplace, device: str):
        self.count, self.workplace, self.device = count, workplace, device
        self.context = multiprocessing.get_context("forkserver")
        self.workers: list[_Worker] = []

    def __enter__(self) -> Self:
        from multiprocessing import forkserver, resource_tracker

        self.context.set_forkserver_preload([WORKER])
        resource_tracker.ensure_running()  # which the fork server would start, and lift what is held back
        with _ctrl_c_held_back():
            forkserver.ensure_running()
        return self

    def __exit__(self, *error: object) -> None:
        for worker in self.workers:
            worker.process.kill()
        for worker in self.workers:
            worker.process.join()
            worker.link.close()
        self.workers.clear()

    @property
    def in_progress(self) -> float:
        """Of the shares at work, how much is done, in trials."""
        return sum(worker.task.moved for worker in self.workers)

    def carry_out(self, shares: deque[Share]) -> Iterator[Event]:
        """What happens until all shares are trained, those too that are put into the queue meanwhile; None a few times
        a second. A share whose process dies is tried again in halves; a trial that takes one down alone has failed.
        RunError where what the trials need cannot be had, UsageError where one of a kind cannot be built."""
        while shares or any(worker.task.cells for worker in self.workers):
            self._hand_out(shares)
            ready = connection.wait([worker.link for worker in self.workers], TICK_SECONDS)
            if not ready:
                yield None
            for worker in [worker for worker in self.workers if worker.link in ready]:
                yield from self._heard(worker, shares)

    def _hand_out(self, shares: deque[Share]) -> None:
        """Gives each idle process a share, and starts one more where shares are waiting."""
        for worker in self.workers:
            if worker.idle and shares:
                share = shares.popleft()
                worker.task, worker.idle = Task(list(share.cells), share.probe), False
                worker.link.send(share)
        known = all(worker.idle or worker.task.cells for worker in self.workers)
        if shares and known and len(self.workers) < self.count:
            self._start()

    def _start(self) -> None:
        from lossopt_cli.sweeps.launch import launched

        here, there = self.context.Pipe()
        process = self.context.Process(target=launched, args=(there, self.workplace, self.device), daemon=True)
        process.start()
        there.close()
        self.workers.append(_Worker(process, here))

    def _heard(self, worker: _Worker, shares: deque[Share]) -> Iterator[Event]:
        try:
            event = worker.link.recv()
        except (EOFError, ConnectionResetError):
            yield from self._lost(worker, shares)
            return
        if isinstance(event, Idle):
            worker.task, worker.idle = Task(), True
            if event.device not in (None, "cpu"):
                self.count = 1
            return
        if isinstance(event, Broken):
            worker.task.broken = event.reason
            return
        if isinstance(event, NotThere):
            raise (UsageError if event.usage else RunError)(*event.faults)
        if isinstance(event, Moved):
            worker.task.moved = event.trials
        elif not isinstance(event, Told):
            worker.task.end(event.cell)
        yield event

    def _lost(self, worker: _Worker, shares: deque[Share]) -> Iterator[Event]:
        """A process that ended by itself: out of memory, or code that takes the interpreter down. RunError for one that
        ended before it was given anything: so would the next."""
        worker.process.join()
        worker.link.close()
        self.workers.remove(worker)
        cells = worker.task.cells
        reason = worker.task.broken or f"its process ended with code {worker.process.exitcode}"
        if not cells and not worker.idle:
            raise RunError(Fault(f"a worker ended as it started: {reason.splitlines()[0]}"))
        if cells and worker.task.probe:
            yield Probed(cells[0], fault=reason.splitlines()[0])
        elif len(cells) > 1:
            shares.extendleft(halves(Share(tuple(cells))))
        elif cells:
            yield failed(self.workplace, cells[0], reason)


@contextmanager
def _ctrl_c_held_back() -> Iterator[None]:
    """A terminal sends Ctrl-C to every process: what is started here never hears it, this process does afterwards."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def halves(share: Share) -> list[Share]:
    """The share in two, the later half first."""
    half = len(share.cells) // 2
    return [Share(share.cells[half:]), Share(share.cells[:half])]
