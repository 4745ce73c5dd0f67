"""The data sets that torchvision downloads, kept in the user's cache folder."""

import contextlib
import pickle
import sys
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

import numpy as np

from lossopt_cli.catalogue.datasets import dataset_named
from lossopt_cli.data.arrays import fingerprint
from lossopt_cli.data.cache import cache_folder
from lossopt_cli.data.examples import Examples
from lossopt_cli.data.problem import ImageInputs
from lossopt_cli.data.splits import TEST, TRAIN
from lossopt_cli.errors import Fault, RunError


@dataclass(frozen=True)
class _Download:
    """A class of torchvision.datasets, where it puts its files, and what the images show."""

    class_name: str
    folder: str
    contents: str


_DOWNLOADS = {
    "mnist": _Download("MNIST", "MNIST/raw", "28x28 images of"),
    "fashion_mnist": _Download("FashionMNIST", "FashionMNIST/raw", "28x28 images of"),
    "cifar10": _Download("CIFAR10", "cifar-10-batches-py", "32x32 photographs of"),
    "cifar100": _Download("CIFAR100", "cifar-100-python", "32x32 photographs of"),
}
NAMES = tuple(_DOWNLOADS)
# no network or a full disk; a damaged archive; a damaged file (torchvision asserts what a file begins with)
_FAILURES = (
    OSError,
    HTTPException,
    RuntimeError,
    EOFError,
    tarfile.TarError,
    pickle.UnpicklingError,
    AssertionError,
    ValueError,
    KeyError,
)


def downloads_folder() -> Path:
    """Where downloads are kept."""
    return cache_folder() / "data"


def download(name: str, announce: Callable[[str], None]) -> Examples:
    """The images uint8 [N, height, width, channels] with the set's own test part; RunError with a remedy
    where they cannot be had. Downloaded once; after that no network is needed."""
    row, cache = _DOWNLOADS[name], downloads_folder()
    datasets = _torchvision_datasets()
    if not (cache / row.folder).exists():
        size = dataset_named(name).download
        announce(f"downloading {name}{f' ({size})' if size else ''} to {cache}")
    loader = getattr(datasets, row.class_name)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            parts = [loader(root=str(cache), train=train, download=True) for train in (True, False)]
    except _FAILURES as error:
        raise RunError(_failed(name, cache, row, error)) from error
    images = np.concatenate([np.asarray(part.data) for part in parts])
    labels = np.concatenate([np.asarray(part.targets) for part in parts]).astype(np.int64)
    images = images if images.ndim == 4 else images[..., None]
    sizes = [len(part.targets) for part in parts]
    return Examples(
        name=name,
        family="classification",
        raw=images,
        targets=labels,
        inputs=ImageInputs(images.shape[1:], 1 / 255),
        describe=lambda classes, _: f"{name}: {row.contents} " + _named(classes),
        classes=tuple(_short(c) for c in parts[0].classes),
        given=np.repeat([TRAIN, TEST], sizes),
        target="class",
        facts={"sha256": fingerprint(images, labels)},
    )


def _named(classes: tuple[str, ...]) -> str:
    return " or ".join(classes) if len(classes) == 2 else f"{len(classes)} classes"


def _short(name: str) -> str:
    """torchvision calls MNIST's classes "3 - three"; here "3"."""
    return name.split(" - ")[0]


def _torchvision_datasets():
    try:
        from torchvision import datasets
    except (ImportError, RuntimeError) as error:
        raise RunError(
            Fault(
                f"torchvision cannot be imported: {str(error).splitlines()[0]}",
                expected="torch and torchvision of one release from one index",
                remedy="pip install --upgrade torch torchvision (both from the same index; README, Install)",
            )
        ) from error
    return datasets


def _failed(name: str, cache: Path, row: _Download, error: Exception) -> Fault:
    reason = next((line for line in reversed(str(error).splitlines()) if line.strip()), "a damaged file")
    return Fault(
        f"{name} could not be downloaded or read: {reason.strip()}",
        str(cache / row.folder),
        "a network connection, once; after that the files in that folder",
        f"copy the folder from a machine that has it; delete it if it is damaged; without a network: "
        f"--data {'digits' if name.endswith('mnist') else 'FOLDER (class folders of images)'}",
    )
