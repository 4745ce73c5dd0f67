"""The loop around the steps: divergence, the best epoch, rates, penalties, what is frozen or impure, and the feed."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import torch
from small_problems import Workbench, config_of, losses_of, problem_of

from lossopt_cli.config.schema import Part
from lossopt_cli.training import feeding
from lossopt_cli.training.building import UserParts, is_pure
from lossopt_cli.training.randomness import pure_randomness
from lossopt_cli.training.recording import step_columns
from lossopt_cli.training.user_code import load_object

TASKS = ("multiclass", "binary", "regression")


@pytest.fixture(autouse=True)
def on_the_cpu():
    with keras.device("cpu"):
        yield


def bench_of(
    task="multiclass", optimizer="adam", loss=None, *sets, sizes=(40, 12, 8), model="mlp", **flags
) -> Workbench:
    return Workbench(
        config_of(task, loss, optimizer, *sets, model=model, **flags), problem_of(task, model == "minicnn", sizes)
    )


@pytest.fixture
def written(tmp_path):
    """written(source, task="multiclass") -> a workbench whose model is `make(units)` of that Python source."""

    def bench(source: str, task: str = "multiclass", optimizer: str = "sgd", **flags) -> Workbench:
        path = tmp_path / "mine.py"
        path.write_text("import keras\n" + source)
        user = UserParts({"model": load_object(f"{path}:make", "--model", tmp_path)})
        bench = bench_of(task, optimizer, **flags)
        return replace(bench, config=bench.config.model_copy(update={"model": Part(name=f"{path}:make")}), user=user)

    return bench


@pytest.mark.parametrize("traced", [True, False])
def test_divergence_is_found_at_its_step_with_the_last_finite_loss(traced):
    """mse at lr 1e9 squares the error's size every step: the steps by hand say when float32 overflows."""
    bench = bench_of("regression", "sgd", "mse", epochs=30, learning_rate=1e9)
    bench.tracing = traced
    outcome = bench.train()
    twin = bench_of("regression", "sgd", "mse", learning_rate=1e9)
    state, by_hand = twin.program.start(), []
    with twin.program.session(state) as session:
        for batch in twin.batches(10):
            by_hand.append(float(session.step(*batch, 1e9).loss))
    first_bad = int(np.flatnonzero(~np.isfinite(by_hand))[0])
    assert first_bad > 0
    assert (outcome.status, outcome.diverged_at) == ("diverged", first_bad + 1)
    assert outcome.last_finite == by_hand[first_bad - 1]
    assert not bool(outcome.trained.alive[0])
    assert len(outcome.evaluations) == 1


def test_weights_that_break_after_a_finite_loss_are_a_divergence_too():
    """The loss is finite at the last step of all, and the update after it is not."""
    bench = bench_of("regression", "sgd", "mse", epochs=1, batch_size=40, learning_rate=1e30)
    outcome = bench.train(rates=np.array([np.inf]))
    assert np.isfinite(losses_of(outcome)).all()
    assert (outcome.status, outcome.diverged_at) == ("diverged", 1)
    assert outcome.last_finite is None


def test_the_best_weights_are_those_of_the_best_evaluation():
    """Rates that ruin the second half: the best epoch comes before, and its weights give its metrics again."""
    bench = bench_of("regression", "adam", "mse", epochs=12, learning_rate=0.01)
    rates = np.where(np.arange(60) < 30, 0.01, 1.0)
    outcome = bench.train(rates=rates, keep_best=True)
    values = [evaluation.metrics["validation"]["mae"] for evaluation in outcome.evaluations]
    assert outcome.best == int(np.argmin(values))
    assert outcome.final_best["validation"]["mae"] == values[outcome.best]
    assert outcome.final["validation"]["mae"] == values[-1] > values[outcome.best]
    assert outcome.kept.step == outcome.evaluations[outcome.best].step


def test_nothing_is_kept_unless_it_is_asked_for():
    outcome = bench_of(epochs=2).train()
    assert outcome.kept is None
    assert outcome.final_best == {}


@pytest.mark.parametrize(
    ("every", "steps"),
    [(None, [5, 10, 15]), (2, [2, 4, 6, 8, 10, 12, 14, 15]), (5, [5, 10, 15]), (7, [7, 14, 15]), (99, [15])],
)
def test_evaluations_come_when_they_are_asked_for_and_change_nothing(every, steps):
    outcome = bench_of(epochs=3).train(evaluate_every=every)
    assert [evaluation.step for evaluation in outcome.evaluations] == steps
    assert [evaluation.epoch for evaluation in outcome.evaluations] == pytest.approx([step / 5 for step in steps])
    assert losses_of(outcome).tolist() == losses_of(bench_of(epochs=3).train()).tolist()


