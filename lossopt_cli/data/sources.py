"""What `--data` means: the problem behind a name, a folder of images or a table."""

import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from lossopt_cli.catalogue.datasets import DATASETS, dataset_named
from lossopt_cli.catalogue.lookup import names_of, nearest, plain
from lossopt_cli.catalogue.rows import Task
from lossopt_cli.config.references import TABLE_SUFFIXES, data_kind
from lossopt_cli.config.schema import DataConfig
from lossopt_cli.data import downloads, embedded, images, kaggle, synthetic, tables
from lossopt_cli.data.assembly import problem_of
from lossopt_cli.data.examples import Examples, refuse_keys, select
from lossopt_cli.data.problem import Problem
from lossopt_cli.data.spelling import spelled
from lossopt_cli.errors import Fault, UsageError

_TABLE_KEYS = ("target", "header", "missing", "task")
_IMAGE_KEYS = ("image_size", "skip_bad_images")


def load(config: DataConfig, tasks: tuple[Task, ...] | None, seed: int, announce: Callable[[str], None]) -> Problem:
    """The problem that the config names, split and with training statistics.

    tasks: what the chosen loss serves, None where no loss was named; it decides what the numbers in the
    target of a table mean. seed: the training seed, for `data.split_seed: seed`. announce: told what takes
    long. What a user must know of how the data were read is in the problem's notes. Data of
    `file.py:function` are `arrays.from_arrays`.
    """
    if config.path is None and (name := _named(config.name)) is not None:
        return problem_of(select(examples_named(name, config, announce), config, seed), config, seed)
    if data_kind(config.name, config.path) == "kaggle":
        found = kaggle.located(config, announce)
        problem = load(found.config, tasks, seed, announce)
        return replace(problem, notes=(*found.notes, *problem.notes), pinned=found.name)
    path = Path(config.path or config.name).expanduser()
    _check_spelling(path)
    if path.is_dir():
        refuse_keys(config, _TABLE_KEYS, f"{path.name} is a folder of images")
        return problem_of(images.read_images(path, config, seed, announce), config, seed)
    _check_file(path, config)
    refuse_keys(config, _IMAGE_KEYS, f"{path.name} is a table")
    return problem_of(select(tables.read_table(path, config, tasks), config, seed), config, seed)


def located(config: DataConfig, announce: Callable[[str], None]) -> DataConfig:
    """The config of data of Kaggle with the path where they lie; any other as it is."""
    if data_kind(config.name, config.path) != "kaggle":
        return config
    return kaggle.located(config, announce).config


def _named(name: str) -> str | None:
    """The data set of the catalogue that is meant, or None."""
    return next((row.name for row in DATASETS if plain(name) in map(plain, names_of(row))), None)


def examples_named(name: str, config: DataConfig, announce: Callable[[str], None]) -> Examples:
    """The examples of a data set of the catalogue, before anything is chosen or split."""
    if dataset_named(name).task is None:
        raise UsageError(
            Fault(f"data '{name}' needs a path", "data.path", "the file or folder", "--data PATH says both")
        )
    refuse_keys(config, (*_TABLE_KEYS, *_IMAGE_KEYS), f"{name} has its own target and size")
    if name in synthetic.LOADERS:
        return synthetic.LOADERS[name](config.settings)
    if config.settings:
        raise UsageError(Fault(f"{name} has no setting '{next(iter(config.settings))}'", "data"))
    return downloads.download(name, announce) if name in downloads.NAMES else embedded.LOADERS[name]()


def _check_spelling(path: Path) -> None:
    """UsageError for a path that config.yaml cannot name."""
    if (text := spelled(str(path))) != str(path):
        expected, remedy = "a path that config.yaml can name", "rename what has \\x.. in it here"
        raise UsageError(Fault("the path is not in UTF-8", text, expected, remedy))


def _check_file(path: Path, config: DataConfig) -> None:
    """UsageError unless the path is a file that may be a table."""
    if not path.exists():
        raise UsageError(_missing(path, config))
    suffix = path.suffix.lower()
    if suffix in TABLE_SUFFIXES:
        return
    remedy = f"--data {_typed(path.parent)}" if suffix in images.SUFFIXES else None
    if suffix in (".zip", ".gz", ".tgz", ".tar", ".7z"):
        remedy = f"unpack it first, and name what comes out: --data {_typed(path.stem)}"
    elif suffix == ".py":
        remedy = f"name the function that returns the data: --data {_typed(f'{path}:FUNCTION')}"
    raise UsageError(
        Fault(
            f"cannot read data from {path.name}",
            str(path),
            "a .csv file or a folder of class folders",
            remedy,
        )
    )


def _typed(path: Path | str) -> str:
    """A path as one types it."""
    return shlex.quote(str(path))


def _missing(path: Path, config: DataConfig) -> Fault:
    if config.path is None and path.parent == Path() and not path.suffix:
        near = nearest(config.name, [row.name for row in DATASETS])
        return Fault(
            f"unknown data '{config.name}'",
            "data.name",
            "a name of `lossopt list data`, a folder, a .csv file or file.py:function",
            f"did you mean {' or '.join(near)}?" if near else None,
        )
    near = nearest(path.name, [e.name for e in path.parent.iterdir()]) if path.parent.is_dir() else []
    remedy = f"did you mean --data {_typed(path.parent / near[0])}?" if near else None
    if not path.parent.is_dir():
        remedy = f"there is no folder {path.parent}"
    return Fault(f"no such file or folder: {path}", "data.path", remedy=remedy)
