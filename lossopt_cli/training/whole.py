"""The model that a run leaves behind: raw data in, probabilities or values in the target's own units out.

It is made of Keras's own layers only, without Lambda, so that `keras.saving.load_model` reads it without
lossopt. Scaling, encoding and readout are layers around the trained core.
"""

import json
import math
import re
import zipfile
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import keras
import numpy as np

from lossopt_cli.catalogue.rows import Fit
from lossopt_cli.data.problem import Column, ImageInputs, Problem, TableInputs
from lossopt_cli.runs.folder import written_whole

# Beyond this mean (in deviations) a column that is rounded to float32 loses more than 6e-6 of a deviation.
FAR_FROM_ZERO = 100.0
# Keras's Normalization divides by a square root of a float32 variance, and by nothing below 1e-7.
NORMALISABLE = (1e-6, 1e15)
# What runs whatever the file says, and what Keras therefore refuses to load in its safe mode.
REFUSED = {"Lambda": "a Lambda layer", "__lambda__": "a lambda", "TorchModuleWrapper": "a torch module"}
EARLIEST = (1980, 1, 1, 0, 0, 0)

# What a user's get_config (or Keras, of a user's layer) raises when a model cannot be written down.
UNWRITABLE = (NotImplementedError, TypeError, ValueError, RuntimeError, AttributeError, KeyError)


def whole_model(core: keras.Model, problem: Problem, fit: Fit, *, activated: bool = False) -> keras.Model:
    """Raw inputs -> probabilities (where the loss gives any), scores, or values in the target's own units.

    core: what was trained, in Keras's default layout; it becomes a layer, its variables are shared.
    activated: it ends in a softmax or sigmoid of its own.
    Raw inputs are images [N, height, width, channels] as the data have them (uint8, or floats), tables
    [N, columns] with categories as codes (an unknown code is no category), or arrays. One unit on a binary
    task gives the probability of the second class, [N, 1].

    Features agree with the engine's within FAR_FROM_ZERO roundings of float32, about 6e-6 of a deviation. A
    column whose mean is farther than that from zero makes the whole table an input of float64: called as
    `model(x)` that is as good, but `model.predict` rounds to float32 first, after which a column of mean 1e6
    and deviation 1 is known to 0.03 only. (Apple's GPUs have no float64: there, load such a file under
    `keras.device("cpu")`.)
    """
    with keras.device("cpu"):
        if isinstance(problem.inputs, TableInputs):
            raw, eaten = _table(problem.inputs)
        else:
            raw = eaten = keras.Input(problem.inputs.shape, dtype="float32", name="raw_inputs")
        if isinstance(problem.inputs, ImageInputs) and problem.inputs.scale != 1.0:
            eaten = keras.layers.Rescaling(problem.inputs.scale, dtype="float32", name="scaled_pixels")(raw)
        return keras.Model(raw, _read_out(core(eaten), problem, fit, activated), name="whole")


def _table(inputs: TableInputs) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """(raw [N, columns], features [N, features]): what `TableInputs.encode` does, in layers."""
    columns = inputs.columns
    far = any(c.categories is None and abs(c.mean) > FAR_FROM_ZERO * c.deviation for c in columns)
    precision = "float64" if far else "float32"
    raw = keras.Input((len(columns),), dtype=precision, name="raw_inputs")
    centred = _standardised(raw, columns, precision)
    if all(c.categories is None for c in columns):
        return raw, keras.layers.Identity(dtype="float32", name="features")(centred) if far else centred
    return raw, _encoded(centred, columns)


def _standardised(raw, columns: Sequence[Column], precision: str):
    """(x - mean) / deviation of numeric columns; the codes of categories stay as they are."""
    means = [0.0 if c.categories else float(c.mean) for c in columns]
    deviations = [1.0 if c.categories else float(c.deviation) for c in columns]
    if min(deviations) > NORMALISABLE[0] and max(deviations) < NORMALISABLE[1]:
        variances = [deviation**2 for deviation in deviations]
        layer = keras.layers.Normalization
        return layer(mean=means, variance=variances, dtype=precision, name="standardised")(raw)
    offsets, scales = [-mean for mean in means], [1.0 / deviation for deviation in deviations]
    centred = keras.layers.Rescaling(1.0, offsets, dtype=precision, name="centred")(raw)
    return keras.layers.Rescaling(scales, dtype=precision, name="standardised")(centred)


def _encoded(x, columns: Sequence[Column]):
    """[N, columns] -> [N, features], in column order: numbers, and for every category k of a code z

        max(0, 1 - (z - k)^2),

    which is 1 for z = k and 0 for every other whole number. Two fixed dense layers copy each column to its
    features, so that the number of layers does not grow with that of the columns.
    """
    widths = [len(c.categories) if c.categories else 1 for c in columns]
    features = sum(widths)
    numbers, codes = np.zeros((2, len(columns), features), np.float32)
    shifts = np.full(features, 2.0, np.float32)  # far from 0 where there is a number: not a category
    for place, (column, first) in enumerate(zip(columns, np.cumsum([0, *widths]), strict=False)):
        if column.categories:
            own = slice(first, first + len(column.categories))
            codes[place, own] = 1.0
            shifts[own] = -np.arange(len(column.categories))
        else:
            numbers[place, first] = 1.0
    layers, options = keras.layers, {"dtype": "float32"}
    copied = layers.Dense(features, use_bias=False, trainable=False, name="numbers", **options)
    differences = layers.Dense(features, trainable=False, name="differences_to_codes", **options)
    number, difference = copied(x), differences(x)
    copied.set_weights([numbers])
    differences.set_weights([codes, shifts])
    squares = layers.Multiply(name="squares", **options)([difference, difference])
    one_hot = layers.ReLU(name="one_hot", **options)(layers.Rescaling(-1.0, 1.0, name="nearness", **options)(squares))
    return layers.Add(name="features", **options)([number, one_hot])


