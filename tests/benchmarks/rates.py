"""How good the learning rates are that a sweep finds, beside the best of a fine grid with many seeds.

    lossopt sweep --opt sgd,momentum,rmsprop,adam --lr sgd=0.0316..3.16:17 --lr momentum=0.00316..0.316:17 \\
        --lr adam=0.001..0.1:17 --lr rmsprop=0.000316..0.0316:17 --seed 1000..1023 --name fine -q
    python -m tests.benchmarks.rates logs/fine

An eighth of a decade a step, 24 seeds: what rates are worth on validation, nearly. From these trials seeds are drawn
anew, 2,000 times, and each way of choosing chooses with them: by three seeds at half decades; the best two of these
with five more; and as `lossopt_cli.sweeps.rates` does it, finer rates beside the best and then the best two with five
more. What counts is how often that comes within one standard error (of eight seeds) of the best of the grid.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from lossopt_cli.runs.records import Record, read_records
from lossopt_cli.sweeps.rates import FINAL_SEEDS, FINALISTS, TUNING_SEEDS

DRAWS, REPORT_SEEDS = 2_000, 8
HALF, QUARTER = 4, 2  # places of the fine grid

Way = Callable[[np.ndarray], int]


def by_half_decades(values: np.ndarray) -> int:
    """The place of the best mean of TUNING_SEEDS; values: [rates, seeds]."""
    return _best(values, range(0, len(values), HALF), TUNING_SEEDS)[0]


def with_finals(values: np.ndarray) -> int:
    """The best of FINALISTS half decades by further seeds."""
    finalists = _best(values, range(0, len(values), HALF), TUNING_SEEDS)[:FINALISTS]
    return _best(values, finalists, TUNING_SEEDS + FINAL_SEEDS)[0]


def with_finer_rates(values: np.ndarray) -> int:
    """The same with the quarters beside the best half decade among those that may come to the finals."""
    half = list(range(0, len(values), HALF))
    best = by_half_decades(values)
    finer = [place for place in (best - QUARTER, best + QUARTER) if 0 <= place < len(values)]
    finalists = _best(values, [*half, *finer], TUNING_SEEDS)[:FINALISTS]
    return _best(values, finalists, TUNING_SEEDS + FINAL_SEEDS)[0]


WAYS: dict[str, Way] = {"half decades": by_half_decades, "with finals": with_finals, "finer": with_finer_rates}


def _best(values: np.ndarray, places: Sequence[int], seeds: int) -> list[int]:
    """The places, the best mean of the first seeds first."""
    return sorted(places, key=lambda place: -values[place, :seeds].mean())


def scores_of(records: Sequence[Record]) -> dict[str, np.ndarray]:
    """Validation accuracy [rates, seeds] of every optimizer; a lost trial scores what it had at the start."""
    found: dict[str, dict[float, dict[int, float]]] = {}
    for record in records:
        optimizer = record.result["optimizer"]
        name = f"{optimizer['name']} {optimizer.get('momentum') or ''}".strip()
        by_seed = found.setdefault(name, {}).setdefault(record.learning_rate, {})
        by_seed[record.seed] = record.score("accuracy", "validation")
    return {
        name: np.array([[rates[rate][seed] for seed in sorted(rates[rate])] for rate in sorted(rates)])
        for name, rates in found.items()
    }


def judged(values: np.ndarray, way: Way, generator: np.random.Generator) -> tuple[float, float]:
    """(what is lost to the best of the grid, how often that is within one standard error of it)"""
    means = values.mean(axis=1)
    error = values[means.argmax()].std(ddof=1) / np.sqrt(REPORT_SEEDS)
    drawn = generator.integers(0, values.shape[1], (DRAWS, values.shape[1]))
    lost = means.max() - means[[way(values[:, seeds]) for seeds in drawn]]
    return float(lost.mean()), float((lost <= error).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    scores = scores_of(read_records([parser.parse_args().folder])[0])
    print(f"{'':14}{''.join(f'{way:>24}' for way in WAYS)}")
    every = []
    for name, values in scores.items():
        found = [judged(values, way, np.random.default_rng(0)) for way in WAYS.values()]
        every.append([within for _, within in found])
        told = [f"-{lost:.4f}, {within:.0%} within" for lost, within in found]
        print(f"{name:14}{''.join(f'{text:>24}' for text in told)}")
    print(f"{'all':14}{''.join(f'{within:>17.0%} within' for within in np.mean(every, axis=0))}")


if __name__ == "__main__":
    main()
