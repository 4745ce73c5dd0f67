"""The task of a sweep on another machine: it trains a share and tells of every trial as soon as it has ended."""

import contextlib
import queue
import socket
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path

from lossopt_cli import __version__
from lossopt_cli.data.problem import Problem
from lossopt_cli.errors import Fault, RunError
from lossopt_cli.sweeps import folder
from lossopt_cli.sweeps.shares import Ended, Moved, Share, Told, Workplace
from lossopt_cli.sweeps.shipping import Code, writable

SEND_SECONDS = 0.5

Event = Ended | Moved | Told
Sent = tuple[Event, Mapping[str, bytes]]  # what is told, and the files of the run that it is told of


def trained(
    share: Share, workplace: Workplace, problem: tuple[str, Problem], code: Code, version: str
) -> Iterator[list[Sent]]:
    """Trains a share on whatever machine this is, in a thread; meanwhile, a few times a second, what has happened.

    problem: with its key among `arms.Problems`. version: of the driver's lossopt; RunError where this one differs."""
    if version != __version__:
        what = f"{socket.gethostname()} has lossopt {__version__}, and the driver {version}"
        raise RunError(Fault(what, "--ray", "the same on every machine"))
    told: queue.SimpleQueue[Event] = queue.SimpleQueue()
    temporary = tempfile.TemporaryDirectory
    with temporary() as place, temporary() as home, contextlib.chdir(home), ThreadPoolExecutor(1) as pool:
        here = replace(workplace, sweep=Path(place), shown=workplace.sweep)
        (here.sweep / folder.UNFINISHED).mkdir()
        training = pool.submit(_train, share, here, problem, code, told)
        ended = False
        while not ended:
            ended = bool(wait([training], SEND_SECONDS).done)
            if sent := _waiting(told, here.sweep):
                yield sent
        training.result()


def _train(
    share: Share, here: Workplace, problem: tuple[str, Problem], code: Code, told: "queue.SimpleQueue[Event]"
) -> None:
    """In a folder of its own, so that errors name the user's files as the copies in the folder of the run are named."""
    from lossopt_cli.sweeps.arms import Problems
    from lossopt_cli.sweeps.bench import Bench
    from lossopt_cli.training.stopping import Stopping

    user = code.unpacked(Path.cwd())
    known = Problems(lambda text: None, {problem[0]: writable(problem[1])})
    Bench(here, told.put, known, parts=lambda config: user).train(share, Stopping())


def _waiting(told: "queue.SimpleQueue[Event]", sweep: Path) -> list[Sent]:
    """All that has been told since, and of how far the share is only the last."""
    found, moved = [], None
    while not told.empty():
        event = told.get()
        if isinstance(event, Moved):
            moved = event
        elif isinstance(event, Told):
            found.append((event, {}))
        else:
            found.append((event, _files(sweep / event.cell.name)))
            moved = None
    return found if moved is None else [*found, (moved, {})]


def _files(run: Path) -> dict[str, bytes]:
    """The files of a run, if it left any."""
    return {path.relative_to(run).as_posix(): path.read_bytes() for path in sorted(run.rglob("*")) if path.is_file()}
