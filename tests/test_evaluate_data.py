"""`lossopt evaluate` on other data and in other places: by the names and codes of the run's own folder alone."""

import contextlib
import csv
import io
import json
import random
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lossopt_cli.__main__ import run

HEADER = ["colour", "a", "b", "kind"]
MINE = """
import keras
import numpy as np
from neighbour import SPREAD


class Closed(keras.layers.Layer):
    def __init__(self, units, secret):
        super().__init__()
        self.dense, self.secret = keras.layers.Dense(units), secret

    def call(self, x):
        return self.dense(x) * self.secret

    def get_config(self):
        raise NotImplementedError("it keeps its secrets")


def closed(units, input_shape):
    return keras.Sequential([keras.Input(input_shape), Closed(units, 2.0)])


def model(units, input_shape, width=4):
    hidden = keras.layers.Dense(width, activation="tanh")
    return keras.Sequential([keras.Input(input_shape), hidden, keras.layers.Dense(units)])


def loss(y_true, y_pred, power=1.5):
    return (abs(y_true - y_pred) ** power).mean()


def data(n=60, seed=0):
    x = np.random.default_rng(seed).normal(0.0, SPREAD, (n, 3))
    return x, x.sum(axis=1)


def wide(n=60):
    x = np.zeros((n, 5))
    return x, x.sum(axis=1)
"""


def write(path: Path, rows: Sequence[Sequence], header: Sequence[str] | None = HEADER) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([*([header] if header else []), *rows])
    return path


def things(count: int = 120) -> list[list]:
    chance = random.Random(0)
    made = []
    for _ in range(count):
        colour, a, b = chance.choice(["red", "green", "blue"]), chance.gauss(0.0, 1.0), chance.gauss(5.0, 2.0)
        kind = "good" if a + (colour == "red") > 0.3 else "bad" if b > 5.0 else "ugly"
        made.append([colour, round(a, 3), round(b, 3), kind])
    return made


def draw(folder: Path, classes: Sequence[str], count: int, size: int = 8) -> Path:
    generator = np.random.default_rng(count)
    for channel, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            pixels = generator.integers(0, 120, (size, size, 3)).astype("uint8")
            pixels[:, :, channel] += 100
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


@dataclass(frozen=True)
class Place:
    """Where the runs and the data of these tests are."""

    folder: Path

    @property
    def logs(self) -> Path:
        return self.folder / "logs"


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Place:
    """things: a table with categories, filled with means; bare: numbers without a header; pets: folders of images;
    mine: model, loss and data of the user's, whose files are gone; closed: a model that Keras cannot write."""
    folder = tmp_path_factory.mktemp("other")
    write(folder / "things.csv", things())
    write(folder / "bare.csv", [[n % 7, n % 5, 3 * (n % 7) - n % 5] for n in range(60)], None)
    for part, count in (("train", 8), ("test", 4)):
        draw(folder / "pets" / part, ("cat", "dog", "owl"), count)
    (folder / "mine.py").write_text(MINE)
    (folder / "neighbour.py").write_text("SPREAD = 2.0\n")
    mine = f"{folder}/mine.py"
    trained = {
        "things": ("--data", folder / "things.csv", "--set", "data.missing=mean", "--epochs", 2),
        "bare": ("--data", folder / "bare.csv", "--loss", "mse"),
        "pets": ("--data", folder / "pets", "--epochs", 1, "--set", "data.classes=[cat, owl]"),
        "mine": ("--data", f"{mine}:data", "--model", f"{mine}:model:width=5", "--loss", f"{mine}:loss"),
        "closed": ("--data", "iris", "--model", f"{mine}:closed", "--epochs", 2, "--set", "train.keep=best"),
    }
    for name, words in trained.items():
        with contextlib.redirect_stdout(io.StringIO()):
            assert run(["train", *map(str, words), "--name", name, "--logs", str(folder / "logs"), "-q"]) == 0
    shutil.move(folder / "mine.py", folder / "gone.py")
    (folder / "neighbour.py").unlink()
    return Place(folder)


@pytest.fixture
def logs(place) -> Path:
    """Where `evaluate` looks for runs."""
    return place.logs


