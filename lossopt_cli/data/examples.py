"""Labelled examples before they are split: what every source of data gives, and which of them are used."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from lossopt_cli.catalogue.lookup import nearest
from lossopt_cli.config.schema import DataConfig
from lossopt_cli.data.problem import ArrayInputs, Column, ImageInputs
from lossopt_cli.data.rows import Rows, taken
from lossopt_cli.data.splits import generator, split_seed, subset
from lossopt_cli.errors import Fault, UsageError

Family = Literal["classification", "regression"]


@dataclass(frozen=True)
class Targets:
    """What is to be predicted: class numbers (int64 [N]) with the names of the classes, or float64 [N, ...] numbers.
    notes: what a user must know of how they were read."""

    family: Family
    values: np.ndarray
    classes: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Examples:
    """Raw inputs [N, ...] with their targets: class numbers int64 [N], or float64 [N, ...] for a regression.

    raw: uint8 images, float64 table (NaN where a cell is missing), float32 arrays, or paths not yet decoded.
    inputs: what raw is; for a table its columns, without statistics.
    given: the part (0 train, 1 validation, 2 test) that the source itself gives each row, int64 [N], or None.
    rows: the row of the whole data set that each example is, int64 [N].
    describe: (classes, how many) -> the line after `data`, which depends on the classes chosen.
    facts: what the data are (hashes), for the fingerprint of the problem.
    """

    name: str
    family: Family
    raw: np.ndarray | Rows
    targets: np.ndarray
    inputs: ImageInputs | ArrayInputs | tuple[Column, ...] | None
    describe: Callable[[tuple[str, ...] | None, int], str]
    classes: tuple[str, ...] | None = None
    given: np.ndarray | None = None
    rows: np.ndarray | None = None
    target: str = "target"
    notes: tuple[str, ...] = ()
    facts: Mapping = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, rows: np.ndarray) -> "Examples":
        """These examples only, in this order."""
        return replace(
            self,
            raw=taken(self.raw, rows),
            targets=self.targets[rows],
            given=None if self.given is None else self.given[rows],
            rows=rows if self.rows is None else self.rows[rows],
        )


def data_name(config: DataConfig, path: Path) -> str:
    """What the data of a path are called: the name given beside `data.path`, else the last part of the
    path."""
    given = config.path is not None and config.name not in ("csv", "image_folder", path.name, config.path)
    return Path(config.name).name if given else (path.stem if path.is_file() else path.name)


def select(examples: Examples, config: DataConfig, seed: int) -> Examples:
    """The examples of `data.classes`, at most `data.limit` of them; class numbers count the chosen classes
    from 0. A limit that none of them is left out for is no fact."""
    if config.classes is not None:
        examples = _of_classes(examples, config.classes)
    limited = config.limit is not None and config.limit < len(examples)
    examples = replace(examples, facts={**examples.facts, "limit": config.limit if limited else None})
    if not limited:
        return examples
    strata = None
    if examples.family == "classification":
        strata = examples.targets if examples.given is None else examples.targets * 3 + examples.given
    elif examples.given is not None:
        strata = examples.given
    rng = generator("limit", split_seed(config, seed))
    return examples.take(subset(strata, len(examples), config.limit, rng))


def _of_classes(examples: Examples, wanted: Sequence[str | int]) -> Examples:
    if examples.classes is None:
        raise UsageError(
            Fault(
                f"data.classes is for classification; {examples.name} has a number to predict",
                "data.classes",
                remedy="leave data.classes out",
            )
        )
    numbers = [class_number(name, examples.classes, examples.name) for name in wanted]
    if len(set(numbers)) != len(numbers) or len(numbers) < 2:
        chosen = ", ".join(str(w) for w in wanted)
        raise UsageError(
            Fault(
                f"data.classes [{chosen}] does not name two different classes",
                "data.classes",
                "two or more classes",
            )
        )
    numbers = sorted(numbers)
    place = np.full(len(examples.classes), -1)
    place[numbers] = np.arange(len(numbers))
    rows = np.flatnonzero(place[examples.targets] >= 0)
    chosen = examples.take(rows)
    return replace(chosen, targets=place[chosen.targets], classes=tuple(examples.classes[number] for number in numbers))


def refuse_keys(config: DataConfig, keys: tuple[str, ...], why: str) -> None:
    """UsageError for values that these data could only drop."""
    faults = [
        Fault(f"data.{key} does not apply: {why}", f"data.{key}", remedy=f"leave data.{key} out")
        for key in keys
        if getattr(config, key) != DataConfig.model_fields[key].default
    ]
    if faults:
        raise UsageError(*faults)


def class_number(name: str | int, classes: Sequence[str], data: str) -> int:
    """The number of a class given by its name or, where no class has that name, by its number from 0."""
    if str(name) in classes:
        return list(classes).index(str(name))
    if isinstance(name, int) and not isinstance(name, bool) and 0 <= name < len(classes):
        return name
    shown = ", ".join(classes[:12]) + (", ..." if len(classes) > 12 else "")
    close = nearest(name, classes) if isinstance(name, str) else []
    raise UsageError(
        Fault(
            f"{data} has no class '{name}'",
            "data.classes",
            f"classes of {data}: {shown}",
            f"did you mean {close[0]}?" if close else None,
        )
    )
