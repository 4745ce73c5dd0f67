"""Random changes of training images: Keras's own, from explicit seeds, in training only; views of a frozen backbone."""

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
import torch
from made_backbones import SIDE, write_images, write_weights
from small_problems import CPU, config_of, problem_of

from lossopt_cli.config.resolving import Resolved, dump, resolve
from lossopt_cli.config.schema import AugmentConfig, Config
from lossopt_cli.data import cache
from lossopt_cli.data.problem import ImageInputs, Problem
from lossopt_cli.data.trial import load_trial
from lossopt_cli.errors import UsageError
from lossopt_cli.training import running
from lossopt_cli.training.augmentation import Augmentation
from lossopt_cli.training.building import UserParts
from lossopt_cli.training.grouping import stack_key
from lossopt_cli.training.randomness import batch_order
from lossopt_cli.training.stack_feeding import StackFeed
from lossopt_cli.training.transfer import features
from lossopt_cli.training.transfer.backbone import Backbone
from lossopt_cli.training.transfer.features import featured, unheard

CHANGES = {
    "flip": {"flip": "both"},
    "rotation": {"rotation": 30.0},
    "crop": {"crop": 0.3},
    "brightness": {"brightness": 0.4},
}
ALL = {"flip": "horizontal", "rotation": 20.0, "crop": 0.2, "brightness": 0.2}
SETS = [f"train.augment.{key}={value}" for key, value in ALL.items()]
EPOCHS, BATCH = 2, 8


def images_of(height: int, width: int, channels: int = 3, count: int = 12) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).random((count, height, width, channels), dtype=np.float32))


def augmentation_of(given: dict, images: torch.Tensor) -> Augmentation:
    problem = replace(problem_of("multiclass", images=True), inputs=ImageInputs(tuple(images.shape[1:]), 1.0))
    return Augmentation.of(AugmentConfig(**given), problem)


@pytest.mark.parametrize("shape", [(20, 14, 3), (9, 9, 1)], ids=["colours", "grey"])
@pytest.mark.parametrize("change", CHANGES)
def test_images_are_changed_as_the_layer_of_keras_changes_them(change, shape):
    images = images_of(*shape)
    changes = augmentation_of(CHANGES[change], images)
    drawn, rows = changes.drawn(40, CPU, "test", 1), torch.arange(17, 29)
    own = {key: v[rows].clone() if isinstance(v, torch.Tensor) else v for key, v in drawn[0].items()}
    wanted = changes.layers[0].transform_images(images.clone(), own, training=True)
    found = changes.applied(images.clone(), drawn, rows)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4)
    assert float((found - images).abs().mean()) > 0.02


def test_what_is_drawn_follows_from_the_seed_and_keeps_to_its_bounds():
    changes = augmentation_of(ALL, images_of(8, 8))
    flip, rotation, crop, brightness = changes.drawn(4000, CPU, "test", 3)
    again, other = changes.drawn(4000, CPU, "test", 3), changes.drawn(4000, CPU, "test", 4)
    assert torch.equal(rotation["angle"], again[1]["angle"])
    assert not torch.equal(rotation["angle"], other[1]["angle"])
    assert float(flip["flips"].float().mean()) == pytest.approx(0.5, abs=0.03)
    for values, most in ((rotation["angle"], 20.0), (crop["translations"], 0.2 * 8), (brightness["rgb_delta"], 0.2)):
        assert 0.99 * most < float(values.abs().max()) <= most
        assert float(values.mean()) == pytest.approx(0.0, abs=0.05 * most)


def run_of(*sets: str, seed: int = 0, **flags) -> running.Run:
    config = config_of("multiclass", None, "sgd", *sets, model="minicnn", seed=seed, epochs=EPOCHS, **flags)
    return running.prepare(config, problem_of("multiclass", images=True), UserParts())


def epochs_of(run: running.Run, size: int = BATCH) -> list[torch.Tensor]:
    """The training images of every epoch, in the order of the data."""
    feed, found = run.examination.feeds["train"], []
    for epoch in range(EPOCHS):
        order = torch.from_numpy(batch_order(len(feed), run.plan.seed, epoch))
        images = torch.cat([inputs for inputs, _ in feed.epoch(run.plan.seed, epoch, size)])
        found.append(torch.empty_like(images).index_copy_(0, order, images))
    return found


def test_every_epoch_changes_training_images_anew_whatever_their_batch():
    run = run_of(*SETS)
    plain = torch.cat(list(run.examination.feeds["train"].all()))
    first, second = epochs_of(run)
    assert min(float((a - b).abs().mean()) for a, b in ((first, plain), (second, plain), (first, second))) > 0.05
    for ours, theirs in zip((first, second), epochs_of(run_of(*SETS), size=5), strict=True):
        assert torch.equal(ours, theirs)
    assert not torch.equal(first, epochs_of(run_of(*SETS, seed=1))[0])


