"""Comparisons made by hand, for what renders them: every number is given, none is worked out."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from lossopt_cli.analysis.comparison import Arm, Comparison, Difference, Interval, Protocol, RecipeResult

INFINITE = float("inf")


def arm(rate: float, scores: tuple[float, ...], times: tuple[float, ...] | None = None, lost: int = 0) -> Arm:
    """Seeds 0, 1, ...; the last `lost` of them are lost."""
    n = len(scores)
    return Arm(
        learning_rate=rate,
        seeds=tuple(range(n)),
        scores=scores,
        chosen_by=scores,
        lost=tuple(place >= n - lost for place in range(n)),
        initial=(0.1,) * n,
        times=times or (3.0,) * n,
        relapses=(0.04,) * n,
        folders=tuple(Path(f"logs/ex/run{place}") for place in range(n)),
    )


def recipe(name: str, rate: float, mean: float, standing: str, worse_by: tuple = (), **changes: Any) -> RecipeResult:
    """A recipe of eight seeds spread around `mean`, worse than the best by (value, low, high)."""
    n = changes.pop("n", 8)
    scores = tuple(mean + 0.004 * (place - (n - 1) / 2) / max(n - 1, 1) for place in range(n))
    times = changes.pop("times", (3.0,) * n)
    lost = changes.get("lost", 0)
    best = changes.pop("best", "adam")
    found = difference(name, best, worse_by, n=n, **changes.pop("pair", {})) if worse_by else None
    chosen = arm(rate, scores, times, lost)
    rates = changes.pop("rates", (rate / 10, rate, rate * 10))
    arms = tuple(chosen if tried == rate else replace(chosen, learning_rate=tried) for tried in rates)
    values: dict[str, Any] = {
        "name": name, "loss": "cross_entropy", "optimizer": name, "schedule": None, "setting": {}, "setting_hash": "s",
        "arms": arms, "tuning": (), "chosen": rates.index(rate), "default_rate": 0.001,
        "mean": Interval(mean, mean - 0.003, mean + 0.003, n) if n > 1 else Interval(mean, None, None, 1),
        "worst": min(scores), "interquartile_mean": mean, "lost": 0, "standing": standing, "rank": 1, "edge": None,
        "difference_to_best": found, "difference_to_baseline": None,
        "time_to_target_epochs": 3.0, "time_to_target_steps": 120.0, "reached": n, "area": 0.8,
        "room": 3.0, "safe_window_decades": 1.0, "sensitivity": 0.2, "at_default": 0.9, "relapse": 0.04,
        "worst_relapse": 0.06, "oscillates": False, "best_of_k": {1: 0.6, 5: 0.93, 25: mean}, "seconds": 1.25,
    }  # fmt: skip
    return RecipeResult(**values | changes)


def difference(a: str, b: str, worse_by: tuple, n: int = 8, **changes: Any) -> Difference:
    """a is worse than b by (value, low, high); low and high may be None."""
    value, low, high = worse_by
    values: dict[str, Any] = {
        "a": a, "b": b, "n": n, "value": -value,
        "low": None if high is None else -high, "high": None if low is None else -low,
        "confidence": 0.9917, "different": low is not None and low > 0.0, "claimable": n >= 4,
        "p_sign_flip": 0.0078, "p_smallest": 0.0078, "p_holm": 0.047, "probability_of_improvement": 0.1,
        "seeds_needed": 45,
    }  # fmt: skip
    return Difference(**values | changes)


def comparison(*recipes: RecipeResult, **changes: Any) -> Comparison:
    """Of digits, with the pairs that the recipes' differences to the best are."""
    seeds = [found.n for found in recipes]
    rates = [len(found.arms) for found in recipes]
    pairs = len(recipes) * (len(recipes) - 1) // 2
    protocol = Protocol(
        rates_per_recipe=(min(rates), max(rates)), report_seeds=(min(seeds), max(seeds)), tuning_seeds=(3, 3),
        final_seeds=(3, 3),
        chosen_on="validation" if max(rates) > 1 else None, epochs=(5,), batch_sizes=(32,), equal_budgets=True,
        splits_vary=False, keep="last", pairs=pairs, confidence=0.95,
    )  # fmt: skip
    values: dict[str, Any] = {
        "problem": "b5a0", "data": "digits", "examples": "images", "task": "multiclass",
        "common": {"model": "minicnn", "loss": "cross_entropy", "train.epochs": 5, "train.batch_size": 32},
        "metric": "accuracy", "higher": True, "counts": True, "split": "test", "weights": "last", "n_split": 180,
        "standard_error": 0.0123, "guessing": 0.1, "target": 0.9, "target_given": False, "recipes": recipes,
        "pairs": tuple(found.difference_to_best for found in recipes if found.difference_to_best),
        "other_metrics": (), "protocol": protocol, "baseline": None, "min_effect": None, "refused": None,
        "warnings": (), "folders": (Path("logs/ex"),),
    }  # fmt: skip
    return Comparison(**values | changes)


def four_tied(**changes: Any) -> Comparison:
    """The table of four optimizers that chance may explain."""
    return comparison(
        recipe("adam", 0.01, 0.972, "tied", at_default=0.951, times=(2.0,) * 8, time_to_target_epochs=2.0),
        recipe("momentum", 0.0316, 0.962, "tied", (0.01, -0.009, 0.029), room=10.0, at_default=0.91),
        recipe("rmsprop", 0.00316, 0.949, "tied", (0.023, -0.012, 0.058), room=32.0, at_default=0.903, worst=0.872),
        recipe(
            "sgd", 0.316, 0.915, "tied", (0.057, -0.008, 0.122), at_default=0.46, worst=0.811, relapse=0.17,
            worst_relapse=0.41, oscillates=True, reached=7, lost=0, time_to_target_epochs=4.0,
            times=(4.0,) * 7 + (INFINITE,),
        ),
        **changes,
    )  # fmt: skip
