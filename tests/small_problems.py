"""Small problems of every task, and what trains on them, built as `lossopt train` builds it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

import numpy as np
import torch

from lossopt_cli.config.resolving import resolve
from lossopt_cli.config.schema import Config
from lossopt_cli.data.problem import SPLITS, ArrayInputs, ImageInputs, Problem, Split
from lossopt_cli.training.building import Build, UserParts, build
from lossopt_cli.training.feeding import Feed, feed
from lossopt_cli.training.loop import Evaluation, Examination, Outcome, Plan, train
from lossopt_cli.training.plain import PlainProgram
from lossopt_cli.training.program import Program
from lossopt_cli.training.randomness import pure_randomness
from lossopt_cli.training.state import State

CPU = torch.device("cpu")
DATA = {"multiclass": "iris", "binary": "breast_cancer", "regression": "diabetes"}
CLASSES = {"multiclass": ("a", "b", "c", "d"), "binary": ("no", "yes"), "regression": None}
FEATURES = 6
STEPS = 10
# With batch normalisation and dropout; tanh and average pooling, which do not amplify what rounding differs by.
MODELS = {
    "mlp": ["model.batch_norm=true", "model.dropout=0.25", "model.activation=tanh"],
    "minicnn": [
        *("model.batch_norm=true", "model.dropout=0.25", "model.activation=tanh", "model.pooling=average"),
    ],
}


def problem_of(task: str, images: bool = False, sizes: tuple[int, int, int] = (40, 12, 8)) -> Problem:
    """Noise with a little signal in it; regression targets are positive, around 50, 12 apart."""
    generator = np.random.default_rng(len(task))
    count = sum(sizes)
    x = generator.normal(size=(count, FEATURES)).astype(np.float32)
    if task == "regression":
        targets = 50.0 + 12.0 * np.tanh(x[:, 0] + 0.3 * generator.normal(size=count))
    else:
        classes = len(CLASSES[task])
        ranks = np.argsort(np.argsort(x[:, 0] + 0.3 * generator.normal(size=count)))
        targets = ranks * classes // count
    inputs = ArrayInputs((FEATURES,))
    if images:
        level = np.clip(8.0 + 4.0 * x[:, :1], 0.0, 16.0)[:, None, None, :]
        noise = generator.integers(-4, 5, size=(count, 8, 8, 1))
        x, inputs = np.clip(level + noise, 0.0, 16.0).astype(np.uint8), ImageInputs((8, 8, 1), 1.0 / 16.0)
    edges = np.cumsum((0, *sizes))
    parts = [Split(x[a:b], targets[a:b], np.arange(a, b)) for a, b in pairwise(edges)]
    numbers = parts[0].targets if task == "regression" else np.array([-1.0, 1.0])
    return Problem(
        "noise", task, inputs, *parts, CLASSES[task], target_mean=numbers.mean(), target_deviation=numbers.std()
    )


def config_of(
    task: str, loss: str | None = None, optimizer: str = "sgd", *sets: str, model: str = "mlp", **flags
) -> Config:
    """The config that the command line would make of it; a small network unless `sets` say otherwise."""
    small = {"mlp": ["model.hidden=[8, 8]"], "minicnn": ["model.filters=[4]", "model.hidden=[8]"]}[model]
    given = {"data": DATA[task], "optimizer": optimizer, "model": model, "batch_size": 8, **flags}
    given |= {"loss": loss or {"regression": "mse"}.get(task, "cross_entropy")}
    return resolve(None, {}, given, [*small, *sets]).config


class Nobody:
    """A recorder that only keeps what it was told."""

    def __init__(self):
        self.initial: Mapping = {}
        self.evaluations: list[Evaluation] = []

    def began(self, initial) -> None:
        self.initial = initial

    def stepped(self, step, steps, loss) -> None:
        pass

    def evaluated(self, evaluation: Evaluation) -> None:
        self.evaluations.append(evaluation)


@dataclass
class Workbench:
    """What a config trains with on a problem, on the CPU. tracing: as Program takes it."""

    config: Config
    problem: Problem
    tracing: bool = True
    user: UserParts = field(default_factory=UserParts)

    @cached_property
    def built(self) -> Build:
        return build(self.config, self.problem, self.user)

    @cached_property
    def program(self) -> Program:
        return self.built.program(CPU, self.tracing)

    @cached_property
    def plain(self) -> PlainProgram:
        return self.built.plain_program(CPU)

    @cached_property
    def feeds(self) -> dict[str, Feed]:
        first = self.built.channels_first
        return {s: feed(self.problem, self.problem.split(s), self.built.objective, CPU, first) for s in SPLITS}

    def batches(self, count: int, size: int | None = None) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """The first batches of epoch 0, then of epoch 1, and so on."""
        found, epoch = [], 0
        while len(found) < count:
            found += self.feeds["train"].epoch(self.config.train.seed, epoch, size or self.config.train.batch_size)
            epoch += 1
        return [(inputs.contiguous(), targets) for inputs, targets in found[:count]]

    def plan(self, rates: np.ndarray | None = None, **changes) -> Plan:
        given = self.config.train
        steps = given.epochs * -(-len(self.problem.train) // given.batch_size)
        rates = np.full(steps, self.built.learning_rate) if rates is None else rates
        metric, higher = ("mae", False) if self.problem.task == "regression" else ("accuracy", True)
        return Plan(given.epochs, given.batch_size, given.seed, rates, metric, higher, **changes)

    def train(
        self, program=None, state: State | None = None, rates=None, recorder=None, stopping=None, **changes
    ) -> Outcome:
        """`loop.train` from the start, or from a state."""
        program = program or self.program
        state = state or program.start()
        plan = self.plan(rates, **changes)
        return train(program, self.examination(program), plan, recorder or Nobody(), state, stopping)

    def examination(self, program=None) -> Examination:
        size = self.config.train.batch_size
        return Examination(self.problem, self.built.objective, self.feeds, program or self.program, size)


def losses_of(outcome: Outcome) -> np.ndarray:
    """The loss of every step."""
    return np.concatenate([evaluation.losses for evaluation in outcome.evaluations])


def bench_of(optimizer: str, model: str = "mlp", *sets: str, **flags) -> Workbench:
    config = config_of("multiclass", None, optimizer, *MODELS[model], *sets, model=model, **flags)
    return Workbench(config, problem_of("multiclass", images=model == "minicnn", sizes=(80, 8, 8)))


def stepped(bench: Workbench, program, rates, trace: bool = False) -> tuple[np.ndarray, list[torch.Tensor]]:
    """(loss of every batch, weights that results are of) of a program's own steps."""
    state, batches = program.start(), bench.batches(STEPS)
    if trace:
        program.prepare(state, batches[:2], 1000)
    with pure_randomness(), program.session(state) as session:
        losses = [float(session.step(*batch, rate).loss) for batch, rate in zip(batches, rates, strict=True)]
    return np.array(losses), bench.built.layout.views(program.finished(state).weights[0])


def rates_of(bench: Workbench) -> np.ndarray:
    return np.full(STEPS, bench.built.learning_rate)
