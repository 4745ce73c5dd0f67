"""What a person sees while a training runs (OUTPUT.md): the head, the start, the epochs. All on stderr."""

import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from lossopt_cli.commands.labels import label
from lossopt_cli.commands.training_report import LABEL, WIDTH, short
from lossopt_cli.config.schema import Config
from lossopt_cli.console import Console
from lossopt_cli.data.counted import Counted
from lossopt_cli.data.problem import SPLITS, Problem
from lossopt_cli.progress import Progress

if TYPE_CHECKING:
    from lossopt_cli.training.doctor.finding import Finding
    from lossopt_cli.training.judging import Guess
    from lossopt_cli.training.loop import Evaluation
    from lossopt_cli.training.running import Run

VERBS = {"train": "train", "validation": "validate", "test": "test"}
COLUMNS = (14, 40)  # of the second and the third value, behind the label


class TrainingScreen:
    """Hears of the run and says it on stderr; what came of it is `training_report`'s."""

    def __init__(self, console: Console, config: Config):
        self.console, self.config = console, config
        self.width = min(console.width, WIDTH) if console.live else WIDTH
        self.progress: Progress | None = None
        self.stepping = False

    def head(self, problem: Problem) -> None:
        """The data, as soon as they are read: before torch is imported."""
        sizes = [f"{len(problem.split(name))} to {VERBS[name]}" for name in SPLITS if len(problem.split(name))]
        self._labelled("data", f"{problem.description}; {', '.join(sizes)}")
        for note in problem.notes:
            self._labelled("", f"({note})")

    def features(self, text: str) -> None:
        """What is said of images that go through a backbone first, and how far they are."""
        if isinstance(text, Counted):
            self.console.note(text)
        else:
            self._labelled("features", text)

    def ready(self, run: "Run") -> None:
        """The recipe and the machine, and the progress of the epochs to come."""
        from lossopt_cli.training import devices, results

        config = run.trial.config
        code = run.built.user.defaults
        self._columns([(part, label(config, part, code)) for part in ("model", "loss", "optimizer")])
        if config.schedule is not None:
            self._labelled("schedule", label(config, "schedule"))
        where = devices.in_words(run.device, config.train.threads)
        if config.train.precision != "float32":
            where += f", {config.train.precision}"
        self._columns([("device", where), ("seed", str(run.plan.seed))])
        self.console.note()
        self.run, self.unit = run, results.examples_word(run.problem)

    def began(self, initial: Mapping[str, Mapping[str, float]], guess: "Guess") -> None:
        """The loss before the first step, beside what guessing costs."""
        from lossopt_cli.training.doctor.ending import start_loss

        loss = next(iter(initial.values()), {}).get("loss", math.nan)
        text = f"loss {loss:.4g}"
        if guess.loss is not None:
            text += f"   guessing costs {_cost(guess, self.run.problem)}"
            if guess.loss > 0.0:
                text += f": {'a fair' if start_loss(loss, guess.fair) is None else 'a poor'} start"
        self._labelled("before", text)
        plan = self.run.plan
        steps = -(-len(self.run.problem.train) // plan.batch_size)
        self.steps = steps
        self.progress = Progress(self.console, plan.epochs, steps, plan.batch_size, unit=self.unit)

    def noticed(self, findings: Sequence["Finding"]) -> None:
        """What is wrong, below the line of what was just told."""
        self.progress.close()
        for finding in findings:
            self._labelled("doctor", str(finding))

    def stepped(self, step: int, steps: int, loss: Callable[[], float]) -> None:
        """The loop tells of a step every now and then; what came before the first of them was no training."""
        from lossopt_cli.training.loop import PROGRESS_SECONDS

        if not self.stepping:
            self.progress.started_at = self.progress.clock() - PROGRESS_SECONDS
            self.stepping = True
        epoch, within = divmod(step - 1, self.steps)
        if self.progress.wants_step():
            self.progress.step(epoch + 1, within + 1, loss())

    def evaluated(self, evaluation: "Evaluation") -> None:
        """One line: the loss, what the run is judged by, and the rate."""
        epochs, metric = self.run.plan.epochs, self.run.plan.metric
        number = f"epoch {evaluation.epoch:.2f}".removesuffix(".00") + f"/{epochs}"
        width = max(LABEL, len(f"epoch {epochs}/{epochs}") + 2, len(number) + 2)
        loss = evaluation.metrics.get("train", {}).get("loss")
        text = f"{number:<{width}}" + ("the loss is not finite" if loss is None else f"loss {short(loss):<7}")
        split = "validation" if "validation" in evaluation.metrics else "train"
        value = evaluation.metrics.get(split, {}).get(metric)
        if value is not None and metric != "loss":
            text += f"  {split} {metric} {short(value):<7}"
        rate = f" {self._rate(evaluation):>9,.0f} {self.unit}/s" if evaluation.train_seconds > 0.0 else ""
        text += rate if len(text + rate) <= self.width else ""
        self.progress.epoch(max(1, math.ceil(evaluation.epoch)), text)

    def close(self) -> None:
        if self.progress is not None:
            self.progress.close()

    def _rate(self, evaluation: "Evaluation") -> float:
        from lossopt_cli.training.results import examples_after

        count, batch = len(self.run.problem.train), self.run.plan.batch_size
        first = evaluation.step - len(evaluation.losses)
        seen = examples_after(evaluation.step, count, batch) - examples_after(first, count, batch)
        return seen / evaluation.train_seconds

    def _labelled(self, word: str, text: str) -> None:
        options = {"break_long_words": False, "break_on_hyphens": False}
        for place, line in enumerate(textwrap.wrap(text, self.width - LABEL, **options) or [""]):
            self.console.note(f"{'' if place else word:<{LABEL}}{line}")

    def _columns(self, pairs: list[tuple[str, str]]) -> None:
        """Side by side in the columns of OUTPUT.md where they fit, else one below the other."""
        line = f"{pairs[0][0]:<{LABEL}}{pairs[0][1]}"
        for place, (word, value) in zip(COLUMNS[-len(pairs) + 1 :], pairs[1:], strict=True):
            if len(line) + 2 > LABEL + place:
                break
            line = f"{line:<{LABEL + place}}{word}{'  ' if word == 'loss' else ' ' * (LABEL - len(word))}{value}"
        else:
            if len(line) <= self.width:
                self.console.note(line)
                return
        for word, value in pairs:
            self._labelled(word, value)


def _cost(guess: "Guess", problem: Problem) -> str:
    """`ln 10 = 2.303` where the loss is a cross-entropy and the ten classes are about even, else the number."""
    entropy = guess.metrics.get("validation", guess.metrics.get("train", {})).get("cross_entropy")
    if entropy is not None and abs(guess.loss - entropy) < 1e-3:
        even = math.log(len(problem.classes))
        if abs(even - entropy) < 0.005:
            return f"ln {len(problem.classes)} = {even:.3f}"
    return f"{guess.loss:.4g}"
