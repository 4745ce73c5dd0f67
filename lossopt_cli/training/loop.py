"""The loop: epochs of steps, evaluations between them, one read-back an evaluation. No files, no screens."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Protocol

import numpy as np
import torch

from lossopt_cli.data.problem import SPLITS
from lossopt_cli.training.examination import Examination
from lossopt_cli.training.feeding import Feed
from lossopt_cli.training.outcome import Evaluation, Outcome, Plan
from lossopt_cli.training.plain import PlainProgram
from lossopt_cli.training.program import Program
from lossopt_cli.training.randomness import seed_everything
from lossopt_cli.training.state import State
from lossopt_cli.training.stopping import Stopping
from lossopt_cli.training.targets import decoded

PROGRESS_SECONDS = 0.25


class Recorder(Protocol):
    """Who hears of a training as it goes."""

    def began(self, initial: Mapping[str, Mapping[str, float]]) -> None: ...

    def stepped(self, step: int, steps: int, loss: Callable[[], float]) -> None: ...

    def evaluated(self, evaluation: Evaluation) -> None: ...


class Observer(Protocol):
    """Who looks at more than what is recorded."""

    def began(self, state: State, initial: Mapping[str, Mapping[str, float]]) -> None: ...

    def evaluated(self, outcome: Outcome, stretch: "Stretch", raw: torch.Tensor | None) -> None:
        """After an evaluation, which is the outcome's last; raw: outputs on validation, None where there is none."""

    def moved(self, examination: Examination) -> None:
        """The second stage begins, in which this is what trains."""


def train(
    program: Program,
    examination: Examination,
    plan: Plan,
    recorder: Recorder,
    state: State,
    stopping: Stopping | None = None,
    observer: Observer | None = None,
) -> Outcome:
    """Trains the state in place to the end of the plan, from where it stands, or until it is asked to stop.

    A state saved between two steps of an epoch goes on with the next batch of it, to the same bytes as if it had never
    been saved; only the metrics of `train` at the first evaluation are of the batches since.

    A non-finite loss or weight ends it as a result, and so does an interruption between two steps; both are said in the
    outcome's status. Anything else is raised.
    """
    outcome, stopping = begin(examination, recorder, state, observer), stopping or Stopping()
    go_on(program, examination, plan, recorder, outcome, stopping, observer)
    conclude(examination, plan, outcome)
    return outcome


def begin(examination: Examination, recorder: Recorder, state: State, observer: Observer | None = None) -> Outcome:
    """The outcome before the first step, with what is measured then."""
    began_at = time.perf_counter()
    initial = {split: examination.measure(state, split) for split in SPLITS}  # train first: its loss is the start
    outcome = Outcome("done", state, state, {split: values for split, values in initial.items() if values})
    outcome.seconds["evaluate"] += time.perf_counter() - began_at
    recorder.began(outcome.initial)
    if observer is not None:
        began_at = time.perf_counter()
        observer.began(state, outcome.initial)
        outcome.seconds["evaluate"] += time.perf_counter() - began_at
    return outcome


def go_on(
    program: Program,
    examination: Examination,
    plan: Plan,
    recorder: Recorder,
    outcome: Outcome,
    stopping: Stopping,
    observer: Observer | None = None,
) -> None:
    """Trains the outcome's state in place, to the end of the plan or of its first stage; all of it is in the outcome,
    but for what `conclude` measures."""
    feed, state = examination.feeds["train"], outcome.trained
    _prepare(program, state, feed, plan)
    try:
        for stretch in stretches(program, feed, plan, recorder, state, stopping):
            raw = _evaluate(stretch, examination, plan, recorder, outcome)
            if observer is not None:
                began_at = time.perf_counter()
                observer.evaluated(outcome, stretch, raw)
                outcome.seconds["evaluate"] += time.perf_counter() - began_at
            if outcome.status != "done":
                break
    except KeyboardInterrupt as stop:
        outcome.status, outcome.stopped_by = "interrupted", stop
    outcome.state = program.finished(state)


