"""The three lines above the table: what was compared, what the number is, how the learning rates were chosen."""

from collections.abc import Mapping
from typing import Any

from lossopt_cli.analysis import wording
from lossopt_cli.analysis.columns import setting_text
from lossopt_cli.analysis.comparison import Comparison, Protocol
from lossopt_cli.analysis.layout import wrapped

# keys of the setting that read better in words than as `key value`
SAID = {
    "epochs": lambda value: wording.counted(value, "epoch"),
    "batch_size": lambda value: f"batch {value}",
    "model": setting_text,
    "loss": setting_text,
    "optimizer": setting_text,
    "schedule": setting_text,
}
WEIGHTS = {
    "last": "after the last epoch",
    "best": "at the best epoch by validation",
    "both": "after the last epoch or at the best by validation",
}


def head(comparison: Comparison, width: int) -> list[str]:
    """At most `width` wide, so sometimes more than three lines."""
    left, right = problem(comparison), size(comparison)
    gap = width - len(left) - len(right)
    first = [left + " " * gap + right] if gap >= 2 else wrapped(f"{left}; {right}", width)
    return [*first, *wrapped(number(comparison), width), *wrapped(protocol(comparison), width)]


def problem(comparison: Comparison) -> str:
    """`digits, minicnn, cross_entropy, 5 epochs, batch 32`."""
    return ", ".join([comparison.data, *_common(comparison.common)])


def size(comparison: Comparison) -> str:
    """`4 recipes, 8 seeds`."""
    least, most = comparison.protocol.report_seeds
    seeds = wording.counted(most, "seed") if least == most else f"{least} to {most} seeds"
    return f"{wording.counted(len(comparison.recipes), 'recipe')}, {seeds}"


def number(comparison: Comparison) -> str:
    """`test accuracy after the last epoch; 180 test images; guessing scores 0.100`."""
    places = wording.decimals([comparison.guessing, *(recipe.mean.value for recipe in comparison.recipes)])
    said = [
        f"{comparison.split} {comparison.metric} {weights(comparison)}",
        f"{comparison.n_split:,} {comparison.split} {comparison.examples}",
    ]
    if comparison.guessing is not None:
        said.append(f"guessing scores {wording.fixed(comparison.guessing, places)}")
    if not comparison.higher:
        said[0] += " (less is better)"
    return "; ".join(said)


def weights(comparison: Comparison) -> str:
    """Of which epoch the weights are that scored."""
    return WEIGHTS[comparison.weights]


def protocol(comparison: Comparison) -> str:
    """`each learning rate chosen from 9 on validation, with 3 other seeds`."""
    found = comparison.protocol
    least, most = found.rates_per_recipe
    if most <= 1:
        said = "one learning rate each: none was chosen"
    else:
        rates = f"{most}" if least == most else f"{least} to {most}"
        chosen_on = found.chosen_on or "nothing"
        said = f"each learning rate chosen from {rates} on {chosen_on}{_tuning(found)}"
    if not found.equal_budgets:
        said += "; budgets differ between the recipes"
    if found.splits_vary:
        said += "; a split of the data for each seed"
    if comparison.min_effect:
        said += f"; differences below {comparison.min_effect:g} do not count"
    return said


def split_correction(comparison: Comparison) -> str:
    """What widens the intervals where every seed has a split of its own; "" where all have one split."""
    share = comparison.test_over_train
    return f"corrected for splits that share examples, 1/n + {share:.3f} (Nadeau and Bengio 2003)" if share else ""


def _tuning(found: Protocol) -> str:
    if not found.tuning_seeds[1]:
        return ", with the same seeds"
    said = f", with {wording.counted_range(found.tuning_seeds, 'other seed')}"
    if found.final_seeds == found.tuning_seeds:
        return said
    return f"{said}, the best with {wording.span([str(count) for count in found.final_seeds])}"


def _common(common: Mapping[str, Any]) -> list[str]:
    said = []
    for key, value in common.items():
        name = key.rpartition(".")[2]
        if value is not None:
            said.append(SAID[name](value) if name in SAID else f"{name.replace('_', ' ')} {setting_text(value)}")
    return said
