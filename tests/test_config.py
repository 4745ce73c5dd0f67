"""Layers, parts, choices and faults of a config, through `resolve` as every command uses it."""

import json
from pathlib import Path

import pytest

from lossopt_cli.catalogue.datasets import DATASETS
from lossopt_cli.catalogue.losses import LOSSES
from lossopt_cli.catalogue.models import MODELS
from lossopt_cli.catalogue.optimizers import OPTIMIZERS
from lossopt_cli.catalogue.rows import defaults
from lossopt_cli.catalogue.schedules import SCHEDULES
from lossopt_cli.config.resolving import complete, dump, resolve
from lossopt_cli.errors import UsageError

TRAINABLE = [row for row in LOSSES if row.tasks]


def from_text(tmp_path: Path, text: str, environ=None, sets=(), **flags):
    """`resolve` of a file with this text, called mine.yaml."""
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    return resolve(file, environ or {}, flags, sets)


def from_flags(*sets: str, **flags):
    return resolve(None, {}, flags, sets)


def faults(action, *arguments, **named) -> list[str]:
    """`where what` of every fault."""
    with pytest.raises(UsageError) as caught:
        action(*arguments, **named)
    return [f"{fault.where}: {fault.what}" for fault in caught.value.faults]


def test_defaults_train_a_small_cnn_on_digits():
    config = from_flags().config
    assert (config.data.name, config.model.name, config.loss.name) == ("digits", "minicnn", "cross_entropy")
    assert (config.optimizer.name, config.optimizer.settings["learning_rate"]) == ("adam", 0.001)
    assert (config.train.epochs, config.train.batch_size, config.train.seed) == (10, 32, 0)


def test_each_layer_wins_over_the_one_below(tmp_path):
    text = "train: {epochs: 2, batch_size: 2, seed: 2, threads: 2}\n"
    environ = {"LOSSOPT_BATCH_SIZE": "3", "LOSSOPT_SEED": "3", "LOSSOPT_THREADS": "3", "LOSSOPT_LOGS": "x"}
    found = from_text(tmp_path, text, environ, ["train.threads=5"], seed="4")
    train = found.config.train
    assert (train.epochs, train.batch_size, train.seed, train.threads) == (2, 3, 4, 5)
    assert found.origins["train.epochs"] == "mine.yaml:1"
    assert found.origins["train.batch_size"] == "LOSSOPT_BATCH_SIZE"
    assert found.origins["train.seed"] == "--seed"
    assert found.origins["train.threads"] == "--set train.threads"
    assert found.origins["train.keep"] == "default"


SGD = "optimizer: {name: sgd, learning_rate: 0.5, momentum: 0.9}\n"


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({}, {"learning_rate": 0.5, "momentum": 0.9}),
        ({"optimizer": "SGD"}, {"learning_rate": 0.5, "momentum": 0.9}),
        ({"optimizer": "sgd:momentum=0.8"}, {"learning_rate": 0.5, "momentum": 0.8}),
        ({"learning_rate": "0.25"}, {"learning_rate": 0.25, "momentum": 0.9}),
        ({"optimizer": "rmsprop"}, {"learning_rate": 0.001, "momentum": 0.0}),
        ({"optimizer": "nesterov"}, {"learning_rate": 0.01, "momentum": 0.9, "nesterov": True}),
        ({"optimizer": "rmsprop", "learning_rate": 0.25}, {"learning_rate": 0.25, "momentum": 0.0}),
    ],
)
def test_another_name_replaces_a_part_whole_and_the_same_name_keeps_it(tmp_path, flags, expected):
    settings = from_text(tmp_path, SGD, **flags).config.optimizer.settings
    assert {key: settings[key] for key in expected} == expected


def test_a_rate_without_an_optimizer_is_for_whichever_is_named(tmp_path):
    found = from_text(tmp_path, "optimizer: {learning_rate: 0.25}\n", optimizer="sgd").config.optimizer
    assert (found.name, found.settings["learning_rate"]) == ("sgd", 0.25)


def test_another_file_of_the_same_name_is_other_data(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "t.csv").write_text("a,b\n1,2\n")
    text = f"data: {{name: '{tmp_path}/one/t.csv', target: a}}\n"
    assert from_text(tmp_path, text, data=f"{tmp_path}/one/t.csv").config.data.target == "a"
    assert from_text(tmp_path, text, data=f"{tmp_path}/two/t.csv").config.data.target is None


