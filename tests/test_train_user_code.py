"""The user's own loss, optimizer, model and data, together and one at a time, through the command."""

import shutil

import numpy as np
import pytest
from small_problems import Workbench, config_of, problem_of

from lossopt_cli.config.schema import Part
from lossopt_cli.training.building import UserParts
from lossopt_cli.training.user_code import load_object
from tests.conftest import EXAMPLES

QUADRATIC = EXAMPLES / "quadratic.py"


def quadratic(name: str) -> str:
    return f"{QUADRATIC}:{name}"


ALL_FOUR = (
    "--data", f"{quadratic('data')}:examples=64", "--model", quadratic("model"), "--loss", quadratic("loss"),
    "--opt", quadratic("SignDescent"), "--lr", "0.05", "--epochs", "50", "--set", "data.split=[1,0,0]",
    "--set", "data.scale_target=false",
)  # fmt: skip


def test_all_four_parts_minimise_a_quadratic_form(train):
    run = train(*ALL_FOUR)
    assert run.code == 0, run.err
    assert run.result["status"] == "done"
    losses = np.genfromtxt(run.folder / "steps.csv", delimiter=",", names=True)["loss"]
    assert losses[0] == pytest.approx(0.5 * (1.0 * 9.0 + 10.0 * 4.0))
    assert losses[-1] < 0.02
    assert run.result["engine"]["way"] == "traced"
    assert {"code", "config.yaml", "epochs.csv", "steps.csv", "checkpoint"} <= {p.name for p in run.folder.iterdir()}


def test_only_what_differs_from_the_signature_is_told(train):
    run = train(*ALL_FOUR)
    assert "optimizer  quadratic.py:SignDescent, lr 0.05\n" in run.err
    assert "quadratic.py:SignDescent" in run.result["optimizer"]["name"]


def test_the_folder_is_named_by_what_is_taken_from_the_file(train):
    run = train(*ALL_FOUR)
    assert run.folder.name.startswith("data-model-loss-SignDescent-lr0.05-s0-")


def test_the_same_again_gives_the_same_bytes_also_from_the_runs_own_config(train, tmp_path):
    copy = tmp_path / "quadratic.py"
    shutil.copy(QUADRATIC, copy)
    first = train(*(str(word).replace(str(QUADRATIC), str(copy)) for word in ALL_FOUR))
    copy.unlink()
    second = train(first.folder / "config.yaml", "--name", "again")
    assert second.code == 0, second.err
    assert second.result["trial"] == first.result["trial"]
    for table in ("epochs.csv", "steps.csv"):
        assert (second.folder / table).read_bytes() == (first.folder / table).read_bytes()


def test_a_textbook_cnn_with_batch_normalization(train, tmp_path):
    source = tmp_path / "images.py"
    source.write_text(
        "import numpy as np\n\n"
        "def images(n=200):\n"
        "    generator = np.random.default_rng(0)\n"
        "    labels = np.arange(n) % 10\n"
        "    x = generator.integers(0, 60, (n, 28, 28, 1)).astype('uint8')\n"
        "    for row, label in enumerate(labels):\n"
        "        x[row, 2 * label : 2 * label + 6] += 180\n"
        "    return x, labels\n"
    )
    run = train(
        "--data", f"{source}:images", "--model", f"{EXAMPLES / 'textbook_cnn.py'}:linear_head", "--epochs", 8
    )  # fmt: skip
    assert run.code == 0, run.err
    assert run.result["metrics"]["test"]["accuracy"] >= 0.9


def test_a_softmax_head_is_refused_with_the_remedy_and_trains_with_it(train, tmp_path):
    source = tmp_path / "images.py"
    source.write_text(
        "import numpy as np\n\n"
        "def images(n=100):\n"
        "    generator = np.random.default_rng(0)\n"
        "    return generator.random((n, 28, 28, 1)).astype('float32'), np.arange(n) % 10\n"
    )
    common = ("--data", f"{source}:images", "--model", f"{EXAMPLES / 'textbook_cnn.py'}:softmax_head", "--epochs", 1)
    refused = train(*common)
    assert refused.code == 2
    assert "softmax" in refused.err
    assert "from_logits=false" in refused.err
    taken = train(*common, "--loss", "cross_entropy:from_logits=false")
    assert taken.code == 0, taken.err


@pytest.mark.parametrize(
    ("optimizer", "rate"),
    [(f"{EXAMPLES / 'torch_parts.py'}:PlainDescent", 0.1), (f"{EXAMPLES / 'torch_parts.py'}:adam", 0.01),
     ("torch.SGD:momentum=0.9", 0.05), ("torch.AdamW:weight_decay=0.1", 0.01)],
)  # fmt: skip
def test_optimizers_of_torch_train(train, optimizer, rate):
    run = train("--data", "iris", "--opt", optimizer, "--lr", rate)
    assert run.code == 0, run.err
    assert run.result["learned"] is True