def test_what_is_measured_is_not_changed():
    run, plain = run_of(*SETS), run_of()
    for split, feed in run.examination.feeds.items():
        assert torch.equal(torch.cat(list(feed.all())), torch.cat(list(plain.examination.feeds[split].all())))
        assert run.examination.measure(run.state, split) == plain.examination.measure(plain.state, split)
    assert run.initial_outputs == plain.initial_outputs


def test_a_stack_is_fed_what_each_trial_is_fed_alone():
    runs = [run_of(*SETS, seed=seed) for seed in (3, 5, 3)]
    stack = StackFeed(runs[0].examination.feeds["train"], [run.plan.seed for run in runs])
    alone = [run.examination.feeds["train"].epoch(run.plan.seed, 1, BATCH) for run in runs]
    for (inputs, targets), *own in zip(stack.epoch(0, 1, BATCH), *alone, strict=True):
        assert torch.equal(inputs, torch.stack([batch[0] for batch in own]))
        assert torch.equal(targets, torch.stack([batch[1] for batch in own]))


def test_a_run_leaves_a_model_without_random_layers(train):
    flags = ["--epochs", 2, "--set", "data.limit=200", *[word for text in SETS for word in ("--set", text)]]
    done, again, plain = train(*flags), train(*flags), train(*flags[:4])
    assert (done.code, again.code) == (0, 0), done.err
    assert done.result["metrics"] == again.result["metrics"] != plain.result["metrics"]
    assert done.result["initial"] == plain.result["initial"]
    assert done.result["setting"] == again.result["setting"] != plain.result["setting"]
    assert done.result["problem"] == plain.result["problem"]
    with zipfile.ZipFile(done.folder / "model.keras") as archive:
        assert "Random" not in archive.read("config.json").decode()
    assert "train.augment" not in str(done.result["warnings"])


def test_tables_and_arrays_have_no_images_to_change():
    config = config_of("multiclass", None, "sgd", "train.augment.flip=both")
    with pytest.raises(UsageError, match=r"train\.augment changes images: noise is arrays"):
        running.prepare(config, problem_of("multiclass"), UserParts())


REFUSED = {
    "crop=0.6": "a number of at most 0.5",
    "crop=-0.1": "a number of at least 0",
    "rotation=181": "a number of at most 180",
    "brightness=bright": "a number",
    "flip=sideways": "horizontal, vertical or both",
    "flip=null": "changes nothing",
    "flips=both": "did you mean flip?",
    "views=2": "train.augment.views is for model transfer",
}


@pytest.mark.parametrize(("text", "told"), REFUSED.items(), ids=REFUSED)
def test_what_cannot_be_is_refused(text, told):
    with pytest.raises(UsageError) as caught:
        resolve(None, {}, {}, [f"train.augment.{text}"])
    assert told in str(caught.value)


def from_text(folder: Path, text: str, *sets: str, **flags) -> Resolved:
    (folder / "mine.yaml").write_text(text)
    return resolve(folder / "mine.yaml", {}, flags, sets)


def test_its_keys_are_laid_over_each_other_one_by_one(tmp_path):
    text = "train:\n  augment:\n    flip: horizontal\n    crop: 0.1\n"
    found = from_text(tmp_path, text, "train.augment.crop=0.2")
    assert found.config.train.augment == AugmentConfig(flip="horizontal", crop=0.2)
    assert found.origins["train.augment.flip"] == "mine.yaml:3"
    assert found.origins["train.augment.crop"] == "--set train.augment.crop"
    assert from_text(tmp_path, dump(found.config, found.origins)).config == found.config
    assert from_text(tmp_path, text, "train.augment=null").config.train.augment is None
    off = from_text(tmp_path, "train: {augment: null}", "train.augment.flip=both").config
    assert off.train.augment == AugmentConfig(flip="both")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    return write_images(tmp_path_factory.mktemp("pictures") / "colours", count=30, side=SIDE)


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    return write_weights(tmp_path_factory.mktemp("weights") / "smooth.weights.h5", "MobileNetV3Small")


@pytest.fixture(scope="module")
def transfer(pictures, weights):
    """The config and problem of a head on this backbone, with augmentation."""

    def loaded(*sets: str) -> tuple[Config, Problem]:
        given = {"data": str(pictures), "model": "transfer", "batch_size": 8, "epochs": 3}
        own = [f"model.weights={weights}", "model.backbone=MobileNetV3Small", f"data.image_size={SIDE}"]
        trial, problem = load_trial(resolve(None, {}, given, [*own, *sets]), unheard)
        return trial.config, problem

    return loaded


