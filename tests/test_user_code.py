"""The user's own Python: what is accepted, what it becomes, and where its errors are shown."""

import os

os.environ["KERAS_BACKEND"] = "torch"

import hashlib
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import torch

from lossopt_cli.errors import RunError, UsageError
from lossopt_cli.training.user_code import keep_copies, load_object, running
from lossopt_cli.training.user_faults import user_fault
from lossopt_cli.training.user_models import make_model
from lossopt_cli.training.user_optimizers import (
    KerasOptimizer,
    TorchFactory,
    make_optimizer,
    named_torch_optimizer,
)
from lossopt_cli.training.user_parts import check_loss_value, make_data, make_loss

EXAMPLES = Path(__file__).parent / "examples"
CONFIGS = Path(__file__).parents[1] / "configs"
Y_TRUE = torch.tensor([[0.0], [1.0], [2.0]])
Y_PRED = torch.tensor([[0.5], [-1.0], [2.0]], requires_grad=True)  # residuals -0.5, 2, 0


def written(folder: Path, text: str, name: str = "mine.py") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def loaded(folder: Path, text: str, name: str, where: str = "--loss"):
    written(folder, text)
    return load_object(f"mine.py:{name}", where, folder)


def example(reference: str):
    return load_object(reference, None, EXAMPLES)


def said(error: pytest.ExceptionInfo) -> str:
    return str(error.value)


# -- loading


def test_a_file_is_executed_once_and_again_when_it_has_changed(tmp_path):
    text = "def f(): pass\n"
    first = loaded(tmp_path, text, "f")
    assert loaded(tmp_path, text, "f").value is first.value
    assert loaded(tmp_path, text + "\nx = 1\n", "f").value is not first.value


def test_the_hash_is_that_of_the_bytes_and_the_module_is_registered(tmp_path):
    obj = loaded(tmp_path, "def f(): pass\n", "f")
    assert obj.sha256 == hashlib.sha256(b"def f(): pass\n").hexdigest()
    assert sys.modules[obj.value.__module__].f is obj.value
    assert obj.source == "def f(): pass\n"
    assert not (tmp_path / "__pycache__").exists()


def test_neighbours_of_two_folders_with_one_name_are_kept_apart(tmp_path):
    values = []
    for number in (1, 2):
        folder = tmp_path / str(number)
        folder.mkdir()
        written(folder, f"VALUE = {number}\n", "my_parts.py")
        written(folder, "from my_parts import VALUE\ndef f(): return VALUE\n")
        obj = load_object("mine.py:f", None, folder)
        assert [n.path for n in obj.neighbours] == [folder / "my_parts.py"]
        values.append(obj.value())
    assert values == [1, 2]
    assert not {str(tmp_path / "1"), str(tmp_path / "2")} & set(sys.path)


def test_the_fingerprint_changes_with_a_neighbour(tmp_path):
    written(tmp_path, "VALUE = 1\n", "my_other_parts.py")
    text = "import my_other_parts\ndef f(): pass\n"
    before = loaded(tmp_path, text, "f").fingerprint
    written(tmp_path, "VALUE = 2\n", "my_other_parts.py")
    assert loaded(tmp_path, text, "f").fingerprint != before


LOADING_FAULTS = {
    "no name": ("mine.py", ["names no object", "file.py:name"]),
    "no file": ("mien.py:loss", ["no file", "mine.py"]),
    "no folder": ("nowhere/mine.py:loss", ["no file", "nowhere"]),
    "a folder": ("folder.py:loss", ["is a folder"]),
    "nearest name": ("mine.py:my_los", ["defines no 'my_los'", "did you mean my_loss?"]),
    "names that there are": ("mine.py:zzz", ["defines no 'zzz'", "my_loss"]),
}


@pytest.mark.parametrize(("reference", "words"), LOADING_FAULTS.values(), ids=LOADING_FAULTS)
def test_what_is_not_there_is_said_with_what_is(tmp_path, reference, words):
    written(tmp_path, "def my_loss(y_true, y_pred): pass\n")
    (tmp_path / "folder.py").mkdir()
    with pytest.raises(UsageError) as error:
        load_object(reference, "--loss", tmp_path)
    assert all(word in said(error) for word in ["--loss", *words])


