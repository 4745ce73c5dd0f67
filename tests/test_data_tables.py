"""Tables from csv files: header, target, task, categories, holes, and every way to be wrong."""

import random
from pathlib import Path

import numpy as np
import pytest

from lossopt_cli.config.schema import DataConfig
from lossopt_cli.data import sources
from lossopt_cli.data.problem import SPLITS
from lossopt_cli.errors import UsageError

CLASSES = ("multiclass", "binary")
NUMBERS = ("regression",)
BOTH = (*CLASSES, *NUMBERS)
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture
def table(tmp_path):
    """Writes a file and loads it."""

    def load(content, tasks=None, name="mine.csv", **keys):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return sources.load(DataConfig(name=path.name, path=str(path), **keys), tasks, 0, lambda text: None)

    return load


def rows(*columns, header=None, delimiter=","):
    lines = [delimiter.join(str(c) for c in row) for row in zip(*columns, strict=True)]
    return "\n".join([delimiter.join(header or ())] * bool(header) + lines) + "\n"


def whole(problem):
    """Raw inputs and targets in the order of the file."""
    parts = [problem.split(s) for s in SPLITS]
    order = np.argsort(np.concatenate([p.rows for p in parts]))
    return (
        np.concatenate([p.inputs for p in parts])[order],
        np.concatenate([p.targets for p in parts])[order],
    )


RNG = random.Random(0)
X = [round(RNG.random(), 3) for _ in range(40)]
Z = [round(RNG.random() * 100, 1) for _ in range(40)]
Y = [round(3 * x - z / 50, 3) for x, z in zip(X, Z, strict=True)]
LABELS = ["no", "yes"] * 20
COLOURS = ["red", "green", "blue", "green"] * 10


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("header", [None, ["x", "z", "y"]], ids=["bare", "named"])
def test_a_plain_table(table, delimiter, header):
    problem = table(rows(X, Z, Y, header=header, delimiter=delimiter))
    inputs, targets = whole(problem)
    assert np.array_equal(inputs, np.stack([X, Z], axis=1))
    assert np.array_equal(targets, Y)
    assert problem.task == "regression"
    names = header or ["column_0", "column_1", "column_2"]
    assert [c.name for c in problem.inputs.columns] == names[:2]
    assert problem.target == names[2]
    assert any("the last column" in n for n in problem.notes)
    assert any(("names the columns" if header else "is data") in n for n in problem.notes)


def test_statistics_are_those_of_the_training_rows(table):
    problem = table(rows(X, Z, Y))
    for place, column in enumerate(problem.inputs.columns):
        values = problem.train.inputs[:, place]
        assert column.mean == pytest.approx(values.mean(), rel=1e-12)
        assert column.deviation == pytest.approx(values.std(), rel=1e-12)
        assert column.mean != pytest.approx(np.mean([X, Z][place]), rel=1e-6)


@pytest.mark.parametrize(
    ("target", "name"),
    [("x", "x"), ("X", "x"), (0, "x"), ("0", "x"), (1, "z"), (-1, "y"), (-3, "x"), (None, "y")],
)
def test_the_target_by_name_or_position(table, target, name):
    problem = table(rows(X, Z, Y, header=["x", "z", "y"]), target=target)
    assert problem.target == name
    assert name not in [c.name for c in problem.inputs.columns]


def test_the_name_of_the_target_shows_that_there_is_a_header(table):
    content = rows(COLOURS, LABELS, header=["red", "buys"])
    assert table(content, target="buys").classes == ("no", "yes")


@pytest.mark.parametrize("header", [True, False])
def test_header_is_as_said(table, header):
    problem = table(rows(COLOURS, X, LABELS, header=["red", "0.5", "no"]), header=header)
    assert len(whole(problem)[1]) == 40 + (not header)
    assert problem.target == ("no" if header else "column_2")