def _prepare(program: Program, state: State, feed: Feed, plan: Plan) -> None:
    """Shows the program two batches of the common shape, so that it may record its step."""
    per_epoch = -(-len(feed) // plan.batch_size)
    steps = per_epoch * (plan.end - state.epoch) if len(feed) >= 2 * plan.batch_size else 0
    if not steps:
        return
    batches = feed.epoch(plan.seed, state.epoch, plan.batch_size)
    program.prepare(state, [next(batches), next(batches)], steps)


@dataclass
class Stretch:
    """The steps between two evaluations, still on the device."""

    losses: list[torch.Tensor] = field(default_factory=list)
    norms: list[torch.Tensor] = field(default_factory=list)
    outputs: list[torch.Tensor] = field(default_factory=list)
    order: list[torch.Tensor] = field(default_factory=list)
    first_step: int = 0
    epoch: float = 0.0
    seconds: float = 0.0


def stretches(
    program: Program, feed: Feed, plan: Plan, recorder: Recorder, state: State, stopping: Stopping
) -> Iterator[Stretch]:
    """Trains to the end of the plan or of its first stage, yielding at every evaluation point: the end of an epoch, or
    every `evaluate_every` steps and at the end.

    Asked to stop, it yields what it has and raises the cause.
    """
    per_epoch = -(-len(feed) // plan.batch_size)
    steps = per_epoch * plan.epochs
    stretch, began_at = Stretch(first_step=state.step), time.perf_counter()
    told_at = began_at
    for epoch in range(state.epoch, plan.end):
        seed_everything("epoch", plan.seed, epoch)  # for what draws from the global generators: code of the user's
        behind = state.step - epoch * per_epoch
        with program.session(state) as session:
            for inputs, targets in islice(feed.epoch(plan.seed, epoch, plan.batch_size), behind, None):
                if stopping.cause is not None:
                    stretch.epoch, stretch.seconds = state.step / per_epoch, time.perf_counter() - began_at
                    if stretch.losses:
                        yield stretch
                    raise stopping.cause
                if isinstance(program, PlainProgram):
                    seed_everything("step", plan.seed, state.step)  # its layers may draw from the global generators
                rate = plan.rates[state.step].tolist()  # a NumPy number divided by 0 is no error, but NaN
                step = session.step(inputs, targets, rate)
                stretch.losses.append(step.loss)
                stretch.norms.append(step.norm)
                stretch.outputs.append(step.outputs)
                stretch.order.append(targets)
                now = time.perf_counter()
                if now - told_at > PROGRESS_SECONDS:
                    recorder.stepped(state.step, steps, partial(float, stretch.losses[-1]))
                    told_at = now
                inner = plan.evaluate_every and state.step % plan.evaluate_every == 0
                if inner and state.step % per_epoch:
                    stretch.epoch, stretch.seconds = state.step / per_epoch, time.perf_counter() - began_at
                    yield stretch
                    stretch, began_at = Stretch(first_step=state.step), time.perf_counter()
        state.epoch = epoch + 1
        if not plan.evaluate_every or state.step % plan.evaluate_every == 0 or state.epoch == plan.end:
            stretch.epoch, stretch.seconds = float(state.epoch), time.perf_counter() - began_at
            yield stretch
            stretch, began_at = Stretch(first_step=state.step), time.perf_counter()


def _evaluate(
    stretch: Stretch, examination: Examination, plan: Plan, recorder: Recorder, outcome: Outcome
) -> torch.Tensor | None:
    """Reads back what the stretch recorded and measures validation; the raw outputs there. The outcome's status says
    whether the training goes on."""
    began_at = time.perf_counter()
    read = torch.stack([torch.stack(stretch.losses), torch.stack(stretch.norms)]).cpu().numpy()
    losses, norms = read.astype(np.float64)
    last, metrics, raw = stretch.first_step + len(losses), {}, None
    if finite(losses, norms, stretch.first_step, outcome):
        metrics = {"train": _seen(stretch, losses, examination)}
        outcome.state = examination.program.evaluated(outcome.trained)
        measured, raw = examination.examined(outcome.state, "validation")
        metrics |= {"validation": measured} if measured else {}
    spent = time.perf_counter() - began_at
    evaluation = Evaluation(
        stretch.epoch,
        last,
        losses,
        norms,
        np.asarray(plan.rates[stretch.first_step : last], dtype=np.float64),
        metrics,
        stretch.seconds,
        spent,
    )
    outcome.seconds["train"] += stretch.seconds
    outcome.seconds["evaluate"] += spent
    outcome.evaluations.append(evaluation)
    remember_best(evaluation, plan, outcome)
    recorder.evaluated(evaluation)
    return raw


def _seen(stretch: Stretch, losses: np.ndarray, examination: Examination) -> dict[str, float]:
    """Loss and metrics over the batches as they were seen, each at the weights of its own step, as `fit` has them."""
    encoded, raw = torch.cat(stretch.order), torch.cat(stretch.outputs)
    sizes = np.array([len(targets) for targets in stretch.order], dtype=np.float64)
    targets = decoded(examination.problem, examination.objective.fit, encoded.cpu().numpy())
    values = examination.score(raw, encoded, targets)
    return {**values, "loss": float((losses * sizes).sum() / sizes.sum())}


def finite(losses: np.ndarray, norms: np.ndarray, first_step: int, outcome: Outcome) -> bool:
    """False where a loss or the weights are not finite; the outcome then says at which step."""
    bad = np.flatnonzero(~np.isfinite(losses))
    if len(bad):
        at = int(bad[0])
    elif not bool(torch.isfinite(outcome.trained.weights).all()):
        broken = np.flatnonzero(~np.isfinite(norms))
        at = int(broken[0]) if len(broken) else len(losses) - 1
    else:
        return True
    outcome.status, outcome.diverged_at = "diverged", first_step + at + 1
    outcome.trained.alive[:] = False
    before = losses[:at][np.isfinite(losses[:at])]
    earlier = [e.losses[-1] for e in outcome.evaluations]
    outcome.last_finite = float(before[-1]) if len(before) else float(earlier[-1]) if earlier else None
    return False


def remember_best(evaluation: Evaluation, plan: Plan, outcome: Outcome) -> None:
    judged_on = "validation" if "validation" in evaluation.metrics else "train"
    value = evaluation.metrics.get(judged_on, {}).get(plan.metric)
    if value is None or not np.isfinite(value):
        return
    if outcome.best is not None:
        best = outcome.evaluations[outcome.best].metrics[judged_on][plan.metric]
        if not (value > best if plan.higher else value < best):
            return
    outcome.best = len(outcome.evaluations) - 1
    if plan.keep_best:
        outcome.kept = outcome.state.copy()


def conclude(examination: Examination, plan: Plan, outcome: Outcome) -> None:
    """Metrics of the last weights on every split, unless they diverged, and of the best ones where they were kept."""
    if not outcome.evaluations:
        return
    began_at = time.perf_counter()
    if outcome.status != "diverged":
        outcome.final, outcome.outputs = _all_splits(examination, outcome.state)
    if outcome.kept is not None:
        outcome.final_best, outcome.outputs = _all_splits(examination, outcome.kept)
    outcome.seconds["evaluate"] += time.perf_counter() - began_at


def _all_splits(examination: Examination, state: State) -> tuple[dict[str, dict[str, float]], dict[str, np.ndarray]]:
    """(metrics by split, raw outputs of what a judgement looks at)"""
    found = {split: examination.examined(state, split) for split in SPLITS}
    raw = {split: raw for split, (_, raw) in found.items() if raw is not None}
    kept = {split: raw[split].cpu().numpy() for split in judged_splits(raw)}
    return {split: values for split, (values, _) in found.items() if values}, kept


def judged_splits(splits: Collection[str]) -> list[str]:
    """Of the splits that are there: validation (train where there is none) and test."""
    return [split for split in ("validation" if "validation" in splits else "train", "test") if split in splits]
