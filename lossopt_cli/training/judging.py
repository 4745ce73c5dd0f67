"""What a finished training is worth: beside guessing, on other examples like these, and what is wrong with it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from lossopt_cli.catalogue.intervals import interval
from lossopt_cli.catalogue.metrics import Outputs, guessing
from lossopt_cli.catalogue.optimizers import default_rate
from lossopt_cli.config.schema import Config
from lossopt_cli.training.doctor import course, ending, outputs
from lossopt_cli.training.doctor.finding import Finding, cause_among, told
from lossopt_cli.training.examination import Examination
from lossopt_cli.training.outcome import Evaluation, Outcome, Plan
from lossopt_cli.training.state import State
from lossopt_cli.training.targets import encoded, guess, read_out

STANDARD_NORMAL = 1.959963984540054  # half the width of a 95 % interval, in standard errors
# What one unit on standardised inputs gives at the start: Glorot's weights of variance 2 / (inputs + 1).
FRESH = math.sqrt(2.0)


@dataclass(frozen=True)
class Guess:
    """What is had without a model: the loss of the constant output that says the class frequencies or the mean (None
    where the loss has no such reading), and every metric by split. undecided: what a fresh network costs that is well
    scaled: for classes outputs of 0, which may be far above guessing under a loss of margins; for numbers FRESH on
    either side of their mean."""

    loss: float | None
    metrics: Mapping[str, Mapping[str, float]]
    undecided: float | None = None

    @property
    def fair(self) -> float | None:
        """What a fair start costs; None where that is not known."""
        return self.loss if self.undecided is None or self.loss is None else max(self.loss, self.undecided)


def guess_of(examination: Examination, state: State) -> Guess:
    """Class frequencies and the most frequent class of the training data, or their mean.

    state: before the first step; the penalties of its layers are in what guessing costs, as they are in every loss.
    """
    problem, objective = examination.problem, examination.objective
    targets = problem.train.targets
    scored = {}
    if problem.task != "regression" or targets.ndim == 1:
        for name in ("train", "validation", "test"):
            if len(split := problem.split(name)):
                scored[name] = guessing(problem.task, targets, split.targets)
    if objective.library == "user":
        return Guess(None, scored)
    split = "validation" if len(problem.validation) else "train"
    shown, penalty = problem.split(split), examination.penalty(state, split)
    constant = torch.from_numpy(guess(problem, objective.fit, targets)).float()
    if objective.activated:
        constant = torch.softmax(constant, -1) if objective.units > 1 else torch.sigmoid(constant)
    truth = torch.from_numpy(encoded(problem, objective.fit, shown.targets))
    loss = float(objective.loss(truth, constant.expand(len(shown), -1).contiguous())) + penalty
    starts: tuple[torch.Tensor, ...] = ()
    if problem.task == "regression":
        starts = constant - FRESH, constant + FRESH
    elif not objective.activated:
        starts = (torch.zeros(objective.units),)
    costs = [float(objective.loss(truth, start.expand(len(shown), -1).contiguous())) for start in starts]
    undecided = math.fsum(costs) / len(costs) + penalty if costs and np.isfinite(costs).all() else None
    return Guess(loss if math.isfinite(loss) else None, scored, undecided)


@dataclass(frozen=True)
class Sample:
    """The interval of a metric over other examples like these, NaN where there are too few to say; counted: (right,
    all) for accuracy."""

    split: str
    metric: str
    value: float
    low: float
    high: float
    counted: tuple[int, int] | None


def sample_of(split: str, metric: str, outputs: Outputs, value: float) -> Sample:
    """Wilson's interval for accuracy, the bootstrap for others; 95 %."""
    low, high = interval(metric, outputs) if len(outputs) > 1 else (math.nan, math.nan)
    counted = None
    if metric == "accuracy":
        counted = int((outputs.predicted == outputs.targets).sum()), len(outputs)
    return Sample(split, metric, value, low, high, counted)


@dataclass(frozen=True)
class Judgement:
    """Of the weights that are reported: the last, or the best where `train.keep` asks for them.

    learned: the metric on `split` beats guessing by two standard errors of that sample; None where that cannot be
    said, as standard_error is where there are not two examples. sample: on test, or on validation where there is no
    test."""

    split: str
    learned: bool | None
    standard_error: float | None
    sample: Sample | None
    found: list[Finding]


