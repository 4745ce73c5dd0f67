"""What a run folder says of its data: enough to read other data as the model takes them, without the training data."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from lossopt_cli.catalogue.models import model_named
from lossopt_cli.catalogue.rows import Task, defaults
from lossopt_cli.config import reading
from lossopt_cli.config.references import is_user_code
from lossopt_cli.config.schema import Config
from lossopt_cli.data.problem import SPLITS, ArrayInputs, Column, ImageInputs, Problem, Split, TableInputs
from lossopt_cli.errors import Fault, UsageError
from lossopt_cli.runs.reading import CONFIG, LABELS, read_result

NO_MODEL = {
    "running": "is still running, or was killed",
    "failed": "failed",
    "diverged": "diverged",
    "interrupted": "was interrupted before its first epoch ended",
}


def training_facts(problem: Problem) -> dict[str, Any]:
    """What other data are read and judged by, and what tells whether data are those of the training.

    sha256: of all the data; splits: of which examples are in which split, and of their targets. columns: mean and
    deviation of numbers in the training rows, the most frequent code of categories; target: what it is standardised
    by, and its mean, which is what guessing says; class_counts: in the order of the classes.
    """
    train, facts = problem.train, {"examples": len(problem.train), "sha256": problem.facts.get("sha256")}
    facts["splits"] = _of_splits(problem)
    if isinstance(problem.inputs, TableInputs):
        facts["columns"] = {
            column.name: {"most_frequent": int(np.bincount(train.inputs[:, place].astype(np.int64)).argmax())}
            if column.categories
            else {"mean": column.mean, "deviation": column.deviation}
            for place, column in enumerate(problem.inputs.columns)
        }
    if problem.task == "regression":
        scaling = {"mean": problem.target_mean, "deviation": problem.target_deviation}
        return facts | {"target": {**scaling, "average": float(train.targets.mean())}}
    return facts | {"class_counts": np.bincount(train.targets, minlength=len(problem.classes)).tolist()}


def _of_splits(problem: Problem) -> str:
    whole = hashlib.sha256()
    for name in SPLITS:
        split = problem.split(name)
        whole.update(f"{name} {len(split)}".encode())
        for array in (split.rows.astype(np.int64), split.targets):
            whole.update(np.ascontiguousarray(array).data)
    return whole.hexdigest()


@dataclass(frozen=True)
class KeptRun:
    """A run with a model, as its folder has it. config: as it was resolved, files of the user's own named by their
    copies in the folder. labels: labels.json, see `training_facts` for its part of that name."""

    folder: Path
    result: Mapping[str, Any]
    config: Config
    labels: Mapping[str, Any]

    @property
    def task(self) -> Task:
        return self.labels["task"]

    @property
    def classes(self) -> tuple[str, ...] | None:
        return tuple(self.labels["classes"]) if self.labels["classes"] else None

    @property
    def target(self) -> str:
        return self.labels["target"]

    @property
    def training(self) -> Mapping[str, Any]:
        return self.labels["training"]

    @cached_property
    def inputs(self) -> ImageInputs | TableInputs | ArrayInputs:
        """What the model takes."""
        said = self.labels["inputs"]
        if said["kind"] == "image":
            return ImageInputs(tuple(said["shape"]), 1.0 / said["white"])
        if said["kind"] == "array":
            return ArrayInputs(tuple(said["shape"]))
        return TableInputs(tuple(self._column(column) for column in said["columns"]))

    def _column(self, said: Mapping[str, Any]) -> Column:
        if "codes" in said:
            return Column(said["name"], categories=tuple(said["codes"]))
        statistics = self.training["columns"][said["name"]]
        return Column(said["name"], statistics["mean"], statistics["deviation"])

    def fill(self, column: Column) -> float:
        """What stands for a missing value of the column where `data.missing` is mean."""
        return column.mean if column.categories is None else self.training["columns"][column.name]["most_frequent"]

    def training_targets(self) -> np.ndarray:
        """Targets that say as much of the training data as guessing knows: class counts, or the mean."""
        if self.task == "regression":
            return np.array([self.training["target"]["average"]])
        return np.repeat(np.arange(len(self.classes)), self.training["class_counts"])

    def knows(self, problem: Problem) -> bool:
        """Whether these are the data that the run was trained on, split as they were then."""
        same = self.training["sha256"] == problem.facts.get("sha256")
        return same and self.training["splits"] == _of_splits(problem)

    def problem(self, split: Split) -> Problem:
        """The problem with one split, called test, and nothing else."""
        empty = Split(split.inputs[:0], split.targets[:0], split.rows[:0])
        scaling = self.training.get("target", {"mean": 0.0, "deviation": 1.0})
        return Problem(
            name=self.result["data"],
            task=self.task,
            inputs=self.inputs,
            train=empty,
            validation=empty,
            test=split,
            classes=self.classes,
            target=self.target,
            target_mean=scaling["mean"],
            target_deviation=scaling["deviation"],
        )


def read_kept(folder: Path) -> KeptRun:
    """The run of a folder. UsageError where it has no model, or where a file that says what the model takes is
    missing."""
    result = read_result(folder)
    labels = _labels(folder, result)
    return KeptRun(folder, result, _config(folder), labels)


def _labels(folder: Path, result: Mapping) -> Mapping[str, Any]:
    try:
        labels = json.loads((folder / LABELS).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(_no_model(folder, result)) from None
    except (OSError, ValueError) as error:
        raise UsageError(Fault(f"{LABELS} cannot be read: {error}", str(folder))) from error
    if "training" not in labels:
        what = f"{LABELS} has no statistics of the training data: the run is of an older lossopt"
        raise UsageError(Fault(what, str(folder), remedy=f"train it again: lossopt train {folder / CONFIG}"))
    return labels


def _no_model(folder: Path, result: Mapping) -> Fault:
    status = NO_MODEL.get(result["status"])
    if status:
        what = f"the run {status}: there is no model to evaluate"
        return Fault(what, str(folder), "a run that is done", "lossopt list runs shows which are")
    remedy = f"the same run with its model: lossopt train {folder / CONFIG}"
    return Fault(f"the run kept no model: it has no {LABELS}", str(folder), remedy=remedy)


def _config(folder: Path) -> Config:
    """config.yaml as it stands, without looking for the data. A copied file of the user's own is in the folder."""
    path = folder / CONFIG
    values = reading.read(path).values
    for part in ("loss", "optimizer", "model"):
        own = values.get(part) or {}
        if is_user_code(own.get("name", "")):
            own["name"] = str(folder.resolve() / own["name"])
    model = values.get("model") or {}
    if model and not is_user_code(model["name"]):  # a run of before a setting was there has its default
        values["model"] = defaults(model_named(model["name"])) | model
    data = values["data"]
    if data.get("path") and is_user_code(data["name"]):
        data["path"] = str(folder.resolve() / data["path"])
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise UsageError(Fault(f"{place}: {first['msg']}", str(path), "the config that the run was given")) from error
