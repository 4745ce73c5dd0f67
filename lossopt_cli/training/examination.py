"""A state evaluated on the splits of a problem: its loss, and every metric that task and loss have."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from lossopt_cli.catalogue.metrics import compute
from lossopt_cli.data.problem import Problem
from lossopt_cli.training.calling import called
from lossopt_cli.training.feeding import Feed
from lossopt_cli.training.program import Program
from lossopt_cli.training.state import State
from lossopt_cli.training.targets import Objective, read_out

FIRST_ROWS, FIRST_UNITS = 2, 10


@dataclass(frozen=True)
class Examination:
    """Evaluates a state on the splits of a problem. batch_size: of the batches whose penalties are measured."""

    problem: Problem
    objective: Objective
    feeds: Mapping[str, Feed]
    program: Program
    batch_size: int = 32

    def measure(self, state: State, split: str) -> dict[str, float]:
        """Loss and metrics on the whole split; empty where the split is. The loss has the penalties of the layers in
        it, as the loss of a batch has, and as `fit` and `evaluate` of Keras have them."""
        return self.examined(state, split)[0]

    def examined(self, state: State, split: str) -> tuple[dict[str, float], torch.Tensor | None]:
        """(what `measure` gives, the raw outputs [n, units] that it is of); None where the split is empty."""
        if not len(self.feeds[split]):
            return {}, None
        raw = self.raw(state, split)
        measured = self.score(raw, self.feeds[split].targets, self.problem.split(split).targets)
        return {**measured, "loss": measured["loss"] + self.penalty(state, split)}, raw

    def penalty(self, state: State, split: str) -> float:
        """What the layers add to the loss (regularizers of weights and activity, add_loss): the mean over the examples
        of the split, in inference mode. By batches of the training's size: a penalty may be a sum over its batch."""
        if not self.is_penalised:
            return 0.0
        batches = [rows for chunk in self.feeds[split].all() for rows in chunk.split(self.batch_size)]
        found = [(len(rows), sum(float(term.sum()) for term in self._penalties(state, rows))) for rows in batches]
        return sum(count * value for count, value in found) / sum(count for count, _ in found)

    @cached_property
    def is_penalised(self) -> bool:
        """Whether layers add to the loss."""
        filled = next(feed for feed in self.feeds.values() if len(feed))
        return bool(self._penalties(self.program.start(), next(filled.all())[:1]))

    def _penalties(self, state: State, inputs: torch.Tensor) -> list[torch.Tensor]:
        program, buffers = self.program, [tensor[0] for tensor in state.buffers]
        weights = program.layout.views(state.weights[0])
        with torch.no_grad():
            *_, terms = called(program.model, weights, buffers, inputs, training=False)
        return terms

    def raw(self, state: State, split: str) -> torch.Tensor:
        """Raw outputs [n, units] of the whole split, in its order."""
        return torch.cat([self.program.predict(state, inputs) for inputs in self.feeds[split].all()])

    def first_outputs(self, state: State) -> list[list[float]]:
        """Raw outputs of the first FIRST_ROWS rows of validation (of train where there is none), FIRST_UNITS units of
        each: what trials that share weights and data agree in before the first step."""
        raw = self._first(state, "validation" if len(self.feeds["validation"]) else "train")
        return raw.flatten(1)[:, :FIRST_UNITS].double().cpu().tolist()

    def measured(self, state: State) -> list[str]:
        """The names of what `measure` gives, from a few training rows."""
        raw = self._first(state, "train")
        return ["loss", *self._metrics(raw, self.problem.train.targets[: len(raw)])]

    def _first(self, state: State, split: str) -> torch.Tensor:
        rows = torch.arange(min(FIRST_ROWS, len(self.feeds[split])), device=self.feeds[split].targets.device)
        return self.program.predict(state, self.feeds[split].rows(rows))

    def score(self, raw: torch.Tensor, encoded: torch.Tensor, targets: np.ndarray) -> dict[str, float]:
        """The loss of these raw outputs, without penalties, and every metric that task and loss have."""
        with torch.no_grad():
            loss = float(self.objective.loss(encoded, raw))
        return {"loss": loss, **self._metrics(raw, targets)}

    def _metrics(self, raw: torch.Tensor, targets: np.ndarray) -> dict[str, float]:
        if self.problem.task == "regression" and raw.numel() != targets.size:
            return {}
        return compute(read_out(self.problem, self.objective, raw.cpu().numpy(), targets))
