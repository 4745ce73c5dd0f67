"""What is typed becomes arms, rates and seeds; what makes no sense is refused with the count and the reason."""

from pathlib import Path

import pytest

from lossopt_cli.errors import UsageError
from lossopt_cli.sweeps.arms import Problems, arms_of, trial_of
from lossopt_cli.sweeps.axes import Asked, axes_of
from lossopt_cli.sweeps.cells import cells_of
from lossopt_cli.sweeps.ranges import Rates, log_range, rates_of, values_of, whole_numbers

CONFIG = """\
data: iris
loss: {name: cross_entropy, label_smoothing: 0.1}
optimizer: {name: sgd, learning_rate: 0.02, momentum: 0.9}
train: {epochs: 2, seed: 5}
"""


def silent() -> Problems:
    return Problems(lambda text: None)


def arms(*, config: Path | None = None, rates=(), seeds=None, seed=None, sets=(), environ=None, **flags):
    flags = {"data": "iris", **flags} if config is None else flags
    asked = Asked(config, flags, tuple(rates), seeds, seed, tuple(sets))
    return arms_of(axes_of(asked, environ or {}), silent())


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("0.01", (0.01,)),
        ("0.1,0.01", (0.01, 0.1)),
        ("1e-4..1e-1", (1e-4, 3.16e-4, 1e-3, 3.16e-3, 1e-2, 3.16e-2, 1e-1)),
        ("1e-4..1e-1:4", (1e-4, 1e-3, 1e-2, 1e-1)),
        ("0.02..0.5", (0.02, 0.0585, 0.171, 0.5)),
        ("0.1..0.1", (0.1,)),
        ("1e-3..1e-2,1", (1e-3, 3.16e-3, 1e-2, 1.0)),
        ("1e-2,1e-3..1e-2", (1e-3, 3.16e-3, 1e-2)),
    ],
)
def test_rates_have_both_ends_and_at_least_two_a_decade(text, values):
    assert rates_of(text, "--lr") == Rates(values)


@pytest.mark.parametrize(
    ("given", "rates"),
    [
        ("auto", Rates()),
        ("x0.1..x10", Rates((0.1, 0.316, 1.0, 3.16, 10.0), relative=True)),
        ([0.01, 0.1], Rates((0.01, 0.1))),
        (["1e-3..1e-2", 1], Rates((1e-3, 3.16e-3, 1e-2, 1.0))),
        ({"from": 1e-3, "to": 1e-1, "per_decade": 1}, Rates((1e-3, 1e-2, 1e-1))),
        ({"from": 1e-3, "to": 1e-1, "points": 2}, Rates((1e-3, 1e-1))),
    ],
)
def test_a_config_says_rates_in_more_ways(given, rates):
    assert rates_of(given, "mine.yaml:3:1") == rates


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("1e-1..1e-4", "holds no learning rate: 0 values"),
        ("1e-4..1e-1:1000000000", "holds 1,000,000,000 learning rates"),
        ("1e-4..1e-1:1", "holds 1 learning rates"),
        ("0", "0 is no learning rate"),
        ("-1e-3..1", "is no learning rate"),
        ("fast", "is no learning rate"),
        ("auto,0.1", "auto finds all of the rates"),
        ("0.1..0.2..0.3", "is no learning rate and no range"),
        ("x0.1..1", "is no learning rate and no range"),
        ("0.1,x10", "do not mix"),
        ({"from": 1e-3}, "is no range"),
        ({"from": 1e-3, "to": 1, "per_decade": 1, "points": 3}, "is no range"),
    ],
)
def test_rates_that_are_none(given, said):
    with pytest.raises(UsageError, match=said):
        rates_of(given, "--lr")


def test_a_long_range_can_be_typed_again():
    assert log_range(1e-6, 1e2, 17)[1:4] == [3.16e-6, 1e-5, 3.16e-5]


@pytest.mark.parametrize(
    ("given", "numbers"),
    [("0..3", [0, 1, 2, 3]), ("5", [5]), ("3,0,3", [3, 0]), ([1, 2], [1, 2]), ("0..2,7", [0, 1, 2, 7])],
)
def test_whole_numbers(given, numbers):
    assert list(whole_numbers(given, "--seed", "seed")) == numbers


@pytest.mark.parametrize("given", ["3..0", "-1", "1.5", "a", [True]])
def test_numbers_that_are_no_seeds(given):
    with pytest.raises(UsageError, match="seed"):
        whole_numbers(given, "--seed", "seed")


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("32,64", [32, 64]),
        ("0..2", [0, 1, 2]),
        ("[8, 8],[4]", [[8, 8], [4]]),
        ("a", ["a"]),
        ("last,best", ["last", "best"]),
    ],
)
def test_values_of_any_key(text, values):
    assert values_of(text, "--set") == values


