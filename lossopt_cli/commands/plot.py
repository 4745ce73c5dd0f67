"""`lossopt plot`: pictures. So far of the shapes of losses; of runs once there are commands that make several."""

from pathlib import Path

from lossopt_cli.analysis.figures import curves, draw_losses, in_terminal, shared_axis
from lossopt_cli.catalogue.lookup import find_setting, nearest, settled, value_fault
from lossopt_cli.catalogue.losses import LOSSES, loss_named
from lossopt_cli.catalogue.recipes import is_user_code, parse_part, split_parts
from lossopt_cli.catalogue.rows import LossRow, Value
from lossopt_cli.console import Console
from lossopt_cli.errors import Fault, UsageError
from lossopt_cli.options import Format, Logs, Losses, Out, PlotKind, Quiet

UNLESS_SAID = "mse,mae,huber"


def plot(
    kind: PlotKind = "losses",
    loss: Losses = None,
    out: Out = None,
    logs: Logs = Path("logs"),
    format: Format = "table",
    quiet: Quiet = False,
) -> None:
    """Draw losses as a picture: what an error costs, and how hard it pulls. The picture's path goes to stdout."""
    console = Console(format, quiet=quiet)
    losses = _losses(loss or UNLESS_SAID)
    axis = shared_axis(losses)
    drawn = curves(losses, axis)
    file = out or logs / f"losses-{'-'.join(label.replace(':', '_') for label in drawn)}.png"
    draw_losses(drawn, file)
    if console.live:
        console.note(in_terminal(drawn, console.width))
    if format == "json":
        console.rows(["file", "axis", "losses"], [[file, axis, list(drawn)]])
    else:
        console.result(str(file))


def _losses(text: str) -> list[tuple[str, dict[str, Value]]]:
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
