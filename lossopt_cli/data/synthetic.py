"""Made-up data: the random inputs and targets of textbook examples, with as much to learn as `signal`
says."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lossopt_cli.catalogue.datasets import dataset_named
from lossopt_cli.catalogue.lookup import settled, value_fault
from lossopt_cli.data.examples import Examples
from lossopt_cli.data.problem import Column, ImageInputs
from lossopt_cli.data.splits import generator
from lossopt_cli.errors import Fault, UsageError


def synthetic_regression(settings: Mapping[str, Any]) -> Examples:
    """y = signal * x.w + noise * e with x, e normal, w a random direction of length 1: the best R2 is
    signal^2 / (signal^2 + noise^2). With signal 0 the target cannot be learned."""
    values = _checked("synthetic_regression", settings)
    if values["signal"] == 0 and values["noise"] == 0:
        raise UsageError(Fault("signal and noise are both 0: the target would be constant", "data.noise", "above 0"))
    rng = generator("synthetic_regression", values["seed"])
    inputs = rng.standard_normal((values["samples"], values["features"]))
    direction = rng.standard_normal(values["features"])
    direction /= np.linalg.norm(direction)
    targets = values["signal"] * inputs @ direction + values["noise"] * rng.standard_normal(values["samples"])
    kind = "numbers that depend on them" if values["signal"] else "random numbers: nothing to learn"
    return Examples(
        name="synthetic_regression",
        family="regression",
        raw=inputs,
        targets=targets,
        inputs=_columns(values["features"]),
        describe=lambda _, count: f"synthetic_regression: {count} x {values['features']} normal numbers -> {kind}",
        facts={"settings": dict(values)},
    )


def synthetic_classification(settings: Mapping[str, Any]) -> Examples:
    """Labels drawn evenly. Numbers: x = normal + signal * centre of the class (normal as well). Images (shape
    given): (1 - signal) * random pixels + signal * pattern of the class. With signal 0 the labels cannot be
    learned."""
    values = _checked("synthetic_classification", settings)
    rng = generator("synthetic_classification", values["seed"])
    samples, signal = values["samples"], values["signal"]
    shape = values["shape"] if values["shape"] is not None else [values["features"]]
    # every class comes as often as any other, within one example; which example has which is random
    labels = rng.permutation(np.arange(samples) % values["classes"])
    if values["shape"] is None:
        centres = rng.standard_normal((values["classes"], *shape))
        raw, inputs = rng.standard_normal((samples, *shape)) + signal * centres[labels], _columns(shape[0])
        what = f"x {shape[0]} normal numbers"
    else:
        patterns = rng.random((values["classes"], *shape), dtype=np.float32)
        pixels = (1 - signal) * rng.random((samples, *shape), dtype=np.float32) + signal * patterns[labels]
        raw, inputs = (pixels * 255).round().astype(np.uint8), ImageInputs(tuple(shape), 1 / 255)
        what = f"images of random pixels, {'x'.join(str(n) for n in shape)}"
    ending = "" if signal else " at random: nothing to learn"
    return Examples(
        name="synthetic_classification",
        family="classification",
        raw=raw,
        targets=labels.astype(np.int64),
        inputs=inputs,
        describe=lambda classes, count: f"synthetic_classification: {count} {what} -> {len(classes)} classes{ending}",
        classes=tuple(str(k) for k in range(values["classes"])),
        target="class",
        facts={"settings": dict(values)},
    )


LOADERS = {"synthetic_regression": synthetic_regression, "synthetic_classification": synthetic_classification}


def _columns(count: int) -> tuple[Column, ...]:
    return tuple(Column(f"x{k + 1}") for k in range(count))


def _checked(name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings over the defaults of the catalogue; UsageError with every one that is unknown or out of
    range."""
    known = {setting.name: setting for setting in dataset_named(name).settings}
    faults = [
        Fault(f"{name} has no setting '{key}'", f"data.{key}", f"one of {', '.join(known)}")
        for key in settings
        if key not in known
    ]
    values = {key: settings.get(key, setting.default) for key, setting in known.items()}
    found = [value_fault(setting, values[key], f"data.{key}") for key, setting in known.items()]
    faults += [fault for fault in found if fault is not None]
    if not faults and values.get("shape") is not None:
        if len(values["shape"]) != 3 or min(values["shape"]) < 1:
            faults.append(Fault(f"shape cannot be {values['shape']}", "data.shape", "[height, width, channels]"))
        if values["signal"] > 1:
            faults.append(Fault(f"signal cannot be {values['signal']} for images", "data.signal", "0 to 1"))
    if not faults and values.get("classes", 0) > values["samples"]:
        faults.append(Fault("there are more classes than samples", "data.classes", f"at most {values['samples']}"))
    if faults:
        raise UsageError(*faults)
    return {key: settled(setting, values[key]) for key, setting in known.items()}
