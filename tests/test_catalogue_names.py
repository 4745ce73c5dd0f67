"""Names and the one-line spelling of parts: unique, found whatever the case, read back as written."""

from dataclasses import replace

import pytest

from lossopt_cli.catalogue.datasets import DATASETS
from lossopt_cli.catalogue.lookup import find, index, nearest, settled, value_fault
from lossopt_cli.catalogue.losses import LOSSES
from lossopt_cli.catalogue.metrics import METRICS
from lossopt_cli.catalogue.models import MODELS
from lossopt_cli.catalogue.optimizers import OPTIMIZERS
from lossopt_cli.catalogue.recipes import (
    is_user_code,
    parse_part,
    parse_value,
    spell_part,
    spell_value,
    split_parts,
)
from lossopt_cli.catalogue.rows import Setting, defaults
from lossopt_cli.catalogue.schedules import SCHEDULES
from lossopt_cli.catalogue.spelling import spelled_as
from lossopt_cli.errors import UsageError

TABLES = {
    "loss": LOSSES,
    "optimizer": OPTIMIZERS,
    "model": MODELS,
    "data": DATASETS,
    "schedule": SCHEDULES,
    "metric": METRICS,
}
SETTINGS = [(row, s) for table in TABLES.values() for row in table for s in getattr(row, "settings", ())]


def named(value) -> str | None:
    return getattr(value, "name", None)


@pytest.mark.parametrize("kind", TABLES)
def test_no_name_means_two_rows(kind):
    assert len({id(row) for row in index(TABLES[kind]).values()}) == len(TABLES[kind]) > 0


def test_a_duplicate_name_raises():
    twice = replace(find(LOSSES, "huber"), name="other", class_name="", aliases=("M_S_E",))
    with pytest.raises(ValueError, match="'M_S_E' means both mse and other"):
        index([*LOSSES, twice])


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("hubr", "huber"),
        ("adan", "adam"),
        ("crossentropie", "cross_entropy"),
        ("mincnn", "minicnn"),
        ("msee", "mse"),
    ],
)
def test_nearest(wrong, right):
    names = [row.name for table in TABLES.values() for row in table]
    assert right in nearest(wrong, names)


def test_nothing_is_near_nonsense():
    assert nearest("qqqqqq", [row.name for row in LOSSES]) == []


@pytest.mark.parametrize("kind", TABLES)
def test_an_unknown_name_names_place_and_section(kind):
    with pytest.raises(UsageError) as unknown:
        find(TABLES[kind], TABLES[kind][1].name + "x", {"data": "data set"}.get(kind, kind), "mine.yaml:3:7")
    [fault] = unknown.value.faults
    assert fault.where == "mine.yaml:3:7"
    assert "lossopt list" in fault.expected
    assert TABLES[kind][1].name in fault.remedy


@pytest.mark.parametrize(("row", "setting"), SETTINGS, ids=named)
def test_every_default_is_allowed_and_explained(row, setting):
    assert value_fault(setting, setting.default) is None
    assert setting.meaning


@pytest.mark.parametrize(("row", "setting"), SETTINGS, ids=named)
def test_every_setting_refuses_a_value_of_another_kind(row, setting):
    wrong = 1.5 if setting.kind in ("switch", "word", "words", "file") else "seven"
    fault = value_fault(setting, wrong, "--set")
    assert fault.where == "--set"
    assert setting.name in fault.what


@pytest.mark.parametrize(
    ("setting", "value", "expected"),
    [
        (Setting("delta", 1.0, above=0.0), 0, "a number above 0"),
        (Setting("delta", 1.0, above=0.0), True, "a number above 0"),
        (Setting("delta", 1.0, above=0.0), float("nan"), "a number above 0"),
        (Setting("momentum", 0.0, from_=0.0, below=1.0), 1, "a number at least 0 and below 1"),
        (
            Setting("hidden", [1], kind="widths", from_=1),
            [64, 0],
            "a list of whole numbers, [64, 32] at least 1",
        ),
        (Setting("axis", -1, kind="integer", choices=(-1, 1)), 0, "-1 or 1"),
        (Setting("clipnorm", None, above=0.0), -1, "a number above 0 or null"),
    ],
)
def test_bounds(setting, value, expected):
    assert value_fault(setting, value).expected == expected


