"""A training from what was typed: resolve, assemble, train or find the run, and say what came of it."""

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lossopt_cli import errors
from lossopt_cli.analysis import conditions
from lossopt_cli.catalogue.metrics import METRICS
from lossopt_cli.commands.labels import brief
from lossopt_cli.commands.training_report import WIDTH, batch_losses, report, reported, rows
from lossopt_cli.commands.training_screen import TrainingScreen
from lossopt_cli.config.resolving import Resolved, resolve
from lossopt_cli.config.schema import Config
from lossopt_cli.config.words import WORDS
from lossopt_cli.console import Console, is_terminal, json_text
from lossopt_cli.data.problem import SPLITS, Problem
from lossopt_cli.data.trial import Trial, has_user_code, load_trial
from lossopt_cli.errors import LossoptError, Terminated
from lossopt_cli.runs.environment import Commit, environment
from lossopt_cli.runs.folder import RunFolder, run_name
from lossopt_cli.runs.reading import finished_trial, read_result
from lossopt_cli.sweeps.axes import Asked
from lossopt_cli.sweeps.ranges import AUTO

if TYPE_CHECKING:
    from lossopt_cli.training.running import Run

STATUS_CODES = {"done": errors.DONE, "diverged": errors.DIVERGED}


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
    condition = conditions.parse(request.fail_if) if request.fail_if else None
    if request.flags.get("learning_rate") == AUTO:
        request = _with_rate(request, console)
    resolved = resolve(request.config, os.environ, request.flags, request.sets)
    for note in resolved.notes:
        console.note(note)
    if not request.once:  # which may find what is there
        RunFolder.check(request.logs, request.name)
    trial, problem, built = _assembled(resolved, console)
    if condition:
        condition.check(dict.fromkeys(_names(problem)))
    found = finished_trial(request.logs, trial.hash) if request.once else None
    if found is not None:
        console.note(f"already trained: {found}")
        result, stopped_by = {**read_result(found), "run_dir": str(found)}, None
    else:
        result, stopped_by = _train(request, trial, problem, built, console)
    _show(result, request, console)
    if result["status"] == "interrupted":
        return errors.TERMINATED if isinstance(stopped_by, Terminated) else errors.INTERRUPTED
    if condition and result["status"] == "done" and condition.holds(_values(result)):
        console.error(f"--fail-if: {condition.text}: {_observed(condition.names, _values(result))}")
        return errors.CHECK_NOT_MET
    return STATUS_CODES[result["status"]]


def _with_rate(request: Request, console: Console) -> Request:
    """The request with the learning rate that was found for it."""
    from lossopt_cli.commands.sweeping import found_rate

    flags = {key: value for key, value in request.flags.items() if key not in ("learning_rate", "seed", "threads")}
    asked = Asked(request.config, flags, (AUTO,), None, request.flags.get("seed"), request.sets)
    return replace(request, flags={**request.flags, "learning_rate": repr(found_rate(asked, request.logs, console))})


def _assembled(resolved: Resolved, console: Console) -> tuple[Trial, Problem, "Run | None"]:
    """The trial, its problem, and the run where the user's code had to be built; without torch where it had not."""
    if not has_user_code(resolved.config):
        return *load_trial(resolved, console.note), None
    from lossopt_cli.training.assembly import assemble

    assembled = assemble(resolved, console.note)
    return assembled.trial, assembled.problem, assembled.built


def _train(
    request: Request, trial: Trial, problem: Problem, built: "Run | None", console: Console
) -> tuple[dict[str, Any], BaseException | None]:
    commit = Commit()
    screen = TrainingScreen(console, trial.config)
    screen.head(problem)
    try:
        from lossopt_cli.training import assembly, running

        run = assembly.Assembled(trial, problem, built).run(screen.features)
    finally:
        about = environment(["lossopt", *sys.argv[1:]], commit)
    folder = _folder(request, trial.config, problem, run.built.learning_rate)
    try:
        finished = running.carry_out(run, folder, screen, request.started_at, about)
    except (LossoptError, KeyboardInterrupt):
        screen.close()
        console.note(f"{'run':<7}{folder.path}")
        folder.write_text("run.log", "\n".join([*console.told, ""]))
        raise
    screen.close()
    result = dict(finished.result)
    for line in ("", *_details(result)):
        console.detail(line)
    folder.write_text("run.log", "\n".join([*console.told, "", _text(result, request, WIDTH)]))
    return result, finished.stopped_by


