"""A sweep on many machines: Ray tasks that train shares, and a driver that writes what they send back.

Every machine needs the same lossopt, and code of the user's under the same path; the data travel with the sweep.
"""

import logging
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from lossopt_cli.data.problem import Problem
from lossopt_cli.errors import Fault, RunError, UsageError
from lossopt_cli.sweeps import folder
from lossopt_cli.sweeps.cells import Cell
from lossopt_cli.sweeps.crew import TICK_SECONDS, Event, halves
from lossopt_cli.sweeps.shares import Ended, Moved, Share, Workplace

RETRIES = 5  # of a share whose machine dies

Sent = tuple[Any, Mapping[str, bytes]]  # an Ended (or Probed), and the files of its run by their names


class Cluster:
    """A Ray cluster as a crew. address: of its head (host:port), `auto` for the one that runs here, `local` for one of
    this machine alone. problems: what the trials are trained on, by the keys of `arms.Problems`."""

    def __init__(self, address: str, workplace: Workplace, device: str, problems: Mapping[str, Problem]):
        self.address, self.workplace, self.device, self.problems = address, workplace, device, problems
        self.running: dict[Any, Share] = {}
        self.in_progress = 0.0

    def __enter__(self) -> Self:
        try:
            import ray
        except ImportError as error:
            remedy = "python -m pip install 'lossopt[ray]'"
            raise UsageError(Fault("Ray is not installed", "--ray", remedy=remedy)) from error
        self.ray = ray
        try:
            ray.init(self.address, logging_level=logging.ERROR, log_to_driver=False)
        except (ConnectionError, ValueError, RuntimeError) as error:
            what = f"no Ray cluster answers at {self.address}: {str(error).splitlines()[0]}"
            raise UsageError(Fault(what, "--ray", "host:port, auto or local", "ray start --head begins one")) from error
        on_gpu = self.device.startswith("cuda") or (self.device == "auto" and ray.cluster_resources().get("GPU", 0))
        self.resource = "GPU" if on_gpu else "CPU"
        options = {"num_gpus": 1} if on_gpu else {"num_cpus": 1}
        self.train = ray.remote(max_retries=RETRIES, **options)(trained)
        self.data = ray.put(dict(self.problems))
        return self

    def __exit__(self, *error: object) -> None:
        for task in self.running:
            self.ray.cancel(task, force=True)
        self.running.clear()
        self.ray.shutdown()

    def carry_out(self, shares: deque[Share]) -> Iterator[Event]:
        """As `Crew.carry_out`: what happens until all shares are trained. A share goes to another machine when its own
        dies."""
        while shares or self.running:
            while shares and len(self.running) < self._room():
                share = shares.popleft()
                self.running[self.train.remote(share, self.workplace, self.data)] = share
            done, _ = self.ray.wait(list(self.running), timeout=TICK_SECONDS)
            if not done:
                yield None
            for task in done:
                yield from self._taken(task, self.running.pop(task), shares)

    def _room(self) -> int:
        """How many tasks the cluster can run at a time, as it is now."""
        return max(1, int(self.ray.cluster_resources().get(self.resource, 1)))

    def _taken(self, task: Any, share: Share, shares: deque[Share]) -> Iterator[Event]:
        try:
            sent = self.ray.get(task)
        except (self.ray.exceptions.WorkerCrashedError, self.ray.exceptions.OutOfMemoryError) as error:
            if len(share.cells) > 1 and not share.probe:
                shares.extendleft(halves(share))
                return
            yield folder.failed(self.workplace, share.cells[0], str(error).splitlines()[0])
            return
        except self.ray.exceptions.RayError as error:
            raise RunError(Fault(f"a task of Ray failed: {str(error).strip().splitlines()[-1]}", "--ray")) from error
        for event, files in sent:
            if files:
                self._write(event.cell, files)
            yield event

    def _write(self, cell: Cell, files: Mapping[str, bytes]) -> None:
        run_folder = folder.begin(self.workplace.sweep, cell)
        for name, contents in files.items():
            (run_folder.path / name).parent.mkdir(parents=True, exist_ok=True)
            run_folder.write_bytes(name, contents)
        folder.end(self.workplace.sweep, cell)


def trained(share: Share, workplace: Workplace, problems: Mapping[str, Problem]) -> list[Sent]:
    """Trains a share on whatever machine this is; what is told of it, with the files of each run."""
    from lossopt_cli.sweeps.arms import Problems
    from lossopt_cli.sweeps.bench import Bench
    from lossopt_cli.training.stopping import Stopping

    told: list[Any] = []
    with tempfile.TemporaryDirectory() as place:
        here = replace(workplace, sweep=Path(place), shown=workplace.sweep)
        (here.sweep / folder.UNFINISHED).mkdir()
        known = Problems(lambda text: None, {key: _writable(problem) for key, problem in problems.items()})
        Bench(here, told.append, known).train(share, Stopping())
        return [(event, _files(here.sweep, event)) for event in told if not isinstance(event, Moved)]


def _files(sweep: Path, event: Ended) -> dict[str, bytes]:
    """The files of the run that this event tells of, if it left any."""
    run = sweep / event.cell.name
    return {path.relative_to(run).as_posix(): path.read_bytes() for path in sorted(run.rglob("*")) if path.is_file()}


def _writable(problem: Problem) -> Problem:
    """The problem with arrays of its own: those that Ray hands out cannot be written to, and torch warns of them."""
    splits = {}
    for name in ("train", "validation", "test"):
        split = problem.split(name)
        splits[name] = replace(split, inputs=split.inputs.copy(), targets=split.targets.copy())
    return replace(problem, **splits)
