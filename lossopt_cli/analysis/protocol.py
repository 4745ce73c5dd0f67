"""How the numbers of a comparison were made, and what of it is unequal (rule 2)."""

import math
from collections.abc import Iterable, Sequence
from statistics import median_low
from typing import Any

from lossopt_cli.analysis.arms import VALIDATION, View
from lossopt_cli.analysis.choosing import Tried
from lossopt_cli.analysis.comparison import Protocol
from lossopt_cli.analysis.pairs import Rule
from lossopt_cli.analysis.statistics import pair_count
from lossopt_cli.catalogue.intervals import wilson
from lossopt_cli.runs.records import Record

SPLIT_FOR_EACH_SEED = "seed"
STANDARD_NORMAL = 1.959963984540054  # half the width of a 95 % interval, in standard errors


def protocol_of(found: Sequence[Tried], rule: Rule) -> Protocol:
    """The budgets as (least, most) over the recipes."""
    rates = _ends(sum(map(len, one.variants)) for one in found)
    seeds = _ends(len(one.arm.seeds) for one in found)
    counts = [[len(arm.seeds) for arm in one.tuning] or [0] for one in found]
    tuning, finals = _ends(map(median_low, counts)), _ends(map(max, counts))
    epochs, batches = (_values(found, f"train.{key}") for key in ("epochs", "batch_size"))
    equal = all(least == most for least, most in (rates, seeds, tuning, finals)) and len(epochs) == len(batches) == 1
    first = found[0].records[0]
    return Protocol(
        rates_per_recipe=rates,
        report_seeds=seeds,
        tuning_seeds=tuning,
        final_seeds=finals,
        chosen_on=VALIDATION if rates[1] > 1 and first.sizes.get(VALIDATION) else None,
        epochs=epochs,
        batch_sizes=batches,
        equal_budgets=equal,
        splits_vary=splits_vary(first),
        keep=" and ".join(_values(found, "train.keep")),
        pairs=pair_count(len(found)),
        confidence=rule.confidence,
    )


def budget_warnings(found: Sequence[Tried], protocol: Protocol) -> list[str]:
    """Which budgets differ between the recipes (that of learning rates is in the head of a comparison, and differs
    wherever one was best at an end), and rates that no trial of their own confirms."""
    budgets = {
        "seeds": protocol.report_seeds,
        "seeds to tune with": protocol.tuning_seeds,
        "seeds for the best rates": protocol.final_seeds,
        "epochs": _ends(protocol.epochs),
        "examples a batch": _ends(protocol.batch_sizes),
    }
    unequal = [f"{least} to {most} {what}" for what, (least, most) in budgets.items() if least != most]
    warnings = [f"unequal budgets: {', '.join(unequal)}"] if unequal else []
    warnings += [
        f"{one.name}: no trials report at the rate that was chosen; shown are those that chose it"
        for one in found
        if one.unconfirmed
    ]
    return warnings


def splits_vary(record: Record) -> bool:
    """Whether every seed has a split of its own."""
    return record.config["data"].get("split_seed") == SPLIT_FOR_EACH_SEED


def standard_error(one: Tried, view: View) -> float | None:
    """Of the metric of one run on this sample of examples: sqrt(p (1 - p) / n) for accuracy, or what half of Wilson's
    interval stands for where no example, or every one, is right (n of n is no proof of 1); else a
    quarter of the 95 % interval that the runs recorded, their mean. None where they recorded it for another metric or
    split."""
    size = one.records[0].sizes[view.split]
    if view.metric == "accuracy":
        share = min(max(one.mean, 0.0), 1.0)
        if share in (0.0, 1.0):
            low, high = wilson(round(share * size), size)
            return (high - low) / (2.0 * STANDARD_NORMAL)
        return math.sqrt(share * (1.0 - share) / size)
    samples = [record.sample for record in one.records]
    widths = [
        sample["high"] - sample["low"]
        for sample in samples
        if sample and (sample["metric"], sample["split"]) == (view.metric, view.split) and sample["low"] is not None
    ]
    return math.fsum(widths) / len(widths) / (2.0 * STANDARD_NORMAL) if widths else None


def _ends(counts: Iterable[int]) -> tuple[int, int]:
    """The least and the most."""
    counts = list(counts)
    return min(counts), max(counts)


def _values(found: Sequence[Tried], key: str) -> tuple[Any, ...]:
    """Of the setting, ascending."""
    return tuple(sorted({one.recipe.setting[key] for one in found}))
