"""Runs as `compare` and `plot` see them: typed, from result.json alone, a thousand in a fraction of a second."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from lossopt_cli.runs.reading import FINISHED, Found, Unreadable, found_under, parsed_result, still_running

NEEDED: Mapping[str, type] = {
    "task": str,
    "metric": str,
    "seed": int,
    "trial": str,
    "problem": str,
    "setting": str,
    "loss.name": str,
    "optimizer.name": str,
    "metrics": dict,
    "initial": dict,
    "curve": dict,
    "sizes.train": int,
    "config.data.name": str,
    "config.train.epochs": int,
    "config.train.batch_size": int,
    "config.train.keep": str,
}
WORDS = {str: "text", int: "whole number", dict: "mapping"}
BY_SPLIT = ("metrics", "metrics_best", "initial")
LOSS = "loss"  # recorded by every run, and of one meaning only where the loss is one


@dataclass(frozen=True)
class LeftOut:
    """A folder that is not compared, and why, in a few words."""

    folder: Path
    kind: Literal["running", "interrupted", "failed", "unreadable", "copy", "no_metric"]
    reason: str


@dataclass(frozen=True)
class Curve:
    """A metric on `split` at step 0 and at every evaluation since; NaN where it was not finite."""

    split: str
    epochs: Sequence[float]
    steps: Sequence[int]
    values: Sequence[float]


@dataclass(frozen=True, eq=False)
class Record:
    """A finished run. Metrics are of the weights that the run kept; what was not recorded is None.

    began_at: when its config.yaml was written, in ns."""

    folder: Path
    result: Mapping[str, Any]
    began_at: int = 0

    @property
    def trial(self) -> str:
        return self.result["trial"]

    @property
    def problem(self) -> str:
        return self.result["problem"]

    @property
    def setting(self) -> str:
        return self.result["setting"]

    @property
    def config(self) -> Mapping[str, Any]:
        return self.result["config"]

    @property
    def task(self) -> str:
        return self.result["task"]

    @property
    def metric(self) -> str:
        """What the run itself was judged by."""
        return self.result["metric"]

    @property
    def role(self) -> str | None:
        """`tuning` or `report` where a sweep trained it for the one or the other."""
        return self.result.get("role")

    @property
    def code(self) -> Mapping[str, Mapping[str, Any]]:
        """Of the user's files that are named in the config, by that name: `sha256`, `defaults` of the signature."""
        return self.result.get("code") or {}

    @property
    def tuned(self) -> tuple[str, ...]:
        """The settings, by config key, that a sweep tunes as it does the learning rate."""
        return tuple(self.result.get("tuned") or ())

    @property
    def seed(self) -> int:
        return self.result["seed"]

    @property
    def learning_rate(self) -> float | None:
        return self.result["optimizer"].get("learning_rate")

    @property
    def head_units(self) -> int | None:
        """Outputs of the network, which its loss may ask for."""
        return self.result.get("head_units")

    @property
    def lost(self) -> bool:
        """Whether it diverged or ended no better than guessing by two standard errors of its validation sample."""
        return self.result["status"] == "diverged" or self.result.get("learned") is False

    @cached_property
    def metrics(self) -> Mapping[str, Mapping[str, float | None]]:
        return reported(self.result)

    def recorded(self, split: str | None = None) -> set[str]:
        """The metrics that it knows on the split, or on any; of a lost trial also those of its start."""
        found: set[str] = set()
        for metrics in (self.metrics, self.result["initial"] if self.lost else {}):
            for name in metrics if split is None else (split,):
                found.update(metric for metric, value in metrics.get(name, {}).items() if value is not None)
        return found

    def value(self, metric: str, split: str) -> float | None:
        """After training, whether the trial is lost or not."""
        return self.metrics.get(split, {}).get(metric)

    def at_start(self, metric: str, split: str) -> float | None:
        """At step 0; where that was not recorded of this split, of another one, else what guessing scores."""
        initial = self.result["initial"]
        for name in (split, *initial):
            value = initial.get(name, {}).get(metric)
            if value is not None:
                return value
        return self.guessing(metric, split)

    def guessing(self, metric: str, split: str) -> float | None:
        """What is had without a model."""
        guessing = self.result.get("guessing") or {}
        return guessing.get(LOSS) if metric == LOSS else guessing.get(split, {}).get(metric)

    def score(self, metric: str, split: str) -> float | None:
        """`value`, and of a lost trial the value at step 0."""
        return self.at_start(metric, split) if self.lost else self.value(metric, split)

    def curve(self, metric: str) -> Curve | None:
        """The metric at every evaluation; None where that one was not followed."""
        found = self.result["curve"]
        at, steps, values = found.get("epochs"), found.get("steps"), found.get(metric)
        if not at or not steps or not isinstance(values, list) or not len(at) == len(steps) == len(values):
            return None
        return Curve(found["split"], at, steps, [float("nan") if value is None else value for value in values])

    @property
    def relapse(self) -> float | None:
        return self.result["curve"].get("relapse")

    @property
    def area(self) -> float | None:
        """Of the curve of the run's own metric."""
        return self.result["curve"].get("area")

    @property
    def steps_per_epoch(self) -> int:
        return self.result["curve"].get("steps_per_epoch", 0)

    @property
    def train_seconds(self) -> float | None:
        return (self.result.get("seconds") or {}).get("train")

    @property
    def alone(self) -> bool:
        """Whether nothing else was trained beside it, so that its seconds are its own."""
        return self.result.get("timing") == "alone"

    @property
    def device(self) -> str | None:
        return self.result.get("device")

    @property
    def sizes(self) -> Mapping[str, int]:
        """Examples of each split."""
        return self.result["sizes"]

    @property
    def sample(self) -> Mapping[str, Any] | None:
        """`split`, `metric`, `value`, `low`, `high`: the 95 % interval over other examples, where there was one."""
        return self.result.get("sample")

    @property
    def initial_outputs(self) -> Sequence[Sequence[float]] | None:
        """Of the untrained network on the first validation rows."""
        return self.result.get("initial_outputs")


