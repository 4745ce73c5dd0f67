"""`lossopt sweep --print-commands`: one `lossopt train` line a trial, for GNU parallel or a batch system.

What the lines leave under `--logs` are the runs of the sweep: the same sweep finds them done.
"""

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lossopt_cli.catalogue.datasets import DATASETS
from lossopt_cli.catalogue.lookup import find
from lossopt_cli.catalogue.optimizers import FOREIGN
from lossopt_cli.catalogue.recipes import is_user_code, spell_part
from lossopt_cli.catalogue.rows import defaults
from lossopt_cli.catalogue.spelling import TABLES
from lossopt_cli.config.schema import Config, DataConfig, Part, TrainConfig
from lossopt_cli.config.writing import flow
from lossopt_cli.console import Console
from lossopt_cli.errors import Fault, UsageError
from lossopt_cli.sweeps.cells import Cell
from lossopt_cli.sweeps.course import Course


def print_commands(course: Course, console: Console) -> None:
    """The lines of the trials that are missing. UsageError where their rates are not known before others have ended."""
    if any(arm.rates.searched for candidate in course.candidates for arm in candidate.arms):
        what = "the rates of --lr auto, and of factors, are found on the way: there are no commands for them yet"
        raise UsageError(Fault(what, "--print-commands", "rates", "--lr 1e-3..1e-1, for example"))
    for cell in course.missing():
        console.result(shlex.join(command_of(cell, course.folder.path)))
    console.note(f"then: lossopt compare {shlex.quote(str(course.folder.path))}")


def command_of(cell: Cell, folder: Path) -> list[str]:
    """The words that train this trial into the folder of the sweep."""
    config = cell.trial.config
    words = ["lossopt", "train", "--data", _data(config.data)]
    for flag, section in (("--model", "model"), ("--loss", "loss"), ("--opt", "optimizer"), ("--schedule", "schedule")):
        part = getattr(config, section)
        words += [] if part is None else [flag, _spelled(section, part)]
    words += [] if cell.rate is None else ["--lr", repr(cell.rate)]
    words += ["--seed", str(cell.seed)]
    for key, value in _changed(config):
        words += ["--set", f"{key}={flow(value)}"]
    return [*words, "--logs", str(folder), "--name", cell.name, "--once", "-q"]


def _spelled(section: str, part: Part) -> str:
    foreign = is_user_code(part.name) or (section == "optimizer" and part.name.startswith(FOREIGN))
    usual: Mapping[str, Any] = {} if foreign else defaults(TABLES[section](part.name))
    return spell_part(part.name, {key: v for key, v in part.settings.items() if key != "learning_rate"}, usual)


def _data(data: DataConfig) -> str:
    if data.path is not None:
        name = f"{data.path}:{data.name.rpartition(':')[2]}" if is_user_code(data.name) else data.path
        return spell_part(name, data.settings, {})
    return spell_part(data.name, data.settings, defaults(find(DATASETS, data.name, "data set")))


def _changed(config: Config) -> Iterator[tuple[str, Any]]:
    """(dotted key, value) of data and train where it is not the default."""
    for section, model, left_out in (
        ("data", DataConfig, ("name", "path", "settings")),
        ("train", TrainConfig, ("seed",)),
    ):
        values = getattr(config, section).model_dump()
        for key, field in model.model_fields.items():
            if key not in left_out and values[key] != field.default:
                yield f"{section}.{key}", values[key]
