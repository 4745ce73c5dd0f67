"""What code of the user's remembers in plain Python between two calls: counters, lists, flags.

A recorded step replays kernels, so a loss that counts its calls would silently stop counting. A step that changes
what is looked at here is therefore not recorded.
"""

import sys
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any

import keras
import numpy as np

from lossopt_cli.training.user_code import UserObject

PLAIN = (bool, int, float, complex, str, bytes, type(None))


def remembered(objects: Iterable[UserObject], model: keras.Model) -> list[tuple[str, str]]:
    """(place, value) of every plain value in the modules of these objects, in them, and in layers of the user's own.

    Two calls give equal lists where nothing was changed in between. Containers count by what is in them, one level
    deep; tensors and other objects do not count.
    """
    found: list[tuple[str, str]] = []
    for obj in objects:
        module = sys.modules.get(getattr(obj.value, "__module__", ""))
        if isinstance(module, ModuleType):
            found += _plain(f"{obj.reference} globals", vars(module))
        found += _plain(obj.reference, getattr(obj.value, "__dict__", {}))
        for number, cell in enumerate(getattr(obj.value, "__closure__", None) or ()):
            found += _plain(f"{obj.reference} closure", {str(number): cell.cell_contents})
    for layer in model._flatten_layers():
        if not type(layer).__module__.startswith("keras."):
            found += _plain(layer.path, vars(layer))
    return found


def _plain(place: str, values: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (f"{place} {name}", text)
        for name, value in values.items()
        if not name.startswith("__") and (text := _text(value)) is not None
    ]


def _text(value: Any) -> str | None:
    """A spelling that differs where the value does; None for what is not looked at."""
    if isinstance(value, PLAIN):
        return repr(value)
    if isinstance(value, np.ndarray) and value.size <= 1_000_000:
        return str(hash(value.tobytes()))
    if isinstance(value, dict):
        return repr([(key, _text(item)) for key, item in value.items() if isinstance(item, PLAIN)])
    if isinstance(value, list | tuple | set | frozenset):
        return f"{len(value)} {[repr(item) for item in value if isinstance(item, PLAIN)]}"
    return None
