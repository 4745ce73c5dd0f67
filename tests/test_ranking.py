"""From runs to a comparison: the rate chosen on validation, problems apart, recipes named, copies counted once."""

import shutil
import time
from pathlib import Path

import pytest
from made_runs import ADAM, LOSSES, SGD, made_run

from lossopt_cli.analysis.problems import problems_of
from lossopt_cli.analysis.ranking import Request, compare
from lossopt_cli.errors import UsageError
from lossopt_cli.runs.records import read_records

SPREAD = (-0.006, 0.004, 0.002, -0.004, 0.005, -0.003, 0.001, 0.001)  # sum 0


def make(folder: Path, name: str, mean: float = 0.95, seeds: int = 8, first: int = 0, **settings) -> None:
    """Runs of one recipe at one rate whose mean over eight seeds is `mean`."""
    validation = settings.pop("validation", mean)
    for seed in range(first, first + seeds):
        chance = SPREAD[seed % 8]
        made_run(
            folder / f"{name}-s{seed}",
            seed=seed,
            test=mean + chance,
            validation=validation + chance,
            steps=False,
            **settings,
        )


def compared(folder: Path, **request):
    return compare(read_records([folder])[0], Request(**request))


def only(folder: Path, **request):
    [comparison] = compared(folder, **request)
    return comparison


def test_the_rate_is_chosen_on_validation_when_test_would_choose_another(tmp_path: Path):
    for rate, validation, test in ((0.001, 0.90, 0.99), (0.01, 0.95, 0.93), (0.1, 0.92, 0.97)):
        make(tmp_path, f"sgd-{rate}", test, validation=validation, optimizer="sgd", learning_rate=rate)
    [recipe] = only(tmp_path).recipes
    assert recipe.learning_rate == 0.01
    assert recipe.mean.value == pytest.approx(0.93)


def test_of_equal_rates_the_smaller_is_chosen(tmp_path: Path):
    for rate in (0.001, 0.1, 0.01):
        make(tmp_path, f"sgd-{rate}", optimizer="sgd", learning_rate=rate)
    comparison = only(tmp_path)
    assert comparison.recipes[0].learning_rate == 0.001
    assert comparison.warnings == (
        "sgd: 0.001, 0.01 and 0.1 are equal on validation; the lowest learning rate was taken",
    )


def test_rates_that_differ_by_rounding_alone_are_equal(tmp_path: Path):
    for rate, chance in ((0.001, 0.0), (0.01, 2e-16), (0.1, -0.1)):
        made_run(tmp_path / f"{rate}", optimizer="sgd", learning_rate=rate, validation=0.9 + chance)
    assert only(tmp_path).recipes[0].learning_rate == 0.001
    assert len(only(tmp_path).warnings) == 1


def test_other_metrics_choose_their_own_rate_on_validation(tmp_path: Path):
    for rate, accuracy, entropy in ((0.001, 0.9, 0.5), (0.01, 0.95, 0.9), (0.1, 0.92, 0.7)):
        values = {"loss": 1.0, "accuracy": accuracy, "macro_f1": 0.9, "cross_entropy": entropy}
        made_run(tmp_path / f"{rate}", learning_rate=rate, change={"metrics": {"validation": values, "test": values}})
    assert only(tmp_path).recipes[0].learning_rate == 0.01
    assert only(tmp_path, metric="cross_entropy").recipes[0].learning_rate == 0.001


def test_tuning_trials_choose_and_the_others_report(tmp_path: Path):
    for rate, value in ((0.001, 0.9), (0.01, 0.99), (0.1, 0.8)):
        make(tmp_path, f"tune-{rate}", value, 3, 1000, optimizer="sgd", learning_rate=rate, role="tuning")
    make(tmp_path, "report-0.001", 0.999, optimizer="sgd", learning_rate=0.001, role="report")
    make(tmp_path, "report-0.01", 0.95, optimizer="sgd", learning_rate=0.01, role="report")
    [recipe] = only(tmp_path).recipes
    assert (recipe.learning_rate, recipe.n, recipe.mean.value) == (0.01, 8, pytest.approx(0.95))
    assert [arm.learning_rate for arm in recipe.tuning] == [0.001, 0.01, 0.1]
    assert [arm.learning_rate for arm in recipe.arms] == [0.001, 0.01]
    assert (recipe.default_rate, recipe.at_default) == (0.01, recipe.mean.value)
    assert only(tmp_path).protocol.tuning_seeds == (3, 3)


