"""A training from what was typed: resolve, load, check, train, write, report."""

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from lossopt_cli import errors
from lossopt_cli.analysis import conditions
from lossopt_cli.catalogue.metrics import METRICS
from lossopt_cli.catalogue.models import model_named
from lossopt_cli.catalogue.recipes import is_user_code, spell_part
from lossopt_cli.catalogue.rows import defaults
from lossopt_cli.commands.training_screen import TrainingScreen, report
from lossopt_cli.config.choices import loss_tasks
from lossopt_cli.config.resolving import Resolved, complete, dump, resolve
from lossopt_cli.config.schema import Config, Part
from lossopt_cli.console import Console, json_text
from lossopt_cli.data.problem import Problem
from lossopt_cli.errors import Fault, Terminated, UsageError
from lossopt_cli.runs.environment import Commit, environment
from lossopt_cli.runs.fingerprint import problem_hash, setting_hash, trial_hash
from lossopt_cli.runs.folder import RunFolder, run_name
from lossopt_cli.runs.reading import finished_trial, read_result

STATUS_CODES = {"done": errors.DONE, "diverged": errors.DIVERGED, "interrupted": errors.INTERRUPTED}


@dataclass(frozen=True)
class Request:
    """What was typed."""

    config: Path | None
    flags: Mapping[str, Any]
    sets: Sequence[str]
    logs: Path
    name: str | None
    once: bool
    fail_if: str | None
    started_at: float


def carry_out(request: Request, console: Console) -> int:
    """Trains what the request asks for, or finds that it is trained; the exit code."""
    commit = Commit()
    try:
        condition = conditions.parse(request.fail_if) if request.fail_if else None
        resolved = resolve(request.config, os.environ, request.flags, request.sets)
        for note in resolved.notes:
            console.note(note)
        user, problem = _load(resolved.config, console)
        resolved = complete(resolved, problem.task, problem.inputs.kind)
        if condition:
            condition.check(dict.fromkeys(_names(problem)))
        result = _result(request, resolved, problem, user, console, commit)
    finally:
        commit.read()
    _render(result, problem, console)
    if result["status"] == "interrupted":
        return errors.TERMINATED if result.pop("terminated", False) else errors.INTERRUPTED
    if condition and result["status"] == "done" and condition.holds(_values(result)):
        console.error(f"--fail-if {condition.text}: it is so")
        return errors.CHECK_NOT_MET
    return STATUS_CODES[result["status"]]


def _load(config: Config, console: Console):
    """The user's own parts (which alone need keras at this point) and the problem."""
    from lossopt_cli.data import sources

    parts = (config.loss, config.optimizer, config.model, config.data)
    if not any(part is not None and is_user_code(part.name) for part in parts):
        return None, sources.load(config.data, loss_tasks(config.loss), config.train.seed, console.note)
    from lossopt_cli.training.building import user_parts
    from lossopt_cli.training.user_parts import make_data

    user = user_parts(config, Path.cwd())
    if not user["data"]:
        return user, sources.load(config.data, loss_tasks(config.loss), config.train.seed, console.note)
    from lossopt_cli.data.arrays import from_arrays

    returned = make_data(user["data"], config.data.settings)
    tasks = loss_tasks(config.loss)
    return user, from_arrays(user["data"].name, returned, config.data, tasks, config.train.seed)


def _result(
    request: Request, resolved: Resolved, problem: Problem, user, console: Console, commit: Commit
) -> dict[str, Any]:
    config = resolved.config
    hashes = _hashes(config, problem, user)
    if request.once and (found := finished_trial(request.logs, hashes["trial"])) is not None:
        console.note(f"already trained: {found}")
        return {**read_result(found), "run_dir": str(found)}
    screen = TrainingScreen(console, config, _labels(config))
    screen.head(problem)
    from lossopt_cli.training import running
    from lossopt_cli.training.building import UserParts
    from lossopt_cli.training.trial import Trial

    imported_at = time.time()
    user = user or UserParts()
    run = running.prepare(Trial(config, hashes["trial"]), problem, user)
    folder = _folder(request, config, problem, run.built.learning_rate)
    folder.write_text("config.yaml", dump(config))
    environment_ = environment(["lossopt", *sys.argv[1:]], commit)
    began_at = time.time()
    try:
        finished = running.carry_out(run, folder, screen, began_at)
    finally:
        screen.close()
    written_at = time.time()
    seconds = {"start_up": imported_at - request.started_at, "build": began_at - imported_at}
    exported = running.export(finished, folder, dump)
    seconds |= running.seconds_of(finished, time.time() - written_at)
    seconds["total"] = time.time() - request.started_at
    result = running.result_of(finished, hashes, environment_, seconds)
    result["run_dir"] = str(folder.path)
    result["warnings"] += exported
    if isinstance(finished.outcome.stopped_by, Terminated):
        result["terminated"] = True
    folder.write_json("result.json", {key: value for key, value in result.items() if key != "terminated"})
    text = _report(result, problem)
    folder.write_text("run.log", "\n".join([*console.told, text]))
    return result


