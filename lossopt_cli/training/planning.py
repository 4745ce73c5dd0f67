"""From a config to a plan: how long, at what rates, judged by what. What cannot be is refused before the first step."""

from collections.abc import Sequence

import keras
import numpy as np

from lossopt_cli.catalogue.metrics import metric_named
from lossopt_cli.catalogue.rows import Task
from lossopt_cli.catalogue.schedules import multipliers
from lossopt_cli.catalogue.wording import counted
from lossopt_cli.config.schema import Config
from lossopt_cli.config.stages import second_stage
from lossopt_cli.data.problem import Problem
from lossopt_cli.data.trial import default_metric, usual_batch
from lossopt_cli.errors import Fault, UsageError
from lossopt_cli.training.building import Build
from lossopt_cli.training.loop import Plan
from lossopt_cli.training.targets import Objective


def plan_of(config: Config, problem: Problem, built: Build, measured: Sequence[str]) -> Plan:
    """The plan of a trial. UsageError where batch, metric or schedule do not go with what is trained.

    measured: what an evaluation gives, `Examination.measured`.
    """
    _check_batch(config, problem, built.model)
    per_epoch = -(-len(problem.train) // config.train.batch_size)
    steps = per_epoch * config.train.epochs
    rate = built.learning_rate if built.learning_rate is not None else np.nan
    rates, stage = np.full(steps, rate), second_stage(config)
    if stage is not None:
        if built.learning_rate is None:
            what = f"{config.optimizer.name} keeps a learning rate of its own, which unfrozen layers cannot share"
            raise UsageError(Fault(what, "model.unfreeze", "an optimizer that takes learning_rate"))
        rates[stage.after * per_epoch :] = stage.rate(rate)
    if config.schedule is not None:
        if built.learning_rate is None:
            what = f"{config.optimizer.name} keeps a learning rate of its own, which a schedule cannot set"
            remedy = "drop the schedule, or let the optimizer take learning_rate"
            raise UsageError(Fault(what, "--schedule", remedy=remedy))
        rates = rates * multipliers(config.schedule.name, config.schedule.settings, steps, per_epoch)
    metric = _metric(config, problem.task, built.objective, measured)
    return Plan(
        epochs=config.train.epochs,
        batch_size=config.train.batch_size,
        seed=config.train.seed,
        rates=rates,
        metric=metric,
        higher=metric != "loss" and metric_named(metric).better == "higher",
        evaluate_every=config.train.evaluate_every,
        keep_best=config.train.keep == "best",
        until=None if stage is None else stage.after,
    )


def _metric(config: Config, task: Task, objective: Objective, measured: Sequence[str]) -> str:
    """What the run is judged by. A metric that was asked for must be one that task and loss give; where outputs of a
    user's loss have none, the task's usual one stands, and is not measured."""
    asked = config.train.metric
    metric = asked or default_metric(task)
    if metric in measured or not (asked or config.train.keep == "best"):
        return metric
    if not asked:
        what = f"outputs as {objective.name} reads them have no {metric}, by which the best epoch would be chosen"
        raise UsageError(Fault(what, "train.keep", remedy="--set train.keep=last"))
    what = f"{metric} is no metric of a {task} task"
    if task in metric_named(metric).tasks:
        what = f"{objective.name} gives no {metric}: it trains {_read(objective)}, not {metric_named(metric).needs}"
    raise UsageError(Fault(what, "--metric", f"one of {', '.join(measured)}"))


def _read(objective: Objective) -> str:
    return {"values": "numbers", "scores": "scores"}.get(objective.fit.reads, objective.fit.reads)


def _check_batch(config: Config, problem: Problem, model: keras.Model) -> None:
    examples, size = len(problem.train), config.train.batch_size
    if size > examples:
        what = f"a batch of {size} is larger than the training data, {counted(examples, 'example')}"
        remedy = f"--batch-size {usual_batch(examples)}"
        raise UsageError(Fault(what, "--batch-size", f"at most {examples}", remedy))
    if size == 1 and any(map(_normalises_rows, model._flatten_layers())):
        what = "batch normalisation of one example gives 0 whatever the example: nothing could be learned"
        raise UsageError(Fault(what, "--batch-size", "2 or more, where rows are normalised over their batch"))


def _normalises_rows(layer: keras.Layer) -> bool:
    """Whether the statistics of a step are over the batch alone, and not over pixels too."""
    normalises = isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
    return normalises and layer.input_spec is not None and layer.input_spec.ndim == 2