def test_fresh_seeds_confirm_what_a_grid_has_chosen(tmp_path: Path):
    for rate, value in ((0.001, 0.9), (0.01, 0.99), (0.1, 0.8)):
        make(tmp_path, f"grid-{rate}", value, 4, optimizer="sgd", learning_rate=rate)
    make(tmp_path, "confirm", 0.94, 4, 4, optimizer="sgd", learning_rate=0.01, role="report")
    [recipe] = only(tmp_path).recipes
    assert recipe.arm.seeds == (4, 5, 6, 7)


def test_a_chosen_rate_without_trials_of_its_own_is_said_to_be_unconfirmed(tmp_path: Path):
    for rate, value in ((0.001, 0.9), (0.01, 0.99), (0.1, 0.8)):
        make(tmp_path, f"tune-{rate}", value, 3, 1000, optimizer="sgd", learning_rate=rate, role="tuning")
    make(tmp_path, "report", 0.999, optimizer="sgd", learning_rate=0.001, role="report")
    comparison = only(tmp_path)
    assert comparison.recipes[0].arm.seeds == (1000, 1001, 1002)
    assert any("sgd" in warning and "chose" in warning for warning in comparison.warnings)


def test_settings_tuned_as_the_rate_is_are_chosen_with_it(tmp_path: Path):
    means = {(0.0, 0.01): 0.90, (0.0, 0.1): 0.92, (0.9, 0.001): 0.91, (0.9, 0.01): 0.95, (0.9, 0.1): 0.7}
    for (momentum, rate), mean in means.items():
        make(
            tmp_path,
            f"{momentum}-{rate}",
            mean,
            optimizer={**SGD, "momentum": momentum},
            learning_rate=rate,
            change={"tuned": ["optimizer.momentum"]},
        )
    comparison = only(tmp_path)
    [recipe] = comparison.recipes
    assert (recipe.name, recipe.tuned, recipe.learning_rate) == ("sgd", {"optimizer.momentum": 0.9}, 0.01)
    assert (recipe.edge, recipe.tried, comparison.protocol.rates_per_recipe) == (None, 5, (5, 5))
    assert [arm.learning_rate for arm in recipe.arms] == [0.001, 0.01, 0.1]


SPELLINGS = [
    ({**SGD, "name": "momentum", "momentum": 0.9}, {**SGD, "momentum": 0.9}, "momentum"),
    ({**SGD, "weight_decay": 0.0}, {**SGD, "weight_decay": 0}, "sgd:weight_decay=0"),
]


@pytest.mark.parametrize(("one", "other", "name"), SPELLINGS)
def test_one_optimizer_written_in_two_ways_is_one_recipe(tmp_path: Path, one: dict, other: dict, name: str):
    make(tmp_path, "one", seeds=4, optimizer=one)
    make(tmp_path, "other", seeds=4, first=4, optimizer=other)
    [recipe] = only(tmp_path).recipes
    assert (recipe.name, recipe.n) == (name, 8)


def test_one_loss_written_in_two_ways_is_one_recipe(tmp_path: Path):
    make(tmp_path, "one", seeds=4)
    make(tmp_path, "other", seeds=4, first=4, loss={"name": "sparse_categorical_crossentropy", "from_logits": True})
    [recipe] = only(tmp_path).recipes
    assert (recipe.loss, recipe.n) == ("cross_entropy", 8)


def test_a_constant_schedule_is_none(tmp_path: Path):
    make(tmp_path, "none", seeds=4)
    make(tmp_path, "constant", seeds=4, first=4, config={"schedule": {"name": "constant", "warmup_epochs": 0.0}})
    [recipe] = only(tmp_path).recipes
    assert (recipe.schedule, recipe.n) == (None, 8)


