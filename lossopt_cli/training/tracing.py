"""A pure function of tensors as a flat list of kernels: the same numbers without the Python between them.

A Keras forward of small layers costs ten times the arithmetic in scopes, call specs and conversions. `traced` records
the kernels once; replaying them gives the same bits, which `verified` checks on batches that the trace has not seen.
"""

from collections.abc import Callable, Sequence

import torch
from torch.fx import GraphModule, Node
from torch.fx.experimental.proxy_tensor import make_fx
from torch.fx.graph import CodeGen

aten = torch.ops.aten

Function = Callable[..., Sequence[torch.Tensor]]

# What a user's code may raise while it is recorded: control flow on values, or an operation without a rule.
UNTRACEABLE = (RuntimeError, TypeError, NotImplementedError, ValueError, AttributeError, KeyError, AssertionError)


class Untraceable(Exception):
    """The function branches on values, or does not repeat: it is called as it is."""


def traced(function: Function, example: Sequence[torch.Tensor]) -> Function:
    """Records function(*example) -> tensors as a function of the same positional tensors.

    Shapes and memory formats are those of the example. Raises Untraceable where recording is impossible.
    """
    try:
        module = make_fx(function)(*example)
    except UNTRACEABLE as error:
        raise Untraceable(str(error)) from error
    return _compiled(module)


def verified(recorded: Function, function: Function, examples: Sequence[Sequence[torch.Tensor]]) -> Function:
    """`recorded`, once it has given the bits of `function` on every example; raises Untraceable if it has not."""
    for example in examples:
        for got, wanted in zip(recorded(*example), function(*example), strict=True):
            if not same_bits(got, wanted):
                raise Untraceable("the recorded step differs from the step itself")
    return recorded


def same_bits(first: torch.Tensor, second: torch.Tensor) -> bool:
    """Equal shape, dtype and values, NaN equal to NaN."""
    if first.shape != second.shape or first.dtype != second.dtype:
        return False
    if not first.is_floating_point():
        return torch.equal(first, second)
    return torch.equal(first.isnan(), second.isnan()) and torch.equal(first.nan_to_num(), second.nan_to_num())


def _compiled(module: GraphModule) -> Function:
    """The recorded graph without aliases and dead nodes, called with positional tensors."""
    graph = module.graph
    for node in list(graph.nodes):
        if node.op == "call_function" and node.target in (aten.alias.default, aten.detach.default):
            node.replace_all_uses_with(node.args[0])
            graph.erase_node(node)
    output = next(node for node in graph.nodes if node.op == "output")
    output.args = (tuple(_flat(output.args[0])),)
    graph.eliminate_dead_code()
    graph.set_codegen(CodeGen())
    graph.lint()
    module.recompile()
    return module.forward


def _flat(result) -> list[Node]:
    return list(result) if isinstance(result, list | tuple) else [result]