def _hashes(config: Config, problem: Problem, user) -> dict[str, str]:
    plain = config.model_dump()
    facts = {**problem.facts, "target": problem.target, "task": problem.task}
    facts["metric"] = config.train.metric or ("mae" if problem.task == "regression" else "accuracy")
    code = {obj.reference: obj.fingerprint for obj in user.objects.values()} if user else {}
    return {
        "trial": trial_hash(plain, facts, code),
        "problem": problem_hash(plain, facts),
        "setting": setting_hash(plain, facts, code),
    }


def _labels(config: Config) -> dict[str, str]:
    return {part: label(getattr(config, part), part) for part in ("model", "loss", "optimizer")}


def label(part: Part, kind: str) -> str:
    """The part as one writes it, with what differs from its defaults; the optimizer with its learning rate."""
    settings = dict(part.settings)
    rate = settings.pop("learning_rate", None) if kind == "optimizer" else None
    name = f"{Path(part.name).name}" if is_user_code(part.name) else part.name
    text = spell_part(name, settings, _defaults(part, kind))
    return f"{text}, lr {rate:g}" if rate is not None else text


def _defaults(part: Part, kind: str) -> dict[str, Any]:
    from lossopt_cli.catalogue.losses import loss_named
    from lossopt_cli.catalogue.optimizers import FOREIGN, optimizer_named

    if is_user_code(part.name) or part.name.startswith(FOREIGN):
        return {}
    named = {"loss": loss_named, "optimizer": optimizer_named, "model": model_named}[kind]
    return defaults(named(part.name))


def _folder(request: Request, config: Config, problem: Problem, rate: float | None) -> RunFolder:
    if request.name:
        return RunFolder.create(request.logs, request.name)
    labels = _labels(config)
    stem = run_name(
        problem.name,
        labels["model"],
        labels["loss"],
        labels["optimizer"].split(",")[0],
        rate or 0.0,
        config.train.seed,
        datetime.now(),
    )
    return RunFolder.create_numbered(request.logs, stem)


def _names(problem: Problem) -> list[str]:
    """What --fail-if may name: test metrics by name, any split's as split.metric, and seconds."""
    metrics = [row.name for row in METRICS if problem.task in row.tasks] + ["loss"]
    splits = ("train", "validation", "test")
    return [*metrics, *(f"{split}.{name}" for split in splits for name in metrics), "seconds", "epochs"]


def _values(result: Mapping) -> dict[str, float | None]:
    splits = result["metrics"]
    judged = splits.get("test") or splits.get("validation") or splits.get("train", {})
    values: dict[str, float | None] = {name: None for name in ("loss", *(row.name for row in METRICS))}
    for split in ("train", "validation", "test"):
        values |= {f"{split}.{name}": splits.get(split, {}).get(name) for name in list(values) if "." not in name}
    return {**values, **judged, "seconds": result["seconds"]["total"], "epochs": result["epochs"]}


def _render(result: dict[str, Any], problem: Problem, console: Console) -> None:
    if console.quiet:
        console.result(result["run_dir"])
    elif console.format == "json":
        console.result(json_text({key: value for key, value in result.items() if key != "terminated"}))
    elif console.format == "table":
        console.result(_report(result, problem))
    else:
        splits = [split for split in ("train", "validation", "test") if split in result["metrics"]]
        names = list(dict.fromkeys(name for split in splits for name in result["metrics"][split]))
        rows = [[name, *(result["metrics"][split].get(name) for split in splits)] for name in names]
        console.rows(["metric", *splits], rows)


def _report(result: Mapping, problem: Problem) -> str:
    losses = _losses(Path(result["run_dir"]))
    units = "images" if problem.inputs.kind == "image" else "examples"
    return report(result, losses, units, _next(result))


def _losses(folder: Path) -> np.ndarray:
    """The loss of every batch, from steps.csv."""
    try:
        lines = (folder / "steps.csv").read_text().splitlines()
    except OSError:
        return np.array([])
    at = lines[0].split(",").index("loss")
    return np.array([float(line.split(",")[at]) for line in lines[1:]])


def _next(result: Mapping) -> list[tuple[str, str]]:
    """The commands that one types next."""
    used = result["optimizer"]["name"]
    other = "sgd" if used != "sgd" else "adam"
    data = result["config"]["data"]["name"]
    where = "" if data in ("digits", "diabetes", "breast_cancer") else f" --data {data}"
    loss = result["loss"]["name"]
    first = f"lossopt train --loss {loss} --opt {other}{where}"
    return [(first, "another optimizer"), (f"lossopt list losses {loss}", "what this loss does")]


Told = Callable[[str], None]
__all__ = ["Fault", "Request", "Told", "UsageError", "carry_out", "label"]
