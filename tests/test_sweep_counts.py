"""How many trials a sweep has: too many are refused at once, with the count and how it comes about."""

import json

import pytest

from lossopt_cli.__main__ import run
from lossopt_cli.errors import UsageError
from lossopt_cli.sweeps.axes import Asked, axes_of, choices
from lossopt_cli.sweeps.cells import check_count

SMALL = ("--data", "iris", "--model", "mlp:hidden=[8]", "--epochs", "2", "--opt", "sgd")


@pytest.mark.parametrize(
    ("sets", "said"),
    [
        (("train.batch_size=1..100000",), "train.batch_size=1..100000: 100,000 recipes\n  expected at most 10,000"),
        (
            ("train.batch_size=1..1000", "train.epochs=1..1000", "model.dropout=0,0.5"),
            "1,000 train.batch_size x 1,000 train.epochs x 2 model.dropout: 2,000,000 recipes",
        ),
    ],
    ids=["one", "three"],
)
def test_more_recipes_than_anyone_compares_are_refused_before_any_is_built(sets, said):
    axes = axes_of(Asked(flags={"data": "iris", "optimizer": "sgd"}, sets=sets), {})
    with pytest.raises(UsageError) as raised:
        next(choices(axes))
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("count", "agreed", "said"),
    [
        (4 * 10**9, True, "4 recipes, 1,000,000,000 seeds: 4,000,000,000 trials\n  expected at most 1,000,000"),
        (11_000, False, "4 recipes, 1,000,000,000 seeds: 11,000 trials\n  expected at most 10,000 without --yes"),
    ],
)
def test_too_many_trials_are_refused_with_their_count(count, agreed, said):
    told = "4 recipes, 1,000,000,000 seeds"
    with pytest.raises(UsageError) as raised:
        check_count(count, told, agreed=agreed)
    assert said in str(raised.value)
    check_count(11_000, told, agreed=True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--seeds", "6000"), "1 recipe, 9 learning rates, 6,000 seeds: 43 to choose, 12,000 to report: 12,043 trials"),
        (("--lr", "0.01,0.1", "--seeds", "6000"), "1 recipe, 2 learning rates, 6,000 seeds: 12,000 trials"),
        (
            ("--lr", "0.01,0.1", "--seeds", "6000", "--confirm", "5"),
            "1 recipe, 2 learning rates, 6,000 seeds: 12,000 to choose, 5 to report: 12,005 trials",
        ),
    ],
    ids=["auto", "given", "confirmed"],
)
def test_the_count_is_that_of_the_plan(words, said, tmp_path, capsys):
    assert run(["sweep", *SMALL, *words, "--logs", str(tmp_path)]) == 2
    assert f"error: {said}" in capsys.readouterr().err


def test_what_trains_nothing_needs_no_consent(tmp_path, capsys):
    words = ["sweep", *SMALL, "--seeds", "6000", "--logs", str(tmp_path)]
    assert run([*words, "--dry-run", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["trials"] == 12_043
