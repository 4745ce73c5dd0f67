"""Every optimizer of Keras against Keras's `fit`: the plain step bit for bit, the engine's within rounding."""

import keras
import numpy as np
import pytest
import torch
from small_problems import MODELS, STEPS, Workbench, bench_of, config_of, problem_of, rates_of, stepped

from lossopt_cli.catalogue.optimizers import OPTIMIZERS
from lossopt_cli.catalogue.recipes import spell_part
from lossopt_cli.training.layout import Layout
from lossopt_cli.training.randomness import pure_randomness
from lossopt_cli.training.rules import KerasRule
from lossopt_cli.training.tracing import same_bits

NAMES = [row.name for row in OPTIMIZERS]
# Lion moves every weight by the rate in the direction of a sign, and rounding decides the sign of what is nearly 0.
# Keras's fit is wrong with ScheduleFreeAdamW (its momentum is overwritten before it is read): it has tests of its own.
TOLERANCE = {"lion": 1e-3}
WRONG_IN_FIT = "schedule_free_adamw"


@pytest.fixture(autouse=True)
def on_the_cpu():
    with keras.device("cpu"):
        yield


class EachBatch(keras.callbacks.Callback):
    """The loss of every batch by itself (`fit` logs the running mean), and the rate set for it.

    Before its first step `fit` builds itself symbolically, which draws from the dropout's seeds: they are put back.
    """

    def __init__(self, model, rates):
        super().__init__()
        self.rates, self.losses = rates, []
        self.initial = [variable.numpy().copy() for variable in model.non_trainable_variables]

    def on_train_batch_begin(self, batch, logs=None):
        if batch == 0:
            for variable, value in zip(self.model.non_trainable_variables, self.initial, strict=True):
                variable.assign(value)
        self.model._loss_tracker.reset_state()
        self.model.optimizer.learning_rate = float(self.rates[batch])

    def on_train_batch_end(self, batch, logs=None):
        self.losses.append(logs["loss"])


def fitted(bench: Workbench, rates) -> tuple[np.ndarray, list[torch.Tensor]]:
    """(loss of every batch, trainable weights) of `fit`: one epoch, the engine's batches, its dropout masks."""
    inputs, targets = zip(*bench.batches(STEPS), strict=True)
    model, watch = bench.built.model, EachBatch(bench.built.model, rates)
    model.compile(optimizer=bench.built.optimizer(), loss=bench.built.objective.reference)
    with pure_randomness():
        model.fit(
            *(torch.cat(inputs), torch.cat(targets)),
            batch_size=len(targets[0]),
            shuffle=False,
            verbose=0,
            callbacks=[watch],
        )
    return np.array(watch.losses), [variable.value.detach() for variable in model.trainable_variables]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", [name for name in NAMES if name != WRONG_IN_FIT])
def test_the_plain_step_is_that_of_fit_bit_for_bit(name, model):
    reference, bench = bench_of(name, model), bench_of(name, model)
    wanted, weights = fitted(reference, rates_of(reference))
    losses, own = stepped(bench, bench.plain, rates_of(bench))
    assert losses.tolist() == wanted.tolist()
    assert all(same_bits(a, b) for a, b in zip(own, weights, strict=True))
    assert len(set(losses)) == STEPS


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", [name for name in NAMES if name != WRONG_IN_FIT])
def test_the_engine_has_the_losses_of_fit(name, model):
    reference, bench = bench_of(name, model), bench_of(name, model)
    wanted, _ = fitted(reference, rates_of(reference))
    losses, _ = stepped(bench, bench.program, rates_of(bench), trace=True)
    assert bench.program.is_traced
    np.testing.assert_allclose(losses, wanted, rtol=TOLERANCE.get(name, 1e-5), atol=0)


# Settings that are not an optimizer's own are the same code in all: held on a rule of each kind, one vector (sgd), the
# fused kernel's way out (adam), tensor by tensor (lamb).
SHARED = {
    "weight_decay": 0.05,
    "clipnorm": 0.05,
    "clipvalue": 0.01,
    "global_clipnorm": 0.1,
    "use_ema": True,
    "ema_overwrite_frequency": 3,
    "loss_scale_factor": 3.0,
    "gradient_accumulation_steps": 2,
}
OWN = {
    "momentum": 0.8,
    "nesterov": True,
    "rho": 0.7,
    "centered": True,
    "epsilon": 1e-3,
    "initial_accumulator_value": 0.3,
    "learning_rate_power": -0.4,
    "l1_regularization_strength": 0.001,
    "l2_regularization_strength": 0.01,
    "l2_shrinkage_regularization_strength": 0.01,
    "beta": 0.1,
    "beta_1": 0.8,
    "beta_2": 0.9,
    "amsgrad": True,
    "beta_2_decay": -0.5,
    "epsilon_1": 1e-6,
    "epsilon_2": 0.01,
    "clip_threshold": 0.5,
    "relative_step": False,
    "adam_beta_1": 0.8,
    "adam_beta_2": 0.9,
    "adam_weight_decay": 0.1,
    "exclude_layers": ["hidden_1"],
    "exclude_embeddings": False,
    "muon_a": 3.0,
    "muon_b": -4.6,
    "muon_c": 1.5,
    "adam_lr_ratio": 0.5,
    "ns_steps": 3,
    "rms_rate": 0.5,
}
NOT_ALONE = {"nesterov": {"momentum": 0.8}, "ema_overwrite_frequency": {"use_ema": True}}
ALSO = {"use_ema": {"ema_momentum": 0.8}}


