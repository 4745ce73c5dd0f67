"""The states of a stack evaluated on the splits of their problem, each as `Examination` evaluates it alone."""

from dataclasses import dataclass

import numpy as np
import torch

from lossopt_cli.catalogue.stacked_metrics import compute_each, split_up
from lossopt_cli.training.examination import Examination
from lossopt_cli.training.stack_program import StackProgram
from lossopt_cli.training.state import State
from lossopt_cli.training.targets import read_out

# Outputs whose metrics are computed at once: in float64 they and what is made of them stay in a cache.
NUMBERS_AT_ONCE = 1 << 16


@dataclass(frozen=True)
class StackExamination:
    """alone: evaluates one trial of the same program."""

    alone: Examination
    program: StackProgram

    def measure(self, state: State, split: str) -> list[dict[str, float]]:
        """Loss and metrics of every trial on the whole split; empty where the split is."""
        return self.examined(state, split)[0]

    def examined(self, state: State, split: str) -> tuple[list[dict[str, float]], torch.Tensor | None]:
        """(what `measure` gives, the raw outputs [T, n, units] that it is of); None where the split is empty."""
        feed = self.alone.feeds[split]
        width = len(state.weights)
        if not len(feed):
            return [{} for _ in range(width)], None
        raw = torch.cat([self.program.predict(state, inputs) for inputs in feed.all()], dim=1)
        with torch.no_grad():
            losses = torch.stack([self.alone.objective.loss(feed.targets, outputs) for outputs in raw]).tolist()
        if self.alone.is_penalised:
            losses = [loss + self.alone.penalty(state.take([row]), split) for row, loss in enumerate(losses)]
        targets = self.alone.problem.split(split).targets
        metrics = self.metrics(raw, np.broadcast_to(targets, (width, *targets.shape)))
        return [{"loss": loss, **values} for loss, values in zip(losses, metrics, strict=True)], raw

    def metrics(self, raw: torch.Tensor, targets: np.ndarray) -> list[dict[str, float]]:
        """What `Examination` computes of the outputs [T, n, ...] and targets [T, n] of every trial."""
        problem, objective = self.alone.problem, self.alone.objective
        if problem.task == "regression" and raw.numel() != targets.size:
            return [{} for _ in raw]
        values, found = raw.cpu().numpy(), []
        at_once = max(1, NUMBERS_AT_ONCE // values[0].size)
        for first in range(0, len(values), at_once):
            some, truth = values[first : first + at_once], targets[first : first + at_once]
            flat = read_out(problem, objective, some.reshape(-1, *some.shape[2:]), truth.reshape(-1, *truth.shape[2:]))
            found += compute_each(split_up(flat, len(some)))
        return found
