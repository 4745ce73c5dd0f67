"""What takes long to make and is kept on disk: whole or absent, made by whoever comes first, the least used goes first.

<cache folder>/<kind>/<key>/about.json    what it is, from where, when it was made; its time is the last use
<cache folder>/locks/<kind>-<key>.lock    held by the process that makes it, and free again when that process dies
"""

import contextlib
import errno
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lossopt_cli.errors import Fault, RunError, UsageError

if TYPE_CHECKING:
    from filelock import FileLock

FOLDER = "LOSSOPT_CACHE"
LIMIT = "LOSSOPT_CACHE_LIMIT"
DEFAULT_LIMIT = "20 GB"
KINDS = ("images", "features")
UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
ABOUT = "about.json"
MAKING, DELETED = ".making", ".deleted"
SPARED_SECONDS = 60.0  # what was used just now may be about to be opened
POLL_SECONDS = 0.1
FULL = (errno.ENOSPC, errno.EDQUOT)


class CacheUnavailable(RunError):
    """The cache cannot be written to."""


@dataclass(frozen=True)
class Entry:
    """One thing that is kept. used_at: seconds since 1970. about: what its maker says of it, and `made_at`."""

    kind: str
    key: str
    bytes: int
    used_at: float
    about: Mapping[str, Any]
    path: Path


def cache_folder() -> Path:
    """LOSSOPT_CACHE, or the folder for caches of this user."""
    import platformdirs

    given = os.environ.get(FOLDER)
    return Path(given).expanduser().absolute() if given else Path(platformdirs.user_cache_dir("lossopt", False))


def cache_limit() -> int | None:
    """Bytes that the entries may take together: LOSSOPT_CACHE_LIMIT as `20 GB` or `500MB`; None for `none`."""
    given = os.environ.get(LIMIT) or DEFAULT_LIMIT
    if given.strip().lower() == "none":
        return None
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?b)?\s*", given, re.IGNORECASE)
    if match is None:
        raise UsageError(Fault(f"'{given}' is no size", LIMIT, "20 GB, 500 MB, a number of bytes, or none"))
    return int(float(match[1]) * UNITS[(match[2] or "B").upper()])


def found(kind: str, key: str) -> Path | None:
    """The folder of an entry, which counts as used now; None where there is none."""
    path = cache_folder() / kind / key
    try:
        os.utime(path / ABOUT)
    except FileNotFoundError:
        return None
    except OSError:  # a cache that others own can be read, but not marked as used
        return path if os.access(path / ABOUT, os.R_OK) else None
    return path


def entry(
    kind: str, key: str, about: Mapping[str, Any], make: Callable[[Path], None], announce: Callable[[str], None]
) -> Path:
    """The folder of kind and key. Where it is not there, `make` fills a new one, which then takes its place: an entry
    is whole or absent, also after a kill, and two processes never make it both.

    about: a small dict of plain values; `what` is what users see. announce: told of waiting for another process, and of
    what is deleted to stay within the limit. CacheUnavailable where the cache cannot be written to.
    """
    limit = cache_limit()
    if (path := found(kind, key)) is not None:
        return path
    with locked(kind, key, str(about.get("what", kind)), announce):
        if (path := found(kind, key)) is not None:
            return path
        path = _made(kind, key, about, make)
    _remove_leftovers()
    if limit is not None:
        _stay_within(limit, path, announce)
    return path


def entries() -> list[Entry]:
    """All entries, the last used first."""
    listed = [_read(path.parent) for path in cache_folder().glob(f"*/[!.]*/{ABOUT}")]
    return sorted((e for e in listed if e is not None), key=lambda e: (-e.used_at, e.kind, e.key))


def clear(
    kinds: Collection[str] | None = None, keys: Collection[str] | None = None, older_than: float | None = None
) -> int:
    """Deletes entries of these kinds and keys that were not used for `older_than` seconds, None for any; bytes freed.

    What a killed process left half made goes in any case.
    """
    now, freed = time.time(), _remove_leftovers()
    for kept in entries():
        named = (kinds is None or kept.kind in kinds) and (keys is None or kept.key in keys)
        if named and (older_than is None or now - kept.used_at >= older_than):
            freed += _deleted(kept)
    return freed


