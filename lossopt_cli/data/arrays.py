"""What a user's function returned, as examples."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lossopt_cli.catalogue.rows import Task
from lossopt_cli.catalogue.wording import counted
from lossopt_cli.config.schema import DataConfig
from lossopt_cli.data.array_targets import read_targets, refuse
from lossopt_cli.data.assembly import problem_of
from lossopt_cli.data.examples import Examples, refuse_keys, select
from lossopt_cli.data.problem import ArrayInputs, ImageInputs, Problem
from lossopt_cli.data.splits import TEST, TRAIN, VALIDATION

_PARTS = {"train": TRAIN, "validation": VALIDATION, "val": VALIDATION, "test": TEST}
_EXPECTED = (
    "(x, y), ((x_train, y_train), (x_test, y_test)), {'x': x, 'y': y, 'classes': names}, "
    "or {'train': (x, y), 'validation': (x, y), 'test': (x, y)}"
)


@dataclass(frozen=True)
class _Returned:
    """The parts of the data in what a function returned, not yet looked into."""

    pairs: list[tuple[int, Any, Any]]
    classes: Any = None
    has_parts: bool = False


def from_arrays(name: str, returned: Any, config: DataConfig, tasks: tuple[Task, ...] | None, seed: int) -> Problem:
    """The problem in what the function `name` (`file.py:function`) returned; see _EXPECTED for its forms.

    uint8 images [N, height, width(, channels)] are scaled by 1/255; all other inputs are taken as they are,
    in float32. Labels: integers, bools and text are classes, one-hot rows too; floats are numbers.
    `data.task` and the tasks of the loss decide where both are possible. UsageError, which names the
    function, for all else.
    """
    refuse_keys(config, ("target", "header", "missing", "image_size", "skip_bad_images"), f"{name} returns arrays")
    return problem_of(select(array_examples(name, returned, config, tasks), config, seed), config, seed)


def array_examples(name: str, returned: Any, config: DataConfig, tasks: tuple[Task, ...] | None) -> Examples:
    """The examples in what a function returned, before anything is chosen or split."""
    found = _unpacked(name, returned)
    inputs, targets, given = [], [], []
    for part, x, y in found.pairs:
        x, y = _array(name, "x", x), _array(name, "y", y)
        _check_pair(name, x, y)
        inputs.append(x)
        targets.append(y)
        given.append(np.full(len(y), part))
    for what, arrays in (("x", inputs), ("y", targets)):
        shapes = {a.shape[1:] for a in arrays}
        if len(shapes) > 1:
            refuse(name, f"{what} has a different shape in each part: {', '.join(map(str, sorted(shapes)))}")
    labels = read_targets(name, np.concatenate(targets), found.classes, config.task, tasks)
    raw, kind = _inputs(name, np.concatenate(inputs))
    short = name.rpartition(":")[2] or name
    shape = "x".join(str(n) for n in raw.shape[1:])
    what = "images" if isinstance(kind, ImageInputs) else "examples"
    return Examples(
        name=short,
        family=labels.family,
        raw=raw,
        targets=labels.values,
        inputs=kind,
        describe=lambda classes, count: (
            f"{short}: {count} {what} of {shape} -> " + (f"{len(classes)} classes" if classes else "numbers")
        ),
        classes=labels.classes,
        given=np.concatenate(given) if found.has_parts else None,
        notes=labels.notes,
        facts={"sha256": fingerprint(raw, labels.values, np.concatenate(given))},
    )


def fingerprint(*arrays: np.ndarray) -> str:
    """sha256 of the types, shapes and contents of arrays."""
    whole = hashlib.sha256()
    for array in arrays:
        whole.update(f"{array.dtype.str} {array.shape};".encode())
        whole.update(np.ascontiguousarray(array).data)
    return whole.hexdigest()


def _is_pair(value: Any) -> bool:
    """Whether a value is an (x, y) and not an array of two rows: a tuple, or a list of two arrays."""
    if not isinstance(value, tuple | list) or len(value) != 2:
        return False
    return isinstance(value, tuple) or all(hasattr(item, "shape") for item in value)


def _unpacked(name: str, returned: Any) -> _Returned:
    if isinstance(returned, Mapping):
        return _unpacked_dict(name, returned)
    if isinstance(returned, tuple | list) and len(returned) in (2, 3) and all(_is_pair(p) for p in returned):
        order = (TRAIN, TEST) if len(returned) == 2 else (TRAIN, VALIDATION, TEST)
        pairs = [(part, x, y) for part, (x, y) in zip(order, returned, strict=True)]
        return _Returned(pairs, has_parts=True)
    if _is_pair(returned) or (isinstance(returned, list) and len(returned) == 2):
        return _Returned([(TRAIN, *returned)])
    size = f" of {len(returned)}" if isinstance(returned, Sequence) else ""
    kind = "nothing" if returned is None else f"{type(returned).__name__}{size}"
    return refuse(name, f"returned {kind}", _EXPECTED)


def _unpacked_dict(name: str, returned: Mapping) -> _Returned:
    classes = returned.get("classes")
    parts = {key: value for key, value in returned.items() if key in _PARTS}
    unknown = [str(key) for key in returned if key not in (*_PARTS, "x", "y", "classes")]
    if unknown or bool(parts) == ("x" in returned) or ("x" in returned) != ("y" in returned):
        refuse(name, f"returned a dict with {', '.join(map(repr, returned)) or 'nothing in it'}", _EXPECTED)
    if not parts:
        return _Returned([(TRAIN, returned["x"], returned["y"])], classes)
    bad = [key for key, pair in parts.items() if not (isinstance(pair, tuple | list) and len(pair) == 2)]
    if bad or "train" not in parts:
        what = f"'{bad[0]}' is no pair" if bad else "there is no 'train'"
        refuse(name, f"returned a dict of parts in which {what}", _EXPECTED)
    return _Returned([(_PARTS[key], x, y) for key, (x, y) in parts.items()], classes, has_parts=True)


def _array(name: str, what: str, value: Any) -> np.ndarray:
    """The value as an array; tensors on a device or with a gradient are refused by numpy itself."""
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, RuntimeError) as error:
        refuse(name, f"{what} is no array: {error}", "a NumPy array, a list of numbers or a tensor on the CPU")
    if array.dtype == object and what == "y" and array.ndim == 1 and all(isinstance(v, str) for v in array):
        return array.astype(str)
    if array.dtype.kind not in ("biufUS" if what == "y" else "biuf"):
        refuse(name, f"{what} has the type {array.dtype}", "numbers" + (", bools or text" if what == "y" else ""))
    if array.ndim == 0:
        refuse(name, f"{what} is a single value, not an array", f"{what} with one row for each example")
    if array.dtype.kind == "f":
        bad = np.argwhere(~np.isfinite(array))
        if len(bad):
            place = ", ".join(str(int(k)) for k in bad[0])
            kind = "NaN" if np.isnan(array[tuple(bad[0])]) else "infinite"
            refuse(name, f"{what}[{place}] is {kind} ({len(bad)} such values)", "finite numbers")
    return array


def _check_pair(name: str, x: np.ndarray, y: np.ndarray) -> None:
    if len(x) != len(y):
        refuse(name, f"x has {counted(len(x), 'row')} and y has {len(y)}", "one row of y for each row of x")
    if len(x) == 0:
        refuse(name, "x and y have no rows", "at least one example in every part")
    if x.ndim == 1:
        refuse(name, f"x has the shape {x.shape}", "x with one row for each example", "x[:, None] makes one")


def _inputs(name: str, x: np.ndarray) -> tuple[np.ndarray, ImageInputs | ArrayInputs]:
    if x.dtype == np.uint8 and x.ndim in (3, 4):
        images = x if x.ndim == 4 else x[..., None]
        if images.shape[-1] > 4 and images.shape[1] in (1, 3, 4):
            refuse(
                name,
                f"x has the shape {x.shape}, with the channels first",
                "images as Keras has them: [N, height, width, channels]",
                "np.moveaxis(x, 1, -1)",
            )
        return images, ImageInputs(images.shape[1:], 1 / 255)
    with np.errstate(over="ignore"):
        values = x.astype(np.float32)
    if not np.isfinite(values).all():
        refuse(name, "x has values too large for float32", "numbers below 3.4e38")
    return values, ArrayInputs(values.shape[1:])