@pytest.fixture(autouse=True)
def kept(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("LOSSOPT_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def quick(monkeypatch) -> None:
    """A backbone that takes no time: the mean colour."""

    def build(self: Backbone) -> keras.Model:
        inputs = keras.Input(self.shape, name="images")
        return keras.Model(inputs, keras.layers.GlobalAveragePooling2D(name="pooling")(inputs))

    monkeypatch.setattr(features.Backbone, "build", build)


def made() -> set[str]:
    return {entry.key for entry in cache.entries() if entry.kind == features.KIND}


def test_views_are_changed_images_through_the_backbone(transfer):
    config, problem = transfer(*SETS, "train.augment.views=2")
    fed, plain = featured(config, problem, CPU, unheard), featured(*transfer(), CPU, unheard)
    assert [len(view) for view in fed.train.views] == [len(problem.train)] * 2
    assert (fed.validation.views, fed.test.views) == ((), ())
    assert torch.equal(torch.from_numpy(fed.train.inputs[:]), torch.from_numpy(plain.train.inputs[:]))
    backbone = Backbone.of(config.model.settings, problem.inputs, "float32").build()
    order = np.argsort(problem.train.inputs.rows)
    images = torch.from_numpy(problem.train.inputs[:][order]).float() / 255.0
    changes = Augmentation.of(config.train.augment, problem)
    for number, view in enumerate(fed.train.views):
        drawn = changes.drawn(len(images), CPU, "view", number)
        changed = changes.applied(images.clone(), drawn, torch.arange(len(images)))
        with torch.no_grad():
            wanted = backbone(changed, training=False)
        np.testing.assert_allclose(view[:][order], wanted, rtol=0, atol=1e-3 * float(wanted.abs().max()))


def test_epochs_take_turns_with_the_views(transfer, quick):
    run = running.prepare(*transfer(*SETS, "train.augment.views=2"), UserParts())
    feed, views = run.examination.feeds["train"], run.examination.problem.train.views
    assert torch.equal(torch.cat(list(feed.all())), torch.from_numpy(run.examination.problem.train.inputs[:]))
    for epoch in range(3):
        order = batch_order(len(feed), 0, epoch)
        found = torch.cat([inputs for inputs, _ in feed.epoch(0, epoch, BATCH)])
        assert np.array_equal(found, views[epoch % 2][:][order])


def test_views_are_made_once_for_each_way_of_changing(transfer, quick):
    featured(*transfer(*SETS, "train.augment.views=2"), CPU, unheard)
    assert len(made()) == 1 + 2
    featured(*transfer(*SETS, "train.augment.views=3", "train.seed=4", "model.hidden=[4]"), CPU, unheard)
    assert len(made()) == 1 + 3
    featured(*transfer(*SETS, "train.augment.views=9"), CPU, unheard)
    assert len(made()) == 1 + 3
    featured(*transfer(*SETS[1:], "train.augment.views=1"), CPU, unheard)
    assert len(made()) == 1 + 4


def test_four_views_unless_said_and_it_is_told_what_that_means(transfer, quick):
    told: list[str] = []
    config, problem = transfer(*SETS)
    assert config.train.augment.views == 4
    featured(config, problem, CPU, told.append)
    assert [text for text in told if "3 changed views of each training image, made once" in text]
    assert [text for text in told if "views=0 makes new ones at every step, and every batch goes" in text]


def test_without_views_every_batch_goes_through_the_backbone(train, pictures, weights, capsys):
    from lossopt_cli.__main__ import run

    model = f"transfer:backbone=MobileNetV3Small:weights={weights}"
    sets = [f"data.image_size={SIDE}", "train.augment.views=0", *SETS]
    words = [word for text in sets for word in ("--set", text)]
    done = train("--data", pictures, "--model", model, "--epochs", 1, "--batch-size", 12, *words)
    assert done.code == 0, done.err
    assert "new changes of the images at every step: 1 slow pass" in " ".join(done.err.split())
    assert not made()
    assert run(["evaluate", str(done.folder), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["difference_to_result"] == 0.0
    model = keras.saving.load_model(done.folder / "model.keras")
    assert model.input_shape == (None, SIDE, SIDE, 3)


def test_trials_that_send_every_batch_through_the_backbone_go_alone(transfer):
    assert stack_key(transfer(*SETS, "train.augment.views=0")[0]) is None
    assert stack_key(transfer(*SETS)[0]) is not None
