"""Many trials of one setting for the price of a few: prepared together, trained as stacks, each with an outcome."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from lossopt_cli.config.schema import Config
from lossopt_cli.data.problem import Problem
from lossopt_cli.data.trial import Trial
from lossopt_cli.training import keeping, running, staging
from lossopt_cli.training.building import UserParts, network
from lossopt_cli.training.grouping import stack_key
from lossopt_cli.training.loop import Outcome, Recorder
from lossopt_cli.training.own_updates import is_one_update
from lossopt_cli.training.planning import plan_of
from lossopt_cli.training.running import Run
from lossopt_cli.training.stack_examination import StackExamination
from lossopt_cli.training.stack_feeding import StackFeed
from lossopt_cli.training.stack_loop import StackTraining, Told
from lossopt_cli.training.stack_program import stack_of
from lossopt_cli.training.state import State
from lossopt_cli.training.stopping import Stopping
from lossopt_cli.training.tracing import Untraceable
from lossopt_cli.training.transfer.features import unheard


def prepare_stack(
    configs: Sequence[Config], problem: Problem, user: UserParts, announce: Callable[[str], None] = unheard
) -> list[Run]:
    """A run for each config, as `running.prepare` gives it, for little more than the price of one.

    Model, objective, rule and examination are those of the first; trial, plan, learning rate and initial state are its
    own. Configs that cannot be trained together are prepared one by one.
    """
    first = running.prepare(configs[0], problem, user, announce=announce)
    key = stack_key(configs[0])
    alike = key is not None and not first.plain and all(stack_key(config) == key for config in configs)
    if not alike or not _moves_as_alone(first, configs):
        return [first, *(running.prepare(config, problem, user) for config in configs[1:])]
    measured = first.examination.measured(first.state)
    starts = {configs[0].train.seed: (first.state, first.initial_outputs)}
    code = {obj.reference: obj.fingerprint for obj in user.objects.values()}
    runs = [first]
    for config in configs[1:]:
        began_at = time.perf_counter()
        if config.train.seed not in starts:
            state = _start(first, config)
            starts[config.train.seed] = state, first.examination.first_outputs(state)
        state, outputs = starts[config.train.seed]
        rate = config.optimizer.settings.get("learning_rate")
        built = first.built if rate is None else replace(first.built, learning_rate=float(rate))
        runs.append(
            replace(
                first,
                trial=Trial.of(keeping.filled(config, built.settings), problem, code),
                built=built,
                plan=plan_of(config, problem, built, measured),
                state=state.copy(),
                initial_outputs=outputs,
                build_seconds=time.perf_counter() - began_at,
                pass_seconds=0.0,
            )
        )
    return runs


def _moves_as_alone(first: Run, configs: Sequence[Config]) -> bool:
    """Whether the rule of the first run is that of all of them: of the catalogue it is."""
    if first.built.user["optimizer"] is None or len(configs) == 1:
        return True
    rates = [config.optimizer.settings.get("learning_rate") for config in configs]
    other = next((config for config, rate in zip(configs, rates, strict=True) if rate != rates[0]), configs[-1])
    if is_one_update(first, other):
        return True
    first.examination.program.notes.append("not stacked: this optimizer may move a trial otherwise than it does alone")
    return False


def _start(first: Run, config: Config) -> State:
    """The state before the first step of a trial that differs from the first one in its seed."""
    program = first.examination.program
    with running.at_work(first):
        model = network(config, first.examination.problem, first.built.user).model
        return replace(program, model=model).start()


def train_stack(
    runs: Sequence[Run],
    recorders: Sequence[Recorder],
    *,
    stopping: Stopping | None = None,
    stepped: Told | None = None,
    width: int | None = None,
) -> list[Outcome]:
    """Trains runs of one stack key to the end of their plans; the outcome that `loop.train` gives for each, in order.

    recorders: one a run; only `stepped` hears how far they are. width: the most that are trained together; 1 trains
    each alone, and so does a single run where no width is given. A dense network has the same bits either way. One with
    convolutions has the same bits at every other width, a run that is left by itself included. What cannot be stacked
    is trained alone.
    """
    stopping, stepped, width = stopping or Stopping(), stepped or nobody, width or len(runs)
    outcomes: list[Outcome] = []
    for first in range(0, len(runs), width):
        some = slice(first, first + width)
        training = together(runs[some], recorders[some]) if width > 1 else None
        if training is not None:
            outcomes += training.train(stopping, stepped)
        else:
            alone = zip(runs[some], recorders[some], strict=True)
            outcomes += [_train_alone(run, recorder, stopping) for run, recorder in alone]
    return outcomes


def together(runs: Sequence[Run], recorders: Sequence[Recorder]) -> StackTraining | None:
    """The training of all these runs in one stack; None where they must go one at a time: a note then says why."""
    alone, plan = runs[0].examination.program, runs[0].plan
    if runs[0].plain or any(run.examination.program is not alone for run in runs):
        return None
    program = stack_of(alone)
    feed = StackFeed(runs[0].examination.feeds["train"], [run.plan.seed for run in runs])
    batches = feed.epoch(plan.seed, 0, plan.batch_size)
    try:
        state = _joined(runs)
        program.prepare(state, *next(batches))
    except Untraceable as reason:
        alone.notes.append(f"not stacked: {str(reason).splitlines()[0][:200]}")
        return None
    examination = StackExamination(runs[0].examination, program)
    return StackTraining(examination, [run.plan for run in runs], recorders, state)


def _train_alone(run: Run, recorder: Recorder, stopping: Stopping) -> Outcome:
    return staging.train(run, recorder, stopping)


def _joined(runs: Sequence[Run]) -> State:
    states = [run.state for run in runs]
    first = states[0]
    join = lambda lists: [torch.cat(parts) for parts in zip(*lists, strict=True)]  # noqa: E731
    return State(
        torch.cat([state.weights for state in states]),
        join([state.buffers for state in states]),
        join([state.slots for state in states]),
        torch.cat([state.alive for state in states]),
        first.epoch,
        first.step,
    )


def nobody(step: int, steps: int, alive: int) -> None:
    """The listener of a training that nobody watches."""
