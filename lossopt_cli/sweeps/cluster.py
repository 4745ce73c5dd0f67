"""A sweep on many machines: Ray tasks that train shares, and a driver that writes what they send, as it comes.

Every machine needs the same lossopt; data and code of the user's travel with the shares.
"""

import logging
import signal
import socket
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self

from lossopt_cli import __version__
from lossopt_cli.errors import Fault, LossoptError, RunError, Terminated, UsageError
from lossopt_cli.sweeps import folder
from lossopt_cli.sweeps.arms import Problems
from lossopt_cli.sweeps.cells import Cell
from lossopt_cli.sweeps.crew import TICK_SECONDS, Event, Task, halves
from lossopt_cli.sweeps.far import Sent, trained
from lossopt_cli.sweeps.shares import Moved, Share, Told, Workplace
from lossopt_cli.sweeps.shipping import Code

HERE = ("auto", "local")  # addresses that Ray resolves: the cluster of this machine, one of this machine alone
CONNECT_SECONDS = 5.0
MOST_LOSSES = 3  # of a trial that is alone in its share, with its machine or process, before it counts as failed
NOT_THERE = """\
ray start --head begins one; this machine must be one of it
  where Ray asks for a token: RAY_AUTH_MODE=token, and the same ~/.ray/auth_token on all of them"""