def test_a_loss_of_torch_keeps_its_order_of_arguments(train):
    common = ("--data", "diabetes", "--opt", "sgd", "--lr", 0.05, "--epochs", 20, "--set", "train.metric=mae")
    high = train("--loss", f"{EXAMPLES / 'torch_parts.py'}:Pinball:quantile=0.9", *common, "--name", "high")
    low = train("--loss", f"{EXAMPLES / 'torch_parts.py'}:Pinball:quantile=0.1", *common, "--name", "low")
    assert high.code == low.code == 0
    assert high.result["config"]["loss"]["quantile"] == 0.9


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("raise ValueError('no such luck')", ("no such luck", "mine.py:2", "raise ValueError")),
        ("return None", ("returned None",)),
        ("return (y_true - y_pred).sum(axis=0)", ("shape",)),
        ("return ((y_true - y_pred) ** 2).mean() * float('nan')", ("NaN",)),
        ("import tensorflow as tf; return tf.abs(y_true - y_pred)", ("keras.ops",)),
        ("return tf.reduce_mean(tf.abs(y_true - y_pred))", ("keras.ops",)),
    ],
)
def test_a_loss_that_is_wrong_shows_the_users_line(train, tmp_path, body, words):
    source = tmp_path / "mine.py"
    source.write_text(f"def loss(y_true, y_pred):\n    {body}\n")
    run = train("--data", "diabetes", "--loss", f"{source}:loss")
    assert run.code == 2
    assert "Traceback" not in run.err
    for word in words:
        assert word in run.err


def test_a_loss_that_fails_later_ends_as_failed_at_its_line(train, tmp_path):
    source = tmp_path / "mine.py"
    source.write_text(
        "calls = 0\n\n"
        "def loss(y_true, y_pred):\n"
        "    global calls\n"
        "    calls += 1\n"
        "    if calls > 20:\n"
        "        raise RuntimeError('worn out')\n"
        "    return ((y_true - y_pred) ** 2).mean()\n"
    )
    run = train("--data", "diabetes", "--loss", f"{source}:loss", "--epochs", 3)
    assert run.code == 1
    assert "worn out" in run.err
    assert "mine.py:7" in run.err
    assert "Traceback" not in run.err


COUNTING = """
import keras
from keras import ops

class Warming:
    def __init__(self):
        self.calls = 0

    def __call__(self, y_true, y_pred):
        self.calls += 1
        return ops.mean(ops.square(y_true - y_pred)) * min(1.0, self.calls / 100)

warming = Warming()
calls = []

def growing(y_true, y_pred):
    calls.append(len(calls))
    return ops.mean(ops.square(y_true - y_pred)) * min(1.0, len(calls) / 100)

def steady(y_true, y_pred):
    return ops.mean(ops.square(y_true - y_pred))

class Nested:
    def __init__(self):
        self.own = {"parts": [Warming()]}

    def __call__(self, y_true, y_pred):
        return self.own["parts"][0](y_true, y_pred)

nested = Nested()

import torch
import my_counting_neighbour
mean = torch.zeros(3)

def in_place(y_true, y_pred):
    mean.mul_(0.9).add_(0.1)
    return ops.mean(ops.square(y_true - y_pred))

def beside(y_true, y_pred):
    my_counting_neighbour.state.calls += 1
    return ops.mean(ops.square(y_true - y_pred))

def numbers():
    given = 0
    while True:
        given += 1
        yield min(1.0, given)

stream = numbers()

def streaming(y_true, y_pred):
    return ops.mean(ops.square(y_true - y_pred)) * next(stream)

class Seldom(keras.optimizers.SGD):
    calls = 0

    def update_step(self, gradient, variable, learning_rate):
        self.calls += 1
        super().update_step(gradient, variable, learning_rate)

class Plain(keras.optimizers.SGD):
    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient, variable, learning_rate)
"""
ITERATING = """
from keras import ops
ones = iter([1.0] * 100_000)

def iterating(y_true, y_pred):
    return ops.mean(ops.square(y_true - y_pred)) * next(ones)
"""
FORGETS = ("steady",)
REMEMBERS = ("warming", "growing", "nested", "in_place", "beside", "streaming", "iterating")


@pytest.mark.parametrize("name", [*FORGETS, *REMEMBERS])
def test_a_loss_that_remembers_its_calls_is_not_recorded(train, tmp_path, name):
    source, way = tmp_path / "mine.py", "traced" if name in FORGETS else "untraced"
    source.write_text(ITERATING if name == "iterating" else COUNTING)
    (tmp_path / "my_counting_neighbour.py").write_text("class State:\n    calls = 0\n\nstate = State()\n")
    run = train("--data", "diabetes", "--loss", f"{source}:{name}", "--opt", "sgd", "--epochs", 4)
    assert run.code == 0, run.err
    assert run.result["engine"]["way"] == way


@pytest.mark.parametrize(("name", "is_recorded"), [("Plain", True), ("Seldom", False)])
def test_an_optimizer_that_counts_its_updates_is_not_recorded(tmp_path, name, is_recorded):
    (tmp_path / "mine.py").write_text(COUNTING)
    (tmp_path / "my_counting_neighbour.py").write_text("class State:\n    calls = 0\n\nstate = State()\n")
    obj = load_object(f"{tmp_path / 'mine.py'}:{name}", "--opt", tmp_path)
    config = config_of("multiclass", epochs=20)
    config = config.model_copy(update={"optimizer": Part(name=obj.reference)})
    bench = Workbench(config, problem_of("multiclass"), user=UserParts({"optimizer": obj}))
    bench.train()
    assert (bench.built.rule.recorded is not None) is is_recorded
