"""What a run leaves behind loads where only Keras is, takes raw data, and says what the engine said."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from lossopt_cli.catalogue.rows import Fit
from lossopt_cli.data.problem import ArrayInputs, Column, ImageInputs, Problem, Split, TableInputs
from lossopt_cli.training import networks, whole

import keras  # isort: skip  (after lossopt_cli.training, which names the backend)
import torch  # isort: skip

LOGITS = Fit("integer", "classes", "logits")
ONE_LOGIT = Fit("binary", "one", "logits")
ONE_PROBABILITY = Fit("binary", "one", "probabilities", threshold=0.5)
SCORES = Fit("signs", "classes", "scores")
RIVALS = Fit("one_hot", "classes", "logits", one_against_rest=True)
VALUES = Fit("numbers", "one", "values")

DIGITS = ImageInputs((8, 8, 1), 1 / 16)
PHOTOGRAPHS = ImageInputs((16, 12, 3), 1 / 255)
ROWS = ArrayInputs((4, 5))
ABALONE = TableInputs(
    (
        Column("sex", categories=("F", "I", "M")),
        Column("length", mean=0.52, deviation=0.12),
        Column("rings of a twin", mean=9.9, deviation=3.2),
        Column("sea", categories=("north", "south")),
        Column("weight", mean=0.83, deviation=0.49),
    )
)

# Loads files with Keras alone, and refuses to have lossopt imported by them.
PLAIN = """
import sys
import keras, numpy as np
for folder in sys.argv[1:]:
    model, raw = keras.saving.load_model(folder + "/model.keras"), np.load(folder + "/raw.npy")
    called = keras.ops.convert_to_numpy(model(raw))
    np.savez(folder + "/out.npz", predicted=model.predict(raw, verbose=0), called=called)
assert not [name for name in sys.modules if name.startswith("lossopt")]
"""


def problem_of(inputs, task="multiclass", classes=("a", "b", "c"), mean=0.0, deviation=1.0) -> Problem:
    nothing = Split(np.zeros(0), np.zeros(0), np.zeros(0, np.int64))
    names = None if task == "regression" else classes
    return Problem("p", task, inputs, nothing, nothing, nothing, names, "rings", mean, deviation)


def raw_data(inputs, count=20) -> np.ndarray:
    draw = np.random.default_rng(1)
    if isinstance(inputs, ImageInputs):
        return draw.integers(0, round(1 / inputs.scale) + 1, (count, *inputs.shape)).astype(np.uint8)
    if isinstance(inputs, ArrayInputs):
        return draw.normal(size=(count, *inputs.shape)).astype(np.float32)
    columns = [
        draw.integers(0, len(c.categories), count) if c.categories else draw.normal(c.mean, c.deviation, count)
        for c in inputs.columns
    ]
    return np.stack(columns, axis=1)


def eaten(inputs, raw: np.ndarray) -> np.ndarray:
    """What the engine feeds: float64 arithmetic, then float32."""
    if isinstance(inputs, ImageInputs):
        return (raw.astype(np.float64) * inputs.scale).astype(np.float32)
    return inputs.encode(raw) if isinstance(inputs, TableInputs) else raw


def raw_outputs(core, inputs, raw: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return core(eaten(inputs, raw), training=False).detach().cpu().numpy().astype(np.float64)


def built(name: str, settings: dict, inputs, units: int) -> keras.Model:
    """A core in Keras's default layout, its weights shaken so that batch normalisation does something."""
    random.seed(0)
    core = networks.build(name, settings, inputs, units, "channels_last")
    draw = np.random.default_rng(0)
    core.set_weights([w + 0.1 * draw.random(w.shape).astype(w.dtype) for w in core.get_weights()])
    return core


def predict_plainly(*folders: Path) -> None:
    """model.keras and raw.npy in each folder -> out.npz: what a fresh process with Keras alone predicts, with
    `predict` and with `model(x)`."""
    ran = subprocess.run(
        [sys.executable, "-c", PLAIN, *map(str, folders)],
        env={**os.environ, "KERAS_BACKEND": "torch"},
        cwd=folders[0],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr


def predicted(folder: Path) -> list[np.ndarray]:
    with np.load(folder / "out.npz") as arrays:
        return [arrays["predicted"], arrays["called"]]


def softmax(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def rivals(x):
    return sigmoid(x) / sigmoid(x).sum(axis=1, keepdims=True)


@dataclass(frozen=True)
class Case:
    """A trained core, what it eats, and by hand what its raw outputs mean."""

    core: Callable[[], keras.Model]
    problem: Problem
    fit: Fit
    read: Callable[[np.ndarray], np.ndarray]
    activated: bool = False


def textbook_cnn() -> keras.Model:
    """A user's Sequential model with a softmax of its own, after a step of training (moved statistics)."""
    layers = keras.layers
    core = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(3, activation="softmax"),
        ]
    )
    with torch.no_grad():
        core(eaten(DIGITS, raw_data(DIGITS)), training=True)
    return core