def _made(kind: str, key: str, about: Mapping[str, Any], make: Callable[[Path], None]) -> Path:
    """The entry, filled beside its place and then moved there."""
    path = cache_folder() / kind / key
    making = path.with_name(f".{key}{MAKING}")
    shutil.rmtree(making, ignore_errors=True)  # of one that was killed
    try:
        with _writing():
            making.mkdir(parents=True)
            make(making)
            said = {**about, "made_at": round(time.time(), 3)}
            (making / ABOUT).write_text(json.dumps(said, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
            making.rename(path)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return path


@contextlib.contextmanager
def _writing() -> Iterator[None]:
    """What cannot be written becomes a CacheUnavailable."""
    try:
        yield
    except OSError as error:
        full = error.errno in FULL
        remedy = "lossopt cache clear, or another place" if full else "another place"
        what = f"the cache cannot be written to: {error.strerror or error}"
        raise CacheUnavailable(Fault(what, str(cache_folder()), remedy=f"{remedy}: {FOLDER}=FOLDER")) from error


@contextlib.contextmanager
def locked(kind: str, key: str, what: str, announce: Callable[[str], None]) -> Iterator[None]:
    """Holds the lock of kind and key, which one process has at a time. It is the operating system's own, and ends with
    its process. announce: told of waiting for another that is making `what`."""
    lock = _lock(kind, key)
    with _writing():
        if not _taken(lock):
            announce(f"waiting for {what}, which another process is making")
            lock.acquire(poll_interval=POLL_SECONDS)
    try:
        yield
    finally:
        lock.release()


def _lock(kind: str, key: str) -> "FileLock":
    from filelock import FileLock

    path = cache_folder() / "locks" / f"{kind}-{key}.lock"
    with _writing():
        path.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(path)


def _taken(lock: "FileLock") -> bool:
    """Whether the lock was free; it is held now."""
    from filelock import Timeout

    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    return True


def _read(path: Path) -> Entry | None:
    """The entry of a folder; None for one that another process has just deleted."""
    try:
        used_at = (path / ABOUT).stat().st_mtime
    except OSError:
        return None
    return Entry(path.parent.name, path.name, _size(path), used_at, _about(path / ABOUT), path)


def _size(folder: Path) -> int:
    """Bytes of the files in a folder that are still there when it is their turn: another process may empty it."""
    size = 0
    for inside, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                size += os.stat(os.path.join(inside, name)).st_size
    return size


def _about(path: Path) -> Mapping[str, Any]:
    """What an entry says of itself; nothing where the file was damaged, or is not ours to read."""
    try:
        said = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def _stay_within(limit: int, made: Path, announce: Callable[[str], None]) -> None:
    """Deletes the entries that were not used for longest, until the rest take `limit` bytes; never the one just made,
    nor one of the last moments."""
    there = entries()
    size, freed, count = sum(kept.bytes for kept in there), 0, 0
    now = time.time()
    for kept in reversed(there):
        if size - freed <= limit:
            break
        if kept.path != made and now - kept.used_at > SPARED_SECONDS:
            freed, count = freed + _deleted(kept), count + 1
    if count:
        announce(f"cache: {count} of {len(there)} entries deleted, the least recently used, to stay within "
                 f"{os.environ.get(LIMIT) or DEFAULT_LIMIT} ({LIMIT})")  # fmt: skip


def _deleted(kept: Entry) -> int:
    """Bytes freed. Renamed before it is emptied, so that nobody finds half of it; whoever has its files mapped keeps
    them. Nothing where another process was first, or where Windows does not let go of a file in use."""
    away = kept.path.with_name(f".{kept.key}{DELETED}")
    try:
        kept.path.rename(away)
    except OSError:
        return 0
    shutil.rmtree(away, ignore_errors=True)
    return kept.bytes


def _remove_leftovers() -> int:
    """Removes what killed processes left half made or half deleted, where its lock can be had; bytes freed."""
    freed = 0
    for path in (*cache_folder().glob(f"*/.*{MAKING}"), *cache_folder().glob(f"*/.*{DELETED}")):
        lock = _lock(path.parent.name, path.name[1:].removesuffix(path.suffix))
        try:
            if not _taken(lock):
                continue
        except OSError:  # the lock of another user
            continue
        freed += _size(path)
        shutil.rmtree(path, ignore_errors=True)
        lock.release()
    return freed