COSINE = {"schedule": {"name": "cosine", "final": 0.0, "warmup_epochs": 0.0}}
NAMES = {
    "optimizers alone": ([{"optimizer": "adam"}, {"optimizer": "sgd"}], ["adam", "sgd"]),
    "losses alone": ([{"loss": "mse"}, {"loss": {"name": "huber", "delta": 0.5}}], ["huber:delta=0.5", "mse"]),
    "both": ([{"loss": "mse"}, {"loss": "huber", "optimizer": "sgd"}], ["huber + sgd", "mse + adam"]),
    "one": ([{"optimizer": {**ADAM, "beta_1": 0.8}}], ["adam:beta_1=0.8"]),
    "schedules": ([{}, {"config": COSINE}], ["adam", "adam + cosine"]),
    "epochs": ([{"epochs": 5}, {"epochs": 9}], ["adam (epochs=5)", "adam (epochs=9)"]),
    "epochs of one of two": (
        [{"epochs": 5}, {"epochs": 9}, {"optimizer": "sgd"}],
        ["adam (epochs=5)", "adam (epochs=9)", "sgd"],
    ),
    "models": (
        [{}, {"config": {"model": {"hidden": [8]}}}],
        ["adam (minicnn)", "adam (minicnn:hidden=[8])"],
    ),
    "settings that are not in the config": (
        [{"change": {"setting": "e" * 16}}, {"change": {"setting": "f" * 16}}],
        ["adam (setting eeeeee)", "adam (setting ffffff)"],
    ),
    "code": (
        [
            {
                "loss": {"name": f"{place}/my.py:loss"},
                "change": {"code": {f"{place}/my.py:loss": {"sha256": place * 9}}},
            }
            for place in "ab"
        ],
        ["adam (code aaaaaa)", "adam (code bbbbbb)"],
    ),
    "tuned and not": (
        [{"optimizer": "sgd"}, {"optimizer": "sgd", "change": {"tuned": ["optimizer.momentum"]}}],
        ["sgd", "sgd (momentum tuned)"],
    ),
}


@pytest.mark.parametrize(("settings", "names"), NAMES.values(), ids=NAMES)
def test_names_are_as_short_as_tells_recipes_apart(tmp_path: Path, settings: list, names: list):
    for place, given in enumerate(settings):
        made_run(tmp_path / str(place), **given)
    assert sorted(recipe.name for recipe in only(tmp_path).recipes) == names


def test_what_differs_in_the_setting_is_told_and_what_is_common_stands_in_the_head(tmp_path: Path):
    make(tmp_path, "adam", epochs=5)
    make(tmp_path, "sgd", optimizer="sgd", epochs=9, batch_size=64)
    comparison = only(tmp_path)
    assert [recipe.setting for recipe in comparison.recipes] == [
        {"train.epochs": 5, "train.batch_size": 32},
        {"train.epochs": 9, "train.batch_size": 64},
    ]
    assert comparison.common == {"model": comparison.common["model"], "loss": "cross_entropy"}
    assert any("5 to 9 epochs" in warning for warning in comparison.warnings)


@pytest.mark.parametrize(
    ("kept", "name"), [({"defaults": {"beta": 0.9, "widths": [1, 2]}}, "my.py:sign:damping=0.5"),
                       ({}, "my.py:sign:damping=0.5:beta=0.9:widths=[1,2]")], ids=["known", "not known"],
)  # fmt: skip
def test_of_the_users_code_only_what_differs_from_the_signature_is_in_the_name(tmp_path: Path, kept: dict, name: str):
    optimizer = {"name": "/home/a/my.py:sign", "damping": 0.5, "beta": 0.9, "widths": [1, 2]}
    made_run(tmp_path / "a", optimizer=optimizer, change={"code": {optimizer["name"]: {"sha256": "abc", **kept}}})
    assert [recipe.optimizer for recipe in only(tmp_path).recipes] == [name]


def test_the_same_code_at_another_place_is_the_same_recipe(tmp_path: Path):
    for seed, place in enumerate(("/home/a/my.py:loss", "/mnt/b/my.py:loss")):
        made_run(tmp_path / str(seed), loss={"name": place}, seed=seed, change={"code": {place: {"sha256": "abc"}}})
    [recipe] = only(tmp_path).recipes
    assert (recipe.loss, recipe.n) == ("my.py:loss", 2)


PROBLEMS = [
    ({"split_seed": 7}, "other split"),
    ({"metric": "macro_f1"}, "other metric"),
    ({"change": {"problem": "0" * 16, "data": "wine"}}, "other data"),
    ({"change": {"problem": "0" * 16, "target": "age"}}, "other target"),
    ({"change": {"problem": "0" * 16}}, "other contents"),
    ({"config": {"data": {"limit": 100}}}, "other examples"),
]


@pytest.mark.parametrize(("settings", "differs"), PROBLEMS)
def test_runs_of_other_problems_are_kept_apart_and_named(tmp_path: Path, settings: dict, differs: str):
    make(tmp_path, "other", seeds=2, **settings)
    make(tmp_path, "newest", seeds=3)
    newest, other = problems_of(read_records([tmp_path])[0])
    assert (newest.differs, other.differs) == (None, differs)
    assert [comparison.protocol.report_seeds for comparison in compared(tmp_path)] == [(3, 3), (2, 2)]


