"""Trials in a stack against the same trials alone: every optimizer, every loss, to the bit where networks are dense."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import torch
from small_problems import MODELS, Nobody, config_of, losses_of, problem_of

from lossopt_cli.catalogue.losses import LOSSES
from lossopt_cli.catalogue.optimizers import OPTIMIZERS
from lossopt_cli.catalogue.rows import TASKS
from lossopt_cli.data.problem import SPLITS, ImageInputs, Problem, Split
from lossopt_cli.training import running, stack_loop
from lossopt_cli.training.building import UserParts
from lossopt_cli.training.grouping import stack_key
from lossopt_cli.training.loop import Outcome, train
from lossopt_cli.training.stacking import prepare_stack, train_stack
from lossopt_cli.training.state import State
from lossopt_cli.training.stopping import Stopping

WIDTH, SIZES = 8, (44, 12, 0)  # the last batch of an epoch has 4 examples
OPTIMIZER_NAMES = [row.name for row in OPTIMIZERS]
LOSS_TASKS = [(row.name, task) for row in LOSSES for task in TASKS if task in row.tasks]
# Lion moves by the sign of numbers near 0. Adafactor divides by factored moments that are nearly 0.
AMPLIFYING = {"lion": 1e-3, "adafactor": 1e-3}


@pytest.fixture(autouse=True)
def on_the_cpu():
    with keras.device("cpu"):
        yield


def configs_of(task, *given, width=WIDTH, rates=None, epochs=2, hidden=None, **flags) -> list:
    """Trials with rates of their own around the default, two of each of the seeds. hidden: other widths."""
    default = config_of(task, *given, **flags).optimizer.settings["learning_rate"]
    rates = rates or [default * 10 ** ((trial - width / 2) / 4) for trial in range(width)]
    configs = [
        config_of(task, *given, seed=trial // 2, learning_rate=rate, epochs=epochs, **flags)
        for trial, rate in enumerate(rates)
    ]
    return [with_hidden(config, hidden) for config in configs] if hidden else configs


def with_hidden(config, hidden):
    settings = {**config.model.settings, "hidden": hidden}
    return config.model_copy(update={"model": config.model.model_copy(update={"settings": settings})})


def problem_for(config, task):
    return problem_of(task, config.model.name == "minicnn", SIZES)


def stacked(configs, task, **how) -> list[Outcome]:
    runs = prepare_stack(configs, problem_for(configs[0], task), UserParts())
    return train_stack(runs, [Nobody() for _ in runs], **how)


def alone(config, task) -> Outcome:
    run = running.prepare(config, problem_for(config, task), UserParts())
    return train(run.examination.program, run.examination, run.plan, Nobody(), run.state)


def assert_same(one: Outcome, other: Outcome) -> None:
    """Every number of an outcome to the bit, seconds apart."""
    for name in ("status", "initial", "final", "final_best", "best", "diverged_at", "last_finite"):
        assert getattr(one, name) == getattr(other, name), name
    assert len(one.evaluations) == len(other.evaluations) > 0
    for ours, theirs in zip(one.evaluations, other.evaluations, strict=True):
        assert (ours.epoch, ours.step, ours.metrics) == (theirs.epoch, theirs.step, theirs.metrics)
        for name in ("losses", "norms", "rates"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name), name)
    for ours, theirs in ((one.state, other.state), (one.trained, other.trained), (one.kept, other.kept)):
        assert_same_state(ours, theirs)


def assert_same_state(one: State | None, other: State | None) -> None:
    assert (one is None) == (other is None)
    if one is None:
        return
    assert (one.epoch, one.step, one.alive.tolist()) == (other.epoch, other.step, other.alive.tolist())
    ours, theirs = ([state.weights, *state.buffers, *state.slots] for state in (one, other))
    for tensor, wanted in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(tensor, wanted)


@pytest.mark.parametrize("name", OPTIMIZER_NAMES)
def test_a_dense_trial_has_the_bits_that_it_has_alone_with_every_optimizer(name):
    """With batch normalisation and dropout, eight rates and four seeds; a smaller last batch."""
    configs = configs_of("multiclass", None, name, *MODELS["mlp"])
    outcomes = stacked(configs, "multiclass")
    for trial in (1, 6):
        assert_same(outcomes[trial], alone(configs[trial], "multiclass"))


@pytest.mark.parametrize(("name", "task"), LOSS_TASKS)
def test_a_dense_trial_has_the_bits_that_it_has_alone_with_every_loss(name, task):
    configs = configs_of(task, name, "sgd", rates=[0.01, 0.1, 0.03])
    assert_same(stacked(configs, task)[1], alone(configs[1], task))


@pytest.mark.parametrize("name", OPTIMIZER_NAMES)
def test_ten_steps_of_a_convolution_agree_with_every_optimizer(name):
    """A smooth twin, which does not amplify what rounding differs by, with batch normalisation and dropout."""
    configs = configs_of(
        "multiclass", None, name, *MODELS["minicnn"], model="minicnn", width=4, batch_size=16, epochs=4
    )
    outcomes = stacked(configs, "multiclass")
    found, wanted = losses_of(outcomes[2])[:10], losses_of(alone(configs[2], "multiclass"))[:10]
    assert found[0] == pytest.approx(wanted[0], rel=1e-6)
    np.testing.assert_allclose(found, wanted, rtol=AMPLIFYING.get(name, 1e-5))


def photographs() -> Problem:
    """32x32 images in three colours, of three classes that differ in their level."""
    problem, generator = problem_of("multiclass", True, SIZES), np.random.default_rng(0)

    def enlarged(split: Split) -> Split:
        noise = generator.integers(-40, 41, size=(len(split), 32, 32, 3))
        level = 16 * split.inputs.mean(axis=(1, 2), keepdims=True)
        return replace(split, inputs=np.clip(level + noise, 0, 255).astype(np.uint8))

    parts = {name: enlarged(problem.split(name)) for name in SPLITS}
    return replace(problem, inputs=ImageInputs((32, 32, 3), 1.0 / 255.0), **parts)


@pytest.mark.parametrize(("given", "steps", "within"), [([], 1, 1e-6), (MODELS["minicnn"], 10, 1e-5)])
def test_photographs_agree_at_the_first_step_and_on_a_smooth_twin_for_ten(given, steps, within):
    problem = photographs()
    configs = configs_of("multiclass", None, "adam", *given, model="minicnn", width=3, batch_size=16, epochs=4)
    runs = prepare_stack(configs, problem, UserParts())
    found = losses_of(train_stack(runs, [Nobody() for _ in runs])[1])
    run = running.prepare(configs[1], problem, UserParts())
    wanted = losses_of(train(run.examination.program, run.examination, run.plan, Nobody(), run.state))
    np.testing.assert_allclose(found[:steps], wanted[:steps], rtol=within)


@pytest.mark.parametrize("task", TASKS)
def test_a_convolution_with_relu_and_maxima_agrees_on_every_task(task):
    configs = configs_of(task, None, "adam", model="minicnn", width=3)
    outcomes = stacked(configs, task)
    np.testing.assert_allclose(losses_of(outcomes[1]), losses_of(alone(configs[1], task)), rtol=1e-5)


@pytest.mark.parametrize(("model", "width"), [("mlp", 1), ("mlp", 2), ("mlp", 5), ("minicnn", 2), ("minicnn", 5)])
def test_the_width_changes_no_bit(model, width):
    """Of dense networks at all, of convolutions from two on; one trial of eleven is left by itself."""
    configs = configs_of("multiclass", None, "adam", *MODELS[model], model=model, width=11, epochs=1)
    outcomes, together = stacked(configs, "multiclass", width=width), stacked(configs, "multiclass")
    for one, other in zip(outcomes, together, strict=True):
        assert_same(one, other)


SETTINGS = {
    "cosine schedule": (("adam",), {"schedule": "cosine"}),
    "decay and clipping by norm": (("adamw", "optimizer.weight_decay=0.1", "optimizer.clipnorm=0.1"), {}),
    "clipping of values": (("momentum", "optimizer.clipvalue=0.01", "optimizer.weight_decay=0.01"), {}),
    "clipping of all": (("rmsprop", "optimizer.global_clipnorm=0.1"), {}),
    "amsgrad": (("adam:amsgrad=true",), {}),
    "average of weights": (("sgd", "optimizer.use_ema=true", "optimizer.ema_momentum=0.5"), {}),
    "best epoch": (("adam", "train.keep=best", "train.evaluate_every=4"), {"epochs": 4}),
    "one unit": (("adam", "model.activation=sigmoid"), {"hidden": [1]}),
    "odd sizes": (("sgd", "model.activation=softplus"), {"hidden": [7, 5], "batch_size": 9}),
}


@pytest.mark.parametrize("kind", SETTINGS)
@pytest.mark.parametrize("task", TASKS)
def test_settings_keep_the_bits(kind, task):
    (optimizer, *sets), flags = SETTINGS[kind]
    configs = configs_of(task, None, optimizer, *sets, width=4, **flags)
    assert_same(stacked(configs, task)[3], alone(configs[3], task))


@pytest.mark.parametrize("packed", [True, False])
def test_a_diverged_trial_ends_as_alone_and_does_not_touch_the_others(packed, monkeypatch):
    """mse at rates that overflow after a few steps and at once; those that go on do so in a smaller stack, or not."""
    monkeypatch.setattr(stack_loop, "STEPS_THAT_REPAY_PACKING", 1 if packed else 10**9)
    configs = configs_of("regression", "mse", "sgd", rates=[0.01, 1e9, 0.03, 1e30, 0.1, 1e5], epochs=12)
    told = []
    outcomes = stacked(configs, "regression", stepped=lambda *where: told.append(where))
    assert [outcome.status for outcome in outcomes] == ["done", "diverged", "done", "diverged", "done", "diverged"]
    for config, outcome in zip(configs, outcomes, strict=True):
        assert_same(outcome, alone(config, "regression"))


def test_a_convolution_whose_companions_have_ended_keeps_its_bits(monkeypatch):
    """A stack of convolutions shrinks to one."""
    monkeypatch.setattr(stack_loop, "STEPS_THAT_REPAY_PACKING", 1)
    flags = {"model": "minicnn", "epochs": 6}
    configs = configs_of("regression", "mse", "sgd", rates=[0.01, 1e12, 1e14, 1e16], **flags)
    outcomes = stacked(configs, "regression")
    assert [outcome.status for outcome in outcomes] == ["done", "diverged", "diverged", "diverged"]
    calm = configs_of("regression", "mse", "sgd", rates=[0.01, 0.02, 0.03, 0.04], **flags)
    assert_same(outcomes[0], stacked(calm, "regression")[0])


class Presses(Stopping):
    """A person at the keyboard, who presses Ctrl-C after so many steps."""

    def __init__(self, steps):
        super().__init__()
        self.left = steps

    @property
    def cause(self):
        self.left -= 1
        return KeyboardInterrupt() if self.left < 0 else None

    @cause.setter
    def cause(self, value):
        pass


def test_an_interruption_leaves_every_trial_where_it_stood():
    configs = configs_of("multiclass", None, "adam", width=3, epochs=5)
    outcomes = stacked(configs, "multiclass", stopping=Presses(8))
    for outcome in outcomes:
        assert (outcome.status, outcome.state.step, len(losses_of(outcome))) == ("interrupted", 8, 8)
        assert isinstance(outcome.stopped_by, KeyboardInterrupt)
        assert set(outcome.final) == {"train", "validation"}


def test_recorders_hear_what_a_single_training_tells():
    configs = configs_of("multiclass", None, "adam", width=3)
    runs = prepare_stack(configs, problem_of("multiclass", sizes=SIZES), UserParts())
    heard = [Nobody() for _ in runs]
    outcomes = train_stack(runs, heard)
    for recorder, outcome in zip(heard, outcomes, strict=True):
        assert recorder.initial == outcome.initial != {}
        assert recorder.evaluations == outcome.evaluations
    shares = [outcome.seconds["train"] for outcome in outcomes]
    assert shares[0] > 0.0
    assert shares == pytest.approx([shares[0]] * 3)


def test_runs_prepared_together_are_the_runs_prepared_alone():
    configs = configs_of("multiclass", None, "muon", *MODELS["mlp"], schedule="cosine")
    problem = problem_of("multiclass", sizes=SIZES)
    for run, config in zip(prepare_stack(configs, problem, UserParts()), configs, strict=True):
        single = running.prepare(config, problem, UserParts())
        assert (run.trial, run.initial_outputs) == (single.trial, single.initial_outputs)
        assert (run.plan.seed, run.plan.rates.tolist()) == (single.plan.seed, single.plan.rates.tolist())
        assert run.built.learning_rate == single.built.learning_rate
        assert_same_state(replace(run.state, slots=[]), replace(single.state, slots=[]))


LIKE = config_of("multiclass", None, "adam", epochs=2)
MEMBERS = {
    "rate": (config_of("multiclass", None, "adam", epochs=2, learning_rate=0.7), True),
    "seed": (config_of("multiclass", None, "adam", epochs=2, seed=9), True),
    "schedule": (config_of("multiclass", None, "adam", epochs=2, schedule="cosine"), True),
    "epochs": (config_of("multiclass", None, "adam", epochs=3), False),
    "loss": (config_of("multiclass", "mse", "adam", epochs=2), False),
    "optimizer": (config_of("multiclass", None, "sgd", epochs=2), False),
    "momentum": (config_of("multiclass", None, "adam:beta_1=0.8", epochs=2), False),
    "model": (config_of("multiclass", None, "adam", "model.dropout=0.1", epochs=2), False),
    "batch": (config_of("multiclass", None, "adam", epochs=2, batch_size=9), False),
}


@pytest.mark.parametrize("difference", MEMBERS)
def test_trials_that_differ_in_rate_schedule_and_seed_share_a_stack(difference):
    config, together = MEMBERS[difference]
    assert (stack_key(config) == stack_key(LIKE)) == together


def test_another_split_of_the_data_is_another_stack():
    keys = {stack_key(config_of("multiclass", None, "adam", "data.split_seed=seed", seed=seed)) for seed in (0, 1)}
    assert len(keys) == 2


@pytest.mark.parametrize("recipe", ["torch.SGD", "adam:gradient_accumulation_steps=2"])
def test_what_cannot_be_stacked_is_trained_alone(recipe):
    configs = [config_of("multiclass", None, recipe, learning_rate=rate, epochs=1) for rate in (0.01, 0.1)]
    outcomes = stacked(configs, "multiclass")
    for config, outcome in zip(configs, outcomes, strict=True):
        assert_same(outcome, alone(config, "multiclass"))


def test_engine_single_goes_one_at_a_time():
    assert stack_key(config_of("multiclass", None, "adam", "train.engine=single")) is None


def test_a_stack_of_images_without_validation_and_test():
    configs = configs_of("multiclass", None, "adam", model="minicnn", width=2, epochs=1)
    runs = prepare_stack(configs, problem_of("multiclass", images=True, sizes=(40, 0, 0)), UserParts())
    outcomes = train_stack(runs, [Nobody() for _ in runs])
    assert all(set(outcome.final) == {"train"} for outcome in outcomes)
    assert all(torch.isfinite(outcome.state.weights).all() for outcome in outcomes)
