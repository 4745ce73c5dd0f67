"""`--predictions FILE`: what the model says of every example, as csv."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lossopt_cli.catalogue.metrics import Outputs
from lossopt_cli.commands.evaluation_data import Posed
from lossopt_cli.data.kept import KeptRun
from lossopt_cli.errors import Fault, RunError, UsageError
from lossopt_cli.runs.csv import csv_text
from lossopt_cli.runs.folder import written_whole


def check_place(path: Path, data: str | None) -> None:
    """UsageError where the file could not be written, before anything is predicted."""
    remedy = "name a file in a folder that is there and may be written to"
    if path.is_dir():
        raise UsageError(Fault(f"{path} is a folder", "--predictions", "a csv file", f"{path}/predictions.csv"))
    if data is not None and path.exists() and Path(data).exists() and path.samefile(data):
        raise UsageError(Fault(f"{path} has the data themselves", "--predictions", remedy="name another file"))
    if not path.parent.is_dir():
        raise UsageError(Fault(f"there is no folder {path.parent}", "--predictions", remedy=remedy))
    if not os.access(path.parent, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise UsageError(Fault(f"{path} cannot be written", "--predictions", remedy=remedy))


def write_predictions(path: Path, posed: Posed, kept: KeptRun, outputs: Outputs | None, raw: np.ndarray) -> None:
    """A line an example: row (from 0) and file where there is one, truth where it is known, prediction, and the
    probability of every class, or the score that the loss gives instead."""
    columns: dict[str, Sequence] = {"row": posed.part.rows}
    if posed.files is not None:
        columns["file"] = list(posed.files)
    columns |= _said(posed, kept, outputs, raw)
    try:
        with written_whole(path) as temporary:
            temporary.write_text(csv_text(columns), encoding="utf-8")
    except OSError as error:
        raise RunError(Fault(f"{path} could not be written: {error.strerror}", "--predictions")) from error


def _said(posed: Posed, kept: KeptRun, outputs: Outputs | None, raw: np.ndarray) -> dict[str, Any]:
    if outputs is None:
        return {f"output_{unit}": values for unit, values in enumerate(raw.reshape(len(raw), -1).T)}
    if kept.task == "regression":
        return _values(posed, outputs)
    names = np.array(kept.classes, dtype=object)
    found = {"truth": names[outputs.targets]} if posed.labelled else {}
    found["prediction"] = names[outputs.predicted]
    if outputs.probabilities is not None:
        return found | {f"p_{name}": values for name, values in zip(names, outputs.probabilities.T, strict=True)}
    if raw.shape[1] == 1:
        return found | {"score": raw[:, 0]}
    return found | {f"score_{name}": values for name, values in zip(names, raw.T, strict=True)}


def _values(posed: Posed, outputs: Outputs) -> dict[str, Any]:
    """One column each, or one for each number of an example."""
    width = len(outputs) // len(posed.part)
    endings = [""] if width == 1 else [f"_{unit}" for unit in range(width)]
    said = {"truth": outputs.targets} if posed.labelled else {}
    said["prediction"] = outputs.predicted
    return {
        f"{word}{ending}": values.reshape(-1, width)[:, unit]
        for word, values in said.items()
        for unit, ending in enumerate(endings)
    }
