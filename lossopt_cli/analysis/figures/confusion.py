"""Which classes a run takes for which."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lossopt_cli.analysis import wording
from lossopt_cli.analysis.figures.picture import Grid
from lossopt_cli.errors import Fault, UsageError


def read_evaluation(folder: Path, split: str) -> Mapping[str, Any]:
    """What `lossopt evaluate` left in the run. UsageError where it has not run, or found no classes."""
    file = folder / f"evaluation-{split}.json"
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UsageError(
            Fault(
                f"no predictions of the {split} data yet",
                "--kind confusion",
                f"{file.name} in {folder}",
                f"lossopt evaluate {folder}" + ("" if split == "test" else f" --split {split}"),
            )
        ) from error
    except (OSError, ValueError) as error:
        raise UsageError(Fault(f"cannot read {file}: {error}", "--kind confusion")) from error
    if not found.get("confusion"):
        raise UsageError(
            Fault("this run predicts numbers: nothing is confused", "--kind confusion", "a run with classes")
        )
    return found["confusion"]


def confusion(subject: str, split: str, found: Mapping[str, Any]) -> Grid:
    """True classes down, predicted ones across; coloured by the share of the true class. counts: [true][predicted]."""
    counts = np.array(found["counts"], dtype=np.int64)
    classes = tuple(map(str, found["classes"]))
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.full(counts.shape, np.nan), where=totals > 0)
    right = int(np.trace(counts))
    texts = tuple(tuple(str(count) if count else "" for count in row) for row in counts.tolist())
    return Grid(
        f"Confusion on the {split} data",
        f"{subject}\n{right:,} of {wording.counted(int(counts.sum()), 'example')} right; one run, no band",
        classes,
        classes,
        "true",
        "predicted",
        shares,
        texts,
        "share of the true class",
        "white_is_none",
    )