EXECUTING_FAULTS = {
    "raises": ("x = 1\ny = {}['delta']\n", ["mine.py:2", "KeyError: 'delta'", "y = {}['delta']"]),
    "syntax": ("def f(:\n    pass\n", ["mine.py:1:7", "SyntaxError", "def f(:"]),
    "exits": ("import sys\nsys.exit(3)\n", ["mine.py:2", "ended the program", "__main__"]),
    "module": ("\nimport no_such_module_of_mine\n", ["mine.py:2", "install no_such_module_of_mine"]),
    "tensorflow": (
        "import tensorflow as tf\ndef f(a, b): return tf.reduce_mean(tf.abs(a - b))\n",
        ["mine.py:1", "import tensorflow", "keras.ops.mean for tf.reduce_mean", "keras.ops.abs for tf.abs"],
    ),
    "tensorflow.keras": ("from tensorflow.keras import layers\n", ["mine.py:1", "import keras instead"]),
    "backend": ("from keras.backend import square\n", ["mine.py:1", "keras.ops"]),
}


@pytest.mark.parametrize(("text", "words"), EXECUTING_FAULTS.values(), ids=EXECUTING_FAULTS)
def test_an_error_while_executing_is_shown_at_the_users_line(tmp_path, text, words):
    with pytest.raises(UsageError) as error:
        loaded(tmp_path, text, "f", "mine.yaml:3:7")
    assert all(word in said(error) for word in ["mine.yaml:3:7", *words]), said(error)
    path = str(tmp_path / "mine.py")
    assert [n for n, module in sys.modules.items() if getattr(module, "__file__", "") == path] == []


def test_an_error_in_a_neighbour_is_shown_in_the_neighbour(tmp_path):
    written(tmp_path, "a = 1\nb = a / 0\n", "my_broken_parts.py")
    with pytest.raises(UsageError, match=r"my_broken_parts.py:2.*ZeroDivisionError"):
        loaded(tmp_path, "import my_broken_parts\n", "f")


# -- errors while running

RUNNING_FAULTS = {
    "raise": ("    raise ValueError('no such thing')", ["mine.py:4 in f", "ValueError: no such thing"]),
    "deep in a library": (
        "    return keras.ops.reshape(y_true, (7,))",
        ["mine.py:4 in f", "reshape(y_true, (7,))"],
    ),
    "tf": ("    return tf.reduce_sum(y_pred)", ["mine.py:4 in f", "NameError", "keras.ops.sum"]),
    "K": ("    return K.mean(y_pred)", ["mine.py:4 in f", "AttributeError", "keras.ops.mean for K.mean"]),
    "numpy": ("    return np.mean(y_pred)", ["mine.py:4 in f", "keras.ops or torch", "gradient"]),
    "numpy's log": ("    return np.log(y_pred)", ["mine.py:4 in f", "keras.ops or torch", "gradient"]),
    "a constant": ("    return np.ones(3) * y_pred", ["mine.py:4 in f", "convert_to_tensor"]),
    "lambda": ("    return (lambda x: x / 0)(1)", ["mine.py:4 in f.a lambda", "ZeroDivisionError"]),
}


@pytest.mark.parametrize(("line", "words"), RUNNING_FAULTS.values(), ids=RUNNING_FAULTS)
def test_an_error_in_a_loss_is_shown_at_the_users_line(tmp_path, line, words):
    head = "import keras, torch\nimport numpy as np\n"
    body = f"def f(y_true, y_pred):\n{line}\n"
    text = head + body + "from keras import backend as K\n"
    loss = make_loss(loaded(tmp_path, text, "f"), {})
    with pytest.raises(UsageError) as error:
        loss.check(Y_TRUE, Y_PRED)
    assert all(word in said(error) for word in words), said(error)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Keras warns that it could not build what raises
def test_an_error_in_a_layer_is_said_without_what_keras_wraps_around_it(tmp_path):
    text = (
        "import keras\nclass M(keras.Model):\n"
        "    def __init__(self):\n        super().__init__()\n        self.d = keras.layers.Dense(1)\n"
        "    def call(self, x):\n        raise ValueError('bad thing')\n"
    )
    with pytest.raises(UsageError) as error:
        make_model(loaded(tmp_path, text, "M"), {}, (3,), 1)
    assert "mine.py:7 in M.call" in said(error)
    assert "ValueError: bad thing" in said(error)
    assert "Arguments received" not in said(error)


