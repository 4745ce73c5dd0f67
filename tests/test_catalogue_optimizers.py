"""The rows of the optimizers: all of Keras are there, settings are the signature's, presets what they say."""

import inspect
import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import pytest

from lossopt_cli.catalogue.lookup import names_of
from lossopt_cli.catalogue.optimizers import OPTIMIZERS, default_rate, optimizer_named
from lossopt_cli.catalogue.rows import defaults
from lossopt_cli.config.resolving import resolve
from lossopt_cli.errors import UsageError

NO_ROWS = {"Optimizer", "MultiOptimizer", "LossScaleOptimizer", "OptimizerMap"}  # a base, and wrappers


def named(row) -> str:
    return row.name


def keras_class(row) -> type:
    return getattr(keras.optimizers, row.class_name)


def test_every_optimizer_of_keras_is_a_row():
    exported = {name for name, value in vars(keras.optimizers).items() if inspect.isclass(value)} - NO_ROWS
    assert {row.class_name for row in OPTIMIZERS} == exported
    assert len(exported) == 14


@pytest.mark.parametrize("row", OPTIMIZERS, ids=named)
def test_settings_are_those_of_the_signature_in_its_order(row):
    parameters = inspect.signature(keras_class(row)).parameters.values()
    theirs = [(p.name, p.default) for p in parameters if p.name != "name" and p.kind != p.VAR_KEYWORD]
    assert [(s.name, s.default) for s in row.settings] == theirs


@pytest.mark.parametrize("row", OPTIMIZERS, ids=named)
def test_the_defaults_build_and_are_kept(row):
    config = keras_class(row)(**defaults(row)).get_config()
    kept = {name: value for name, value in defaults(row).items() if name in config}
    assert len(kept) >= 7
    assert {
        name: pytest.approx(config[name]) if isinstance(v, float) else config[name] for name, v in kept.items()
    } == {name: [] if name == "exclude_layers" else value for name, value in kept.items()}


@pytest.mark.parametrize("row", OPTIMIZERS, ids=named)
def test_branches_and_presets_are_settings(row):
    names = {s.name for s in row.settings}
    assert set(row.branches) <= names
    assert set(row.preset) <= names


@pytest.mark.parametrize("row", OPTIMIZERS, ids=named)
def test_every_name_finds_its_row(row):
    for name in names_of(row):
        assert optimizer_named(name.upper()) is row


def test_a_class_shared_with_presets_means_the_plain_row():
    assert optimizer_named("SGD").preset == {}
    assert defaults(optimizer_named("nesterov"))["nesterov"] is True


@pytest.mark.parametrize("name", ["torch.Adam", "pytorch_optimizer.Lion", "schedulefree.SGD", "mine.py:Foo"])
def test_other_libraries_have_no_row(name):
    assert optimizer_named(name) is None


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(UsageError, match="did you mean momentum"):
        optimizer_named("momentun")


def test_muon_takes_no_rms_rate_as_keras_does():
    made = resolve(None, {}, {"optimizer": "muon:rms_rate=null"}, []).config.optimizer.settings
    assert keras.optimizers.Muon(**made).get_config()["rms_rate"] is made["rms_rate"] is None
    with pytest.raises(UsageError, match="adam_beta_1 cannot be null"):
        resolve(None, {}, {"optimizer": "muon:adam_beta_1=null"}, [])


@pytest.mark.parametrize(
    ("name", "rate"),
    [
        ("sgd", 0.01),
        ("SGD", 0.01),
        ("adam", 0.001),
        ("mine.py:Foo", None),
        ("torch.Adam", None),
        ("of another day", None),
    ],
)
def test_the_default_rate_is_that_of_the_row(name, rate):
    assert default_rate(name) == rate
