"""What a worker process runs first; names the worker without importing it, so that the driver stays without torch."""

from multiprocessing import connection

from lossopt_cli.sweeps.shares import Workplace


def launched(driver: connection.Connection, workplace: Workplace, device: str) -> None:
    """`worker.work`, in a process where its module is loaded."""
    from lossopt_cli.sweeps.worker import work

    work(driver, workplace, device)
