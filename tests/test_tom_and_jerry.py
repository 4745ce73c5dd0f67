"""The tutorial that the project began from: the same numbers as its plain Keras script, and what is wrong with them."""

import csv
from pathlib import Path

import keras
import numpy as np
import pytest

from lossopt_cli.config.resolving import resolve
from lossopt_cli.training.assembly import assemble
from lossopt_cli.training.randomness import batch_order
from tests.examples import tom_and_jerry
from tests.made_images import class_folders

CONFIGS = Path(__file__).parents[1] / "configs"
SIZE, BATCH, STEPS = 64, 12, 10


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Laid out as the data set of the tutorial is."""
    return class_folders(
        tmp_path_factory.mktemp("kaggle") / "tom_and_jerry" / "tom_and_jerry", each=45, size=(144, 192)
    )


@pytest.fixture(scope="module")
def weights(tmp_path_factory, folder) -> Path:
    """A MobileNetV2 whose batch norms know what they see: its features are as large as those of a trained one."""
    keras.utils.set_random_seed(0)
    network = keras.applications.MobileNetV2(input_shape=(SIZE, SIZE, 3), include_top=False, weights=None)
    norms = [layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)]
    for layer in norms:
        layer.momentum = 0.0
    pictures = tom_and_jerry.read(str(folder), SIZE)
    network(2.0 * pictures.batch(pictures.train[::2])[0] - 1.0, training=True)
    path = tmp_path_factory.mktemp("weights") / "backbone.weights.h5"
    network.save_weights(path)
    return path


@pytest.fixture(scope="module")
def random_weights(tmp_path_factory) -> Path:
    """As Keras makes them: features of a size of 1e-3."""
    keras.utils.set_random_seed(1)
    network = keras.applications.MobileNetV2(input_shape=(SIZE, SIZE, 3), include_top=False, weights=None)
    path = tmp_path_factory.mktemp("weights") / "random.weights.h5"
    network.save_weights(path)
    return path


def arguments(folder: Path, weights: Path) -> list[str]:
    return ["--data", str(folder), "--set", f"model.weights={weights}", "--set", f"data.image_size={SIZE}"]


@pytest.mark.parametrize(
    ("backbone", "within"),
    # Fifty layers of normalised random features enlarge what the last bit of a float32 says; Adam does so again.
    [("random_weights", 1e-5), ("weights", 5e-5)],
)
def test_the_tutorial_has_the_losses_of_its_plain_keras_script(train, folder, request, backbone, within) -> None:
    weights = request.getfixturevalue(backbone)
    config = CONFIGS / "tom-and-jerry-tutorial.yaml"
    run = assemble(
        resolve(config, {}, {"data": str(folder)}, [f"model.weights={weights}", f"data.image_size={SIZE}"]),
        lambda _: None,
    ).run(lambda _: None)
    pictures = tom_and_jerry.read(str(folder), SIZE)
    splits = [pictures.train, pictures.validation, pictures.test]
    assert [run.problem.split(name).rows.tolist() for name in ("train", "validation", "test")] == splits

    model = tom_and_jerry.network(SIZE, 4, weights=None)
    model.layers[0].load_weights(weights)
    for ours, theirs in zip(run.built.model.trainable_variables, model.trainable_variables, strict=True):
        theirs.assign(ours.value)
    rows = np.array(pictures.train)[batch_order(len(pictures.train), 0, 0)]
    expected = tom_and_jerry.losses(model, pictures, np.split(rows, range(BATCH, len(rows), BATCH))[:STEPS])

    trained = train(config, *arguments(folder, weights), "--epochs", 1)
    assert trained.code == 0
    with (trained.folder / "steps.csv").open(newline="") as file:
        found = [float(row["loss"]) for row in csv.DictReader(file)][:STEPS]
    assert len(found) == STEPS
    assert np.ptp(expected) > 100 * within
    np.testing.assert_allclose(found, expected, rtol=within, atol=within)


def test_both_mistakes_of_the_tutorial_are_named_before_the_first_step(train, folder, weights) -> None:
    trained = train(CONFIGS / "tom-and-jerry-tutorial.yaml", *arguments(folder, weights), "--epochs", 1)
    first = [warning["name"] for warning in trained.result["warnings"] if warning.get("step") == 0]
    assert {"input_range", "probabilities_for_logits"} <= set(first)
    before, _, _ = trained.err.partition("epoch 1/1")
    assert "MobileNetV2 expects -1..1" in " ".join(before.split())
    assert "from_logits=false" in before


def test_nothing_is_said_of_the_right_version(train, folder, weights) -> None:
    trained = train(CONFIGS / "tom-and-jerry.yaml", *arguments(folder, weights))
    assert trained.result["warnings"] == []
    assert trained.result["metrics"]["validation"]["accuracy"] > 0.6
