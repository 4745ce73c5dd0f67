"""Who is timed: lossopt's own engine, Keras `fit`, and a loop over torch.nn as one writes it.

Each contender is made once for a case and then trains on, a few epochs at a call; a call says how many examples it
trained on and in how many seconds.
"""

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Go = Callable[[], tuple[int, float]]  # (examples, seconds)


@dataclass(frozen=True)
class Case:
    """shape: of one example, uint8 images (height, width, channels) or a table (features,). epochs: at a call.
    hidden: widths of the dense layers before the head."""

    name: str
    model: str
    shape: tuple[int, ...]
    batch_size: int
    examples: int
    epochs: int
    hidden: tuple[int, ...] = (128,)

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Noise and labels of 10 classes: what is learned does not change what a step costs."""
        generator = np.random.default_rng(0)
        labels = generator.integers(0, 10, self.examples)
        if len(self.shape) == 1:
            return generator.normal(size=(self.examples, *self.shape)).astype(np.float32), labels
        return generator.integers(0, 256, (self.examples, *self.shape), dtype=np.uint8), labels


CASES = {
    "a": Case("(a) MLP 64-128-128-10, batch 64", "mlp", (64,), 64, 64 * 40, 5, (128, 128)),
    "b": Case("(b) minicnn, 8x8x1, batch 32", "minicnn", (8, 8, 1), 32, 32 * 40, 2),
    "c": Case("(c) minicnn, 32x32x3, batch 64", "minicnn", (32, 32, 3), 64, 64 * 8, 1),
}


class Engine:
    """A run of lossopt on a case, all of whose examples are for training.

    `go` is `loop.train` itself: feeding, losses and gradient norms of every step, the epoch's read-back and training
    metrics. Left out: tracing (`tracing_seconds`), and evaluations of the weights, which nobody else does.
    """

    def __init__(self, case: Case, optimizer: str, precision: str):
        from lossopt_cli.config.resolving import resolve
        from lossopt_cli.data.problem import ArrayInputs, ImageInputs, Problem, Split
        from lossopt_cli.training import running
        from lossopt_cli.training.building import UserParts

        inputs, labels = case.arrays()
        kind = ArrayInputs(case.shape) if len(case.shape) == 1 else ImageInputs(case.shape, 1.0 / 255.0)
        train, none = Split(inputs, labels, np.arange(len(labels))), Split(inputs[:0], labels[:0], np.arange(0))
        problem = Problem(case.name, "multiclass", kind, train, none, none, tuple("0123456789"))
        flags = {"data": "digits", "model": case.model, "optimizer": optimizer, "batch_size": case.batch_size}
        sets = [f"train.precision={precision}", "train.threads=1", f"train.epochs={case.epochs + 1}"]
        sets += [f"model.hidden={list(case.hidden)}"]
        config = resolve(None, {}, flags, sets).config
        self.case, self.run = case, running.prepare(config, problem, UserParts())
        self.program, self.state = self.run.examination.program, self.run.state
        batches = self.run.examination.feeds["train"].epoch(0, 0, case.batch_size)
        self.program.prepare(self.state, [next(batches), next(batches)], 1_000_000)
        self.tracing_seconds = self.program.tracing_seconds
        # Every call goes on where the last one ended, as one long run would, without recording the step again.
        self.program.prepare = lambda *args: None

    def go(self) -> tuple[int, float]:
        from lossopt_cli.training.loop import train

        self.state.epoch = self.state.step = 0
        plan = dataclasses.replace(self.run.plan, epochs=self.case.epochs)
        outcome = train(self.program, self.run.examination, plan, Nobody(), self.state)
        assert outcome.status == "done"
        seconds = sum(e.train_seconds + e.evaluate_seconds for e in outcome.evaluations)
        return self.case.examples * self.case.epochs, seconds


class Nobody:
    """A recorder that keeps nothing: files are written after the training."""

    def began(self, initial) -> None:
        pass

    def stepped(self, step, steps, loss) -> None:
        pass

    def evaluated(self, evaluation) -> None:
        pass


def fit(case: Case, optimizer: str = "adam", precision: str = "float32") -> Go:
    """Keras `fit` with its defaults (shuffling, accuracy as metric), and no progress bar."""
    import keras

    from lossopt_cli.catalogue.optimizers import optimizer_named

    layers = keras.layers
    policy = "mixed_bfloat16" if precision == "bfloat16" else "float32"
    keras.config.set_dtype_policy(policy)
    stack = [keras.Input(case.shape)]
    if case.model != "mlp":
        for filters in (32, 64):
            stack += [layers.Conv2D(filters, 3, padding="same", activation="relu"), layers.MaxPooling2D()]
        stack += [layers.Flatten()]
    stack += [layers.Dense(width, "relu") for width in case.hidden]
    model = keras.Sequential([*stack, layers.Dense(10, dtype="float32")])
    keras.config.set_dtype_policy("float32")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(getattr(keras.optimizers, optimizer_named(optimizer).class_name)(), loss, metrics=["accuracy"])
    inputs, labels = case.arrays()
    inputs = inputs if inputs.dtype == np.float32 else (inputs / 255.0).astype(np.float32)

    def go() -> tuple[int, float]:
        began_at = time.perf_counter()
        model.fit(inputs, labels, batch_size=case.batch_size, epochs=case.epochs, verbose=0)
        return case.examples * case.epochs, time.perf_counter() - began_at

    return go


def torch_loop(case: Case, fused: bool, channels_last: bool = False, precision: str = "float32") -> Go:
    """The loop of the torch tutorials with torch.optim.Adam: no metrics, nothing recorded, nothing read back."""
    import torch
    from torch import nn
    from torch.nn import functional

    torch.set_num_threads(1)
    inputs, labels = (torch.from_numpy(array) for array in case.arrays())
    stack, features = [], case.shape[0]
    if case.model != "mlp":
        height, width, channels = case.shape
        inputs = inputs.permute(0, 3, 1, 2).contiguous().float() / 255.0
        stack = [nn.Conv2d(channels, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        stack += [nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()]
        features = 64 * (height // 4) * (width // 4)
    for hidden in case.hidden:
        stack, features = [*stack, nn.Linear(features, hidden), nn.ReLU()], hidden
    stack += [nn.Linear(features, 10)]
    model = nn.Sequential(*stack)
    if channels_last and case.model != "mlp":
        model, inputs = model.to(memory_format=torch.channels_last), inputs.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), fused=fused)

    def epoch() -> None:
        for rows in torch.randperm(len(inputs)).split(case.batch_size):
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
                outputs = model(inputs[rows])
                loss = functional.cross_entropy(outputs, labels[rows])
            loss.backward()
            optimizer.step()

    def go() -> tuple[int, float]:
        began_at = time.perf_counter()
        for _ in range(case.epochs):
            epoch()
        return case.examples * case.epochs, time.perf_counter() - began_at

    return go