def reported(result: Mapping) -> Mapping:
    """The metrics of the weights that model.keras has: after the last epoch, or the best one's."""
    best = result["config"]["train"]["keep"] == "best" and "train" in (result.get("metrics_best") or {})
    return result["metrics_best"] if best else result["metrics"]


def read_records(folders: Iterable[Path]) -> tuple[list[Record], list[LeftOut]]:
    """Every finished run in the folders (themselves, or at any depth), each once, by path; and the runs that are not
    finished or cannot be read, with the reason."""
    records: list[Record] = []
    left_out: list[LeftOut] = []
    seen: set[Path] = set()
    for folder in folders:
        for found in found_under(folder):
            place = found.folder.absolute()
            if place in seen:
                continue
            seen.add(place)
            read = _read(found)
            (records if isinstance(read, Record) else left_out).append(read)
    return records, left_out


def _read(found: Found) -> Record | LeftOut:
    try:
        result = parsed_result(found)
    except Unreadable as reason:
        return LeftOut(found.folder, "unreadable", str(reason))
    status = result.get("status")
    if status == "running":
        return LeftOut(found.folder, status, still_running(found.folder))
    if status in ("interrupted", "failed"):
        return LeftOut(found.folder, status, (result.get("reason") or status).splitlines()[0])
    if status not in FINISHED:
        return LeftOut(found.folder, "unreadable", f"result.json has status {status!r}")
    if fault := _fault(result):
        return LeftOut(found.folder, "unreadable", fault)
    return Record(found.folder, result, found.began_at)


def _fault(result: Mapping) -> str | None:
    """What of NEEDED is not there, or is something else."""
    for path, kind in NEEDED.items():
        value: Any = result
        for key in path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if not isinstance(value, kind) or isinstance(value, bool):
            return f"result.json has no {path}" if value is None else f"result.json: {path} is no {WORDS[kind]}"
    for key in BY_SPLIT:
        if not all(isinstance(metrics, dict) for metrics in (result.get(key) or {}).values()):
            return f"result.json: {key} is not by split"
    return None
