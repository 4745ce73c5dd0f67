"""Hashes that say what is the same: the trial, the problem and the setting (DESIGN sections 1 and 5).

    problem   data, target, split, metric                    runs with one problem may be ranked together
    setting   model, head, epochs, batch size, precision,... shown where it differs
    recipe    loss, optimizer and schedule with their settings
    trial     problem + setting + recipe + learning rate + seed: all that defines the numbers

Device, threads, engine, name, logs and the axes of a sweep enter none of them. Of data and of the user's code
the contents enter, never the path: of code those of the file and of the files beside it that it imports, not of what it
opens while it runs. What means the same enters as the same, however it is written."""

import hashlib
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from lossopt_cli.catalogue.models import model_named
from lossopt_cli.catalogue.recipes import is_kaggle
from lossopt_cli.catalogue.spelling import CONSTANT, meant
from lossopt_cli.errors import Fault, UsageError

SCHEME = 2  # raise it when the same config begins to mean other numbers
LENGTH = 16  # hexadecimal digits: 64 bits, so that a million trials collide with probability 3e-8

USER_CODE = re.compile(r"(?P<file>.+\.py):(?P<function>\w+)")
PROBLEM_OF_DATA = (
    "target",
    "header",
    "missing",
    "task",
    "image_size",
    "split",
    "split_seed",
    "split_method",
    "classes",
    "limit",
    "settings",
)
FACTS_OF_OTHERS = frozenset({"metric", "head_units", "scale_target", "evaluate_every"})
SETTING_OF_TRAIN = ("epochs", "batch_size", "precision", "evaluate_every", "keep")


def problem_hash(config: Mapping, facts: Mapping) -> str:
    """sha256 of data, target, split and metric, the first LENGTH hexadecimal digits.

    config: the resolved config as a dict (`config.model_dump()`). facts: what is known once data are loaded
    and the head is chosen: hashes of the files, the target's name, the task, the classes, and `metric`,
    `scale_target`, `evaluate_every` and `head_units`. A fact replaces the config's entry of the same name, so
    that a target found and the same target named agree. `split_seed: seed` enters as that word: splits drawn by the
    training seed are one problem. The name of data that have a path does not enter."""
    return _digest(_problem(config, facts))


def setting_hash(config: Mapping, facts: Mapping, code: Mapping[str, str] | None = None) -> str:
    """sha256 of what recipes share beside the problem: model, head units (`facts["head_units"]`, where
    given), epochs, batch size, precision, scaling of the target, and which weights are reported."""
    return _digest(_setting(config, facts, code or {}))


def trial_hash(config: Mapping, facts: Mapping, code: Mapping[str, str] | None = None) -> str:
    """sha256 of everything that defines the numbers of a trial.

    code: sha256 of the file of each `file.py:function` in the config, by the reference as it is written
    there; a reference without one is read from where it points, relative to the working directory. Only that
    one file enters, not what it imports."""
    code = code or {}
    recipe = {name: _meant(name, config.get(name), facts, code) for name in ("loss", "optimizer", "schedule")}
    return _digest(
        {
            "problem": _problem(config, facts),
            "setting": _setting(config, facts, code),
            "recipe": recipe,
            "seed": config["train"]["seed"],
        }
    )


def code_hash(reference: str) -> str:
    """sha256 of the file of `file.py:function`, in hexadecimal."""
    match = USER_CODE.fullmatch(reference)
    assert match is not None, reference
    try:
        return hashlib.sha256(Path(match["file"]).read_bytes()).hexdigest()
    except OSError as error:
        raise UsageError(
            Fault(
                what=f"cannot read {match['file']!r}: {error.strerror}",
                where=reference,
                expected="a Python file, relative to the working directory",
            )
        ) from error


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces, in which equal numbers are written alike (2 and 2.0, 1e-3 and
    0.001)."""
    return json.dumps(_canonical(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _canonical(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _canonical(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"no canonical form of {value!r} ({type(value).__name__}): facts are plain values")


def _digest(value: Mapping) -> str:
    return hashlib.sha256(canonical({"scheme": SCHEME, **value}).encode()).hexdigest()[:LENGTH]


def _problem(config: Mapping, facts: Mapping) -> dict:
    data = config["data"]
    by_place = data.get("path") is not None or USER_CODE.fullmatch(data["name"]) is not None or is_kaggle(data["name"])
    elsewhere = {*FACTS_OF_OTHERS, "name"} if by_place else FACTS_OF_OTHERS
    known = {key: value for key, value in facts.items() if key not in elsewhere}
    assert known or not by_place, "data from a path need facts: their contents are not in the config"
    named = {} if by_place else {"name": data["name"]}
    described = {key: data.get(key) for key in PROBLEM_OF_DATA}
    return {"data": described | named | known, "metric": facts.get("metric", config["train"].get("metric"))}


def _setting(config: Mapping, facts: Mapping, code: Mapping[str, str]) -> dict:
    return {
        "model": _model(config.get("model"), code),
        "head_units": facts.get("head_units"),
        "scale_target": facts.get("scale_target", config["data"].get("scale_target", True)),
        "train": {key: facts.get(key, config["train"].get(key)) for key in SETTING_OF_TRAIN} | _augmented(config),
    }


def _augmented(config: Mapping) -> dict:
    """What training images go through; nothing where they stay as they are, as before there was such a key."""
    augment = config["train"].get("augment")
    return {"augment": dict(augment)} if augment else {}


def _meant(name: str, part: Mapping | None, facts: Mapping, code: Mapping[str, str]) -> dict | None:
    """A part as what it means on the task, whatever it is called; None for a constant rate."""
    if part is None or USER_CODE.fullmatch(part["name"]) is not None:
        return _part(part, code)
    settings = {key: value for key, value in part.items() if key != "name"}
    what, settings = meant(name, part["name"], settings, facts.get("task"))
    constant = name == "schedule" and what == CONSTANT and not settings["warmup_epochs"]
    return None if constant else {"name": what, **settings}


def _model(part: Mapping | None, code: Mapping[str, str]) -> dict | None:
    """The model with the contents of its files in place of their paths."""
    if part is None or USER_CODE.fullmatch(part["name"]) is not None:
        return _part(part, code)
    files = {
        s.name for s in model_named(part["name"]).settings if s.kind == "file" and part.get(s.name) not in s.choices
    }
    return {key: file_hash(Path(value)) if key in files else value for key, value in part.items()}


def file_hash(path: Path) -> str:
    """sha256 of a file, in hexadecimal; read once as long as it does not change."""
    try:
        seen = path.stat()
        return _file_hash(path, seen.st_size, seen.st_mtime_ns)
    except OSError as error:
        raise UsageError(Fault(f"cannot read {path.name}: {error.strerror}", str(path), "a file")) from error


@lru_cache
def _file_hash(path: Path, size: int, changed_at: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _part(part: Mapping | None, code: Mapping[str, str]) -> dict | None:
    """A part with the contents of its file in place of the path."""
    if part is None:
        return None
    match = USER_CODE.fullmatch(part["name"])
    if match is None:
        return dict(part)
    contents = code.get(part["name"]) or code_hash(part["name"])
    return {**part, "name": match["function"], "code": contents}