def test_problems_are_labelled(tmp_path: Path):
    made_run(tmp_path / "a", split_seed=7)
    time.sleep(0.01)
    made_run(tmp_path / "b", split_seed="seed")
    assert [problem.label for problem in problems_of(read_records([tmp_path])[0])] == [
        "digits, a split for each seed",
        "digits, split 7",
    ]


LABELS = [
    ({"metric": "macro_f1"}, ["digits, macro_f1, split 20", "digits, accuracy, split 20"]),
    ({"config": {"data": {"split": [1.0, 0.0, 0.0]}}}, ["digits, 100/0/0, split 20", "digits, 70/20/10, split 20"]),
    (
        {"change": {"problem": "0" * 16, "target": "age"}},
        ["digits, target age, split 20", "digits, target digit, split 20"],
    ),
    ({"change": {"problem": "0" * 16, "target": "age", "data": "wine"}}, ["wine, split 20", "digits, split 20"]),
]


@pytest.mark.parametrize(("other", "labels"), LABELS)
def test_what_differs_between_problems_is_in_their_labels(tmp_path: Path, other: dict, labels: list):
    made_run(tmp_path / "a")
    time.sleep(0.01)  # the clock of some file systems
    made_run(tmp_path / "b", **other)
    assert [problem.label for problem in problems_of(read_records([tmp_path])[0])] == labels


def test_a_copied_run_counts_once(tmp_path: Path):
    make(tmp_path, "adam", seeds=4)
    shutil.copytree(tmp_path / "adam-s2", tmp_path / "copy")
    comparison = only(tmp_path)
    assert comparison.recipes[0].arm.seeds == (0, 1, 2, 3)
    [left_out] = comparison.left_out
    assert (left_out.folder.name, left_out.kind, left_out.reason) == (
        "copy",
        "copy",
        f"the trial of {tmp_path}/adam-s2",
    )


def test_copies_that_differ_are_averaged_within_the_seed(tmp_path: Path):
    made_run(tmp_path / "a", test=0.90)
    made_run(tmp_path / "b", test=0.94)
    comparison = only(tmp_path)
    assert (comparison.recipes[0].n, comparison.recipes[0].arm.scores) == (1, (pytest.approx(0.92),))
    assert comparison.left_out == ()
    assert any("averaged" in warning and f"{tmp_path}/b" in warning for warning in comparison.warnings)


def test_a_trial_of_which_a_copy_is_lost_is_lost(tmp_path: Path):
    made_run(tmp_path / "a", test=0.9)
    made_run(tmp_path / "b", status="diverged", change={"metrics": {}})
    [recipe] = only(tmp_path).recipes
    assert (recipe.arm.lost, recipe.arm.scores) == ((True,), (pytest.approx(0.5),))


def test_one_trial_spelled_in_two_ways_counts_once(tmp_path: Path):
    made_run(tmp_path / "a", optimizer="momentum")
    made_run(tmp_path / "b", optimizer={**SGD, "momentum": 0.9})
    comparison = only(tmp_path)
    assert comparison.recipes[0].n == 1
    assert [item.kind for item in comparison.left_out] == ["copy"]


def test_losses_are_never_ranked_by_their_own_values(tmp_path: Path):
    make(tmp_path, "a", seeds=2)
    make(tmp_path, "b", seeds=2, loss="mse", first=2)
    with pytest.raises(UsageError, match=r"accuracy, macro_f1, cross_entropy") as caught:
        compared(tmp_path, metric="loss")
    assert caught.value.faults[0].where == "--metric loss"
    shutil.rmtree(tmp_path / "b-s2")
    shutil.rmtree(tmp_path / "b-s3")
    assert only(tmp_path, metric="loss").higher is False


def test_a_loss_that_gives_no_probabilities_is_left_out_of_a_metric_that_needs_them(tmp_path: Path):
    make(tmp_path, "adam", seeds=2)
    metrics = {split: {"loss": 1.0, "accuracy": 0.9, "macro_f1": 0.9} for split in ("train", "validation", "test")}
    change = {"metrics": metrics, "initial": metrics, "guessing": metrics}
    made_run(tmp_path / "hinge", loss={"name": "categorical_hinge"}, change=change)
    comparison = only(tmp_path, metric="cross_entropy")
    assert [recipe.loss for recipe in comparison.recipes] == ["cross_entropy"]
    assert [(item.folder.name, item.kind) for item in comparison.left_out] == [("hinge", "no_metric")]
    assert len(only(tmp_path).recipes) == 2


