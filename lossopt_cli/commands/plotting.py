"""What `lossopt plot` was asked for: losses and runs, and where the picture goes."""

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lossopt_cli.analysis import several, wording
from lossopt_cli.analysis.figures.canvas import draw
from lossopt_cli.analysis.figures.curves import By
from lossopt_cli.analysis.figures.kinds import KINDS, Material, Wanted, kind_named
from lossopt_cli.analysis.figures.same_runs import FIRST
from lossopt_cli.analysis.figures.style import ENDINGS, STYLES, checked_ending
from lossopt_cli.analysis.figures.terminal import as_text
from lossopt_cli.analysis.problems import problems_of
from lossopt_cli.catalogue.lookup import find_setting, nearest, settled, value_fault
from lossopt_cli.catalogue.losses import LOSSES, loss_named
from lossopt_cli.catalogue.recipes import is_user_code, parse_part, spell_part, split_parts
from lossopt_cli.catalogue.rows import LossRow, Value
from lossopt_cli.commands.left_out import left_out_lines
from lossopt_cli.commands.references import Note, folder_of_any, folder_of_one, folder_of_several
from lossopt_cli.console import Console
from lossopt_cli.errors import Fault, UsageError
from lossopt_cli.runs.reading import LAST, RESULT
from lossopt_cli.runs.records import LeftOut, read_records

UNLESS_SAID = "mse,mae,huber"


@dataclass(frozen=True)
class Asked:
    """What was typed about what to draw."""

    references: tuple[str, ...]
    logs: Path
    kind: str | None
    metric: str | None
    split: str | None
    by: By | None
    recipes: str | None
    problem: str
    loss: str | None

    def given(self) -> dict[str, str | None]:
        """The options that say what is drawn, as they were typed."""
        names = ("metric", "split", "by", "recipes", "loss")
        problem = None if self.problem == FIRST else self.problem
        runs = ", ".join(self.references) or None
        return {name: getattr(self, name) for name in names} | {"problem": problem, "runs": runs}


def carry_out(asked: Asked, out: Path | None, style: str, console: Console) -> None:
    """Draws what was asked for, says where, and what is not in it."""
    name = asked.kind or ("losses" if asked.loss else "curves")
    kind = kind_named(name, asked.given())
    losses = () if kind.of_runs else tuple(parsed_losses(asked.loss or UNLESS_SAID))
    wanted = Wanted(name, asked.metric, asked.split, asked.by, asked.recipes, asked.problem, losses)
    material = material_of(asked, wanted, console.note)
    file = out or place_of(material)
    checked_ending(file)
    picture = kind.draw(material)
    draw(picture, file, STYLES[style])
    if console.live:
        console.note(as_text(picture, console.width))
    for line in notes(material):
        console.note(line)
    for text in warnings(material):
        console.warn(text)
    if console.format == "table":
        console.result(str(file))
    else:
        console.rows(["file", "kind", "title", "caption"], [[file, name, picture.title, picture.caption]])


def material_of(asked: Asked, wanted: Wanted, note: Note) -> Material:
    """The runs that are meant: folders that are there, or runs and sweeps by name; none is the newest. UsageError where
    there is none to draw."""
    if not KINDS[wanted.kind].of_runs:
        return Material((asked.logs,), (), (), wanted)
    found = {"runs": folder_of_any, "run": folder_of_one}.get(KINDS[wanted.kind].of, folder_of_several)
    folders = [found(_checked(text), asked.logs, note) for text in asked.references or (LAST,)]
    records, left_out = read_records(folders)
    if not records:
        raise UsageError(_nothing(folders, left_out))
    return Material(folders, problems_of(records), left_out, wanted)


def _checked(reference: str) -> str:
    """UsageError for a picture where a run should stand: it is where one draws to."""
    if Path(reference).suffix.lower() in ENDINGS and not Path(reference).is_dir():
        what = f"{reference} is a picture, not a run"
        raise UsageError(
            Fault(what, "RUN_OR_FOLDER", "runs to draw", f"to draw into it: --out {shlex.quote(reference)}")
        )
    return reference


