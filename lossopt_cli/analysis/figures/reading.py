"""The tables of a run as a picture needs them."""

from pathlib import Path

import numpy as np

from lossopt_cli.errors import Fault, UsageError
from lossopt_cli.runs.csv import read_columns


def table_of(folder: Path, name: str) -> dict[str, np.ndarray]:
    """epochs.csv or steps.csv of a run, by column. UsageError where it is not there or not whole."""
    try:
        return read_columns(folder / name)
    except OSError as error:
        reason = error.strerror
    except ValueError as error:
        reason = str(error)
    raise UsageError(Fault(f"{name} cannot be read: {reason}", str(folder), "a run as lossopt train leaves it"))