def changed_settings():
    for row in OPTIMIZERS:
        names = {setting.name for setting in row.settings}
        values = {**OWN, **(SHARED if row.name in ("sgd", "adam", "lamb") else {})}
        for name in sorted(names & set(values)) if row.name != WRONG_IN_FIT and not row.preset else ():
            with_ = {k: v for k, v in NOT_ALONE.get(name, {}).items() if k in names}
            yield spell_part(row.name, {**with_, name: values[name], **ALSO.get(name, {})}, {})


@pytest.mark.parametrize("recipe", list(changed_settings()))
def test_every_setting_means_what_it_means_in_fit(recipe):
    """And the weights at the end of `fit`, where `use_ema` puts the average."""
    reference, bench = bench_of(recipe), bench_of(recipe)
    wanted, weights = fitted(reference, rates_of(reference))
    losses, own = stepped(bench, bench.program, rates_of(bench))
    np.testing.assert_allclose(losses, wanted, rtol=TOLERANCE.get(recipe.split(":")[0], 1e-5), atol=0)
    scale = max(float(weight.abs().max()) for weight in weights)
    assert max(float((a - b).abs().max()) for a, b in zip(own, weights, strict=True)) < 2e-5 * scale


def test_every_setting_is_among_those_that_are_tried():
    known = {*OWN, *SHARED, *(key for more in (NOT_ALONE, ALSO) for values in more.values() for key in values)}
    named = {setting.name for row in OPTIMIZERS if row.name != WRONG_IN_FIT for setting in row.settings}
    assert named - known == {"learning_rate"}


@pytest.mark.parametrize("name", ["momentum", "adam", "lamb"])
def test_a_schedule_sets_the_rate_of_every_step(name):
    """Ten rates, as a callback of `fit` sets them."""
    reference, bench = bench_of(name), bench_of(name)
    rates = bench.built.learning_rate * np.linspace(1.0, 0.1, STEPS)
    wanted, _ = fitted(reference, rates)
    losses, _ = stepped(bench, bench.program, rates)
    np.testing.assert_allclose(losses, wanted, rtol=1e-5, atol=0)


@pytest.mark.parametrize(
    ("whole", "broken"), [("sgd:momentum=0", "sgd:momentum=0.0"), ("adam:epsilon=1", "adam:epsilon=1.0")]
)
def test_a_whole_number_is_a_number(whole, broken):
    """Keras refuses learning_rate=1 and momentum=0."""
    first, second = (bench_of(recipe, learning_rate=rate) for recipe, rate in ((whole, 1), (broken, 1.0)))
    losses, _ = stepped(first, first.plain, rates_of(first))
    again, _ = stepped(second, second.plain, rates_of(second))
    assert losses.tolist() == again.tolist()


def updates(optimizer: keras.optimizers.Optimizer, rates, gradients) -> list[np.ndarray]:
    """The weights after each update of a rule, from 1, 2, 3, ..."""
    size = gradients.shape[1]
    layout = Layout.of([(size,)])
    rule = KerasRule(optimizer, layout, [keras.Variable(np.zeros(size, np.float32))])
    weights, grown = torch.zeros(layout.size), torch.zeros(layout.size)
    weights[:size] = torch.arange(1.0, size + 1.0)
    slots, found = rule.start(weights), []
    rule.attach(weights, slots)
    with torch.no_grad():
        for step, (rate, gradient) in enumerate(zip(rates, gradients, strict=True), 1):
            grown[:size] = torch.from_numpy(gradient)
            rule.update(weights, grown, slots, rate, step)
            found.append(weights[:size].numpy().copy())
    return found


@pytest.fixture
def gradients() -> np.ndarray:
    return np.random.default_rng(5).normal(size=(20, 5)).astype(np.float32)


def test_schedule_free_adamw_is_that_of_the_paper(gradients):
    """Defazio et al. 2024, algorithm 1, a constant rate and no decay, in float64: the weights are y.

    y = (1 - b1) z + b1 x;  z -= rate g / (sqrt(v / (1 - b2^t)) + eps);  x = (1 - 1/t) x + z / t
    """
    rate, b1, b2, eps = 0.1, 0.8, 0.95, 1e-8
    x = z = np.arange(1.0, 6.0)
    v, wanted = np.zeros(5), []
    for t, g in enumerate(gradients.astype(np.float64), 1):
        v = b2 * v + (1.0 - b2) * g**2
        z = z - rate * g / (np.sqrt(v / (1.0 - b2**t)) + eps)
        x = (1.0 - 1.0 / t) * x + z / t
        wanted.append((1.0 - b1) * z + b1 * x)
    optimizer = keras.optimizers.ScheduleFreeAdamW(rate, beta_1=b1, beta_2=b2, epsilon=eps)
    np.testing.assert_allclose(updates(optimizer, [rate] * 20, gradients), wanted, rtol=1e-5)


