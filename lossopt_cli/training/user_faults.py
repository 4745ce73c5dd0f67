"""An exception that went through user code -> the user's own line, what happened there, and what to do about
it.
"""

import linecache
import re
import traceback
from collections.abc import Collection
from pathlib import Path
from types import ModuleType

from lossopt_cli.errors import Fault

# What TensorFlow or the old `keras.backend` call differently from keras.ops; every other name is looked up
# there.
RENAMED = {
    "reduce_mean": "mean",
    "reduce_sum": "sum",
    "reduce_max": "max",
    "reduce_min": "min",
    "reduce_prod": "prod",
    "reduce_any": "any",
    "reduce_all": "all",
    "reduce_logsumexp": "logsumexp",
    "reduce_std": "std",
    "reduce_variance": "var",
    "clip_by_value": "clip",
    "concat": "concatenate",
    "constant": "convert_to_tensor",
    "flatten": "ravel",
    "gather": "take",
    "int_shape": "shape",
    "pow": "power",
    "squared_difference": "square",
    "to_float": "cast",
}
NO_GRADIENT = (
    "compute it with keras.ops or torch all the way (no NumPy, .numpy(), .item() or .detach()), "
    "so that it has a gradient; keras.ops.convert_to_tensor makes a tensor of a NumPy constant"
)

_CALL = re.compile(r"\b(tf|K)((?:\.[A-Za-z_]\w*)+)")
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_MAX_MESSAGE = 600


def shown(path: Path) -> str:
    """A path as short as it can be said: relative to the working directory where it lies in it."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def user_fault(error: BaseException, files: Collection[Path], where: str | None = None) -> Fault | None:
    """`losses.py:12 in my_loss: ValueError: ...` with the text of that line; None where no line of `files` is
    involved.

    The line is the last one of the user's in the traceback (of the error, else of its cause): where the
    user's code called what raised. For a SyntaxError it is the line that Python could not read, with its
    column.
    """
    names = {str(path) for path in files}
    if isinstance(error, SyntaxError) and error.filename in names:
        line = (error.text or linecache.getline(error.filename, error.lineno or 0)).strip()
        place = f"{shown(Path(error.filename))}:{error.lineno}:{error.offset}"
        return _fault(f"{type(error).__name__}: {error.msg}", place, line, where)
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        frames = [(f, line) for f, line in traceback.walk_tb(link.__traceback__) if f.f_code.co_filename in names]
        if frames:
            frame, number = frames[-1]
            file, code = frame.f_code.co_filename, frame.f_code
            linecache.checkcache(file)
            line = linecache.getline(file, number).strip()
            function = code.co_qualname.replace(".<locals>", "").replace("<lambda>", "a lambda")
            place = f"{shown(Path(file))}:{number}" + ("" if code.co_name == "<module>" else f" in {function}")
            return _fault(_said(error), place, line, where, _remedy(error, line, Path(file)))
        link = link.__cause__ or link.__context__
    return None


def _fault(what: str, place: str, line: str, where: str | None, remedy: str | None = None) -> Fault:
    place = f"{place} ({where})" if where else place
    return Fault(f"{what}\n    {line}" if line else what, place, remedy=remedy)


def _said(error: BaseException) -> str:
    """`Type: message`, without what Keras wraps around the message of an error inside a layer."""
    if isinstance(error, SystemExit):
        return "the file ended the program (sys.exit); put that under: if __name__ == '__main__'"
    text = _ANSI.sub("", str(error)).strip()
    if text.startswith("Exception encountered when calling"):
        text = text.partition("\n")[2].partition("\n\nArguments received by")[0]
        text = text.rpartition("Error encountered:")[2].strip()
    return f"{type(error).__name__}: {text[:_MAX_MESSAGE]}" if text else type(error).__name__


def _remedy(error: BaseException, line: str, file: Path) -> str | None:
    if _asks_for_tensorflow(error, line):
        return tensorflow_remedy(file.read_text(encoding="utf-8", errors="replace") if file.is_file() else line)
    if _uses_numpy(error, line):
        return NO_GRADIENT
    if isinstance(error, ModuleNotFoundError):
        return f"install {error.name} into the environment of lossopt, or put {error.name}.py beside {file.name}"
    return None


def _asks_for_tensorflow(error: BaseException, line: str) -> bool:
    """A missing tensorflow, a `tf` or `K` that was never imported, a backend function that Keras 3 does not
    have.
    """
    if isinstance(error, ImportError):
        top = (error.name or "").split(".")
        return top[0] == "tensorflow" or top[:2] == ["keras", "backend"]
    if isinstance(error, NameError):
        return error.name in ("tf", "K", "tensorflow")
    if isinstance(error, AttributeError) and isinstance(error.obj, ModuleType):
        return "keras" in error.obj.__name__ and "backend" in error.obj.__name__
    return bool(re.search(r"\btf\.", line))


def _uses_numpy(error: BaseException, line: str) -> bool:
    """A tensor with a gradient given to NumPy, or arithmetic of an array with one."""
    if isinstance(error, TypeError) and (re.search(r"\bnp\.", line) or "numpy.ndarray" in str(error)):
        return True
    return "Can't call numpy()" in str(error)


def tensorflow_remedy(source: str) -> str:
    """What to write instead, with the names of keras.ops for what the source calls."""
    import keras

    known = set(dir(keras.ops))
    instead = {}
    for prefix, dotted in _CALL.findall(source):
        last = dotted.rpartition(".")[2]
        if RENAMED.get(last, last) in known:
            instead.setdefault(f"{prefix}{dotted}", f"keras.ops.{RENAMED.get(last, last)}")
    said = "Keras runs on torch here, without TensorFlow: use keras.ops (or torch)"
    if re.search(r"tensorflow(\.| import )keras", source):
        said += ", and import keras instead of tensorflow.keras"
    pairs = [f"{new} for {old}" for old, new in list(instead.items())[:6]]
    return f"{said}: {', '.join(pairs)}" if pairs else said
