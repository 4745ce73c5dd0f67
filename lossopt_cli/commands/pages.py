"""One entry of the catalogue in full, as plain text of at most `width` columns."""

from collections.abc import Callable, Mapping, Sequence
from textwrap import wrap

from lossopt_cli.analysis.shapes import POINTS, axes, curve
from lossopt_cli.catalogue.lookup import names_of, plain
from lossopt_cli.catalogue.losses import CROSS_ENTROPY
from lossopt_cli.catalogue.optimizer_settings import GROUPS
from lossopt_cli.catalogue.recipes import spell_part, spell_value
from lossopt_cli.catalogue.rows import (
    TASKS,
    DataRow,
    Fit,
    LossRow,
    MetricRow,
    ModelRow,
    OptimizerRow,
    Row,
    ScheduleRow,
    Setting,
    defaults,
)
from lossopt_cli.catalogue.schedules import multipliers
from lossopt_cli.console import sparkline

WIDTH = 80
LABEL = 12  # columns of the label and the blanks after it
SPARK = 48

_TARGETS = {
    "integer": "class numbers",
    "one_hot": "one-hot",
    "binary": "0 and 1",
    "signs": "-1 and +1",
    "numbers": "numbers",
}
_AXES = {
    "error": "error",
    "ratio": "f / y",
    "probability": "p of right",
    "margin": "margin",
    "angle": "angle",
}
_READS = {
    "logits": "raw outputs",
    "scores": "raw outputs, as scores",
    "values": "raw outputs",
}


def page(row: Row, width: int = WIDTH) -> str:
    """What there is to know about a row; the last line is a command to try."""
    lines = _PAGES[type(row)](row)
    return "\n".join(line for part in lines for line in _laid_out(*part, width)) + "\n"


# Data that are named by what one has.
_ASKED = {"csv": "mine.csv", "image_folder": "my_images/", "kaggle": "kaggle:OWNER/NAME"}

Part = tuple[str, str]  # label and text; a text of several lines is kept as it is, one line is wrapped


def _laid_out(label: str, text: str, width: int) -> Sequence[str]:
    if label == "":
        return [text]
    room = width - 2 - LABEL
    lines = [piece for line in text.split("\n") for piece in _wrapped(line, room)]
    return [f"  {label if not place else '':<{LABEL}}{line}".rstrip() for place, line in enumerate(lines)]


