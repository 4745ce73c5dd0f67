"""What enters the hash of a trial, of its problem and of its setting, and what does not."""

import copy
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lossopt_cli.config.resolving import resolve
from lossopt_cli.config.schema import Config
from lossopt_cli.data.trial import load_trial
from lossopt_cli.errors import UsageError
from lossopt_cli.runs.fingerprint import canonical, code_hash, problem_hash, setting_hash, trial_hash

CONFIG = {
    "data": {"name": "digits"},
    "model": {"name": "mlp", "hidden": [128, 128]},
    "loss": {"name": "huber", "delta": 2.0},
    "optimizer": {"name": "sgd", "learning_rate": 0.01, "momentum": 0.9},
    "schedule": {"name": "cosine", "warmup_epochs": 1},
    "train": {"epochs": 10, "batch_size": 32, "metric": "accuracy"},
}
FACTS = {"sha256": "ab" * 32, "target": "digit", "task": "multiclass"}

# (where, new value, does the trial change, the problem, the setting)
CHANGES = [
    ("train.device", "cuda:1", False, False, False),
    ("train.threads", 2, False, False, False),
    ("train.engine", "single", False, False, False),
    ("sweep", {"seeds": 8}, False, False, False),
    ("optimizer.momentum", 0.90, False, False, False),
    ("loss.delta", 2, False, False, False),
    ("data.path", None, False, False, False),
    ("data.skip_bad_images", True, False, False, False),
    ("train.seed", 1, True, False, False),
    ("optimizer.learning_rate", 0.02, True, False, False),
    ("optimizer.name", "momentum", False, False, False),
    ("optimizer.name", "nesterov", True, False, False),
    ("loss.delta", 1.0, True, False, False),
    ("schedule", None, True, False, False),
    ("schedule.warmup_epochs", 2, True, False, False),
    ("train.epochs", 11, True, False, True),
    ("train.batch_size", 33, True, False, True),
    ("train.precision", "bfloat16", True, False, True),
    ("train.keep", "best", True, False, True),
    ("train.evaluate_every", 5, True, False, True),
    ("train.augment", {"flip": "horizontal"}, True, False, True),
    ("model.hidden", [128], True, False, True),
    ("data.scale_target", False, True, False, True),
    ("data.split", [0.8, 0.1, 0.1], True, True, False),
    ("data.split_seed", 7, True, True, False),
    ("data.split_method", "random", True, True, False),
    ("data.classes", [3, 8], True, True, False),
    ("data.limit", 100, True, True, False),
    ("data.name", "iris", True, True, False),
    ("train.metric", "macro_f1", True, True, False),
]


def config(**changes) -> dict:
    """CONFIG, resolved, with the changes by dotted key laid into it."""
    tree = copy.deepcopy(CONFIG)
    for place, value in changes.items():
        *above, key = place.split(".")
        branch = tree
        for name in above:
            branch = branch[name]
        branch[key] = value
    return Config(**tree).model_dump()


@pytest.mark.parametrize(
    ("place", "value", "trial", "problem", "setting"), CHANGES, ids=[f"{c[0]}={c[1]}" for c in CHANGES]
)
def test_what_enters(place: str, value, trial: bool, problem: bool, setting: bool):
    before, after = config(), config(**{place: value})
    changed = tuple(h(before, FACTS) != h(after, FACTS) for h in (trial_hash, problem_hash, setting_hash))
    assert changed == (trial, problem, setting)


def test_data_of_kaggle_enter_by_their_contents():
    named = [
        config(**{"data.name": name}) for name in ("kaggle:jo/pets/versions/1", "kaggle:jo/pets", "kaggle:al/copy")
    ]
    named.append(config(**{"data.name": "pets", "data.path": "/tmp/pets"}))
    assert len({trial_hash(one, FACTS) for one in named}) == 1
    assert trial_hash(named[0], {**FACTS, "sha256": "other"}) != trial_hash(named[0], FACTS)


def test_every_field_of_the_config_is_accounted_for():
    """A new field must be said to enter, or not to, before it exists: else two trials pass for one."""
    tested = {place for place, *_ in CHANGES}
    untested = {"data.target", "data.header", "data.missing", "data.task", "data.image_size", "data.settings"}
    fields = {f"data.{name}" for name in Config.model_fields["data"].annotation.model_fields}
    fields |= {f"train.{name}" for name in Config.model_fields["train"].annotation.model_fields}
    assert fields == {place for place in tested | untested if place.startswith(("data.", "train."))}


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("data.target", "rings"),
        ("data.header", True),
        ("data.missing", "drop"),
        ("data.task", "regression"),
        ("data.image_size", 32),
        ("data.settings", {"noise": 0.1}),
    ],
)
def test_how_a_file_is_read_enters_the_problem(place: str, value):
    facts = {"sha256": "cd" * 32}
    before = config(**{"data.path": "/a/table.csv"})
    after = config(**{"data.path": "/a/table.csv", place: value})
    assert problem_hash(before, facts) != problem_hash(after, facts)
    assert trial_hash(before, facts) != trial_hash(after, facts)


