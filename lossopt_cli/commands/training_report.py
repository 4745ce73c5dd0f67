"""What came of a training, for a person (OUTPUT.md): the result on stdout. Made of result.json and steps.csv alone."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from lossopt_cli.catalogue.ailments import NAMES
from lossopt_cli.catalogue.wording import counted
from lossopt_cli.console import sparkline
from lossopt_cli.data.problem import SPLITS
from lossopt_cli.runs.records import reported

WIDTH = 80
LABEL = 11
NAME, CELL = 21, 13
CURVE = 52
COMMAND = 7  # where commands begin
NARROW_CELL = 11
DASH = "-"
FINDINGS = 3  # that are said in full

Next = tuple[str, str]


def report(result: Mapping, losses: np.ndarray, next_commands: Sequence[Next], width: int = WIDTH) -> str:
    """The curve, metrics by split, the interval, findings, where it lies and what is next, each set apart."""
    width = max(40, min(width, WIDTH))
    blocks = [
        _wrapped(result["reason"] or "", width),
        _curve(losses[: result["diverged_at"]], width),
        _table(result, width),
        _wrapped("\n".join(_sure(result)), width) if result["metrics"] else [],
        *_warned(result["warnings"], width),
        [f"{'run':<{COMMAND}}{result['run_dir']}", *_next(next_commands, width)],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def rows(result: Mapping) -> tuple[list[str], list[list]]:
    """(columns, rows): a row a metric, always the same columns, blank where a run has none."""
    metrics = reported(result)
    guessed = _guessed(result)
    names = list(dict.fromkeys([*(name for split in SPLITS for name in metrics.get(split, {})), *guessed]))
    found = [[name, *(metrics.get(split, {}).get(name) for split in SPLITS), guessed.get(name)] for name in names]
    return ["metric", *SPLITS, "guessing"], found


def batch_losses(folder: Path) -> np.ndarray:
    """The loss of every batch, from steps.csv; empty where there is none."""
    try:
        lines = (folder / "steps.csv").read_text(encoding="utf-8").splitlines()
    except OSError:
        return np.array([])
    at = lines[0].split(",").index("loss")
    return np.array([float(line.split(",")[at] or "nan") for line in lines[1:]])


def short(value: float | None) -> str:
    """Three decimals from 0.01 to 100, else as many digits as say something; a dash for what is not known."""
    if value is None or math.isnan(value):
        return DASH
    if 0.0 < abs(value) < 0.01:
        return f"{value:.2g}"
    return f"{value:.3f}" if abs(value) < 100 else f"{value:.4g}"


def _curve(losses: np.ndarray, width: int) -> list[str]:
    """Each step gets the same number of signs where there are few of them. losses: until the divergence, if any."""
    finite = losses[np.isfinite(losses)]
    if len(finite) < 2:
        return []
    room = min(CURVE, width - NAME)
    drawn = sparkline(np.repeat(losses, max(1, room // len(losses))), room)
    first, last = short(losses[0]), short(finite[-1])
    count = counted(len(losses), "step")
    middle = count.center(max(len(drawn) - len(first) - len(last), len(count) + 2))
    return [f"{'loss of every batch':<{NAME}}{drawn}".rstrip(), f"{'':<{NAME}}{first}{middle}{last}"]


def _guessed(result: Mapping) -> Mapping:
    guessing = result["guessing"]
    return guessing.get("test") or guessing.get("validation") or guessing.get("train", {})


def _table(result: Mapping, width: int) -> list[str]:
    metrics, guessed = reported(result), _guessed(result)
    splits = [split for split in SPLITS if split in metrics]
    if not splits:
        return []
    cell = CELL if NAME + CELL * len(splits) + len("guessing") <= width else NARROW_CELL
    label = NAME if cell == CELL else max(len("cross_entropy"), *map(len, metrics[splits[0]])) + 1
    lines = [f"{'':<{label}}" + "".join(f"{split:<{cell}}" for split in splits) + "guessing"]
    names = list(dict.fromkeys(name for split in splits for name in metrics[split] if name != "loss"))
    for name in names or ["loss"]:
        cells = [short(metrics[split].get(name)) for split in splits]
        last = short(guessed[name]) if name in guessed else ""
        lines.append(f"{name:<{label}}" + "".join(f"{text:<{cell}}" for text in cells) + last)
    return [line.rstrip() for line in lines]


def _sure(result: Mapping) -> list[str]:
    """What these numbers are of, how far other examples may give others, and what one seed is worth."""
    sizes, said, examples = result["sizes"], [], result["examples"]
    if reported(result) is not result["metrics"]:
        said.append(f"Weights of epoch {result['best_epoch']:g}, the best on {result['curve']['split']}.")
    if sample := result["sample"]:
        said.append(_interval(sample, sizes[sample["split"]], result))
    if not sizes["validation"] and not sizes["test"]:
        said.append(f"No {examples} were kept back (data.split): how well it does on others is not known.")
    elif not sizes["test"]:
        said.append("There is no test split, so this is of the validation that choices are made on.")
    said.append("One seed: another seed may differ as much as another optimizer does.")
    return said


def _warned(warnings: Sequence[Mapping], width: int) -> list[list[str]]:
    """A paragraph each: the most important findings, which come first, and all that is about files."""
    findings = [warning for warning in warnings if warning["name"] in NAMES]
    others = [warning for warning in warnings if warning["name"] not in NAMES]
    said = [_wrapped(warning["text"], width) for warning in [*findings[:FINDINGS], *others]]
    if left := findings[FINDINGS:]:
        names = ", ".join(warning["name"] for warning in left)
        said.insert(FINDINGS, _wrapped(f"And {counted(len(left), 'lesser finding')}: {names} (in result.json).", width))
    return said


def _interval(sample: Mapping, size: int, result: Mapping) -> str:
    name, split, examples = sample["metric"], sample["split"], result["examples"]
    shown = counted(size, examples.removesuffix("s"))
    value, low, high = (short(sample[key]) for key in ("value", "low", "high"))
    unknown = f"how it does on other {examples} cannot be said"
    others = unknown if low == DASH else f"{low} to {high} on other {examples}"
    if value == DASH:
        return f"{split} {name} is not defined on {shown}."
    if sample["counted"]:
        return f"{split} {name} {value} is {sample['counted'][0]} of {shown}: {others}."
    units = f" (in the units of {result['target']})" if name in ("mae", "rmse") and result["target"] != "target" else ""
    return f"{split} {name} {value}{units} on {shown}: {others}."


def _next(commands: Sequence[Next], width: int) -> list[str]:
    """Commands in one column and what they are for in another; below a command that is too long for that."""
    room = width - COMMAND - 3
    fits = [len(command) + len(sense) <= room for command, sense in commands]
    column = max((len(command) for (command, _), fit in zip(commands, fits, strict=True) if fit), default=0) + 3
    fits = [COMMAND + column + len(sense) <= width and fit for (_, sense), fit in zip(commands, fits, strict=True)]
    lines = []
    for place, ((command, sense), fit) in enumerate(zip(commands, fits, strict=True)):
        lead = f"{'' if place else 'next':<{COMMAND}}"
        lines += [f"{lead}{command:<{column}}{sense}"] if fit else [lead + command, f"{'':<{COMMAND}}    {sense}"]
    return lines


def _wrapped(text: str, width: int) -> list[str]:
    options = {"break_long_words": False, "break_on_hyphens": False}
    return [line for part in text.splitlines() for line in textwrap.wrap(part, width, **options)]