@pytest.mark.parametrize(
    ("asked", "labels"),
    [
        (
            {"optimizer": "sgd,sgd:momentum=0.9,adam"},
            ["cross_entropy+sgd", "cross_entropy+sgd:momentum=0.9", "cross_entropy+adam"],
        ),
        (
            {"loss": "cross_entropy,hinge", "optimizer": "sgd,adam"},
            ["cross_entropy+sgd", "cross_entropy+adam", "hinge+sgd", "hinge+adam"],
        ),
        ({}, [f"cross_entropy+{name}" for name in ("sgd", "momentum", "rmsprop", "adam")]),
        ({"loss": "hinge"}, ["hinge+adam"]),
        ({"optimizer": "SGD,sgd"}, ["cross_entropy+sgd"]),
        (
            {"optimizer": "sgd:momentum=[0, 0.9],adam"},
            ["cross_entropy+sgd_momentum=0", "cross_entropy+sgd_momentum=0.9", "cross_entropy+adam"],
        ),
        (
            {"optimizer": "sgd", "sets": ["optimizer.momentum=0,0.9"]},
            ["cross_entropy+sgd", "cross_entropy+sgd:momentum=0.9"],
        ),
    ],
)
def test_axes_are_multiplied(asked, labels):
    assert [arm.label for arm in arms(**asked)] == labels


def test_any_key_data_and_models_are_axes_too():
    found = arms(optimizer="sgd", data="iris,wine", model="linear,mlp", sets=["train.batch_size=8,16"])
    keys = [(arm.config.data.name, arm.config.model.name, arm.config.train.batch_size) for arm in found]
    assert keys == [(data, model, size) for data in ("iris", "wine") for model in ("linear", "mlp") for size in (8, 16)]


def test_flags_of_the_data_hold_for_the_data_of_an_axis(tmp_path):
    (tmp_path / "t.csv").write_text("x,y,z\n" + "".join(f"{k},{k % 2},{3 * k}\n" for k in range(60)))
    (arm,) = arms(optimizer="sgd", data=str(tmp_path / "t.csv"), target="y")
    assert arm.config.data.target == "y"
    assert arm.config.loss.name == "cross_entropy"


def test_the_settings_of_a_list_are_tuned_together():
    tuned = [arm for arm in arms(optimizer="sgd:momentum=[0, 0.9],adam") if arm.tuned]
    assert [arm.recipe for arm in tuned] == ["cross_entropy+sgd"] * 2
    assert [arm.tuned for arm in tuned] == [{"optimizer.momentum": 0}, {"optimizer.momentum": 0.9}]


def test_a_list_that_a_setting_takes_is_its_value():
    (arm,) = arms(data="digits", loss="categorical_focal_crossentropy:alpha=[0.1,0.2]", optimizer="sgd")
    assert arm.tuned == {}


@pytest.mark.parametrize(
    ("rates", "found"),
    [
        ((), {"sgd": Rates(), "adam": Rates()}),
        (("0.1",), {"sgd": Rates((0.1,)), "adam": Rates((0.1,))}),
        (("sgd=0.1..1", "0.01"), {"sgd": Rates((0.1, 0.316, 1.0)), "adam": Rates((0.01,))}),
        (("sgd=0.1",), {"sgd": Rates((0.1,)), "adam": Rates()}),
        (("cross_entropy+SGD=0.1",), {"sgd": Rates((0.1,)), "adam": Rates()}),
    ],
)
def test_rates_speak_of_all_or_of_one(rates, found):
    assert {arm.config.optimizer.name: arm.rates for arm in arms(optimizer="sgd,adam", rates=rates)} == found


def test_a_recipe_may_bring_its_own_rates():
    found = arms(optimizer="sgd:learning_rate=[0.1, 0.2],adam:learning_rate=0.01,rmsprop")
    assert [arm.rates for arm in found] == [Rates((0.1, 0.2)), Rates((0.01,)), Rates()]
    with pytest.raises(UsageError, match="a learning rate of its own"):
        arms(optimizer="sgd:learning_rate=0.1,adam", rates=["0.5"])
    found = arms(optimizer="sgd:learning_rate=0.1,adam", rates=["adam=0.5"])
    assert [arm.rates for arm in found] == [Rates((0.1,)), Rates((0.5,))]


@pytest.fixture
def written(tmp_path):
    """written("sweep text"): a config file with that end."""

    def write(text: str = "") -> Path:
        (tmp_path / "mine.yaml").write_text(CONFIG + text)
        return tmp_path / "mine.yaml"

    return write


def test_a_value_of_an_axis_stands_for_itself(written):
    plain, with_momentum = arms(config=written(), optimizer="sgd,sgd:momentum=0.5")
    assert plain.config.optimizer.settings["momentum"] == 0.0
    assert with_momentum.config.optimizer.settings["momentum"] == 0.5
    assert plain.config.loss.settings["label_smoothing"] == 0.1


def test_what_the_config_gives_is_kept_where_no_axis_names_it(written):
    (arm,) = arms(config=written())
    assert arm.rates == Rates((0.02,))
    assert arm.config.optimizer.settings["momentum"] == 0.9
    assert [arm.rates for arm in arms(config=written(), rates=["auto"])] == [Rates()]
    assert [arm.config.train.epochs for arm in arms(config=written())] == [2]


