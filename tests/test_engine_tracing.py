"""Captured graphs and their rewrites: the same bits, and nothing overwritten that is still needed."""

import pytest
import small_problems  # noqa: F401  (sets Keras's backend before torch is imported)
import torch

from lossopt_cli.training import rewriting
from lossopt_cli.training.capture import captured
from lossopt_cli.training.rewriting import IN_PLACE, WRITTEN_OVER, bound, in_place
from lossopt_cli.training.tracing import Untraceable, same_bits, traced, verified

aten = torch.ops.aten
SHAPE = (5, 7)


def numbers(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(shape or SHAPE, generator=torch.Generator().manual_seed(seed)).add_(0.1)


def written(graph) -> list[str]:
    """The calls of the graph that write over an operand, by name."""
    found = [n.target for n in graph.nodes if n.op == "call_method" and n.target.endswith("_")]
    return found + [str(n.target) for n in graph.nodes if "grad_input" in n.kwargs]


def rewritten(function, *example):
    graph, _ = captured(function, example)
    graph.eliminate_dead_code()
    in_place(graph)
    return graph


def run(function, *example):
    """What the recorded function gives, and what the function itself does."""
    with torch.no_grad():
        return traced(function, example)(*[x.clone() for x in example]), function(*example)


BINARY = {"add_", "sub_", "mul_", "div_"}


@pytest.mark.parametrize("overload", IN_PLACE, ids=str)
def test_an_elementwise_kernel_writes_over_what_is_read_no_more(overload):
    more = {"clamp_": (-0.5, 0.5), "pow_": (2,)}.get(IN_PLACE[overload], ())

    def function(x, y):
        made = x * y + 2.0
        return [overload(made, y, *more) if IN_PLACE[overload] in BINARY else overload(made, *more)]

    graph = rewritten(function, numbers(0).abs(), numbers(1).abs())
    assert IN_PLACE[overload] in written(graph)
    (got,), (wanted,) = run(function, numbers(0).abs(), numbers(1).abs())
    assert same_bits(got, wanted)


@pytest.mark.parametrize("overload", WRITTEN_OVER, ids=str)
def test_a_backward_kernel_writes_over_the_gradient_it_was_given(overload):
    more = (0.0,) if overload is aten.threshold_backward.default else ()

    def function(x, y):
        return [overload(x * y, y, *more)]

    assert any("grad_input" in name for name in written(rewritten(function, numbers(0), numbers(1))))
    (got,), (wanted,) = run(function, numbers(0), numbers(1))
    assert same_bits(got, wanted)


# What must not be written over, each for a reason of its own: {why: (function of x and y, examples)}.
KEPT = {
    "an argument": lambda x, y: [torch.relu(x)],
    "a view of an argument": lambda x, y: [torch.relu(x.t())],
    "what is read later": lambda x, y: [(made := x * y).relu(), made.exp()],
    "what is returned": lambda x, y: [made := x @ y.t(), made.relu()],
    "what a view of it is read through later": lambda x, y: [
        (made := x @ y.t(), view := made.t(), made.relu())[2],
        view.exp(),
    ],
    "a smaller operand": lambda x, y: [x.sum(0) + y],
    "another type": lambda x, y: [(x > 0) + y, (x > 0).long() + y],
    "itself, through a view": lambda x, y: [(made := x @ y.t()) + made.t()],
    "a constant": lambda x, y: [torch.relu(CONSTANT) + x],
}
CONSTANT = numbers(9)


@pytest.mark.parametrize("why", KEPT)
def test_what_is_still_needed_is_not_written_over(why):
    function, example = KEPT[why], (numbers(0), numbers(1))
    before = [x.clone() for x in (*example, CONSTANT)]
    recorded = traced(function, example)
    with torch.no_grad():
        for _ in range(2):
            got = recorded(*example)
            for first, second in zip(got, function(*example), strict=True):
                assert same_bits(first, second)
    assert all(same_bits(a, b) for a, b in zip(before, (*example, CONSTANT), strict=True))


def test_a_chain_of_kernels_needs_one_piece_of_memory():
    graph = rewritten(lambda x, y: [((x * y).exp() - y).relu().sqrt()], numbers(0), numbers(1))
    assert written(graph) == ["exp_", "sub_", "relu_", "sqrt_"]


def test_a_result_written_over_is_not_written_over_again_while_its_view_is_read():
    """exp is written over x * y; its view is then of that memory, which relu must leave alone."""

    def function(x, y):
        made = (x * y).exp()
        view = made.t()
        return [made.neg().sum(), view.relu()]

    graph = rewritten(function, numbers(0), numbers(1))
    assert written(graph)[0] == "exp_"
    for got, wanted in zip(*run(function, numbers(0), numbers(1)), strict=True):
        assert same_bits(got, wanted)


@pytest.mark.parametrize("name", sorted(rewriting.FUNCTIONS))
def test_what_is_bound_has_a_binding_in_torch(name):
    assert callable(getattr(torch, name))
    assert hasattr(aten, name)


def test_bound_calls_reach_the_same_kernels():
    def function(x, y):
        return [torch.relu(x @ y.t()).sum(0, keepdim=True), x.view(-1), x.where(x > y, y), x.mean(1), (x * 2.0).pow(2)]

    graph, _ = captured(function, (numbers(0), numbers(1)))
    bound(graph)
    called = [n.target for n in graph.nodes if n.op == "call_function"]
    assert torch.mm in called
    assert not [target for target in called if isinstance(target, torch._ops.OpOverload)]
    for got, wanted in zip(*run(function, numbers(0), numbers(1)), strict=True):
        assert same_bits(got, wanted)


def test_a_recording_of_other_numbers_is_refused():
    """What `verified` is for: a scale that is read from outside the tensors changes between recording and use."""
    scale = iter([1.0, 2.0])
    function = lambda x: [x * next(scale)]  # noqa: E731
    recorded = traced(function, (numbers(0),))
    with pytest.raises(Untraceable):
        verified(recorded, function, [(numbers(1),)])


@pytest.mark.parametrize("seen", ["item", "nonzero", "random"])
def test_a_function_that_depends_on_values_is_not_recorded(seen):
    functions = {
        "item": lambda x: [x * x.sum().item()],
        "nonzero": lambda x: [x[x > 0]],
        "random": lambda x: [x + torch.rand_like(x)],
    }
    with pytest.raises(Untraceable):
        traced(functions[seen], (numbers(0),))