def test_an_error_outside_the_users_files_is_no_fault_of_theirs(tmp_path):
    obj = loaded(tmp_path, "def f(): pass\n", "f")
    with pytest.raises(ZeroDivisionError) as error, running(obj, raises=RunError):
        1 / 0  # noqa: B018
    assert user_fault(error.value, obj.files) is None


# -- losses

ASYMMETRIC = "def loss(y_true, y_pred, weight=2.0):\n    return weight * (y_true - y_pred)[:, 0]\n"
# mean of the residuals (-0.5 + 2 + 0) / 3 = 0.5, times the weight
LOSSES = {
    "function": (ASYMMETRIC, {}, 1.0, {"weight": 2.0}, "keras"),
    "function with a setting": (ASYMMETRIC, {"weight": 4.0}, 2.0, {"weight": 4.0}, "keras"),
    "required setting": (
        "def loss(y_true, y_pred, weight):\n    return weight * (y_true - y_pred)\n",
        {"weight": 2.0},
        1.0,
        {"weight": 2.0},
        "keras",
    ),
    "factory": (
        "def loss(w=2.0):\n    def f(y_true, y_pred): return w * (y_true - y_pred)\n    return f\n",
        {"w": 6.0},
        3.0,
        {"w": 6.0},
        "keras",
    ),
    "factory of two": (
        "def loss(weight, power):\n    return lambda y_true, y_pred: weight * (y_true - y_pred) ** power\n",
        {"weight": 2.0, "power": 1},
        1.0,
        {"weight": 2.0, "power": 1},
        "keras",
    ),
    "names in torch's order": (
        "def loss(pred, target):\n    return target - pred\n",
        {},
        0.5,
        {},
        "torch",
    ),
    "keras class": (
        (
            "import keras\nclass loss(keras.losses.Loss):\n"
            "    def __init__(self, weight=2.0, **kwargs):\n"
            "        super().__init__(**kwargs)\n        self.weight = weight\n"
            "    def call(self, y_true, y_pred):\n        return self.weight * (y_true - y_pred)[:, 0]\n"
        ),
        {"reduction": "sum"},
        3.0,
        {"weight": 2.0, "reduction": "sum"},
        "keras",
    ),
    "keras instance": ("import keras\nloss = keras.losses.MeanAbsoluteError()\n", {}, 2.5 / 3, {}, "keras"),
    "keras factory": (
        "import keras\ndef loss(d=1.0): return keras.losses.Huber(delta=d)\n",
        {"d": 0.5},
        (0.125 + 0.875) / 3,
        {"d": 0.5},
        "keras",
    ),
    "callable class": (
        (
            "class loss:\n    def __init__(self, w=2.0): self.w = w\n"
            "    def __call__(self, y_true, y_pred): return self.w * (y_true - y_pred)\n"
        ),
        {},
        1.0,
        {"w": 2.0},
        "keras",
    ),
}


@pytest.mark.parametrize(("text", "settings", "value", "resolved", "convention"), LOSSES.values(), ids=LOSSES)
def test_a_loss_of_every_form(tmp_path, text, settings, value, resolved, convention):
    loss = make_loss(loaded(tmp_path, text, "loss"), settings)
    assert loss(Y_TRUE, Y_PRED).item() == pytest.approx(value, rel=1e-6)
    assert loss.settings_resolved == resolved
    assert loss.convention == convention
    loss.check(Y_TRUE, Y_PRED)


@pytest.mark.parametrize("name", ["Pinball", "pinball"])
def test_a_torch_loss_gets_its_input_first(name):
    """Residuals -0.5, 2, 0 at quantile 0.9: (0.05 + 1.8 + 0) / 3."""
    loss = make_loss(example(f"torch_parts.py:{name}"), {"quantile": 0.9})
    assert loss.convention == "torch"
    assert loss(Y_TRUE, Y_PRED).item() == pytest.approx(1.85 / 3, rel=1e-6)
    assert loss.settings_resolved == {"quantile": 0.9}


