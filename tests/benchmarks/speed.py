"""Examples a second of lossopt, Keras `fit` and a torch loop: one process, one thread, interleaved, medians.

    python -m tests.benchmarks.speed [--rounds 9] [--cases abc] [--optimizers] [--memory]

Prints Markdown tables. A ratio is the median of the ratios of each round, in which all train one after the other, so
that what else the machine does meets all of them alike. Tracing is not in the figures: it has a table of its own.
"""

import argparse
import os
import platform
import re
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"

from lossopt_cli.catalogue.optimizers import OPTIMIZERS
from tests.benchmarks.contenders import CASES, Case, Engine, Go, fit, torch_loop

FUSED = "torch loop, fused Adam"
ROWS: Mapping[str, tuple[str, str]] = {
    "a": ("a", "float32"),
    "b": ("b", "float32"),
    "c": ("c", "float32"),
    "d": ("c", "bfloat16"),
}
MAKERS: Mapping[str, Callable[[Case, str], Go]] = {
    "lossopt": lambda case, precision: Engine(case, "adam", precision).go,
    "Keras fit": lambda case, precision: fit(case, "adam", precision),
    "torch loop, Adam": lambda case, precision: torch_loop(case, False, precision=precision),
    FUSED: lambda case, precision: torch_loop(case, True, precision=precision),
    f"{FUSED}, channels_last": lambda case, precision: torch_loop(case, True, True, precision),
}


def timed(gos: Mapping[str, Go], rounds: int) -> dict[str, list[float]]:
    """Examples a second of each, by round. Each trains once before, and each begins a round in its turn."""
    for go in gos.values():
        go()
    rates: dict[str, list[float]] = {name: [] for name in gos}
    names = list(gos)
    for number in range(rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            examples, seconds = gos[name]()
            rates[name].append(examples / seconds)
    return rates


def ratio(rates: Mapping[str, list[float]], over: str) -> float:
    """How many times as fast as `over` lossopt is, by the median round."""
    return statistics.median(ours / theirs for ours, theirs in zip(rates["lossopt"], rates[over], strict=True))


def print_table(header: list[str], rows: list[list[str]]) -> None:
    print("|", " | ".join(header), "|")
    print("|" + " --- |" * len(header))
    for row in rows:
        print("|", " | ".join(row), "|")
    print(flush=True)


def compare(cases: str, rounds: int) -> None:
    """Adam on every case, examples a second, and lossopt over the others."""
    print(f"Examples a second, Adam, one thread, median of {rounds} interleaved rounds:\n")
    rows, tracing = [], []
    for letter in cases:
        key, precision = ROWS[letter]
        case = CASES[key]
        label = case.name + (", bfloat16" if precision == "bfloat16" else "")
        engine = Engine(case, "adam", precision)
        others = {name: make(case, precision) for name, make in MAKERS.items() if name != "lossopt"}
        rates = timed({"lossopt": engine.go, **others}, rounds)
        row = [label, *(f"{statistics.median(rates[name]):,.0f}" for name in MAKERS)]
        rows.append([*row, f"{ratio(rates, 'Keras fit'):.1f}", f"{ratio(rates, FUSED):.2f}"])
        tracing.append([label, f"{engine.tracing_seconds:.2f}"])
    print_table(["", *MAKERS, "lossopt / fit", "lossopt / fused loop"], rows)
    print_table(["", "seconds to trace the step, once a run"], tracing)


def compare_optimizers(rounds: int) -> None:
    """Every optimizer of the catalogue on case (a) against `fit`."""
    print(f"{CASES['a'].name}, every optimizer, examples a second, median of {rounds} interleaved rounds:\n")
    rows = []
    for name in dict.fromkeys(row.name for row in OPTIMIZERS if not row.preset):
        engine = Engine(CASES["a"], name, "float32")
        rates = timed({"lossopt": engine.go, "Keras fit": fit(CASES["a"], name)}, rounds)
        medians = [f"{statistics.median(rates[who]):,.0f}" for who in rates]
        rows.append([name, engine.program.rule.name, *medians, f"{ratio(rates, 'Keras fit'):.1f}"])
    print_table(["optimizer", "update", "lossopt", "Keras fit", "lossopt / fit"], rows)


def peak_megabytes(letter: str, contender: str) -> int:
    """Peak resident memory of a process that does nothing but this, imports included."""
    command = [sys.executable, "-m", "tests.benchmarks.speed", "--peak", letter, contender]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    return int(done.stdout.split()[-1])


def print_peak(letter: str, contender: str) -> None:
    key, precision = ROWS[letter]
    MAKERS[contender](CASES[key], precision)()
    # Not ru_maxrss, which a process inherits from the one that started it.
    status = Path("/proc/self/status").read_text()
    print(int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) // 1024)


def machine() -> str:
    cpu = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    flags = Path("/proc/cpuinfo").read_text()
    units = ", AMX" if " amx_bf16" in flags else ", no AMX" if " avx512" in flags else ""
    names = ", ".join(f"{name} {version(name)}" for name in ("keras", "torch", "numpy"))
    return f"{cpu}{units}, {os.cpu_count()} cores, Python {platform.python_version()}, {names}."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="0: the other tables only")
    parser.add_argument("--cases", default="abcd", help="of a, b, c, and d (c in bfloat16)")
    parser.add_argument("--optimizers", action="store_true", help="every optimizer against fit")
    parser.add_argument("--memory", action="store_true", help="peak memory, a process each")
    parser.add_argument("--peak", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.peak:
        print_peak(*given.peak)
        return
    import torch

    torch.set_num_threads(1)
    print(machine(), "\n")
    if given.rounds:
        compare(given.cases, given.rounds)
    if given.optimizers:
        compare_optimizers(given.rounds or 5)
    if given.memory:
        print("Peak resident memory, MB, a process each, imports included:\n")
        rows = [
            [f"({ROWS[c][0]}) {ROWS[c][1]}", *(str(peak_megabytes(c, name)) for name in MAKERS)] for c in given.cases
        ]
        print_table(["", *MAKERS], rows)


if __name__ == "__main__":
    main()
