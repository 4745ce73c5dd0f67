"""The folder of a trial of a sweep, written in one go when its training has ended; no checkpoint and no model."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from lossopt_cli.runs.folder import RunFolder
from lossopt_cli.runs.reading import RESULT
from lossopt_cli.sweeps import folder
from lossopt_cli.sweeps.cells import Cell
from lossopt_cli.sweeps.shares import Workplace
from lossopt_cli.training import keeping, results
from lossopt_cli.training.judging import Guess, judge
from lossopt_cli.training.loop import Evaluation, Outcome
from lossopt_cli.training.recording import FolderRecorder
from lossopt_cli.training.running import Run, hyperparameters


@dataclass
class Heard:
    """A recorder that keeps what it is told, and when."""

    began_at: float = 0.0
    initial: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    told: list[tuple[float, Evaluation]] = field(default_factory=list)

    def began(self, initial: Mapping[str, Mapping[str, float]]) -> None:
        self.began_at, self.initial = time.time(), initial

    def stepped(self, step: int, steps: int, loss: Any) -> None:
        pass

    def evaluated(self, evaluation: Evaluation) -> None:
        self.told.append((time.time(), evaluation))


@dataclass(frozen=True)
class Trained:
    """A run that has ended. widest: how many of its kind are worth a stack; seconds: what its share took, per trial."""

    run: Run
    outcome: Outcome
    guess: Guess
    heard: Heard
    widest: int
    seconds: float


def write_trial(workplace: Workplace, cell: Cell, trained: Trained) -> dict[str, Any]:
    """config.yaml, result.json, epochs.csv, steps.csv and the events of a training that has ended; its result."""
    run, outcome, guess = _as_trained(trained), trained.outcome, trained.guess
    run_folder = folder.begin(workplace.sweep, cell)
    copies = keeping.keep_config(run, run_folder)
    _replay(run, outcome, trained.heard, run_folder)
    judgement = judge(run.examination, run.plan, outcome, guess, run.trial.config, run.built.learning_rate)
    result = results.opening(run, workplace.run_dir(cell), workplace.environment, copies)
    result |= results.closing(run, outcome, guess, judgement)
    result |= {**cell.marks, "timing": "shared", "seconds": _seconds(trained)}
    result["engine"] |= {"widest": trained.widest}
    run_folder.write_json(RESULT, result)
    folder.end(workplace.sweep, cell)
    return result


def _as_trained(trained: Trained) -> Run:
    """The run with a config that says which way its steps took, so that a repeat takes the same."""
    run, config = trained.run, trained.run.trial.config
    train = config.train.model_copy(update={"engine": "stack" if trained.outcome.stacked else "single"})
    return replace(run, trial=replace(run.trial, config=config.model_copy(update={"train": train})))


def _replay(run: Run, outcome: Outcome, heard: Heard, run_folder: RunFolder) -> None:
    """Tells a recorder of folders what was heard, at the times when it was heard."""
    now = [heard.began_at]
    recorder = FolderRecorder(run_folder, hyperparameters(run.trial.config), heard.began_at, clock=lambda: now[0])
    recorder.began(heard.initial)
    for told_at, evaluation in heard.told:
        now[0] = told_at
        recorder.evaluated(evaluation)
    recorder.finish(outcome.status, outcome.final)


def _seconds(trained: Trained) -> dict[str, float]:
    """A trial's share of what its stack took."""
    spent = trained.outcome.seconds
    return {"total": trained.seconds, "train": spent["train"], "evaluate": spent["evaluate"]}