def test_the_rates_of_the_plan_are_the_rates_of_the_steps():
    """sgd on a loss whose gradient is read back: each step moves the weights by its own rate times the gradient."""
    rates = np.linspace(0.1, 0.0, 10)
    bench = bench_of("regression", "sgd", "mse", epochs=2)
    outcome = bench.train(rates=rates, evaluate_every=1)
    columns = step_columns(outcome.evaluations)
    assert columns["learning_rate"].tolist() == rates.tolist()
    twin = bench_of("regression", "sgd", "mse", epochs=2)
    state, moved = twin.program.start(), []
    with twin.program.session(state) as session:
        for batch, rate in zip(twin.batches(10), rates, strict=True):
            before = state.weights.clone()
            norm = float(session.step(*batch, rate).norm)
            moved.append(float((state.weights - before).norm()) / norm)
    np.testing.assert_allclose(moved, rates, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(columns["loss"], losses_of(outcome), rtol=1e-7)


PENALISED = """
class Costly(keras.layers.Layer):
    def call(self, x):
        self.add_loss(0.01 * keras.ops.square(x))
        return x

def make(units):
    return keras.Sequential([
        keras.layers.Input((6,)),
        keras.layers.Dense(5, kernel_regularizer=keras.regularizers.L2(0.1)),
        Costly(),
        keras.layers.Dense(units, bias_regularizer=keras.regularizers.L1(0.2), activity_regularizer="l2"),
    ])
"""


@pytest.mark.parametrize("way", ["program", "plain"])
def test_penalties_of_layers_are_counted_as_keras_counts_them(written, way):
    """Regularizers of weights and activity, and add_loss of a whole tensor: the loss of `train_on_batch`."""
    reference, bench = written(PENALISED), written(PENALISED)
    model, batches = reference.built.model, bench.batches(4)
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss=reference.built.objective.reference)
    wanted, program = [], getattr(bench, way)
    for inputs, targets in batches:
        model.reset_metrics()
        wanted.append(float(model.train_on_batch(inputs, targets)))
    with program.session(program.start()) as session:
        losses = [float(session.step(*batch, 0.1).loss) for batch in batches]
    np.testing.assert_allclose(losses, wanted, rtol=1e-6)


@pytest.mark.parametrize("way", ["program", "plain"])
def test_losses_before_after_and_between_the_steps_count_the_same_penalties(written, way):
    """At rate 0 nothing moves: the mean loss of the batches is the loss of the whole split, and both are Keras's."""
    bench = written(PENALISED, epochs=1)
    outcome = bench.train(getattr(bench, way), rates=np.zeros(5))
    seen = outcome.evaluations[0].metrics["train"]["loss"]
    assert outcome.initial["train"]["loss"] == pytest.approx(seen, rel=1e-5)
    assert outcome.final["train"]["loss"] == pytest.approx(seen, rel=1e-5)
    model = bench.built.model
    model.compile(loss=bench.built.objective.reference)
    validation = bench.feeds["validation"]
    wanted = model.evaluate(validation.inputs, validation.targets, batch_size=8, verbose=0)
    assert outcome.final["validation"]["loss"] == pytest.approx(wanted, rel=1e-5)


SUBCLASS = """
class Own(keras.Model):
    def __init__(self, units):
        super().__init__()
        self.shared = keras.layers.Dense(6, activity_regularizer="l2", kernel_regularizer="l2")
        self.drop, self.norm = keras.layers.Dropout(0.5, seed=3), keras.layers.BatchNormalization()
        self.end = keras.layers.Dense(units)

    def call(self, x{argument}):
        return self.end(self.norm(self.drop(self.shared(self.shared(x)))))

def make(units):
    return Own(units)
"""


@pytest.mark.parametrize("argument", ["", ", training=None"])
def test_layers_of_a_class_of_the_user_are_told_to_train_as_fit_tells_them(written, argument):
    """By the context of the call alone: dropout, batch normalisation and both penalties of a layer called twice."""
    reference, bench = (written(SUBCLASS.format(argument=argument)) for _ in range(2))
    model, batches, wanted = reference.built.model, bench.batches(4), []
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss=reference.built.objective.reference)
    with pure_randomness():
        for inputs, targets in batches:
            model.reset_metrics()
            wanted.append(float(model.train_on_batch(inputs, targets)))
    state = bench.program.start()
    with bench.program.session(state) as session:
        losses = [float(session.step(*batch, 0.1).loss) for batch in batches]
    np.testing.assert_allclose(losses, wanted, rtol=2e-6)
    inputs = bench.feeds["test"].inputs
    np.testing.assert_allclose(
        bench.program.predict(state, inputs), model.predict(inputs, verbose=0), rtol=1e-4, atol=1e-6
    )