def catalogued(name: str, settings: dict, inputs, units: int) -> Callable[[], keras.Model]:
    return partial(built, name, settings, inputs, units)


PAIR = ("a", "b")
TINTED = {"batch_norm": True, "dropout": 0.5}
CASES = {
    "digits": Case(catalogued("minicnn", TINTED, DIGITS, 3), problem_of(DIGITS), LOGITS, softmax),
    "photographs": Case(catalogued("lenet", {}, PHOTOGRAPHS, 3), problem_of(PHOTOGRAPHS), RIVALS, rivals),
    "binary photographs": Case(
        catalogued("resnet20", {}, PHOTOGRAPHS, 1),
        problem_of(PHOTOGRAPHS, "binary", PAIR),
        ONE_LOGIT,
        sigmoid,
    ),
    "abalone": Case(
        catalogued("mlp", {"dropout": 0.2}, ABALONE, 1),
        problem_of(ABALONE, "regression", mean=9.9, deviation=3.2),
        VALUES,
        lambda raw: raw * 3.2 + 9.9,
    ),
    "binary table": Case(
        catalogued("mlp", {"batch_norm": True}, ABALONE, 1),
        problem_of(ABALONE, "binary", PAIR),
        ONE_PROBABILITY,
        sigmoid,
    ),
    "arrays": Case(catalogued("linear", {}, ROWS, 3), problem_of(ROWS), SCORES, lambda raw: raw),
    "a user's model": Case(
        textbook_cnn,
        problem_of(DIGITS),
        Fit("integer", "classes", "probabilities"),
        lambda raw: raw,
        activated=True,
    ),
}


@pytest.fixture(scope="module")
def run_folders(tmp_path_factory) -> dict[str, tuple[Path, np.ndarray]]:
    """For each case a folder as a run leaves it, and the raw outputs that the engine would have read."""
    folders = {}
    for number, (name, case) in enumerate(CASES.items()):
        folder, core, raw = tmp_path_factory.mktemp(str(number)), case.core(), raw_data(case.problem.inputs)
        model = whole.whole_model(core, case.problem, case.fit, activated=case.activated)
        assert whole.save_whole(folder / "model.keras", model) is None
        assert os.listdir(folder) == ["model.keras"]
        np.save(folder / "raw.npy", raw)
        folders[name] = (folder, raw_outputs(core, case.problem.inputs, raw))
    predict_plainly(*(folder for folder, _ in folders.values()))
    return folders


