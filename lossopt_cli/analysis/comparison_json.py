"""A comparison as JSON: the numbers of the table at full precision, under names that stay.

Of all:     schema_version, problem (its hash, as in result.json), data, task, setting (what is common, by config key),
            metric, higher_is_better, split, weights (`last` or `best` epoch's), n_test (examples of the split),
            test_standard_error (of one run's metric on these examples), guessing, target, target_given, judged (whether
            anything can be claimed), refused (why nothing is ranked), baseline, min_effect, protocol, folders
protocol:   (least, most) over the recipes. test_over_train: n_test / n_train, by which every interval is wider where
            each seed has a split of its own: s sqrt(1/n + n_test/n_train) (Nadeau and Bengio 2003); 0 with one split
recipes:    the best first. mean, ci_low, ci_high: over seeds at 95 %. worst: of the seeds. lost: how many of the n.
            standing: best, tied, worse, open (too few seeds in common with the best to judge), not_tuned or lost.
            rank: 1 + how many are claimed to be better. edge: why it is not tuned. difference_to_best,
            difference_to_baseline: a pair, see below. time_to_target_*: the median, null for never; reached: how
            many of the n. room: lowest rate that failed over the chosen one. sensitivity, safe_window_decades,
            best_of_k (by k): of the values that the rate was chosen by. at_default: the mean at the default rate.
            relapse: how far the loss climbs back, over its start; oscillates: null where it cannot be told (below 32
            steps an epoch). tuned: settings chosen as the rate was. rates: every rate that was tried with them
pairs:      every two recipes. difference: positive where a is better, with its interval at `confidence`; different:
            claimed (rule 8); claimable: four common seeds and both tuned; equal: the whole interval is within
            min_effect. p_t: of the two-sided paired t test. p_*: beside it, they never decide
time_pairs: the same of the logarithm of the epochs to the target
other_metrics, warnings, left_out, verdict: as the screen says them
checks:     what `--fail-if` asked: expression, failed, reason; empty without it

null stands for what is not known, and for a time that is never reached."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lossopt_cli.analysis.choosing import mean_score
from lossopt_cli.analysis.comparison import Arm, Comparison, Difference, RecipeResult, Sentence
from lossopt_cli.runs.folder import plain
from lossopt_cli.runs.records import LeftOut

SCHEMA_VERSION = 1


def as_json(
    comparison: Comparison,
    verdict: Iterable[Sentence],
    left_out: Iterable[LeftOut],
    checks: Iterable[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """The comparison in the types of JSON, as this module says. left_out: beside what it left out itself."""
    return plain(
        {
            "schema_version": SCHEMA_VERSION,
            "problem": comparison.problem,
            "data": comparison.data,
            "task": comparison.task,
            "setting": comparison.common,
            "metric": comparison.metric,
            "higher_is_better": comparison.higher,
            "split": comparison.split,
            "weights": comparison.weights,
            "n_test": comparison.n_split,
            "test_standard_error": comparison.standard_error,
            "guessing": comparison.guessing,
            "target": comparison.target,
            "target_given": comparison.target_given,
            "judged": comparison.judged,
            "refused": comparison.refused,
            "baseline": comparison.baseline,
            "min_effect": comparison.min_effect,
            "protocol": vars(comparison.protocol) | {"test_over_train": comparison.test_over_train},
            "recipes": [_recipe(comparison, recipe) for recipe in comparison.recipes],
            "pairs": [_pair(pair) for pair in comparison.pairs],
            "time_pairs": [_claim(pair) for pair in comparison.time_pairs],
            "other_metrics": [vars(other) for other in comparison.other_metrics],
            "warnings": comparison.warnings,
            "left_out": [vars(item) for item in (*left_out, *comparison.left_out)],
            "verdict": [vars(sentence) for sentence in verdict],
            "checks": list(checks),
            "folders": comparison.folders,
        }
    )


def _recipe(comparison: Comparison, recipe: RecipeResult) -> dict[str, Any]:
    return {
        "name": recipe.name,
        "label": comparison.label(recipe),
        "loss": recipe.loss,
        "optimizer": recipe.optimizer,
        "schedule": recipe.schedule,
        "setting": recipe.setting,
        "learning_rate": recipe.learning_rate,
        "default_rate": recipe.default_rate,
        "tuned": recipe.tuned,
        "n": recipe.n,
        "mean": recipe.mean.value,
        "ci_low": recipe.mean.low,
        "ci_high": recipe.mean.high,
        "worst": recipe.worst,
        "interquartile_mean": recipe.interquartile_mean,
        "lost": recipe.lost,
        "standing": recipe.standing,
        "rank": recipe.rank,
        "edge": recipe.edge,
        "is_baseline": recipe.is_baseline,
        "difference_to_best": _difference(recipe.difference_to_best),
        "difference_to_baseline": _difference(recipe.difference_to_baseline),
        "time_to_target_epochs": recipe.time_to_target_epochs,
        "time_to_target_steps": recipe.time_to_target_steps,
        "time_to_target_seconds": recipe.time_to_target_seconds,
        "reached": recipe.reached,
        "area": recipe.area,
        "room": recipe.room,
        "safe_window_decades": recipe.safe_window_decades,
        "sensitivity": recipe.sensitivity,
        "at_default": recipe.at_default,
        "relapse": recipe.relapse,
        "worst_relapse": recipe.worst_relapse,
        "oscillates": recipe.oscillates,
        "best_of_k": recipe.best_of_k,
        "seconds": recipe.seconds,
        "rates": [*_rates(recipe.arms, "report" if recipe.tuning else None), *_rates(recipe.tuning, "tuning")],
    }


def _rates(arms: Sequence[Arm], role: str | None) -> list[dict[str, Any]]:
    """role: null where the same trials chose the rate and report it."""
    return [
        {
            "role": role,
            "learning_rate": arm.learning_rate,
            "seeds": arm.seeds,
            "mean": mean_score(arm),
            "scores": arm.scores,
            "chosen_by": arm.chosen_by,
            "lost": arm.lost,
            "folders": arm.folders,
        }
        for arm in arms
    ]


def _difference(pair: Difference | None) -> dict[str, Any] | None:
    return None if pair is None else _pair(pair)


def _claim(pair: Difference) -> dict[str, Any]:
    """Who is better by rule 8."""
    return {
        "a": pair.a,
        "b": pair.b,
        "n": pair.n,
        "difference": pair.value,
        "ci_low": pair.low,
        "ci_high": pair.high,
        "confidence": pair.confidence,
        "different": pair.different,
        "claimable": pair.claimable,
        "equal": pair.equal,
    }


def _pair(pair: Difference) -> dict[str, Any]:
    """The same with what stands beside it."""
    return _claim(pair) | {
        "p_t": pair.p_t,
        "p_sign_flip": pair.p_sign_flip,
        "p_smallest": pair.p_smallest,
        "p_holm": pair.p_holm,
        "probability_of_improvement": pair.probability_of_improvement,
        "seeds_needed": pair.seeds_needed,
    }
