"""The user's own Python: `file.py:name` -> the object, its text and hash; its errors at the user's line."""

import ast
import contextlib
import hashlib
import importlib.abc
import importlib.util
import os
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

from lossopt_cli.catalogue.lookup import nearest
from lossopt_cli.errors import Fault, LossoptError, UsageError
from lossopt_cli.training.user_faults import shown, user_fault

FORM = "file.py:name, the name of a function, class or object in that file"

# One execution of a file in a process, by resolved path and hash; and which neighbours of user files are
# imported, by top-level name and folder, so that two folders may each have a `layers.py`.
_MODULES: dict[tuple[Path, str], ModuleType] = {}
_NEIGHBOURS: dict[str, Path] = {}


@dataclass(frozen=True)
class UserFile:
    """A file as it was when it was executed. sha256: of its bytes, in hexadecimal."""

    path: Path
    data: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @property
    def source(self) -> str:
        return importlib.util.decode_source(self.data)


@dataclass(frozen=True, eq=False)
class UserObject:
    """What `file.py:name` means. where: the flag or place that named it, for errors.

    neighbours: the other files of its folder that it imports, directly or not; they belong to what was run.
    """

    reference: str
    name: str
    value: Any
    file: UserFile
    neighbours: tuple[UserFile, ...] = ()
    where: str | None = None

    @property
    def path(self) -> Path:
        return self.file.path

    @property
    def sha256(self) -> str:
        return self.file.sha256

    @property
    def source(self) -> str:
        return self.file.source

    @property
    def files(self) -> frozenset[Path]:
        """Every file whose lines are the user's."""
        return frozenset(f.path for f in (self.file, *self.neighbours))

    @property
    def fingerprint(self) -> str:
        """A hash of the name, the file and its neighbours: another one may mean other numbers."""
        parts = [self.name, self.sha256, *(f"{f.path.name}:{f.sha256}" for f in self.neighbours)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def fault(self, what: str, expected: str | None = None, remedy: str | None = None) -> Fault:
        """A fault of this object, with the place that named it."""
        return Fault(what, self.where or self.reference, expected, remedy)


class Running:
    """Around a call of user code: what it raises becomes a LossoptError that shows the user's own line.

    otherwise: what to say before an error that has no line in the user's files (a signature that does not
    fit, an error deep in a library); where it is None such an error passes through. Also turns `sys.exit`
    into an error.
    """

    def __init__(
        self,
        files: Iterable[Path],
        where: str | None,
        otherwise: str | None = None,
        raises: type[LossoptError] = UsageError,
    ):
        self._files, self._where, self._otherwise, self._raises = frozenset(files), where, otherwise, raises

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, LossoptError) or not isinstance(error, Exception | SystemExit):
            return
        fault = user_fault(error, self._files, self._where)
        if fault is None and self._otherwise is not None:
            fault = Fault(f"{self._otherwise}: {type(error).__name__}: {error}", self._where)
        if fault is not None:
            raise self._raises(fault) from error


def running(obj: UserObject, otherwise: str | None = None, raises: type[LossoptError] = UsageError) -> Running:
    """`with running(obj): obj.value(...)`; see Running."""
    return Running(obj.files, obj.where, otherwise, raises)


def load_object(reference: str, where: str | None, folder: Path) -> UserObject:
    """The object that `file.py:name` means; a relative file is looked for in `folder`.

    The file is executed once in a process (again when its text has changed), with its folder importable.
    Raises UsageError for a file or a name that is not there, and for whatever executing the file raises, at
    its own line.
    """
    file, _, name = reference.rpartition(":")
    if not file.endswith(".py") or not name:
        raise UsageError(Fault(f"'{reference}' names no object in a Python file", where, FORM))
    read = _read((folder / Path(file).expanduser()).resolve(), where)
    with Running(read.path.parent.glob("*.py"), where, f"{shown(read.path)} cannot be read as Python"):
        neighbours = _neighbours(read)
    module = _executed(read, neighbours, where)
    if name not in vars(module):
        raise UsageError(_no_such_name(name, module, where))
    return UserObject(reference, name, vars(module)[name], read, neighbours, where)


def keep_copies(objects: Iterable[UserObject], folder: Path) -> dict[str, dict[str, Any]]:
    """Copies of the users' files, as they were executed, under folder/code/; reference -> file, sha256,
    neighbours.

    Files of one folder stay beside each other, and files of two folders apart, so that each finds its own neighbours
    again: `code/losses.py`, or `code/mine/losses.py` and `code/theirs/losses.py`. Paths are relative to `folder`.
    """
    objects, kept, written = list(objects), {}, {}
    places = _places(obj.path.parent for obj in objects)
    for obj in objects:
        home, files = obj.path.parent, (obj.file, *obj.neighbours)
        copies = [places[home] / file.path.relative_to(home) for file in files]
        for file, copy in zip(files, copies, strict=True):
            if written.setdefault(copy, file).data != file.data:
                raise UsageError(obj.fault(f"{shown(file.path)} changed while it was read", remedy="start again"))
            (folder / copy).parent.mkdir(parents=True, exist_ok=True)
            (folder / copy).write_bytes(file.data)
        kept[obj.reference] = {"file": copies[0].as_posix(), "sha256": obj.sha256}
        if obj.neighbours:
            names = [copy.as_posix() for copy in copies[1:]]
            kept[obj.reference]["neighbours"] = dict(zip(names, [f.sha256 for f in obj.neighbours], strict=True))
    return kept


