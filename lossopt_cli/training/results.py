"""result.json: what came of a run, in plain types (DESIGN section 5)."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from lossopt_cli.catalogue.optimizers import default_rate, optimizer_named
from lossopt_cli.data.problem import SPLITS, Problem
from lossopt_cli.runs import curve
from lossopt_cli.training import devices
from lossopt_cli.training.doctor.rates import lower_rate
from lossopt_cli.training.examination import Examination
from lossopt_cli.training.judging import Guess, Judgement, losses_of
from lossopt_cli.training.outcome import Outcome, Plan

if TYPE_CHECKING:
    from lossopt_cli.training.running import Run

SCHEMA_VERSION = 1


def opening(run: "Run", folder: str, environment: Mapping, code: Mapping) -> dict[str, Any]:
    """What is known of a run before its first step: its result.json while it runs, and when it fails."""
    trial, problem = run.trial, run.problem
    optimizer = trial.config.optimizer.model_dump()
    if run.built.learning_rate is not None:
        optimizer["learning_rate"] = run.built.learning_rate
    return {
        "schema_version": SCHEMA_VERSION,
        "run_dir": folder,
        "status": "running",
        "reason": None,
        "learned": None,
        "task": problem.task,
        "metric": run.plan.metric,
        "loss": trial.config.loss.model_dump(),
        "optimizer": optimizer,
        "head_units": run.built.objective.units,
        "seed": run.plan.seed,
        "role": None,  # what a sweep trained it for; it writes the word
        "epochs": 0,
        "best_epoch": None,
        "metrics": {},
        "metrics_best": {},
        "guessing": {},
        "initial": {},
        "initial_outputs": run.initial_outputs,
        "sample": None,
        "standard_error": None,
        "diverged_at": None,
        "last_finite_loss": None,
        "try_learning_rate": None,
        "seconds": {},
        "timing": "alone",
        "examples_per_second": None,
        "engine": engine_of(run),
        "device": devices.in_words(run.device, trial.config.train.threads),
        "data": problem.name,
        "target": problem.target,
        "examples": examples_word(problem),
        "sizes": {name: len(problem.split(name)) for name in SPLITS},
        "classes": list(problem.classes) if problem.classes else None,
        "config": trial.config.model_dump(),
        "code": dict(code),
        "curve": {},
        "trial": trial.hash,
        "problem": trial.problem,
        "setting": trial.setting,
        "warnings": [],
        "environment": dict(environment),
    }


def closing(run: "Run", outcome: Outcome, guess: Guess, judgement: Judgement) -> dict[str, Any]:
    """What the training came to, to lay over the opening; seconds and warnings of files are still to come."""
    plan = run.plan
    best = outcome.evaluations[outcome.best] if outcome.best is not None else None
    seconds = outcome.seconds["train"]
    steps = sum(len(e.losses) for e in outcome.evaluations)
    trained = examples_after(steps, len(run.problem.train), plan.batch_size)
    return {
        "status": outcome.status,
        "reason": reason_of(run, outcome),
        "learned": judgement.learned if outcome.status != "diverged" else False,
        "epochs": outcome.state.epoch,
        "best_epoch": _whole(best.epoch) if best else None,
        "metrics": outcome.final,
        "metrics_best": outcome.final_best or (best.metrics if best else {}),
        "guessing": {**guess.metrics, "loss": guess.loss},
        "initial": outcome.initial,
        "sample": vars(judgement.sample) if judgement.sample else None,
        "standard_error": judgement.standard_error,
        "diverged_at": outcome.diverged_at,
        "last_finite_loss": outcome.last_finite,
        "try_learning_rate": _rate_to_try(run, outcome, judgement),
        "examples_per_second": trained / seconds if seconds > 0.0 else None,
        "engine": engine_of(run, outcome.stacked),
        "curve": curve_of(run.examination, plan, outcome),
        "warnings": [{**vars(found), "text": str(found)} for found in judgement.found],
    }


def _whole(epoch: float) -> int | float:
    """3 for 3.0; a fraction is of an evaluation within an epoch."""
    return int(epoch) if epoch == int(epoch) else epoch


def _rate_to_try(run: "Run", outcome: Outcome, judgement: Judgement) -> float | None:
    """The learning rate that one would try next, where this one is the likely cause of a failure."""
    if outcome.status == "diverged" and outcome.last_finite is not None:
        if _known_fault(run, outcome):
            return None
        return lower_rate(run.built.learning_rate, default_rate(run.trial.config.optimizer.name))
    return next((found.learning_rate for found in judgement.found if found.learning_rate is not None), None)


def engine_of(run: "Run", stacked: int | None = None) -> dict[str, Any]:
    """Which way the steps took: traced or not, or a stack of so many; the update rule, precision, and notes of the
    program."""
    program, precision = run.examination.program, run.trial.config.train.precision
    if run.plain:
        why = "the model draws random numbers that are no function of a seed of its own"
        return {"way": "plain", "why": why, "precision": precision}
    return {
        "way": "stack" if stacked else "traced" if program.is_traced else "untraced",
        "width": stacked or 1,
        "rule": program.rule.name,
        "precision": precision,
        "notes": list(program.notes),
    }


def examples_word(problem: Problem) -> str:
    """What one counts: images, or the rows of a table."""
    return {"image": "images", "table": "rows"}.get(problem.inputs.kind, "examples")


def examples_after(steps: int, examples: int, batch_size: int) -> int:
    """How many examples that many steps have seen; the last batch of an epoch may be smaller."""
    epochs, rest = divmod(steps, -(-examples // batch_size))
    return epochs * examples + min(rest * batch_size, examples)


def curve_of(examination: Examination, plan: Plan, outcome: Outcome) -> dict[str, Any]:
    """What `compare` needs of the curve: relapse, roughness, area, and the metric at every evaluation (from which the
    time to any target follows)."""
    losses = losses_of(outcome)
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


def reason_of(run: "Run", outcome: Outcome) -> str | None:
    """Why a run that is not done ended, for a person; None for one that is."""
    if outcome.status == "interrupted":
        return f"interrupted after step {outcome.state.step} of {run.steps}"
    if outcome.status != "diverged":
        return None
    at, last = outcome.diverged_at, outcome.last_finite
    first = outcome.evaluations[0].step - len(outcome.evaluations[0].losses)
    value = losses_of(outcome)[at - 1 - first]
    if np.isfinite(value):
        event, last = "the weights were no longer finite", float(value)
    else:
        event = f"the loss became {'NaN' if np.isnan(value) else 'infinite'}"
    before = "there was no finite value before" if last is None else f"last finite value {last:.3g}"
    return f"stopped at step {at} of {run.steps}: {event} ({before})\n{_cause(run, outcome, last)}"


def _known_fault(run: "Run", outcome: Outcome) -> str | None:
    """What the catalogue knows of this optimizer ending in NaN although the loss had not risen."""
    row = optimizer_named(run.trial.config.optimizer.name)
    start = next(iter(outcome.initial.values()), {}).get("loss", math.nan)
    calm = outcome.last_finite is not None and outcome.last_finite <= 2.0 * abs(start)
    return row.non_finite if row is not None and calm and row.non_finite else None


def _cause(run: "Run", outcome: Outcome, last: float | None) -> str:
    """The likely cause of a divergence, and a rate to try or where to look."""
    config, rate = run.trial.config, run.built.learning_rate
    start = next(iter(outcome.initial.values()), {}).get("loss", math.nan)
    if last is None:
        return (
            "diverged. No step had been taken, so it is not the learning rate: look for values that are not finite "
            "or far too large in the data, or a logarithm, root or division in the loss."
        )
    if known := _known_fault(run, outcome):
        return f"diverged. {known}"
    default = default_rate(config.optimizer.name)
    lower = lower_rate(rate, default)
    remedy = f"start near --lr {lower:g}" if lower is not None else "start with a lower learning rate"
    at_rate = f" at lr {rate:g}" if rate else ""
    if run.problem.task == "regression" and not config.data.scale_target:
        remedy += ", or leave data.scale_target on"
    obvious = rate is not None and default is not None and rate >= 10.0 * default
    if not obvious and np.isfinite(start) and last <= 2.0 * abs(start):
        return (
            f"diverged. The loss had not risen before ({start:.3g} at the start): a single step of "
            f"{config.optimizer.name}{at_rate} was too far, or the loss has no finite value there. {remedy[0].upper()}"
            f"{remedy[1:]}, or clip the gradients: --set optimizer.clipnorm=1"
        )
    return f"diverged. {config.optimizer.name}{at_rate} is far too high for {config.loss.name}; {remedy}"
