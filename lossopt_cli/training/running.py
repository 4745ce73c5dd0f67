"""One trial from its config and problem to a finished folder. `lossopt train` is this with a screen around it."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol

import keras
import torch

from lossopt_cli.catalogue.wording import counted
from lossopt_cli.config.schema import Config
from lossopt_cli.config.stages import SecondStage, as_frozen, second_stage
from lossopt_cli.data.problem import FeatureInputs, Problem
from lossopt_cli.data.trial import Trial
from lossopt_cli.errors import RunError
from lossopt_cli.runs.folder import RunFolder
from lossopt_cli.training import devices, keeping, results, staging
from lossopt_cli.training.augmentation import Augmentation
from lossopt_cli.training.building import Build, UserParts
from lossopt_cli.training.diagnosis import doctor_of
from lossopt_cli.training.doctor.finding import Finding
from lossopt_cli.training.judging import Guess, guess_of, judge
from lossopt_cli.training.loop import Evaluation, Examination, Outcome, Plan
from lossopt_cli.training.planning import plan_of
from lossopt_cli.training.preparing import Parts, files_of, keras_name, parts_of
from lossopt_cli.training.recording import FolderRecorder
from lossopt_cli.training.stack_of_one import in_its_way
from lossopt_cli.training.state import State
from lossopt_cli.training.stopping import Stopping
from lossopt_cli.training.transfer.features import featured, unheard
from lossopt_cli.training.user_code import Running


class Screen(Protocol):
    """Who is told of a run as it goes."""

    def ready(self, run: "Run") -> None: ...

    def began(self, initial: Mapping[str, Mapping[str, float]], guess: Guess) -> None: ...

    def stepped(self, step: int, steps: int, loss: Callable[[], float]) -> None: ...

    def evaluated(self, evaluation: Evaluation) -> None: ...

    def noticed(self, findings: Sequence[Finding]) -> None: ...


@dataclass(frozen=True)
class Run:
    """A trial ready to train: its parts are built and go together.

    problem: as it was posed; `examination.problem` is what the network is fed, which may be features of its images.
    initial_outputs: raw outputs of the untrained network on a few rows, see `Examination.first_outputs`.
    pass_seconds: what making the features took, or finding them. second: the run as it goes on when the top of its
    backbone begins to train, where it does.
    """

    trial: Trial
    problem: Problem
    built: Build
    plan: Plan
    device: torch.device
    examination: Examination
    state: State
    initial_outputs: list[list[float]]
    plain: bool
    build_seconds: float
    pass_seconds: float = 0.0
    second: "Run | None" = None

    def ended(self, outcome: Outcome) -> "Run":
        """The run with the network that the outcome's weights are of."""
        return self.second if outcome.stage == 2 else self

    @property
    def steps(self) -> int:
        return -(-len(self.problem.train) // self.plan.batch_size) * self.plan.epochs


def prepare(
    config: Config, problem: Problem, user: UserParts, tracing: bool = True, announce: Callable[[str], None] = unheard
) -> Run:
    """Builds what the config trains with; the run's trial has the settings that signatures of user code fill in.

    announce: told of images that go through a backbone first. UsageError where config and problem do not go together.
    """
    devices.set_up(config.train.threads)
    device = devices.device_named(config.train.device)
    changes = Augmentation.of(config.train.augment, problem) if config.train.augment else None
    began_at = time.perf_counter()
    stage, tuned = second_stage(config), None
    if stage is not None:  # before the images go anywhere: the backbone may not have so many layers
        tuned = parts_of(config, problem, user, device, changes, tracing=tracing)
        announce(_told(stage, config))
    passing_at = time.perf_counter()
    fed = featured(config, problem, device, announce)
    passed_at = time.perf_counter()
    parts = parts_of(as_frozen(config), fed, user, device, changes, tracing=tracing)
    built, examination, program = parts.built, parts.examination, parts.examination.program
    state = program.start()
    with keras.device(keras_name(device)), Running(files_of(user), None):
        outputs, measured = examination.first_outputs(state), examination.measured(state)
    plan = plan_of(config, problem, built, measured)
    code = {obj.reference: obj.fingerprint for obj in user.objects.values()}
    trial = Trial.of(keeping.filled(config, built.settings), problem, code)
    if isinstance(fed.inputs, FeatureInputs) and fed.inputs.note:
        program.notes.append(fed.inputs.note)
    passing = passed_at - passing_at
    spent = time.perf_counter() - began_at - passing
    run = Run(trial, problem, built, plan, device, examination, state, outputs, parts.plain, spent, passing)
    return run if tuned is None else replace(run, second=_behind(run, tuned))


def _behind(run: Run, parts: Parts) -> Run:
    """The second stage of the run, which begins where the first one ends."""
    program = parts.examination.program
    program.behind = run.plan.until * -(-len(run.problem.train) // run.plan.batch_size)
    return replace(run, **vars(parts), state=program.start())


def _told(stage: SecondStage, config: Config) -> str:
    """What is said of the second stage before the first."""
    rate = config.optimizer.settings.get("learning_rate")
    at = "" if rate is None else f" at a learning rate of {stage.rate(rate):g}"
    return (
        f"the backbone stays frozen for {counted(stage.after, 'epoch')}; then its top {counted(stage.layers, 'layer')} "
        f"train too{at}, batch norms apart: the optimizer starts afresh, and every batch goes through the backbone"
    )


@contextmanager
def at_work(run: Run) -> Iterator[None]:
    """Around what trains and evaluates the run: on its device, and a RunError at the line of user code that raises."""
    with keras.device(keras_name(run.device)), Running(files_of(run.built.user), None, raises=RunError):
        yield


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
    """result: what result.json has. stopped_by: the signal that ended it, None for one that ended by itself."""

    result: Mapping[str, Any]
    stopped_by: BaseException | None


def carry_out(run: Run, folder: RunFolder, screen: Screen, started_at: float, environment: Mapping) -> Finished:
    """Trains the run and leaves its folder whole, also where it is interrupted or fails.

    started_at: when the command began, in seconds since 1970: what came before is start-up.
    """
    ready_at = time.perf_counter()
    start_up = time.time() - started_at - run.build_seconds - run.pass_seconds
    copies = keeping.keep_config(run, folder)
    recorder = FolderRecorder(folder, hyperparameters(run.trial.config), time.time())
    begun = results.opening(run, str(folder.path), environment, copies)
    folder.write_json("result.json", begun)
    written = time.perf_counter() - ready_at
    with Stopping() as stopping, _Left(folder, recorder, begun), keras.device(keras_name(run.device)):
        with Running(files_of(run.built.user), None, raises=RunError):
            guess = guess_of(run.examination, run.state)
            screen.ready(run)
            recorders = _Recorders(recorder, screen, guess)
            config, rate = run.trial.config, run.built.learning_rate
            doctor = doctor_of(run.examination, run.plan, guess, config, rate, screen.noticed, run.problem)
            way = in_its_way(run)
            outcome = staging.train(way, recorders, stopping, doctor)
            outcome.stacked = None if way is run else 1
            run = run.ended(outcome)
            judging_at = time.perf_counter()
            judgement = judge(run.examination, run.plan, outcome, guess, config, rate, doctor.found)
        writing_at = time.perf_counter()
        warned = _keep(run, outcome, recorder, folder)
        result = begun | results.closing(run, outcome, guess, judgement)
        result["warnings"] += [{**vars(warning), "text": str(warning)} for warning in warned]
        written += time.perf_counter() - writing_at + recorder.epoch_seconds
        total = start_up + run.pass_seconds + run.build_seconds + time.perf_counter() - ready_at
        judging = writing_at - judging_at
        result["seconds"] = _seconds(run, outcome, start_up, judging, written, total)
        folder.write_json("result.json", result)
    return Finished(result, outcome.stopped_by)


def _keep(run: Run, outcome: Outcome, recorder: FolderRecorder, folder: RunFolder) -> list[keeping.Warned]:
    """Tables, events, checkpoint and the whole model; the model with the best weights where they were asked for."""
    recorder.finish(outcome.status, outcome.final)
    outcome.trained.save(folder.path / "checkpoint")
    return keeping.keep_model(run, outcome.reported[1], folder)


def _seconds(
    run: Run, outcome: Outcome, start_up: float, judging: float, written: float, total: float
) -> dict[str, float]:
    """Where the time went; `other` is what no other entry has, so that they add up to `total`."""
    spent = {
        "start_up": start_up,
        "features": run.pass_seconds,
        "build": run.build_seconds,
        "tracing": run.examination.program.tracing_seconds,
        "train": outcome.seconds["train"],
        "evaluate": outcome.seconds["evaluate"] + judging,
        "write": written,
    }
    return {"total": total, **spent, "other": total - sum(spent.values())}


class _Left:
    """Around a training: an exception that passes leaves a folder that says what happened."""

    def __init__(self, folder: RunFolder, recorder: FolderRecorder, begun: Mapping[str, Any]):
        self.folder, self.recorder, self.begun = folder, recorder, begun

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is None:
            return
        status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
        reason = str(error).strip() or ("interrupted" if status == "interrupted" else kind.__name__)
        self.recorder.finish(status, {})
        epochs = int(self.recorder.evaluations[-1].epoch) if self.recorder.evaluations else 0
        ended = {"status": status, "reason": reason, "epochs": epochs}
        self.folder.write_json("result.json", {**self.begun, **ended})


def hyperparameters(config: Config) -> dict[str, Any]:
    """What TensorBoard's HPARAMS page lists: loss, optimizer, model, data and their settings, seed, epochs, batch."""
    flat: dict[str, Any] = {
        "seed": config.train.seed,
        "epochs": config.train.epochs,
        "batch_size": config.train.batch_size,
    }
    for part in ("data", "model", "loss", "optimizer", "schedule"):
        value = getattr(config, part)
        if value is not None:
            flat[part] = value.name
            flat |= {f"{part}.{key}": v for key, v in value.settings.items()}
    return {key: str(v) if isinstance(v, list) else v for key, v in flat.items()}
