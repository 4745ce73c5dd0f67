"""Targets as a loss wants them, and raw outputs as a person reads them.

Between them stands the objective: what one loss means on one task (encoding, width of the head, activation).
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from lossopt_cli.catalogue.metrics import Outputs
from lossopt_cli.catalogue.rows import Fit
from lossopt_cli.data.problem import Problem

LossFunction = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Objective:
    """What is minimised.

    loss: (targets, raw outputs) -> scalar, the mean over the batch. reference: the same through the library's own
    loss object, bit for bit what `fit` computes; the engine's may differ from it in the last bits.
    units: the width of the head. activated: the user's own model ends in a softmax or sigmoid, so that its raw
    outputs are what a loss of probabilities reads.
    """

    name: str
    library: str
    fit: Fit
    units: int
    loss: LossFunction
    reference: LossFunction
    settings: Mapping
    activated: bool = False


def activation(fit: Fit, units: int) -> Callable[[torch.Tensor], torch.Tensor] | None:
    """Raw outputs [N, units] -> their probabilities: softmax, or a sigmoid each; None where outputs are none."""
    if fit.reads not in ("logits", "probabilities"):
        return None
    return torch.sigmoid if units == 1 or fit.one_against_rest else lambda raw: torch.softmax(raw, dim=-1)


def encoded(problem: Problem, fit: Fit, targets: np.ndarray) -> np.ndarray:
    """Targets of a split, [n] -> the array that `fit.targets` names, int64 or float32."""
    if fit.targets == "numbers":
        values = targets if fit.own_units else (targets - problem.target_mean) / problem.target_deviation
        with np.errstate(over="ignore"):  # beyond float32 is infinite, and so is the first loss, which is told
            return values.reshape(len(targets), math.prod(targets.shape[1:])).astype(np.float32)
    if fit.targets == "integer":
        return targets.astype(np.int64)
    if fit.targets == "binary" or (fit.targets == "signs" and fit.units == "one"):
        columns = targets[:, None].astype(np.float32)
    else:
        columns = np.eye(len(problem.classes), dtype=np.float32)[targets]
    return 2.0 * columns - 1.0 if fit.targets == "signs" else columns


def decoded(problem: Problem, fit: Fit, values: np.ndarray) -> np.ndarray:
    """Targets in their own units, or class numbers, from what `encoded` made of them."""
    if problem.task == "regression":
        values = values.astype(np.float64)
        return values if fit.own_units else values * problem.target_deviation + problem.target_mean
    if fit.targets == "integer":
        return values
    return (values[:, 0] > 0).astype(np.int64) if values.shape[1] == 1 else values.argmax(axis=1)


def read_out(problem: Problem, objective: Objective, raw: np.ndarray, targets: np.ndarray) -> Outputs:
    """Raw outputs [n, units] of a model and the targets [n] as classes, probabilities or values in their own units."""
    raw, fit = np.asarray(raw, dtype=np.float64), objective.fit
    if problem.task == "regression":
        values = raw * problem.target_deviation + problem.target_mean
        return Outputs(problem.task, targets.reshape(-1), values.reshape(-1))
    probabilities = _probabilities(objective, raw)
    if raw.shape[1] > 1:
        scores = raw[:, 1] - raw[:, 0] if raw.shape[1] == 2 else None
        return Outputs(problem.task, targets, raw.argmax(axis=1), probabilities, scores)
    level = probabilities[:, 1] if fit.reads == "probabilities" else raw[:, 0]
    return Outputs(problem.task, targets, (level > fit.threshold).astype(np.int64), probabilities, raw[:, 0])


def _probabilities(objective: Objective, raw: np.ndarray) -> np.ndarray | None:
    """[n, classes], rows sum to 1; None where the loss gives scores that are no probabilities.

    One against the rest (one sigmoid a class): the sigmoids divided by their sum. float64, so that no class that the
    model gave a finite logit is at probability 0.
    """
    fit = objective.fit
    if fit.reads not in ("logits", "probabilities"):
        return None
    one_unit = raw.shape[1] == 1
    with np.errstate(over="ignore", invalid="ignore"):
        if objective.activated:
            shares = raw
        elif one_unit or fit.one_against_rest:
            shares = 1.0 / (1.0 + np.exp(-raw))
        else:
            shares = np.exp(raw - raw.max(axis=1, keepdims=True))
        return np.concatenate([1.0 - shares, shares], axis=1) if one_unit else shares / shares.sum(axis=1)[:, None]


def guess(problem: Problem, fit: Fit, targets: np.ndarray) -> np.ndarray:
    """The raw outputs [1, units] of a model that knows only how often each target occurs in training.

    Class frequencies (as logits where the loss reads logits or probabilities), the mean of encoded numbers else.
    """
    mean = encoded(problem, replace(fit, targets="one_hot") if fit.targets == "integer" else fit, targets)
    mean = mean.astype(np.float64).mean(axis=0, keepdims=True)
    if fit.own_units:
        return (mean - problem.target_mean) / problem.target_deviation
    if fit.reads in ("values", "scores"):
        return mean
    tiny = 1e-7
    clipped = np.clip(mean, tiny, 1.0 - tiny)
    one_sigmoid_each = mean.shape[1] == 1 or fit.one_against_rest
    return np.log(clipped) - (np.log1p(-clipped) if one_sigmoid_each else 0.0)