class Ids:
    """`id` of penalties as it may fall: two numbers that are given again in another order."""

    def __init__(self):
        self.shift, self.seen = 0, []

    def __call__(self, value) -> int:
        if not isinstance(value, torch.Tensor):
            return id(value)
        place = next((n for n, other in enumerate(self.seen) if other is value), len(self.seen))
        self.seen += [value] if place == len(self.seen) else []
        return (place + self.shift) % 2


def test_a_penalty_is_never_taken_for_an_old_one_of_another_layer(written, monkeypatch):
    bench, ids, losses = written(PENALISED), Ids(), []
    monkeypatch.setattr("keras.src.layers.layer.id", ids, raising=False)
    state, batch = bench.program.start(), bench.batches(1)[0]
    for ids.shift in range(2):
        ids.seen.clear()
        with bench.program.session(state.copy()) as session:
            losses.append(float(session.step(*batch, 0.1).loss))
    assert losses[0] == losses[1]


FROZEN = """
def make(units):
    frozen = keras.layers.Dense(5, trainable=False, name="frozen")
    norm = keras.layers.BatchNormalization(trainable=False)
    return keras.Sequential([keras.layers.Input((6,)), frozen, norm, keras.layers.Dense(units)])
"""


@pytest.mark.parametrize("way", ["program", "plain"])
def test_frozen_layers_stay_as_they_are(written, way):
    bench = written(FROZEN, optimizer="adamw", epochs=2)
    program = getattr(bench, way)
    state = program.start()
    buffers = [tensor.clone() for tensor in state.buffers]
    weights = state.weights.clone()
    outcome = bench.train(program, state)
    assert len(buffers) == 6
    assert all(torch.equal(a, b) for a, b in zip(outcome.state.buffers, buffers, strict=True))
    assert len(bench.built.layout.shapes) == 2
    assert not torch.equal(outcome.state.weights, weights)


IMPURE = """
class Drops(keras.layers.Layer):
    def call(self, x, training=False):
        return {drop} if training else x

def make(units):
    return keras.Sequential([keras.layers.Input((6,)), Drops(), keras.layers.Dense(units)])
"""
DROPS = {
    "keras, unseeded": ("keras.random.dropout(x, 0.5)", False),
    "torch": ("__import__('torch').nn.functional.dropout(x, 0.5)", False),
    "numpy": ("x * float(__import__('numpy').random.rand())", False),
    "keras, shuffled": ("keras.random.shuffle(x, seed=3)", False),
    "nothing random": ("x * 2.0", True),
}


@pytest.mark.parametrize("kind", DROPS)
def test_a_model_that_draws_from_elsewhere_takes_the_plain_path_and_repeats(written, kind):
    """Seeded by (seed, step): the same bytes twice, other numbers in each step, and on from within an epoch."""
    code, pure = DROPS[kind]
    benches = [written(IMPURE.format(drop=code), epochs=3) for _ in range(4)]
    assert is_pure(benches[0].program, *benches[0].batches(1)[0]) == pure
    first, second = [losses_of(bench.train(bench.plain)) for bench in benches[:2]]
    assert first.tolist() == second.tolist()
    assert len(set(first.tolist())) == 15
    stopped = benches[2].train(benches[2].plain, recorder=Stops(7), evaluate_every=7)
    rest = benches[3].train(benches[3].plain, stopped.trained)
    assert losses_of(rest).tolist() == first[7:].tolist()


@pytest.mark.parametrize("model", ["mlp", "minicnn"])
def test_bfloat16_keeps_weights_and_state_in_float32_and_learns_nearly_the_same(model):
    """bfloat16 has 8 bits: losses within 2 %; but not the same, or it was not used."""
    flags = {"model": model, "epochs": 3}
    half = bench_of("multiclass", "adam", None, **flags, precision="bfloat16")
    full = bench_of("multiclass", "adam", None, **flags).train()
    outcome = half.train()
    kinds = {tensor.dtype for tensor in (outcome.state.weights, *outcome.state.slots, *outcome.state.buffers)}
    assert kinds == {torch.float32}
    np.testing.assert_allclose(losses_of(outcome), losses_of(full), rtol=0.02)
    assert losses_of(outcome).tolist() != losses_of(full).tolist()


