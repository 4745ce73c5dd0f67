"""One trial from its config and problem to a finished folder. `lossopt train` is this with a screen around it."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import keras
import numpy as np
import torch

from lossopt_cli.catalogue.metrics import metric_named
from lossopt_cli.catalogue.schedules import multipliers
from lossopt_cli.config.schema import Config
from lossopt_cli.data.problem import SPLITS, Problem
from lossopt_cli.errors import Fault, RunError, UsageError
from lossopt_cli.runs.folder import RunFolder
from lossopt_cli.training import devices
from lossopt_cli.training.building import Build, UserParts, build, is_pure
from lossopt_cli.training.feeding import feed
from lossopt_cli.training.loop import Evaluation, Examination, Outcome, Plan, train
from lossopt_cli.training.recording import FolderRecorder
from lossopt_cli.training.results import SCHEMA_VERSION, Guess, Judgement, curve_of, guess_of, judge, reason_of, sizes_of
from lossopt_cli.training.state import State
from lossopt_cli.training.trial import Trial
from lossopt_cli.training.user_code import Running


class Screen(Protocol):
    """Who is told of a run as it goes."""

    def ready(self, run: "Run") -> None: ...

    def began(self, initial: Mapping[str, Mapping[str, float]], guess: Guess) -> None: ...

    def stepped(self, step: int, steps: int, loss: Callable[[], float]) -> None: ...

    def evaluated(self, evaluation: Evaluation) -> None: ...


@dataclass(frozen=True)
class Run:
    """A trial ready to train: its parts are built and go together."""

    trial: Trial
    problem: Problem
    built: Build
    plan: Plan
    device: torch.device
    examination: Examination
    state: State
    plain: bool

    @property
    def steps(self) -> int:
        return -(-len(self.problem.train) // self.plan.batch_size) * self.plan.epochs


def default_metric(task: str) -> str:
    """What a run is judged by unless it says: mae for numbers, accuracy for classes."""
    return "mae" if task == "regression" else "accuracy"


def prepare(trial: Trial, problem: Problem, user: UserParts, tracing: bool = True) -> Run:
    """Builds what the trial trains with. UsageError where config and problem do not go together."""
    config = trial.config
    devices.set_up(config.train.threads)
    device = devices.device_named(config.train.device)
    _check_batch(config, problem)
    built = build(config, problem, user)
    with keras.device(_keras_name(device)):
        program = built.program(device, tracing)
        feeds = {name: feed(problem, problem.split(name), built.objective, device, built.channels_first) for name in SPLITS}
        first = next(feeds["train"].epoch(config.train.seed, 0, min(config.train.batch_size, len(problem.train))))
        with Running(_files(user), None):
            _try_loss(built, program, first)
            plain = not is_pure(program, *first)
        if plain:
            if built.optimizer is None:
                raise UsageError(
                    Fault(
                        "the model draws random numbers without a SeedGenerator, and the optimizer is torch's",
                        "--model",
                        remedy="pass seed=keras.random.SeedGenerator(...) to keras.random, or use a Keras optimizer",
                    )
                )
            program = built.plain_program(device)
        state = program.start()
    examination = Examination(problem, built.objective, feeds, program)
    return Run(trial, problem, built, _plan(config, problem, built), device, examination, state, plain)


def _keras_name(device: torch.device) -> str:
    return "cpu" if device.type == "cpu" else f"{device.type}:{device.index or 0}"


def _files(user: UserParts) -> frozenset[Path]:
    return frozenset(path for obj in user.objects.values() for path in obj.files)


def _try_loss(built: Build, program, first) -> None:
    """Calls a loss of the user's once on the first batch, so that what is wrong with it is said before training."""
    loss = built.objective.loss
    if built.user["loss"] is None or not hasattr(loss, "check"):
        return
    inputs, targets = first
    raw = program.predict(program.start(), inputs).requires_grad_()
    loss.check(targets, raw)


def _check_batch(config: Config, problem: Problem) -> None:
    examples = len(problem.train)
    if config.train.batch_size > examples:
        raise UsageError(
            Fault(
                f"a batch of {config.train.batch_size} is larger than the {examples} training examples",
                "--batch-size",
                f"at most {examples}",
                f"--batch-size {max(1, min(32, examples // 4))}",
            )
        )


