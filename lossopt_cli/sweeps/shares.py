"""What travels between the driver of a sweep and those who train: plain data, without torch."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lossopt_cli.errors import Fault
from lossopt_cli.runs.fingerprint import canonical
from lossopt_cli.runs.records import reported
from lossopt_cli.sweeps.arms import Pace
from lossopt_cli.sweeps.cells import Cell

FEW, MANY = 8, 64  # cells of a share where nobody knows what they take
LEAST_SECONDS, MOST_SECONDS = 2.5, 20.0


@dataclass(frozen=True)
class Workplace:
    """sweep: the folder that runs are written into. environment: what result.json says of the machine
    (`runs.environment`). shown: where the runs will be in the end, where that is elsewhere."""

    sweep: Path
    environment: Mapping[str, Any]
    shown: Path | None = None

    def run_dir(self, cell: Cell) -> str:
        """Where the run of a cell will be found."""
        return str((self.shown or self.sweep) / cell.name)


@dataclass(frozen=True)
class Share:
    """Cells that are trained by one worker together: of one kind, so that they may be a stack.

    probe: they are trained for a moment only, to see that they can be and what they cost."""

    cells: tuple[Cell, ...]
    probe: bool = False


@dataclass(frozen=True)
class Moved:
    """How far the share at work is, in trials."""

    trials: float


@dataclass(frozen=True)
class Told:
    """What takes long before trials can begin, or how far it is (`Counted`). of: equal for shares that need the same;
    by: the share that told it. A screen listens to the first of them: the others only wait, or find it done."""

    text: str
    of: str
    by: str

    @classmethod
    def of_cells(cls, cells: Sequence[Cell], text: str) -> "Told":
        """What the share of these cells tells."""
        return cls(text, inputs_of(cells[0]), cells[0].key)


@dataclass(frozen=True)
class Broken:
    """An error that nobody foresaw, of which a worker dies. reason: what it is and where, in a line; then its trace."""

    reason: str


@dataclass(frozen=True)
class NotThere:
    """What all trials of a share need cannot be had, or, where it is their usage, there can be no such trials."""

    faults: tuple[Fault, ...]
    usage: bool = False


@dataclass(frozen=True)
class Probed:
    """What a kind of trial costs: seconds to build it once, and then for each trial of a share. fault: why it cannot be
    trained, None where it can. once_seconds: what comes before any of the trials on these inputs."""

    cell: Cell
    build_seconds: float = 0.0
    trial_seconds: float = 0.0
    once_seconds: float = 0.0
    fault: str | None = None


@dataclass(frozen=True)
class Idle:
    """A worker has nothing to do. device: the kind that it trains on, said once."""

    device: str | None = None


@dataclass(frozen=True)
class Ended:
    """How the training of a cell ended. value: its metric on validation (train where there is none), of the weights
    that the run reports; None where it has none. seconds: its part of what its share took.
    pace: of a measuring. loss, initial: of a search, on that split, after and before."""

    cell: Cell
    status: str
    lost: bool
    value: float | None
    reason: str | None
    seconds: float
    pace: Pace | None = None
    loss: float | None = None
    initial: float | None = None

    @classmethod
    def of(cls, cell: Cell, result: Mapping[str, Any]) -> "Ended":
        """From what result.json has."""
        status = result["status"]
        lost = status == "diverged" or (status == "done" and result.get("learned") is False)
        seconds = result.get("seconds", {}).get("total", 0.0)
        return cls(cell, status, lost, judged_value(result), result.get("reason"), seconds)


def judged_value(result: Mapping[str, Any]) -> float | None:
    """The metric that a run is judged by, on validation (on train where there is none), of the weights it reports."""
    if not result["metrics"]:
        return None
    metrics = reported(result)
    return (metrics.get("validation") or metrics.get("train") or {}).get(result["metric"])


def shares_of(cells: Iterable[Cell], workers: int) -> list[Share]:
    """Cells of one kind together, in about as many shares as there are workers; none so small that what its cells have
    in common, which is built once a share, costs much; none so large that much is lost where one is stopped."""
    kinds: dict[str, list[Cell]] = {}
    for cell in cells:
        kinds.setdefault(kind_of(cell), []).append(cell)
    shares = []
    for alike in kinds.values():
        least, most = _sizes(alike[0].pace or Pace(1))
        count = max(1, min(workers, len(alike) // least), -(-len(alike) // most))
        shares += [Share(tuple(alike[first::count])) for first in range(count)]
    return shares


def _sizes(pace: Pace) -> tuple[int, int]:
    """The least and the most cells of a share, by what a trial takes; a stack is not divided."""
    if pace.seconds is None:
        return FEW, max(pace.width, MANY)
    least = min(max(1, math.ceil(LEAST_SECONDS / pace.seconds)), 2 * FEW)
    return least, max(least, pace.width, math.ceil(MOST_SECONDS / pace.seconds))


def inputs_of(cell: Cell) -> str:
    """Equal for cells whose images, if any, go through the same backbone."""
    config = cell.trial.config
    return canonical({"data": config.data.model_dump(), "model": config.model and config.model.model_dump()})


def kind_of(cell: Cell) -> str:
    """Equal for cells whose step is one computation: what differs is the learning rate, its schedule and the seed
    (where the seed draws the split, not that). Those that measure a pace, and leave no run, are of a kind of their own.
    """
    config = cell.trial.config.model_dump()
    seed = config["train"].pop("seed")
    config["optimizer"].pop("learning_rate", None)
    config["schedule"] = None
    split = seed if config["data"]["split_seed"] == "seed" else None
    return canonical({"config": config, "split": split, "measures": cell.role == "measure"})
