"""What a run leaves in its folder as it goes and when it ends."""

import time
from collections.abc import Callable, Mapping

import numpy as np

from lossopt_cli.runs.events import EventFile
from lossopt_cli.runs.folder import RunFolder
from lossopt_cli.training.loop import Evaluation


class FolderRecorder:
    """Writes events at every evaluation, and the tables at the end. epoch_seconds: what the evaluations' took.

    clock: when it is, in seconds since 1970; of another time where a training is told afterwards.
    """

    def __init__(
        self,
        folder: RunFolder,
        hyperparameters: Mapping[str, object],
        started_at: float,
        clock: Callable[[], float] = time.time,
    ):
        self.folder, self.hyperparameters, self.clock = folder, hyperparameters, clock
        self.events = EventFile(folder.path, started_at)
        self.evaluations: list[Evaluation] = []
        self.seen_at = clock()
        self.epoch_seconds = 0.0

    def began(self, initial: Mapping[str, Mapping[str, float]]) -> None:
        tags = _scalars(initial)
        self.events.scalars(list(tags), np.array([0]), np.array([list(tags.values())]), self.clock())
        self.events.hparams(self.hyperparameters)
        self.seen_at = self.clock()

    def stepped(self, step, steps, loss) -> None:
        pass

    def evaluated(self, evaluation: Evaluation) -> None:
        began_at, now = time.perf_counter(), self.clock()
        self.evaluations.append(evaluation)
        count = len(evaluation.losses)
        steps = np.arange(evaluation.step - count + 1, evaluation.step + 1)
        values = np.stack([evaluation.losses, evaluation.norms, evaluation.rates], axis=1)
        times = np.linspace(self.seen_at, now, count)
        self.events.scalars(["batch/loss", "batch/gradient_norm", "batch/learning_rate"], steps, values, times)
        tags = _scalars(evaluation.metrics)
        self.events.scalars(list(tags), np.array([evaluation.step]), np.array([list(tags.values())]), now)
        self.seen_at = now
        self.epoch_seconds += time.perf_counter() - began_at

    def finish(self, status: str, final: Mapping[str, Mapping[str, float]]) -> None:
        """epochs.csv and steps.csv, the final test metrics, and the end of the session in the event file."""
        tested = _scalars({"test": final.get("test", {})})
        last = self.evaluations[-1].step if self.evaluations else 0
        if tested and not self.events.closed:
            self.events.scalars(list(tested), np.array([last]), np.array([list(tested.values())]), self.clock())
        self.folder.write_csv("epochs.csv", epoch_columns(self.evaluations))
        self.folder.write_csv("steps.csv", step_columns(self.evaluations))
        if not self.events.closed:
            self.events.close(status)


def _scalars(metrics: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    return {f"{split}/{name}": value for split, values in metrics.items() for name, value in values.items()}


def epoch_columns(evaluations: list[Evaluation]) -> dict[str, list]:
    """A row an evaluation: epoch, step, learning rate of its last step, loss and metrics on train and validation."""
    columns: dict[str, list] = {
        "epoch": [int(e.epoch) if e.epoch == int(e.epoch) else e.epoch for e in evaluations],
        "step": [e.step for e in evaluations],
        "learning_rate": [float(e.rates[-1]) if len(e.rates) else float("nan") for e in evaluations],
    }
    names = {tag: None for e in evaluations for tag in _scalars(e.metrics)}
    for tag in names:
        columns[tag.replace("/", "_")] = [_scalars(e.metrics).get(tag, float("nan")) for e in evaluations]
    return columns


def step_columns(evaluations: list[Evaluation]) -> dict[str, np.ndarray]:
    """A row a batch: step, epoch (from 1), loss, learning rate, gradient norm, the floats in single precision."""
    if not evaluations:
        return {name: np.array([]) for name in ("step", "epoch", "loss", "learning_rate", "gradient_norm")}
    losses = np.concatenate([e.losses for e in evaluations])
    first = evaluations[0].step - len(evaluations[0].losses)
    epochs = [np.full(len(e.losses), int(np.ceil(e.epoch))) for e in evaluations]
    return {
        "step": np.arange(first + 1, first + len(losses) + 1),
        "epoch": np.concatenate(epochs),
        "loss": losses.astype(np.float32),
        "learning_rate": np.concatenate([e.rates for e in evaluations]),
        "gradient_norm": np.concatenate([e.norms for e in evaluations]).astype(np.float32),
    }