def test_the_axes_of_a_config(written):
    config = written(
        "sweep:\n  loss: [cross_entropy, {name: hinge}]\n  optimizer: [sgd, {name: sgd, momentum: [0.5, 0.9]}]\n"
        "  learning_rate: {sgd: 0.1..1}\n  seeds: 3\n  train.batch_size: [8, 16]\n"
    )
    found = arms(config=config)
    assert len(found) == 2 * 3 * 2
    assert {arm.rates for arm in found} == {Rates((0.1, 0.316, 1.0))}
    axes = axes_of(Asked(config), {})
    assert (axes.seeds, axes.seed_count, axes.first_seed) == (None, 3, 5)
    flagged = arms(config=config, optimizer="adam", loss="hinge")
    assert [(arm.label, arm.config.train.batch_size) for arm in flagged] == [("hinge+adam", 8), ("hinge+adam", 16)]


@pytest.mark.parametrize(
    ("asked", "seeds"),
    [
        ({}, (None, 8)),
        ({"seeds": "4"}, (None, 4)),
        ({"seed": "2..4"}, ([2, 3, 4], 3)),
        ({"seed": "0,3"}, ([0, 3], 2)),
        ({"seed": "7"}, ([7], 1)),
    ],
)
def test_seeds(asked, seeds):
    axes = axes_of(Asked(flags={"data": "iris"}, **asked), {})
    assert (axes.seeds if axes.seeds is None else list(axes.seeds), axes.seed_count) == seeds


def test_a_sweep_without_a_config_trains_five_epochs(written):
    assert [arm.config.train.epochs for arm in arms(optimizer="sgd")] == [5]
    assert [arm.config.train.epochs for arm in arms(optimizer="sgd", epochs="3")] == [3]


def test_the_environment_is_heard():
    (arm,) = arms(optimizer="sgd", environ={"LOSSOPT_LR": "0.5", "LOSSOPT_EPOCHS": "4"})
    assert (arm.rates, arm.config.train.epochs) == (Rates((0.5,)), 4)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"data": None, "loss": "mse,cross_entropy"}, "different data: mse diabetes; cross_entropy digits"),
        ({"optimizer": "adam", "sets": ["optimizer.momentum=0,0.9"]}, "adam does not take momentum"),
        ({"optimizer": "adam:momentum=[0, 0.9]"}, "adam does not take momentum"),
        ({"optimizer": "sgd,adma"}, "unknown optimizer 'adma'"),
        ({"optimizer": ""}, "holds no value: 0 trials"),
        ({"optimizer": "sgd", "seeds": "0"}, "no seed: 0 trials"),
        ({"optimizer": "sgd", "seeds": "4", "seed": "1"}, "both say which seeds"),
        ({"optimizer": "sgd", "sets": ["optimizer.learning_rate=0.1,0.2"]}, "is swept by --lr"),
        ({"optimizer": "sgd", "sets": ["train.seed=0..3"]}, "is swept by --seed"),
        ({"optimizer": "sgd", "sets": ["sweep.seeds=3"]}, "flags of their own"),
        ({"optimizer": "sgd", "epochs": "3..1"}, "0 values"),
        ({"epochs": "2,4", "sets": ["train.epochs=3,6"]}, "train.epochs is given twice"),
    ],
)  # fmt: skip
def test_nonsense_is_refused_before_anything_is_loaded(asked, said):
    with pytest.raises(UsageError, match=said):
        arms(**asked)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sweep: {losses: [mse]}", "unknown key sweep.losses"),
        ("sweep: {batch_size: [16, 32]}", "did you mean train.batch_size?"),
        ("sweep: {width: [16, 32]}", "and any key with its section: train.batch_size"),
        ("sweep: {loss: [3]}", "sweep.loss cannot be 3"),
        ("sweep: {optimizer: [{momentum: 0.9}]}", "sweep.optimizer cannot be"),
        ("sweep: {learning_rate: often}", r"mine\.yaml:\d+:\d+: .often. is no learning rate"),
        ("sweep: {seeds: many}", "is no number of seeds"),
    ],
)
def test_a_fault_in_a_config_is_told_with_its_place(written, text, said):
    with pytest.raises(UsageError, match=said):
        arms(config=written(text))


def test_a_cell_is_named_by_what_it_is():
    (arm,) = arms(optimizer="sgd:momentum=0.9")
    problems = silent()
    cells = cells_of([(arm, [0.1, 0.01, 0.1])], [0, 3], problems, "tuning")
    names = [cell.name.rpartition("-")[0] for cell in cells]
    assert names == [f"cross_entropy+sgd_momentum=0.9-lr{rate}-s{seed}" for seed in (0, 3) for rate in ("0.1", "0.01")]
    assert {cell.name.rpartition("-")[2] for cell in cells} == {cell.trial.hash[:6] for cell in cells}
    assert trial_of(arm, 0.1, 0, problems).hash == cells[0].trial.hash
    assert cells[0].trial.config.optimizer.settings["learning_rate"] == 0.1
