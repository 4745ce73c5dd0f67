"""Which classes a run takes for which."""

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lossopt_cli.analysis import wording
from lossopt_cli.analysis.chosen import chosen_run
from lossopt_cli.analysis.figures.picture import Grid
from lossopt_cli.analysis.problems import ProblemRuns
from lossopt_cli.errors import Fault, UsageError
from lossopt_cli.runs.reading import CONFIG, LABELS
from lossopt_cli.runs.records import Record

KIND = "--kind confusion"


def the_run(problems: Sequence[ProblemRuns], split: str) -> Record:
    """The only run of all problems. UsageError where there are several, with one of them that can be drawn, and where
    none has classes."""
    every = [record for problem in problems for record in problem.records]
    with_classes = [record for record in every if record.task != "regression"]
    if not with_classes:
        what = "this run predicts numbers" if len(every) == 1 else "these runs predict numbers"
        raise UsageError(Fault(f"{what}: nothing is confused", KIND, "a run with classes"))
    if len(every) == 1:
        return every[0]
    able = [record for record in with_classes if _file(record, split).is_file() or _has_model(record)]
    able.sort(key=lambda record: (_file(record, split).is_file(), record.began_at))
    again = _drawn(able[-1].folder, split) if able else _trained_again(chosen_run(with_classes), split)
    raise UsageError(Fault(f"{len(every)} runs: a confusion matrix is of one", KIND, "the folder of one run", again))


def read_evaluation(record: Record, split: str) -> Mapping[str, Any]:
    """What `lossopt evaluate` left in the run. UsageError where it has not run, or found no classes."""
    file = _file(record, split)
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        kept = _has_model(record)
        command = _evaluated(record.folder, split) if kept else _trained_again(record.folder, split)
        what = f"no predictions of the {split} data yet" + ("" if kept else ", and the run kept no model")
        raise UsageError(Fault(what, KIND, f"{file.name} in {record.folder}", command)) from error
    except (OSError, ValueError) as error:
        raise UsageError(Fault(f"cannot read {file}: {error}", KIND)) from error
    if not found.get("confusion"):
        raise UsageError(Fault(f"{file} has no confusion: its loss gives no classes", KIND, "a run with classes"))
    return found["confusion"]


def _file(record: Record, split: str) -> Path:
    return record.folder / f"evaluation-{split}.json"


def _has_model(record: Record) -> bool:
    return (record.folder / LABELS).is_file()


def _evaluated(run: Path | str, split: str) -> str:
    return f"lossopt evaluate {_typed(run)}{_of(split)}"


def _drawn(run: Path | str, split: str) -> str:
    return f"lossopt plot {_typed(run)} {KIND}{_of(split)}"


def _trained_again(run: Path, split: str) -> str:
    """As the run of a sweep, which keeps no model, gets one."""
    return f"lossopt train {_typed(run / CONFIG)} && {_evaluated('last', split)} && {_drawn('last', split)}"


def _typed(run: Path | str) -> str:
    return shlex.quote(str(run))


def _of(split: str) -> str:
    return "" if split == "test" else f" --split {split}"


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
