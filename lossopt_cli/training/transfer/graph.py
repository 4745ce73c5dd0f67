"""The calls of a functional Keras model in inference mode, nested models included, as one list in order."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
from keras.src.models.functional import Functional

# Layers that do nothing in inference mode.
IDLE = (
    keras.layers.Dropout,
    keras.layers.SpatialDropout2D,
    keras.layers.GaussianNoise,
    keras.layers.GaussianDropout,
    keras.layers.Identity,
)


@dataclass(frozen=True, eq=False)
class Call:
    """One operation on values. Values are named by numbers. takes: of its operands, in order; gives: of its result.

    shape: of its first operand as Keras has it, without the batch.
    """

    operation: keras.Operation
    takes: tuple[int, ...]
    gives: int
    shape: tuple[int, ...]
    node: Any

    def applied(self, operands: Sequence[Any]) -> Any:
        """What the operation itself makes of these operands."""
        known = {id(tensor): value for tensor, value in zip(self.node.input_tensors, operands, strict=True)}
        args, kwargs = self.node.arguments.fill_in(known)
        return self.operation(*args, **kwargs)


@dataclass(frozen=True)
class CallGraph:
    """The calls of a model that has one input and one output, by the names of their values."""

    model: keras.Model
    calls: tuple[Call, ...]
    input: int
    output: int

    @classmethod
    def of(cls, model: keras.Model) -> "CallGraph":
        names = {id(model.inputs[0]): 0}
        calls = tuple(_calls(model, names))
        return cls(model, calls, 0, names[id(model.outputs[0])])

    @cached_property
    def uses(self) -> Counter:
        """How often each value is read; the output once more."""
        return Counter([*(name for call in self.calls for name in call.takes), self.output])

    @cached_property
    def readers(self) -> dict[int, list[Call]]:
        """The calls that read each value."""
        found: dict[int, list[Call]] = {}
        for call in self.calls:
            for name in call.takes:
                found.setdefault(name, []).append(call)
        return found


def _calls(model: keras.Model, names: dict[int, int]) -> Iterator[Call]:
    """names: the number of every symbolic tensor that is known; grows with each call."""
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            if node.is_input or any(id(tensor) not in names for tensor in node.input_tensors):
                continue
            operation, (result, *others) = node.operation, node.outputs
            assert not others, f"{operation.name} has several results"
            if (inner := _functional(operation)) is not None:
                operation = inner
                names[id(operation.inputs[0])] = names[id(node.input_tensors[0])]
                yield from _calls(operation, names)
                names[id(result)] = names[id(operation.outputs[0])]
                continue
            if _is_idle(operation):
                names[id(result)] = names[id(node.input_tensors[0])]
                continue
            takes = tuple(names[id(tensor)] for tensor in node.input_tensors)
            names[id(result)] = len(names)
            yield Call(operation, takes, names[id(result)], tuple(node.input_tensors[0].shape[1:]), node)


def _is_idle(operation: keras.Operation) -> bool:
    if isinstance(operation, keras.layers.Activation):
        return operation.activation is keras.activations.linear
    return type(operation) in IDLE


def _functional(operation: keras.Operation) -> keras.Model | None:
    """The functional model that an operation is; None where it is another kind."""
    if isinstance(operation, keras.Sequential):
        return operation._functional
    return operation if isinstance(operation, Functional) else None
