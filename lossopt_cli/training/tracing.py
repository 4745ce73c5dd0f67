"""A pure function of tensors as a flat list of kernels: the same numbers without the Python between them.

A Keras forward of small layers costs ten times the arithmetic in scopes, call specs and conversions. `traced` records
the kernels once; replaying them gives the same bits, which `verified` checks on batches that the trace has not seen.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch.fx import Graph, GraphModule
from torch.fx.graph import CodeGen

from lossopt_cli.training.capture import ALIASES, ValueRead, captured
from lossopt_cli.training.rewriting import bound, in_place

Function = Callable[..., Sequence[torch.Tensor]]


class Untraceable(Exception):
    """The function branches on values, or does not repeat: it is called as it is."""


def traced(function: Function, example: Sequence[torch.Tensor]) -> Function:
    """Records function(*example) -> tensors as a function of the same positional tensors.

    Shapes and memory formats are those of the example. Raises Untraceable where recording is impossible.
    """
    try:
        graph, constants = captured(function, example)
    except ValueRead as reason:
        raise Untraceable(str(reason)) from reason
    return compiled(graph, constants)


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


def compiled(graph: Graph, constants: Mapping[str, torch.Tensor]) -> Function:
    """The recorded graph without aliases and dead nodes, rewritten, called with positional tensors."""
    root = torch.nn.Module()
    for name, tensor in constants.items():
        root.register_buffer(name, tensor)
    module = GraphModule(root, graph)
    graph = module.graph
    for node in list(graph.nodes):
        if node.op == "call_function" and node.target in ALIASES:
            node.replace_all_uses_with(node.args[0])
            graph.erase_node(node)
    graph.eliminate_dead_code()
    in_place(graph)
    bound(graph)
    graph.set_codegen(CodeGen())
    graph.lint()
    module.recompile()
    return module.forward
