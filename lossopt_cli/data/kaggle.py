"""Data sets of Kaggle: downloaded by kagglehub, once, and then read as the folder or the table that they hold."""

import contextlib
import io
import logging
import re
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from lossopt_cli.catalogue.lookup import nearest
from lossopt_cli.config.kaggle import (
    KaggleName,
    cache_of_kagglehub,
    folder_of_kagglehub,
    has_place,
    kaggle_name,
    kept_versions,
)
from lossopt_cli.config.schema import DataConfig
from lossopt_cli.data import cache
from lossopt_cli.data.images import list_images, part_in
from lossopt_cli.data.splits import TRAIN
from lossopt_cli.errors import Fault, RunError, UsageError

if TYPE_CHECKING:
    from requests import RequestException

Announce = Callable[[str], None]
DEEPEST = 4  # levels of folders below the data set in which class folders are looked for
TABLES = (".csv", ".tsv")
CREDENTIALS = (
    "a token of kaggle.com/settings in KAGGLE_API_TOKEN or ~/.kaggle/access_token (or the older ~/.kaggle/kaggle.json)"
)
ERRNO = re.compile(r"\[Errno -?\d+\] ([^)\"']+)")
DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, ValueError)


@dataclass(frozen=True)
class Located:
    """Where a data set lies on this machine.

    config: of its folder or table, by path. name: that finds these same data again, whatever appears on Kaggle.
    """

    config: DataConfig
    name: str
    notes: tuple[str, ...]


def located(config: DataConfig, announce: Announce) -> Located:
    """The folder or table of `kaggle:...`, downloaded if it is not here. RunError with a remedy where it cannot be had;
    UsageError where it holds nothing that can be read, or more than one such thing."""
    asked = kaggle_name(config.name, "data.name")
    root = _downloaded(asked, announce)
    version = asked.version or _version_of(root)
    pinned = asked.at(version, asked.inside)
    place = _named_place(root, pinned) if asked.inside else _only_place(root, pinned)
    inside = place.relative_to(root).as_posix() if place != root else ""
    found = pinned.at(version, inside)
    notes = []
    if version != asked.version:
        notes.append(f"version {version} of {asked.handle}, the latest; config.yaml of the run names it: {found}")
    if inside != asked.inside:
        notes.append(f"found inside {asked.handle}: {inside}")
    by_path = config.model_copy(update={"name": asked.dataset, "path": str(place)})
    return Located(by_path, str(found), tuple(notes))


def _downloaded(name: KaggleName, announce: Announce) -> Path:
    """The folder of the data set."""
    kept = kept_versions(name)
    if name.version in kept:
        return _from_kagglehub(name)
    with contextlib.ExitStack() as held:
        with contextlib.suppress(cache.CacheUnavailable):  # then without: the data go elsewhere
            what = f"{name.handle} of Kaggle"
            held.enter_context(cache.locked("kaggle", f"{name.owner}-{name.dataset}", what, announce))
        if not kept:
            announce(f"asking Kaggle for {name.handle}; it is kept in {cache_of_kagglehub()}")
        return _from_kagglehub(name)


def _from_kagglehub(name: KaggleName) -> Path:
    with _kept_off_stdout():
        kagglehub = _kagglehub()
        from kagglehub.config import get_kaggle_credentials
        from kagglehub.exceptions import DataCorruptionError
        from requests import RequestException

        try:
            has_credentials = get_kaggle_credentials() is not None
        except (ValueError, OSError) as error:
            raise RunError(Fault(f"kagglehub cannot read its credentials: {error}", remedy=CREDENTIALS)) from error
        try:
            return Path(kagglehub.dataset_download(name.handle))
        except RequestException as error:
            raise RunError(_not_served(name, error, has_credentials=has_credentials)) from error
        except (DataCorruptionError, *DAMAGED) as error:
            raise RunError(_damaged(name)) from error
        except OSError as error:
            what = f"{name.handle} cannot be kept: {error.strerror or error}"
            remedy = "another place: KAGGLEHUB_CACHE=FOLDER"
            raise RunError(Fault(what, str(cache_of_kagglehub()), remedy=remedy)) from error


def _kagglehub() -> ModuleType:
    try:
        import kagglehub
    except ImportError as error:
        raise RunError(Fault(f"kagglehub cannot be imported: {error}", remedy="pip install kagglehub")) from error
    logging.getLogger("kagglehub").setLevel(logging.CRITICAL)  # what it has to say is said here, on stderr
    return kagglehub


@contextlib.contextmanager
def _kept_off_stdout() -> Iterator[None]:
    """What is printed goes to stderr; the progress bar of a download only to a terminal."""
    err = sys.stderr if sys.stderr.isatty() else io.StringIO()
    with contextlib.redirect_stdout(err), contextlib.redirect_stderr(err):
        yield


