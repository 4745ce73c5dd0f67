"""What every test file may use: the shared real data, and `lossopt train` run in this process."""

import json
import os
import signal
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts its background jobs so, and their children would inherit it: no test could press Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)

SHARED = Path(__file__).parents[2] / "shared" / "data"
EXAMPLES = Path(__file__).parent / "examples"


def shared_file(name: str) -> Path:
    """A file of the shared real data; skips the test where they are not beside the project."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"the shared data are not beside the project: no shared/data/{name}")
    return path


@pytest.fixture(scope="session", autouse=True)
def own_surroundings(tmp_path_factory) -> Iterator[None]:
    """No test touches the user's cache; none depends on where it is called, as what lossopt prints does."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("CI", "TERM", "COLUMNS", "NO_COLOR", "FORCE_COLOR"):
            patch.delenv(name, raising=False)
        patch.setenv("LOSSOPT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def cifar10_6k(tmp_path_factory) -> Path:
    """CIFAR-10 as class folders of JPEG files, train/ and test/."""
    folder = tmp_path_factory.mktemp("images")
    with zipfile.ZipFile(shared_file("cifar10-6k.zip")) as archive:
        archive.extractall(folder)
    return folder / "cifar10-6k"


@dataclass(frozen=True)
class Trained:
    """How `lossopt train` ended: exit code, what reached stdout and stderr, result.json (None without a run)."""

    code: int
    out: str
    err: str
    folder: Path | None
    result: dict[str, Any] | None


@pytest.fixture
def train(tmp_path, capsys) -> Callable[..., Trained]:
    """train("--loss", "huber", ...): `lossopt train` in this process, with its logs in a folder of the test."""
    from lossopt_cli.__main__ import run

    logs = tmp_path / "logs"

    def trained(*arguments: str | Path | float) -> Trained:
        before = set(logs.iterdir()) if logs.exists() else set()
        capsys.readouterr()
        words = [str(argument) for argument in arguments]
        code = run(["train", *words, *([] if "--logs" in words else ["--logs", str(logs)])])
        out, err = capsys.readouterr()
        new = sorted(set(logs.iterdir()) - before) if logs.exists() else []
        folder = new[0] if new else None
        result = (
            json.loads((folder / "result.json").read_text()) if folder and (folder / "result.json").exists() else None
        )
        return Trained(code, out, err, folder, result)

    return trained


@dataclass(frozen=True)
class Evaluated:
    """How `lossopt evaluate` ended, and what reached stdout and stderr."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict:
        return json.loads(self.out, parse_constant=pytest.fail)


@pytest.fixture
def evaluate(logs, capsys) -> Callable[..., Evaluated]:
    """evaluate("last", ...): `lossopt evaluate` in this process, of the runs in the file's own `logs`."""
    from lossopt_cli.__main__ import run

    def evaluated(*words: str | Path) -> Evaluated:
        capsys.readouterr()
        code = run(["evaluate", *map(str, words), "--logs", str(logs)])
        return Evaluated(code, *capsys.readouterr())

    return evaluated