def lines(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def flat(text: str) -> str:
    """The text however it was wrapped."""
    return " ".join(text.split())


def result(place: Place, name: str) -> dict:
    return json.loads((place.logs / name / "result.json").read_text())


@pytest.mark.parametrize("name", ["things", "pets", "mine", "closed"])
def test_a_run_that_was_copied_elsewhere_says_the_same(evaluate, place, tmp_path, name):
    copy = tmp_path / "elsewhere" / name
    shutil.copytree(place.logs / name, copy)
    shutil.move(place.logs / name, place.logs / f".{name}")
    try:
        done = evaluate(copy, "-f", "json")
    finally:
        shutil.move(place.logs / f".{name}", place.logs / name)
    assert done.code == 0, done.err
    kept = "metrics_best" if name == "closed" else "metrics"
    assert done.json["metrics"] == result(place, name)[kept]["test"]
    assert (copy / "evaluation-test.json").exists()
    assert (copy / "model.keras").exists() == (name != "closed")


@pytest.mark.parametrize(("name", "data"), [("things", "things.csv"), ("pets", "pets")])
def test_data_that_are_elsewhere_now_are_asked_for_and_taken(evaluate, place, tmp_path, name, data):
    usual = evaluate(name, "-f", "json").json
    shutil.move(place.folder / data, tmp_path / f"moved-{data}")
    try:
        without = evaluate(name)
        found = evaluate(name, "--data", tmp_path / f"moved-{data}", "--split", "test", "-f", "json")
    finally:
        shutil.move(tmp_path / f"moved-{data}", place.folder / data)
    assert without.code == 2
    assert f"not at {place.folder / data} any more" in without.err
    assert "--data PATH --split test" in without.err
    assert found.json["own_data"]
    assert found.json["metrics"] == usual["metrics"]


def test_data_that_changed_since_are_refused(evaluate, place):
    path = place.folder / "things.csv"
    before = path.read_bytes()
    path.write_bytes(before + b"red,0.1,2.0,good\n")
    try:
        done, whole = evaluate("things"), evaluate("things", "--data", path, "-f", "json")
    finally:
        path.write_bytes(before)
    assert done.code == 2
    assert "has changed" in done.err
    assert f"--data {path}" in done.err
    assert whole.json["n"] == 121


def test_columns_go_by_name_and_codes_by_the_training(evaluate, place, tmp_path):
    rows = [row for row in things() if row[0] != "blue"]
    order = [[kind, b, number, colour, a] for number, (colour, a, b, kind) in enumerate(rows)]
    other = write(tmp_path / "other.csv", order, ["kind", "b", "id", "colour", "a"])
    done = evaluate("things", "--data", other, "--predictions", tmp_path / "other-p.csv", "-f", "json")
    assert done.code == 0, done.err
    assert "not used, since the model does not know them: id" in done.err
    evaluate("things", "--data", place.folder / "things.csv", "--predictions", tmp_path / "all-p.csv")
    everything = [line for line, row in zip(lines(tmp_path / "all-p.csv"), things(), strict=True) if row[0] != "blue"]
    said = lines(tmp_path / "other-p.csv")
    for line, usual in zip(said, everything, strict=True):
        assert line | {"row": None} == usual | {"row": None}
    assert done.json["split"] is None
    assert done.json["n"] == len(rows)
    assert not done.json["own_data"]


def test_all_of_the_runs_own_data_are_a_warning(evaluate, place):
    done = evaluate("things", "--data", place.folder / "things.csv", "-f", "json")
    assert done.json["trained_on"] == result(place, "things")["sizes"]["train"]
    assert "which it was trained on" in done.err


def test_a_split_of_other_data_is_drawn_as_the_run_drew_its_own(evaluate, place, tmp_path):
    other = write(tmp_path / "other.csv", things(80)[20:])
    done = evaluate("things", "--data", other, "--split", "validation", "-f", "json")
    assert (done.json["n"], done.json["split"], done.json["own_data"]) == (12, "validation", False)
    assert (place.logs / "things" / "evaluation-on-other.csv-validation.json").exists()
    assert "not the run's own data: this is their validation split, drawn as the run drew its own" in flat(done.err)


@pytest.mark.parametrize(("split", "n", "told"), [
    ("test", 8, "this is their test split, that they come with"),
    ("validation", 4, "this is their validation split, drawn as the run drew its own"),
])  # fmt: skip
def test_a_split_that_other_data_come_with_is_called_so(evaluate, tmp_path, split, n, told):
    draw(tmp_path / "more" / "train", ("cat", "owl"), 9)
    draw(tmp_path / "more" / "test", ("cat", "owl"), 4)
    done = evaluate("pets", "--data", tmp_path / "more", "--split", split, "-f", "json")
    assert (done.code, done.json["n"]) == (0, n), done.err
    assert told in flat(done.err)


@pytest.mark.parametrize("truth", [None, ["", "NA"]], ids=["no column", "an empty one"])
def test_without_the_target_there_are_predictions_alone(evaluate, place, tmp_path, truth):
    rows = [[*row[:3], *([truth[k % 2]] if truth else [])] for k, row in enumerate(things())]
    other = write(tmp_path / "new.csv", rows, HEADER if truth else HEADER[:3])
    done = evaluate("things", "--data", other, "--predictions", tmp_path / "p.csv", "-f", "json")
    assert done.code == 0, done.err
    assert (done.json["labelled"], "metrics" in done.json) == (False, False)
    assert sum(done.json["predicted"].values()) == 120
    said = lines(tmp_path / "p.csv")
    assert list(said[0]) == ["row", "prediction", "p_bad", "p_good", "p_ugly"]
    evaluate("things", "--data", place.folder / "things.csv", "--predictions", tmp_path / "labelled.csv")
    assert [line["prediction"] for line in said] == [line["prediction"] for line in lines(tmp_path / "labelled.csv")]
    assert not list((place.logs / "things").glob("evaluation-on-new*"))
    assert "(the first 10 of 120; all: --predictions FILE)" in evaluate("things", "--data", other).out


def test_holes_are_filled_by_the_training_rows(evaluate, place, tmp_path):
    labels = json.loads((place.logs / "things" / "labels.json").read_text())
    columns = labels["training"]["columns"]
    usual = next(text for text, code in labels["inputs"]["columns"][0]["codes"].items()
                 if code == columns["colour"]["most_frequent"])  # fmt: skip
    rows = [["", 0.5, 5.0, "good"], ["red", "", 5.0, "bad"], [usual, 0.5, 5.0, "bad"],
            ["red", repr(columns["a"]["mean"]), 5.0, "bad"]]  # fmt: skip
    done = evaluate("things", "--data", write(tmp_path / "h.csv", rows), "--predictions", tmp_path / "p.csv")
    assert done.code == 0, done.err
    said = [{key: line[key] for key in ("p_bad", "p_good", "p_ugly")} for line in lines(tmp_path / "p.csv")]
    assert said[0] == said[2]
    assert said[1] == said[3]
    assert "missing value" in done.err


def test_a_category_that_training_never_had_is_none_and_said(evaluate, tmp_path):
    rows = [["violet", 0.5, 5.0, "good"], ["red", 0.5, 5.0, "bad"]]
    done = evaluate("things", "--data", write(tmp_path / "v.csv", rows))
    assert done.code == 0
    assert "'violet' in 1 rows, which training never had" in done.err


def test_a_table_without_names_goes_by_position(evaluate, tmp_path):
    with_truth = write(tmp_path / "three.csv", [[1, 2, 1], [6, 0, 18]], None)
    without = write(tmp_path / "two.csv", [[1, 2], [6, 0]], None)
    first = evaluate("bare", "--data", with_truth, "--predictions", tmp_path / "p3.csv", "-f", "json").json
    second = evaluate("bare", "--data", without, "--predictions", tmp_path / "p2.csv", "-f", "json").json
    assert (first["labelled"], second["labelled"]) == (True, False)
    assert [line["prediction"] for line in lines(tmp_path / "p3.csv")] == [
        line["prediction"] for line in lines(tmp_path / "p2.csv")
    ]
    assert first["largest_errors"][0]["truth"] == 18.0
    wide = evaluate("bare", "--data", write(tmp_path / "four.csv", [[1, 2, 3, 4], [5, 6, 7, 8]], None))
    assert "4 columns without names" in wide.err


def test_one_example_has_no_bootstrap_and_it_is_said(evaluate, tmp_path):
    done = evaluate("things", "--data", write(tmp_path / "one.csv", things()[:1]))
    assert done.code == 0
    assert "one example says nothing of others" in " ".join(done.out.split())
    found = evaluate("bare", "--data", write(tmp_path / "one.csv", [[1, 2, 1]], None), "-f", "json").json
    assert found["metrics"]["r2"] is None
    assert found["intervals"]["mae"]["low"] is None


def test_class_folders_loose_images_and_one_image(evaluate, place, tmp_path):
    usual = evaluate("pets", "--predictions", tmp_path / "usual.csv", "-f", "json").json
    folder = evaluate("pets", "--data", place.folder / "pets" / "test", "-f", "json")
    assert folder.json["metrics"] == pytest.approx(usual["metrics"], abs=1e-6)
    assert "left out as in the training (data.classes): 4 examples of dog" in folder.err
    first = lines(tmp_path / "usual.csv")[0]
    assert first["file"] == "test/cat/0.png"
    (tmp_path / "loose").mkdir()
    shutil.copy(place.folder / "pets" / first["file"], tmp_path / "loose" / "it.png")
    Image.new("L", (20, 11)).save(tmp_path / "loose" / "other.png")
    for data, n in ((tmp_path / "loose", 2), (tmp_path / "loose" / "it.png", 1)):
        done = evaluate("pets", "--data", data, "-f", "json").json
        assert (done["labelled"], done["n"]) == (False, n)
        said = done["first_predictions"][0]
        assert (said["file"], said["prediction"]) == ("it.png", first["prediction"])
        assert said["probability"] == pytest.approx(float(first[f"p_{first['prediction']}"]), abs=1e-6)


def test_data_of_the_users_function(evaluate, place, tmp_path):
    (tmp_path / "neighbour.py").write_text("SPREAD = 2.0\n")
    shutil.copy(place.folder / "gone.py", tmp_path / "more.py")
    done = evaluate("mine", "--data", f"{tmp_path}/more.py:data:n=30:seed=5", "-f", "json")
    assert done.code == 0, done.err
    assert (done.json["n"], done.json["data"]) == (30, "data")
    wrong = evaluate("mine", "--data", f"{tmp_path}/more.py:wide")
    assert (wrong.code, "examples of 5" in wrong.err) == (2, True)


REFUSED = [
    ("goood", [["red", 1, 2, "goood"]], HEADER, ("'goood'", "is no class of the run", "did you mean good?")),
    ("lacking", [["red", 1, "good"]], ["color", "a", "kind"], ("lacks columns 'colour', 'b'", "'color'")),
    ("words", [["red", "x", 2, "good"]], HEADER, ("words.csv:2", "column 'a' is a number", "'x'")),
    ("infinite", [["red", "inf", 2, "good"]], HEADER, ("infinite.csv:2", "'inf'")),
    ("ragged", [["red", 1, 2, "good"], ["red", 1]], HEADER, ("ragged.csv:3", "rows of different length")),
    ("partly", [["red", 1, 2, ""], ["red", 1, 2, "good"]], HEADER, ("partly.csv:2", "column 'kind'")),
    ("others", [["x", "y"], ["z", "w"]], ["p", "q"], ("others.csv lacks columns",)),
    ("empty", [], HEADER, ("no rows of data",)),
]


@pytest.mark.parametrize(("name", "rows", "header", "told"), REFUSED, ids=[row[0] for row in REFUSED])
def test_a_table_that_does_not_fit_says_where(evaluate, tmp_path, name, rows, header, told):
    done = evaluate("things", "--data", write(tmp_path / f"{name}.csv", rows, header))
    assert (done.code, done.out) == (2, "")
    for text in told:
        assert text in done.err


STRANGER = (("stranger/bird/x.png", None), ("stranger/cow/x.png", None))


@pytest.mark.parametrize(
    ("run_name", "data", "told"),
    [
        ("things", "pets", "pets is a folder of images, and the model takes a table of 3 columns"),
        ("pets", "things.csv", "things.csv is a table, and the model takes images of 8x8x3"),
        ("pets", "pets/train/cat/none.png", "no such file"),
        ("things", "breast_cancer", "lacks columns 'colour'"),
        ("bare", "pets/test/cat/0.png", "0.png is an image"),
        ("pets", "broken", "cannot be read as an image"),
        ("pets", "strange", "'bird' (1 of 1 examples of strange) is no class of the run"),
        ("pets", "stranger", "'bird' (1 of 2 examples of stranger) is no class of the run, nor is another"),
    ],
)
def test_data_of_another_kind_are_refused(evaluate, place, run_name, data, told):
    for name, content in (("broken/x.png", b"no image"), ("strange/bird/x.png", None), *STRANGER):
        path = place.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content or (place.folder / "pets/test/cat/0.png").read_bytes())
    there = place.folder / data
    done = evaluate(run_name, "--data", there if there.exists() or "none" in data else data)
    assert done.code == 2
    assert told in done.err


def test_unlabelled_data_have_no_metric_to_check_and_no_split(evaluate, tmp_path):
    other = write(tmp_path / "new.csv", [row[:3] for row in things(5)], HEADER[:3])
    for words in (("--fail-if", "accuracy < 1"), ("--split", "test")):
        done = evaluate("things", "--data", other, *words)
        assert (done.code, words[0] in done.err) == (2, True)


def test_predictions_never_replace_the_data(evaluate, tmp_path):
    other = write(tmp_path / "new.csv", things(5))
    before = other.read_bytes()
    done = evaluate("things", "--data", other, "--predictions", other)
    assert (done.code, other.read_bytes()) == (2, before)
