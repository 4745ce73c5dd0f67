"""The rules of a comparison: edges, agreeing starts, lost trials, what may be claimed and what stands beside it."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from made_runs import made_run
from test_ranking import SPREAD, compared, make, only

from lossopt_cli.analysis.ranking import Request, compare
from lossopt_cli.errors import UsageError
from lossopt_cli.runs.records import read_records

GRID = (0.001, 0.01, 0.1, 1.0)
LOST = None  # in place of a mean
EDGES = {
    "in the middle": ((0.90, 0.95, 0.92, 0.80), None),
    "the first": ((0.95, 0.94, 0.92, 0.80), "lowest"),
    "the last": ((0.80, 0.90, 0.92, 0.95), "highest"),
    "below one that was lost": ((0.80, 0.90, 0.95, LOST), "stability"),
    "below two that were lost": ((0.80, 0.95, LOST, LOST), "stability"),
    "one above a slow one that was lost": ((LOST, 0.95, 0.92, 0.80), None),
    "below a gap that was lost": ((0.80, 0.95, LOST, 0.90), None),
    "a single rate": ((0.95,), None),
}


@pytest.mark.parametrize(("means", "edge"), EDGES.values(), ids=EDGES)
def test_a_recipe_that_is_best_at_the_end_of_its_grid_is_not_judged(tmp_path: Path, means: tuple, edge: str | None):
    for rate, mean in zip(GRID, means, strict=False):
        make(tmp_path, f"sgd-{rate}", mean or 0.95, 4, optimizer="sgd", learning_rate=rate, learned=mean is not LOST)
    make(tmp_path, "adam", 0.5, 4)
    comparison = only(tmp_path)
    sgd, adam = comparison.named("sgd"), comparison.named("adam")
    assert sgd.edge == edge
    if edge is None:
        assert (sgd.standing, sgd.rank, adam.standing, adam.rank) == ("best", 1, "worse", 2)
    else:
        assert (sgd.standing, sgd.rank, adam.standing, adam.rank) == ("not_tuned", None, "open", None)
    assert comparison.pairs[0].claimable is (edge is None)
    assert comparison.pairs[0].different is (edge is None)


def test_a_rate_is_lost_where_most_of_its_seeds_are(tmp_path: Path):
    for rate, mean in ((0.01, 0.9), (0.1, 0.95), (1.0, 0.94)):
        make(tmp_path, f"sgd-{rate}", mean, 5, optimizer="sgd", learning_rate=rate)
    for seed in range(5, 11):
        made_run(tmp_path / f"lost-{seed}", optimizer="sgd", learning_rate=1.0, seed=seed, learned=False)
    [recipe] = only(tmp_path).recipes
    assert recipe.edge == "stability"


def test_starts_that_agree_are_ranked_and_those_that_do_not_are_refused(tmp_path: Path):
    make(tmp_path, "adam", 0.95)
    make(tmp_path, "sgd", 0.90, optimizer="sgd")
    make(tmp_path, "rmsprop", 0.90, optimizer="rmsprop", change={"initial_outputs": None})
    start_with(tmp_path / "sgd-s3", [[0.3, 0.2, 0.3 + 9e-7]])
    assert only(tmp_path).refused is None
    start_with(tmp_path / "sgd-s3", [[0.3, 0.2, 0.3 + 2e-6]])
    refused = only(tmp_path)
    assert "seed 3" in refused.refused
    assert f"{tmp_path}/adam-s3" in refused.refused
    assert f"{tmp_path}/sgd-s3" in refused.refused
    assert not refused.judged
    assert {recipe.standing for recipe in refused.recipes} == {"open"}
    assert {recipe.rank for recipe in refused.recipes} == {None}
    assert not any(pair.different for pair in (*refused.pairs, *refused.time_pairs))


def start_with(folder: Path, outputs: list) -> None:
    result = json.loads((folder / "result.json").read_text())
    (folder / "result.json").write_text(json.dumps({**result, "initial_outputs": outputs}))


MAY_DIFFER = {
    "another setting": {"epochs": 9},
    "another seed": {"seed": 1},
    "another head": {"change": {"head_units": 1}},
    "rounding of another device": {"change": {"initial_outputs": [[0.0, 0.2, 0.3 + 1e-5]], "device": "cuda"}},
}


@pytest.mark.parametrize("other", MAY_DIFFER.values(), ids=MAY_DIFFER)
def test_starts_may_differ_between(tmp_path: Path, other: dict):
    made_run(tmp_path / "a", change={"head_units": 10})
    change = {"initial_outputs": [[0.5, 0.2, 0.3]], **other.get("change", {})}
    made_run(tmp_path / "b", **{"optimizer": "sgd", **other, "change": change})
    assert only(tmp_path).refused is None


def test_lost_trials_count_with_the_value_at_step_0(tmp_path: Path):
    make(tmp_path, "adam", 0.95, 6)
    made_run(tmp_path / "nan", seed=6, status="diverged", change={"metrics": {}})
    made_run(tmp_path / "guess", seed=7, test=0.3, learned=False)
    [recipe] = only(tmp_path).recipes
    assert recipe.arm.scores[6:] == (0.1, 0.1)
    assert recipe.mean.value == pytest.approx(np.mean([*recipe.arm.scores[:6], 0.1, 0.1]))
    assert (recipe.lost, recipe.n, recipe.worst, recipe.standing) == (2, 8, 0.1, "open")
    assert recipe.arm.times[6:] == (math.inf, math.inf)
    assert recipe.reached <= 6


def test_a_recipe_is_lost_where_most_seeds_are_and_stands_last(tmp_path: Path):
    make(tmp_path, "adam", 0.05)  # worse than guessing, but said to have learned
    make(tmp_path, "sgd", 0.95, 3, optimizer="sgd")
    for seed in range(3, 8):
        made_run(tmp_path / f"sgd-{seed}", optimizer="sgd", seed=seed, learned=False)
    comparison = only(tmp_path)
    assert [(recipe.name, recipe.standing) for recipe in comparison.recipes] == [("adam", "tied"), ("sgd", "lost")]
    assert comparison.recipes[1].lost == 5


def test_a_recipe_is_best_where_all_others_are_lost(tmp_path: Path):
    make(tmp_path, "adam", 0.95)
    make(tmp_path, "sgd", 0.95, optimizer="sgd", learned=False)
    assert [recipe.standing for recipe in only(tmp_path).recipes] == ["best", "lost"]


def test_the_first_is_best_where_one_is_worse_and_tied_where_none_is(tmp_path: Path):
    make(tmp_path, "adam", 0.95)
    make(tmp_path, "rmsprop", 0.949, optimizer="rmsprop", change={"sizes": {"train": 9, "validation": 9, "test": 180}})
    tied = only(tmp_path)
    assert [recipe.standing for recipe in tied.recipes] == ["tied", "tied"]
    assert [recipe.rank for recipe in tied.recipes] == [1, 1]
    make(tmp_path, "sgd", 0.85, optimizer="sgd")
    told = only(tmp_path)
    assert [recipe.standing for recipe in told.recipes] == ["best", "tied", "worse"]
    assert [recipe.rank for recipe in told.recipes] == [1, 1, 3]


def test_too_few_common_seeds_leave_a_recipe_open_where_others_are_judged(tmp_path: Path):
    make(tmp_path, "adam", 0.95)
    make(tmp_path, "sgd", 0.85, optimizer="sgd")
    make(tmp_path, "momentum", 0.85, 1, optimizer="momentum")
    make(tmp_path, "rmsprop", 0.99, 3, optimizer="rmsprop")  # the best mean, of too few seeds to be held to
    told = only(tmp_path)
    standings = {recipe.name: (recipe.standing, recipe.rank) for recipe in told.recipes}
    assert standings["adam"] == ("best", 1)
    assert standings["sgd"] == ("worse", 2)
    assert standings["momentum"] == standings["rmsprop"] == ("open", None)
    assert [other.best for other in told.other_metrics] == ["adam", "adam"]


def test_differences_are_paired_by_common_seeds_at_the_level_of_all_pairs(tmp_path: Path):
    make(tmp_path, "adam", 0.95, 8)
    make(tmp_path, "sgd", 0.90, 6, 2, optimizer="sgd")
    make(tmp_path, "rmsprop", 0.85, 8, optimizer="rmsprop")
    comparison = only(tmp_path)
    first = comparison.pairs[0]
    assert (first.a, first.b, first.n) == ("adam", "sgd", 6)
    assert first.value == pytest.approx(0.05)
    assert [pair.confidence for pair in comparison.pairs] == [1.0 - 0.05 / 3.0] * 3
    assert comparison.protocol.pairs == 3
    [_, sgd, _] = comparison.recipes
    back = sgd.difference_to_best
    assert (back.a, back.b, back.value) == ("sgd", "adam", -first.value)
    assert (back.low, back.high) == (-first.high, -first.low)
    assert (back.different, back.p_holm) == (first.different, first.p_holm)
    assert back.probability_of_improvement == pytest.approx(1.0 - first.probability_of_improvement)


def test_seeds_that_agree_do_not_make_a_claim_of_less_than_an_image(tmp_path: Path):
    """Four seeds a third of an image apart each time: without a floor of the deviation that would be certain."""
    for seed in range(4):
        made_run(tmp_path / f"a{seed}", seed=seed, test=0.95, tested={"cross_entropy": 0.050})
        made_run(
            tmp_path / f"b{seed}", seed=seed, test=0.95 - 1 / 540, optimizer="sgd", tested={"cross_entropy": 0.051}
        )
    assert not only(tmp_path).pairs[0].different
    by_entropy = compared(tmp_path, metric="cross_entropy")[0]
    assert (by_entropy.counts, by_entropy.pairs[0].different) == (False, True)


@pytest.mark.parametrize(("gap", "different"), [(5e-8, False), (1e-5, True)])
def test_differences_of_rounding_size_are_not_claimed(tmp_path: Path, gap: float, different: bool):
    """Of a metric that counts no examples; without a floor four seeds that agree make any difference certain."""
    for seed in range(4):
        made_run(tmp_path / f"a{seed}", seed=seed, tested={"cross_entropy": 0.5})
        made_run(tmp_path / f"b{seed}", seed=seed, tested={"cross_entropy": 0.5 + gap}, optimizer="sgd")
    assert only(tmp_path, metric="cross_entropy").pairs[0].different is different
    [entropy] = [other for other in only(tmp_path).other_metrics if other.metric == "cross_entropy"]
    assert entropy.changes is different


@pytest.mark.parametrize(("seeds", "claimable"), [(1, False), (3, False), (4, True)])
def test_with_fewer_than_four_common_seeds_nothing_is_claimed(tmp_path: Path, seeds: int, claimable: bool):
    make(tmp_path, "adam", 0.95, seeds)
    make(tmp_path, "sgd", 0.50, seeds, optimizer="sgd")
    comparison = only(tmp_path)
    [pair] = comparison.pairs
    assert (pair.n, pair.claimable, pair.different, comparison.judged) == (seeds, claimable, claimable, claimable)
    assert [recipe.standing for recipe in comparison.recipes] == (["best", "worse"] if claimable else ["open"] * 2)
    assert [recipe.rank for recipe in comparison.recipes] == ([1, 2] if claimable else [None] * 2)
    assert pair.seeds_needed == (None if seeds == 1 else 4)
    assert (pair.low is None) is (seeds == 1)


def test_more_seeds_would_tell_a_small_difference(tmp_path: Path):
    for seed, chance in enumerate((0.01, -0.02, 0.01)):
        made_run(tmp_path / f"a{seed}", seed=seed, test=0.95 + chance)
        made_run(tmp_path / f"b{seed}", seed=seed, test=0.94, optimizer="sgd")
    [pair] = only(tmp_path).pairs
    assert pair.seeds_needed == 26  # scipy.stats.nct: power 0.791 with 25 and 0.808 with 26 for 0.01 / 0.01732


def test_seeds_that_are_not_common_say_nothing_of_a_difference(tmp_path: Path):
    make(tmp_path, "adam", 0.95, 4)
    make(tmp_path, "sgd", 0.90, 4, 4, optimizer="sgd")
    [pair] = only(tmp_path).pairs
    means = (np.mean([0.95 + chance for chance in SPREAD[:4]]), np.mean([0.9 + chance for chance in SPREAD[4:]]))
    assert (pair.n, pair.low, pair.different, pair.p_sign_flip) == (0, None, False, None)
    assert pair.value == pytest.approx(means[0] - means[1])


@pytest.mark.parametrize(("least", "different"), [(None, True), (0.049, True), (0.051, False)])
def test_a_difference_below_the_least_effect_is_not_claimed(tmp_path: Path, least: float | None, different: bool):
    make(tmp_path, "adam", 0.95)
    make(tmp_path, "sgd", 0.90, optimizer="sgd")
    comparison = only(tmp_path, min_effect=least)
    assert (comparison.pairs[0].different, comparison.min_effect) == (different, least)


@pytest.mark.parametrize(("least", "equal"), [(None, False), (0.02, False), (0.06, True)])
def test_what_lies_within_the_least_effect_is_equal_and_needs_no_seeds(tmp_path: Path, least, equal):
    """0.01 +- 0.01: two runs are apart by 0 and 0.02 in turn, the interval at t(0.975, 5) reaches to about 0.021."""
    for seed in range(6):
        made_run(tmp_path / f"a{seed}", seed=seed, test=0.95)
        made_run(tmp_path / f"b{seed}", optimizer="sgd", seed=seed, test=0.93 + 0.02 * (seed % 2))
    [pair] = only(tmp_path, min_effect=least).pairs
    assert (pair.equal, pair.seeds_needed is None) == (equal, equal)
    assert not pair.different


def test_splits_that_vary_widen_the_intervals(tmp_path: Path):
    for folder, split_seed in (("one", 20), ("many", "seed")):
        make(tmp_path / folder, "adam", 0.95, split_seed=split_seed)
        make(tmp_path / folder, "sgd", 0.90, optimizer="sgd", split_seed=split_seed)
    one, many = only(tmp_path / "one"), only(tmp_path / "many")
    wider = math.sqrt((1 / 8 + 180 / 1258) / (1 / 8))
    assert (one.protocol.splits_vary, many.protocol.splits_vary) == (False, True)
    for narrow, wide in ((one.recipes[0].mean, many.recipes[0].mean), (one.pairs[0], many.pairs[0])):
        assert (wide.high - wide.low) == pytest.approx(wider * (narrow.high - narrow.low))


def test_the_target_is_what_the_best_recipe_reaches_less_its_deviation(tmp_path: Path):
    make(tmp_path, "adam", 0.95, validation=0.90)
    make(tmp_path, "sgd", 0.90, optimizer="sgd", validation=0.89)
    comparison = only(tmp_path)
    values = [0.90 + chance for chance in SPREAD]
    assert comparison.target == pytest.approx(np.median(values) - np.std(values, ddof=1))
    assert not comparison.target_given
    assert comparison.recipes[0].time_to_target_epochs == 5.0


def test_the_time_to_a_given_target_is_the_first_evaluation_that_reaches_it(tmp_path: Path):
    make(tmp_path, "adam", 0.95)  # its curve: 0.10, 0.59, 0.79, 0.88, 0.93, 0.95
    make(tmp_path, "sgd", 0.80, optimizer="sgd")  # 0.10, 0.50, 0.67, 0.75, 0.78, 0.80
    comparison = only(tmp_path, target=0.85)
    adam, sgd = comparison.recipes
    assert (comparison.target, comparison.target_given) == (0.85, True)
    assert (adam.time_to_target_epochs, adam.time_to_target_steps, adam.reached) == (3.0, 120.0, 8)
    assert adam.time_to_target_seconds == pytest.approx(3.0 / 5.0)
    assert (sgd.time_to_target_epochs, sgd.reached) == (math.inf, 0)
    [pair] = only(tmp_path, target=0.85, min_effect=0.9).time_pairs  # of accuracy, not of times
    assert pair.value == pytest.approx(math.log(6.0 / 3.0))  # a miss is an epoch after the last
    assert pair.different


def test_faster_to_an_estimated_target_must_hold_for_an_example_more_and_less(tmp_path: Path):
    for seed in range(8):
        made_run(tmp_path / f"adam-{seed}", seed=seed, validation=0.9)
        made_run(tmp_path / f"sgd-{seed}", seed=seed, validation=0.9 - 0.5 / 359, optimizer="sgd")
        made_run(tmp_path / f"momentum-{seed}", seed=seed, validation=0.8, optimizer="momentum")
    chosen, given = only(tmp_path), only(tmp_path, target=0.9)
    assert chosen.target == pytest.approx(given.target)
    faster = [{pair.b: pair.different for pair in found.time_pairs if pair.a == "adam"} for found in (chosen, given)]
    assert faster[0] == {"sgd": False, "momentum": True}
    assert faster[1] == {"sgd": True, "momentum": True}
    assert not any(recipe.reached for recipe in chosen.recipes if recipe.name != "adam")


def test_a_metric_that_was_not_followed_has_no_times(tmp_path: Path):
    make(tmp_path, "adam", 0.95)
    comparison = only(tmp_path, metric="macro_f1", target=0.5)
    assert (comparison.target, comparison.recipes[0].time_to_target_epochs, comparison.time_pairs) == (None, None, ())
    assert any("accuracy, not macro_f1" in warning for warning in comparison.warnings)


def test_another_metric_that_changes_who_is_worse_is_told(tmp_path: Path):
    for seed in range(8):
        chance = SPREAD[seed]
        by = {"adam": (0.95, 0.90, 0.2), "sgd": (0.949, 0.80, 0.2), "rmsprop": (0.90, 0.85, 0.4)}
        for name, (accuracy, f1, entropy) in by.items():
            tested = {"macro_f1": f1 + chance, "cross_entropy": entropy + (-chance if name == "sgd" else chance)}
            made_run(tmp_path / f"{name}{seed}", optimizer=name, seed=seed, test=accuracy + chance, tested=tested)
    comparison = only(tmp_path, min_effect=0.01)
    assert [recipe.standing for recipe in comparison.recipes] == ["best", "tied", "worse"]
    f1, entropy = comparison.other_metrics
    assert (f1.metric, f1.best, f1.order) == ("macro_f1", "adam", ("adam", "rmsprop", "sgd"))
    assert (f1.worse, f1.changes) == (("rmsprop", "sgd"), True)
    assert (entropy.metric, entropy.worse, entropy.changes) == ("cross_entropy", ("rmsprop",), False)
    coarse = only(tmp_path, min_effect=0.5)  # of accuracy, so nothing to other metrics
    assert [(other.worse, other.changes) for other in coarse.other_metrics] == [(f1.worse, True), (("rmsprop",), True)]


def test_other_metrics_do_not_judge_what_is_lost(tmp_path: Path):
    make(tmp_path, "adam", 0.95)
    make(tmp_path, "sgd", 0.95, optimizer="sgd", learned=False)
    for other in only(tmp_path).other_metrics:
        assert (other.best, other.worse, other.changes) == ("adam", (), False)


@pytest.mark.parametrize(("steps", "oscillates"), [(10, None), (40, True)])
def test_nothing_is_said_of_oscillation_where_an_epoch_has_few_steps(tmp_path: Path, steps: int, oscillates: bool):
    curve = {"relapse": 0.24, "area": 0.5, "steps_per_epoch": steps, "split": "validation"}
    made_run(tmp_path / "a", change={"curve": curve})
    [recipe] = only(tmp_path).recipes
    assert (recipe.relapse, recipe.oscillates) == (0.24, oscillates)


RELAPSES = [((0.1, 0.2, 0.3, None), 0.2, 0.3, True), ((0.01, 0.02, 0.03, 0.9), 0.02, 0.03, False)]


@pytest.mark.parametrize(("relapses", "middle", "worst", "oscillates"), RELAPSES)
def test_relapse_is_of_the_seeds_that_are_not_lost(
    tmp_path: Path, relapses: tuple, middle: float, worst: float, oscillates: bool
):
    for seed, relapse in enumerate(relapses):
        curve = {"relapse": relapse, "area": 0.5, "steps_per_epoch": 40, "split": "validation"}
        made_run(tmp_path / str(seed), seed=seed, learned=seed < 3, change={"curve": curve})
    [recipe] = only(tmp_path).recipes
    assert (recipe.relapse, recipe.worst_relapse, recipe.oscillates) == (middle, worst, oscillates)


def test_what_the_other_rates_tell(tmp_path: Path):
    for rate, mean in ((0.001, 0.70), (0.01, 0.945), (0.1, 0.95), (1.0, 0.94), (10.0, 0.9)):
        make(tmp_path, f"sgd-{rate}", mean, 4, optimizer="sgd", learning_rate=rate)
    made_run(tmp_path / "lost", optimizer="sgd", learning_rate=1.0, seed=4, learned=False)
    [recipe] = only(tmp_path).recipes
    assert recipe.learning_rate == 0.1
    assert recipe.room == pytest.approx(10.0)  # one seed was lost there
    assert recipe.safe_window_decades == pytest.approx(1.0)
    means = [sum(arm.scores) / len(arm.scores) for arm in recipe.arms]
    assert recipe.sensitivity == pytest.approx(max(means) - np.mean(means))
    assert recipe.at_default == pytest.approx(means[1])
    trials = [score for arm in recipe.arms for score in arm.scores]
    assert recipe.best_of_k[1] == pytest.approx(np.mean(trials))
    assert recipe.best_of_k[1] < recipe.best_of_k[5] < recipe.best_of_k[25] < max(trials)


def test_what_chooses_among_rates_is_of_validation(tmp_path: Path):
    for rate, validation in ((0.01, 0.90), (0.1, 0.95), (1.0, 0.80)):
        make(tmp_path, f"sgd-{rate}", 0.5, 4, validation=validation, optimizer="sgd", learning_rate=rate)
    [recipe] = only(tmp_path).recipes
    assert recipe.best_of_k[1] == pytest.approx(np.mean([0.90, 0.95, 0.80]) + np.mean(SPREAD[:4]))
    assert recipe.sensitivity == pytest.approx(0.95 - np.mean([0.90, 0.95, 0.80]))
    assert recipe.at_default == pytest.approx(0.5 + np.mean(SPREAD[:4]))


SECONDS = [
    ({}, {}, True),
    ({"timing": "shared"}, {}, False),
    ({"device": "cuda"}, {}, False),
    ({"device": "cuda"}, {"device": "cuda"}, True),
]


@pytest.mark.parametrize(("one", "other", "compared_"), SECONDS)
def test_seconds_are_compared_only_between_trials_alone_on_one_device(
    tmp_path: Path, one: dict, other: dict, compared_: bool
):
    make(tmp_path, "adam", seeds=2, change=one)
    make(tmp_path, "sgd", seeds=2, optimizer="sgd", change=other)
    for recipe in only(tmp_path).recipes:
        assert (recipe.seconds == 1.0) is compared_
        assert (recipe.time_to_target_seconds is not None) is compared_


UNEQUAL = [
    ({"learning_rate": 0.1}, []),  # the head says from how many rates each was chosen
    ({"seed": 2}, ["unequal budgets: 2 to 3 seeds"]),
    ({"optimizer": "rmsprop", "epochs": 9}, ["unequal budgets: 5 to 9 epochs"]),
    ({"optimizer": "rmsprop", "batch_size": 64}, ["unequal budgets: 32 to 64 examples a batch"]),
]


@pytest.mark.parametrize(("further", "said"), UNEQUAL)
def test_unequal_budgets_are_said_once(tmp_path: Path, further: dict, said: list[str]):
    for name in ("adam", "sgd"):
        make(tmp_path, name, seeds=2, optimizer=name)
    assert only(tmp_path).protocol.equal_budgets
    for seed in (0, 1) if "seed" not in further else (2,):
        made_run(tmp_path / f"further{seed}", **{"seed": seed, "test": 0.2, **further})
    comparison = only(tmp_path)
    assert not comparison.protocol.equal_budgets
    assert [warning for warning in comparison.warnings if "budgets" in warning] == said


def test_a_baseline_by_name_is_what_all_others_differ_from(tmp_path: Path):
    for name, mean in (("adam", 0.95), ("sgd", 0.90), ("rmsprop", 0.93)):
        make(tmp_path, name, mean, optimizer=name)
    comparison = only(tmp_path, baseline="SGD")
    adam, rmsprop, sgd = comparison.recipes
    assert [recipe.is_baseline for recipe in comparison.recipes] == [False, False, True]
    assert sgd.difference_to_baseline is None
    assert (adam.difference_to_baseline.a, adam.difference_to_baseline.b) == ("adam", "sgd")
    assert adam.difference_to_baseline.value == pytest.approx(0.05)
    assert rmsprop.difference_to_baseline.different


def with_baseline(folder: Path, base: Path):
    return compare(read_records([folder])[0], Request(baseline=str(base), baseline_records=read_records([base])[0]))


def test_a_folder_as_baseline_is_never_mixed_with_the_same_trials_elsewhere(tmp_path: Path):
    for folder, change in (("old", 0.0), ("new", 0.02)):
        make(tmp_path / folder, "adam", 0.93 + change)
        make(tmp_path / folder, "sgd", 0.90 + change, optimizer="sgd")
    make(tmp_path / "new", "rmsprop", 0.94, optimizer="rmsprop")
    [comparison] = with_baseline(tmp_path / "new", tmp_path / "old")
    assert comparison.left_out == ()
    assert {recipe.name: recipe.is_baseline for recipe in comparison.recipes} == {
        "adam": False,
        "sgd": False,
        "rmsprop": False,
        "adam (baseline)": True,
        "sgd (baseline)": True,
    }
    against = {name: comparison.named(name).difference_to_baseline for name in ("adam", "sgd", "rmsprop")}
    assert [pair.b for pair in against.values()] == ["adam (baseline)", "sgd (baseline)", "adam (baseline)"]
    assert against["sgd"].value == pytest.approx(0.02)
    assert comparison.protocol.pairs == 10


def test_a_baseline_of_another_problem_is_refused(tmp_path: Path):
    make(tmp_path / "new", "adam", seeds=2)
    make(tmp_path / "old", "adam", seeds=2, split_seed=7)
    with pytest.raises(UsageError, match="of the same problem"):
        with_baseline(tmp_path / "new", tmp_path / "old")


def test_the_standard_error_of_the_test_metric_is_that_of_one_run(tmp_path: Path):
    make(tmp_path, "adam", 0.95)
    assert only(tmp_path).standard_error == pytest.approx(math.sqrt(0.95 * 0.05 / 180))
    sample = {"split": "test", "metric": "macro_f1", "value": 0.9, "low": 0.86, "high": 0.94}
    make(tmp_path / "f1", "adam", 0.95, metric="macro_f1", change={"sample": sample})
    assert only(tmp_path / "f1").standard_error == pytest.approx(0.04 / 1.96, rel=1e-4)
    for seed in range(4):
        made_run(tmp_path / "all" / str(seed), seed=seed, test=1.0)
    wide = 1.96**2 / (180 + 1.96**2)  # of Wilson's interval of 180 of 180
    assert only(tmp_path / "all").standard_error == pytest.approx(wide / 2 / 1.96, rel=1e-4)


def test_a_single_run_has_the_interval_of_its_sample(tmp_path: Path):
    sample = {"split": "test", "metric": "accuracy", "value": 0.95, "low": 0.908, "high": 0.973}
    made_run(tmp_path / "one", change={"sample": sample})
    [recipe] = only(tmp_path).recipes
    assert (recipe.sample.low, recipe.sample.value, recipe.sample.high) == (0.908, 0.95, 0.973)
    assert (recipe.mean.low, recipe.rank, recipe.standing) == (None, None, "open")
    assert only(tmp_path, metric="macro_f1").recipes[0].sample is None


def test_a_lost_run_scores_as_at_its_start_which_no_interval_of_its_end_is_of(tmp_path: Path):
    sample = {"split": "test", "metric": "accuracy", "value": 0.2, "low": 0.1, "high": 0.3}
    made_run(tmp_path / "one", learned=False, change={"sample": sample})
    assert only(tmp_path).recipes[0].sample is None


def test_an_optimizer_without_a_learning_rate_is_one_setting(tmp_path: Path):
    for seed in range(4):
        change = {"optimizer": {"name": "my.py:Prodigy"}, "code": {"my.py:Prodigy": {"sha256": "abc"}}}
        made_run(tmp_path / str(seed), seed=seed, change=change)
    [recipe] = only(tmp_path).recipes
    assert (recipe.name, recipe.learning_rate, recipe.default_rate) == ("my.py:Prodigy", None, None)
    assert (recipe.room, recipe.edge, recipe.at_default, recipe.safe_window_decades) == (None,) * 4
