"""Other data for a trained model: read as its training data were, by the names and codes that its run kept."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

import numpy as np

from lossopt_cli.catalogue.lookup import nearest
from lossopt_cli.catalogue.recipes import refuse_almost_kaggle
from lossopt_cli.config.references import data_kind, data_reference
from lossopt_cli.config.schema import DataConfig
from lossopt_cli.data import pictures, sources
from lossopt_cli.data.delimited import is_number
from lossopt_cli.data.examples import Examples
from lossopt_cli.data.image_store import read_pictures
from lossopt_cli.data.images import images_in, list_images, notes_beside
from lossopt_cli.data.kept import KeptRun
from lossopt_cli.data.problem import Column, ImageInputs, TableInputs
from lossopt_cli.data.rows import Rows, taken
from lossopt_cli.data.spelling import spelled
from lossopt_cli.errors import Fault, UsageError


@dataclass(frozen=True)
class Unseen:
    """Examples for a trained model, in order: raw inputs [n, ...] as its run has them, targets [n] in its class numbers
    or its target's units, None where the data have none.

    rows: the row of the data that each is, from 0; files: its file, where each has one. given: the part (0 train, 1
    validation, 2 test) that the source gives it, or None. sha256: of the data, where it is known.
    """

    name: str
    inputs: np.ndarray | Rows
    targets: np.ndarray | None
    rows: np.ndarray
    files: tuple[str, ...] | None = None
    given: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    sha256: str | None = None

    def __len__(self) -> int:
        return len(self.inputs)

    def take(self, rows: np.ndarray) -> "Unseen":
        """These examples only, in this order."""
        return replace(
            self,
            inputs=taken(self.inputs, rows),
            targets=None if self.targets is None else self.targets[rows],
            rows=self.rows[rows],
            files=None if self.files is None else tuple(self.files[row] for row in rows),
            given=None if self.given is None else self.given[rows],
        )


def read_unseen(reference: str, kept: KeptRun, announce: Callable[[str], None]) -> Unseen:
    """The examples that `--data` means, but for `file.py:function`, of whose arrays `from_examples` makes them.

    A csv file needs the columns of the training data, in any order, and may lack the target; a folder has class folders
    or images alone; one image is a file. UsageError for what the model cannot take.
    """
    file = Path(reference).expanduser()
    if file.suffix.lower() in pictures.SUFFIXES and file.is_file():
        return _loose_images(file.name, file.parent, [file], kept, announce)
    refuse_almost_kaggle(reference, "--data")
    name, path = data_reference(reference, None, Path.cwd(), "--data")
    kind = data_kind(name, path)
    if kind == "csv":
        from lossopt_cli.data.unseen_tables import read_unseen_table

        _refuse_other_kind(kept, "table", f"{name} is a table")
        return read_unseen_table(Path(path), kept)
    if kind == "folder":
        return _images(Path(path), kept, announce)
    return from_examples(sources.examples_named(name, _named_config(name, kept), announce), kept)


def _named_config(name: str, kept: KeptRun) -> DataConfig:
    """With the settings of the run where it was trained on data of that name."""
    return kept.config.data if kept.config.data.name == name else DataConfig(name=name)


def from_examples(examples: Examples, kept: KeptRun) -> Unseen:
    """Examples of the catalogue or of a user's function, held to what the model takes."""
    inputs = examples.inputs
    if isinstance(inputs, tuple):
        _refuse_other_kind(kept, "table", f"{examples.name} is a table")
        raw = examples.raw[:, _places(examples.name, inputs, kept)]
    else:
        _refuse_other_kind(kept, inputs.kind, f"{examples.name} has {inputs.kind}s")
        _check_shape(examples.name, tuple(inputs.shape), kept)
        raw = examples.raw
    regression = kept.task == "regression"
    if regression != (examples.family == "regression"):
        has = "a number" if examples.family == "regression" else "a class"
        wanted = "a number" if regression else "a class"
        raise UsageError(Fault(f"{examples.name} has {has} to predict, and the run {wanted}", "--data"))
    rows = np.arange(len(examples)) if examples.rows is None else examples.rows
    found = Unseen(examples.name, raw, examples.targets, rows, given=examples.given, notes=examples.notes,
                   sha256=examples.facts.get("sha256"))  # fmt: skip
    return found if regression else _in_classes(found, [examples.classes[k] for k in examples.targets], kept)


def _places(name: str, columns: Sequence[Column], kept: KeptRun) -> list[int]:
    """Where each column of the run stands."""
    there = {(column.name, column.categories): place for place, column in enumerate(columns)}
    wanted = [(column.name, column.categories) for column in kept.inputs.columns]
    if missing := [column for column, categories in wanted if (column, categories) not in there]:
        refuse_columns(name, missing, [column.name for column in columns], kept)
    return [there[column] for column in wanted]


def refuse_columns(name: str, missing: Sequence[str], there: Sequence[str], kept: KeptRun) -> NoReturn:
    """UsageError that names what is missing, and what stands there instead."""
    known = {column.name for column in kept.inputs.columns} | {kept.target}
    unknown = [column for column in there if column not in known]
    what = f"{name} lacks {_columns(missing)} of the run's training data"
    near = {column: nearest(column, unknown) for column in missing}
    remedy = "; ".join(f"is '{column}' called '{found[0]}' there?" for column, found in near.items() if found)
    expected = f"{_columns([column.name for column in kept.inputs.columns])}, in any order"
    if unknown:
        expected += f"; unknown here: {_columns(unknown)}"
    raise UsageError(Fault(what, "--data", expected, remedy or None))


