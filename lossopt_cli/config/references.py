"""What a name may point to outside the catalogue: files, folders, a user's Python, another library."""

from pathlib import Path

from lossopt_cli.catalogue.datasets import DATASETS
from lossopt_cli.catalogue.lookup import nearest, plain
from lossopt_cli.catalogue.recipes import is_kaggle
from lossopt_cli.catalogue.rows import DataRow
from lossopt_cli.config.kaggle import kaggle_name
from lossopt_cli.errors import Fault, UsageError

TABLE_SUFFIXES = (".csv", ".tsv", ".txt", ".data")
FOREIGN = ("torch.", "pytorch_optimizer.", "schedulefree.")


def is_user_code(name: str) -> bool:
    """Whether the name is `file.py:function`."""
    return ".py:" in name


def is_foreign(name: str) -> bool:
    """Whether the name is an optimizer of another library: `torch.NAME`, `pytorch_optimizer.NAME`, ..."""
    return name.startswith(FOREIGN)


def anchored(name: str, folder: Path, where: str) -> str:
    """`file.py:function` with an absolute path, relative ones being seen from `folder`. UsageError without
    the file."""
    file, _, function = name.rpartition(":")
    path = (folder / Path(file).expanduser()).resolve()
    if not path.is_file():
        raise UsageError(Fault(f"no such file: {file}", where, "file.py:function", _similar(path)))
    return f"{path}:{function}"


def data_reference(name: str, path: str | None, folder: Path, where: str) -> tuple[str, str | None]:
    """(name, path) of data: a data set's own name and None, also of Kaggle; or the last part of a path and the absolute
    path.

    A name of the catalogue wins over a folder of that name, which is then written `./name`. Where a path is
    given beside a name, the path says where and the name only what to call it.
    """
    if is_user_code(name):
        file, _, function = name.rpartition(":")
        found = _existing(path or file, folder, where)
        return f"{found.name}:{function}", str(found)
    if path is not None:
        return name, str(_existing(path, folder, where))
    if is_kaggle(name):
        return str(kaggle_name(name, where)), None
    row = _dataset(name)
    if row is not None and row.task is None:
        raise UsageError(Fault(f"{name} is a kind of data", where, f"the file or folder itself; {row.contents}"))
    if row is not None:
        return row.name, None
    if _looks_like_path(name) or (folder / name).exists():
        found = _existing(name, folder, where)
        if found.is_file() and found.suffix.lower() not in TABLE_SUFFIXES:
            remedy = f"{name}:FUNCTION for a function in it" if found.suffix == ".py" else None
            raise UsageError(
                Fault(f"cannot read data from {name}", where, "a .csv file or a folder of class folders", remedy)
            )
        return found.name, str(found)
    raise UsageError(_unknown(name, folder, where))


def data_kind(name: str, path: str | None) -> str:
    """How data of a resolved config are read: name, kaggle, csv, folder or code."""
    if path is None:
        return "kaggle" if is_kaggle(name) else "name"
    if is_user_code(name):
        return "code"
    return "csv" if path.lower().endswith(TABLE_SUFFIXES) else "folder"


def _dataset(name: str) -> DataRow | None:
    """The row that this name means, or None."""
    return next((row for row in DATASETS if plain(name) in map(plain, (row.name, *row.aliases))), None)


def _unknown(name: str, folder: Path, where: str) -> Fault:
    """It may be meant as a file or a folder as well as a name, so what looks like it in `folder` is told, too."""
    near = [*nearest(name, [row.name for row in DATASETS]), *nearest(name, [entry.name for entry in folder.iterdir()])]
    return Fault(
        f"no such file or folder, and no data of that name: {name}",
        where,
        "a name of `lossopt list data`, a folder, a .csv file or file.py:function",
        f"did you mean {' or '.join(near)}?" if near else None,
    )


def _looks_like_path(name: str) -> bool:
    return "/" in name or "\\" in name or name.startswith(("~", ".")) or name.lower().endswith((*TABLE_SUFFIXES, ".py"))


def _existing(name: str, folder: Path, where: str) -> Path:
    path = (folder / Path(name).expanduser()).resolve()
    if not path.exists():
        raise UsageError(Fault(f"no such file or folder: {name}", where, remedy=_similar(path)))
    return path


def _similar(path: Path) -> str | None:
    """Names in the same folder that look like this one's."""
    if not path.parent.is_dir():
        return f"there is no folder {path.parent}"
    near = nearest(path.name, [entry.name for entry in path.parent.iterdir()])
    return f"did you mean {' or '.join(near)}?" if near else None
