"""A state evaluated on the splits of a problem: its loss, and every metric that task and loss have."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from lossopt_cli.catalogue.metrics import compute
from lossopt_cli.data.problem import Problem
from lossopt_cli.training.feeding import Feed
from lossopt_cli.training.program import Program
from lossopt_cli.training.state import State
from lossopt_cli.training.targets import Objective, read_out


@dataclass(frozen=True)
class Examination:
    """Evaluates a state on the splits of a problem."""

    problem: Problem
    objective: Objective
    feeds: Mapping[str, Feed]
    program: Program

    def measure(self, state: State, split: str) -> dict[str, float]:
        """Loss and metrics on the whole split; empty where the split is."""
        if not len(self.feeds[split]):
            return {}
        return self.score(self.raw(state, split), self.feeds[split].targets, self.problem.split(split).targets)

    def raw(self, state: State, split: str) -> torch.Tensor:
        """Raw outputs [n, units] of the whole split, in its order."""
        return torch.cat([self.program.predict(state, inputs) for inputs in self.feeds[split].all()])

    def score(self, raw: torch.Tensor, encoded: torch.Tensor, targets: np.ndarray) -> dict[str, float]:
        """The loss of these raw outputs, and every metric that task and loss have."""
        with torch.no_grad():
            loss = float(self.objective.loss(encoded, raw))
        if self.problem.task == "regression" and raw.numel() != targets.size:
            return {"loss": loss}
        return {"loss": loss, **compute(read_out(self.problem, self.objective, raw.cpu().numpy(), targets))}