def _columns(names: Sequence[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    return f"column{'s' if len(names) > 1 else ''} {shown}"


def _refuse_other_kind(kept: KeptRun, kind: str, seen: str) -> None:
    if kept.inputs.kind != kind:
        raise UsageError(Fault(f"{seen}, and the model takes {_taken(kept)}", "--data"))


def _taken(kept: KeptRun) -> str:
    """`images of 32x32x3`, `a table of 8 columns`."""
    if isinstance(kept.inputs, TableInputs):
        count = len(kept.inputs.columns)
        return f"a table of {count} column{'s' if count > 1 else ''}"
    shape = "x".join(map(str, kept.inputs.shape))
    return f"images of {shape}" if isinstance(kept.inputs, ImageInputs) else f"arrays of {shape} (file.py:function)"


def _check_shape(name: str, shape: tuple[int, ...], kept: KeptRun) -> None:
    if shape != tuple(kept.inputs.shape):
        seen = "x".join(map(str, shape))
        raise UsageError(Fault(f"{name} has examples of {seen}, and the model takes {_taken(kept)}", "--data"))


def _images(root: Path, kept: KeptRun, announce: Callable[[str], None]) -> Unseen:
    """A folder of class folders, or of images alone, which have no truth."""
    _refuse_other_kind(kept, "image", f"{root.name} is a folder of images")
    loose = images_in(root)
    try:
        listing = list_images(root)
    except UsageError:
        if not loose:
            raise
        found = _loose_images(root.name, root, loose, kept, announce)
        return replace(found, notes=(*found.notes, *notes_beside(root)))
    found = _read(root.name, root, listing.paths, kept, announce)
    if listing.parts is not None:
        found = replace(found, given=np.array(listing.parts, dtype=np.int64)[found.rows])
    labels = [listing.labels[row] for row in found.rows]
    return _in_classes(replace(found, notes=(*listing.notes, *found.notes)), labels, kept)


def _loose_images(name: str, root: Path, paths: list[Path], kept: KeptRun, announce: Callable[[str], None]) -> Unseen:
    _refuse_other_kind(kept, "image", f"{name} is an image" if len(paths) == 1 else f"{name} is a folder of images")
    return _read(name, root, paths, kept, announce)


def _read(name: str, root: Path, paths: list[Path], kept: KeptRun, announce: Callable[[str], None]) -> Unseen:
    """Without targets, in the size of the training images; broken images are left out if the run left them out."""
    height, width, channels = kept.inputs.shape
    if channels != 3:
        _check_shape(root.name, (height, width, 3), kept)
    found = read_pictures(root, paths, (height, width), announce, skip_bad=kept.config.data.skip_bad_images)
    files = tuple(spelled(paths[place].relative_to(root).as_posix()) for place in found.places)
    return Unseen(spelled(name), found.pixels, None, found.places, files, notes=tuple(found.notes), sha256=found.sha256)


def _in_classes(found: Unseen, labels: Sequence[str], kept: KeptRun) -> Unseen:
    """With the run's class numbers as targets; see `class_codes`."""
    codes, notes = class_codes(found.name, labels, kept)
    known = np.flatnonzero(codes >= 0)
    return replace(found, targets=codes, notes=(*found.notes, *notes)).take(known)


def class_codes(name: str, labels: Sequence[str], kept: KeptRun) -> tuple[np.ndarray, list[str]]:
    """(class numbers [n], notes). A label that the run does not know is an error; where the run chose among the classes
    (data.classes), it is -1, and a note says how many there are."""
    numeric = all(is_number(text) for text in kept.classes)
    spelled = (lambda text: float(text) if is_number(text) else text) if numeric else str
    codes = {spelled(text): code for code, text in enumerate(kept.classes)}
    found = np.array([codes.get(spelled(text), -1) for text in labels], dtype=np.int64)
    strangers = sorted({text for text, code in zip(labels, found.tolist(), strict=True) if code < 0})
    if not strangers:
        return found, []
    count = int((found < 0).sum())
    if kept.config.data.classes is not None and count < len(found):
        return found, [f"left out as in the training (data.classes): {count} examples of {', '.join(strangers[:5])}"]
    others = len(strangers) - 1
    more = "" if others == 0 else ", nor is another" if others == 1 else f", nor are {others} others"
    what = f"'{strangers[0]}' ({list(labels).count(strangers[0])} of {len(labels)} examples of {name}) is no class"
    near = nearest(strangers[0], kept.classes)
    shown = ", ".join(kept.classes[:12]) + (", ..." if len(kept.classes) > 12 else "")
    remedy = (
        f"did you mean {near[0]}?" if near else "without the truth there are predictions alone (--predictions FILE)"
    )
    raise UsageError(Fault(f"{what} of the run{more}", "--data", f"classes: {shown}", remedy))


def code_of_category(column: Column, cells: Sequence[str]) -> np.ndarray:
    """The codes of a categorical column, float64 [n]; -1, which is none of them, for one that training did not have."""
    codes = {text: float(code) for code, text in enumerate(column.categories)}
    return np.array([codes.get(cell, -1.0) for cell in cells])
