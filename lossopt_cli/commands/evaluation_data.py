"""Which examples an evaluation is of: a split of the run's own data, or other data."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lossopt_cli.catalogue.recipes import is_kaggle, parse_part
from lossopt_cli.config.choices import loss_tasks
from lossopt_cli.config.references import data_kind, data_reference, is_user_code
from lossopt_cli.config.schema import Config, DataConfig
from lossopt_cli.data import sources
from lossopt_cli.data.images import list_images
from lossopt_cli.data.kept import KeptRun
from lossopt_cli.data.problem import SPLITS, Problem, Split
from lossopt_cli.data.spelling import spelled
from lossopt_cli.data.splits import divide
from lossopt_cli.data.unseen import Unseen, from_examples, read_unseen
from lossopt_cli.errors import Fault, UsageError

if TYPE_CHECKING:
    from lossopt_cli.training.building import UserParts

Announce = Callable[[str], None]


@dataclass(frozen=True)
class Posed:
    """What the model is asked: `split` of the problem. own: whether it is a split of the data of the training.

    drawn: the split that was asked for, None for the whole of other data. name: of the data. labelled: whether the
    truth is known; where it is not, the targets are zeros. files: by example, for images of a folder. seen: how many
    of these examples the model was trained on, where that is known.
    """

    problem: Problem
    split: str
    name: str
    own: bool
    drawn: str | None
    labelled: bool = True
    files: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    seen: int = 0

    @property
    def part(self) -> Split:
        return self.problem.split(self.split)


def own_data(kept: KeptRun, split: str, user: "UserParts | None", announce: Announce) -> Posed:
    """A split of the data that the run was trained on, as they are where its config says."""
    data = kept.config.data
    if data.path is not None and not Path(data.path).exists():
        what = f"the run's data are not at {data.path} any more"
        remedy = f"--data PATH --split {split} says where they are now; --data PATH alone evaluates all of any data"
        raise UsageError(Fault(what, "--data", "the file or folder that it was trained on", remedy))
    problem = _load(kept.config, user, announce)
    if not kept.knows(problem):
        what = f"the data of the run are not what they were in its training: {data.path or data.name} has changed"
        remedy = f"--data {data.path} evaluates all of it as it is now" if data.path else None
        raise UsageError(Fault(what, "--data", remedy=remedy))
    return _posed_own(problem, kept, split, sources.located(data, announce))


def other_data(reference: str, kept: KeptRun, split: str | None, user: "UserParts | None", announce: Announce) -> Posed:
    """The examples that `--data` means: all of them, or a split. That is the run's own split where these are its data
    in another place; otherwise it is drawn as the run drew it."""
    if is_kaggle(reference):
        name, _ = data_reference(reference, None, Path.cwd(), "--data")
        reference = sources.located(DataConfig(name=name), announce).path
    if split is not None:
        moved = _moved(reference, kept)
        problem = _as_own(moved, kept, user, announce) if moved else None
        if problem is not None:
            return _posed_own(problem, kept, split, moved.data)
    found = _from_code(reference, kept) if is_user_code(reference) else read_unseen(reference, kept, announce)
    if split is not None:
        return _posed_other(_part(found, kept, split), kept, split)
    if found.sha256 is not None and found.sha256 == kept.training["sha256"]:
        return _posed_other(found, kept, None, seen=kept.training["examples"])
    return _posed_other(found, kept, None)


def _load(config: Config, user: "UserParts | None", announce: Announce) -> Problem:
    if not is_user_code(config.data.name):
        return sources.load(config.data, loss_tasks(config.loss), config.train.seed, announce)
    from lossopt_cli.training.assembly import load_problem

    return load_problem(config, user, announce)


def _moved(reference: str, kept: KeptRun) -> Config | None:
    """The config with the data of the reference; None where they are of another kind than the run's."""
    if is_user_code(reference):
        return None
    name, path = data_reference(reference, None, Path.cwd(), "--data")
    data = kept.config.data
    own = data_kind(data.name, data.path)
    if own == "kaggle":
        own = "csv" if kept.inputs.kind == "table" else "folder"
    if data_kind(name, path) != own or (path is None and name != data.name):
        return None
    return kept.config.model_copy(update={"data": data.model_copy(update={"name": name, "path": path})})


def _as_own(config: Config, kept: KeptRun, user: "UserParts | None", announce: Announce) -> Problem | None:
    """The problem of these data, where it is the run's."""
    try:
        problem = _load(config, user, announce)
    except UsageError:  # what is wrong with them is said when they are read by the run's columns and classes
        return None
    return problem if kept.knows(problem) else None


def _posed_own(problem: Problem, kept: KeptRun, split: str, data: DataConfig) -> Posed:
    part = problem.split(split)
    if not len(part):
        there = [name for name in SPLITS if len(problem.split(name))]
        what = f"the run has no {split} split: data.split is {data.split}"
        raise UsageError(Fault(what, "--split", " or ".join(there), f"--split {there[-1]}, or --data with other data"))
    files = None
    if data_kind(data.name, data.path) == "folder":
        root = Path(data.path)
        paths = list_images(root).paths
        files = tuple(spelled(paths[row].relative_to(root).as_posix()) for row in part.rows)
    seen = len(part) if split == "train" else 0
    return Posed(problem, split, problem.name, own=True, drawn=split, files=files, seen=seen)


def _from_code(reference: str, kept: KeptRun) -> Unseen:
    """What the user's own function returns."""
    from lossopt_cli.data.arrays import array_examples
    from lossopt_cli.training.user_code import load_object
    from lossopt_cli.training.user_parts import make_data

    name, settings = parse_part(reference, "--data")
    task = "regression" if kept.task == "regression" else "classification"
    returned = make_data(load_object(name, "--data", Path.cwd()), settings)
    config = DataConfig(name=name, task=task)
    return from_examples(array_examples(name, returned, config, None), kept)


def _part(found: Unseen, kept: KeptRun, split: str) -> Unseen:
    """The examples of a split, drawn by the run's shares and seed where the data do not give their own."""
    if found.targets is None:
        what = f"{found.name} has no {kept.target}, and a split is of labelled data"
        raise UsageError(Fault(what, "--split", remedy="drop --split: all of them are predicted"))
    config = kept.config
    labels = None if kept.task == "regression" else found.targets
    rows = divide(labels, found.given, len(found), config.data, config.train.seed)[SPLITS.index(split)]
    if not len(rows):
        what = f"{found.name} has no {split} split (data.split of the run: {config.data.split})"
        raise UsageError(Fault(what, "--split", remedy="drop --split: all of them are evaluated"))
    own = np.empty(0) if found.given is None else np.flatnonzero(found.given == SPLITS.index(split))
    how = "that they come with" if np.array_equal(own, np.sort(rows)) else "drawn as the run drew its own"
    note = f"these are not the run's own data: this is their {split} split, {how}"
    return replace(found.take(rows), notes=(*found.notes, note))


def _posed_other(found: Unseen, kept: KeptRun, split: str | None, seen: int = 0) -> Posed:
    if not len(found):
        raise UsageError(Fault(f"{found.name} has no examples", "--data"))
    labelled = found.targets is not None
    kind = np.float64 if kept.task == "regression" else np.int64
    targets = found.targets if labelled else np.zeros(len(found), kind)
    problem = kept.problem(Split(found.inputs, targets, found.rows))
    return Posed(problem, "test", found.name, False, split, labelled, found.files, found.notes, seen)