def test_a_run_that_validation_cannot_judge_is_left_out(tmp_path: Path):
    make(tmp_path, "adam", seeds=2)
    change = {"metrics": {"test": {"accuracy": 0.9}, "validation": {"accuracy": None}}}
    made_run(tmp_path / "odd", seed=2, change=change)
    comparison = only(tmp_path)
    assert comparison.recipes[0].arm.seeds == (0, 1)
    assert [item.reason for item in comparison.left_out] == ["has no validation accuracy"]


REFUSED = [
    ({"metric": "rmse"}, "no run recorded rmse", "accuracy, macro_f1, cross_entropy, loss"),
    ({"metric": "acuracy"}, "unknown metric", "lossopt list metrics"),
    ({"split": "tset"}, "no tset data", "test, validation, train"),
    ({"baseline": "adma"}, "no recipe is called 'adma'", "adam"),
]


@pytest.mark.parametrize(("request_", "what", "expected"), REFUSED)
def test_what_cannot_be_compared_is_refused(tmp_path: Path, request_: dict, what: str, expected: str):
    make(tmp_path, "adam", seeds=2)
    with pytest.raises(UsageError, match=what) as caught:
        compared(tmp_path, **request_)
    assert expected in caught.value.faults[0].expected


WITHOUT = {"train": 1258, "validation": 0, "test": 180}


def test_several_rates_without_validation_data_are_refused(tmp_path: Path):
    for rate in (0.01, 0.1):
        make(tmp_path, f"adam-{rate}", seeds=2, learning_rate=rate, change={"sizes": WITHOUT})
    with pytest.raises(UsageError, match="2 learning rates, and there are no validation data"):
        compared(tmp_path)


def test_one_rate_each_without_validation_data_is_compared(tmp_path: Path):
    make(tmp_path, "adam", 0.95, change={"sizes": WITHOUT})
    make(tmp_path, "sgd", 0.90, optimizer="sgd", change={"sizes": WITHOUT})
    comparison = only(tmp_path)
    assert [recipe.standing for recipe in comparison.recipes] == ["best", "worse"]
    assert comparison.protocol.chosen_on is None


SIZES = [
    ({"train": 9, "validation": 9, "test": 9}, None, "test", False),
    ({"train": 9, "validation": 9, "test": 0}, None, "validation", True),
    ({"train": 9, "validation": 0, "test": 0}, None, "train", True),
    ({"train": 9, "validation": 9, "test": 9}, "train", "train", False),
]


@pytest.mark.parametrize(("sizes", "asked", "split", "warned"), SIZES)
def test_the_split_that_is_compared(tmp_path: Path, sizes: dict, asked: str | None, split: str, warned: bool):
    make(tmp_path, "adam", seeds=2, change={"sizes": sizes})
    comparison = only(tmp_path, split=asked)
    assert (comparison.split, comparison.n_split, bool(comparison.warnings)) == (split, 9, warned)


def test_a_regression_is_compared_by_its_metric_and_the_least_is_best(tmp_path: Path):
    for name, error in (("sgd", 50.0), ("adam", 40.0)):
        for seed in range(4):
            metrics = {"loss": 0.5, "mae": error + SPREAD[seed], "rmse": error + 9.0 + SPREAD[seed], "r2": 0.5}
            change = {
                "task": "regression",
                "metrics": {"train": metrics, "validation": metrics, "test": metrics},
                "initial": {"test": {"mae": 70.0, "rmse": 80.0, "r2": 0.0}},
            }
            made_run(tmp_path / f"{name}-{seed}", optimizer=name, loss="mse", seed=seed, metric="mae", change=change)
    comparison = only(tmp_path)
    assert [(recipe.name, recipe.standing) for recipe in comparison.recipes] == [("adam", "best"), ("sgd", "worse")]
    assert comparison.recipes[1].difference_to_best.value == pytest.approx(-10.0)
    assert (comparison.higher, comparison.counts, comparison.recipes[0].worst) == (False, False, 40.004)


def test_losses_that_differ_in_their_defaults_only_are_told_apart(tmp_path: Path):
    for delta in (1.0, 2.0):
        made_run(tmp_path / str(delta), loss={**LOSSES["huber"], "delta": delta})
    assert sorted(recipe.name for recipe in only(tmp_path).recipes) == ["huber", "huber:delta=2"]