def _folder(request: Request, config: Config, problem: Problem, rate: float | None) -> RunFolder:
    if request.name:
        return RunFolder.create(request.logs, request.name)
    parts = [brief(config, part) for part in ("model", "loss", "optimizer")]
    stem = run_name(problem.name, *parts, rate or 0.0, config.train.seed, datetime.now())
    return RunFolder.create_numbered(request.logs, stem)


def _show(result: Mapping, request: Request, console: Console) -> None:
    if console.format == "json":
        console.result(json_text(result))
    elif console.quiet:
        console.result(result["run_dir"])
    elif console.format == "table":
        width = console.width if is_terminal(console.out) else WIDTH
        console.note()
        console.result(_text(result, request, width))
    else:
        console.rows(*rows(result))


def _text(result: Mapping, request: Request, width: int) -> str:
    return report(result, batch_losses(Path(result["run_dir"])), _next(result, request), width)


def _details(result: Mapping) -> list[str]:
    """What --verbose adds: the way the steps took and where the time went."""
    engine = {key: value for key, value in result["engine"].items() if value}
    seconds = ", ".join(f"{name} {value:.2f}" for name, value in result["seconds"].items())
    return [
        f"{'engine':<11}" + ", ".join(f"{key} {value}" for key, value in engine.items()),
        f"{'seconds':<11}{seconds}",
        f"{'trial':<11}{result['trial']}   problem {result['problem']}   setting {result['setting']}",
    ]


def _next(result: Mapping, request: Request) -> list[tuple[str, str]]:
    """The commands that one types next: a better rate where this one failed, the curves, another optimizer, and the
    comparison of several."""
    found = []
    if (rate := result.get("try_learning_rate")) is not None:
        found.append((_again("train", request, {"learning_rate": f"{rate:g}"}), "another learning rate"))
    other = "sgd" if result["optimizer"]["name"] != "sgd" else "adam"
    logs = [] if request.logs == Path("logs") else ["--logs", str(request.logs)]
    look = ("evaluate", "how good it is by now") if result["status"] == "interrupted" else ("plot", "the curves")
    found.append((shlex.join(["lossopt", look[0], "last", *logs]), look[1]))
    found.append((_again("train", request, {"optimizer": other, "learning_rate": None}), "another optimizer"))
    alone = dict.fromkeys(("optimizer", "learning_rate", "seed", "threads"))
    found.append((_again("sweep", request, alone), "several optimizers, fairly"))
    return found


def _again(command: str, request: Request, changed: Mapping[str, str | None]) -> str:
    """The command line of the request with other flags; None takes one away."""
    flags = {**request.flags, **changed}
    words = ["lossopt", command, *([str(request.config)] if request.config else [])]
    for word in WORDS:
        if flags.get(word.name) is not None:
            words += [word.flag] if word.kind == "switch" else [word.flag, str(flags[word.name])]
    dropped = "optimizer." if "optimizer" in changed else "optimizer.learning_rate"
    for text in request.sets:
        words += [] if text.startswith(dropped) else ["--set", text]
    words += [] if request.logs == Path("logs") else ["--logs", str(request.logs)]
    return shlex.join(words)


def _observed(names: list[str], values: Mapping[str, float | None]) -> str:
    """`accuracy is 0.728`, of each name once."""
    shown = {name: "unknown" if values[name] is None else f"{values[name]:.4g}" for name in names}
    return ", ".join(f"{name} is {value}" for name, value in shown.items())


def _names(problem: Problem) -> list[str]:
    """What --fail-if may name: metrics of the test (else of validation, else of train), any split's as split.metric,
    seconds and epochs."""
    metrics = [row.name for row in METRICS if problem.task in row.tasks] + ["loss"]
    return [*metrics, *(f"{split}.{name}" for split in SPLITS for name in metrics), "seconds", "epochs"]


def _values(result: Mapping) -> dict[str, float | None]:
    splits = reported(result)
    judged = splits.get("test") or splits.get("validation") or splits.get("train", {})
    names = ["loss", *(row.name for row in METRICS)]
    values: dict[str, float | None] = {
        f"{split}.{name}": splits.get(split, {}).get(name) for split in SPLITS for name in names
    }
    plain = {name: judged.get(name) for name in names}
    return {**values, **plain, "seconds": result["seconds"]["total"], "epochs": result["epochs"]}
