"""A backbone whose top trains after the head: the first stage is the frozen run, the second is Keras's fine-tuning."""

import csv
import json
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import pytest
import torch
from conftest import Trained
from made_backbones import SIDE, write_images, write_weights
from small_problems import Nobody

from lossopt_cli.config.resolving import resolve
from lossopt_cli.config.schema import Config
from lossopt_cli.config.stages import second_stage, shortened
from lossopt_cli.data.problem import Problem
from lossopt_cli.data.trial import load_trial
from lossopt_cli.errors import UsageError
from lossopt_cli.training import running, staging
from lossopt_cli.training.building import UserParts
from lossopt_cli.training.grouping import stack_key
from lossopt_cli.training.outcome import Outcome
from lossopt_cli.training.stacking import train_stack
from lossopt_cli.training.transfer.backbone import BACKBONE, Backbone
from lossopt_cli.training.transfer.features import unheard

BACKBONE_NAME, LAYERS, EPOCHS, RATE = "MobileNetV3Small", 20, 4, 0.02
HEAD = ["model.hidden=[8]", "model.batch_norm=true", "model.dropout=0.1"]


@pytest.fixture(scope="module", autouse=True)
def own_features(tmp_path_factory):
    """The cache of this file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOSSOPT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    return write_images(tmp_path_factory.mktemp("pictures") / "colours", count=30, side=SIDE)


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    return write_weights(tmp_path_factory.mktemp("weights") / "smooth.weights.h5", BACKBONE_NAME)


@pytest.fixture(scope="module")
def load(pictures, weights):
    def loaded(*sets: str, head: Sequence[str] = HEAD, **flags) -> tuple[Config, Problem]:
        given = {"data": str(pictures), "model": "transfer", "batch_size": 8, "optimizer": "sgd", "epochs": EPOCHS}
        own = [f"model.weights={weights}", f"model.backbone={BACKBONE_NAME}", f"data.image_size={SIDE}", *head]
        given |= {"learning_rate": RATE, **flags}
        trial, problem = load_trial(resolve(None, {}, given, [*own, *sets]), unheard)
        return trial.config, problem

    return loaded


@pytest.fixture(scope="module")
def run(load) -> running.Run:
    return running.prepare(*load(f"model.unfreeze={LAYERS}"), UserParts())


@pytest.fixture(scope="module")
def outcome(run) -> Outcome:
    """As a sweep trains it."""
    with running.at_work(run):
        return train_stack([run], [Nobody()])[0]


def trained(run: running.Run) -> Outcome:
    with running.at_work(run):
        return staging.train(run, Nobody())


@pytest.fixture(scope="module")
def frozen(load) -> Outcome:
    return trained(running.prepare(*load(epochs=EPOCHS // 2), UserParts()))


def test_the_first_stage_is_the_run_on_a_frozen_backbone(run, outcome, frozen):
    assert outcome.initial == frozen.initial
    assert (run.plan.until, len(frozen.evaluations), len(outcome.evaluations)) == (2, 2, 4)
    for ours, theirs in zip(outcome.evaluations, frozen.evaluations, strict=False):
        assert (ours.epoch, ours.step, ours.metrics) == (theirs.epoch, theirs.step, theirs.metrics)
        for name in ("losses", "norms", "rates"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name), name)
    start = staging.grown(run, frozen.state)
    head = run.second.built.layout.views(start.weights[0])[-len(run.built.layout.shapes) :]
    for view, value in zip(head, run.built.layout.views(frozen.state.weights[0]), strict=True):
        assert torch.equal(view, value)


def test_the_network_is_the_same_before_and_after_the_switch(run, frozen):
    """What the head gives of features, the whole network gives of their images."""
    state = staging.grown(run, frozen.state)
    for split in ("train", "validation"):
        wanted = run.examination.raw(frozen.state, split)
        np.testing.assert_allclose(run.second.examination.raw(state, split), wanted, rtol=1e-5, atol=1e-5)


def test_steps_epochs_and_rates_go_on(outcome, run):
    steps = [evaluation.step for evaluation in outcome.evaluations]
    per_epoch = -(-len(run.problem.train) // run.plan.batch_size)
    assert steps == [per_epoch * number for number in range(1, EPOCHS + 1)]
    rates = [float(evaluation.rates[0]) for evaluation in outcome.evaluations]
    assert rates == pytest.approx([RATE, RATE, RATE / 100, RATE / 100])
    assert (outcome.status, outcome.stage, outcome.state.epoch) == ("done", 2, EPOCHS)
    assert set(outcome.final) == {"train", "validation", "test"}


def test_the_top_moves_and_nothing_else(run, outcome):
    model, start = run.second.built.model, run.second.examination.program.start()
    layers = next(layer for layer in model.get_layer(BACKBONE).layers if isinstance(layer, keras.Model)).layers
    top = {id(v) for layer in layers[-LAYERS:] for v in layer.variables}
    norms = {id(v) for layer in layers if isinstance(layer, keras.layers.BatchNormalization) for v in layer.variables}
    backbone = {id(v) for v in model.get_layer(BACKBONE).variables}
    views = run.second.built.layout.views
    moved = {
        id(variable): not torch.equal(after, before)
        for variable, after, before in [
            *zip(model.trainable_variables, views(outcome.state.weights[0]), views(start.weights[0]), strict=True),
            *zip(model.non_trainable_variables, outcome.state.buffers, start.buffers, strict=True),
        ]
    }
    assert len(top & norms) > 3
    assert {place for place in backbone if moved[place]} == top - norms


def test_its_first_step_is_that_of_plain_keras(load, weights):
    """Frozen and unfrozen by hand as in Keras's guide to transfer learning."""
    config, problem = load(f"model.unfreeze={LAYERS}", head=["model.hidden=[8]"])
    second = running.prepare(config, problem, UserParts()).second
    program, state = second.examination.program, second.examination.program.start()
    inputs, targets = next(second.examination.feeds["train"].epoch(0, 2, 8))
    with torch.no_grad():
        state.weights += 0.01 * torch.randn(state.weights.shape, generator=torch.Generator().manual_seed(0))
    before = [view.clone() for view in program.layout.views(state.weights[0])]
    with program.session(state) as session:
        loss = float(session.step(inputs, targets, RATE).loss)

    backbone = Backbone.of(config.model.settings, problem.inputs, "float32").build()
    network = next(layer for layer in backbone.layers if isinstance(layer, keras.Model))
    backbone.trainable = True
    for layer in network.layers[:-LAYERS]:
        layer.trainable = False
    for layer in network.layers[-LAYERS:]:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False
    x = keras.Input((SIDE, SIDE, 3))
    hidden = keras.layers.Activation("relu")(keras.layers.Dense(8)(backbone(x, training=False)))
    model = keras.Model(x, keras.layers.Dense(3)(hidden))
    assert [v.shape for v in model.trainable_variables] == list(program.layout.shapes)
    for variable, value in zip(model.trainable_variables, before, strict=True):
        variable.assign(value)
    model.compile(keras.optimizers.SGD(RATE), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    found = model.train_on_batch(inputs.permute(0, 2, 3, 1).contiguous().numpy(), targets.numpy())
    assert float(found) == pytest.approx(loss, abs=1e-5)
    for variable, value, old in zip(
        model.trainable_variables, program.layout.views(state.weights[0]), before, strict=True
    ):
        np.testing.assert_allclose(value, variable.value.detach(), rtol=0, atol=1e-5)
        assert not torch.equal(value, old)


def test_its_optimizer_starts_afresh(load):
    outcome = trained(
        running.prepare(*load("model.unfreeze=4", "model.unfreeze_epochs=1", optimizer="adam"), UserParts())
    )
    *_, counter = outcome.trained.slots
    assert float(counter) == outcome.evaluations[-1].step / EPOCHS


def test_the_best_may_be_of_the_first_stage(load):
    harmful = [
        f"model.unfreeze={LAYERS}",
        "model.unfreeze_learning_rate=3.0",
        "train.keep=best",
        "train.metric=cross_entropy",
    ]
    run = running.prepare(*load(*harmful), UserParts())
    outcome = trained(run)
    assert outcome.best < 2
    kept = outcome.evaluations[outcome.best].metrics["validation"]
    measured, _ = outcome.reported
    assert measured["validation"]["loss"] == pytest.approx(kept["loss"], abs=1e-5)
    assert outcome.kept.weights.shape == run.second.state.weights.shape


def test_trials_of_a_sweep_go_one_at_a_time(load):
    assert stack_key(load("model.unfreeze=4")[0]) is None
    assert stack_key(load()[0]) is not None


@pytest.fixture
def interrupted(train, pictures, weights, monkeypatch):
    """`lossopt train` of four epochs, interrupted after so many."""
    tell = running.FolderRecorder.evaluated
    sets = [f"data.image_size={SIDE}", f"model.unfreeze={LAYERS}"]
    words = ["--data", pictures, "--model", f"transfer:backbone={BACKBONE_NAME}:weights={weights}"]
    words += ["--epochs", EPOCHS, "--batch-size", 8, "--opt", "sgd", "--lr", RATE]
    words += [word for text in sets for word in ("--set", text)]

    def after(epochs: int) -> Trained:
        def evaluated(self, evaluation):
            tell(self, evaluation)
            if evaluation.epoch == epochs:
                os.kill(os.getpid(), signal.SIGINT)

        monkeypatch.setattr(running.FolderRecorder, "evaluated", evaluated)
        return train(*words)

    return after


@pytest.mark.parametrize(("epochs", "moves"), [(1, False), (3, True)], ids=["first stage", "second stage"])
def test_an_interrupted_run_leaves_a_whole_folder(epochs, moves, interrupted, pictures, capsys):
    from lossopt_cli.__main__ import run

    done = interrupted(epochs)
    told = " ".join(done.err.split())
    assert "stays frozen for 2 epochs; then its top 20 layers train too at a learning rate of 0.0002" in told
    assert (done.code, done.result["status"], done.result["epochs"]) == (130, "interrupted", epochs)
    with (done.folder / "epochs.csv").open() as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == [str(k + 1) for k in range(epochs)]
    assert run(["evaluate", str(done.folder), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["difference_to_result"] == pytest.approx(0.0, abs=1e-5)

    _, problem = load_trial(resolve(None, {}, {"data": str(pictures)}, [f"data.image_size={SIDE}"]), unheard)
    model = keras.saving.load_model(done.folder / "model.keras")
    probabilities = model.predict(problem.test.inputs[:], verbose=0)
    cross_entropy = -np.log(probabilities[np.arange(len(probabilities)), problem.test.targets]).mean()
    assert cross_entropy == pytest.approx(done.result["metrics"]["test"]["cross_entropy"], abs=1e-5)
    plain = Backbone.of(done.result["config"]["model"], problem.inputs, "float32").build()
    kept = model.get_layer("transfer").get_layer(BACKBONE)
    moved = [not np.array_equal(a, b) for a, b in zip(kept.get_weights(), plain.get_weights(), strict=True)]
    assert any(moved) == moves


REFUSED = {
    "unfreeze=500": f"{BACKBONE_NAME} has 157 layers: 500 of them cannot be unfrozen",
    "unfreeze=1": "no weights that could train are in the top 1 layer",
    "unfreeze_epochs=2": "unfreeze_epochs without unfreeze",
    "unfreeze_learning_rate=0.1": "unfreeze_learning_rate without unfreeze",
    "unfreeze=4:unfreeze_epochs=4": "4 of 4 epochs with an unfrozen backbone leave none for the head before",
}


@pytest.mark.parametrize(("model", "told"), REFUSED.items(), ids=REFUSED)
def test_what_cannot_be_is_refused_before_any_image_goes_through(model, told, load, monkeypatch):
    monkeypatch.setattr(running, "featured", lambda *given: pytest.fail("a pass for nothing"))
    with pytest.raises(UsageError) as caught:
        running.prepare(*load(*[f"model.{text}" for text in model.split(":")]), UserParts())
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("epochs", "own", "after"), [(10, None, 5), (5, None, 3), (2, None, 1), (10, 1, 9), (10, 9, 1)]
)
def test_half_of_the_epochs_unless_said(epochs, own, after, load):
    sets = ["model.unfreeze=4"] + ([f"model.unfreeze_epochs={own}"] if own else [])
    assert second_stage(load(*sets, epochs=epochs)[0]).after == after


def test_one_epoch_is_too_short_for_two_stages(load):
    with pytest.raises(UsageError, match="leave none for the head"):
        second_stage(load("model.unfreeze=4", epochs=1)[0])


@pytest.mark.parametrize(("epochs", "layers"), [(1, 0), (3, 4)])
def test_a_search_in_fewer_epochs_keeps_both_stages_where_it_can(epochs, layers, load):
    short = shortened(load("model.unfreeze=4", "model.unfreeze_epochs=3")[0], epochs)
    stage = second_stage(short)
    assert short.train.epochs == epochs
    assert (stage.layers if stage else 0) == layers