def _not_served(name: KaggleName, error: "RequestException", *, has_credentials: bool) -> Fault:
    """Why the server did not give the data set, and what to do."""
    where, page = str(name), f"https://www.kaggle.com/datasets/{name.owner}/{name.dataset}"
    if error.response is None:
        return _unreachable(name, error)
    status = error.response.status_code
    known = None if has_credentials else f"without credentials; {CREDENTIALS}"
    if status == 401:
        what = "Kaggle refuses the credentials" if has_credentials else "Kaggle wants to know who asks"
        return Fault(f"{what} (401)", where, "credentials that are valid", CREDENTIALS)
    if status == 403:
        what = f"Kaggle does not give {name.handle} (403): it is private, wants a consent, or is not there"
        return Fault(what, where, known, f"see {page}")
    if status == 404:
        return Fault(f"Kaggle has no data set {name.handle} (404)", where, "OWNER/NAME of its address", f"see {page}")
    return Fault(f"Kaggle answers {status} {error.response.reason}", where, remedy=_or_kept(name, "try again later"))


def _unreachable(name: KaggleName, error: "RequestException") -> Fault:
    from requests.exceptions import ChunkedEncodingError, ContentDecodingError

    said = str(error).splitlines()[0]
    reason = found[1] if (found := ERRNO.search(said)) else said
    if isinstance(error, ChunkedEncodingError | ContentDecodingError):
        return Fault(f"the download broke off: {reason}", str(name), remedy="run it again: it goes on where it stopped")
    expected = "a network connection, once; a version that is here and named needs none"
    remedy = _or_kept(name, "connect, and run it again")
    return Fault(f"Kaggle cannot be reached: {reason}", str(name), expected, remedy)


def _or_kept(name: KaggleName, otherwise: str) -> str:
    """The command that takes a version that is here, where there is one."""
    kept = kept_versions(name)
    if not kept:
        return otherwise
    here = f"versions {', '.join(map(str, kept))} are" if len(kept) > 1 else f"version {kept[0]} is"
    return f"{here} here: --data {name.at(kept[0], name.inside if has_place(name, kept[0]) else '')}"


def _damaged(name: KaggleName) -> Fault:
    """Takes what was downloaded away, which kagglehub would take for whole next time."""
    for archive in folder_of_kagglehub(name).glob("*.archive"):
        archive.unlink()
    what = f"what was downloaded of {name.handle} is damaged, and was deleted"
    return Fault(what, str(name), "a whole .zip or .tar archive", _or_kept(name, "run it again"))


def _version_of(root: Path) -> int | None:
    """The version in the path of kagglehub's cache; None in a notebook of Kaggle or Colab, which has its own."""
    return int(root.name) if root.parent.name == "versions" and root.name.isdecimal() else None


def _named_place(root: Path, name: KaggleName) -> Path:
    """The folder or file inside that was named."""
    place = root
    for part in name.inside.split("/"):
        if not (place / part).exists():
            there = sorted(entry.name for entry in place.iterdir())
            near = nearest(part, there)
            above = place.relative_to(root).as_posix()
            which = name.handle + ("" if above == "." else f"/{above}")
            what = f"there is no {part} in {which}"
            remedy = f"did you mean {near[0]}?" if near else None
            raise UsageError(Fault(what, str(name), f"one of {_listed(there)}", remedy))
        place /= part
    return place


def _only_place(root: Path, name: KaggleName) -> Path:
    """The folder that has class folders, the nearest to the top; else the only table."""
    level = [root]
    for _ in range(DEEPEST + 1):
        found = [folder for folder in level if _has_classes(folder)]
        if len(found) > 1:
            raise UsageError(_several("folders with class folders of images", found, root, name))
        if found:
            return found[0]
        level = [entry for folder in level for entry in sorted(folder.iterdir()) if entry.is_dir()]
    tables = sorted(path for path in root.rglob("*") if path.suffix.lower() in TABLES and path.is_file())
    if len(tables) > 1:
        raise UsageError(_several("tables", tables, root, name))
    if not tables:
        there = _listed(sorted(entry.name for entry in root.iterdir()))
        what = f"{name.handle} has no class folders with images and no .csv file"
        raise UsageError(Fault(what, str(name), "images in a folder for each class, or a table", f"it has {there}"))
    return tables[0]


def _has_classes(folder: Path) -> bool:
    try:
        return len(set(list_images(folder).labels)) > 1
    except UsageError:
        return False


def _several(what: str, found: list[Path], root: Path, name: KaggleName) -> Fault:
    places = [path.relative_to(root).as_posix() for path in found]
    trained = [place for place in places if part_in(place) == TRAIN]
    remedy = f"--data {name.at(name.version, (trained or places)[0])}"
    return Fault(f"{name.handle} has {len(found)} {what}", str(name), f"one of {_listed(places)}", remedy)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
