"""A problem: the arrays of three splits, the task, and what turns raw data into what a model eats. NumPy
only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from lossopt_cli.catalogue.rows import Task
from lossopt_cli.data.rows import Rows

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class ImageInputs:
    """Images in Keras's default layout, uint8 or float, [N, height, width, channels]; the model eats scale *
    x.

    scale: 1/255 for uint8 photographs, 1/16 for digits, 1.0 for floats that the user scaled.
    """

    shape: tuple[int, int, int]
    scale: float
    kind: Literal["image"] = "image"


@dataclass(frozen=True)
class Column:
    """A column of a table. Numeric: the model eats (x - mean) / deviation, by training statistics.
    Categorical (categories given): raw values are the integer codes 0..len-1, the model eats them one-hot."""

    name: str
    mean: float = 0.0
    deviation: float = 1.0
    categories: tuple[str, ...] | None = None


@dataclass(frozen=True)
class TableInputs:
    """A table, raw: float64 [N, columns], categories as their codes."""

    columns: tuple[Column, ...]
    kind: Literal["table"] = "table"

    def encode(self, raw: np.ndarray) -> np.ndarray:
        """[N, columns] raw -> float32 [N, features]: numeric standardised, categorical one-hot, in column
        order."""
        parts = []
        for place, column in enumerate(self.columns):
            values = raw[:, place]
            if column.categories is None:
                parts.append(((values - column.mean) / column.deviation)[:, None])
            else:
                parts.append(values[:, None] == np.arange(len(column.categories))[None, :])
        return np.concatenate(parts, axis=1).astype(np.float32)

    @property
    def features(self) -> int:
        return sum(1 if c.categories is None else len(c.categories) for c in self.columns)


@dataclass(frozen=True)
class ArrayInputs:
    """Arrays that the model eats as they are, float32 [N, *shape] (data from a user's function)."""

    shape: tuple[int, ...]
    kind: Literal["array"] = "array"


@dataclass(frozen=True)
class FeatureInputs:
    """What a frozen backbone makes of images, float32 [N, *shape]; the model eats them as they are.

    images: what they were made of. note: what there is to say of how they were made, if anything.
    """

    shape: tuple[int, ...]
    images: ImageInputs
    note: str = ""
    kind: Literal["features"] = "features"


@dataclass(frozen=True)
class Split:
    """Raw inputs [n, ...], targets [n] (class numbers int64, or float64 in the target's own units), and which
    rows of the whole data set these are, [n].

    views: the inputs as epochs of a training see them in turn, where that is not as they are."""

    inputs: np.ndarray | Rows
    targets: np.ndarray
    rows: np.ndarray
    views: tuple[np.ndarray | Rows, ...] = ()

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True)
class Problem:
    """What is to be learned. target_mean and target_deviation are 0 and 1 for classes and where
    `data.scale_target` is false. Targets of user data may have any trailing shape for a custom loss.

    description: the line after `data` on the screen ("digits: 8x8 images of 10 digits").
    notes: what a user must know of how the data were read ("target: the last column, 'rings'").
    facts: what goes into the problem's fingerprint beside the arrays (file hashes, split, classes).
    pinned: the name that finds these same data again, where that of the config leaves open which; else None.
    """

    name: str
    task: Task
    inputs: ImageInputs | TableInputs | ArrayInputs | FeatureInputs
    train: Split
    validation: Split
    test: Split
    classes: tuple[str, ...] | None = None
    target: str = "target"
    target_mean: float = 0.0
    target_deviation: float = 1.0
    description: str = ""
    notes: tuple[str, ...] = ()
    facts: Mapping = field(default_factory=dict)
    pinned: str | None = None

    def split(self, name: str) -> Split:
        """The split of that name; one of SPLITS."""
        return {"train": self.train, "validation": self.validation, "test": self.test}[name]