def _wrapped(line: str, room: int) -> list[str]:
    """Continued lines are indented as far as the text after the first gap of two blanks or more."""
    if len(line) <= room:
        return [line]
    gap = line.find("  ", len(line) - len(line.lstrip()))
    hang = 0
    if 0 < gap < room // 2:
        hang = gap + len(line[gap:]) - len(line[gap:].lstrip())
    kept, running = line[:hang], " ".join(line[hang:].split())
    return wrap(
        kept + running,
        room,
        subsequent_indent=" " * hang,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _heading(left: str, right: str) -> Part:
    return "", left + right.rjust(WIDTH - len(left))


def _if(label: str, text: str) -> list[Part]:
    return [(label, text)] if text else []


# Losses.


def _loss(row: LossRow) -> list[Part]:
    kinds = [name for name, tasks in ((("classes"), TASKS[:2]), ("numbers", TASKS[2:])) if set(tasks) & set(row.tasks)]
    return [
        _heading(row.name, f"{row.family}; for {' and '.join(kinds)}" if kinds else row.family),
        ("formula", row.formula),
        *_shape(row),
        ("use", row.use),
        *_if("note", row.note),
        ("tasks", _tasks(row)),
        *_settings(row.settings, defaults(row)),
        ("in Keras", row.keras or _keras_spelling("losses", row)),
        ("in torch", row.torch or f"torch.nn.{row.class_name}({_arguments(row)})"),
        *_also(row),
        ("paper", row.paper),
        ("try", _try("--loss", row) if row.tasks else f"lossopt list losses {CROSS_ENTROPY.name}"),
    ]


def _tasks(row: LossRow) -> str:
    """A line for each task; tasks refused for one reason share a line."""
    served = [f"{task:<12}{_fit(task, row.tasks[task])}" for task in TASKS if task in row.tasks]
    reasons = {reason: [t for t in TASKS if row.refusals.get(t) == reason] for reason in row.refusals.values()}
    refused = [f"{', '.join(tasks)}: refused, for {reason}" for reason, tasks in reasons.items()]
    return "\n".join(served + refused)


def _fit(task: str, fit: Fit) -> str:
    units = {"classes": "2 units" if task == "binary" else "K units", "one": "1 unit"}[fit.units]
    return f"{_TARGETS[fit.targets]} on {units}; reads {_reading(fit)}{_threshold(fit)}"


def _reading(fit: Fit) -> str:
    if fit.own_units:
        return "the prediction in the target's own units"
    if fit.reads == "probabilities":
        return ("a sigmoid of each") if fit.one_against_rest else "a sigmoid" if fit.units == "one" else "a softmax"
    return _READS[fit.reads]


def _threshold(fit: Fit) -> str:
    return f"; class 1 above {fit.threshold:g}" if fit.units == "one" and fit.reads != "values" else ""


def _shape(row: LossRow) -> list[Part]:
    """Loss and slope at some points of each axis that the loss has; mse beside what measures errors."""
    parts: list[Part] = []
    for axis in axes(row.name):
        drawn = curve(row.name, {}, POINTS[axis], axis)
        lines = {_AXES[axis]: drawn.x, "loss": drawn.value, "slope": drawn.slope}
        if axis == "error" and row.name != "mse":
            lines["loss of mse"] = curve("mse", {}, drawn.x).value
        texts = [[f"{0.0 if abs(x) < 5e-13 else x:.3g}" for x in column] for column in lines.values()]
        widths = [max(map(len, at)) + 3 for at in zip(*texts, strict=True)]
        padded = ["".join(f"{text:<{w}}" for text, w in zip(line, widths, strict=True)) for line in texts]
        parts += zip(lines, map(str.rstrip, padded), strict=True)
    return parts


# Optimizers.


def _optimizer(row: OptimizerRow) -> list[Part]:
    return [
        _heading(row.name, row.family),
        ("update", "\n".join(row.update)),
        ("use", row.use),
        *_if("trade-off", row.trade),
        ("memory", f"numbers kept beside each weight and its gradient: {row.state}"),
        *_settings(row.settings, defaults(row)),
        ("in Keras", _keras_spelling("optimizers", row)),
        ("in torch", row.torch),
        ("differs", row.differs),
        *_if("fault", row.fault),
        *_also(row),
        ("paper", row.paper),
        ("try", _try("--opt", row)),
    ]


# The others.


def _model(row: ModelRow) -> list[Part]:
    inputs = {"image": "images", "table": "tables", "any": "images and tables"}[row.inputs]
    return [
        _heading(row.name, f"for {inputs}"),
        ("layers", row.layers),
        ("use", row.use),
        *_settings(row.settings, defaults(row)),
        *_also(row),
        ("paper", row.paper),
        ("try", _try("--model", row) + (" --data my_images/" if row.name == "transfer" else "")),
    ]


def _data(row: DataRow) -> list[Part]:
    asked = _ASKED.get(row.name, row.name)
    return [
        _heading(row.name, row.task or "the loss or the file decides the task"),
        ("contents", row.contents),
        ("source", row.source),
        *_if("download", "" if row.name == "kaggle" else row.download or "none"),
        *_settings(row.settings, defaults(row)),
        *_also(row),
        ("try", f"lossopt train --data {asked}"),
    ]


def _schedule(row: ScheduleRow) -> list[Part]:
    shape = multipliers(row.name, {}, 10 * SPARK, SPARK)
    lowest, highest = shape.min(), shape.max()
    return [
        _heading(row.name, "of the learning rate"),
        ("formula", row.formula),
        ("10 epochs", f"{sparkline(shape, SPARK)}  {lowest:.2g} to {highest:.2g}"),
        ("use", row.use),
        *_settings(row.settings, defaults(row)),
        *_also(row),
        ("paper", row.paper),
        ("try", _try("--schedule", row)),
    ]


def _metric(row: MetricRow) -> list[Part]:
    return [
        _heading(row.name, f"{', '.join(row.tasks)}; {row.better} is better"),
        ("formula", row.formula),
        ("use", row.use),
        ("needs", row.needs),
        *_also(row),
        ("try", f"lossopt train --metric {row.name}"),
    ]


_PAGES: Mapping[type, Callable[..., list[Part]]] = {
    LossRow: _loss,
    OptimizerRow: _optimizer,
    ModelRow: _model,
    DataRow: _data,
    ScheduleRow: _schedule,
    MetricRow: _metric,
}


def _settings(settings: Sequence[Setting], values: Mapping) -> list[Part]:
    """One line for each setting; those that all optimizers share in a line a group, without their meanings."""
    groups = [(group, purpose) for group, purpose in GROUPS if group[0] in settings]
    own = [s for s in settings if not any(s in group for group, _ in groups)]
    spelled = [f"{s.name} = {spell_value(values[s.name])}" for s in own]
    room = max(map(len, spelled), default=0)
    lines = [f"{text:<{room}}  {s.meaning}{_upstream(s)}" for text, s in zip(spelled, own, strict=True)]
    shared = [f"{purpose}:  {', '.join(s.name for s in group)}" for group, purpose in groups]
    return _if("settings", "\n".join(lines)) + _if("also takes", "\n".join(shared))


def _upstream(setting: Setting) -> str:
    return "" if setting.upstream is ... else f" (Keras: {spell_value(setting.upstream)} unless said)"


def _also(row: Row) -> list[Part]:
    """The other names that are not the same but for case and underscores."""
    names = {plain(name): name for name in reversed(names_of(row))}
    del names[plain(row.name)]
    return _if("also", ", ".join(reversed(names.values())))


def _keras_spelling(module: str, row: LossRow | OptimizerRow) -> str:
    return f"keras.{module}.{row.class_name}({_arguments(row)})"


def _arguments(row: LossRow | OptimizerRow) -> str:
    """What makes the class do what the row does, and the first number that it takes."""
    values = defaults(row)
    is_shown = {s.name: s.upstream is not ... or s.name in _always(row) for s in row.settings}
    return ", ".join(f"{name}={values[name]!r}" for name, shown in is_shown.items() if shown)


def _always(row: LossRow | OptimizerRow) -> set[str]:
    if isinstance(row, OptimizerRow):
        decays = {"weight_decay"} if defaults(row)["weight_decay"] is not None else set()
        return {"learning_rate", *decays, *row.preset}
    return {s.name for s in row.settings if s.kind.startswith("number") and s.default and not s.choices}


def _try(flag: str, row: LossRow | OptimizerRow | ModelRow | ScheduleRow) -> str:
    """The command with the first setting that has an example other than its default."""
    values = defaults(row)
    examples = {s.name: s.example for s in row.settings if s.example not in (None, values[s.name])}
    first = dict(list(examples.items())[:1])
    return f"lossopt train {flag} {spell_part(row.name, first, {})}"