def judge(
    examination: Examination,
    plan: Plan,
    outcome: Outcome,
    guess: Guess,
    config: Config,
    rate: float | None,
    seen: Sequence[Finding] | None = None,
) -> Judgement:
    """What the reported weights show on validation (on train where there is none).

    seen: what the doctor found as it went; where none looked, the checks of the course are made of the whole of it."""
    final, _ = outcome.reported
    split = "validation" if final.get("validation") else "train"
    values, guessed = final.get(split, {}), guess.metrics.get(split, {})
    learned, error, said = None, None, None
    if plan.metric in guessed and plan.metric in values:
        error = _standard_error(plan.metric, _outputs(examination, outcome, split))
        ahead = values[plan.metric] - guessed[plan.metric]
        if error is not None and math.isfinite(ahead):
            learned = bool((ahead if plan.higher else -ahead) > 2.0 * error)
        said = predictions_of(examination, split, outcome.outputs[split])
    evidence = ending.Evidence(
        metric=plan.metric,
        higher=plan.higher,
        rate=rate,
        default_rate=default_rate(config.optimizer.name),
        split=split,
        initial_loss=next(iter(outcome.initial.values()), {}).get("loss", math.nan),
        guess_loss=guess.loss,
        fair_start=guess.fair,
        losses=losses_of(outcome),
        train=final.get("train", {}),
        judged=values,
        examples=len(examination.feeds[split]),
        best_epoch=outcome.evaluations[outcome.best].epoch if outcome.kept is not None else None,
        guessing=guessed,
        guessing_on_train=guess.metrics.get("train"),
        learned=learned,
        predicted=_most_predicted(said),
        standard_error=error,
        own_loss=examination.objective.library == "user",
        cause=cause_among(seen or []),
    )
    found = list(seen or [])
    if outcome.status == "done":
        last = outcome.evaluations[-1] if outcome.evaluations else None
        if seen is None:
            found += course.findings(course_of(outcome, plan, guess, config, rate))
        found += ending.findings(evidence)
        missing = outputs.missing_class(said) if said is not None else None
        found += [missing] if missing is not None else []
        found = [_placed(finding, last) for finding in found]
    return Judgement(split, learned, error, _sample(examination, plan, outcome), told(found))


def _placed(finding: Finding, last: Evaluation | None) -> Finding:
    """With the end of the training as the place where it was seen, unless it was seen before."""
    if finding.step is not None or last is None:
        return finding
    return replace(finding, epoch=last.epoch, step=last.step)


def course_of(outcome: Outcome, plan: Plan, guess: Guess, config: Config, rate: float | None) -> course.Course:
    """The training so far, as its checks look at it; all of it finite."""
    evaluations = outcome.evaluations
    of = lambda split, name: [e.metrics.get(split, {}).get(name, math.nan) for e in evaluations]  # noqa: E731
    judged = "validation" if evaluations and "validation" in evaluations[-1].metrics else None
    return course.Course(
        losses=losses_of(outcome),
        norms=np.concatenate([e.norms for e in evaluations]) if evaluations else np.array([]),
        steps=len(plan.rates),
        initial_loss=next(iter(outcome.initial.values()), {}).get("loss", math.nan),
        guess_loss=guess.loss,
        train=of("train", "loss"),
        validation=of(judged, "loss") if judged else [],
        judged=of(judged, plan.metric) if judged else [],
        higher=plan.higher,
        rate=rate,
        default_rate=default_rate(config.optimizer.name),
        keeps_best=plan.keep_best,
    )


def predictions_of(examination: Examination, split: str, raw: np.ndarray) -> outputs.Predictions | None:
    """How often each class of the split is predicted; None for numbers, and where the split has a single class."""
    problem = examination.problem
    if problem.task == "regression":
        return None
    read = read_out(problem, examination.objective, raw, problem.split(split).targets)
    count = len(problem.classes)
    true, predicted = (np.bincount(values, minlength=count) for values in (read.targets, read.predicted))
    return outputs.Predictions(problem.classes, true, predicted, split) if (true > 0).sum() > 1 else None


def _most_predicted(said: outputs.Predictions | None) -> float | None:
    """The share of the most predicted class."""
    return None if said is None else float(said.predicted.max() / said.predicted.sum())


def _sample(examination: Examination, plan: Plan, outcome: Outcome) -> Sample | None:
    final, _ = outcome.reported
    split = "test" if final.get("test") else "validation"
    value = final.get(split, {}).get(plan.metric)
    if value is None or plan.metric == "loss":
        return None
    return sample_of(split, plan.metric, _outputs(examination, outcome, split), value)


def _standard_error(metric: str, outputs: Outputs) -> float | None:
    """Half a 95 % interval, in standard errors of a normal; None where fewer than two examples show no spread."""
    low, high = interval(metric, outputs) if len(outputs) > 1 else (math.nan, math.nan)
    return (high - low) / (2.0 * STANDARD_NORMAL) if math.isfinite(high - low) else None


def _outputs(examination: Examination, outcome: Outcome, split: str) -> Outputs:
    targets = examination.problem.split(split).targets
    return read_out(examination.problem, examination.objective, outcome.outputs[split], targets)


def losses_of(outcome: Outcome) -> np.ndarray:
    """The loss of every batch so far."""
    return np.concatenate([e.losses for e in outcome.evaluations]) if outcome.evaluations else np.array([])
