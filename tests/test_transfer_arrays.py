"""A frozen backbone on images that a user's function returns: their features are kept, and their range is looked at."""

from pathlib import Path

import numpy as np
import pytest
from made_backbones import kept_keys, resolved_of, write_weights
from small_problems import CPU

from lossopt_cli.errors import UsageError
from lossopt_cli.training.assembly import load_problem
from lossopt_cli.training.building import user_parts
from lossopt_cli.training.transfer.features import featured, unheard
from lossopt_cli.training.transfer.pixels import pixel_ends

MINE = """
import numpy as np

def bytes_(count=60):
    generator = np.random.default_rng(0)
    classes = np.arange(count) % 3
    pixels = generator.integers(0, 120, (count, 32, 32, 3))
    for image, kind in zip(pixels, classes):
        image[..., kind] += 90
    pixels[:, 0, 0] = 0, 255, 0
    return pixels.astype(np.uint8), classes

def unit():
    x, y = bytes_()
    return x.astype(np.float32) / 255, y

def floats():
    x, y = bytes_()
    return x.astype(np.float32), y

def integers():
    x, y = bytes_()
    return x.astype(np.int64), y

def centred():
    x, y = unit()
    return 2.0 * x - 1.0, y

def beyond():
    x, y = unit()
    return 1.2 * x - 0.1, y

def rows():
    x, y = unit()
    return x.reshape(len(x), -1), y
"""


@pytest.fixture(autouse=True)
def kept(tmp_path, monkeypatch) -> Path:
    """The cache of this test."""
    monkeypatch.setenv("LOSSOPT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def mine(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("mine") / "mine.py"
    file.write_text(MINE)
    return file


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    return write_weights(tmp_path_factory.mktemp("weights") / "mine.weights.h5")


def posed(mine: Path, weights: Path, name: str, *sets: str):
    """The config, and the problem of this function of the file."""
    usual = ("data.image_size=null", "data.split=[0.6, 0.2, 0.2]")
    config = resolved_of(f"{mine}:{name}", weights, *usual, *sets).config
    return config, load_problem(config, user_parts(config, mine.parent), unheard)


SAME = {"unit": [], "centred": ["model.scale=unit"], "floats": ["model.backbone=MobileNetV3Small", "model.scale=unit"]}


@pytest.mark.parametrize("name", SAME)
def test_features_of_arrays_are_those_of_the_same_images_as_bytes(name, mine, weights, tmp_path):
    if other := [text for text in SAME[name] if "backbone" in text]:
        weights = write_weights(tmp_path / "other.weights.h5", other[0].partition("=")[2])
    wanted = featured(*posed(mine, weights, "bytes_", *other), CPU, unheard)
    found = featured(*posed(mine, weights, name, *SAME[name]), CPU, unheard)
    for split in ("train", "validation", "test"):
        ours, theirs = (np.asarray(fed.split(split).inputs) for fed in (found, wanted))
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4 * np.abs(theirs).max())
    assert found.inputs.kind == "features"


def test_features_of_arrays_are_kept_by_their_content(mine, weights):
    first, again = (featured(*posed(mine, weights, "unit"), CPU, unheard) for _ in range(2))
    assert np.array_equal(first.train.inputs[:], again.train.inputs[:])
    assert len(kept_keys()) == 1
    featured(*posed(mine, weights, "beyond"), CPU, unheard)
    assert len(kept_keys()) == 2


@pytest.mark.parametrize(
    ("name", "ends"), {"floats": "from 0 to 255", "integers": "from 0 to 255", "centred": "from -1 to 1"}.items()
)
def test_arrays_in_another_range_are_refused_with_the_remedy(name, ends, mine, weights, train):
    with pytest.raises(UsageError, match=rf"(?s){name}.*{ends},.*from 0 to 1.*x / 255.*-1 to 1 already.*scale=unit"):
        featured(*posed(mine, weights, name), CPU, unheard)
    done = train("--data", f"{mine}:{name}", "--model", f"transfer:weights={weights}", "--epochs", 1)
    assert (done.code, ends in done.err) == (2, True)


ENDS = {"bytes_": (0.0, 1.0), "unit": (0.0, 1.0), "floats": (0.0, 255.0), "centred": (-1.0, 1.0), "beyond": (-0.1, 1.1)}


@pytest.mark.parametrize("name", ENDS)
def test_ends_of_pixels_are_those_of_the_training_images(name, mine, weights):
    _, problem = posed(mine, weights, name, "data.split=[1, 0, 0]")
    assert pixel_ends(problem) == pytest.approx(ENDS[name])


def test_what_is_no_image_is_refused_as_before(mine, weights, train):
    done = train("--data", f"{mine}:rows", "--model", f"transfer:weights={weights}", "--epochs", 1)
    assert (done.code, "transfer cannot read arrays" in done.err) == (2, True)


@pytest.mark.parametrize("cleared", [False, True])
def test_a_run_on_arrays_is_evaluated_to_the_same_bits(cleared, mine, weights, train, capsys):
    import json

    from lossopt_cli.__main__ import run
    from lossopt_cli.data import cache

    flags = ["--data", f"{mine}:unit", "--model", f"transfer:weights={weights}", "--epochs", 2]
    done = train(*flags)
    assert done.code == 0, done.err
    assert not cleared or cache.clear() > 0
    assert run(["evaluate", str(done.folder), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["difference_to_result"] == 0.0


@pytest.mark.parametrize(("name", "seen"), [("centred", []), ("unit", ["The images are fed in 0..1"])])
def test_the_doctor_looks_at_the_range_that_arrays_have(name, seen, mine, weights, train):
    done = train("--data", f"{mine}:{name}", "--model", f"transfer:scale=unit:weights={weights}", "--epochs", 1)
    assert done.code == 0, done.err
    found = [warning["seen"] for warning in done.result["warnings"] if warning["name"] == "input_range"]
    assert [text.partition(",")[0] for text in found] == seen
