"""How many trials are worth one stack: measured once for a kind of trial on a machine, and remembered.

The ways differ in speed by model, size and device, and in the last bits; so a sweep asks before it begins, writes the
answer down, and every trial of it takes that way.
"""

import contextlib
import itertools
import json
import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import torch

from lossopt_cli import __version__
from lossopt_cli.data.cache import cache_folder
from lossopt_cli.runs.fingerprint import canonical
from lossopt_cli.runs.folder import written_whole
from lossopt_cli.training import devices
from lossopt_cli.training.grouping import stack_key
from lossopt_cli.training.running import Run, at_work
from lossopt_cli.training.stack_feeding import StackFeed
from lossopt_cli.training.stack_program import StackProgram, stack_of
from lossopt_cli.training.tracing import Untraceable

WIDTHS = {"cpu": (4, 16, 64, 256)}
WIDTHS_ELSEWHERE = (16, 64, 256, 1024)
# A stack must save so much of a trial's time to be taken, and a wider one so much more.
WORTH_IT, WORTH_MORE = 0.9, 0.93
# In a turn a width is timed for so long, or for so many steps, and not at all when a step of it would take longer than
# this. No turn begins when so much has been spent.
TIMED_SECONDS, TIMED_STEPS, LONGEST_STEP_SECONDS = 0.02, 10, 0.25
TURNS, TURNS_SECONDS = 3, 1.0
# Of the memory that is free, for one stack: other processes train beside it.
SHARE_OF_MEMORY = 0.2


@dataclass(frozen=True)
class Choice:
    """width: the most trials to train together, 1 for one at a time. microseconds: of a trial-step, by width."""

    width: int
    microseconds: Mapping[int, float]


def choice(run: Run, remembered: Path | None = None) -> Choice:
    """The width for trials of this kind on this machine, from what is remembered or measured in about a second. Engine
    `stack` takes a stack where there can be one, `single` none.

    remembered: a JSON file; the user's cache unless said.
    """
    if stack_key(run.trial.config) is None or run.plain:
        return Choice(1, {})
    path, key = remembered or _cache(), _kind(run)
    known = _read(path)
    if key not in known:
        known = {**_read(path), key: {str(width): spent for width, spent in measured(run).items()}}
        _write(path, known)
    spent = {int(width): microseconds for width, microseconds in known[key].items()}
    stacks = {width: microseconds for width, microseconds in spent.items() if width > 1}
    must = run.trial.config.train.engine == "stack" and stacks
    return Choice(chosen(stacks if must else spent), spent)


def chosen(microseconds: Mapping[int, float]) -> int:
    """The narrowest width beside which a wider one is hardly faster; 1, the trial alone, where no stack is faster."""
    best = min(microseconds)
    for width, spent in sorted(microseconds.items()):
        if spent < (WORTH_IT if best == 1 else WORTH_MORE) * microseconds[best]:
            best = width
    return best


def measured(run: Run) -> dict[int, float]:
    """Microseconds of a trial-step, by width; 1 is the trial alone. Widths that memory does not hold are left out.

    The widths take turns, and each counts with the fastest of its turns, so that what else the machine does meanwhile
    is not taken for the price of a width."""
    began_at = time.perf_counter()
    with at_work(run):
        found = _first_turns(run)
        for _ in range(TURNS - 1):
            if time.perf_counter() - began_at > TURNS_SECONDS:
                break
            for width in found:
                found[width] = min(found[width], _turn(run, width))
    return found


def _first_turns(run: Run) -> dict[int, float]:
    """As `measured`, of one turn each, after which it is known which widths there are."""
    program, plan, feed = run.examination.program, run.plan, run.examination.feeds["train"]
    if len(feed) >= 2 * plan.batch_size:  # where an epoch has no two batches of one shape, training records no step
        epoch = feed.epoch(plan.seed, 0, plan.batch_size)
        program.prepare(run.state.copy(), list(itertools.islice(epoch, 2)), 1_000_000)
    found = {1: _turn(run, 1)}
    for width in WIDTHS.get(run.device.type, WIDTHS_ELSEWHERE):
        if width * found[1] > 1e6 * LONGEST_STEP_SECONDS:
            break
        try:
            if width * _bytes(stack_of(program), run) > _room(run.device):
                break
            found[width] = _turn(run, width)
        except (Untraceable, RuntimeError, MemoryError) as reason:
            if not isinstance(reason, Untraceable) and not devices.is_out_of_memory(reason):
                raise
            break
    return found


