"""How many trials are worth one stack: measured once for a kind of trial on a machine, and remembered.

The ways differ in speed by model, size and device, and in the last bits; so a sweep asks before it begins, writes the
answer down, and every trial of it takes that way.
"""

import contextlib
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
from lossopt_cli.runs.fingerprint import canonical
from lossopt_cli.runs.folder import written_whole
from lossopt_cli.training import devices
from lossopt_cli.training.grouping import stack_key
from lossopt_cli.training.running import Run, at_work
from lossopt_cli.training.stack_feeding import StackFeed
from lossopt_cli.training.stack_program import StackProgram
from lossopt_cli.training.tracing import Untraceable

WIDTHS = {"cpu": (4, 16, 64, 256)}
WIDTHS_ELSEWHERE = (16, 64, 256, 1024)
# A stack must save so much of a trial's time to be taken, and a wider one so much more.
WORTH_IT, WORTH_MORE = 0.9, 0.93
# A width is timed for so long, or for so many steps, and not at all when a step of it would take longer than this.
TIMED_SECONDS, TIMED_STEPS, LONGEST_STEP_SECONDS = 0.05, 20, 0.25
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
    """Microseconds of a trial-step, by width; 1 is the trial alone. Widths that memory does not hold are left out."""
    program, plan = run.examination.program, run.plan
    feed = run.examination.feeds["train"]
    widths = WIDTHS.get(run.device.type, WIDTHS_ELSEWHERE)
    batches = [batch for batch, _ in zip(feed.epoch(plan.seed, 0, plan.batch_size), range(2), strict=False)]
    with at_work(run):
        state = run.state.copy()
        program.prepare(state, batches, 1_000_000)
        with program.session(state) as session:
            found = {1: _timed(lambda: session.step(*batches[0], 0.0), run.device)}
        stack = StackProgram(program)
        for width in widths:
            if width * found[1] > 1e6 * LONGEST_STEP_SECONDS or width * _bytes(stack, run) > _room(run.device):
                break
            try:
                found[width] = _timed_stack(stack, run, StackFeed(feed, [plan.seed] * width)) / width
            except (Untraceable, RuntimeError, MemoryError) as reason:
                if not isinstance(reason, Untraceable) and not devices.is_out_of_memory(reason):
                    raise
                break
    return found


def _timed_stack(stack: StackProgram, run: Run, feed: StackFeed) -> float:
    width, plan = len(feed.seeds), run.plan
    batch = next(feed.epoch(plan.seed, 0, plan.batch_size))
    with stack.session(run.state.take([0] * width)) as session:
        return _timed(lambda: session.step(*batch, [0.0] * width), run.device)


def _timed(step: Callable[[], object], device: torch.device) -> float:
    """Microseconds of the fastest of a few calls, after one that is not counted."""
    step()
    began_at, spent = time.perf_counter(), []
    while len(spent) < 2 or (time.perf_counter() - began_at < TIMED_SECONDS and len(spent) < TIMED_STEPS):
        devices.wait(device)
        called_at = time.perf_counter()
        step()
        devices.wait(device)
        spent.append(time.perf_counter() - called_at)
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
    config = run.trial.config
    optimizer = {k: v for k, v in config.optimizer.model_dump().items() if k != "learning_rate"}
    kind = {
        "setting": run.trial.setting,
        "loss": config.loss.model_dump(),
        "optimizer": optimizer,
        "inputs": list(run.problem.train.inputs.shape[1:]),
        "device": devices.in_words(run.device, config.train.threads),
        "machine": [platform.machine(), platform.node(), os.cpu_count()],
        "versions": [__version__, *(version(name) for name in ("keras", "torch"))],
    }
    return canonical(kind)


def _cache() -> Path:
    import platformdirs

    return Path(platformdirs.user_cache_dir("lossopt", appauthor=False)) / "widths.json"


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
