"""Rates in a config and a sweep.yaml that people edit: what cannot be read is told, with its place and the way out."""

from pathlib import Path

import pytest

from lossopt_cli.__main__ import run
from lossopt_cli.errors import UsageError
from lossopt_cli.sweeps.arms import Problems, arms_of
from lossopt_cli.sweeps.axes import Asked, axes_of
from lossopt_cli.sweeps.candidates import Wishes, candidates_of
from lossopt_cli.sweeps.ranges import Rates, rates_of
from lossopt_cli.sweeps.sweep_file import SweepFile, read_sweep, write_sweep

PROBLEMS = Problems(lambda text: None)
REMEDY = "remove it: the runs beside it are kept"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"points": "5"}, '"5" is no number of learning rates'),
        ({"points": 2.5}, "2.5 is no number of learning rates"),
        ({"points": 0.5}, "0.5 is no number of learning rates"),
        ({"points": 0}, "0 is no number of learning rates"),
        ({"points": True}, "is no number of learning rates"),
        ({"points": 1001}, "1,001 learning rates"),
        ({"per_decade": 1e308}, "learning rates"),
    ],
)
def test_a_number_of_rates_is_a_whole_one_and_not_too_large(more, said):
    with pytest.raises(UsageError) as raised:
        rates_of({"from": 1e-3, "to": 1e-1, **more}, "mine.yaml:3:1")
    assert said in str(raised.value)
    assert str(raised.value).startswith("mine.yaml:3:1: ")


def test_the_ends_of_a_range_may_be_as_far_apart_as_numbers_go():
    with pytest.raises(UsageError, match=r"1e-300\.\.1e300 holds 1,201 learning rates"):
        rates_of("1e-300..1e300", "--lr")


@pytest.fixture
def written(tmp_path) -> Path:
    """The folder of a sweep of one arm at 0.1."""
    flags = {"data": "iris", "optimizer": "sgd"}
    arms = arms_of(axes_of(Asked(flags=flags, rates=("0.1",)), {}), PROBLEMS)
    candidates = candidates_of(arms, Wishes([0, 1]), PROBLEMS)
    write_sweep(tmp_path, SweepFile((), (), ("p",)).with_candidates(candidates, [0, 1]))
    return tmp_path


EDITS = [
    ("rates: [0.1]", "rates: [abc]", '"abc" is no learning rate'),
    ("rates: [0.1]", "rates: [-0.1]", "-0.1 is no learning rate"),
    ("rates: [0.1]", "rates: {factors: [a]}", '"a" is no learning rate'),
    ("rates: [0.1]", "rate: [0.1]", "arms.0.rates: Field required"),
    ("seeds: [0, 1]", "seeds: [a]", "seeds.0: Input should be a valid integer"),
    ("seeds: [0, 1]", "seeds: 3", "seeds: Input should be a valid list"),
    ("scale: null", "scale: wide", "arms.0.scale: Input should be a valid number"),
    ("scale: null", "scale: -1", "arms.0.scale: Input should be greater than 0"),
    ("width: null", "width: wide", "arms.0.width: Input should be a valid integer"),
    ("tuned: {}", "tuned: [momentum]", "arms.0.tuned: Input should be a valid dictionary"),
    ("arms:", "arms: {", "not YAML"),
]


@pytest.mark.parametrize(("before", "after", "said"), EDITS, ids=[after for _, after, _ in EDITS])
def test_a_sweep_yaml_that_cannot_be_read_is_told_with_one_way_out(written, before, after, said, capsys):
    file = written / "sweep.yaml"
    assert before in file.read_text()
    file.write_text(file.read_text().replace(before, after, 1))
    assert run(["sweep", str(written), "--dry-run"]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.startswith(f"error: {file}")
    assert err.splitlines()[-1].strip() == REMEDY


@pytest.mark.parametrize("text", ["", "- a\n", "a\n"], ids=["empty", "list", "word"])
def test_a_sweep_yaml_of_nothing_is_told_with_the_same_way_out(tmp_path, text):
    (tmp_path / "sweep.yaml").write_text(text)
    with pytest.raises(UsageError) as raised:
        read_sweep(tmp_path)
    assert [fault.remedy for fault in raised.value.faults] == [REMEDY]
    assert "expected" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "rates"),
    [
        ("[0.1, 0.01]", Rates((0.01, 0.1))),
        ("auto", Rates()),
        ("{factors: [0.1, 1]}", Rates((0.1, 1.0), relative=True)),
        ("1e-3..1e-1", Rates((1e-3, 3.16e-3, 1e-2, 3.16e-2, 1e-1))),
        ("[null]", Rates((None,))),
    ],
)
def test_the_rates_of_a_sweep_yaml_are_read_as_everywhere(written, text, rates):
    file = written / "sweep.yaml"
    file.write_text(file.read_text().replace("rates: [0.1]", f"rates: {text}", 1))
    assert [arm.rates for arm in read_sweep(written).arms] == [rates]