@pytest.mark.parametrize("name", CASES)
def test_a_fresh_process_with_keras_alone_says_what_the_engine_said(run_folders, name):
    folder, outputs = run_folders[name]
    for got in predicted(folder):
        np.testing.assert_allclose(got, CASES[name].read(outputs), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("inputs", [DIGITS, ABALONE], ids=["images", "table"])
def test_a_core_of_bfloat16_gives_float32(inputs):
    core = networks.build("mlp", {}, inputs, 3, "channels_last", "bfloat16")
    model = whole.whole_model(core, problem_of(inputs), LOGITS)
    outputs = model(raw_data(inputs)).detach().cpu()
    assert outputs.dtype == torch.float32
    np.testing.assert_allclose(outputs.sum(dim=1), 1.0, atol=1e-6)


def test_tables_are_encoded_as_the_engine_encodes_them_also_unknown_codes():
    raw = raw_data(ABALONE)
    raw[0, 0], raw[1, 3], raw[2, 0] = 3, 5, -1
    core = keras.Sequential([keras.Input((ABALONE.features,)), keras.layers.Identity()])
    got = whole.whole_model(core, problem_of(ABALONE, "regression"), VALUES)(raw).detach().cpu().numpy()
    np.testing.assert_allclose(got, ABALONE.encode(raw), atol=1e-6)
    assert not ABALONE.encode(raw)[0, :3].any()


@pytest.mark.parametrize(
    ("mean", "deviation", "called", "predicted"),
    [(0.5, 0.1, 1e-6, 1e-6), (1e6, 1.0, 1e-6, 0.032), (3e-9, 1e-9, 1e-6, 1e-6), (1e20, 1e18, 2e-5, 2e-5)],
)
def test_standardisation_of_columns_far_from_zero_or_of_odd_scale(mean, deviation, called, predicted):
    inputs = TableInputs((Column("x", mean, deviation), Column("y", 0.0, 1.0)))
    raw = raw_data(inputs, 200)
    core = keras.Sequential([keras.Input((2,)), keras.layers.Identity()])
    model = whole.whole_model(core, problem_of(inputs, "regression"), VALUES)
    np.testing.assert_allclose(model(raw).detach().cpu().numpy(), inputs.encode(raw), atol=called)
    np.testing.assert_allclose(model.predict(raw, verbose=0), inputs.encode(raw), atol=predicted)


@pytest.mark.parametrize("inputs", [DIGITS, ABALONE], ids=["images", "table"])
def test_the_same_model_gives_the_same_bytes_whatever_was_built_before(tmp_path, inputs):
    files = []
    for number in range(2):
        path = tmp_path / f"{number}.keras"
        core = built("mlp", {"dropout": 0.1}, inputs, 3)
        whole.save_whole(path, whole.whole_model(core, problem_of(inputs), LOGITS))
        files.append(path.read_bytes())
        keras.layers.Dropout(0.1)(keras.Input((3,)))
    assert files[0] == files[1]


class Net(keras.Model):
    """A user's own class."""

    def __init__(self, units=3, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.flat, self.head = keras.layers.Flatten(), keras.layers.Dense(units)

    def call(self, x):
        return self.head(self.flat(x))


class Closed(Net):
    def get_config(self):
        raise NotImplementedError("this model keeps its secrets")


def squared(x):
    return x * x


def with_own_activation():
    return keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(3, activation=squared)])


def with_lambda():
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Flatten(),
            keras.layers.Lambda(lambda x: x * 2.0),
            keras.layers.Dense(3),
        ]
    )


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (Net, "loads only beside your own code: it holds Net"),
        (with_own_activation, "loads only beside your own code: it holds squared"),
        (with_lambda, "a Lambda layer"),
    ],
)
def test_a_file_that_needs_the_user_s_code_says_so(tmp_path, make, words):
    core = make()
    path = tmp_path / "model.keras"
    assert words in whole.save_whole(path, whole.whole_model(core, problem_of(DIGITS), LOGITS))
    names = {"Net": Net, "squared": squared}
    again = keras.saving.load_model(path, custom_objects=names, safe_mode=False)
    raw = raw_data(DIGITS)
    np.testing.assert_allclose(
        again.predict(raw, verbose=0), softmax(raw_outputs(core, DIGITS, raw)), rtol=1e-5, atol=1e-6
    )


def test_a_model_that_keras_cannot_write_leaves_no_file(tmp_path):
    said = whole.save_whole(tmp_path / "model.keras", whole.whole_model(Closed(), problem_of(DIGITS), LOGITS))
    assert "was not written" in said
    assert "keeps its secrets" in said
    assert os.listdir(tmp_path) == []


def test_labels_are_json_and_name_classes_codes_and_outputs():
    said = json.loads(json.dumps(whole.labels(problem_of(ABALONE, "binary", ("no", "yes")), ONE_LOGIT)))
    assert said["classes"] == ["no", "yes"]
    assert said["output"] == {"meaning": "the probability of the second class", "second_class_above": 0.5}
    assert said["inputs"]["columns"][0] == {"name": "sex", "codes": {"F": 0, "I": 1, "M": 2}}
    assert said["inputs"]["columns"][1] == {"name": "length"}


@pytest.mark.parametrize(
    ("task", "fit", "words"),
    [
        ("regression", VALUES, "rings, in its own units"),
        ("multiclass", LOGITS, "one probability a class"),
        ("multiclass", SCORES, "no probabilities"),
        ("binary", ONE_PROBABILITY, "the probability of the second class"),
    ],
)
def test_labels_say_what_the_outputs_are(task, fit, words):
    said = whole.labels(problem_of(DIGITS, task), fit)
    assert words in said["output"]["meaning"]
    assert said["inputs"] == {
        "kind": "image",
        "shape": [8, 8, 1],
        "axes": ["height", "width", "channels"],
        "white": 16.0,
    }
