"""The small data sets that scikit-learn carries, read from its files: importing scikit-learn takes 0.5 s and
more."""

import csv
import gzip
import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from lossopt_cli.data.examples import Examples
from lossopt_cli.data.problem import Column, ImageInputs
from lossopt_cli.errors import Fault, RunError


@dataclass(frozen=True)
class _Table:
    """A file of scikit-learn: first line count, columns and class names, then numbers with the class last."""

    file: str
    columns: tuple[str, ...]
    items: str


_CELL = ("radius", "texture", "perimeter", "area", "smoothness", "compactness", "concavity", "concave points",
         "symmetry", "fractal dimension")  # fmt: skip
_TABLES = {
    "iris": _Table(
        "iris.csv",
        ("sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"),
        "flowers",
    ),
    "wine": _Table(
        "wine_data.csv",
        ("alcohol", "malic_acid", "ash", "alcalinity_of_ash", "magnesium", "total_phenols", "flavanoids",
         "nonflavanoid_phenols", "proanthocyanins", "color_intensity", "hue", "od280/od315_of_diluted_wines",
         "proline"),
        "wines",
    ),
    "breast_cancer": _Table(
        "breast_cancer.csv",
        (*(f"mean {c}" for c in _CELL), *(f"{c} error" for c in _CELL), *(f"worst {c}" for c in _CELL)),
        "tumours",
    ),
}  # fmt: skip


def digits() -> Examples:
    """1797 scans of hand-written digits, 8x8 grey levels 0..16 (Alpaydin and Kaynak 1998, the UCI test
    part)."""
    content, sha = _read("digits.csv.gz")
    table = np.loadtxt(io.BytesIO(content), delimiter=",", dtype=np.uint8)
    return Examples(
        name="digits",
        family="classification",
        raw=np.ascontiguousarray(table[:, :-1].reshape(-1, 8, 8, 1)),
        targets=table[:, -1].astype(np.int64),
        inputs=ImageInputs((8, 8, 1), 1 / 16),
        describe=lambda classes, _: "digits: 8x8 images of " + _digits_named(classes),
        classes=tuple("0123456789"),
        target="digit",
        facts={"sha256": sha},
    )


def diabetes() -> Examples:
    """442 patients, 10 numbers as measured, progression of the disease after a year (Efron et al. 2004)."""
    content, sha = _read("diabetes_data_raw.csv.gz")
    progression, target_sha = _read("diabetes_target.csv.gz")
    return Examples(
        name="diabetes",
        family="regression",
        raw=np.loadtxt(io.BytesIO(content)),
        targets=np.loadtxt(io.BytesIO(progression)),
        inputs=tuple(Column(c) for c in ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6")),
        describe=lambda _, count: f"diabetes: {count} patients, 10 numbers each -> disease progression",
        target="disease progression",
        facts={"sha256": sha, "target_sha256": target_sha},
    )


def _classified(name: str) -> Callable[[], Examples]:
    """The loader of a table with classes."""

    def load() -> Examples:
        table = _TABLES[name]
        content, sha = _read(table.file)
        lines = content.decode("ascii").splitlines()
        classes = tuple(next(csv.reader(lines[:1]))[2:])
        values = np.loadtxt(lines[1:], delimiter=",")
        return Examples(
            name=name,
            family="classification",
            raw=np.ascontiguousarray(values[:, :-1]),
            targets=values[:, -1].astype(np.int64),
            inputs=tuple(Column(c) for c in table.columns),
            describe=lambda classes, count: (
                f"{name}: {count} {table.items}, {len(table.columns)} numbers each -> "
                + (" or " if len(classes) == 2 else ", ").join(classes)
            ),
            classes=classes,
            target="class",
            facts={"sha256": sha},
        )

    return load


LOADERS: dict[str, Callable[[], Examples]] = {
    "digits": digits,
    "diabetes": diabetes,
    **{name: _classified(name) for name in _TABLES},
}


def _digits_named(classes: tuple[str, ...]) -> str:
    if len(classes) == 10:
        return "10 digits"
    return "the digits " + ", ".join(classes[:-1]) + " and " + classes[-1]


def _read(file: str) -> tuple[bytes, str]:
    """The content of one of scikit-learn's data files, unpacked, and the sha256 of that."""
    package = find_spec("sklearn")
    if package is None or not package.submodule_search_locations:
        raise RunError(Fault("scikit-learn is not installed", remedy="pip install scikit-learn"))
    path = Path(package.submodule_search_locations[0]) / "datasets" / "data" / file
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RunError(
            Fault(
                f"scikit-learn's {file} cannot be read: {error.strerror}",
                str(path.parent),
                remedy="pip install --force-reinstall scikit-learn",
            )
        ) from error
    content = gzip.decompress(content) if file.endswith(".gz") else content
    return content, hashlib.sha256(content).hexdigest()