def test_the_custom_losses_of_the_configs_are_those_of_keras():
    generator = np.random.default_rng(0)
    y_true, y_pred = (torch.tensor(generator.normal(size=(16, 1)), dtype=torch.float32) for _ in range(2))
    huber = make_loss(load_object("custom_losses.py:huber", None, CONFIGS), {"delta": 0.5})
    mse = make_loss(load_object("custom_losses.py:mean_squared_error", None, CONFIGS), {})
    assert huber(y_true, y_pred).item() == pytest.approx(keras.losses.Huber(0.5)(y_true, y_pred).item(), rel=1e-6)
    assert mse(y_true, y_pred).item() == pytest.approx(torch.nn.MSELoss()(y_pred, y_true).item(), rel=1e-6)


def test_targets_and_reads_are_split_off_unless_the_signature_has_them(tmp_path):
    obj = loaded(tmp_path, "def f(y_true, y_pred): return y_pred\ndef g(y_true, y_pred, reads=1): return y_pred\n", "f")
    loss = make_loss(obj, {"targets": "one_hot", "reads": "logits"})
    assert (loss.targets, loss.reads, loss.settings_resolved) == ("one_hot", "logits", {})
    other = make_loss(load_object("mine.py:g", None, tmp_path), {"reads": 2})
    assert (other.reads, other.settings_resolved) == (None, {"reads": 2})
    with pytest.raises(UsageError, match="did you mean one_hot"):
        make_loss(obj, {"targets": "onehot"})


LOSS_FAULTS = {
    "unknown setting": (ASYMMETRIC, {"wieght": 1.0}, ["no setting 'wieght'", "did you mean weight?"]),
    "missing setting": ("def loss(y_true, y_pred, delta): pass\n", {}, ["needs the setting 'delta'"]),
    "one argument": ("def loss(y_pred): pass\n", {}, ["takes one argument", "(y_true, y_pred"]),
    "no loss returned": ("def loss(): return 3.0\n", {}, ["returned a float, not a loss"]),
    "no function": ("loss = 3.0\n", {}, ["is a float"]),
    "instance": ("import keras\nloss = keras.losses.Huber()\n", {"delta": 2.0}, ["has no setting 'delta'"]),
    "a layer": ("import keras\ndef loss(): return keras.layers.Add()\n", {}, ["not a loss"]),
    "weights": (
        (
            "import torch\nclass loss(torch.nn.Module):\n"
            "    def __init__(self):\n"
            "        super().__init__()\n        self.w = torch.nn.Parameter(torch.ones(1))\n"
            "    def forward(self, input, target): return self.w * (input - target)\n"
        ),
        {},
        ["weights of its own"],
    ),
    "raising constructor": (
        "def loss(a=1):\n    raise RuntimeError('not today')\n",
        {},
        ["mine.py:2 in loss", "not today"],
    ),
}


@pytest.mark.parametrize(("text", "settings", "words"), LOSS_FAULTS.values(), ids=LOSS_FAULTS)
def test_a_loss_that_is_none_is_refused(tmp_path, text, settings, words):
    with pytest.raises(UsageError) as error:
        make_loss(loaded(tmp_path, text, "loss"), settings)
    assert all(word in said(error) for word in words), said(error)


def test_all_wrong_settings_are_said_at_once(tmp_path):
    with pytest.raises(UsageError) as error:
        make_loss(loaded(tmp_path, "def f(y_true, y_pred, delta): pass\n", "f"), {"a": 1, "b": 2})
    assert len(error.value.faults) == 3


VALUES = {
    "None": (None, "returned None"),
    "float": (1.0, "returned a float"),
    "array": (np.zeros(3), "returned a numpy ndarray"),
    "shape": (torch.zeros(3, 3, requires_grad=True), r"shape \[3, 3\] for a batch of 3"),
    "other batch": (torch.zeros(4, requires_grad=True), r"shape \[4\]"),
    "integers": (torch.zeros(3, dtype=torch.int64), "int64"),
    "no gradient": (torch.zeros(3), "without a gradient"),
    "nan": (torch.full((), torch.nan, requires_grad=True), "NaN on the first batch"),
    "infinite": (torch.full((3,), torch.inf, requires_grad=True), "infinite on the first batch"),
}


@pytest.mark.parametrize(("value", "words"), VALUES.values(), ids=VALUES)
def test_a_wrong_value_of_a_loss_is_said_at_once(value, words):
    with pytest.raises(UsageError, match=words):
        check_loss_value(value, 3, "my_loss", "--loss", (3, 1))


