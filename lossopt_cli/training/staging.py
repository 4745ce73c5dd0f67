"""A training in one stage or in two: on a frozen backbone first, and then with the top of it.

The second stage goes on from the weights of the first. Its optimizer starts afresh, at a learning rate of its own.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from lossopt_cli.training import loop
from lossopt_cli.training.outcome import Outcome
from lossopt_cli.training.state import State
from lossopt_cli.training.stopping import Stopping
from lossopt_cli.training.transfer.backbone import places_of_head

if TYPE_CHECKING:
    from lossopt_cli.training.running import Run


def train(
    run: "Run",
    recorder: loop.Recorder,
    stopping: Stopping | None = None,
    observer: loop.Observer | None = None,
) -> Outcome:
    """What `loop.train` gives for the run, through both of its stages where it has two; `stage` says in which one it
    ended. Of two stages the outcome is one: its evaluations and losses go on, and the best may be of either."""
    first, second, stopping = run.examination, run.second, stopping or Stopping()
    if second is None:
        return loop.train(first.program, first, run.plan, recorder, run.state, stopping, observer)
    outcome = loop.begin(first, recorder, run.state, observer)
    loop.go_on(first.program, first, run.plan, recorder, outcome, stopping, observer)
    if outcome.status != "done":
        loop.conclude(first, run.plan, outcome)
        return outcome
    plan, then = replace(run.plan, until=None), second.examination
    outcome.trained = outcome.state = grown(run, outcome.state)
    outcome.kept = grown(run, outcome.kept) if outcome.kept is not None else None
    outcome.stage = 2
    then.program.tracing_seconds += first.program.tracing_seconds
    if observer is not None:
        observer.moved(then)
    loop.go_on(then.program, then, plan, recorder, outcome, stopping, observer)
    loop.conclude(then, plan, outcome)
    return outcome


def grown(run: "Run", state: State) -> State:
    """The state of the first stage as the second begins: the same head on the same backbone, the optimizer afresh."""
    first, second = run.built, run.second.built
    start = run.second.examination.program.start()
    head = len(first.layout.shapes)
    with torch.no_grad():
        views = second.layout.views(start.weights[0])[-head:]
        for view, value in zip(views, first.layout.views(state.weights[0]), strict=True):
            view.copy_(value)
        places = zip(places_of_head(second.model), places_of_head(first.model), strict=True)
        for place, own in places:
            start.buffers[place].copy_(state.buffers[own])
    return replace(start, epoch=state.epoch, step=state.step)
