"""What code of the user's remembers in Python between two calls: counters, lists, tensors of its own.

A recorded step replays kernels, so a loss that counts its calls would silently stop counting. A step that changes
what is looked at here is therefore not recorded, and neither is one that may change what cannot be looked at: an
iterator, an open file. What code asks of the world, such as the time, is seen where it changes the numbers of the calls
that verify the record.
"""

import functools
import itertools
import random
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import FunctionType, GeneratorType, MethodType, ModuleType
from typing import Any

import keras
import numpy as np
import torch

from lossopt_cli.training.user_code import UserObject

PLAIN = (bool, int, float, complex, str, bytes, type(None), np.generic)
LIBRARIES = ("keras", "torch", "numpy", "lossopt_cli", "importlib", "builtins", "itertools", "_io", "_thread")
DEEPEST = 12
_LOOKS = itertools.count()  # so that what cannot be looked at is never as it was
SMALL = 65_536  # values of an array that are looked at; of larger ones, how often they were written


def remembered(objects: Iterable[UserObject], *owners: Any) -> list[tuple[str, str]]:
    """(place, value) of everything plain that is reached from the modules of these objects and of their neighbours,
    from the objects themselves, and from the owners: a model, of which the layers of the user's own, or an optimizer.

    Two calls give equal lists where nothing was changed in between.
    """
    objects = list(objects)
    files = {str(path) for obj in objects for path in obj.files}
    theirs = [m for m in list(sys.modules.values()) if isinstance(m, ModuleType) and _file_of(m) in files]
    walk = _Walk({module.__name__ for module in theirs})
    for owner in owners:
        walk.skipped |= {id(variable) for variable in owner.variables}
    for module in theirs:
        walk.attributes(f"{module.__name__} globals", vars(module), 0)
    for obj in objects:
        walk.look(obj.reference, obj.value, 0)
    for owner in owners:
        for part in owner._flatten_layers() if isinstance(owner, keras.Layer) else [owner]:
            if not _is_of_library(type(part)):
                walk.look(f"{type(part).__name__} {part.name}", part, 0)
    return walk.found


@dataclass
class _Walk:
    """theirs: the names of the user's modules. skipped: ids of what a step gives and takes, as weights are."""

    theirs: set[str]
    skipped: set[int] = field(default_factory=set)
    found: list[tuple[str, str]] = field(default_factory=list)
    alive: list[Any] = field(default_factory=list)  # an id may be given again only once its object is gone

    def look(self, place: str, value: Any, depth: int) -> None:
        """Adds what is plain in the value, and in what it holds."""
        if isinstance(value, PLAIN):
            self.found.append((place, repr(value)))
            return
        if id(value) in self.skipped or depth > DEEPEST:
            return
        self.skipped.add(id(value))
        self.alive.append(value)
        if (text := _text(value)) is not None:
            self.found.append((place, text))
            return
        for name, held in self._held(value):
            self.look(f"{place} {name}", held, depth + 1)

    def attributes(self, place: str, values: Mapping[str, Any], depth: int) -> None:
        for name, value in values.items():
            if not name.startswith("__"):
                self.look(f"{place} {name}", value, depth + 1)

    def _held(self, value: Any) -> Iterator[tuple[str, Any]]:
        """What a value holds that the user's code may change."""
        match value:
            case dict():
                yield "length", len(value)
                yield from ((repr(key)[:80], item) for key, item in list(value.items()))
            case list() | tuple() | deque() | set() | frozenset():
                yield "length", len(value)
                yield from ((str(number), item) for number, item in enumerate(list(value)))
            case functools.partial():
                yield from (("func", value.func), ("args", value.args), ("keywords", value.keywords))
            case MethodType():
                yield from (("self", value.__self__), ("function", value.__func__))
            case FunctionType():
                yield from self._of_function(value)
            case GeneratorType():
                yield "at", -1 if value.gi_frame is None else value.gi_frame.f_lasti
                yield "locals", {} if value.gi_frame is None else dict(value.gi_frame.f_locals)
            case type():
                held = vars(value).items() if value.__module__ in self.theirs else ()
                yield from ((name, item) for name, item in held if not name.startswith("__"))
            case ModuleType():
                return
            case _:
                yield from _of_object(value)

    def _of_function(self, function: FunctionType) -> Iterator[tuple[str, Any]]:
        if function.__module__ not in self.theirs:
            return
        yield from vars(function).items()
        yield "defaults", (function.__defaults__, function.__kwdefaults__)
        for number, cell in enumerate(function.__closure__ or ()):
            yield f"closure {number}", _contents(cell)


def _text(value: Any) -> str | None:
    """What tells one state of a leaf from another; None for what is no leaf."""
    match value:
        case np.ndarray():
            return str(hash(value.tobytes())) if value.size <= SMALL and value.dtype != object else str(value.shape)
        case keras.Variable():
            return _text(value.value)
        case torch.Tensor():
            kept = value.detach()
            shown = hash(kept.cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes()) if _small(kept) else 0
            return f"{tuple(value.shape)} {value._version} {shown}"
        case np.random.Generator():
            return repr(value.bit_generator.state)
        case np.random.RandomState() | random.Random():
            return repr(value.get_state() if isinstance(value, np.random.RandomState) else value.getstate())
        case torch.Generator():
            return str(hash(value.get_state().numpy().tobytes()))
    if isinstance(value, itertools.count):
        return repr(value)
    unseen = isinstance(value, Iterator) and _is_of_library(type(value)) and not isinstance(value, GeneratorType)
    return f"look {next(_LOOKS)}" if unseen else None


def _small(tensor: torch.Tensor) -> bool:
    return 0 < tensor.numel() <= SMALL and not tensor.is_sparse and not tensor.is_quantized


def _of_object(value: Any) -> Iterator[tuple[str, Any]]:
    """The attributes that the user's own class gave an object; those that Keras gives every layer change by
    themselves."""
    kind = type(value)
    if _is_of_library(kind):
        return
    of_keras = isinstance(value, keras.Layer | keras.optimizers.Optimizer)
    inherited = _attributes_of_keras(isinstance(value, keras.Layer)) if of_keras else frozenset()
    if "__dict__" in dir(value):
        yield from ((name, item) for name, item in list(vars(value).items()) if name not in inherited)
    for name in (name for base in kind.__mro__ for name in vars(base).get("__slots__", ())):
        if name in dir(value) and name != "__dict__":
            yield name, getattr(value, name)


@functools.cache
def _attributes_of_keras(layer: bool) -> frozenset[str]:
    return frozenset(vars(keras.layers.Layer()) if layer else vars(keras.optimizers.Adam()))


def _contents(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # a name that is not bound yet
        return None


def _is_of_library(kind: type) -> bool:
    return kind.__module__.partition(".")[0] in LIBRARIES


def _file_of(module: ModuleType) -> str | None:
    spec = vars(module).get("__spec__")
    return None if spec is None else spec.origin