@pytest.mark.parametrize("shape", [(), (3,), (3, 1), (3, 2)])
def test_the_right_shapes_of_a_loss(shape):
    check_loss_value(torch.ones(shape, requires_grad=True), 3, outputs=(3, 2))


# -- optimizers


def test_a_keras_optimizer_class_gets_its_settings_and_those_of_its_base():
    made = make_optimizer(example("quadratic.py:SignDescent"), {"damping": 0.5, "clipnorm": 1.0}, 0.2)
    assert isinstance(made, KerasOptimizer)
    assert (made.learning_rate, made.settings_resolved) == (0.2, {"damping": 0.5, "clipnorm": 1.0})
    assert float(made.optimizer.learning_rate) == pytest.approx(0.2)
    assert made.optimizer.clipnorm == 1.0


def test_one_step_of_the_custom_optimizer():
    optimizer = make_optimizer(example("quadratic.py:SignDescent"), {"damping": 0.5}, 0.2).optimizer
    variable = keras.Variable([1.0, 1.0])
    optimizer.build([variable])
    optimizer.apply([torch.tensor([3.0, -4.0])])
    assert variable.value.detach().numpy() == pytest.approx([0.9, 1.1])


def test_the_default_rate_of_the_signature_is_recorded():
    made = make_optimizer(example("quadratic.py:SignDescent"), {}, None)
    assert (made.learning_rate, made.settings_resolved) == (0.01, {"damping": 1.0})


@pytest.mark.parametrize(
    ("name", "settings", "rate", "resolved"),
    [
        ("PlainDescent", {}, 0.1, {}),
        ("PlainDescent", {"lr": 0.5}, 0.5, {}),
        ("adam", {"betas": [0.8, 0.9]}, 0.001, {"betas": [0.8, 0.9]}),
        ("adam", {"learning_rate": 0.5}, 0.5, {"betas": [0.9, 0.999]}),
    ],
)
def test_a_torch_class_or_factory_takes_the_parameters_first(name, settings, rate, resolved):
    factory = make_optimizer(example(f"torch_parts.py:{name}"), settings, None)
    assert isinstance(factory, TorchFactory)
    assert (factory.learning_rate, factory.settings_resolved) == (rate, resolved)
    optimizer = factory([torch.nn.Parameter(torch.ones(2))])
    assert optimizer.param_groups[0]["lr"] == rate
    assert optimizer.param_groups[0].get("betas", (0.9, 0.999)) == tuple(resolved.get("betas", (0.9, 0.999)))


OPTIMIZER_FAULTS = {
    "no rate": (
        "import keras\ndef o(): return keras.optimizers.SGD()\n",
        {},
        0.1,
        ["takes no learning rate"],
    ),
    "a list of rates": (
        "import keras\no = keras.optimizers.SGD\n",
        {"learning_rate": [0.1]},
        None,
        ["learning_rate cannot be [0.1]"],
    ),
    "two rates": ("import keras\ndef o(lr=1.0): pass\n", {"lr": 0.2}, 0.1, ["two learning rates"]),
    "instance": (
        "import keras\no = keras.optimizers.SGD()\n",
        {},
        0.1,
        ["already constructed", "learning_rate"],
    ),
    "unknown": (
        "import torch\nclass o(torch.optim.SGD): pass\n",
        {"momentun": 1},
        None,
        ["did you mean momentum?"],
    ),
    "closure": (
        "import torch\nclass o(torch.optim.SGD):\n    def step(self, closure): pass\n",
        {},
        None,
        ["closure"],
    ),
    "nothing": ("def o(lr=0.1): return 3\n", {}, None, ["gave an int"]),
    "params unnamed": (
        "import torch\ndef o(p=None): return torch.optim.SGD([torch.zeros(1)])\n",
        {},
        None,
        ["first parameter must be named params"],
    ),
    "text": ("import keras\no = keras.optimizers.SGD\n", {"learning_rate": "fast"}, None, ["'fast'"]),
    "raises": (
        "import keras\ndef o(a=1):\n    return keras.optimizers.SGD(a)\n",
        {},
        None,
        ["mine.py:3 in o"],
    ),
}