def test_text_columns_are_one_hot_in_the_order_of_their_names(table):
    problem = table(rows(COLOURS, X, Y, header=["colour", "x", "y"]))
    assert problem.inputs.columns[0].categories == ("blue", "green", "red")
    inputs, _ = whole(problem)
    assert inputs[:4, 0].tolist() == [2, 1, 0, 1]
    encoded = problem.inputs.encode(inputs)
    assert encoded.shape == (40, 4)
    assert encoded[:4, :3].tolist() == [[0, 0, 1], [0, 1, 0], [1, 0, 0], [0, 1, 0]]
    assert "one-hot: colour" in problem.notes


# content of the target, the tasks of the loss, data.task -> the task
TARGETS = [
    (LABELS, None, None, "binary"),
    (LABELS, BOTH, None, "binary"),
    (COLOURS, CLASSES, None, "multiclass"),
    (Y, None, None, "regression"),
    (Y, BOTH, None, "regression"),
    ([0, 1] * 20, None, None, "binary"),
    ([0, 1] * 20, BOTH, None, "binary"),
    ([0, 1] * 20, NUMBERS, None, "regression"),
    ([0, 1] * 20, None, "regression", "regression"),
    ([5, 6, 7, 8] * 10, None, None, "multiclass"),
    ([5, 6, 7, 8] * 10, BOTH, None, "regression"),
    ([5, 6, 7, 8] * 10, BOTH, "classification", "multiclass"),
    ([5, 6, 7, 8] * 10, CLASSES, None, "multiclass"),
    (list(range(40)), None, None, "regression"),
    (["1.0", "2.0"] * 20, CLASSES, None, "binary"),
]


@pytest.mark.parametrize(("target", "tasks", "task", "wanted"), TARGETS)
def test_what_the_target_means(table, target, tasks, task, wanted):
    assert table(rows(X, target), tasks, task=task).task == wanted


@pytest.mark.parametrize(("tasks", "key"), [(None, "data.task=regression"), (BOTH, "data.task=classification")])
def test_a_guess_about_whole_numbers_is_announced(table, tasks, key):
    notes = table(rows(X, [5, 6, 7, 8] * 10), tasks).notes
    assert any(key in n and "4 different whole numbers" in n for n in notes)
    followed = table(rows(X, [5, 6, 7, 8] * 10), NUMBERS).notes
    assert not any("whole numbers" in n for n in followed)


def test_labels_of_numbers_are_in_order_of_size(table):
    problem = table(rows(X, [10, 9, 2, 1] * 10), CLASSES)
    assert problem.classes == ("1", "2", "9", "10")
    assert whole(problem)[1][:4].tolist() == [3, 2, 1, 0]


def test_a_subset_of_the_classes_by_name(table):
    problem = table(rows(X, COLOURS, header=["x", "colour"]), classes=["red", "blue"])
    assert problem.classes == ("blue", "red")
    assert problem.task == "binary"
    assert len(whole(problem)[1]) == 20
    assert "(blue or red)" in problem.description


# ------------------------------------------------------------------------------------------ holes and such


def with_hole(column, *places, hole=""):
    return [hole if k in places else value for k, value in enumerate(column)]


@pytest.mark.parametrize("hole", ["", "NA", "nan", "NULL", "?", " "])
def test_a_hole_is_an_error_unless_said(table, hole):
    content = rows(with_hole(X, 3, 7, hole=hole), Z, Y, header=["x", "z", "y"])
    with pytest.raises(UsageError) as caught:
        table(content)
    message = str(caught.value)
    wanted = [
        "2 missing values",
        "line 5",
        "column 'x'",
        "data.missing=drop",
        "data.missing=mean",
        "mine.csv:5",
    ]
    assert [w for w in wanted if w not in message] == []


def test_rows_with_holes_are_dropped_when_said(table):
    problem = table(rows(with_hole(X, 3, 7), Z, with_hole(Y, 7, 9)), missing="drop")
    inputs, _ = whole(problem)
    assert inputs[:, 0].tolist() == [x for k, x in enumerate(X) if k not in (3, 7, 9)]
    assert any("3 of 40 rows left out" in n for n in problem.notes)