@pytest.mark.parametrize(
    ("kind", "value", "right"),
    [
        ("number", 2, 2.0),
        ("integer", 2.0, 2),
        ("widths", [2.0], [2]),
        ("numbers", [1], [1.0]),
        ("number", None, None),
    ],
)
def test_values_take_the_type_of_their_kind(kind, value, right):
    found = settled(Setting("x", None, kind=kind), value)
    assert (found, type(found)) == (right, type(right))
    assert repr(found) == repr(right)


VALUES = [
    None,
    True,
    False,
    0,
    -3,
    0.5,
    1e-3,
    2.0,
    1 / 3,
    1e22,
    float("inf"),
    "relu",
    "no",
    "true",
    "1e-3",
    "a b",
]
VALUES += ["", "a:b", "it's", 'say "x"', "ä", [64, 32], [], [0.5, None, "x,y"], [[1], ["]"]]]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_values_are_read_back_as_they_were_written(value):
    assert parse_value(spell_value(value)) == value
    name, settings = parse_part(spell_part("mine.py:f", {"key": value, "other": 1}, {}))
    assert (name, settings) == ("mine.py:f", {"key": value, "other": 1})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("5.0e-4", 0.0005),
        (".5", 0.5),
        ("007", 7),
        ("no", "no"),
        ("yes", "yes"),
        ("~", None),
        ("True", True),
        ("__import__('os')", "__import__('os')"),
        ("[1, [2, a]]", [1, [2, "a"]]),
    ],
)
def test_values_are_yaml_1_2(text, value):
    assert parse_value(text) == value


@pytest.mark.parametrize("kind", TABLES)
def test_rows_are_spelled_by_what_differs(kind):
    for row in TABLES[kind]:
        if kind != "metric":
            assert spell_part(row.name, defaults(row), defaults(row)) == row.name


@pytest.mark.parametrize(
    ("text", "name", "settings"),
    [
        ("huber", "huber", {}),
        ("huber:delta=0.5", "huber", {"delta": 0.5}),
        ("sgd:momentum=0.9:nesterov=true", "sgd", {"momentum": 0.9, "nesterov": True}),
        ("mlp:hidden=[64,32]:dropout=0.1", "mlp", {"hidden": [64, 32], "dropout": 0.1}),
        ("dir/mine.py:loss:a=b", "dir/mine.py:loss", {"a": "b"}),
        ("kaggle:owner/name/versions/2", "kaggle:owner/name/versions/2", {}),
        (r"C:\data\mine.csv", r"C:\data\mine.csv", {}),
    ],
)
def test_parts(text, name, settings):
    assert parse_part(text) == (name, settings)


@pytest.mark.parametrize("text", ["", ":a=1", "a=1", "huber:delta", "huber:delta=", "huber:=1", "huber:a=1:a=2"])
def test_parts_that_cannot_be_read(text):
    with pytest.raises(UsageError) as wrong:
        parse_part(text, "--loss")
    assert all(fault.where == "--loss" for fault in wrong.value.faults)


def test_commas_split_recipes_and_not_lists():
    assert split_parts("sgd:momentum=0.9, mlp:hidden=[64,32],x:a='1,2'") == [
        "sgd:momentum=0.9",
        "mlp:hidden=[64,32]",
        "x:a='1,2'",
    ]


@pytest.mark.parametrize(
    ("part", "name", "settings", "expected"),
    [
        ("optimizer", "sgd", {"learning_rate": 0.1, "momentum": 0.9}, "sgd:momentum=0.9"),
        ("loss", "/a/mine.py:f", {"p": 2}, "mine.py:f:p=2"),
        ("model", "transfer", {"weights": "/a/b/mine.h5", "scale": "unit"}, "transfer:weights=mine.h5:scale=unit"),
        ("model", "transfer", {"weights": "imagenet", "pooling": "max"}, "transfer:pooling=max"),
    ],
)
def test_parts_are_told_with_what_differs_and_files_by_their_last_name(part, name, settings, expected):
    assert spelled_as(part, name, settings) == expected


@pytest.mark.parametrize(
    ("name", "is_code"), [("mine.py:f", True), ("mine.py", False), ("huber", False), ("a:b", False)]
)
def test_user_code(name, is_code):
    assert is_user_code(name) is is_code