@pytest.mark.parametrize(("text", "settings", "rate", "words"), OPTIMIZER_FAULTS.values(), ids=OPTIMIZER_FAULTS)
def test_an_optimizer_that_cannot_be_is_refused(tmp_path, text, settings, rate, words):
    with pytest.raises(UsageError) as error:
        make_optimizer(loaded(tmp_path, text, "o", "--opt"), settings, rate)
    assert all(word in said(error) for word in ["--opt", *words]), said(error)


def test_an_instance_is_taken_as_it_is(tmp_path):
    made = make_optimizer(loaded(tmp_path, "import keras\no = keras.optimizers.SGD(0.25)\n", "o"), {}, None)
    assert made.learning_rate == pytest.approx(0.25)


TORCH_REFUSED = {"LBFGS": "closure", "Muon": "matrices only", "SparseAdam": "sparse"}
TORCH_NAMES = sorted(
    {name for name, value in vars(torch.optim).items() if isinstance(value, type)} - {"Optimizer", *TORCH_REFUSED}
)


@pytest.mark.parametrize("name", TORCH_NAMES)
def test_every_optimizer_of_torch_is_found_by_name(name):
    factory = named_torch_optimizer(f"torch.{name.lower()}", {}, 0.125)
    optimizer = factory([torch.nn.Parameter(torch.ones(2, 2))])
    assert type(optimizer) is getattr(torch.optim, name)
    assert optimizer.param_groups[0]["lr"] == 0.125
    assert factory.name == f"torch.{name}"


@pytest.mark.parametrize(("name", "reason"), TORCH_REFUSED.items())
def test_what_needs_more_than_a_gradient_is_refused(name, reason):
    with pytest.raises(UsageError, match=reason):
        named_torch_optimizer(f"torch.{name}", {}, None, "--opt")


def test_the_defaults_of_a_named_optimizer_are_recorded():
    factory = named_torch_optimizer("torch.SGD", {"momentum": 0.9}, None)
    assert factory.learning_rate == torch.optim.SGD([torch.zeros(1)]).defaults["lr"]
    assert factory.settings_resolved["momentum"] == 0.9
    assert factory.settings_resolved["nesterov"] is False


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("torch.Adamm", {}, "torch.Adam"),
        ("torch.SGD", {"momentun": 0.9}, "did you mean momentum"),
        ("torch.", {}, "unknown optimizer"),
        ("jax.SGD", {}, "torch.NAME"),
    ],
)
def test_an_unknown_name_or_setting_gets_the_nearest(name, settings, words):
    with pytest.raises(UsageError, match=words):
        named_torch_optimizer(name, settings, None, "--opt")


def test_what_a_torch_optimizer_refuses_is_said_without_a_traceback():
    with pytest.raises(UsageError, match=r"torch\.SGD cannot be constructed"):
        named_torch_optimizer("torch.SGD", {"nesterov": True}, None)([torch.nn.Parameter(torch.ones(2))])


@pytest.mark.parametrize("package", ["pytorch_optimizer", "schedulefree"])
def test_a_package_that_is_not_installed_says_what_to_install(package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)  # what Python itself keeps for a module that must not be found
    with pytest.raises(UsageError, match=f"pip install {package}"):
        named_torch_optimizer(f"{package}.Anything", {}, None)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("SAM", "twice a step"),
        ("Lookahead", "first argument is optimizer"),
        ("AdaHessian", "second derivatives"),
        ("AliG", "closure"),
    ],
)
def test_what_an_ordinary_step_cannot_drive_is_refused(name, reason):
    pytest.importorskip("pytorch_optimizer", reason="pip install 'lossopt[optimizers]'")
    with pytest.raises(UsageError, match=reason):
        named_torch_optimizer(f"pytorch_optimizer.{name}", {}, None)


@pytest.mark.parametrize(
    ("name", "modes"), [("pytorch_optimizer.Lion", False), ("schedulefree.AdamWScheduleFree", True)]
)
def test_a_named_optimizer_of_another_package_trains(name, modes):
    pytest.importorskip(name.partition(".")[0], reason="pip install 'lossopt[optimizers]'")
    factory = named_torch_optimizer(name, {}, 0.01)
    assert factory.modes is modes
    parameter = torch.nn.Parameter(torch.ones(2))
    optimizer = factory([parameter])
    if modes:
        optimizer.train()
    parameter.grad = torch.ones(2)
    optimizer.step()
    assert (parameter < 1).all()


