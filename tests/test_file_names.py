"""Names of files and folders whose bytes are no UTF-8, as old archives and file servers have them."""

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lossopt_cli.config.schema import DataConfig
from lossopt_cli.data import cache, image_store, sources
from lossopt_cli.data.spelling import spelled

CLASSES = (b"b\xfccher", b"cat")  # in Latin-1


@pytest.fixture
def shelf(tmp_path, monkeypatch) -> Path:
    """Class folders of ten images each; the fourth of both is called so in Latin-1, too."""
    monkeypatch.setenv("LOSSOPT_CACHE", str(tmp_path / "cache"))
    for number, name in enumerate(CLASSES):
        folder = tmp_path / "shelf" / os.fsdecode(name)
        try:
            folder.mkdir(parents=True)
        except OSError:
            pytest.skip("this file system has names in UTF-8 only")
        for k in range(10):
            file = os.fsdecode(b"caf\xe9.png") if k == 3 else f"{k}.png"
            Image.new("RGB", (8, 6), (100 * number + k, 0, 255)).save(folder / file)
    return tmp_path / "shelf"


def load(root: Path, said: list | None = None, **keys):
    config = DataConfig(name=root.name, path=str(root), **keys)
    return sources.load(config, None, 0, (said if said is not None else []).append)


@pytest.mark.parametrize(
    ("name", "text"),
    [(b"caf\xe9", "caf\\xe9"), ("café".encode(), "café"), (b"a b", "a b"), (b"\xff\xfe", "\\xff\\xfe")],
)
def test_a_name_is_spelled_in_unicode(name, text):
    assert spelled(os.fsdecode(name)) == text


@pytest.mark.parametrize("few", [0, 1 << 30])
def test_images_and_classes_of_such_names_are_read(shelf, monkeypatch, few):
    monkeypatch.setattr(image_store, "FEW_FILES", few)
    problem = load(shelf)
    assert problem.classes == ("b\\xfccher", "cat")
    for part in (problem.train, problem.validation, problem.test):
        assert set(part.inputs[:, 0, 0, 0] // 100) <= {0, 1}
        np.testing.assert_array_equal(part.inputs[:, 0, 0, 0] // 100, part.targets)
    whole = hashlib.sha256()
    for path in sorted(shelf.glob("*/*")):
        name = os.fsencode(path.relative_to(shelf).as_posix())
        whole.update(name + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    assert problem.facts["sha256"] == whole.hexdigest()
    assert load(shelf).facts == problem.facts
    assert len(cache.entries()) == (few == 0)


@pytest.mark.parametrize("few", [0, 1 << 30])
def test_a_broken_one_is_named_and_left_out(shelf, monkeypatch, few):
    monkeypatch.setattr(image_store, "FEW_FILES", few)
    (shelf / os.fsdecode(CLASSES[0]) / os.fsdecode(b"caf\xe9.png")).write_bytes(b"no")
    with pytest.raises(Exception, match="caf") as caught:
        load(shelf)
    assert f"{shelf}/b\\xfccher/caf\\xe9.png: caf\\xe9.png cannot be read as an image" in str(caught.value)
    notes = [load(shelf, skip_bad_images=True).notes for _ in range(2)]
    assert "left out, since they cannot be read: 1 of 20 images: b\\xfccher/caf\\xe9.png (" in notes[0][0]
    assert notes[0] == notes[1]


def test_notes_spell_them(shelf):
    (shelf / os.fsdecode(b"le\xe8re")).mkdir()
    assert load(shelf).notes == ("without images: shelf/le\\xe8re",)


def test_a_run_writes_the_classes_as_they_are_spelled(shelf, train, capsys):
    run = train("--data", shelf, "--model", "mlp", "--epochs", "1", "--quiet")
    assert run.code == 0
    assert json.loads((run.folder / "labels.json").read_text())["classes"] == ["b\\xfccher", "cat"]
    from lossopt_cli.__main__ import run as command

    predictions = run.folder.parent / "predictions.csv"
    for data in (shelf, shelf / os.fsdecode(CLASSES[0]), shelf / os.fsdecode(CLASSES[0] + b"/caf\xe9.png")):
        assert command(["evaluate", str(run.folder), "--data", str(data), "--predictions", str(predictions)]) == 0
        assert "caf\\xe9.png" in predictions.read_text()
        predictions.unlink()
    files = []
    for split in ("train", "validation", "test"):
        own = ["evaluate", str(run.folder), "--split", split, "--predictions", str(predictions)]
        assert command(own) == 0
        files.append(predictions.read_text())
        predictions.unlink()
    assert "".join(files).count("caf\\xe9.png") == 2


@pytest.mark.parametrize("inside", ["", "deeper/still"])
def test_a_path_that_no_config_can_hold_is_refused(shelf, train, inside):
    place = shelf.with_name(os.fsdecode(b"\xe9tag\xe8re")) / inside
    place.parent.mkdir(parents=True, exist_ok=True)
    shelf.rename(place)
    run = train("--data", place)
    assert run.code == 2
    assert f"\\xe9tag\\xe8re{'/' * bool(inside)}{inside}: the path is not in UTF-8" in run.err
    assert "rename" in run.err
    assert run.folder is None