def place_of(material: Material) -> Path:
    """The picture's file where none was named: in the folder of the run or sweep, or in the one around several."""
    folders = material.folders
    around = Path(os.path.commonpath([folder.absolute() for folder in folders])) if len(folders) > 1 else folders[0]
    names = [spell_part(name, settings, {}).replace(":", "_") for name, settings in material.wanted.losses]
    return around / f"{'-'.join([material.wanted.kind, *names])}.png"


def notes(material: Material) -> list[str]:
    """Runs and problems that are not in the picture."""
    copies = [item for comparison in material.compared.values() for item in comparison.left_out]
    return [*_other_problems(material), *_other_rates(material), *left_out_lines([*material.left_out, *copies])]


def warnings(material: Material) -> list[str]:
    """What is doubtful about the comparisons that are drawn."""
    every = material.compared.values()
    refused = [f"not to be ranked: {comparison.refused}" for comparison in every if comparison.refused]
    return list(dict.fromkeys([*refused, *(text for comparison in every for text in comparison.warnings)]))


def _other_problems(material: Material) -> list[str]:
    """A line for each problem, where there are several and not all are drawn."""
    if "problem" not in KINDS[material.wanted.kind].takes or len(material.problems) < 2:
        return []
    _, *listed = several.listing(material.problems, "", 0)
    number = material.problems.index(material.problem) + 1
    return [f"{len(listed)} problems; number {number} is drawn. Others: --problem N", *listed]


def _other_rates(material: Material) -> list[str]:
    """Of runs that were named one by one, those at rates that are not drawn: a recipe is drawn at its chosen one."""
    named = any((folder / RESULT).is_file() for folder in material.folders)
    if not named or KINDS[material.wanted.kind].of != "runs":
        return []
    found = []
    for recipe in material.comparison.recipes:
        others = sorted({arm.learning_rate for arm in recipe.arms} - {recipe.learning_rate})
        if others:
            rates = wording.listing([wording.rate(rate) for rate in others])
            at = f"{recipe.name} is drawn at {wording.rate(recipe.learning_rate)}, chosen on validation"
            found.append(f"{at}; not at {rates} (one run a picture, or --kind lr)")
    return found


def _nothing(folders: Sequence[Path], left_out: Sequence[LeftOut]) -> Fault:
    named = ", ".join(map(str, folders))
    if not left_out:
        return Fault(f"no runs in {named}", "RUN_OR_FOLDER", "a folder with runs", "make some: lossopt train")
    told = "; ".join(left_out_lines(left_out)).removeprefix("left out: ")
    return Fault(f"no finished run in {named}: {told}", "RUN_OR_FOLDER", "runs that are done")


def parsed_losses(text: str) -> list[tuple[str, dict[str, Value]]]:
    """`mse,huber:delta=0.5` -> names and settings; all that is wrong in one go."""
    found: list[tuple[str, dict[str, Value]]] = []
    faults: list[Fault] = []
    for part in split_parts(text):
        try:
            name, settings = parse_part(part, "--loss")
            found.append(_known(name, settings))
        except UsageError as error:
            faults += error.faults
    if faults:
        raise UsageError(*faults)
    if not found:
        raise UsageError(Fault(("no loss in --loss"), "--loss", "names with commas between", f"--loss {UNLESS_SAID}"))
    return found


def _known(name: str, settings: dict[str, Value]) -> tuple[str, dict[str, Value]]:
    if is_user_code(name):
        named = ", ".join(row.name for row in LOSSES[:3])
        raise UsageError(
            Fault(f"{name} has no known curve", ("--loss"), f"a loss of lossopt list losses ({named}, ...)")
        )
    row = loss_named(name, "--loss")
    checked = [_setting(row, key, value) for key, value in settings.items()]
    return row.name, dict(checked)


def _setting(row: LossRow, key: str, value: Value) -> tuple[str, Value]:
    setting = find_setting(row, key)
    if setting is None:
        names = [s.name for s in row.settings]
        remedy = f"did you mean {' or '.join(near)}?" if (near := nearest(key, names)) else None
        raise UsageError(
            Fault(f"{row.name} has no setting {key!r}", "--loss", " or ".join(names) or "no settings", remedy)
        )
    if fault := value_fault(setting, value, "--loss"):
        raise UsageError(fault)
    return setting.name, settled(setting, value)