# -- models


def test_a_textbook_model_is_filled_in_and_built():
    made = make_model(example("textbook_cnn.py:linear_head"), {"filters": 2}, (28, 28, 1), 10)
    assert made.model.input_shape == (None, 28, 28, 1)
    assert (made.output_shape, made.told_units, made.ends_in) == ((10,), True, None)
    assert made.settings_resolved == {"filters": 2}


def test_units_that_the_user_sets_are_the_users():
    made = make_model(example("textbook_cnn.py:linear_head"), {"num_classes": 7}, (28, 28, 1), 10)
    assert (made.output_shape, made.told_units) == ((7,), False)
    assert made.settings_resolved["num_classes"] == 7


def test_a_parameter_vector_is_a_model():
    made = make_model(example("quadratic.py:model"), {}, (1,), 1)
    assert (made.output_shape, made.told_units, made.settings_resolved) == ((2,), False, {"size": 2})


SUBCLASS = """
import keras
class M(keras.Model):
    def __init__(self, units, hidden=4):
        super().__init__()
        self.first = keras.layers.Dense(hidden, activation="relu")
        self.last = keras.layers.Dense(units, activation={activation})
    def call(self, x):
        return self.last(self.first(x))
"""
FUNCTIONAL = """
import keras
def M(input_shape, units):
    x = keras.Input(input_shape)
    return keras.Model(x, {ending})
"""
ENDINGS = {
    "softmax layer of a subclass": (SUBCLASS.format(activation="'softmax'"), 3, "softmax"),
    "sigmoid of a subclass": (SUBCLASS.format(activation="'sigmoid'"), 1, "sigmoid"),
    "linear subclass": (SUBCLASS.format(activation="None"), 3, None),
    "relu subclass": (SUBCLASS.format(activation="'relu'"), 3, None),
    "softmax of a layer": (
        FUNCTIONAL.format(ending="keras.layers.Softmax()(keras.layers.Dense(units)(x))"),
        3,
        "softmax",
    ),
    "activation layer": (
        FUNCTIONAL.format(ending="keras.layers.Activation('sigmoid')(keras.layers.Dense(units)(x))"),
        1,
        "sigmoid",
    ),
    "softmax operation": (
        FUNCTIONAL.format(ending="keras.ops.softmax(keras.layers.Dense(units)(x))"),
        3,
        "softmax",
    ),
    "nested": (
        FUNCTIONAL.format(ending="keras.Sequential([keras.layers.Dense(units, activation='softmax')])(x)"),
        3,
        "softmax",
    ),
    "tanh": (FUNCTIONAL.format(ending="keras.layers.Dense(units, activation='tanh')(x)"), 3, None),
}


@pytest.mark.parametrize(("text", "units", "ending"), ENDINGS.values(), ids=ENDINGS)
def test_a_head_with_an_activation_is_found(tmp_path, text, units, ending):
    keras.utils.set_random_seed(0)
    made = make_model(loaded(tmp_path, text, "M"), {}, (5,), units)
    assert made.ends_in == ending
    assert made.output_shape == (units,)


def test_a_softmax_head_of_a_sequential_model_is_found():
    assert make_model(example("textbook_cnn.py:softmax_head"), {}, (28, 28, 1), 10).ends_in == "softmax"


def test_looking_at_a_model_draws_no_random_number(tmp_path):
    text = SUBCLASS.format(activation="None")
    keras.utils.set_random_seed(0)
    make_model(loaded(tmp_path, text, "M"), {}, (5,), 3)
    after = torch.rand(1), np.random.rand()
    keras.utils.set_random_seed(0)
    module = sys.modules[load_object("mine.py:M", None, tmp_path).value.__module__]
    module.M(3)(keras.Input((5,)))
    assert (torch.rand(1), np.random.rand()) == after


