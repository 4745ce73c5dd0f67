"""The protocol of a comparison as a paragraph for a paper: past tense, with every number that a reader needs."""

from collections.abc import Mapping

from lossopt_cli.analysis import wording
from lossopt_cli.analysis.columns import setting_text
from lossopt_cli.analysis.comparison import Comparison
from lossopt_cli.analysis.head import split_correction, weights
from lossopt_cli.analysis.reasons import why_none

NAMES = {"lossopt": "lossopt", "keras": "Keras", "torch": "PyTorch"}


def paragraph(comparison: Comparison, software: Mapping[str, str]) -> str:
    """What was trained, how learning rates were chosen, what was measured, and by which rule recipes differ.

    software: versions by the name of the package."""
    said = [
        _trained(comparison),
        _rates(comparison),
        _measured(comparison),
        _rule(comparison),
        _lost(comparison),
        _software(software),
    ]
    return " ".join(sentence for sentence in said if sentence)


def _trained(comparison: Comparison) -> str:
    found = comparison.protocol
    count = len(comparison.recipes)
    recipes = "a recipe, that is, a loss with an optimizer" if count == 1 else f"{wording.word(count)} recipes"
    names = wording.listing([recipe.name for recipe in comparison.recipes], most=12)
    of = f" of {setting_text(comparison.common['model'])}" if comparison.common.get("model") else ""
    loss = f" with the loss {setting_text(comparison.common['loss'])}" if comparison.common.get("loss") else ""
    epochs, batches = (_span(values) for values in (found.epochs, found.batch_sizes))
    seeds = wording.counted_range(found.report_seeds, "seed")
    splits = "each with a split of the data of its own" if found.splits_vary else "on one split of the data"
    return (
        f"We compared {recipes} ({names}){of}{loss} on {comparison.data}, trained for {epochs} "
        f"{wording.plural('epoch', max(found.epochs))} in batches of {batches} with {seeds} each, {splits}; trials "
        "with the same seed had the same initial weights and the same order of batches."
    )


def _rates(comparison: Comparison) -> str:
    found = comparison.protocol
    if found.rates_per_recipe[1] <= 1:
        return "Each recipe was trained at one learning rate, which was not tuned."
    if found.chosen_on is None:
        return f"Each recipe was trained at {wording.counted_range(found.rates_per_recipe, 'learning rate')}."
    tuning = "the same seeds"
    if found.tuning_seeds[1]:
        tuning = wording.counted_range(found.tuning_seeds, "other seed")
    if found.final_seeds != found.tuning_seeds:
        tuning += f", and among the best of these with {wording.counted_range(found.final_seeds, 'seed')}"
    budgets = "" if found.equal_budgets else " The budgets of the recipes were not equal."
    tried = wording.counted_range(found.rates_per_recipe, "value")
    said = (
        f"The learning rate of each recipe was chosen from {tried} by the mean {comparison.metric} "
        f"on the {found.chosen_on} set with {tuning}; test data were not used to choose.{budgets}"
    )
    untuned = [recipe.name for recipe in comparison.recipes if recipe.standing == "not_tuned"]
    if untuned:
        be = "was" if len(untuned) == 1 else "were"
        said += f" {wording.listing(untuned)}, best at the end of the tried learning rates, {be} not judged."
    return said


def _measured(comparison: Comparison) -> str:
    error = comparison.standard_error
    sampled = f" (one run's standard error on these: {error:.2g})" if error is not None else ""
    guessing = f" (guessing scores {comparison.guessing:.3g})" if comparison.guessing is not None else ""
    over = "as the mean over seeds with its 95 % t interval"
    if comparison.test_over_train:
        over = f"as the mean over seeds and splits with its 95 % t interval, {split_correction(comparison)}"
    if comparison.protocol.report_seeds[1] == 1:
        over = "of one seed each, so that nothing is known of chance"
    return (
        f"We report the {comparison.split} {comparison.metric}{guessing} of the weights {weights(comparison)}, on "
        f"{comparison.n_split:,} {comparison.examples}{sampled}, {over}."
    )


def _rule(comparison: Comparison) -> str:
    pairs = comparison.protocol.pairs
    if len(comparison.recipes) < 2:
        return ""
    if not comparison.judged:
        return f"No claim is made about differences: {why_none(comparison)}."
    floor = ""
    if comparison.counts:
        floor = f"with a standard deviation of at least 1/(sqrt(2) {comparison.n_split})"
    effect = ""
    if comparison.min_effect:
        least = f"{comparison.min_effect:g}"
        effect = f" and the difference is at least {least}, and to be equal where the interval lies within ±{least}"
    beside = [text for text in (floor, split_correction(comparison)) if text]
    level = f"level 1 - 0.05/{pairs} (Bonferroni over {pairs} pairs)" if pairs > 1 else "level 0.95"
    return (
        "Two recipes are said to differ where the Student t interval of their difference, paired by seed, at "
        f"{', '.join([level, *beside])}{',' * bool(beside)} excludes zero{effect}."
    )


def _lost(comparison: Comparison) -> str:
    lost = sum(recipe.lost for recipe in comparison.recipes)
    if not lost:
        return "No reported trial diverged or ended no better than guessing."
    trials = sum(recipe.n for recipe in comparison.recipes)
    return (
        f"{lost} of {trials} reported trials diverged or ended no better than guessing by two standard errors; they "
        "count with their score before training."
    )


def _software(versions: Mapping[str, str]) -> str:
    used = [f"{name} {versions[package]}" for package, name in NAMES.items() if package in versions]
    return f"Software: {wording.listing(used)}." if used else ""


def _span(values: tuple[int, ...]) -> str:
    return wording.span([str(value) for value in sorted(values)]) if values else "an unknown number of"
