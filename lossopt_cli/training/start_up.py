"""`import keras` without what a training never uses: 0.5 s after torch instead of 3.5 s.

Keras imports scikit-learn (with scipy.stats) for its wrappers and matplotlib for its galleries where they are
installed, and all of torch's compiler for one decorator, which marks two functions as not to be compiled. It does
without the first two where they are missing, and the decorator can wait until somebody compiles.
"""

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

LEFT_OUT = ("sklearn", "matplotlib")
COMPILER = "torch._dynamo"


def import_keras() -> None:
    """Imports keras, lean where nothing has imported it or what it leaves out before."""
    if "keras" in sys.modules:
        return
    import torch

    with _left_out(), _compiler_postponed(torch):
        importlib.import_module("keras")


@contextmanager
def _left_out() -> Iterator[None]:
    """Within it, what is in LEFT_OUT counts as not installed."""
    absent = [name for name in LEFT_OUT if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


@contextmanager
def _compiler_postponed(torch: ModuleType) -> Iterator[None]:
    """Within it, `torch._dynamo` is a stand-in that knows `disable` and becomes the real one when asked for more."""
    if COMPILER in sys.modules:
        yield
        return
    stand_in = _Compiler(COMPILER)
    sys.modules[COMPILER] = torch._dynamo = stand_in
    try:
        yield
    finally:
        stand_in.leave()


class _Compiler(ModuleType):
    """`disable` marks a function as not to be compiled; while nothing compiles, that is the function itself."""

    @staticmethod
    def disable(function: Callable | None = None, **options: Any) -> Callable:
        return (lambda marked: marked) if function is None else function

    def leave(self) -> None:
        """Makes room for the real one, unless that is there already."""
        if sys.modules.get(COMPILER) is self:
            del sys.modules[COMPILER], sys.modules["torch"]._dynamo

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        self.leave()
        return getattr(importlib.import_module(COMPILER), name)
