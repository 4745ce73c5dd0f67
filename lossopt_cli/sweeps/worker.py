"""A process that trains the shares that it is sent. Importing this module imports torch and keras: a fork server does
it once for all of them."""

import os
import signal
import threading
import traceback
from dataclasses import dataclass
from multiprocessing import connection, parent_process
from pathlib import Path
from types import TracebackType

from lossopt_cli.errors import Refused, Unobtainable, UsageError
from lossopt_cli.sweeps.bench import Bench
from lossopt_cli.sweeps.shares import Broken, Idle, NotThere, Share, Workplace
from lossopt_cli.training.devices import device_named
from lossopt_cli.training.stopping import Stopping


def work(driver: connection.Connection, workplace: Workplace, device: str) -> None:
    """Trains until the driver closes the connection. Ctrl-C is the driver's business; without a driver it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_driver, daemon=True).start()
    link = _Link(driver)
    with _Telling(link):
        bench = Bench(workplace, link.send)
        try:
            link.send(Idle(device_named(device).type))
        except UsageError as error:
            link.send(NotThere(error.faults, usage=True))
        while True:
            share = link.receive()
            try:
                bench.train(share, Stopping())
            except (Unobtainable, Refused) as error:
                link.send(NotThere(error.faults, usage=isinstance(error, UsageError)))
            link.send(Idle())


@dataclass(frozen=True)
class _Link:
    """What the driver says and hears. Without it the process ends, at once and silently: a driver that was stopped has
    said so."""

    driver: connection.Connection

    def receive(self) -> Share:
        try:
            return self.driver.recv()
        except EOFError:
            os._exit(0)  # leaving the interpreter would take torch a second
        except ConnectionResetError:
            os._exit(1)

    def send(self, event: object) -> None:
        try:
            self.driver.send(event)
        except (BrokenPipeError, ConnectionResetError):
            os._exit(1)


@dataclass(frozen=True)
class _Telling:
    """Tells the driver of an error that nobody foresaw, instead of a traceback on the screen for each worker."""

    link: _Link

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException], error: BaseException, trace: TracebackType) -> None:
        at = traceback.extract_tb(trace)[-1]
        what = f"{kind.__name__}: {error}".splitlines()[0]
        told = "".join(traceback.format_exception(error))
        self.link.send(Broken(f"internal error: {what} ({Path(at.filename).name}:{at.lineno})\n{told}"))
        os._exit(1)


def _end_with_driver() -> None:
    connection.wait([parent_process().sentinel])
    os._exit(1)
