"""Runs read back: by reference, all below a folder, or the one that already answers a trial."""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from json import JSONDecodeError
from pathlib import Path

from lossopt_cli.catalogue.lookup import nearest
from lossopt_cli.catalogue.wording import ago
from lossopt_cli.errors import Fault, UsageError

SCHEMA_VERSION = 1
RESULT = "result.json"
CONFIG = "config.yaml"
LABELS = "labels.json"  # of runs that keep a model: what its inputs and outputs mean
SWEEP = "sweep.yaml"
LAST = "last"
FINISHED = frozenset({"done", "diverged"})
SHOWN = 8


class Unreadable(Exception):
    """Why a folder is not a readable run, in a few words: "no config.yaml", "result.json line 1: ..."."""


@dataclass(frozen=True)
class Found:
    """A folder of a run: whether its two files are there, and when it began, in ns (config.yaml is written once)."""

    folder: Path
    has_result: bool
    has_config: bool
    began_at: int


def read_result(folder: Path) -> dict:
    """The result.json of a run. UsageError for a folder that is no run, and for a file that is not whole."""
    try:
        return _result(folder)
    except Unreadable as reason:
        raise UsageError(
            Fault(what=f"not a readable run: {reason}", where=str(folder), expected="the folder of a run")
        ) from reason


def runs_under(folder: Path) -> Iterator[tuple[Path, dict | str]]:
    """Every run in `folder` (itself, or at any depth), by path: with its result, or with the reason why it
    has none.

    A folder with a result.json or a config.yaml is a run; nothing is looked for inside it. Hidden folders and
    links are passed by."""
    for found in found_under(folder):
        try:
            yield found.folder, parsed_result(found)
        except Unreadable as reason:
            yield found.folder, str(reason)


def found_under(folder: Path) -> Iterator[Found]:
    """The folders of runs in `folder`, as `runs_under` finds them, without reading them."""
    try:
        with os.scandir(folder) as scanned:
            entries = {entry.name: entry for entry in scanned}
    except OSError:  # not there, or not ours to read: it holds no runs for us
        return
    has_result, has_config = RESULT in entries, CONFIG in entries
    if has_result or has_config:
        began_at = entries[CONFIG if has_config else RESULT].stat().st_mtime_ns
        yield Found(folder, has_result, has_config, began_at)
        return
    for name in sorted(entries):
        if not name.startswith(".") and entries[name].is_dir(follow_symlinks=False):
            yield from found_under(folder / name)


def parsed_result(found: Found) -> dict:
    """Its result.json. Unreadable where that is not there, not whole, or of a newer lossopt."""
    for name, is_there in ((RESULT, found.has_result), (CONFIG, found.has_config)):
        if not is_there:
            raise Unreadable(f"no {name}" if found.folder.is_dir() else "no such folder")
    try:
        with open(found.folder / RESULT, "rb") as file:
            result = json.loads(file.read())
    except JSONDecodeError as error:
        raise Unreadable(f"{RESULT} line {error.lineno}: {error.msg}") from error
    except UnicodeDecodeError as error:
        raise Unreadable(f"{RESULT}: not text") from error
    except OSError as error:
        raise Unreadable(f"{RESULT}: {error.strerror}") from error
    if not isinstance(result, dict) or not isinstance(result.get("schema_version"), int):
        raise Unreadable(f"{RESULT} has no schema_version")
    if result["schema_version"] > SCHEMA_VERSION:
        raise Unreadable(f"{RESULT} is of a newer lossopt (schema_version {result['schema_version']})")
    return result


def find_run(reference: str | None, logs: Path, *, alone: bool = False) -> Path:
    """The folder of a run, of a sweep, or of several runs that `reference` means.

    A path to a run or a sweep; else the folder below `logs` whose name, or path below `logs`, is or uniquely begins
    with it (a folder before what is in it); `last` and None are the newest run or sweep (by when its config.yaml or
    sweep.yaml was written, which happens once). alone: the newest run that no sweep has made, if there is one.
    UsageError with the candidates where it means none or several."""
    if reference is None or reference == LAST:
        return _newest(logs, alone=alone)
    path = Path(reference)
    if _is_run(path) or _is_sweep(path):
        return path
    named = {found.relative_to(logs).as_posix(): found for found in _places(logs)}
    exact = [found for name, found in named.items() if reference in (name, found.name)]
    found = exact or [
        found for name, found in named.items() if name.startswith(reference) or found.name.startswith(reference)
    ]
    outermost = [path for path in found if not any(other in path.parents for other in found)]
    if len(outermost) == 1:
        return outermost[0]
    if found:
        raise UsageError(_several(reference, outermost))
    raise UsageError(_none(reference, path, list(named), logs))


