"""The weights of a backbone: files, and those of ImageNet as Keras downloads and keeps them."""

import shutil
from pathlib import Path
from urllib.error import URLError

import keras
import numpy as np
import pytest
import torch
from filelock import FileLock, Timeout
from made_backbones import DEEP, backbone_of, furthest, images_of, write_as_theirs, write_weights
from small_problems import CPU

from lossopt_cli.errors import RunError, Unobtainable, UsageError
from lossopt_cli.training.transfer.fast import FastNetwork

IMAGENET_FILE = "mobilenet_1_0_224_tf_no_top.h5"


@pytest.fixture
def keras_home(tmp_path, monkeypatch) -> Path:
    """Where Keras keeps its files of weights; and the locks are of this test, too."""
    monkeypatch.setattr("keras.src.utils.file_utils.config.keras_home", lambda: str(tmp_path))
    monkeypatch.setenv("LOSSOPT_CACHE", str(tmp_path / "cache"))
    (tmp_path / "models").mkdir()
    return tmp_path


@pytest.fixture
def on_server(tmp_path, monkeypatch) -> Path:
    """A file that Keras downloads, whatever it asks for."""
    file = write_as_theirs(tmp_path / "theirs.h5", "MobileNet")
    retrieve = lambda url, target, hook: shutil.copy(file, target)  # noqa: E731
    monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", retrieve)
    return file


def unreachable(*args, **options):
    raise URLError("Name or service not known")


def test_weights_without_network_name_the_way_out(monkeypatch, keras_home):
    monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", unreachable)
    with pytest.raises(RunError, match=r"storage\.googleapis\.com.*mobilenet_v2.*model\.weights=PATH"):
        backbone_of("MobileNetV2", "imagenet").build()


def same_weights(first: keras.Model, second: keras.Model) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(first.get_weights(), second.get_weights(), strict=True))


@pytest.mark.parametrize("left", [0, 7, 100_000])
def test_half_a_download_is_deleted_and_downloaded_again(left, keras_home, on_server):
    place = keras_home / "models" / IMAGENET_FILE
    place.write_bytes(on_server.read_bytes()[:left])
    model, file = backbone_of("MobileNet", "imagenet").built()
    assert file == place
    assert place.read_bytes() == on_server.read_bytes()
    assert same_weights(model, backbone_of("MobileNet", str(on_server)).build())


def test_half_a_download_without_network_is_named(keras_home, on_server, monkeypatch):
    place = keras_home / "models" / IMAGENET_FILE
    place.write_bytes(on_server.read_bytes()[:1000])
    monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", unreachable)
    with pytest.raises(Unobtainable, match=rf"(?s)service not known.*{IMAGENET_FILE} was half a file.*weights=PATH"):
        backbone_of("MobileNet", "imagenet").build()
    assert not place.exists()


def test_a_file_of_another_network_in_its_place_is_named(keras_home, on_server):
    write_as_theirs(keras_home / "models" / IMAGENET_FILE, "MobileNetV3Small")
    with pytest.raises(Unobtainable, match=rf"(?s){IMAGENET_FILE} does not hold them.*delete it"):
        backbone_of("MobileNet", "imagenet").build()


def test_one_process_downloads_and_the_others_wait(keras_home, on_server, monkeypatch):
    def retrieved(url, target, hook):
        with pytest.raises(Timeout):
            FileLock(keras_home / "cache" / "locks" / f"weights-{IMAGENET_FILE}.lock").acquire(timeout=0)
        shutil.copy(on_server, target)

    monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", retrieved)
    backbone_of("MobileNet", "imagenet").build()
    FileLock(keras_home / "cache" / "locks" / f"weights-{IMAGENET_FILE}.lock").acquire(timeout=0)


def test_without_a_place_for_locks_weights_are_had_all_the_same(keras_home, on_server, monkeypatch):
    monkeypatch.setenv("LOSSOPT_CACHE", str(on_server / "cache"))
    assert backbone_of("MobileNet", "imagenet").built()[1].is_file()


def test_a_file_of_weights_gives_its_weights(tmp_path):
    path = write_weights(tmp_path / "mine.weights.h5", "MobileNet")
    assert not same_weights(backbone_of("MobileNet").build(), backbone_of("MobileNet", str(path)).build())


@pytest.mark.parametrize("name", ["MobileNet", "MobileNetV3Small", "EfficientNetB0", "EfficientNetV2B0", "DenseNet121"])
def test_a_file_of_weights_gives_what_keras_gives_of_the_same_file(name, tmp_path, monkeypatch):
    path, images = str(write_weights(tmp_path / "mine.weights.h5", name)), images_of(32)
    monkeypatch.setattr("keras.src.utils.file_utils.get_file", lambda *args, **options: path)
    theirs, ours, kept = (backbone_of(name, weights).build() for weights in ("imagenet", path, "none"))
    kept.set_weights(theirs.get_weights())  # as a run that is evaluated is put together
    with torch.inference_mode():
        wanted = theirs(images, training=False)
        assert furthest(ours(images, training=False), wanted) < 1e-6
        assert furthest(kept(images, training=False), wanted) < 1e-6
        assert furthest(FastNetwork(ours, CPU)(images), wanted) < DEEP


def test_a_network_with_more_than_keras_has_in_it_is_saved_whole(tmp_path):
    model, images = backbone_of("EfficientNetB0").build(), images_of(32)
    model.save(tmp_path / "model.keras")
    with torch.inference_mode():
        found = keras.saving.load_model(tmp_path / "model.keras")(images, training=False)
        assert torch.equal(found, model(images, training=False))


@pytest.mark.parametrize("kind", ["another network", "no weights"])
def test_a_wrong_file_of_weights_is_one_message(kind, tmp_path):
    path = tmp_path / "mine.weights.h5"
    if kind == "no weights":
        path.write_text("nothing")
    else:
        write_weights(path, "MobileNet")
    with pytest.raises(UsageError, match=r"mine\.weights\.h5 does not hold the weights of MobileNetV2"):
        backbone_of("MobileNetV2", str(path)).build()