def test_holes_take_the_mean_of_the_training_rows(table):
    problem = table(rows(with_hole(X, 3, 7), with_hole(COLOURS, 11), Y, header=["x", "c", "y"]), missing="mean")
    inputs, _ = whole(problem)
    seen = [X[row] for row in problem.train.rows if row not in (3, 7)]
    assert inputs[3, 0] == inputs[7, 0] == pytest.approx(np.mean(seen), rel=1e-12)
    assert inputs[11, 1] == problem.inputs.columns[1].categories.index("green")
    assert np.isfinite(problem.inputs.encode(inputs)).all()
    assert problem.facts["missing"] == "mean"


def test_a_hole_in_the_target_cannot_be_filled(table):
    with pytest.raises(UsageError, match="a target cannot be filled"):
        table(rows(X, with_hole(Y, 3)), missing="mean")


@pytest.mark.parametrize("value", ["5", "0.1", "red"])
def test_a_constant_column_is_noted_and_does_no_harm(table, value):
    problem = table(rows(X, [value] * 40, Y, header=["x", "same", "y"]))
    assert any("column 'same'" in n for n in problem.notes)
    encoded = problem.inputs.encode(problem.train.inputs)
    assert np.isfinite(encoded).all()
    assert np.ptp(encoded[:, 1]) == 0


def test_a_class_with_one_example_is_noted(table):
    problem = table(rows(X, ["rare", *COLOURS[1:]]))
    assert any("one example only" in n and "'rare'" in n for n in problem.notes)


def test_decimal_commas(table):
    problem = table(rows([str(x).replace(".", ",") for x in X], Z, Y, delimiter=";"))
    assert whole(problem)[0][:, 0].tolist() == X
    assert any("decimal commas" in n for n in problem.notes)


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + rows(X, Y, header=["x", "y"]).encode(),
        rows(X, Y, header=["x", "y"]).encode("utf-16"),
        rows(X, Y, header=["x", "y"]).replace("\n", "\r\n").encode(),
        rows(X, Y, header=["x", "y"]).replace("\n", "\n\n").encode(),
        rows(X, Y, header=['"x"', " y"]).encode(),
    ],
    ids=["bom", "utf-16", "crlf", "blank lines", "quotes"],
)
def test_forms_of_text(table, content):
    problem = table(content)
    assert problem.target == "y"
    assert whole(problem)[0][:, 0].tolist() == X


def test_columns_without_a_name_of_their_own(table):
    problem = table(rows(X, Z, X, Y, header=["a", "", "a", "y"]))
    assert [c.name for c in problem.inputs.columns] == ["a", "column_1", "a_2"]
    assert any("a_2" in n for n in problem.notes)


# -------------------------------------------------------------------------------------------- what is wrong

