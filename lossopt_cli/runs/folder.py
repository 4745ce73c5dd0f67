"""The folder of a run: a name that no other run has, and files that are either whole or not there."""

import errno
import json
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from lossopt_cli.errors import Fault, UsageError
from lossopt_cli.runs.csv import csv_text

LONGEST_NAME = 200
LONGEST_PART = 56
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._=+-]*")


def safe(part: str, longest: int = LONGEST_PART) -> str:
    """`part` with only letters, digits and ._=+- in it: needs no quoting in a shell and is a name on every
    filesystem. Of a path the last name; of `name:setting=value...` as many settings as find room, each whole.

    `huber:delta=0.5` becomes `huber_delta=0.5`, and `mine/loss.py:f` becomes `loss.py_f`.
    """
    short = re.sub(r"(^|=)[^:=,]*[/\\]", r"\1", part.rstrip("/\\"))
    first, *settings = (re.sub(r"[^A-Za-z0-9._=+-]+", "_", piece) for piece in short.split(":"))
    name = first[:longest]
    for setting in settings:
        if len(longer := re.sub("_+", "_", f"{name}_{setting}")) > longest:
            break
        name = longer
    return name.strip("._-") or "_"


def run_name(
    problem_name: str,
    model: str,
    loss_label: str,
    optimizer_label: str,
    learning_rate: float,
    seed: int,
    now: datetime,
) -> str:
    """`<data>-<model>-<loss>-<optimizer>-lr<lr>-s<seed>-<date-time>`, at most LONGEST_NAME characters.

    The date and time stand for uniqueness only to the second: see RunFolder.create_numbered.
    """
    words = (problem_name, model, loss_label, optimizer_label)
    tail = f"lr{safe(f'{learning_rate:g}')}-s{seed}-{now:%Y%m%d-%H%M%S}"
    parts, room = [safe(word) for word in words], LONGEST_NAME - len(tail) - len(words)
    if sum(map(len, parts)) > room:
        parts = [safe(word, room // len(words)) for word in words]
    return f"{'-'.join(parts)}-{tail}"


def plain(value: Any) -> Any:
    """`value` in the types of JSON: null for NaN and for infinities (JSON has neither), lists for arrays and
    tuples, strings for paths. NumPy's float32 keeps its value, not its short spelling."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, PurePath):
        return str(value)
    return value


def json_text(value: Any) -> str:
    """Valid JSON, indented by two, keys in the order given, at full precision, with a final newline."""
    return json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yields a temporary path in the same folder with the same suffix; it takes the place of `path` when the
    block ends, and is removed when the block raises. What is at `path` is therefore always whole, also after
    a kill."""
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run. Everything in it is written whole (temporary name, flush, rename)."""

    path: Path

    @staticmethod
    def check(logs: Path, name: str | None) -> None:
        """The UsageError that `create` would raise (`create_numbered` where name is None); makes nothing."""
        if name is not None:
            check_name(name)
        nearest = logs
        while not nearest.exists() and nearest != nearest.parent:
            nearest = nearest.parent
        if not nearest.is_dir():
            raise _unwritable(logs, NotADirectoryError())
        if not os.access(nearest, os.W_OK | os.X_OK):
            raise _unwritable(logs, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))
        if name is not None and (logs / name).exists():
            raise _taken(logs / name)

    @classmethod
    def create(cls, logs: Path, name: str) -> "RunFolder":
        """A new folder `logs/name`. UsageError for a name that is taken or no name for a folder, and for a
        `logs` that cannot be written to."""
        check_name(name)
        _make_logs(logs)
        if not _make(logs, name):
            raise _taken(logs / name)
        return cls(logs / name)

    @classmethod
    def create_numbered(cls, logs: Path, stem: str) -> "RunFolder":
        """A new folder `logs/stem`, or `logs/stem-2`, `logs/stem-3`, ... where the names before are taken:
        runs that start in the same second, also in several processes, get a folder each."""
        _make_logs(logs)
        names = (stem if number == 1 else f"{stem}-{number}" for number in count(1))
        return cls(logs / next(name for name in names if _make(logs, name)))

    def write_text(self, name: str, text: str) -> Path:
        """UTF-8, newlines as they are."""
        return self.write_bytes(name, text.encode())

    def write_bytes(self, name: str, contents: bytes) -> Path:
        with written_whole(self.path / name) as temporary, temporary.open("wb") as file:
            file.write(contents)
            file.flush()
        return self.path / name

    def write_json(self, name: str, value: Any) -> Path:
        """See `json_text`."""
        return self.write_text(name, json_text(value))

    def write_csv(self, name: str, columns: Mapping[str, Sequence]) -> Path:
        """See `csv_text`: one column for each key, all of one length."""
        return self.write_text(name, csv_text(columns))


def check_name(name: str) -> None:
    """UsageError for what cannot be the name of a run or a sweep."""
    if NAME.fullmatch(name) is None or len(name) > LONGEST_NAME or name == "last":
        raise UsageError(
            Fault(
                what=f"{name!r} cannot be the name of a run",
                where="--name",
                expected=f"at most {LONGEST_NAME} letters, digits and ._=+-, first a letter or a digit; "
                "not `last`, which stands for the newest run",
                remedy=f"--name {safe(name)}" if safe(name) not in {"_", "last"} else None,
            )
        )


def _taken(path: Path) -> UsageError:
    return UsageError(
        Fault(
            what=f"{path} exists, and a run is never overwritten",
            where="--name",
            remedy=f"choose another --name, or remove {path}",
        )
    )


def _make_logs(logs: Path) -> None:
    try:
        logs.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(logs, error) from error


def _make(logs: Path, name: str) -> bool:
    """True if the folder is new and ours; mkdir decides, so that two processes cannot both have it."""
    try:
        (logs / name).mkdir()
    except FileExistsError:
        return False
    except OSError as error:
        raise _unwritable(logs, error) from error
    return True


def _unwritable(logs: Path, error: OSError) -> UsageError:
    reason = "it is a file" if isinstance(error, FileExistsError | NotADirectoryError) else error.strerror
    return UsageError(
        Fault(
            what=f"cannot make a folder in {str(logs)!r}: {reason}",
            where="--logs",
            expected="a folder that you may write to (it is made if it is not there)",
            remedy="--logs DIR chooses another",
        )
    )