def _read_out(outputs, problem: Problem, fit: Fit, activated: bool):
    """The core's outputs as a person reads them, float32; see `meaning`."""
    layers = keras.layers
    if problem.task == "regression":
        scale, offset = float(problem.target_deviation), float(problem.target_mean)
        return layers.Rescaling(scale, offset, dtype="float32", name="target_units")(outputs)
    if activated or fit.reads not in ("logits", "probabilities"):
        return layers.Identity(dtype="float32", name="outputs")(outputs)
    if outputs.shape[-1] == 1:
        return layers.Activation("sigmoid", dtype="float32", name="probabilities")(outputs)
    if fit.one_against_rest:  # sigmoids divided by their sum
        outputs = layers.Activation("log_sigmoid", dtype="float32", name="log_sigmoids")(outputs)
    return layers.Activation("softmax", dtype="float32", name="probabilities")(outputs)


def save_whole(path: Path, model: keras.Model) -> str | None:
    """Writes the model to path (ends in .keras), whole or not at all, the same bytes for the same model.

    Returns None where plain Keras can load it, else the sentence to warn with: what the file needs, or why
    Keras could not write one (then there is none). Raises OSError where the place cannot be written to.
    """
    try:
        with written_whole(path) as temporary:
            model.save(temporary)
            config = _without_chance(temporary)
    except UNWRITABLE as error:
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        return f"{path.name} was not written: Keras cannot save this model ({reason})"
    owned = sorted(set(_not_keras(config)))
    if owned:
        return f"{path.name} loads only beside your own code: it holds {', '.join(owned)}"
    return None


def _without_chance(path: Path) -> dict[str, Any]:
    """Takes dates and memory addresses out of a .keras file; its config."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    numbers = count()
    seen: dict[str, int] = {}
    text = re.sub(
        r'("shared_object_id": )(\d+)',
        lambda found: found[1] + str(seen.setdefault(found[2], next(numbers))),
        members["config.json"].decode(),
    )
    members["config.json"] = text.encode()
    members["metadata.json"] = json.dumps({"keras_version": keras.__version__}).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, contents in members.items():
            archive.writestr(zipfile.ZipInfo(name, EARLIEST), contents)
    return json.loads(text)


def _not_keras(config: Any) -> Iterator[str]:
    """What a config holds that is not Keras's own or that Keras refuses to load."""
    if isinstance(config, dict):
        name, package = config.get("class_name"), str(config.get("module")).split(".")[0]
        if name in REFUSED:
            yield REFUSED[name]
        elif name == "function":
            yield str(config["config"])
        elif isinstance(name, str) and "module" in config and package not in ("keras", "builtins"):
            yield name
        config = list(config.values())
    if isinstance(config, list):
        for value in config:
            yield from _not_keras(value)


def labels(problem: Problem, fit: Fit, *, activated: bool = False) -> dict[str, Any]:
    """What the numbers that go into and come out of model.keras mean: the contents of labels.json."""
    inputs = problem.inputs
    described: dict[str, Any] = {"kind": inputs.kind}
    if isinstance(inputs, TableInputs):
        described["columns"] = [
            {"name": c.name, "codes": {text: code for code, text in enumerate(c.categories)}}
            if c.categories
            else {"name": c.name}
            for c in inputs.columns
        ]
    else:
        described["shape"] = list(inputs.shape)
    if isinstance(inputs, ImageInputs):
        described |= {"axes": ["height", "width", "channels"], "white": 1.0 / inputs.scale}
    output = {"meaning": meaning(problem, fit, activated=activated)}
    if problem.task == "binary" and fit.units == "one":
        level = fit.threshold
        output["second_class_above"] = 1.0 / (1.0 + math.exp(-level)) if fit.reads == "logits" else level
    return {
        "task": problem.task,
        "target": problem.target,
        "classes": list(problem.classes) if problem.classes else None,
        "output": output,
        "inputs": described,
    }


def meaning(problem: Problem, fit: Fit, *, activated: bool = False) -> str:
    """What the outputs of `whole_model` are, in a sentence."""
    if problem.task == "regression":
        return f"{problem.target}, in its own units"
    if fit.reads not in ("logits", "probabilities"):
        many = "one score a class, in the order of classes; the largest is predicted"
        return "a score of the second class, no probability" if fit.units == "one" else f"{many}; no probabilities"
    if fit.units == "one":
        return "the probability of the second class"
    return "one probability a class, in the order of classes"
