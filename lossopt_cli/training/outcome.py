"""What a training is asked to do, and what comes of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from lossopt_cli.training.state import State


@dataclass(frozen=True)
class Plan:
    """How long and how: rates has one learning rate a step, NaN where the optimizer keeps its own.

    evaluate_every: steps between evaluations, an epoch where None. higher: whether a higher metric is better. until:
    the epoch that ends its first stage, where it has two.
    """

    epochs: int
    batch_size: int
    seed: int
    rates: np.ndarray
    metric: str
    higher: bool
    evaluate_every: int | None = None
    keep_best: bool = False
    until: int | None = None

    @property
    def end(self) -> int:
        """After how many epochs the loop comes back."""
        return self.epochs if self.until is None else self.until


@dataclass(frozen=True)
class Evaluation:
    """What was measured at a point of the training.

    epoch: passes behind it (a fraction between two epochs); step: steps behind it. losses, norms, rates: of the steps
    since the last evaluation. metrics: split -> metric -> value; of `train`, over the batches since the last
    evaluation, as they were seen. Every loss, of a batch as of a split, has the penalties of the layers in it.
    train_seconds: of these steps, without evaluation, recording and tracing.
    """

    epoch: float
    step: int
    losses: np.ndarray
    norms: np.ndarray
    rates: np.ndarray
    metrics: Mapping[str, Mapping[str, float]]
    train_seconds: float
    evaluate_seconds: float


@dataclass
class Outcome:
    """How the training ended. status: done, diverged or interrupted. best: index of the best evaluation.

    diverged_at: the step whose loss or weights were not finite; last_finite: the last finite loss before it.
    state: after the last step, as results are of it; trained: as the next step needs it (the checkpoint), which differs
    where the optimizer averages weights. kept: weights and buffers at the best evaluation, where they were asked for.
    outputs: raw outputs of the weights that are reported, by split, of what a judgement looks at: validation and test,
    and train where there is no validation. stage: in which it ended, where there are two. stacked: how many trials the
    stack had that it was trained in, None where it trained alone.
    """

    status: str
    state: State
    trained: State
    initial: Mapping[str, Mapping[str, float]]
    evaluations: list[Evaluation] = field(default_factory=list)
    final: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    final_best: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    best: int | None = None
    kept: State | None = None
    outputs: Mapping[str, np.ndarray] = field(default_factory=dict)
    diverged_at: int | None = None
    last_finite: float | None = None
    seconds: dict[str, float] = field(default_factory=lambda: {"train": 0.0, "evaluate": 0.0, "first_step": 0.0})
    stopped_by: BaseException | None = None
    stage: int = 1
    stacked: int | None = None

    @property
    def reported(self) -> tuple[Mapping[str, Mapping[str, float]], State]:
        """Metrics by split, and the weights they are of: what the run is judged by and keeps. The best where they were
        asked for, else the last."""
        return (self.final, self.state) if self.kept is None else (self.final_best, self.kept)
