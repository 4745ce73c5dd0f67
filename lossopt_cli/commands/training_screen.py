"""What a person sees of a training (OUTPUT.md): the head, the epochs, the table at the end, the next commands."""

import math
import shutil
import textwrap
from collections.abc import Mapping

import numpy as np

from lossopt_cli.config.schema import Config
from lossopt_cli.console import Console, sparkline
from lossopt_cli.data.problem import SPLITS, Problem
from lossopt_cli.progress import Progress

WIDTH = 80
LABEL = 11


class TrainingScreen:
    """Hears of the run and prints to stderr; `report` is the result."""

    def __init__(self, console: Console, config: Config, labels: Mapping[str, str]):
        self.console, self.config, self.labels = console, config, labels
        self.progress: Progress | None = None
        self.per_epoch = 1

    def head(self, problem: Problem) -> None:
        """The data, as soon as they are read."""
        for line in _labelled("data", f"{problem.description}; {_sizes(problem)}"):
            self.console.note(line)
        for note in problem.notes:
            for line in _labelled("", note):
                self.console.note(line)

    def ready(self, run) -> None:
        from lossopt_cli.training import devices

        parts = [("model", self.labels["model"]), ("loss", self.labels["loss"]), ("optimizer", self.labels["optimizer"])]
        text = f"{'model':<{LABEL}}{parts[0][1]}       loss  {parts[1][1]}       optimizer  {parts[2][1]}"
        if len(text) <= WIDTH:
            self.console.note(text)
        else:
            for word, value in parts:
                self.console.note(f"{word:<{LABEL}}{value}")
        where = devices.in_words(run.device, self.config.train.threads)
        if self.config.train.precision != "float32":
            where += f", {self.config.train.precision}"
        self.console.note(f"{'device':<{LABEL}}{where:<40}seed       {self.config.train.seed}")
        self.console.note()
        self.per_epoch = -(-len(run.problem.train) // run.plan.batch_size)
        self.metric = run.plan.metric
        self.progress = Progress(self.console, run.plan.epochs, self.per_epoch, run.plan.batch_size)

    def began(self, initial, guess) -> None:
        split = next(iter(initial.values()), {})
        if "loss" not in split:
            return
        text = f"loss {split['loss']:.4g}"
        if guess.loss is not None:
            text += f"   guessing costs {_guess_cost(guess, initial)}"
            text += ": a fair start" if split["loss"] <= 1.5 * abs(guess.loss) + 0.1 else ": a poor start"
        self.console.note(f"{'before':<{LABEL}}{text}")

    def stepped(self, step, steps, loss) -> None:
        epoch, within = divmod(step - 1, self.per_epoch)
        self.progress.step(epoch + 1, within + 1, loss() if self.progress.wants_step() else None)

    def evaluated(self, evaluation) -> None:
        number = f"{evaluation.epoch:g}/{self.config.train.epochs}"
        train = evaluation.metrics.get("train", {})
        text = f"epoch {number}  loss {_short(train.get('loss', math.nan))}"
        split = "validation" if "validation" in evaluation.metrics else "train"
        value = evaluation.metrics.get(split, {}).get(self.metric)
        if value is not None and self.metric != "loss":
            text += f"   {split} {self.metric} {_short(value)}"
        if evaluation.train_seconds > 0:
            rate = len(evaluation.losses) * self.config.train.batch_size / evaluation.train_seconds
            text += f"   {rate:,.0f} examples/s"
        self.progress.epoch(max(1, math.ceil(evaluation.epoch)), text)

    def close(self) -> None:
        if self.progress is not None:
            self.progress.close()


def report(result: Mapping, losses: np.ndarray, task_units: str, next_commands: list[tuple[str, str]]) -> str:
    """The result for a person: the curve, metrics by split, the interval, findings, where it lies and what is next."""
    lines: list[str] = [""]
    if result["status"] == "diverged" or result["reason"]:
        lines += [*_wrapped(result["reason"] or ""), ""]
    if len(losses) > 1:
        lines += [*_curve(losses), ""]
    if result["metrics"]:
        lines += [*_table(result), ""]
        lines += _sample(result, task_units)
        lines += ["One seed: another seed may differ as much as another optimizer does."]
    for warning in result["warnings"]:
        lines += ["", *_wrapped(f"{warning['seen']} {warning['why']} {warning['remedy']}")]
    lines += ["", _run_line(result["run_dir"])]
    for number, (command, sense) in enumerate(next_commands):
        lines.append(f"{'next' if not number else '':<7}{command:<37}{sense}".rstrip())
    return "\n".join(lines).lstrip("\n") + "\n"


def _labelled(label: str, text: str) -> list[str]:
    lines = textwrap.wrap(text, WIDTH - LABEL, break_long_words=False) or [""]
    return [f"{label if not n else '':<{LABEL}}{line}" for n, line in enumerate(lines)]


def _sizes(problem: Problem) -> str:
    words = zip(("train", "validation", "test"), ("train", "validate", "test"), strict=True)
    parts = [f"{len(problem.split(split))} to {verb}" for split, verb in words if len(problem.split(split))]
    return ", ".join(parts)


def _guess_cost(guess, initial) -> str:
    """`ln 10 = 2.303` where the classes are about even and the loss is a cross-entropy, else the number."""
    entropy = guess.metrics.get("validation", guess.metrics.get("train", {})).get("cross_entropy")
    if entropy is not None and abs(guess.loss - entropy) < 1e-3:
        classes = round(math.exp(entropy))
        if abs(math.log(classes) - entropy) < 0.005:
            return f"ln {classes} = {math.log(classes):.3f}"
    return f"{guess.loss:.4g}"


def _short(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 100 else f"{value:.4g}"


def _curve(losses: np.ndarray) -> list[str]:
    width = min(52, len(losses))
    drawn = sparkline(np.minimum(losses, np.nanmax(losses[np.isfinite(losses)], initial=0.0)), width)
    first, last = _short(losses[0]), _short(losses[-1])
    middle = f"{len(losses)} steps".center(max(len(drawn) - len(first) - len(last), 9))
    indent = " " * 21
    return [f"loss of every batch  {drawn}", f"{indent}{first}{middle}{last}"]


def _table(result: Mapping) -> list[str]:
    splits = [split for split in SPLITS if split in result["metrics"]]
    guessed = result["guessing"].get("test") or result["guessing"].get("validation") or result["guessing"].get("train", {})
    header = f"{'':<21}" + "".join(f"{split:<13}" for split in splits) + "guessing"
    lines = [header.rstrip()]
    names = list(dict.fromkeys(name for split in splits for name in result["metrics"][split] if name != "loss"))
    for name in names or ["loss"]:
        row = f"{name:<21}"
        row += "".join(f"{_short(result['metrics'][split].get(name, math.nan)):<13}" for split in splits)
        lines.append((row + (_short(guessed[name]) if name in guessed else "")).rstrip())
    return lines


def _sample(result: Mapping, units: str) -> list[str]:
    sample = result["sample"]
    if not sample:
        return []
    name, low, high = sample["metric"], _short(sample["low"]), _short(sample["high"])
    if sample["counted"]:
        right, count = sample["counted"]
        text = f"test {name} {_short(sample['value'])} is {right} of {count} {units}: {low} to {high} on other {units}."
    else:
        text = f"test {name} {_short(sample['value'])} on {result['sizes']['test']} {units}: {low} to {high} on others."
    return _wrapped(text)


def _run_line(folder: str) -> str:
    return f"{'run':<7}{folder}  (= last)"


def _wrapped(text: str) -> list[str]:
    width = min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns)
    return [line for part in text.splitlines() for line in textwrap.wrap(part, width, break_long_words=False)]