def test_a_target_found_and_the_same_target_named_are_one_problem():
    found = config(**{"data.path": "/a/t.csv"})
    named = config(**{"data.path": "/a/t.csv", "data.target": -1})
    facts = {"sha256": "cd" * 32, "target": "rings"}
    assert problem_hash(found, facts) == problem_hash(named, facts)
    assert problem_hash(found, facts) != problem_hash(found, facts | {"target": "sex"})


def test_data_enter_by_contents_not_by_path():
    here = config(**{"data.path": "/a/t.csv", "data.name": "t.csv"})
    there = config(**{"data.path": "/b/u.csv", "data.name": "u.csv"})
    assert trial_hash(here, FACTS | {"name": "t"}) == trial_hash(there, FACTS | {"name": "u"})
    assert trial_hash(here, FACTS) != trial_hash(here, FACTS | {"sha256": "00" * 32})


def test_splits_drawn_by_the_seed_are_one_problem_and_many_trials():
    first = config(**{"data.split_seed": "seed", "train.seed": 1})
    second = config(**{"data.split_seed": "seed", "train.seed": 2})
    assert problem_hash(first, FACTS) == problem_hash(second, FACTS)
    assert trial_hash(first, FACTS) != trial_hash(second, FACTS)


@pytest.mark.parametrize("part", ["loss", "optimizer", "model"])
def test_user_code_enters_by_contents_not_by_path(tmp_path: Path, part: str):
    files = [tmp_path / "a.py", tmp_path / "b.py"]
    for file in files:
        file.write_text("def mine(a, b): return a - b\n")
    one, other = (config(**{f"{part}.name": f"{file}:mine"}) for file in files)
    before = trial_hash(one, FACTS)
    assert before == trial_hash(other, FACTS)
    assert before != trial_hash(config(**{f"{part}.name": f"{files[0]}:other"}), FACTS)
    files[0].write_text("def mine(a, b): return b - a\n")
    assert before != trial_hash(one, FACTS)


def test_the_hash_of_code_may_be_handed_over():
    reference = "not/there.py:mine"
    digests = {reference: hashlib.sha256(b"x").hexdigest()}
    assert trial_hash(config(**{"loss.name": reference}), FACTS, digests)
    with pytest.raises(UsageError, match="cannot read"):
        trial_hash(config(**{"loss.name": reference}), FACTS)


def test_code_hash_is_sha256_of_the_file(tmp_path: Path):
    (tmp_path / "mine.py").write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, appendix B.1
    assert code_hash(f"{tmp_path / 'mine.py'}:f") == expected


@pytest.mark.parametrize(
    ("fact", "problem", "setting"),
    [
        ({"head_units": 1}, False, True),
        ({"scale_target": False}, False, True),
        ({"metric": "macro_f1"}, True, False),
        ({"metric": "accuracy"}, False, False),
        ({"target": "letter"}, True, False),
        ({"anything": 1}, True, False),
    ],
)
def test_where_a_fact_belongs(fact: dict, problem: bool, setting: bool):
    changed = tuple(h(config(), FACTS) != h(config(), FACTS | fact) for h in (problem_hash, setting_hash))
    assert changed == (problem, setting)
    assert (trial_hash(config(), FACTS) != trial_hash(config(), FACTS | fact)) == (problem or setting)


def test_canonical_text():
    value = {"b": [1.0, 0.001, True, None], "a": {"y": "é", "x": (2, -3.5)}}
    assert canonical(value) == '{"a":{"x":[2,-3.5],"y":"\\u00e9"},"b":[1,0.001,true,null]}'