@pytest.mark.parametrize("model", ["mlp", "minicnn"])
def test_an_epoch_yields_each_example_once_in_the_order_of_seed_and_epoch(model):
    bench = bench_of(model=model, sizes=(45, 12, 8))
    feed, found = bench.feeds["train"], []
    for inputs, targets in feed.epoch(3, 1, 8):
        found += list(zip(inputs.flatten(1).tolist(), targets.tolist(), strict=True))
    everything = list(zip(torch.cat(list(feed.all())).flatten(1).tolist(), feed.targets.tolist(), strict=True))
    assert sorted(found) == sorted(everything)
    assert found != everything
    assert [len(targets) for _, targets in feed.epoch(3, 1, 8)] == [8] * 5 + [5]


@pytest.mark.parametrize("model", ["mlp", "minicnn"])
def test_the_size_of_the_chunks_changes_nothing(model, monkeypatch):
    whole = bench_of(model=model, sizes=(45, 12, 8)).train()
    monkeypatch.setattr(feeding, "CHUNK_BYTES", 1)
    pieces = bench_of(model=model, sizes=(45, 12, 8))
    assert len(list(pieces.feeds["train"].all())) > 1
    outcome = pieces.train()
    assert losses_of(outcome).tolist() == losses_of(whole).tolist()
    assert outcome.final["test"] == pytest.approx(whole.final["test"], rel=1e-6)  # predicted row by row


def test_images_are_fed_channels_first_over_the_memory_of_channels_last():
    bench = bench_of(model="minicnn")
    inputs, _ = next(bench.feeds["train"].epoch(0, 0, 8))
    assert inputs.shape == (8, 1, 8, 8)
    raw = bench.problem.train.inputs
    np.testing.assert_allclose(next(bench.feeds["train"].all())[0, 0], raw[0, :, :, 0] / 16.0, rtol=1e-6)


@pytest.mark.parametrize("task", TASKS)
def test_train_metrics_are_what_fit_reports_while_it_trains(task):
    """Means over the batches as they were seen, each at the weights of its own step; the last batch is smaller."""
    names = {"multiclass": "sparse_categorical_accuracy", "binary": "binary_accuracy", "regression": "mae"}
    reference, bench = (bench_of(task, "sgd", sizes=(45, 12, 8), epochs=1, learning_rate=0.1) for _ in range(2))
    metric = names[task] if task != "binary" else keras.metrics.BinaryAccuracy(threshold=0.0)
    model, batches = reference.built.model, reference.batches(6)
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss=reference.built.objective.reference, metrics=[metric])
    inputs, targets = (torch.cat(parts) for parts in zip(*batches, strict=True))
    history = model.fit(inputs, targets, batch_size=8, shuffle=False, epochs=1, verbose=0).history
    seen = bench.train().evaluations[0].metrics["train"]
    scale = bench.problem.target_deviation
    ours = seen["mae"] / scale if task == "regression" else seen["accuracy"]
    theirs = next(values[0] for key, values in history.items() if key != "loss")
    assert seen["loss"] == pytest.approx(history["loss"][0], rel=1e-6)
    assert ours == pytest.approx(theirs, rel=1e-6)


@pytest.mark.parametrize("empty", ["validation", "test"])
def test_an_empty_split_is_left_out(empty):
    sizes = {"validation": (40, 0, 8), "test": (40, 12, 0)}[empty]
    outcome = bench_of(sizes=sizes, epochs=2).train(keep_best=True)
    assert empty not in outcome.final
    assert set(outcome.final) == {"train", "validation", "test"} - {empty}
    assert outcome.best is not None


class Stops:
    """A person at the keyboard, after so many steps."""

    def __init__(self, step: int):
        self.step = step

    def began(self, initial):
        pass

    def stepped(self, step, steps, loss):
        pass

    def evaluated(self, evaluation):
        if evaluation.step == self.step:
            raise KeyboardInterrupt


def test_an_interruption_between_two_steps_is_a_result():
    outcome = bench_of(epochs=5).train(recorder=Stops(10))
    assert (outcome.status, outcome.state.step) == ("interrupted", 10)
    assert isinstance(outcome.stopped_by, KeyboardInterrupt)
    assert set(outcome.final) == {"train", "validation", "test"}
