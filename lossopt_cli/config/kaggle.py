"""Data sets of Kaggle by name: `kaggle:OWNER/NAME[/versions/N][/folder/or/file/inside]`."""

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

from lossopt_cli.catalogue.recipes import KAGGLE, is_kaggle
from lossopt_cli.errors import Fault, UsageError

SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
ALMOST_VERSIONS = re.compile(r"v(?:er)?(?:sions?)?/[1-9]\d*", re.IGNORECASE)
EXPECTED = "kaggle:OWNER/NAME, kaggle:OWNER/NAME/versions/N, or either with /the/folder/inside"
EXAMPLE = "as in the address of its page: kaggle.com/datasets/OWNER/NAME"


@dataclass(frozen=True)
class KaggleName:
    """version: None for the latest. inside: a folder or a file in the data set, "" for all of it."""

    owner: str
    dataset: str
    version: int | None = None
    inside: str = ""

    @property
    def handle(self) -> str:
        """As kagglehub takes it."""
        pinned = f"/versions/{self.version}" if self.version else ""
        return f"{self.owner}/{self.dataset}{pinned}"

    def __str__(self) -> str:
        return KAGGLE + self.handle + (f"/{self.inside}" if self.inside else "")

    def at(self, version: int | None, inside: str) -> "KaggleName":
        """The same data set in this version, and this place in it."""
        return replace(self, version=version, inside=inside)


def kaggle_name(text: str, where: str) -> KaggleName:
    """The data set that is named. UsageError where that is no name of one."""
    parts = (text[len(KAGGLE) :] if is_kaggle(text) else text).rstrip("/").split("/")
    named = parts[:2]
    if len(named) < 2 or not all(SLUG.fullmatch(part) for part in named):
        raise UsageError(Fault(f"'{text}' names no data set of Kaggle", where, EXPECTED, EXAMPLE))
    version, inside = None, parts[2:]
    if len(inside) > 1 and inside[0] != "versions" and ALMOST_VERSIONS.fullmatch("/".join(inside[:2])):
        meant = KaggleName(*named, int(inside[1]), "/".join(inside[2:]))
        raise UsageError(Fault(f"'{text}' names no version", where, EXPECTED, f"did you mean {meant}?"))
    if inside[:1] == ["versions"]:
        number = inside[1] if len(inside) > 1 else ""
        if not re.fullmatch(r"[1-9]\d*", number):
            raise UsageError(Fault(f"'{number}' is no version of a data set", where, EXPECTED, "versions count from 1"))
        version, inside = int(number), inside[2:]
    if any(part in ("", ".", "..") for part in inside):
        raise UsageError(Fault(f"'{'/'.join(inside)}' is no place inside a data set", where, EXPECTED))
    return KaggleName(*named, version, "/".join(inside))


def cache_of_kagglehub() -> Path:
    """Where kagglehub keeps what it has downloaded."""
    given = os.environ.get("KAGGLEHUB_CACHE")
    return (Path(given) if given else Path.home() / ".cache" / "kagglehub") / "datasets"


def folder_of_kagglehub(name: KaggleName) -> Path:
    """Where kagglehub keeps the versions of a data set, and its marks of which are whole."""
    return cache_of_kagglehub() / name.owner / name.dataset


def has_place(name: KaggleName, version: int) -> bool:
    """Whether a version that is here has the folder or file inside that is named."""
    return (folder_of_kagglehub(name) / "versions" / str(version) / name.inside).exists()


def kept_versions(name: KaggleName) -> list[int]:
    """The versions of a data set that are here whole, by kagglehub's marks, the latest first."""
    folder = folder_of_kagglehub(name)
    marks = [mark.stem for mark in folder.glob("*.complete") if mark.stem.isdecimal()]
    return sorted((int(mark) for mark in marks if (folder / "versions" / mark).is_dir()), reverse=True)


def kept_names() -> list[str]:
    """All data sets that are here, each in its latest version."""
    names = [KaggleName(path.parent.name, path.name) for path in sorted(cache_of_kagglehub().glob("*/*/"))]
    return [str(name.at(kept[0], "")) for name in names if (kept := kept_versions(name))]