def _places(homes: Iterable[Path]) -> dict[Path, Path]:
    """Where the files of each folder are kept: in `code`, or in a folder of it each where there are several."""
    homes = list(dict.fromkeys(homes))
    if len(homes) == 1:
        return {homes[0]: Path("code")}
    places: dict[Path, Path] = {}
    for home in homes:
        place, number = Path("code", home.name), 1
        while place in places.values():
            number += 1
            place = Path("code", f"{home.name}-{number}")
        places[home] = place
    return places


def _read(path: Path, where: str | None) -> UserFile:
    if path.is_dir():
        raise UsageError(Fault(f"{shown(path)} is a folder", where, FORM))
    if not path.parent.is_dir():
        raise UsageError(
            Fault(f"there is no file {shown(path)}", where, FORM, f"no folder {shown(path.parent)} either")
        )
    if not path.is_file():
        names = [p.name for p in sorted(path.parent.glob("*.py"))]
        close = nearest(path.name, names) or names[:5]
        remedy = f"{shown(path.parent)} has {', '.join(close)}" if close else f"{shown(path.parent)} has no .py file"
        raise UsageError(Fault(f"there is no file {shown(path)}", where, FORM, remedy))
    try:
        return UserFile(path, path.read_bytes())
    except OSError as error:
        raise UsageError(Fault(f"{shown(path)} cannot be read: {error.strerror}", where)) from error


def _neighbours(file: UserFile) -> tuple[UserFile, ...]:
    """The files of the same folder that the file imports, directly or through each other, by path.

    Read from the import statements, so that the answer does not depend on what else was imported before.
    """
    folder, found, unread = file.path.parent, {file.path: file}, [file]
    while unread:
        for name in _imported(unread.pop()):
            module, package = folder / f"{name}.py", folder / name
            inside = sorted(package.rglob("*.py")) if (package / "__init__.py").is_file() else []
            for path in [module] if module.is_file() else inside:
                if path not in found:
                    found[path] = UserFile(path, path.read_bytes())
                    unread.append(found[path])
    return tuple(found[path] for path in sorted(found) if path != file.path)


def _imported(file: UserFile) -> set[str]:
    """The top-level names of the modules that a file imports."""
    nodes = list(ast.walk(ast.parse(file.source, filename=str(file.path))))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    members = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level}
    return {name.partition(".")[0] for name in plain | members}


class _Text(importlib.abc.SourceLoader):
    """Loads exactly the bytes that were hashed, and leaves no bytecode beside the user's file."""

    def __init__(self, file: UserFile):
        self._file = file

    def get_filename(self, fullname: str) -> str:
        return str(self._file.path)

    def get_data(self, path: str | bytes) -> bytes:
        return self._file.data


def _executed(file: UserFile, neighbours: tuple[UserFile, ...], where: str | None) -> ModuleType:
    """The module, registered in sys.modules under a name of its own; UsageError at the line that raises."""
    key = (file.path, file.sha256)
    if key in _MODULES:
        return _MODULES[key]
    unique = hashlib.sha256(f"{file.path}\n{file.sha256}".encode()).hexdigest()[:12]
    name = f"lossopt_user_{re.sub(r'[^0-9A-Za-z_]', '_', file.path.stem)}_{unique}"
    spec = importlib.util.spec_from_loader(name, _Text(file))
    module = importlib.util.module_from_spec(spec)
    files = {file.path, *(n.path for n in neighbours)}
    sys.modules[name] = module
    try:
        with (
            Running(files, where, f"{shown(file.path)} cannot be executed"),
            _importable(file.path.parent, neighbours),
        ):
            spec.loader.exec_module(module)
        _MODULES[key] = module
    finally:
        if key not in _MODULES:
            del sys.modules[name]
    return module


@contextlib.contextmanager
def _importable(folder: Path, neighbours: tuple[UserFile, ...]) -> Iterator[None]:
    """The user's folder first on the path, and the neighbours of other folders out of sight, while a file
    executes.
    """
    tops = {n.path.relative_to(folder).parts[0].removesuffix(".py") for n in neighbours}
    strangers = {top for top in tops if _NEIGHBOURS.get(top, folder) != folder}
    for module in [m for m in sys.modules if m.partition(".")[0] in strangers]:
        del sys.modules[module]
    sys.path.insert(0, os.fspath(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(os.fspath(folder))
        for top in tops & set(sys.modules):
            origin = sys.modules[top].__spec__ and sys.modules[top].__spec__.origin
            if origin and Path(origin).is_relative_to(folder):
                _NEIGHBOURS[top] = folder


def _no_such_name(name: str, module: ModuleType, where: str | None) -> Fault:
    public = [n for n, value in vars(module).items() if not n.startswith("_") and not isinstance(value, ModuleType)]
    own = [n for n in public if getattr(vars(module)[n], "__module__", None) == module.__name__]
    close = nearest(name, public)
    file = shown(Path(module.__file__))
    remedy = (
        f"did you mean {' or '.join(close)}?" if close else f"it defines {', '.join((own or public)[:8]) or 'nothing'}"
    )
    return Fault(f"{file} defines no '{name}'", where, FORM, remedy)
