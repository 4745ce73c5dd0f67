"""The doctor at work: gathers from a run what the checks look at, at the first batch and at each evaluation.

Nothing is done within a step. The first batch costs one more forward and backward; the first, second, fourth, eighth
... evaluation one forward of a few examples; the others what a few means of recorded losses cost.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import torch

from lossopt_cli.catalogue.backbones import Pixels, backbone_named
from lossopt_cli.catalogue.losses import loss_named
from lossopt_cli.catalogue.models import model_named
from lossopt_cli.catalogue.recipes import is_user_code
from lossopt_cli.config.schema import Config
from lossopt_cli.data.problem import Problem
from lossopt_cli.training.doctor import course, inputs, layers, outputs
from lossopt_cli.training.doctor.ending import start_loss
from lossopt_cli.training.doctor.finding import Finding, told
from lossopt_cli.training.examination import Examination
from lossopt_cli.training.judging import Guess, course_of, predictions_of
from lossopt_cli.training.looking import activities, looked_at, stuck
from lossopt_cli.training.loop import Stretch
from lossopt_cli.training.outcome import Outcome, Plan
from lossopt_cli.training.randomness import batch_order
from lossopt_cli.training.repeats import repeated
from lossopt_cli.training.state import State
from lossopt_cli.training.transfer.pixels import pixel_ends

FEW = 32  # examples of the look at an evaluation
LAST_SEEN = 1024  # of the training examples of an evaluation, whose losses are looked at
ALIKE = 3  # evaluations in a row without a class before it is said
# What an image from black to white is as a backbone was trained on it: the ends over its colours.
RANGES: Mapping[Pixels, tuple[float, float]] = MappingProxyType(
    {"-1 to 1": (-1.0, 1.0), "0 to 255": (0.0, 255.0), "BGR": (-123.7, 151.1), "standardised": (-2.1, 2.6)}
)


@dataclass
class Doctor:
    """Looks at a run as it goes. tell: hears of what is new, once. pixels: of images for a backbone, None without one.

    found: all that was seen, each with the step and epoch of it.
    """

    examination: Examination
    plan: Plan
    guess: Guess
    config: Config
    rate: float | None
    tell: Callable[[Sequence[Finding]], None]
    pixels: inputs.Pixels | None = None
    found: list[Finding] = field(default_factory=list)
    _weights: torch.Tensor | None = None
    _moved: float | None = None
    _said: list[outputs.Predictions] = field(default_factory=list)

    def began(self, state: State, initial: Mapping[str, Mapping[str, float]]) -> None:
        """The look at the first batch, before the first step."""
        program, problem = self.examination.program, self.examination.problem
        rows, targets = self._first_batch()
        seen = looked_at(program, state, rows, targets)
        loss = next(iter(initial.values()), {}).get("loss")
        known = loss is not None and not math.isnan(loss)
        found = [start_loss(loss, self.guess.fair, seen.loss)] if known else []
        found += [inputs.input_range(self.pixels)] if self.pixels is not None else []
        found.append(inputs.inputs_alike(self._spread(rows)))
        found += outputs.findings(self._batch(seen.targets, seen.raw))
        found += layers.of_activities(seen.activities)
        found += [layers.vanishing_gradients(seen.gradients), layers.exploding_gradients(seen.norm, self.guess.fair)]
        found += [inputs.repeated_images(repeated(problem))]
        self._tell([finding for finding in found if finding is not None], epoch=None, step=state.step)
        self._weights = state.weights.clone()

    def evaluated(self, outcome: Outcome, stretch: Stretch, raw: torch.Tensor | None) -> None:
        """The look after an evaluation. raw: outputs on validation, None where there is none."""
        if outcome.status != "done":
            return
        evaluation, count = outcome.evaluations[-1], len(outcome.evaluations)
        if self._weights is not None:
            self._moved, self._weights = self._step_size(outcome.trained, stretch), None
        seen = course_of(outcome, self.plan, self.guess, self.config, self.rate)
        found = course.findings(replace(seen, moved=self._moved))
        if count & (count - 1) == 0:
            targets, said = (torch.cat(parts)[-LAST_SEEN:] for parts in (stretch.order, stretch.outputs))
            found += outputs.findings(self._batch(targets, said))
            rows = self._first_batch()[0][:FEW]
            found += layers.of_activities(activities(self.examination.program, outcome.trained, rows))
        if raw is not None and (finding := self._missing(evaluation.step, raw)) is not None:
            found.append(finding)
        self._tell(found, epoch=evaluation.epoch, step=evaluation.step)

    def moved(self, examination: Examination) -> None:
        """The second stage begins: what trains from here on is looked at."""
        self.examination = examination

    def _tell(self, found: Sequence[Finding], epoch: float | None, step: int) -> None:
        known = {finding.name for finding in self.found}
        new = [replace(one, epoch=epoch, step=step) for one in found if one.name not in known]
        self.found += new
        worth = {finding.name for finding in told(self.found)}
        if shown := [finding for finding in told(new) if finding.name in worth]:
            self.tell(shown)

    def _first_batch(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Inputs and targets of the first batch of the first epoch of this training."""
        feed, plan = self.examination.feeds["train"], self.plan
        order = torch.from_numpy(batch_order(len(feed), plan.seed, 0)[: plan.batch_size]).to(feed.targets.device)
        return feed.rows(order), feed.targets.index_select(0, order)

    def _spread(self, rows: torch.Tensor) -> inputs.Spread:
        """By how much these inputs differ, as the network is given them."""
        size = float(rows.float().std(dim=0, correction=0).square().mean().sqrt())
        random = self.pixels is not None and self.config.model.settings["weights"] == "none"
        return inputs.Spread(size, len(rows), self.pixels.backbone if random else None)

    def _batch(self, targets: torch.Tensor, raw: torch.Tensor) -> outputs.Batch:
        objective, task = self.examination.objective, self.examination.problem.task
        known = task != "regression" and objective.library != "user"
        count = stuck(self.examination, targets, raw) if known else None
        has_logits = known and loss_named(objective.name).tasks[task].reads == "logits"
        # A loss of the user's says what it reads only where the file has settings for it.
        reads = objective.fit.reads if known else "scores"
        return outputs.Batch(raw.flatten(1).cpu().numpy(), reads, count, self.config.loss.name, has_logits)

    def _step_size(self, state: State, stretch: Stretch) -> float | None:
        """The change of the weights by a step, as a share of their size; None where the rates were still warming up."""
        rates = self.plan.rates[stretch.first_step : stretch.first_step + len(stretch.losses)]
        if not rates.mean() > 0.1 * self.plan.rates.max():
            return None
        size = float(torch.linalg.vector_norm(self._weights))
        change = float(torch.linalg.vector_norm(state.weights - self._weights))
        return change / size / len(stretch.losses) if size > 0.0 else None

    def _missing(self, step: int, raw: torch.Tensor) -> Finding | None:
        """A class that none of the last evaluations has said, in the second half of the plan; the end of it is judged
        by itself."""
        steps = len(self.plan.rates)
        if not steps <= 2 * step < 2 * steps:
            return None
        predictions = predictions_of(self.examination, "validation", raw.cpu().numpy())
        if predictions is None:
            return None
        self._said = [*self._said, predictions][-ALIKE:]
        if len(self._said) < ALIKE or any((one.predicted > 0).sum() < 2 for one in self._said):
            return None
        return outputs.missing_class(replace(predictions, predicted=sum(one.predicted for one in self._said)))


def doctor_of(
    examination: Examination,
    plan: Plan,
    guess: Guess,
    config: Config,
    rate: float | None,
    tell: Callable[[Sequence[Finding]], None],
    problem: Problem,
) -> Doctor:
    """The doctor of a run; see Doctor. problem: as it was posed, with images where it had some."""
    return Doctor(examination, plan, guess, config, rate, tell, pixels_of(config, problem))


def pixels_of(config: Config, problem: Problem) -> inputs.Pixels | None:
    """The range that the images of the problem, as it was posed, have where a backbone eats them; None without one."""
    model = config.model
    if is_user_code(model.name) or model_named(model.name).name != "transfer":
        return None
    row = backbone_named(model.settings["backbone"])
    expected = RANGES[row.pixels]
    ends = pixel_ends(problem)
    if model.settings["scale"] != "unit":
        ends = tuple(expected[0] + end * (expected[1] - expected[0]) for end in ends)
    return inputs.Pixels(*ends, *expected, row.name)