def test_other_data_are_split_as_the_file_says(tmp_path):
    """`train file.yaml --data mine`: how data are split is no property of the data that the file names."""
    text = "data: {name: digits, classes: [3, 8], split: [0.5, 0.3, 0.2], split_seed: 7, split_method: random_split}\n"
    found = from_text(tmp_path, text, data="wine")
    data = found.config.data
    assert (data.split, data.split_seed, data.split_method) == ([0.5, 0.3, 0.2], 7, "random_split")
    assert data.classes is None
    assert found.notes == ("data wine (--data) replaces digits (mine.yaml:1) with its classes",)


def test_what_a_replaced_part_loses_is_said(tmp_path):
    (note,) = from_text(tmp_path, SGD, optimizer="adam").notes
    assert note == "optimizer adam (--opt) replaces sgd (mine.yaml:1) with its learning_rate, momentum"
    assert from_text(tmp_path, SGD, optimizer="sgd").notes == ()


def test_null_takes_a_part_away(tmp_path):
    text = "schedule: {name: cosine, warmup_epochs: 1}\n"
    assert from_text(tmp_path, text).config.schedule.settings["warmup_epochs"] == 1.0
    assert from_text(tmp_path, text, sets=["schedule=null"]).config.schedule is None


@pytest.mark.parametrize(
    ("section", "row"),
    [
        *(("loss", row) for row in TRAINABLE),
        *(("optimizer", row) for row in OPTIMIZERS),
        *(("model", row) for row in MODELS),
        *(("schedule", row) for row in SCHEDULES),
    ],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_every_row_is_filled_with_its_defaults_and_survives_a_round_trip(tmp_path, section, row):
    found = from_flags("data=digits", **{section: row.name})
    part = getattr(found.config, section)
    assert (part.name, part.settings) == (row.name, defaults(row))
    assert {f"{section}.{key}" for key in ("name", *defaults(row))} <= set(found.origins)
    assert from_text(tmp_path, dump(found.config)).config == found.config
    assert from_text(tmp_path, dump(found.config, found.origins)).config == found.config


@pytest.mark.parametrize("row", [row for row in DATASETS if row.task], ids=lambda row: row.name)
def test_every_data_set_chooses_a_loss_and_a_model(tmp_path, row):
    found = from_flags(data=row.name)
    assert found.config.loss.name == ("mse" if row.task == "regression" else "cross_entropy")
    assert found.config.model.name == {"image": "minicnn", "table": "mlp", "any": "mlp"}[row.inputs]
    assert found.config.data.settings == defaults(row)
    assert from_text(tmp_path, dump(found.config)).config == found.config


@pytest.mark.parametrize("row", TRAINABLE, ids=lambda row: row.name)
def test_every_loss_chooses_data_that_it_serves(row):
    found = from_flags(loss=row.name)
    task = next(data.task for data in DATASETS if data.name == found.config.data.name)
    assert task in row.tasks
    assert found.origins["data.name"].startswith(f"chosen because {row.name} is a ")
    assert found.config.data.name in found.notes[0]


@pytest.mark.parametrize(
    ("loss", "data"),
    [
        ("cross_entropy", "digits"),
        ("huber", "diabetes"),
        ("bce", "breast_cancer"),
        ("hinge", "breast_cancer"),
    ],
)
def test_the_data_of_a_loss(loss, data):
    assert from_flags(loss=loss).config.data.name == data


@pytest.mark.parametrize(
    ("recipe", "classes"),
    [("synthetic_classification:classes=2", 2), ("synthetic_classification:classes=7", 7)],
)
def test_a_key_that_the_row_has_too_is_the_rows(recipe, classes):
    data = from_flags(data=recipe).config.data
    assert (data.settings["classes"], data.classes) == (classes, None)


def test_synthetic_images_get_a_network_for_images():
    assert from_flags(data="synthetic_classification:shape=[8,8,1]").config.model.name == "minicnn"


def test_classes_of_digits_are_a_subset():
    assert from_flags("data.classes=[3, 8]", data="digits").config.data.classes == [3, 8]


def test_paths_are_seen_from_the_file_that_names_them(tmp_path, monkeypatch):
    (tmp_path / "configs").mkdir()
    for folder in (tmp_path, tmp_path / "configs"):
        (folder / "mine.py").write_text("")
        (folder / "t.csv").write_text("a,b\n1,2\n")
    monkeypatch.chdir(tmp_path)
    text = "data: t.csv\nloss: {name: 'mine.py:f', delta: 2}\n"
    inside = from_text(tmp_path / "configs", text).config
    assert inside.data.name == "t.csv"
    assert Path(inside.data.path) == tmp_path / "configs" / "t.csv"
    assert inside.loss.name == f"{tmp_path / 'configs' / 'mine.py'}:f"
    assert inside.loss.settings == {"delta": 2}
    outside = from_flags(data="t.csv", loss="mine.py:f", optimizer="mine.py:g:n=3", model="mine.py:h").config
    assert Path(outside.data.path) == tmp_path / "t.csv"
    assert outside.loss.name == f"{tmp_path / 'mine.py'}:f"
    assert outside.optimizer.settings == {"n": 3}
    assert isinstance(outside.optimizer.settings["n"], int)
    assert from_text(tmp_path / "configs", dump(outside)).config == outside


def test_data_of_a_users_function_take_its_parameters(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text("")
    monkeypatch.chdir(tmp_path)
    config = from_flags(data="mine.py:make:n=10:limit=3").config
    assert (config.data.name, config.data.settings) == ("mine.py:make", {"n": 10, "limit": 3})
    assert (config.data.limit, config.loss, config.model) == (None, None, None)
    assert from_text(tmp_path, dump(config)).config == config


@pytest.mark.parametrize(
    ("task", "kind", "loss", "model"),
    [("regression", "table", "mse", "mlp"), ("binary", "image", "cross_entropy", "minicnn")],
)
def test_what_was_left_open_is_completed_by_the_data(tmp_path, monkeypatch, task, kind, loss, model):
    (tmp_path / "mine.py").write_text("")
    monkeypatch.chdir(tmp_path)
    found = complete(from_flags(data="mine.py:make"), task, kind)
    assert (found.config.loss.name, found.config.model.name) == (loss, model)
    assert found.origins["loss.name"] == f"chosen because the task is {task}"
    assert complete(found, "multiclass", "image") == found


def test_a_loss_of_ones_own_does_not_choose_data(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text("")
    monkeypatch.chdir(tmp_path)
    assert faults(from_flags, loss="mine.py:f") == ["--loss: no data: a loss of your own does not say what it is for"]


@pytest.mark.parametrize("loss", ["ctc", "circle"])
def test_a_loss_that_serves_nothing_is_refused_before_any_data_are_chosen(loss):
    (fault,) = faults(from_flags, loss=loss)
    assert fault.startswith(f"--loss: {loss} is not trained here: it ")


def test_another_librarys_optimizer_takes_what_is_given():
    part = from_flags(optimizer="torch.SGD:momentum=0.9", learning_rate=1).config.optimizer
    assert (part.name, part.settings) == ("torch.SGD", {"momentum": 0.9, "learning_rate": 1.0})
    assert isinstance(part.settings["learning_rate"], float)


EVERYTHING_WRONG = """\
data: {name: digits, split: [0.7, 0.2, 0.2], foo: 3}
model: {name: minicnn, hiden: [3]}
loss: hubr
optimizer: {name: sgd, momentum: "0.9", lr: 3}
train: {epochs: "3", batch_size: 3.7, seed: true, metric: acuracy, keep: bst, device: gpu}
epochs: 3
sweep: {optmizer: 3}
"""


def test_all_faults_of_a_file_in_one_go_with_line_and_column(tmp_path):
    file = tmp_path / "mine.yaml"
    found = [fault.removeprefix(str(file)) for fault in faults(from_text, tmp_path, EVERYTHING_WRONG)]
    assert found == [
        ":1:22: data.split cannot be [0.7, 0.2, 0.2]",
        ":1:46: unknown key data.foo",
        ":2:24: minicnn does not take hiden",
        ":3:1: unknown loss 'hubr'",
        ':4:24: optimizer.momentum cannot be "0.9"',
        ":4:41: sgd does not take lr",
        ':5:9: train.epochs cannot be "3"',
        ":5:22: train.batch_size cannot be 3.7",
        ":5:39: train.seed cannot be true",
        ":5:51: unknown metric 'acuracy'",
        ':5:68: train.keep cannot be "bst"',
        ':5:79: train.device cannot be "gpu"',
        ":6:1: unknown key epochs",
        ":7:9: unknown key sweep.optmizer",
    ]


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("loss: hubr", "did you mean huber?"),
        ("optimizer: {name: sgd, lr: 3}", "did you mean learning_rate?"),
        ("epochs: 3", "did you mean train.epochs?"),
        ("lr: 3", "did you mean optimizer.learning_rate?"),
        ("model: {name: minicnn, hiden: [3]}", "did you mean hidden?"),
        ("data: digts", "did you mean digits?"),
        ("train: {batchsize: 3}", "did you mean batch_size?"),
        ("schedule: constnt", "did you mean constant?"),
        ("los: mse", "did you mean loss?"),
    ],
)
def test_the_nearest_right_name_is_the_remedy(tmp_path, text, remedy):
    with pytest.raises(UsageError) as caught:
        from_text(tmp_path, text)
    assert caught.value.faults[0].remedy == remedy


@pytest.mark.parametrize("rate", ["0", "-1", "abc", "nan", ".nan", "inf", ".inf", "true", "[1]"])
def test_a_wrong_learning_rate_names_the_flag(rate):
    (fault,) = faults(from_flags, learning_rate=rate)
    assert fault.startswith("--lr: optimizer.learning_rate cannot be ")
    (fault,) = faults(resolve, None, {"LOSSOPT_LR": rate}, {}, ())
    assert fault.startswith("LOSSOPT_LR: optimizer.learning_rate cannot be ")
    assert len(faults(from_flags, optimizer="sdg", learning_rate=rate)) == 2


@pytest.mark.parametrize(
    ("flags", "fault"),
    [
        ({"epochs": "0"}, "--epochs: train.epochs cannot be 0"),
        ({"epochs": "1.5"}, "--epochs: train.epochs cannot be 1.5"),
        ({"batch_size": "x"}, '--batch-size: train.batch_size cannot be "x"'),
        ({"seed": "-1"}, "--seed: train.seed cannot be -1"),
        ({"device": "gpu"}, '--device: train.device cannot be "gpu"'),
        ({"precision": "float16"}, '--precision: train.precision cannot be "float16"'),
        ({"loss": "huber:delta"}, "--loss: 'delta' has no value in 'huber:delta'"),
        ({"loss": "huber:delta=-1"}, "--loss: loss.delta cannot be -1"),
        ({"data": "missing.csv"}, "--data: no such file or folder: missing.csv"),
        ({"data": "csv"}, "--data: csv is a kind of data"),
        ({"optimizer": "sgd:momentum=.5:beta=1"}, "--opt: sgd does not take beta"),
        ({"optimizer": "sgd:learning_rate=1", "learning_rate": 2}, "--opt and --lr: "),
    ],
)
def test_a_wrong_flag_is_named(flags, fault):
    assert faults(from_flags, **flags)[0].startswith(fault)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("train.epochs", "no value"),
        ("epochs=3", "unknown key epochs"),
        ("train.epoch=3", "unknown key train.epoch"),
        ("train.epochs=[1", "'[1' is no YAML value"),
        ("train=3", "train cannot be 3"),
        ("optimizer.beta=3", "adam does not take beta"),
    ],
)
def test_a_wrong_set_is_shown(text, fault):
    assert faults(from_flags, text)[0].startswith(f"--set {text}: {fault}")


