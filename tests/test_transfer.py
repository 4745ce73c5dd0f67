"""Trainings on the features of a frozen backbone: they equal those through it, and no old features are ever used."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import torch
from conftest import Trained
from made_backbones import kept_keys, loaded, resolved_of, write_images, write_weights
from small_problems import CPU, Workbench

from lossopt_cli.config.resolving import resolve
from lossopt_cli.config.schema import Config
from lossopt_cli.data import cache
from lossopt_cli.data.problem import SPLITS, FeatureInputs, Problem
from lossopt_cli.data.rows import Rows
from lossopt_cli.data.trial import load_trial
from lossopt_cli.training.transfer import features
from lossopt_cli.training.transfer.features import featured, unheard

SIZE = "data.image_size=32"
STEPS, RATE = 10, 0.01


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    return write_images(tmp_path_factory.mktemp("pictures") / "colours")


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    return write_weights(tmp_path_factory.mktemp("weights") / "mine.weights.h5")


@pytest.fixture(scope="module")
def smooth(tmp_path_factory) -> Path:
    """Of a network that does not amplify what rounding differs by, as MobileNetV2 does ten times."""
    return write_weights(tmp_path_factory.mktemp("smooth") / "smooth.weights.h5", "MobileNetV3Small")


@pytest.fixture(autouse=True)
def kept(tmp_path, monkeypatch) -> Path:
    """The cache of this test."""
    monkeypatch.setenv("LOSSOPT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def steps_of(config: Config, problem: Problem) -> np.ndarray:
    """The losses of the first steps."""
    bench = Workbench(config, problem)
    state, losses = bench.program.start(), []
    with bench.program.session(state) as session:
        for batch in bench.batches(STEPS):
            losses.append(float(session.step(*batch, RATE).loss))
    return np.array(losses)


HEADS = {
    "average": [],
    "max": ["model.pooling=max", "model.hidden=[16]", "model.dropout=0.2", "model.batch_norm=true"],
    "unit scale": ["model.scale=unit", "model.pooling=flatten"],
}


@pytest.mark.parametrize("head", HEADS)
def test_trials_on_features_equal_trials_through_the_backbone(head, pictures, smooth):
    config, problem = loaded(pictures, smooth, "model.backbone=MobileNetV3Small", *HEADS[head])
    slow, fast = steps_of(config, problem), steps_of(config, featured(config, problem, CPU, unheard))
    assert np.ptp(slow) > 0.1
    np.testing.assert_allclose(fast, slow, rtol=0, atol=1e-5)


def test_features_are_rows_of_one_file_in_the_order_of_the_splits(pictures, weights):
    config, problem = loaded(pictures, weights)
    fed = featured(config, problem, CPU, unheard)
    assert fed.inputs == FeatureInputs((1280,), problem.inputs)
    assert isinstance(fed.train.inputs, Rows)
    assert fed.train.inputs.array is fed.test.inputs.array
    assert isinstance(fed.train.inputs.array, np.memmap)
    alone = featured(*_arrays(config, problem), CPU, unheard)
    for split in ("train", "validation", "test"):
        assert np.array_equal(fed.split(split).inputs[:], alone.split(split).inputs[:])


def _arrays(config: Config, problem: Problem) -> tuple[Config, Problem]:
    """The problem as it travels to another machine: each split with pixels of its own."""
    from dataclasses import replace

    splits = {n: replace(problem.split(n), inputs=problem.split(n).inputs[:]) for n in ("train", "validation", "test")}
    return config, replace(problem, **splits)


def test_the_second_run_takes_them_from_the_cache(pictures, weights, monkeypatch):
    told: list[str] = []
    first = featured(*loaded(pictures, weights), CPU, told.append)
    monkeypatch.setattr(features.Backbone, "build", lambda self: pytest.fail("built again"))
    again = featured(*loaded(pictures, weights), CPU, told.append)
    assert np.array_equal(first.train.inputs[:], again.train.inputs[:])
    assert [text for text in told if "from the cache" in text]
    assert len(kept_keys()) == 1


def test_without_a_place_for_the_cache_they_stay_in_memory(pictures, weights, monkeypatch, tmp_path):
    kept = featured(*loaded(pictures, weights), CPU, unheard)
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("LOSSOPT_CACHE", str(tmp_path / "file" / "cache"))
    told: list[str] = []
    made = featured(*loaded(pictures, weights), CPU, lambda text: told.append(str(text)))
    assert [text for text in told if "the features stay in memory" in text and "LOSSOPT_CACHE" in text]
    assert np.array_equal(made.test.inputs[:], kept.test.inputs[:])


CHANGES = {
    "preprocessing": ["model.scale=unit"],
    "pooling": ["model.pooling=max"],
    "size": ["data.image_size=[32, 40]"],
    "precision": ["train.precision=bfloat16"],
    "backbone": ["model.backbone=MobileNet", "model.weights=none"],
}
SAME = {
    "split": ["data.split_seed=3"],
    "head": ["model.hidden=[4]", "train.seed=5", "train.epochs=3"],
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_the_features_never_uses_old_ones(change, pictures, weights):
    old = _key(pictures, weights)
    assert _key(pictures, weights, *CHANGES[change]) != old


@pytest.mark.parametrize("change", SAME)
def test_what_does_not_change_them_uses_them_again(change, pictures, weights):
    assert _key(pictures, weights, *SAME[change]) == _key(pictures, weights)


def _key(pictures: Path, weights: Path | str, *sets: str) -> str:
    config, problem = loaded(pictures, weights, *sets)
    backbone = features.Backbone.of(config.model.settings, problem.inputs, config.train.precision)
    return features.Pass(backbone, problem.inputs, features.gathered_of(problem, SPLITS), CPU).key


def test_other_weights_in_the_same_file_are_other_features_and_another_setting(pictures, weights, tmp_path):
    mine = tmp_path / "again.weights.h5"
    mine.write_bytes(weights.read_bytes())
    trial, _ = load_trial(resolved_of(pictures, weights), unheard)
    moved, _ = load_trial(resolved_of(pictures, mine), unheard)
    key = _key(pictures, mine)
    assert (moved.setting, moved.hash, key) == (trial.setting, trial.hash, _key(pictures, weights))
    write_weights(mine, seed=1)
    changed, _ = load_trial(resolved_of(pictures, mine), unheard)
    assert changed.setting != trial.setting
    assert changed.problem == trial.problem
    assert _key(pictures, mine) != key


def test_another_picture_in_the_same_place_is_another_feature(tmp_path, weights):
    folder = write_images(tmp_path / "colours", count=12)
    before = _key(folder, weights)
    picture = next(folder.rglob("*.png"))
    picture.write_bytes(next(path for path in sorted(folder.rglob("*.png")) if path != picture).read_bytes())
    assert _key(folder, weights) != before


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_transfer import CPU, featured, loaded
from lossopt_cli.data.counted import Counted
from lossopt_cli.training.transfer import extraction
extraction.BATCH_BYTES = {{"cpu": 1}}

def killed(text):
    if isinstance(text, Counted) and text.done > text.count // 2:
        os.kill(os.getpid(), signal.SIGKILL)

featured(*loaded(Path(sys.argv[1]), sys.argv[2]), CPU, killed)
"""


