"""Trial-steps a second of a stack, of one-at-a-time lossopt, Keras `fit` and a torch loop: one thread, interleaved.

    python -m tests.benchmarks.stacks [--cases abc] [--rounds 7] [--optimizers | --widths [--picture FILE]]

Prints Markdown tables. A ratio is the median of the ratios of each round, in which all train one after the other, so
that what else the machine does meets all of them alike. Of lossopt the validation of every epoch, the training metrics
and the recording of every loss and norm are in the figures; of the others they are not (`fit` has its accuracy).
Recording of graphs, once a stack, is not: it has a column of its own.
"""

import argparse
import os
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

os.environ["KERAS_BACKEND"] = "torch"

import numpy as np

from lossopt_cli.catalogue.optimizers import OPTIMIZERS
from tests.benchmarks.contenders import Case, Go, Nobody, fit, torch_loop
from tests.benchmarks.speed import machine, print_table


@dataclass(frozen=True)
class StackCase:
    """A case, and how many trials of it are trained together; validation: examples that every epoch ends with."""

    case: Case
    width: int
    validation: int


CASES = {
    "a": StackCase(Case("(a) MLP 64-64-64-10", "mlp", (64,), 32, 1280, 2, (64, 64)), 64, 360),
    "b": StackCase(Case("(b) minicnn, 8x8x1", "minicnn", (8, 8, 1), 32, 640, 1), 16, 180),
    "c": StackCase(Case("(c) minicnn, 32x32x3", "minicnn", (32, 32, 3), 32, 128, 1), 8, 32),
}
FUSED, PLAIN, FIT = "torch loop, fused Adam", "torch loop, Adam", "Keras fit"
STACK, ALONE = "stack", "one at a time"
WIDTHS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


def runs_of(stack: StackCase, optimizer: str, count: int) -> list:
    """Runs that differ in learning rate and seed."""
    from lossopt_cli.config.resolving import resolve
    from lossopt_cli.data.problem import ArrayInputs, ImageInputs, Problem, Split
    from lossopt_cli.training.building import UserParts
    from lossopt_cli.training.stacking import prepare_stack

    case = replace(stack.case, examples=stack.case.examples + stack.validation)
    inputs, labels = case.arrays()
    kind = ArrayInputs(case.shape) if len(case.shape) == 1 else ImageInputs(case.shape, 1.0 / 255.0)
    split = stack.case.examples
    train = Split(inputs[:split], labels[:split], np.arange(split))
    validation = Split(inputs[split:], labels[split:], np.arange(split, len(labels)))
    none = Split(inputs[:0], labels[:0], np.arange(0))
    problem = Problem(case.name, "multiclass", kind, train, validation, none, tuple("0123456789"))
    flags = {"data": "digits", "model": case.model, "optimizer": optimizer, "batch_size": case.batch_size}
    sets = ["train.threads=1", f"train.epochs={case.epochs}", f"model.hidden={list(case.hidden)}"]
    configs = [
        resolve(None, {}, {**flags, "seed": number % 8, "learning_rate": 1e-4 * 1.1 ** (number % 9)}, sets).config
        for number in range(count)
    ]
    return prepare_stack(configs, problem, UserParts())


