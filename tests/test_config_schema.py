"""The JSON Schema: the shipped copy is that of the models, and agrees with `resolve` on real configs."""

import json
from pathlib import Path

import jsonschema
import pytest

from lossopt_cli.config import schema as schema_module
from lossopt_cli.config.reading import parse
from lossopt_cli.config.resolving import dump, resolve
from lossopt_cli.config.schema import Config, DataConfig, Part, TrainConfig, json_schema

SHIPPED = Path(schema_module.__file__).with_name("schema.json")


def test_the_copy_that_ships_is_the_schema():
    assert json.loads(SHIPPED.read_text()) == json_schema(), "lossopt config schema > lossopt_cli/config/schema.json"


def test_the_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize(
    "text",
    [
        "loss: huber",
        "loss: {name: huber, delta: 2.0}",
        "optimizer: {learning_rate: 0.1}",
        "data: digits\nschedule: null",
        "data: {name: synthetic_regression, samples: 100}",
        "train: {epochs: 3}",
        dump(resolve(None, {}, {}, ()).config),
    ],
)
def test_it_accepts_what_resolve_accepts(tmp_path, text):
    (tmp_path / "x.yaml").write_text(text)
    resolve(tmp_path / "x.yaml", {}, {}, ())
    jsonschema.validate(parse(text, "x").values, json_schema())


@pytest.mark.parametrize(
    "text",
    [
        "train: {epochs: '3'}",
        "train: {epochs: 0}",
        "train: {epoch: 3}",
        "los: mse",
        "loss: [mse]",
        "train: 3",
    ],
)
def test_it_refuses_what_resolve_refuses(text):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(parse(text, "x").values, json_schema())


@pytest.mark.parametrize(("model", "name"), [(m, name) for m in (DataConfig, TrainConfig) for name in m.model_fields])
def test_every_field_is_described(model, name):
    assert model.model_fields[name].description


def test_parts_are_flat_in_yaml_and_nested_in_python():
    part = Part.model_validate({"name": "huber", "delta": 2.0})
    assert part == Part(name="huber", settings={"delta": 2.0})
    assert part.model_dump() == {"name": "huber", "delta": 2.0}
    assert Part.model_validate("huber") == Part(name="huber")
    assert Config.model_validate({"data": {"name": "digits"}, "optimizer": "sgd"}).optimizer.name == "sgd"
