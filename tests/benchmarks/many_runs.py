"""How long `lossopt compare` and `lossopt plot --kind lr` take on a thousand runs, as a user waits for them.

    python -m tests.benchmarks.many_runs [--runs 1000] [--recipes 8] [--seeds 25] [--repeats 5] [--folder DIR]

Makes folders of 10 epochs and 1,000 steps (result.json, config.yaml, epochs.csv, steps.csv) and 20 that cannot be read,
and times fresh processes: the median and the slowest of the repeats, wall time."""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np

from tests.made_runs import LOSSES, OPTIMIZERS, made_run

EPOCHS, STEPS_PER_EPOCH = 10, 100
UNREADABLE = 20
WANTED = {"compare": 1.5, "plot --kind lr": 3.0}  # seconds of wall time on two cores


def make(folder: Path, runs: int, recipes: int, seeds: int) -> None:
    """`runs` folders of that many recipes, with as many learning rates as that leaves, and UNREADABLE half-written."""
    rates = max(runs // (recipes * seeds), 1)
    grid = 10.0 ** (np.arange(rates) / 2.0 - 3.0)
    kinds = list(product(OPTIMIZERS, LOSSES))
    generator = np.random.default_rng(0)
    for recipe in range(recipes):
        name, loss = kinds[recipe % len(kinds)]
        optimizer = {**OPTIMIZERS[name], "weight_decay": recipe // len(kinds) * 1e-3 or None}
        for place, rate in enumerate(grid.tolist()):
            away = abs(place - (rates - 1) / 2.0)
            for seed in range(seeds):
                made_run(
                    folder / f"{loss}+{name}-{recipe}-lr{rate:.3g}-s{seed}",
                    loss=loss,
                    optimizer=optimizer,
                    learning_rate=rate,
                    seed=seed,
                    test=0.95 - 0.02 * away - 0.002 * recipe + 0.01 * generator.normal(),
                    epochs=EPOCHS,
                    steps_per_epoch=STEPS_PER_EPOCH,
                )
    for number in range(UNREADABLE):
        broken = folder / f"broken-{number}"
        broken.mkdir()
        (broken / "result.json").write_text('{"schema_version": 1, "sta')
        (broken / "config.yaml").write_text("{}\n")


def timed(arguments: Sequence[str], repeats: int) -> list[float]:
    """Seconds of fresh processes, after one that fills the caches of the disk."""
    found = []
    for _ in range(repeats + 1):
        began_at = time.perf_counter()
        done = subprocess.run([sys.executable, "-m", "lossopt_cli", *arguments], capture_output=True, check=False)
        found.append(time.perf_counter() - began_at)
        if done.returncode:
            raise SystemExit(done.stderr.decode())
    return found[1:]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--runs", type=int, default=1000)
    options.add_argument("--recipes", type=int, default=8)
    options.add_argument("--seeds", type=int, default=25)
    options.add_argument("--repeats", type=int, default=5)
    options.add_argument(
        "--folder", type=Path, help="make the runs here, or find them made (a temporary one unless said)"
    )
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary) / "runs"
        if not folder.exists():
            make(folder, given.runs, given.recipes, given.seeds)
        print(f"{len(list(folder.iterdir())):,} folders, {given.recipes} recipes, {given.seeds} seeds")
        for command, wanted in WANTED.items():
            out = ["--out", str(Path(temporary) / "lr.png")] if "plot" in command else []
            seconds = timed([*command.split(), str(folder), *out], given.repeats)
            median, slowest = statistics.median(seconds), max(seconds)
            print(f"{command:<16}median {median:.2f} s   slowest {slowest:.2f} s   wanted {wanted:.1f} s")


if __name__ == "__main__":
    main()