@pytest.mark.parametrize("model", MODELS)
def test_schedule_free_adamw_is_right_on_the_plain_path_too(model):
    """Where `fit` is wrong: the plain step takes Keras's stateless update, as the engine does."""
    first, second = bench_of(WRONG_IN_FIT, model), bench_of(WRONG_IN_FIT, model)
    plain, _ = stepped(first, first.plain, rates_of(first))
    losses, _ = stepped(second, second.program, rates_of(second))
    np.testing.assert_allclose(plain, losses, rtol=1e-5)


def test_schedule_free_adamw_of_two_arrays_of_one_shape_starts_at_each_one(gradients):
    """Its z begins as a copy of the weights; clipping by norm takes the arrays one by one."""
    shape = (5,)
    layout = Layout.of([shape, shape])
    optimizer = keras.optimizers.ScheduleFreeAdamW(0.1, clipnorm=1.0)
    rule = KerasRule(optimizer, layout, [keras.Variable(np.zeros(shape, np.float32)) for _ in range(2)])
    weights = torch.arange(1.0, layout.size + 1.0)
    starts = [slot for slot in rule.start(weights) if slot.shape == shape and slot.abs().max() > 0]
    assert [slot.tolist() for slot in starts] == [view.tolist() for view in layout.views(weights)]


def test_nadam_keeps_the_product_of_its_decays(gradients):
    """Dozat 2016 in float64. The product is a variable of no weight, which a stateless update must carry along."""
    rate, b1, b2, eps = 0.1, 0.9, 0.999, 1e-7
    w, m, v, product, wanted = np.arange(1.0, 6.0), np.zeros(5), np.zeros(5), 1.0, []
    for t, g in enumerate(gradients.astype(np.float64), 1):
        now, later = (b1 * (1.0 - 0.5 * 0.96**u) for u in (t, t + 1))
        product *= now
        m, v = b1 * m + (1.0 - b1) * g, b2 * v + (1.0 - b2) * g**2
        ahead = later * m / (1.0 - product * later) + (1.0 - now) * g / (1.0 - product)
        w = w - rate * ahead / (np.sqrt(v / (1.0 - b2**t)) + eps)
        wanted.append(w)
    np.testing.assert_allclose(updates(keras.optimizers.Nadam(rate), [rate] * 20, gradients), wanted, rtol=1e-5)


def test_weights_excluded_from_decay_are_excluded(gradients):
    """With decay alone (gradients 0): the kernel shrinks by 1 - rate decay each step, the bias stays."""
    kernel, bias = keras.Variable(np.ones((2, 2)), name="kernel"), keras.Variable(np.ones(3), name="bias")
    optimizer = keras.optimizers.Adam(0.1, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    layout = Layout.of([(2, 2), (3,)])
    rule, weights = KerasRule(optimizer, layout, [kernel, bias]), torch.ones(layout.size)
    slots = rule.start(weights)
    rule.attach(weights, slots)
    with torch.no_grad():
        rule.update(weights, torch.zeros(layout.size), slots, 0.1, 1)
    shrunk, kept = layout.views(weights)
    np.testing.assert_allclose(shrunk, 0.95, rtol=1e-6)
    assert kept.tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("recipe", ["rmsprop:epsilon=0", "adam:epsilon=0", "ftrl:initial_accumulator_value=0"])
def test_a_denominator_of_nothing_leaves_the_gaps_of_the_layout_finite(recipe):
    """A smooth model, which has no gradient of 0, trains; a run is not taken for diverged by what is no weight."""
    config = config_of("multiclass", None, recipe, "model.activation=tanh", epochs=1)
    outcome = Workbench(config, problem_of("multiclass")).train()
    assert (outcome.status, outcome.state.step) == ("done", 5)


@pytest.mark.parametrize("way", ["program", "plain"])
def test_an_average_of_keras_takes_the_weights_place_in_every_evaluation(way):
    """use_ema: training goes on from the weights, and what is measured, kept and reported is the average."""
    bench = bench_of("sgd:use_ema=true:ema_momentum=0.5", epochs=2)
    outcome = bench.train(getattr(bench, way))
    usual = bench_of("sgd", epochs=2)
    usual = usual.train(getattr(usual, way))
    found, usual_losses = ([e.metrics["validation"]["loss"] for e in o.evaluations] for o in (outcome, usual))
    np.testing.assert_allclose(outcome.trained.weights, usual.trained.weights, rtol=1e-5, atol=1e-7)
    assert outcome.final["validation"]["loss"] == found[-1]
    assert np.abs(np.subtract(found, usual_losses)).min() > 1e-5
