"""The weights of a backbone: those of ImageNet, which Keras downloads once and keeps, or those of a file."""

import contextlib
import io
import re
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import keras
from keras.src.utils import file_utils

from lossopt_cli.data import cache
from lossopt_cli.errors import Fault, Unobtainable, UsageError

FETCHING = re.compile(r"^URL fetch failure on \S+: (None -- )?(\[Errno -?\d+\] )?")  # before what went wrong
# What Keras and h5py raise of a file that is damaged or of another network.
UNREADABLE = (OSError, ValueError, KeyError, RuntimeError, IndexError, TypeError, AttributeError, UserWarning)


class Download:
    """Within it Keras gets files of weights by turns, so that nobody reads what another process has half written; one
    that a killed download has left half written is deleted and downloaded again. Unobtainable where there is none.

    name: of the network. file: that was got, None as long as none was. damaged: what was deleted.
    """

    def __init__(self, name: str):
        self.name, self.is_asked = name, False
        self.file: Path | None = None
        self.damaged: Path | None = None

    def __enter__(self) -> Self:
        self.get_file, file_utils.get_file = file_utils.get_file, self._get
        self.quiet = contextlib.redirect_stdout(sys.stderr if sys.stderr.isatty() else io.StringIO())
        self.quiet.__enter__()  # of Keras's progress bar
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self.quiet.__exit__(kind, error, trace)
        file_utils.get_file = self.get_file
        # Keras raises a bare Exception where the server cannot be reached.
        if self.is_asked and kind is not None and (kind is Exception or issubclass(kind, UNREADABLE)):
            raise Unobtainable(self._fault(error)) from error

    def _get(self, name: str, *args: Any, **options: Any) -> str:
        self.is_asked = True
        with _turn_of(name):
            self.file = Path(self.get_file(name, *args, **options))
            if not _is_whole(self.file):
                self.file.unlink()
                self.file, self.damaged = None, self.file
                self.file = Path(self.get_file(name, *args, **options))
        return str(self.file)

    def _fault(self, error: BaseException) -> Fault:
        said = FETCHING.sub("", (str(error).strip() or type(error).__name__).splitlines()[0])[:300]
        what = f"no ImageNet weights of {self.name}: "
        if self.file is not None:
            remedy = "delete it, and it is downloaded again; or say model.weights=PATH of another"
            return Fault(f"{what}{self.file} does not hold them: {said}", "model.weights", remedy=remedy)
        before = f" ({self.damaged} was half a file, and is deleted)" if self.damaged else ""
        url = re.search(r"https?://\S+?\.h5", str(error))
        place = f"{url[0]}, or another" if url else "another"
        remedy = (
            f"from a machine with network, copy {place} file of {self.name} without top, and say model.weights=PATH"
        )
        return Fault(f"{what}{said}{before}", "model.weights", remedy=remedy)


@contextlib.contextmanager
def _turn_of(name: str) -> Iterator[None]:
    """Holds the lock of a file that Keras keeps; without one where the cache, which has the locks, is not to be
    written to."""
    with contextlib.ExitStack() as held:
        with contextlib.suppress(cache.CacheUnavailable):
            held.enter_context(cache.locked("weights", name, name, lambda text: None))
        yield


def _is_whole(file: Path) -> bool:
    """Whether it is HDF5 from its signature to its end."""
    try:
        with h5py.File(file, "r"):
            return True
    except OSError as error:
        if error.errno is not None:  # of the system: it may not be read, or is locked
            raise
        return False


def load(network: keras.Model, path: str, name: str) -> None:
    """UsageError for a file of another network, or of none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # all that Keras says where only some of the weights fit
            network.load_weights(path)
    except UNREADABLE as error:
        # Keras warns of a part that does not fit, in words of its own code
        said = "its layers are others" if isinstance(error, UserWarning) else str(error).strip().partition("\n")[0]
        reason = said[:200] or type(error).__name__
        what = f"{Path(path).name} does not hold the weights of {name} without its top: {reason}"
        expected = f"what keras.applications.{name}(include_top=False).save_weights wrote, .weights.h5 or .h5"
        raise UsageError(Fault(what, "model.weights", expected)) from error