class Cluster:
    """A Ray cluster as a crew. address: of its head (host:port), `auto` for the one that runs here, `local` for one of
    this machine alone. most: tasks at a time, None for as many as the cluster has room for."""

    def __init__(self, address: str, workplace: Workplace, device: str, problems: Problems, most: int | None = None):
        self.address, self.workplace, self.device = address, workplace, device
        self.problems, self.most = problems, most
        self.running: dict[Any, Task] = {}
        self.losses: Counter[str] = Counter()
        self.data: dict[str, Any] = {}

    def __enter__(self) -> Self:
        try:
            import ray
        except ImportError as error:
            remedy = "python -m pip install 'lossopt[ray]'"
            raise UsageError(Fault("Ray is not installed", "--ray", remedy=remedy)) from error
        _check_answers(self.address)
        self.ray = ray
        try:
            with _own_signals():
                ray.init(self.address, logging_level=logging.ERROR, log_to_driver=False)
        except (ConnectionError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
            raise _no_cluster(self.address, str(error).strip().splitlines()[0]) from error
        except KeyboardInterrupt:
            ray.shutdown()
            raise
        on_gpu = self.device.startswith("cuda") or (self.device == "auto" and ray.cluster_resources().get("GPU", 0))
        self.resource = "GPU" if on_gpu else "CPU"
        options = {"num_gpus": 1} if on_gpu else {"num_cpus": 1}
        self.train = ray.remote(num_returns="streaming", max_retries=0, **options)(trained)
        return self

    def __exit__(self, *error: object) -> None:
        for stream in self.running:
            self.ray.cancel(stream, force=True)
        self.running.clear()
        self.ray.shutdown()

    @property
    def count(self) -> int:
        """How many tasks there can be at a time, as the cluster is now."""
        room = max(1, int(self.ray.cluster_resources().get(self.resource, 1)))
        return room if self.most is None else min(room, self.most)

    @property
    def in_progress(self) -> float:
        """Of the shares at work, how much is done, in trials."""
        return sum(task.moved for task in self.running.values())

    def carry_out(self, shares: deque[Share]) -> Iterator[Event]:
        """As `Crew.carry_out`: what happens until all shares are trained. Of a share whose machine dies those trials
        are trained again that had not been sent."""
        with _termination_told_apart():
            while shares or self.running:
                while shares and len(self.running) < self.count:
                    self._hand_out(shares.popleft())
                ready, _ = self.ray.wait(list(self.running), timeout=TICK_SECONDS)
                if not ready:
                    yield None
                for stream in ready:
                    yield from self._heard(stream, shares)

    def _hand_out(self, share: Share) -> None:
        config = share.cells[0].trial.config
        key = self.problems.key(config)
        if key not in self.data:
            self.data[key] = self.ray.put((key, self.problems.of(config)))
        stream = self.train.remote(share, self.workplace, self.data[key], Code.of(config), __version__)
        self.running[stream] = Task(list(share.cells))

    def _heard(self, stream: Any, shares: deque[Share]) -> Iterator[Event]:
        task = self.running[stream]
        try:
            sent: list[Sent] = self.ray.get(next(stream))
        except StopIteration:
            del self.running[stream]
            return
        except self.ray.exceptions.RayError as error:
            del self.running[stream]
            self.ray.cancel(stream, force=True)
            raised = error.cause if isinstance(error, self.ray.exceptions.RayTaskError) else error
            yield from self._lost(task.cells, raised, shares)
            return
        for event, files in sent:
            if isinstance(event, Moved):
                task.moved = event.trials
            elif not isinstance(event, Told):
                if files:
                    self._write(event.cell, files)
                task.end(event.cell)
            yield event

    def _lost(self, cells: list[Cell], error: Exception, shares: deque[Share]) -> Iterator[Event]:
        """What becomes of the cells of a task that has died: they are tried again, in halves; one that is alone, a few
        times, since its machine may have died of something else."""
        reason = _reason(error)
        self.losses.update(cell.key for cell in cells)
        if len(cells) > 1:
            shares.extendleft(halves(Share(tuple(cells))))
        elif cells and self.losses[cells[0].key] < MOST_LOSSES:
            shares.appendleft(Share(tuple(cells)))
        elif cells:
            yield folder.failed(self.workplace, cells[0], reason)

    def _write(self, cell: Cell, files: Mapping[str, bytes]) -> None:
        run_folder = folder.begin(self.workplace.sweep, cell)
        for name, contents in files.items():
            (run_folder.path / name).parent.mkdir(parents=True, exist_ok=True)
            run_folder.write_bytes(name, contents)
        folder.end(self.workplace.sweep, cell)


def _reason(error: Exception) -> str:
    """What ended a task, in a line. RunError where no machine of that kind can train: another lossopt, or none."""
    if isinstance(error, LossoptError):
        raise (UsageError if isinstance(error, UsageError) else RunError)(*error.faults) from error
    if "No module named 'lossopt_cli" in str(error):
        what = "a machine of the cluster has no lossopt, or another one"
        remedy = f"python -m pip install 'lossopt[ray]=={__version__}' there, in the Python that runs `ray start`"
        raise RunError(Fault(what, "--ray", remedy=remedy)) from error
    return ": ".join([type(error).__name__, *str(error).strip().splitlines()[-1:]])


def _check_answers(address: str) -> None:
    """UsageError for what is no address, and for one where nothing answers: Ray itself would try for a minute."""
    host, _, port = address.rpartition(":")
    if address in HERE:
        return
    if not host or not port.isdigit() or "/" in host:
        raise UsageError(Fault(f"{address!r} is no address", "--ray", "host:port, auto or local"))
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except OSError as error:
        raise _no_cluster(address, (error.strerror or str(error)).lower()) from error


def _no_cluster(address: str, reason: str) -> UsageError:
    what = f"no Ray cluster answers at {address}: {reason}"
    return UsageError(Fault(what, "--ray", "host:port, auto or local", NOT_THERE))


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keeps what Ctrl-C and SIGTERM do, which Ray sets anew."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _termination_told_apart() -> Iterator[None]:
    """Raises Terminated for SIGTERM also where it arrives in a call of Ray's, which makes Ctrl-C of every signal."""
    caught: list[Terminated] = []

    def terminate(number: int, frame: FrameType | None) -> None:
        caught.append(Terminated())
        raise caught[0]

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    except KeyboardInterrupt as stop:
        raise (caught or [stop])[0] from None
    finally:
        signal.signal(signal.SIGTERM, before)