def test_killed_while_writing_the_next_run_starts_clean(pictures, weights, kept):
    words = [sys.executable, "-c", KILLED.format(tests=str(Path(__file__).parent)), str(pictures), str(weights)]
    ended = subprocess.run(words, env=os.environ, capture_output=True, text=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert list(kept.rglob("features.npy"))
    assert not kept_keys()
    fed = featured(*loaded(pictures, weights), CPU, unheard)
    assert np.isfinite(fed.train.inputs[:]).all()
    assert len(list(kept.rglob("features.npy"))) == len(kept_keys()) == 1


def plain_keras(run: Trained, pictures: Path, weights: Path) -> tuple[np.ndarray, np.ndarray]:
    """(probabilities of the test images by model.keras in plain Keras, their classes)"""
    _, problem = loaded(pictures, weights)
    model = keras.saving.load_model(run.folder / "model.keras")
    return model.predict(problem.test.inputs[:], verbose=0), problem.test.targets


def test_a_run_leaves_a_whole_model_and_a_small_checkpoint(train, pictures, weights, capsys):
    from lossopt_cli.__main__ import run

    head = ["--set", "model.hidden=[8]", "--set", "model.batch_norm=true", "--set", "model.dropout=0.1"]
    flags = ["--data", pictures, "--model", f"transfer:weights={weights}", "--set", SIZE, "--epochs", 3, *head]
    done = train(*flags)
    assert done.code == 0, done.err
    assert "MobileNetV2 (2.3 million weights, of mine.weights.h5) at 32x32" in " ".join(done.err.split())
    probabilities, targets = plain_keras(done, pictures, weights)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-5)
    cross_entropy = -np.log(probabilities[np.arange(len(targets)), targets]).mean()
    assert cross_entropy == pytest.approx(done.result["metrics"]["test"]["cross_entropy"], abs=1e-4)
    assert sum(path.stat().st_size for path in (done.folder / "checkpoint").iterdir()) < 1_000_000
    evaluated = ["evaluate", str(done.folder), "--format", "json"]
    written = (done.folder / "config.yaml").read_text()
    of_before = "".join(line for line in written.splitlines(keepends=True) if "unfreeze" not in line)
    assert of_before != written
    (done.folder / "config.yaml").write_text(of_before)  # a run of when there were fewer settings
    assert run(evaluated) == 0
    kept = json.loads(capsys.readouterr().out)
    assert kept["difference_to_result"] == 0.0
    assert cache.clear() > 0
    assert run(evaluated) == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["difference_to_result"], made["metrics"]) == (0.0, kept["metrics"])


