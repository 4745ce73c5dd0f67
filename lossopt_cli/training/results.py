"""result.json: what came of a run, in plain types."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from lossopt_cli.catalogue.metrics import Outputs, guessing, interval
from lossopt_cli.data.problem import SPLITS, Problem
from lossopt_cli.runs import curve
from lossopt_cli.training.checks import Evidence, Finding, findings
from lossopt_cli.training.loop import Examination, Outcome, Plan
from lossopt_cli.training.targets import encoded, guess, read_out

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Guess:
    """What is had without a model: the loss of the best constant output (None where the loss has no such reading),
    and every metric, of validation (train where there is none) and of test."""

    loss: float | None
    metrics: Mapping[str, Mapping[str, float]]


def guess_of(examination: Examination) -> Guess:
    """Class frequencies and the most frequent class of the training data, or their mean."""
    problem, objective = examination.problem, examination.objective
    targets = problem.train.targets
    scored = {}
    if problem.task != "regression" or targets.ndim == 1:
        for name in ("train", "validation", "test"):
            if len(split := problem.split(name)):
                scored[name] = guessing(problem.task, targets, split.targets)
    if objective.library == "user":
        return Guess(None, scored)
    shown = problem.validation if len(problem.validation) else problem.train
    constant = torch.from_numpy(guess(problem, objective.fit, targets)).float()
    if objective.activated:
        constant = torch.softmax(constant, -1) if objective.units > 1 else torch.sigmoid(constant)
    truth = torch.from_numpy(encoded(problem, objective.fit, shown.targets))
    loss = float(objective.loss(truth, constant.expand(len(shown), -1).contiguous()))
    return Guess(loss if math.isfinite(loss) else None, scored)


@dataclass(frozen=True)
class Sample:
    """The interval of a metric over other examples like these; counted: (right, all) for accuracy."""

    metric: str
    value: float
    low: float
    high: float
    counted: tuple[int, int] | None


def sample_of(metric: str, outputs: Outputs, value: float) -> Sample:
    low, high = interval(metric, outputs)
    counted = None
    if metric == "accuracy":
        counted = int((outputs.predicted == outputs.targets).sum()), len(outputs)
    return Sample(metric, value, low, high, counted)


@dataclass(frozen=True)
class Judgement:
    """learned: better than guessing by two standard errors of the sample; None where that cannot be said."""

    learned: bool | None
    standard_error: float
    sample: Sample | None
    predicted_share: float | None
    found: list[Finding]


def judge(examination: Examination, plan: Plan, outcome: Outcome, guess: Guess, rate: float | None) -> Judgement:
    """What the final weights show on validation (train where there is none), and the sample of the test."""
    split = "validation" if outcome.final.get("validation") else "train"
    values, guessed = outcome.final.get(split, {}), guess.metrics.get(split, {})
    learned, error, share = None, 0.0, None
    if plan.metric in guessed and plan.metric in values:
        outputs = _outputs(examination, outcome, split)
        low, high = interval(plan.metric, outputs)
        error = (high - low) / (2.0 * 1.96) if math.isfinite(high - low) else 0.0
        ahead = values[plan.metric] - guessed[plan.metric]
        learned = bool((ahead if plan.higher else -ahead) > 2.0 * error)
        if examination.problem.task != "regression" and len(np.unique(outputs.targets)) > 1:
            share = float(np.unique(outputs.predicted, return_counts=True)[1].max() / len(outputs))
    sample = None
    if plan.metric in outcome.final.get("test", {}) and plan.metric != "loss":
        sample = sample_of(plan.metric, _outputs(examination, outcome, "test"), outcome.final["test"][plan.metric])
    losses = _losses(outcome)
    initial = next(iter(outcome.initial.values()), {})
    evidence = Evidence(
        plan.metric,
        plan.higher,
        rate,
        initial.get("loss", math.nan),
        guess.loss,
        losses,
        outcome.final.get("train", {}),
        values,
        guessed,
        learned,
        share,
        error,
        plan.epochs,
    )
    return Judgement(learned, error, sample, share, findings(evidence) if outcome.status == "done" else [])


def _outputs(examination: Examination, outcome: Outcome, split: str) -> Outputs:
    raw = examination.raw(outcome.state, split).cpu().numpy()
    return read_out(examination.problem, examination.objective, raw, examination.problem.split(split).targets)


def _losses(outcome: Outcome) -> np.ndarray:
    return np.concatenate([e.losses for e in outcome.evaluations]) if outcome.evaluations else np.array([])


def curve_of(examination: Examination, plan: Plan, outcome: Outcome) -> dict:
    """What `compare` needs of the curve: relapse, roughness, area, and the metric at every evaluation (from which the
    time to any target follows)."""
    losses = _losses(outcome)
    initial = next(iter(outcome.initial.values()), {}).get("loss", math.nan)
    per_epoch = -(-len(examination.feeds["train"]) // plan.batch_size)
    split = "validation" if outcome.initial.get("validation") else "train"
    at = [0.0] + [e.epoch for e in outcome.evaluations]
    values = [outcome.initial.get(split, {}).get(plan.metric, math.nan)]
    values += [e.metrics.get(split, {}).get(plan.metric, math.nan) for e in outcome.evaluations]
    return {
        "relapse": curve.relapse(losses, initial, per_epoch),
        "roughness": curve.roughness(losses),
        "upward_share": curve.upward_share(losses),
        "area": curve.area(at, values),
        "steps_per_epoch": per_epoch,
        "split": split,
        "epochs": at,
        "steps": [0] + [e.step for e in outcome.evaluations],
        plan.metric: values,
    }


def reason_of(outcome: Outcome, steps: int, recipe: str, rate: float | None) -> str | None:
    """Why a run that is not done ended, for a person."""
    if outcome.status == "interrupted":
        return f"interrupted after step {outcome.state.step} of {steps}"
    if outcome.status != "diverged":
        return None
    last = "no finite loss before it" if outcome.last_finite is None else f"last finite value {outcome.last_finite:.3g}"
    at_rate = f" at lr {rate:g} is far too high" if rate else ": the steps are far too large"
    return (
        f"stopped at step {outcome.diverged_at} of {steps}: the loss became infinite ({last})\n"
        f"diverged. {recipe}{at_rate}; start near {sane(rate)}, or lower it until the loss falls"
    )


def sane(rate: float | None) -> str:
    """A rate to try after a divergence: a hundredth, but none above 0.01."""
    return f"{min(0.01, (rate or 1.0) / 100.0):g}"


def sizes_of(problem: Problem) -> dict[str, int]:
    """How many examples each split has."""
    return {name: len(problem.split(name)) for name in SPLITS}
