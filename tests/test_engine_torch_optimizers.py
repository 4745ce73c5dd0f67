"""Optimizers of torch against a loop of torch, and those that evaluate at an average of their iterates."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import torch
from small_problems import STEPS, Workbench, bench_of, losses_of, stepped

from lossopt_cli.config.schema import Part
from lossopt_cli.training.building import UserParts
from lossopt_cli.training.randomness import pure_randomness
from lossopt_cli.training.state import State
from lossopt_cli.training.torch_rule import packed
from lossopt_cli.training.tracing import same_bits
from lossopt_cli.training.user_code import load_object


@pytest.fixture(autouse=True)
def on_the_cpu():
    with keras.device("cpu"):
        yield


TORCH = [
    "torch.SGD:momentum=0.9",
    "torch.SGD:weight_decay=0.1",
    *(f"torch.{name}" for name in ("Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "Adamax", "NAdam", "RAdam")),
    *("torch.ASGD", "torch.Rprop", "torch.Adafactor"),
]


@pytest.mark.parametrize("recipe", TORCH)
def test_an_optimizer_of_torch_does_what_a_loop_of_torch_does(recipe):
    """Bit for bit, with the rate of every step set as a scheduler of torch would."""
    reference, bench = bench_of(recipe), bench_of(recipe)
    rates = bench.built.learning_rate * np.linspace(1.0, 0.1, STEPS)
    losses, own = stepped(bench, bench.program, rates)
    model, settings = reference.built.model, dict(reference.config.optimizer.settings)
    parameters = [variable.value for variable in model.trainable_variables]
    settings["lr"] = settings.pop("learning_rate", reference.built.learning_rate)
    optimizer = getattr(torch.optim, reference.config.optimizer.name.split(".")[1])(parameters, **settings)
    wanted = []
    with pure_randomness():
        for (inputs, targets), rate in zip(reference.batches(STEPS), rates, strict=True):
            optimizer.param_groups[0]["lr"] = rate
            optimizer.zero_grad()
            loss = reference.built.objective.loss(targets, model(inputs, training=True))
            loss.backward()
            optimizer.step()
            wanted.append(loss.item())
    assert losses.tolist() == wanted
    assert all(same_bits(a, b.detach()) for a, b in zip(own, parameters, strict=True))


AVERAGING = """
import torch

class Averaging(torch.optim.Optimizer):
    \"\"\"SGD evaluated at the mean of its iterates; as in schedulefree, train() undoes eval() but for rounding.\"\"\"

    def __init__(self, params, lr=0.1):
        super().__init__(params, {"lr": lr, "steps": 0, "training": True})

    def eval(self):
        self._move(False, lambda p, state: p.lerp_(state["mean"], 0.9))

    def train(self):
        self._move(True, lambda p, state: p.lerp_(state["mean"], 1 - 1 / (1 - 0.9)))

    def _move(self, training, move):
        for group in self.param_groups:
            if group["training"] != training:
                group["training"] = training
                for p in group["params"]:
                    if p in self.state:
                        move(p.data, self.state[p])

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            assert group["training"]
            group["steps"] += 1
            for p in group["params"]:
                p.sub_(p.grad, alpha=group["lr"])
                state = self.state[p]
                state["mean"] = state.get("mean", torch.zeros_like(p)).lerp(p, 1 / group["steps"])

def factory(params, lr=0.1):
    return Averaging(params, lr)
"""


@pytest.fixture
def averaging(tmp_path):
    """averaging("Averaging", epochs=2) -> a workbench that trains with that object of the file."""
    path = tmp_path / "mine.py"
    path.write_text(AVERAGING)

    def bench(name: str, **flags) -> Workbench:
        user = UserParts({"optimizer": load_object(f"{path}:{name}", "--opt", tmp_path)})
        plain = bench_of("sgd", **flags)
        config = plain.config.model_copy(update={"optimizer": Part(name=f"{path}:{name}")})
        return replace(plain, config=config, user=user)

    return bench


@pytest.mark.parametrize("name", ["Averaging", "factory"])
def test_what_averages_its_weights_is_evaluated_at_the_average_and_trains_on_from_the_iterate(averaging, name):
    """Evaluating more often changes no loss; the results are of the average, the checkpoint of the iterate."""
    bench = averaging(name, epochs=2)
    outcome = bench.train(keep_best=True)
    often = averaging(name, epochs=2).train(evaluate_every=1)
    assert losses_of(often).tolist() == losses_of(outcome).tolist()
    assert type(bench.program.rule.optimizer.param_groups[0]["lr"]) is float
    last, best = outcome.evaluations[-1], outcome.evaluations[outcome.best]
    assert outcome.final["validation"] == last.metrics["validation"]
    assert outcome.final_best["validation"] == best.metrics["validation"]
    _, *slots = outcome.trained.slots
    means = bench.built.layout.views(outcome.trained.weights[0].clone())
    for view, mean in zip(means, slots, strict=True):
        view.lerp_(mean[0], 0.9)
    ends = bench.built.layout.views(outcome.state.weights[0])
    assert all(torch.equal(a, b) for a, b in zip(ends, means, strict=True))
    assert not torch.equal(outcome.state.weights, outcome.trained.weights)


def test_what_averages_its_weights_resumes_with_the_same_bytes(averaging, tmp_path):
    through = averaging("Averaging", epochs=3).train()
    averaging("Averaging", epochs=1).train().trained.save(tmp_path / "checkpoint")
    rest = averaging("Averaging", epochs=3).train(state=State.load(tmp_path / "checkpoint"))
    assert losses_of(rest).tolist() == losses_of(through)[10:].tolist()
    assert rest.final == through.final


def test_a_state_that_no_array_can_hold_is_said():
    """bfloat16 has no NumPy type: the checkpoint has no slots, and the reason is kept."""
    parameter = torch.nn.Parameter(torch.zeros(3))
    optimizer = torch.optim.SGD([parameter], lr=0.1)
    optimizer.state[parameter]["mean"] = torch.zeros(3, dtype=torch.bfloat16)
    with pytest.raises(TypeError, match="BFloat16"):
        packed(optimizer, [parameter])