def test_a_sweep_makes_them_once(tmp_path, pictures, weights):
    """In a process of its own: the workers of a sweep have the cache of who started the first of them."""
    words = ["--data", pictures, "--model", f"transfer:weights={weights}", "--set", SIZE, "--epochs", 2]
    axes = ["--loss", "cross_entropy,mse", "--opt", "sgd", "--lr", "0.01,0.1", "--seeds", 1, "--workers", 1]
    command = [sys.executable, "-m", "lossopt_cli", "sweep", *words, *axes, "--logs", tmp_path / "logs"]
    ended = subprocess.run(list(map(str, command)), env=os.environ, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert " ".join(ended.stderr.split()).count("60 images in") == 1
    assert len(kept_keys()) == 1
    results = [json.loads(path.read_text()) for path in (tmp_path / "logs").rglob("result.json")]
    assert [result["engine"]["way"] for result in results] == ["stack"] * 4


def test_size_of_the_images_is_that_of_the_backbone_unless_said(pictures):
    given = {"data": str(pictures), "model": "transfer:backbone=Xception"}
    resolved = resolve(None, {}, given, [])
    assert resolved.config.data.image_size == 299
    assert "299x299" in " ".join(resolved.notes)
    assert resolve(None, {}, given, ["data.image_size=80"]).config.data.image_size == 80
    assert resolve(None, {}, given | {"data": "kaggle:jo/pets"}, []).config.data.image_size == 299
    assert resolve(None, {}, {"data": str(pictures), "model": "minicnn"}, []).config.data.image_size is None


@pytest.mark.parametrize(
    ("model", "told"),
    {
        "transfer:backbone=MobilNetV2": "did you mean MobileNetV2",
        "transfer:weights=nowhere.h5": "no such file: nowhere.h5",
        "transfer:pooling=mean": "average or max or flatten",
    }.items(),
)
def test_what_cannot_be_is_said_before_anything_is_read(model, told, train, pictures):
    done = train("--data", pictures, "--model", model)
    assert done.code == 2
    assert told in done.err
    assert done.folder is None


def test_bfloat16_trains(train, pictures, weights):
    done = train("--data", pictures, "--model", f"transfer:weights={weights}", "--set", SIZE, "--precision", "bfloat16")
    assert done.code == 0, done.err
    assert done.result["metrics"]["train"]["accuracy"] > 0.8
    assert torch.isfinite(torch.tensor(done.result["metrics"]["test"]["loss"]))