def finished_trial(logs: Path, trial_hash: str) -> Path | None:
    """The newest run below `logs` that finished this trial (a divergence is an end, too), or None."""
    mark = trial_hash.encode()
    found = []
    for run in found_under(logs):
        if run.has_result and mark in (run.folder / RESULT).read_bytes():
            found.append(run.folder)
    found.sort(key=written_at, reverse=True)
    return next((path for path in found if _answers(path, trial_hash)), None)


def _answers(path: Path, trial_hash: str) -> bool:
    try:
        result = _result(path)
    except Unreadable:  # half a file answers nothing
        return False
    return result.get("trial") == trial_hash and result.get("status") in FINISHED


def _result(folder: Path) -> dict:
    return parsed_result(Found(folder, (folder / RESULT).is_file(), (folder / CONFIG).is_file(), 0))


def _is_run(folder: Path) -> bool:
    return (folder / RESULT).is_file() or (folder / CONFIG).is_file()


def _is_sweep(folder: Path) -> bool:
    return (folder / SWEEP).is_file()


def _places(folder: Path) -> Iterator[Path]:
    """Below `folder`: runs, sweeps, and folders that runs lie in, each before what is in it."""
    for inside in _folders_in(folder):
        if _is_run(inside):
            yield inside
            continue
        below = list(_places(inside))
        if below or _is_sweep(inside):
            yield inside
        yield from below


def _folders_in(folder: Path) -> list[Path]:
    try:
        inside = sorted(folder.iterdir())
    except OSError:  # not there, or not ours to read: it holds no runs for us
        return []
    return [path for path in inside if path.is_dir() and not path.is_symlink() and not path.name.startswith(".")]


def _newest(logs: Path, *, alone: bool) -> Path:
    places = list(_places(logs))
    sweeps = {path for path in places if _is_sweep(path)}
    runs = [path for path in places if (path / RESULT).is_file()]
    found = [path for path in runs if path.parent not in sweeps] if alone else []
    found = found or [*runs, *sweeps]
    if not found:
        raise UsageError(
            Fault(
                what=f"no run in {str(logs)!r} yet",
                where=LAST,
                remedy="lossopt train makes one; --logs DIR looks elsewhere",
            )
        )
    return max(found, key=written_at)


def written_at(folder: Path) -> tuple[int, str]:
    """When the run or sweep began, in ns; the name decides between equals."""
    for name in (SWEEP, CONFIG, RESULT):
        if (folder / name).is_file():
            return (folder / name).stat().st_mtime_ns, folder.name
    return 0, folder.name


def still_running(folder: Path) -> str:
    """`running (last written 2 h ago)`: of a run whose result.json says that it runs; one that was killed says so, too,
    and only its files tell which it is."""
    with os.scandir(folder) as scanned:
        newest = max((entry.stat().st_mtime for entry in scanned), default=0.0)
    return f"running (last written {ago(time.time() - newest)})"


def _several(reference: str, found: list[Path]) -> Fault:
    names = [str(path) for path in sorted(found, key=written_at, reverse=True)]
    more = [f"and {len(names) - SHOWN} more"] if len(names) > SHOWN else []
    listed = "\n    ".join([*names[:SHOWN], *more])
    return Fault(
        what=f"{reference!r} begins the names of {len(names)} runs",
        where="RUN",
        expected=f"one of\n    {listed}",
        remedy="give more of the name, or `last` for the newest",
    )


def _none(reference: str, path: Path, names: list[str], logs: Path) -> Fault:
    near = nearest(reference, names)
    if path.is_dir():
        what = f"{reference!r} is a folder, but not of a run: it has neither {RESULT} nor {SWEEP}"
    elif path.is_file():
        what = f"{reference!r} is a file, not a run"
        near = [str(path.parent)] if _is_run(path.parent) else near
    else:
        what = f"no run is called {reference!r}, nor begins with it, in {str(logs)!r}"
    return Fault(
        what=what,
        where="RUN",
        expected="a path, a unique beginning of a name under --logs, or `last`",
        remedy=f"did you mean {' or '.join(near)}?" if near else "lossopt list runs shows them",
    )