class Together:
    """A stack of a case that trains again and again from the same start."""

    def __init__(self, stack: StackCase, optimizer: str, width: int):
        from lossopt_cli.training.stacking import together

        runs = runs_of(stack, optimizer, width)
        training = together(runs, [Nobody() for _ in runs])
        self.plans, self.examination, self.start = [run.plan for run in runs], training.examination, training.state
        self.steps = width * stack.case.epochs * -(-stack.case.examples // stack.case.batch_size)
        self.go()
        self.tracing_seconds = self.examination.program.tracing_seconds

    def go(self) -> tuple[int, float]:
        from lossopt_cli.training.stack_loop import StackTraining
        from lossopt_cli.training.stacking import nobody
        from lossopt_cli.training.stopping import Stopping

        recorders = [Nobody() for _ in self.plans]
        training = StackTraining(self.examination, self.plans, recorders, self.start.copy())
        outcomes = training.train(Stopping(), nobody)
        spent = [e.train_seconds + e.evaluate_seconds for outcome in outcomes for e in outcome.evaluations]
        return self.steps, sum(spent)


class Alone:
    """The same trial, one at a time."""

    def __init__(self, stack: StackCase, optimizer: str):
        (self.run,) = runs_of(stack, optimizer, 1)
        self.steps = stack.case.epochs * -(-stack.case.examples // stack.case.batch_size)
        feed = self.run.examination.feeds["train"]
        batches = feed.epoch(0, 0, stack.case.batch_size)
        program = self.run.examination.program
        program.prepare(self.run.state, [next(batches), next(batches)], 1_000_000)
        program.prepare = lambda *args: None
        self.go()

    def go(self) -> tuple[int, float]:
        from lossopt_cli.training.loop import train

        run = self.run
        outcome = train(run.examination.program, run.examination, run.plan, Nobody(), run.state.copy())
        return self.steps, sum(e.train_seconds + e.evaluate_seconds for e in outcome.evaluations)


def in_steps(go: Go, batch_size: int) -> Go:
    """Of a contender that counts examples."""

    def steps() -> tuple[int, float]:
        examples, seconds = go()
        return examples // batch_size, seconds

    return steps


def timed(gos: Mapping[str, Go], rounds: int) -> dict[str, list[float]]:
    """Microseconds a trial-step of each, by round. Each begins a round in its turn."""
    for go in gos.values():
        go()
    spent: dict[str, list[float]] = {name: [] for name in gos}
    names = list(gos)
    for number in range(rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            steps, seconds = gos[name]()
            spent[name].append(1e6 * seconds / steps)
    return spent


def times(spent: Mapping[str, list[float]], ours: str, theirs: str) -> str:
    """How many times as fast `ours` is, by the median round."""
    return f"{statistics.median(b / a for a, b in zip(spent[ours], spent[theirs], strict=True)):.2f}"


def compare(letters: str, rounds: int) -> None:
    print(f"Microseconds a trial-step, Adam, batch 32, one thread, median of {rounds} interleaved rounds:\n")
    rows = []
    for letter in letters:
        stack = CASES[letter]
        case = stack.case
        together = Together(stack, "adam", stack.width)
        gos = {STACK: together.go, ALONE: Alone(stack, "adam").go}
        gos |= {PLAIN: in_steps(torch_loop(case, False), case.batch_size)}
        gos |= {FUSED: in_steps(torch_loop(case, True), case.batch_size)}
        gos |= {FIT: in_steps(fit(case, "adam"), case.batch_size)}
        spent = timed(gos, rounds)
        medians = [f"{statistics.median(spent[name]):,.0f}" for name in gos]
        ratios = [times(spent, STACK, other) for other in (ALONE, FUSED, FIT)]
        rows.append([f"{case.name}, {stack.width} trials", *medians, *ratios, f"{together.tracing_seconds:.2f}"])
    header = ["", *(STACK, ALONE, PLAIN, FUSED, FIT), "stack / one at a time", "stack / fused loop", "stack / fit"]
    print_table([*header, "s to record"], rows)


def compare_optimizers(rounds: int) -> None:
    stack = CASES["a"]
    print(f"{stack.case.name}, {stack.width} trials, every optimizer, microseconds a trial-step, {rounds} rounds:\n")
    rows = []
    for name in dict.fromkeys(row.name for row in OPTIMIZERS if not row.preset):
        gos = {STACK: Together(stack, name, stack.width).go, ALONE: Alone(stack, name).go}
        gos |= {FIT: in_steps(fit(stack.case, name), stack.case.batch_size)}
        spent = timed(gos, rounds)
        medians = [f"{statistics.median(spent[who]):,.0f}" for who in gos]
        rows.append([name, *medians, times(spent, STACK, ALONE), times(spent, STACK, FIT)])
    print_table(["optimizer", STACK, ALONE, FIT, "stack / one at a time", "stack / fit"], rows)


def products(case: Case) -> list[tuple[int, int, int]]:
    """(rows, inner, columns) of the product of each layer; a convolution is that of its columns and kernels."""
    found, features = [], case.shape[0]
    if case.model != "mlp":
        height, width, channels = case.shape
        for number, filters in enumerate((32, 64)):
            places = (height >> number) * (width >> number)
            found.append((case.batch_size * places, 9 * channels, filters))
            channels = filters
        features = channels * (height // 4) * (width // 4)
    for units in (*case.hidden, 10):
        found.append((case.batch_size, features, units))
        features = units
    return found


def limits(case: Case, width: int) -> tuple[float, float]:
    """Microseconds of a trial-step of Adam by arithmetic alone, and by bandwidth alone, on this machine, now.

    Arithmetic: the products there and back (two thirds of that for the first layer, whose inputs need no slope) at the
    rate of a product of 512 x 512. Bandwidth: 12 passes over the weights (4 reads and 3 writes of the update, 2 reads
    and a write of the step, a copy and a norm of the gradient) at the rate of copying as many weights as the stack has.
    """
    import torch

    shapes = products(case)
    multiplied = 6 * sum(rows * inner * columns for rows, inner, columns in shapes) - 2 * np.prod(shapes[0])
    weights = sum(inner * columns + columns for _, inner, columns in shapes)
    square, large = torch.ones(512, 512), torch.ones(width * weights)
    other = torch.empty_like(large)
    a_product, a_copy = fastest(lambda: square @ square), fastest(lambda: other.copy_(large))
    return float(multiplied) / (2 * 512**3) * a_product, 12 * weights / (2 * large.numel()) * a_copy


def fastest(call, times: int = 9) -> float:
    """Microseconds of the fastest of a few calls."""
    spent = []
    for _ in range(times):
        began_at = time.perf_counter()
        call()
        spent.append(1e6 * (time.perf_counter() - began_at))
    return min(spent)


def widths(letters: str, rounds: int, picture: str | None) -> None:
    """As wide as four times the width of the case."""
    print(f"Microseconds a trial-step by the width of the stack, Adam, median of {rounds} interleaved rounds:\n")
    rows, curves = [], {}
    for letter in letters:
        stack = CASES[letter]
        sizes = [width for width in WIDTHS if width <= 4 * stack.width]
        spent = timed({str(width): Together(stack, "adam", width).go for width in sizes}, rounds)
        medians = [statistics.median(values) for values in spent.values()]
        arithmetic, bandwidth = limits(stack.case, stack.width)
        cells = [f"{value:,.0f}" for value in medians] + [""] * (len(WIDTHS) - len(sizes))
        rows.append([stack.case.name, *cells, f"{arithmetic:,.0f}", f"{bandwidth:,.0f}"])
        curves[stack.case.name] = sizes, medians, arithmetic, bandwidth
    print_table(["", *map(str, WIDTHS), "arithmetic", "bandwidth"], rows)
    if picture:
        draw(curves, picture)


def draw(curves: Mapping, picture: str) -> None:
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(curves), figsize=(5 * len(curves), 4), squeeze=False)
    for axis, (name, (sizes, medians, arithmetic, bandwidth)) in zip(axes[0], curves.items(), strict=True):
        axis.plot(sizes, medians, "o-", label="stack")
        axis.axhline(arithmetic, linestyle="--", color="C1", label="arithmetic alone")
        axis.axhline(bandwidth, linestyle=":", color="C2", label="memory alone")
        axis.set(title=name, xlabel="trials in the stack", ylabel="µs a trial-step", xscale="log", yscale="log")
        axis.set_xticks(sizes, [str(size) for size in sizes])
        axis.legend()
    figure.tight_layout()
    figure.savefig(picture, dpi=120)
    print(picture)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--cases", default="abc")
    parser.add_argument("--optimizers", action="store_true", help="every optimizer on case (a)")
    parser.add_argument("--widths", action="store_true", help="widths of 1 to 256 on the cases")
    parser.add_argument("--picture", help="with --widths: a PNG file for the curves")
    given = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    print(machine(), "\n")
    began_at = time.perf_counter()
    if given.widths:
        widths(given.cases, given.rounds, given.picture)
    elif given.optimizers:
        compare_optimizers(given.rounds)
    else:
        compare(given.cases, given.rounds)
    print(f"{time.perf_counter() - began_at:.0f} s in all.")


if __name__ == "__main__":
    main()