def _turn(run: Run, width: int) -> float:
    """Microseconds of a trial-step at this width, timed for a moment."""
    program, plan, feed = run.examination.program, run.plan, run.examination.feeds["train"]
    if width == 1:
        batch = next(feed.epoch(plan.seed, 0, plan.batch_size))
        with program.session(run.state.copy()) as session:
            return _timed(lambda: session.step(*batch, 0.0), run)
    batch = next(StackFeed(feed, [plan.seed] * width).epoch(plan.seed, 0, plan.batch_size))
    with stack_of(program).session(run.state.take([0] * width)) as session:
        return _timed(lambda: session.step(*batch, [0.0] * width), run) / width


def _timed(step: Callable[[], object], run: Run) -> float:
    """Microseconds of the fastest of a few calls, after one that is not counted.

    Of one thread of the CPU its own time counts, which waits for no other process."""
    alone = run.device.type == "cpu" and torch.get_num_threads() == 1
    clock = time.thread_time if alone else time.perf_counter
    step()
    began_at, spent = time.perf_counter(), []
    while len(spent) < 2 or (time.perf_counter() - began_at < TIMED_SECONDS and len(spent) < TIMED_STEPS):
        devices.wait(run.device)
        called_at = clock()
        step()
        devices.wait(run.device)
        spent.append(clock() - called_at)
    return 1e6 * min(spent)


def _bytes(stack: StackProgram, run: Run) -> int:
    """What a trial of a stack takes, from above: weights, slots, all that a step makes, and an epoch's outputs."""
    tensors = [run.state.weights, *run.state.buffers, *run.state.slots]
    outputs = len(run.problem.train) * run.built.objective.units * 4
    return 3 * sum(t.numel() * t.element_size() for t in tensors) + 4 * outputs + stack.bytes_of_one


def _room(device: torch.device) -> float:
    if device.type == "cuda":
        return SHARE_OF_MEMORY * torch.cuda.mem_get_info(device)[0]
    lines = Path("/proc/meminfo").read_text().splitlines() if Path("/proc/meminfo").exists() else []
    free = next((1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable")), 4 << 30)
    return SHARE_OF_MEMORY * free


def _kind(run: Run) -> str:
    """What the time of a step depends on, as one line."""
    config, user = run.trial.config, run.built.user
    loss, optimizer = config.loss.model_dump(), config.optimizer.model_dump()
    kind = {
        "setting": run.trial.setting,
        "loss": loss | ({} if user["loss"] is None else {"name": user["loss"].fingerprint}),
        "optimizer": {key: value for key, value in optimizer.items() if key != "learning_rate"},
        "inputs": list(run.problem.train.inputs.shape[1:]),
        "device": devices.in_words(run.device, config.train.threads),
        "machine": [platform.machine(), platform.node(), os.cpu_count()],
        "versions": [__version__, *(version(name) for name in ("keras", "torch"))],
    }
    return canonical(kind)


def _cache() -> Path:
    return cache_folder() / "widths.json"


def _read(path: Path) -> dict[str, dict[str, float]]:
    """What is remembered; nothing where the file is not there or is not whole."""
    try:
        return json.loads(path.read_text())
    except (OSError, json.JSONDecodeError):
        return {}


def _write(path: Path, known: Mapping[str, Mapping[str, float]]) -> None:
    """Whole, so that a process that reads meanwhile sees the old one. Where it cannot be written, nothing is kept."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as temporary:
            temporary.write_text(json.dumps(known, indent=1) + "\n")
