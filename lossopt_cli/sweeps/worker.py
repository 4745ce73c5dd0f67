"""A process that trains the shares that it is sent. Importing this module imports torch and keras: a fork server does
it once for all of them."""

import os
import signal
import threading
from multiprocessing import connection, parent_process

from lossopt_cli.sweeps.bench import Bench
from lossopt_cli.sweeps.shares import Idle, Told, Workplace
from lossopt_cli.training.devices import device_named
from lossopt_cli.training.stopping import Stopping


def work(driver: connection.Connection, workplace: Workplace, device: str) -> None:
    """Trains until the driver closes the connection. Ctrl-C is the driver's business; without a driver it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_driver, daemon=True).start()
    bench = Bench(workplace, driver.send, announce=lambda text: driver.send(Told(text)))
    driver.send(Idle(device_named(device).type))
    while True:
        try:
            share = driver.recv()
        except EOFError:
            os._exit(0)  # leaving the interpreter would take torch a second
        bench.train(share, Stopping())
        driver.send(Idle())


def _end_with_driver() -> None:
    connection.wait([parent_process().sentinel])
    os._exit(1)
