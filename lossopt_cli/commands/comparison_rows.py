"""A comparison as rows for other programs: recipes, trials, epochs or pairs, one thing a row, full precision."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lossopt_cli.analysis.comparison import Arm, Comparison
from lossopt_cli.analysis.comparison_json import as_json
from lossopt_cli.runs.csv import read_columns
from lossopt_cli.runs.records import Record

NESTED = "rates"  # of a recipe, a list of its own: `--rows trials` has it
Table = tuple[list[str], list[list[Any]]]


@dataclass(frozen=True)
class Trial:
    """A trial that a comparison counts: of which recipe, at which place of which arm."""

    recipe: str
    role: str
    arm: Arm
    place: int

    def row(self, comparison: Comparison, record: Record) -> dict[str, Any]:
        values = {f"{split}_{name}": value for split, found in record.metrics.items() for name, value in found.items()}
        return {
            **self.key(comparison),
            "role": self.role,
            "loss": record.result["loss"]["name"],
            "optimizer": record.result["optimizer"]["name"],
            "status": record.result["status"],
            "lost": self.arm.lost[self.place],
            "score": self.arm.scores[self.place],
            **values,
            "time_to_target_epochs": self.arm.times[self.place] if self.arm.times else None,
            "relapse": record.relapse,
            "area": record.area,
            "train_seconds": record.train_seconds,
            "run": str(record.folder),
        }

    def key(self, comparison: Comparison) -> dict[str, Any]:
        return {
            "problem": comparison.problem,
            "data": comparison.data,
            "recipe": self.recipe,
            "learning_rate": self.arm.learning_rate,
            "seed": self.arm.seeds[self.place],
        }


def rows_of(what: str, comparisons: Sequence[Comparison], records: Sequence[Sequence[Record]]) -> Table:
    """(columns, rows); a column that a row has not is empty there."""
    found: list[dict[str, Any]] = []
    for comparison, runs in zip(comparisons, records, strict=True):
        if what in ("recipes", "pairs"):
            found += [
                _flat({key: row[key] for key in row if key != NESTED}) for row in as_json(comparison, [], [])[what]
            ]
            continue
        by_folder = {record.folder: record for record in runs}
        for trial in _trials(comparison):
            record = by_folder[trial.arm.folders[trial.place]]
            found += (
                [trial.row(comparison, record)] if what == "trials" else list(_epochs(trial, comparison, record.folder))
            )
    columns = list(dict.fromkeys(key for row in found for key in row))
    return columns, [[row.get(column) for column in columns] for row in found]


def _trials(comparison: Comparison) -> Iterator[Trial]:
    """Those that the rate was chosen by, then those that are reported."""
    for recipe in comparison.recipes:
        for role, arms in (("tuning", recipe.tuning), ("report", recipe.arms)):
            for arm in arms:
                yield from (Trial(recipe.name, role, arm, place) for place in range(len(arm.seeds)))


def _epochs(trial: Trial, comparison: Comparison, folder: Path) -> Iterator[dict[str, Any]]:
    """The rows of its epochs.csv; none where that is not there or not whole."""
    try:
        columns = read_columns(folder / "epochs.csv")
    except (OSError, ValueError):
        return
    for values in zip(*columns.values(), strict=True):
        row = dict(zip(columns, map(float, values), strict=True))
        row["scheduled_rate"] = row.pop("learning_rate", None)
        yield {**trial.key(comparison), **row}


def _flat(row: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Nested values as `difference_to_best_ci_low`."""
    flat: dict[str, Any] = {}
    for key, value in row.items():
        flat |= _flat(value, f"{before}{key}_") if isinstance(value, Mapping) else {f"{before}{key}": value}
    return flat