def test_an_unknown_variable_is_refused():
    with pytest.raises(UsageError) as caught:
        resolve(None, {"LOSSOPT_SEDE": "1", "OTHER": "1", "LOSSOPT_LOSS": ""}, {}, ())
    (fault,) = caught.value.faults
    assert fault.what == "unknown environment variable LOSSOPT_SEDE"
    assert "LOSSOPT_SEED" in fault.remedy


def test_a_sweep_section_is_kept_as_it_is(tmp_path):
    text = "sweep:\n  optimizer: [sgd, {name: sgd, momentum: 0.9}]\n  learning_rate: auto\n"
    text += "  data.limit: [1, 2]\n"
    found = from_text(tmp_path, text).config
    assert found.sweep == {
        "optimizer": ["sgd", {"name": "sgd", "momentum": 0.9}],
        "learning_rate": "auto",
        "data.limit": [1, 2],
    }
    assert from_text(tmp_path, dump(found)).config == found


def test_origins_stand_in_one_column_of_valid_yaml():
    found = from_flags(loss="huber:delta=2")
    lines = dump(found.config, found.origins).splitlines()
    columns = {line.index("  # ") for line in lines if "#" in line}
    assert len(columns) == 1
    assert any(line.split() == ["delta:", "2.0", "#", "--loss"] for line in lines)


def test_the_config_is_plain_data_for_json():
    config = from_flags(optimizer="adam:epsilon=1e-8").config
    assert json.loads(json.dumps(config.model_dump(mode="json")))["optimizer"]["epsilon"] == 1e-8
