"""The graph of one trial as the graph of many: every kernel on tensors with a leading axis of trials.

`torch.vmap` knows a batched form of every kernel; it is taken where that form gives each trial the bits that it gets
alone. Where it does not, `batched_kernels` has one that does. What has no batched form is called for each trial.
"""

import time
import warnings
from collections.abc import Callable, Sequence
from operator import getitem
from typing import Any

import torch
from torch.fx import Graph, Node
from torch.fx.node import map_aggregate

from lossopt_cli.training.batched_kernels import EACH, RULES, by_rows, depends_on_place
from lossopt_cli.training.capture import ALIASES, ValueRead, bytes_made, captured
from lossopt_cli.training.tracing import Function, Untraceable, compiled


class StackedFunction:
    """A function of the tensors of one trial as that of the tensors of T trials, [T, ...]; its results are [T, ...].

    shared: the places of arguments that all trials have in common, given as they are. Shapes and memory formats are
    those of the first call, T may be another at each. It is recorded for a T that comes a second time, or, where it
    will `come_again`, at once. Raises Untraceable for what reads values back, and for a kernel that can neither be
    batched nor be called for each trial.
    seconds: what recording has taken. bytes_of_one: of all that is made for one trial, as if nothing were freed.
    """

    def __init__(self, function: Function, shared: frozenset[int] = frozenset(), *, comes_again: bool = False):
        self.function, self.shared, self.comes_again = function, shared, comes_again
        self.seconds, self.bytes_of_one = 0.0, 0
        self._one: tuple[Graph, dict[str, torch.Tensor]] | None = None
        self._met: set[int] = set()
        self._recorded: dict[int, Function] = {}

    def __call__(self, *tensors: torch.Tensor) -> Sequence[torch.Tensor]:
        width = next(len(tensor) for place, tensor in enumerate(tensors) if place not in self.shared)
        recorded = self._recorded.get(width)
        if recorded is not None:
            return recorded(*tensors)
        if not self.comes_again and width not in self._met:
            self._met.add(width)
            return self._walk(width, tensors)(*tensors)
        began_at = time.perf_counter()
        graph, constants = captured(self._walk(width, tensors), tensors)
        self.bytes_of_one = bytes_made(graph) // width
        self._recorded[width] = compiled(graph, constants)
        self.seconds += time.perf_counter() - began_at
        return self._recorded[width](*tensors)

    def _walk(self, width: int, tensors: Sequence[torch.Tensor]) -> "_Walk":
        if self._one is None:
            one = [tensor if place in self.shared else tensor[0].clone() for place, tensor in enumerate(tensors)]
            try:
                self._one = captured(self.function, one)
            except ValueRead as reason:
                raise Untraceable(str(reason)) from reason
        return _Walk(*self._one, self.shared, width)


class _Walk:
    """The graph called kernel by kernel on stacked tensors."""

    def __init__(self, graph: Graph, constants: dict[str, torch.Tensor], shared: frozenset[int], width: int):
        self.graph, self.constants, self.shared, self.width = graph, constants, shared, width
        self.memory: dict = {}

    def __call__(self, *tensors: torch.Tensor) -> list[torch.Tensor]:
        values: dict[Node, Any] = {}
        stacked: set[Node] = set()
        given = iter(enumerate(tensors))
        for node in self.graph.nodes:
            if node.op == "placeholder":
                place, values[node] = next(given)
                if place not in self.shared:
                    stacked.add(node)
            elif node.op == "get_attr":
                values[node] = self.constants[node.target]
            elif node.op == "output":
                return [self._of_all(values[result], result in stacked) for result in node.args[0]]
            else:
                values[node] = self._called(node, values, stacked)
                if any(operand in stacked for operand in node.all_input_nodes):
                    stacked.add(node)
        raise AssertionError("a graph without an output")

    def _of_all(self, value: torch.Tensor, is_stacked: bool) -> torch.Tensor:
        return value if is_stacked else value.expand(self.width, *value.shape)

    def _called(self, node: Node, values: dict[Node, Any], stacked: set[Node]) -> Any:
        look_up = lambda argument: map_aggregate(  # noqa: E731
            argument, lambda item: values[item] if isinstance(item, Node) else item
        )
        if node.target is getitem or node.target in ALIASES:
            return values[node.args[0]][node.args[1]] if node.target is getitem else values[node.args[0]]
        operands = [operand for operand in node.all_input_nodes if operand in stacked]
        if not operands:
            return node.target(*look_up(node.args), **look_up(node.kwargs))
        flags = map_aggregate(node.args, lambda item: isinstance(item, Node) and item in stacked)
        if rule := RULES.get(node.target):
            result = rule(self.memory, self.width, flags, *look_up(node.args), **look_up(node.kwargs))
            if result is EACH:
                return _mapped(node, values, stacked, one_by_one=True)
            if result is not NotImplemented:
                return result
        moved = {operands[0]: by_rows(values[operands[0]])} if depends_on_place(node.target) else {}
        return _mapped(node, {**values, **moved}, stacked)


# In the place of a result that was not asked for.
NONE = torch.empty(0)


def _mapped(node: Node, values: dict[Node, Any], stacked: set[Node], *, one_by_one: bool = False) -> Any:
    """The kernel under vmap; for each trial where vmap has no form for it, or where that is asked for."""
    tensors = list(dict.fromkeys(node.all_input_nodes))
    dims = tuple(0 if tensor in stacked else None for tensor in tensors)

    def one(*rows: torch.Tensor) -> Any:
        row = dict(zip(tensors, rows, strict=True))
        here = lambda argument: map_aggregate(  # noqa: E731
            argument, lambda item: row[item] if isinstance(item, Node) else item
        )
        result = node.target(*here(node.args), **here(node.kwargs))
        return tuple(NONE if part is None else part for part in result) if isinstance(result, tuple) else result

    given = [values[tensor] for tensor in tensors]
    if one_by_one:
        return _each(one, given, dims)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # vmap's fallback, a loop in Python, announces itself
            return torch.vmap(one, in_dims=dims)(*given)
    except (RuntimeError, UserWarning, NotImplementedError) as reason:
        if node.target._schema.is_mutable:
            raise Untraceable(f"{node.target} has no form for many trials: {reason}") from reason
    return _each(one, given, dims)


def _each(one: Callable, given: Sequence[torch.Tensor], dims: Sequence[int | None]) -> Any:
    """one(...) on the tensors of each trial, its results stacked."""
    width = next(len(tensor) for tensor, dim in zip(given, dims, strict=True) if dim == 0)
    rows = [[t if dim is None else t[k] for t, dim in zip(given, dims, strict=True)] for k in range(width)]
    results = [one(*row) for row in rows]
    if isinstance(results[0], torch.Tensor):
        return torch.stack(results)
    return tuple(torch.stack(parts) for parts in zip(*results, strict=True))
