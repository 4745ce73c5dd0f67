"""The loop of a stack: what `loop.train` does for one trial, for many at once, with the same results for each."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch

from lossopt_cli.data.problem import SPLITS
from lossopt_cli.training.loop import Recorder, Stretch, finite, judged_splits, remember_best, stretches
from lossopt_cli.training.outcome import Evaluation, Outcome, Plan
from lossopt_cli.training.stack_examination import StackExamination
from lossopt_cli.training.stack_feeding import StackFeed
from lossopt_cli.training.state import State
from lossopt_cli.training.stopping import Stopping
from lossopt_cli.training.targets import decoded

# Steps of trials that have ended, which a smaller stack saves: as many as take the time of recording it.
STEPS_THAT_REPAY_PACKING = 3000


class Told(Protocol):
    """Who hears how far a stack is, a few times a second."""

    def __call__(self, step: int, steps: int, alive: int) -> None: ...


@dataclass(eq=False)
class Member:
    """A trial of a stack: its plan, who hears of it, and what has come of it."""

    plan: Plan
    recorder: Recorder
    outcome: Outcome


class StackTraining:
    """Trials that differ in seed and rates, from the same step of the same program on.

    members: all of them, in the order of the first state; rows: those that stand in the state now, in its order.
    fewest: to how few trials a stack may shrink.
    """

    def __init__(
        self, examination: StackExamination, plans: Sequence[Plan], recorders: Sequence[Recorder], state: State
    ):
        self.examination, self.state = examination, state
        self.program = examination.program
        self.members = [
            Member(plan, recorder, Outcome("done", state, state, {}, stacked=len(plans)))
            for plan, recorder in zip(plans, recorders, strict=True)
        ]
        self.rows = list(self.members)

    @property
    def alive(self) -> list[Member]:
        return [member for member in self.rows if member.outcome.status == "done"]

    def train(self, stopping: Stopping, told: Told) -> list[Outcome]:
        """Trains the state to the end of the plans; the outcome of each trial, as `loop.train` gives it."""
        self._measure_start()
        try:
            while self.alive and self.state.epoch < self.members[0].plan.epochs:
                self._go_on(stopping, told)
        except KeyboardInterrupt as stop:
            for member in self.alive:
                member.outcome.status, member.outcome.stopped_by = "interrupted", stop
        self._conclude()
        return [member.outcome for member in self.members]

    def _measure_start(self) -> None:
        """Trials of one seed start alike: they are measured once."""
        began_at = time.perf_counter()
        first = {member.plan.seed: row for row, member in reversed(list(enumerate(self.rows)))}
        distinct = self.state.take(list(first.values()))
        measured = {split: dict(zip(first, self.examination.measure(distinct, split), strict=True)) for split in SPLITS}
        for member in self.members:
            values = {split: found[member.plan.seed] for split, found in measured.items()}
            member.outcome.initial = {split: metrics for split, metrics in values.items() if metrics}
        self._spend("evaluate", time.perf_counter() - began_at)
        for member in self.members:
            member.recorder.began(member.outcome.initial)

    def _go_on(self, stopping: Stopping, told: Told) -> None:
        """To the end, or to an epoch after which so many have ended that the others go on in a smaller stack."""
        plans = [member.plan for member in self.rows]
        feed = StackFeed(self.examination.alone.feeds["train"], [plan.seed for plan in plans])
        plan = replace(plans[0], rates=np.stack([each.rates for each in plans], axis=1))
        per_epoch = -(-len(feed) // plan.batch_size)
        for stretch in stretches(self.program, feed, plan, _Teller(told, self), self.state, stopping):
            self._evaluate(stretch)
            if not self.alive:
                return
            to_come = (plan.epochs - self.state.epoch) * per_epoch
            at_end = self.state.step == self.state.epoch * per_epoch
            if at_end and (len(self.rows) - len(self.alive)) * to_come > STEPS_THAT_REPAY_PACKING:
                self._pack()
                return

    def _pack(self) -> None:
        """Leaves those in the state that have not ended."""
        alive = [row for row, member in enumerate(self.rows) if member.outcome.status == "done"]
        self.state, self.rows = self.state.take(alive), [self.rows[row] for row in alive]

    def _evaluate(self, stretch: Stretch) -> None:
        """Reads back what the stretch recorded, measures validation, and finds who has diverged."""
        began_at = time.perf_counter()
        losses, norms = (torch.stack(values).cpu().numpy().astype(np.float64) for values in _recorded(stretch))
        last, standing = stretch.first_step + len(losses), self.alive
        broken = ~torch.isfinite(self.state.weights).all(dim=1).cpu().numpy() | ~np.isfinite(losses).all(axis=0)
        for row in np.flatnonzero(broken):
            self._end(row, losses[:, row], norms[:, row], stretch.first_step)
        metrics, state = self._metrics(stretch, losses)
        share = (time.perf_counter() - began_at) / len(standing)
        for row, member in enumerate(self.rows):
            if member not in standing:
                continue
            evaluation = Evaluation(
                stretch.epoch,
                last,
                losses[:, row],
                norms[:, row],
                np.asarray(member.plan.rates[stretch.first_step : last], dtype=np.float64),
                metrics[row] if member.outcome.status == "done" else {},
                stretch.seconds / len(standing),
                share,
            )
            member.outcome.evaluations.append(evaluation)
            if member.plan.keep_best:
                member.outcome.state = state.take([row])
            remember_best(evaluation, member.plan, member.outcome)
            member.recorder.evaluated(evaluation)
        self._spend("train", stretch.seconds, standing)
        self._spend("evaluate", share * len(standing), standing)

    def _end(self, row: int, losses: np.ndarray, norms: np.ndarray, first_step: int) -> None:
        """The trial of this row has diverged: its outcome says at which step, and keeps its state."""
        outcome = self.rows[row].outcome
        if outcome.status == "done":
            outcome.trained = self.state.take([row])
            finite(losses, norms, first_step, outcome)
            outcome.state = self.program.finished(outcome.trained)
            self.state.alive[row] = False

    def _metrics(self, stretch: Stretch, losses: np.ndarray) -> tuple[list[dict], State]:
        """(train and validation of every row, the state that they are of)"""
        if not self.alive:
            return [{} for _ in self.rows], self.state
        examination = self.examination
        encoded, raw = torch.cat(stretch.order, dim=1), torch.cat(stretch.outputs, dim=1)
        sizes = np.array([targets.shape[1] for targets in stretch.order], dtype=np.float64)
        problem, fit = examination.alone.problem, examination.alone.objective.fit
        truth = decoded(problem, fit, encoded.flatten(0, 1).cpu().numpy())
        seen = examination.metrics(raw, truth.reshape(*encoded.shape[:2], *truth.shape[1:]))
        state = self.program.evaluated(self.state)
        found = [
            {"train": {"loss": float((own * sizes).sum() / sizes.sum()), **values}}
            for values, own in zip(seen, losses.T.copy(), strict=True)
        ]
        for metrics, measured in zip(found, examination.measure(state, "validation"), strict=True):
            metrics |= {"validation": measured} if measured else {}
        return found, state

    def _conclude(self) -> None:
        """Metrics of the last weights of those that have not diverged, and of the best ones where they were kept."""
        began_at = time.perf_counter()
        finished = self.program.finished(self.state)
        standing = [(row, member) for row, member in enumerate(self.rows) if member.outcome.status != "diverged"]
        for row, member in standing:
            member.outcome.trained, member.outcome.state = self.state.take([row]), finished.take([row])
        if standing and standing[0][1].outcome.evaluations:
            measured = self._all_splits(finished)
            for row, member in standing:
                member.outcome.final, member.outcome.outputs = measured[row]
        kept = [member.outcome for member in self.members if member.outcome.kept is not None]
        if kept:
            for outcome, values in zip(kept, self._all_splits(_side_by_side([o.kept for o in kept])), strict=True):
                outcome.final_best, outcome.outputs = values
        self._spend("evaluate", time.perf_counter() - began_at)

    def _all_splits(self, state: State) -> list[tuple[dict[str, dict[str, float]], dict[str, np.ndarray]]]:
        """Of every trial: (metrics by split, raw outputs of what a judgement looks at)"""
        found = {split: self.examination.examined(state, split) for split in SPLITS}
        raw = {split: raw for split, (_, raw) in found.items() if raw is not None}
        kept = {split: raw[split].cpu().numpy() for split in judged_splits(raw)}
        return [
            (
                {split: values[row] for split, (values, _) in found.items() if values[row]},
                {split: values[row] for split, values in kept.items()},
            )
            for row in range(len(state.weights))
        ]

    def _spend(self, what: str, seconds: float, members: Sequence[Member] | None = None) -> None:
        """Each trial's share of the time."""
        members = self.members if members is None else members
        for member in members:
            member.outcome.seconds[what] += seconds / len(members)


def _recorded(stretch: Stretch) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    return stretch.losses, stretch.norms


def _side_by_side(states: Sequence[State]) -> State:
    """Weights and buffers of single trials, which may stand at different steps."""
    weights = torch.cat([state.weights for state in states])
    buffers = [torch.cat(parts) for parts in zip(*[state.buffers for state in states], strict=True)]
    return State(weights, buffers, [], torch.ones(len(states), dtype=torch.bool))


class _Teller:
    """The recorder of a whole stack: passes on how far it is."""

    def __init__(self, told: Told, training: StackTraining):
        self.told, self.training = told, training

    def stepped(self, step: int, steps: int, loss: Callable[[], float]) -> None:
        self.told(step, steps, len(self.training.alive))