def test_the_hash_of_a_config_does_not_move():
    """A hash that moved would make every finished run a stranger. Raise SCHEME when it must."""
    tiny = {"data": {"name": "digits"}, "model": None, "loss": {"name": "mse"}, "optimizer": {"name": "sgd"}}
    tiny["train"] = {"seed": 0, "epochs": 1, "batch_size": 2}
    none = dict.fromkeys(("header", "missing", "image_size", "split", "split_method", "classes", "limit"))
    data = {"name": "digits", "target": None, "task": None, "split_seed": None, "settings": None, **none}
    train = {"epochs": 1, "batch_size": 2, "precision": None, "evaluate_every": None, "keep": None}
    clipping = dict.fromkeys(("clipnorm", "clipvalue", "global_clipnorm"))
    averaging = {"use_ema": False, "ema_momentum": 0.99, "ema_overwrite_frequency": None}
    large = dict.fromkeys(("loss_scale_factor", "gradient_accumulation_steps"))
    sgd = {"learning_rate": 0.01, "momentum": 0, "nesterov": False, "weight_decay": None}
    tree = {
        "scheme": 2,
        "problem": {"data": data, "metric": None},
        "setting": {"model": None, "head_units": None, "scale_target": True, "train": train},
        "recipe": {
            "loss": {"name": "mse"},
            "optimizer": {"name": "keras.SGD", **sgd, **clipping, **averaging, **large},
            "schedule": None,
        },
        "seed": 0,
    }
    text = json.dumps(tree, sort_keys=True, separators=(",", ":"))
    assert trial_hash(tiny, {}) == hashlib.sha256(text.encode()).hexdigest()[:16] == "4033f4af78384ec1"


def trial(data: str, *typed: str) -> str:
    """The hash of the trial that a command line means."""
    flags = {"data": data} | {word.partition("=")[0]: word.partition("=")[2] for word in typed if "." not in word[:6]}
    resolved = resolve(None, {}, flags, [word for word in typed if "." in word[:6]])
    return load_trial(resolved, lambda text: None)[0].hash


ALIKE = [
    ("iris", ["optimizer=momentum"], ["optimizer=sgd:momentum=0.9"]),
    ("iris", ["optimizer=nesterov"], ["optimizer=sgd:momentum=0.9:nesterov=true"]),
    ("iris", ["optimizer=nesterov"], ["optimizer=momentum:nesterov=true"]),
    ("iris", ["loss=cross_entropy"], ["loss=sparse_categorical_crossentropy"]),
    ("iris", ["loss=cross_entropy:label_smoothing=0.1"], ["loss=categorical_crossentropy:label_smoothing=0.1"]),
    ("breast_cancer", [], ["loss=binary_crossentropy"]),
    ("iris", [], ["schedule=constant"]),
    ("iris", [], ["data.limit=150"]),
    ("iris", [], ["train.evaluate_every=4"]),
    ("diabetes", [], ["data.split_method=random"]),
    ("table.csv", [], ["data.header=true"]),
    ("table.csv", [], ["data.missing=mean"]),
    ("table.csv", [], ["target=y"]),
]
UNLIKE = [
    ("iris", ["optimizer=momentum"], ["optimizer=momentum:momentum=0.8"]),
    ("iris", ["loss=cross_entropy"], ["loss=categorical_crossentropy"]),
    ("iris", [], ["schedule=constant:warmup_epochs=1"]),
    ("iris", [], ["data.limit=149"]),
    ("iris", [], ["train.evaluate_every=2"]),
    ("iris", [], ["data.split_method=random"]),
    ("table.csv", [], ["target=a"]),
]


@pytest.fixture
def a_table(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "table.csv").write_text("a,y\n" + "".join(f"{n},{n}.5\n" for n in range(50)))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("data", "one", "other"), ALIKE)
def test_one_trial_in_two_spellings(a_table, data: str, one: list[str], other: list[str]):
    """105 of the 150 rows of iris are trained in batches of 32: four steps are an epoch."""
    assert trial(data, *one) == trial(data, *other)


@pytest.mark.parametrize(("data", "one", "other"), UNLIKE)
def test_two_trials_that_look_alike(a_table, data: str, one: list[str], other: list[str]):
    assert trial(data, *one) != trial(data, *other)


def test_the_head_that_a_loss_needs_is_part_of_the_setting():
    """One unit for two classes with cross_entropy, two units with mse."""
    settings = []
    for loss in ("cross_entropy", "binary_crossentropy", "categorical_crossentropy"):
        resolved = resolve(None, {}, {"data": "breast_cancer", "loss": loss}, [])
        settings.append(load_trial(resolved, lambda text: None)[0].setting)
    assert settings[0] == settings[1] != settings[2]


def test_what_has_no_canonical_form_is_refused():
    with pytest.raises(TypeError, match="no canonical form"):
        canonical({"a": {1, 2}})


def test_stable_over_processes_and_key_order():
    code = (
        "from tests.test_runs_fingerprint import *;"
        "print(trial_hash(dict(reversed(config().items())), FACTS), problem_hash(config(), FACTS))"
    )
    root = Path(__file__).parents[1]
    said = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=root,
        env={**os.environ, "PYTHONHASHSEED": "1", "PYTHONPATH": str(root)},
    )
    assert said.stdout.split() == [trial_hash(config(), FACTS), problem_hash(config(), FACTS)]
    assert [len(h) for h in said.stdout.split()] == [16, 16]
