"""Features that are kept: of these weights, this device and these images, whole, and never more of them in memory."""

import json
import os
import shutil
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made_backbones import kept_keys, loaded, write_as_theirs, write_images, write_weights
from small_problems import CPU

from lossopt_cli.data import cache
from lossopt_cli.data.problem import SPLITS
from lossopt_cli.training.transfer import features
from lossopt_cli.training.transfer.backbone import Backbone
from lossopt_cli.training.transfer.extraction import Extraction
from lossopt_cli.training.transfer.features import Pass, featured, featured_split, unheard
from lossopt_cli.training.transfer.gathering import gathered_of

IMAGENET_FILE = "mobilenet_1_0_224_tf_no_top.h5"
NO_TELLING = lambda done, count: None  # noqa: E731


@pytest.fixture(autouse=True)
def kept(tmp_path, monkeypatch) -> Path:
    """The cache of this test."""
    monkeypatch.setenv("LOSSOPT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    return write_images(tmp_path_factory.mktemp("pictures") / "colours")


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    return write_weights(tmp_path_factory.mktemp("weights") / "mine.weights.h5", "MobileNet")


@pytest.fixture
def posed(pictures, weights):
    def given(*sets: str, of: Path | str = weights):
        return loaded(pictures, of, "model.backbone=MobileNet", *sets)

    return given


def pass_of(config, problem) -> Pass:
    backbone = Backbone.of(config.model.settings, problem.inputs, config.train.precision)
    return Pass(backbone, problem.inputs, gathered_of(problem, SPLITS), CPU)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:1000])


def as_text(file: Path) -> None:
    file.write_text("{}")


DAMAGES = {
    "cut": ("features.npy", cut),
    "empty": ("features.npy", lambda file: os.truncate(file, 0)),
    "gone": ("features.npy", os.remove),
    "of others": ("features.npy", lambda file: np.save(file, np.zeros((3, 1024), np.float32))),
    "not said how": ("made.json", os.remove),
    "said badly": ("made.json", as_text),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_features_that_were_damaged_are_made_again(damage, posed):
    first = featured(*posed(), CPU, unheard).train.inputs[:]
    name, done_to = DAMAGES[damage]
    done_to(next(cache.cache_folder().rglob(name)))
    again = featured(*posed(), CPU, unheard)
    assert np.array_equal(again.train.inputs[:], first)
    assert isinstance(again.train.inputs.array, np.memmap)
    assert len(kept_keys()) == 1


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_model_is_evaluated_beside_damaged_features(damage, posed):
    config, problem = posed()
    wanted = featured(config, problem, CPU, unheard).test.inputs[:]
    name, done_to = DAMAGES[damage]
    done_to(next(cache.cache_folder().rglob(name)))
    made = featured_split(pass_of(config, problem).backbone.build(), config, problem, "test", CPU, NO_TELLING)
    assert np.array_equal(made.test.inputs[:], wanted)


def test_a_cache_that_keeps_nothing_leaves_them_in_memory(posed, monkeypatch):
    monkeypatch.setattr(features, "write_array", lambda path, dtype, shape, chunks: [*chunks])
    told = []
    made = featured(*posed(), CPU, lambda text: told.append(str(text)))
    assert [text for text in told if "the features stay in memory" in text]
    assert not isinstance(made.train.inputs.array, np.memmap)


def test_the_kind_of_device_is_in_the_key(posed):
    here = pass_of(*posed())
    assert replace(here, device=torch.device("cuda")).key != here.key
    assert replace(here, device=torch.device("cuda", 1)).key == replace(here, device=torch.device("cuda")).key


@pytest.fixture
def imagenet(tmp_path, monkeypatch) -> Path:
    """The file of ImageNet's weights as Keras has it."""
    monkeypatch.setattr("keras.src.utils.file_utils.config.keras_home", lambda: str(tmp_path))
    (tmp_path / "models").mkdir()
    return write_as_theirs(tmp_path / "models" / IMAGENET_FILE, "MobileNet")


def test_other_weights_of_imagenet_are_other_features(posed, imagenet, tmp_path):
    first, second = (featured(*posed(of="imagenet"), CPU, unheard).train.inputs[:] for _ in range(2))
    assert np.array_equal(first, second)
    write_as_theirs(imagenet, "MobileNet", seed=1)
    third = featured(*posed(of="imagenet"), CPU, unheard).train.inputs[:]
    assert not np.allclose(third, first, atol=1e-2)
    imagenet.unlink()
    fourth = featured(*posed(of="imagenet"), CPU, unheard).train.inputs[:]
    assert np.array_equal(fourth, third)


def test_a_model_is_evaluated_on_features_of_its_own_weights(posed, weights, tmp_path):
    mine = shutil.copy(weights, tmp_path / "again.weights.h5")
    config, problem = posed(of=mine)
    trained, wanted = pass_of(config, problem).backbone.build(), featured(config, problem, CPU, unheard)
    write_weights(mine, "MobileNet", seed=1)
    other = featured(config, problem, CPU, unheard)
    found = featured_split(trained, config, problem, "test", CPU, NO_TELLING)
    assert not np.array_equal(other.test.inputs[:], wanted.test.inputs[:])
    assert np.array_equal(found.test.inputs[:], wanted.test.inputs[:])


def test_a_split_is_in_memory_once(posed, monkeypatch):
    config, problem = posed("model.pooling=flatten")
    alive, most = [], []

    def told(self, pieces, scale, told, change=None):
        for _ in range(len(pieces[0])):
            chunk = np.ones((1, 1, 1, 1024), np.float32).reshape(1, 1024)
            alive.append(weakref.ref(chunk))
            most.append(sum(one() is not None for one in alive))
            yield chunk

    backbone = pass_of(config, problem).backbone.build()
    monkeypatch.setattr(Extraction, "features", told)
    made = featured_split(backbone, config, problem, "train", CPU, NO_TELLING)
    assert np.array_equal(made.train.inputs, np.ones((len(problem.train), 1024)))
    assert max(most) <= 2 < len(most)


def test_an_entry_says_what_made_it(posed, imagenet):
    config, problem = posed(of="imagenet")
    featured(config, problem, CPU, unheard)
    made = json.loads(next(cache.cache_folder().rglob("made.json")).read_text())
    assert (made["file"], len(made["sha256"]), made["note"]) == (str(imagenet), 64, "")