MODEL_FAULTS = {
    "other input": (
        "import keras\ndef m(): return keras.Sequential([keras.Input((28, 28, 1)), keras.layers.ReLU()])\n",
        ["takes inputs of shape (None, 28, 28, 1)", "(None, 5)"],
    ),
    "other units": (
        "import keras\ndef m(units): return keras.Sequential([keras.layers.Dense(units + 1)])\n",
        ["outputs of shape (None, 4)", "(None, 3)"],
    ),
    "None": ("import keras\ndef m(): keras.Sequential([])\n", ["returned None"]),
    "instance": (
        "import keras\nm = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3)])\n",
        ["built when its file was read"],
    ),
    "no weights": ("import keras\ndef m(): return keras.Sequential([keras.layers.ReLU()])\n", ["no weights"]),
    "raises": ("import keras\ndef m():\n    return keras.layers.Dense(-1)\n", ["mine.py:3 in m"]),
    "list": (
        (
            "import keras\ndef m(input_shape):\n    x = keras.Input(input_shape)\n"
            "    y = keras.layers.Dense(2)(x)\n    return keras.Model(x, [y, y])\n"
        ),
        ["gives a list", "one output tensor"],
    ),
    "no model": ("m = 3\n", ["is an int"]),
}


@pytest.mark.parametrize(("text", "words"), MODEL_FAULTS.values(), ids=MODEL_FAULTS)
def test_a_model_that_does_not_fit_is_refused(tmp_path, text, words):
    with pytest.raises(UsageError) as error:
        make_model(loaded(tmp_path, text, "m", "--model"), {}, (5,), 3)
    assert all(word in said(error) for word in ["--model", *words]), said(error)


# -- data and copies


def test_data_come_from_the_users_function():
    inputs, targets = make_data(example("quadratic.py:data"), {"examples": 5})
    assert (inputs.shape, targets.shape) == ((5, 1), (5, 2))


def test_an_error_in_the_users_data_is_shown_at_its_line(tmp_path):
    obj = loaded(tmp_path, "def data():\n    return open('nothing-here.csv')\n", "data")
    with pytest.raises(UsageError, match=r"mine.py:2 in data(.|\n)*FileNotFoundError"):
        make_data(obj, {})


def test_the_parts_of_a_quadratic_form_reach_its_minimum():
    """An error shrinks by 1 - 0.1 * curvature a step: 3 * 0.9^100 = 8e-5, and 0 for curvature 10."""
    model = make_model(example("quadratic.py:model"), {}, (1,), 1).model
    loss = make_loss(example("quadratic.py:loss"), {})
    factory = make_optimizer(example("torch_parts.py:PlainDescent"), {}, 0.1)
    inputs, targets = (torch.as_tensor(a) for a in make_data(example("quadratic.py:data"), {"examples": 4}))
    variable = model.trainable_variables[0].value
    optimizer = factory([variable])
    for _ in range(100):
        variable.grad = torch.autograd.grad(loss(targets, model(inputs)), variable)[0]
        optimizer.step()
    assert variable.detach().numpy() == pytest.approx([3.0, -2.0], abs=1e-3)


def test_copies_are_the_bytes_that_ran_and_find_their_own_neighbours(tmp_path):
    """Two folders with files of the same names; and again where the folders have one name, too."""
    folders = [tmp_path / "a" / "parts", tmp_path / "b" / "parts"]
    objects = []
    for number, folder in enumerate(folders):
        folder.mkdir(parents=True)
        written(folder, f"N = {number}\n", "my_copied_parts.py")
        written(folder, "import my_copied_parts\ndef f(): return my_copied_parts.N\n")
        objects.append(load_object(str(folder / "mine.py") + ":f", None, tmp_path))
    written(folders[0], "changed = True\n")
    kept = keep_copies(objects, tmp_path / "run")
    assert [kept[o.reference]["file"] for o in objects] == ["code/parts/mine.py", "code/parts-2/mine.py"]
    for number, obj in enumerate(objects):
        copy = tmp_path / "run" / kept[obj.reference]["file"]
        assert hashlib.sha256(copy.read_bytes()).hexdigest() == kept[obj.reference]["sha256"] == obj.sha256
        assert load_object(f"{copy}:f", None, tmp_path).value() == number
    assert set(kept[objects[1].reference]["neighbours"]) == {"code/parts-2/my_copied_parts.py"}


def test_two_objects_of_one_file_are_one_copy(tmp_path):
    objects = [example("quadratic.py:data"), example("quadratic.py:loss")]
    kept = keep_copies(objects, tmp_path)
    assert [kept[o.reference]["file"] for o in objects] == ["code/quadratic.py"] * 2
    assert [p.name for p in (tmp_path / "code").iterdir()] == ["quadratic.py"]