FAULTS = {
    "empty": ("", {}, ["mine.csv is empty"]),
    "only blanks": ("\n \n", {}, ["mine.csv is empty"]),
    "only a header": ("x,y\n", {}, ["0 rows of data", "data.header=false"]),
    "one row": ("1.0,2.0\n", {}, ["1 row of data", "at least two"]),
    "one column": ("1\n2\n3\n", {}, ["one column"]),
    "ragged": (
        "x,y\n1,2\n1,2,3\n4,5\n6\n",
        {},
        ["line 3 has 3; line 5 has 1", "mine.csv:3", "2 columns separated by commas"],
    ),
    "wrong target": (
        rows(X, Z, Y, header=["size", "age", "price"]),
        {"target": "prise"},
        ["no column 'prise'", "size, age, price", "did you mean --target price?"],
    ),
    "position too far": (rows(X, Y), {"target": 2}, ["no column 2", "0 to 1"]),
    "number before the first": (rows(X, Y), {"target": -3}, ["no column -3"]),
    "not a number": (
        rows(X, [*Y[:5], "much", *Y[6:]], header=["x", "y"]),
        {"tasks": NUMBERS},
        ["'y' is not a number: 'much' in line 7", "mine.csv:7"],
    ),
    "one bad number": (rows(X, [*Y[:5], "much", *Y[6:]]), {}, ["'much' in line 6"]),
    "text for a regression": (
        rows(X, LABELS),
        {"tasks": NUMBERS},
        ["'no' in line 1", "39 more", "--loss cross_entropy"],
    ),
    "fractions for classes": (rows(X, Y), {"tasks": CLASSES}, ["holds fractions", "--loss mse"]),
    "too large for float32": (
        rows([*X[:5], "-1e200", *X[6:]], [*Y[:5], "1e39", *Y[6:]]),
        {},
        ["column 'column_0' has numbers of a size of 1e+200", "target 'column_1' has", "below 3.4e+38"],
    ),
    "infinite target": (rows(X, [*Y[:5], "inf", *Y[6:]]), {}, ["infinite in line 6"]),
    "constant number": (rows(X, ["7.5"] * 40), {}, ["'7.5' in every row"]),
    "constant label": (rows(X, ["a"] * 40), {}, ["'a' in every row"]),
    "all columns constant": (rows([1] * 40, ["a"] * 40, Y), {}, ["one value only"]),
    "a bad cell": (
        rows([*X[:5], "O.5", *X[6:]], Y),
        {},
        ["column 'column_0' has numbers, but 'O.5' in line 6"],
    ),
    "two bad columns": (
        rows([*X[:5], "a", *X[6:]], [*Z[:9], "inf", *Z[10:]], Y),
        {},
        ["'a' in line 6", "'column_1' is infinite in line 10"],
    ),
    "names of examples": (
        rows([f"id{k}" for k in range(200)], [k / 7 for k in range(200)]),
        {},
        ["200 different values", "leave the column out"],
    ),
    "a label for every row": (rows(X, [f"id{k}" for k in range(40)]), {}, ["40 different labels in 40 rows"]),
    "latin-1": ("x,y\n1,caf\xe9\n".encode("latin-1"), {}, ["not UTF-8", "byte 0xe9 in line 2", "iconv"]),
    "nothing but holes": (rows([""] * 40, Y), {"missing": "drop"}, ["only 0 rows left"]),
    "image_size": (rows(X, Y), {"image_size": 8}, ["data.image_size does not apply"]),
}


@pytest.mark.parametrize("case", FAULTS)
def test_what_is_wrong_with_a_file(table, case):
    content, keys, words = FAULTS[case]
    with pytest.raises(UsageError) as caught:
        table(content, keys.get("tasks"), **{k: v for k, v in keys.items() if k != "tasks"})
    message = str(caught.value)
    assert [w for w in words if w not in message] == [], message


def test_the_content_is_a_fact_and_the_place_is_not(table):
    first = table(rows(X, Y), name="a.csv").facts["sha256"]
    assert table(rows(X, Y), name="b.csv").facts["sha256"] == first
    assert table(rows(Z, Y), name="a.csv").facts["sha256"] != first


# ------------------------------------------------------------------------------------------- real tables

real = pytest.mark.skipif(not SHARED.is_dir(), reason="needs the project's data folder beside the checkout")


def _shared(name, tasks, **keys):
    return sources.load(DataConfig(name=name, path=str(SHARED / name), **keys), tasks, 0, lambda text: None)


@real
@pytest.mark.parametrize("tasks", [None, BOTH, NUMBERS])
def test_abalone_is_a_regression(tasks):
    problem = _shared("abalone.csv", tasks)
    assert problem.task == "regression"
    assert problem.name == "abalone"
    assert problem.inputs.columns[0].categories == ("F", "I", "M")
    assert problem.inputs.features == 10
    inputs, targets = whole(problem)
    assert len(targets) == 4177
    # the first lines of the file: M,0.455,...,15 and M,0.35,...,7 and F,0.53,...,9
    assert inputs[:3, :2].tolist() == [[2, 0.455], [2, 0.35], [0, 0.53]]
    assert targets[:3].tolist() == [15, 7, 9]


@real
def test_sonar_is_a_binary_task():
    problem = _shared("sonar.csv", CLASSES)
    assert problem.classes == ("M", "R")
    assert problem.task == "binary"
    assert problem.inputs.features == 60
    _, targets = whole(problem)
    assert len(targets) == 208
    assert targets[0] == 1
