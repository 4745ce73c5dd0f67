"""A function of tensors, called once, as the graph of the kernels that it called.

`torch.fx.experimental.proxy_tensor.make_fx` does the same for far more cases, and imports half of the compiler for it:
1.8 s of start-up, and 0.1 to 0.5 s a graph where this takes one call of the function. What is captured here is run
by the function once more on other values and compared bit by bit (see `tracing.verified`).
"""

import math
from collections.abc import Callable, Sequence
from functools import wraps
from operator import getitem
from typing import Any, TypeVar

import torch
from torch.fx import Graph, Node
from torch.fx.node import map_aggregate
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes, _get_current_dispatch_mode

from lossopt_cli.training.rewriting import Value

Made = TypeVar("Made")

# A result whose shape or value the program may branch on: what follows would hold for this batch alone.
BRANCHES = (torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape, torch.Tag.nondeterministic_seeded)
# Kernels that give what they were given.
ALIASES = (torch.ops.aten.alias.default, torch.ops.aten.detach.default)


class ValueRead(Exception):
    """The function reads a value back, draws unseeded numbers, or makes a shape out of values."""


def captured(function: Callable[..., Sequence[torch.Tensor]], example: Sequence[torch.Tensor]) -> tuple[Graph, dict]:
    """(the graph of function(*example), its constants by attribute name). Raises ValueRead.

    The graph has one placeholder for every tensor of the example, and returns a tuple. Tensors that the function did
    not make of its arguments are constants of the graph, by reference.
    """
    capture = _Capture(example)
    with capture:
        results = function(*example)
    capture.graph.output(tuple(capture.node_of(result) for result in results))
    return capture.graph, capture.constants


def bytes_made(graph: Graph) -> int:
    """Of all the memories that a captured graph makes or holds beside its arguments."""
    values = [node.meta["value"] for node in graph.nodes if "value" in node.meta and node.op != "placeholder"]
    given = {node.meta["value"].memory for node in graph.nodes if node.op == "placeholder"}
    sizes = {value.memory: math.prod(value.shape) * value.dtype.itemsize for value in values}
    return sum(size for memory, size in sizes.items() if memory not in given)


def opaque(function: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """The function as one node of whatever graph is captured around its call; its result is new memory."""

    @wraps(function)
    def call(*args: Any) -> torch.Tensor:
        mode = _get_current_dispatch_mode()
        return mode.kept_whole(call, function, args) if isinstance(mode, _Capture) else function(*args)

    return call


def constant(make: Callable[[], Made]) -> Made:
    """What `make` returns, a tensor as a constant of whatever graph is captured around the call."""
    with _disable_current_modes():
        return make()


class _Capture(TorchDispatchMode):
    """Below autograd: sees every kernel of forward and backward, in order, on the tensors that it runs on."""

    def __init__(self, example: Sequence[torch.Tensor]):
        super().__init__()
        self.graph = Graph()
        self.constants: dict[str, torch.Tensor] = {}
        self._nodes: dict[int, Node] = {}
        self._alive: list[torch.Tensor] = []  # an id may be given again only once its tensor is gone
        for number, tensor in enumerate(example):
            self._bind(tensor, self.graph.placeholder(f"x{number}"))

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """False: torch's wrapper that hides a mode from its compiler imports the compiler first, 1.8 s."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        if any(tag in func.tags for tag in BRANCHES):
            raise ValueRead(f"{func} depends on values")
        result = func(*args, **kwargs)
        node = self.graph.call_function(func, self._named(args), self._named(kwargs))
        if isinstance(result, torch.Tensor):
            self._bind(result, node)
        else:
            for place, item in enumerate(result or ()):
                if isinstance(item, torch.Tensor):
                    self._bind(item, self.graph.call_function(getitem, (node, place)))
        return result

    def kept_whole(self, name: Callable, function: Callable, args: tuple) -> torch.Tensor:
        """function(*args), recorded as a call of `name`."""
        with _disable_current_modes():
            result = function(*args)
        self._bind(result, self.graph.call_function(name, self._named(args)))
        return result

    def node_of(self, tensor: torch.Tensor) -> Node:
        """The node that made this tensor; a constant's where none did."""
        node = self._nodes.get(id(tensor))
        if node is None:
            name = f"constant_{len(self.constants)}"
            self.constants[name] = tensor.detach()
            node = self.graph.get_attr(name)
            self._bind(tensor, node)
        return node

    def _named(self, value: Any) -> Any:
        return map_aggregate(value, lambda item: self.node_of(item) if isinstance(item, torch.Tensor) else item)

    def _bind(self, tensor: torch.Tensor, node: Node) -> None:
        self._nodes[id(tensor)] = node
        node.meta["value"] = Value.of(tensor)
        self._alive.append(tensor)
