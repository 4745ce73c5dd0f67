"""Rewrites of a captured graph that leave every bit where it was: the same kernels, called with less around them.

`in_place`: an elementwise kernel writes over the operand that nobody reads again. On 64 images of 32x32 that is one
pass over 8 MB of cold memory less for every bias, and in an update rule most of the temporaries.
`bound`: kernels are called through torch's own Python bindings, 1 to 2 us each where `torch.ops` takes 4 to 5 (a
step of a small network has 40 of them, and 300 us in all).
"""

from collections import defaultdict
from dataclasses import dataclass

import torch
from torch.fx import Graph, Node

aten = torch.ops.aten

# Overloads whose in-place form is the same loop over the same elements: {overload: name of the method}.
IN_PLACE = {
    aten.add.Tensor: "add_",
    aten.sub.Tensor: "sub_",
    aten.mul.Tensor: "mul_",
    aten.div.Tensor: "div_",
    aten.relu.default: "relu_",
    aten.neg.default: "neg_",
    aten.sqrt.default: "sqrt_",
    aten.rsqrt.default: "rsqrt_",
    aten.pow.Tensor_Scalar: "pow_",
    aten.abs.default: "abs_",
    aten.exp.default: "exp_",
    aten.tanh.default: "tanh_",
    aten.sigmoid.default: "sigmoid_",
    aten.reciprocal.default: "reciprocal_",
    aten.clamp.default: "clamp_",
}
# The same for kernels that have no method: {overload: (overload that is told where to write, its argument's name)}.
WRITTEN_OVER = {
    aten.threshold_backward.default: (aten.threshold_backward.grad_input, "grad_input"),
    aten.tanh_backward.default: (aten.tanh_backward.grad_input, "grad_input"),
    aten.sigmoid_backward.default: (aten.sigmoid_backward.grad_input, "grad_input"),
}
# Kernels of the namespace aten that `torch` and `Tensor` know by the same name with the same arguments.
# fmt: off
FUNCTIONS = frozenset((
    "_log_softmax", "_softmax", "abs", "add", "addmm", "amax", "argmax", "bitwise_and", "bitwise_xor",
    "bmm", "cat", "clamp", "clone", "convolution", "div", "eq", "exp", "expm1", "floor", "full_like", "ge",
    "gt", "le", "log", "log1p", "logical_and", "logical_not", "lt", "maximum", "mean", "minimum", "mm",
    "mul", "native_batch_norm", "ne", "neg", "ones_like", "permute", "pow", "reciprocal", "relu", "round",
    "rsqrt", "sigmoid", "sign", "sqrt", "square", "squeeze", "sub", "sum", "t", "tanh", "transpose",
    "unsqueeze", "where", "zeros_like",
))
# fmt: on
METHODS = frozenset(("view", "expand"))
# Nodes whose memory is not the graph's own.
GIVEN = ("placeholder", "get_attr")


@dataclass(frozen=True)
class Value:
    """What a node gave when it was captured. memory: which storage it lies in, whoever else does."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: torch.dtype
    memory: int

    @classmethod
    def of(cls, tensor: torch.Tensor) -> "Value":
        """Of a tensor that stays alive while values are compared, so that no memory is counted twice."""
        return cls(tuple(tensor.shape), tensor.stride(), tensor.dtype, tensor.untyped_storage()._cdata)

    def fits(self, other: "Value") -> bool:
        """Whether what has the form of the one can be written over the other."""
        return (self.shape, self.strides, self.dtype) == (other.shape, other.strides, other.dtype)


def in_place(graph: Graph) -> None:
    """Elementwise kernels write over their first operand where it, and every view of its memory, is read no more.

    Never over an argument, a constant or a result of the graph. Nodes carry their Value in `meta["value"]`.
    """
    place = {node: number for number, node in enumerate(graph.nodes)}
    tenants = _tenants(graph)
    for node in list(graph.nodes):
        operand = _written_over(node)
        if operand is None:
            continue
        memory = tenants[operand.meta["value"].memory]
        read_again = any(place[user] > place[node] for tenant in memory for user in tenant.users)
        read_twice = any(other in memory and other is not operand for other in node.all_input_nodes)
        if read_again or read_twice or any(tenant.op in GIVEN for tenant in memory):
            continue
        with graph.inserting_before(node):
            new = _in_place_call(graph, node, operand)
        new.meta["value"] = operand.meta["value"]
        place[new] = place[node]
        # Views of the old result are views of the operand's memory now.
        moved = tenants.pop(node.meta["value"].memory)
        node.replace_all_uses_with(new)
        graph.erase_node(node)
        _move_in(memory, [new if tenant is node else tenant for tenant in moved], operand.meta["value"].memory)


def bound(graph: Graph) -> None:
    """Calls of torch.ops.aten.NAME become calls of torch.NAME or Tensor.NAME, where these are the same."""
    for node in graph.nodes:
        if node.op != "call_function" or not isinstance(node.target, torch._ops.OpOverload):
            continue
        name = node.target._opname
        if node.target.namespace != "aten" or node.target._overloadname == "out":
            continue
        if name in FUNCTIONS:
            node.target = getattr(torch, name)
        elif name in METHODS:
            node.op, node.target = "call_method", name


def _tenants(graph: Graph) -> dict[int, list[Node]]:
    """The nodes that share each memory."""
    tenants: dict[int, list[Node]] = defaultdict(list)
    for node in graph.nodes:
        if "value" in node.meta:
            tenants[node.meta["value"].memory].append(node)
    return tenants


def _written_over(node: Node) -> Node | None:
    """The operand that this node could be written over, as far as form goes."""
    known = node.op == "call_function" and (node.target in IN_PLACE or node.target in WRITTEN_OVER)
    operand = node.args[0] if known else None
    if not isinstance(operand, Node) or "value" not in operand.meta or "value" not in node.meta:
        return None
    other_memory = operand.meta["value"].memory != node.meta["value"].memory
    return operand if other_memory and node.meta["value"].fits(operand.meta["value"]) else None


def _in_place_call(graph: Graph, node: Node, operand: Node) -> Node:
    if node.target in IN_PLACE:
        return graph.call_method(IN_PLACE[node.target], node.args, node.kwargs)
    overload, argument = WRITTEN_OVER[node.target]
    return graph.call_function(overload, node.args, {**node.kwargs, argument: operand})


def _move_in(memory: list[Node], nodes: list[Node], number: int) -> None:
    for node in nodes:
        value = node.meta["value"]
        node.meta["value"] = Value(value.shape, value.strides, value.dtype, number)
    memory.extend(nodes)