def _plan(config: Config, problem: Problem, built: Build) -> Plan:
    per_epoch = -(-len(problem.train) // config.train.batch_size)
    steps = per_epoch * config.train.epochs
    rate = built.learning_rate if built.learning_rate is not None else np.nan
    rates = np.full(steps, rate)
    if config.schedule is not None:
        rates = rate * multipliers(config.schedule.name, config.schedule.settings, steps, per_epoch)
    metric = config.train.metric or default_metric(problem.task)
    higher = metric != "loss" and metric_named(metric).better == "higher"
    train_ = config.train
    return Plan(
        train_.epochs,
        train_.batch_size,
        train_.seed,
        rates,
        metric,
        higher,
        train_.evaluate_every,
        train_.keep == "best",
    )


class _Recorders:
    """One recorder that tells the folder and the screen."""

    def __init__(self, folder: FolderRecorder, screen: Screen, guess: Guess):
        self.folder, self.screen, self.guess = folder, screen, guess

    def began(self, initial) -> None:
        self.folder.began(initial)
        self.screen.began(initial, self.guess)

    def stepped(self, step, steps, loss) -> None:
        self.screen.stepped(step, steps, loss)

    def evaluated(self, evaluation) -> None:
        self.folder.evaluated(evaluation)
        self.screen.evaluated(evaluation)


@dataclass(frozen=True)
class Finished:
    """What a run came to: everything of its result but times and environment."""

    run: Run
    outcome: Outcome
    guess: Guess
    judgement: Judgement
    recorder: FolderRecorder


def carry_out(run: Run, folder: RunFolder, screen: Screen, started_at: float) -> Finished:
    """Trains the run and leaves its tables, events and checkpoint in the folder."""
    with keras.device(_keras_name(run.device)), Running(_files(run.built.user), None, raises=RunError):
        guess = guess_of(run.examination)
        recorder = FolderRecorder(folder, hyperparameters(run.trial.config), started_at)
        screen.ready(run)
        recorders = _Recorders(recorder, screen, guess)
        outcome = train(run.examination.program, run.examination, run.plan, recorders, run.state)
        judgement = judge(run.examination, run.plan, outcome, guess, run.built.learning_rate)
    recorder.finish(outcome.status, outcome.final)
    outcome.state.save(folder.path / "checkpoint")
    return Finished(run, outcome, guess, judgement, recorder)


def hyperparameters(config: Config) -> dict[str, Any]:
    """What TensorBoard's HPARAMS page lists: loss, optimizer, model, data and their settings, seed, epochs, batch."""
    flat: dict[str, Any] = {"seed": config.train.seed, "epochs": config.train.epochs, "batch_size": config.train.batch_size}
    for part in ("data", "model", "loss", "optimizer", "schedule"):
        value = getattr(config, part)
        if value is not None:
            flat[part] = value.name
            flat |= {f"{part}.{key}": v for key, v in value.settings.items()}
    return {key: str(v) if isinstance(v, list) else v for key, v in flat.items()}


def result_of(finished: Finished, hashes: Mapping[str, str], environment: Mapping, seconds: Mapping) -> dict[str, Any]:
    """result.json (DESIGN section 5); `run_dir`, and the seconds of writing, are the caller's to add."""
    run, outcome, judgement = finished.run, finished.outcome, finished.judgement
    config, plan = run.trial.config, run.plan
    best = outcome.evaluations[outcome.best] if outcome.best is not None else None
    trained = sum(len(e.losses) for e in outcome.evaluations) * plan.batch_size
    return {
        "schema_version": SCHEMA_VERSION,
        "status": outcome.status,
        "reason": reason_of(outcome, run.steps, config.optimizer.name, run.built.learning_rate),
        "learned": judgement.learned if outcome.status != "diverged" else False,
        "task": run.problem.task,
        "metric": plan.metric,
        "loss": config.loss.model_dump(),
        "optimizer": config.optimizer.model_dump(),
        "seed": plan.seed,
        "epochs": outcome.state.epoch,
        "best_epoch": best.epoch if best else None,
        "metrics": outcome.final,
        "metrics_best": outcome.final_best or (best.metrics if best else {}),
        "guessing": {**finished.guess.metrics, "loss": finished.guess.loss},
        "initial": outcome.initial,
        "sample": vars(judgement.sample) if judgement.sample else None,
        "standard_error": judgement.standard_error,
        "diverged_at": outcome.diverged_at,
        "last_finite_loss": outcome.last_finite,
        "seconds": dict(seconds),
        "timing": "alone",
        "examples_per_second": trained / outcome.seconds["train"] if outcome.seconds["train"] else None,
        "engine": engine_of(run),
        "device": devices.in_words(run.device, config.train.threads),
        "sizes": sizes_of(run.problem),
        "classes": list(run.problem.classes) if run.problem.classes else None,
        "config": config.model_dump(),
        "curve": curve_of(run.examination, plan, outcome),
        **hashes,
        "warnings": [{**vars(found), "text": str(found)} for found in judgement.found],
        "environment": dict(environment),
    }


def engine_of(run: Run) -> dict[str, Any]:
    """Which way the steps took: traced or not, the update rule, precision, and notes of the program."""
    program = run.examination.program
    if run.plain:
        why = "the model draws random numbers that are no function of a seed of its own"
        return {"way": "plain", "why": why, "precision": run.trial.config.train.precision}
    return {
        "way": "traced" if program.is_traced else "untraced",
        "rule": program.rule.name,
        "precision": run.trial.config.train.precision,
        "notes": list(program.notes),
    }


def seconds_of(finished: Finished, writing: float) -> dict[str, float]:
    """Where the time went: tracing, the steps, evaluations, and writing (tables, events, checkpoint, model)."""
    spent = finished.outcome.seconds
    return {
        "tracing": finished.run.examination.program.tracing_seconds,
        "train": spent["train"],
        "evaluate": spent["evaluate"],
        "write": writing + finished.recorder.write_seconds,
    }


def export(finished: Finished, folder: RunFolder, dump: Callable[[Config], str]) -> list[dict[str, str]]:
    """model.keras and labels.json, copies of user code; warnings where the file needs the user's code to load."""
    return []
