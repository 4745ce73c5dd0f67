"""`lossopt config show | check | schema`: the config after all layers, its faults, its JSON Schema."""

import os

from lossopt_cli import options
from lossopt_cli.console import Console, json_text
from lossopt_cli.errors import LossoptError, UsageError


def show(
    config: options.ConfigFile = None,
    loss: options.Loss = None,
    optimizer: options.Optimizer = None,
    learning_rate: options.LearningRate = None,
    schedule: options.Schedule = None,
    data: options.Data = None,
    target: options.Target = None,
    skip_bad_images: options.SkipBadImages = False,
    model: options.Model = None,
    epochs: options.Epochs = None,
    batch_size: options.BatchSize = None,
    seed: options.Seed = None,
    metric: options.Metric = None,
    device: options.Device = None,
    precision: options.Precision = None,
    threads: options.Threads = None,
    sets: options.Set = None,
    debug: options.Debug = False,
) -> None:
    """The config after defaults, file, environment and flags, with the origin of each value."""
    from lossopt_cli.config.resolving import dump, resolve

    flags = {
        "loss": loss, "optimizer": optimizer, "learning_rate": learning_rate, "schedule": schedule,
        "data": data, "target": target, "skip_bad_images": "true" if skip_bad_images else None, "model": model,
        "epochs": epochs, "batch_size": batch_size, "seed": seed, "metric": metric, "device": device,
        "precision": precision, "threads": threads,
    }  # fmt: skip
    resolved = resolve(config, os.environ, flags, sets or ())
    console = Console()
    for note in resolved.notes:
        console.note(note)
    console.result(dump(resolved.config, resolved.origins))


def check(files: options.ConfigFiles, debug: options.Debug = False) -> None:
    """Says `ok` for each file, or all that is wrong with it (exit code 2)."""
    from lossopt_cli.config.resolving import resolve
    from lossopt_cli.sweeps.axes import Asked, axes_of

    console, faults = Console(), []
    for file in files:
        try:
            resolve(file, {}, {}, ())
            axes_of(Asked(file), {})
        except LossoptError as error:
            faults.extend(error.faults)
        else:
            console.result(f"{file}: ok")
    if faults:
        raise UsageError(*faults)


def schema() -> None:
    """The JSON Schema of a config file, with which editors complete and check it."""
    from lossopt_cli.config.schema import json_schema

    Console().result(json_text(json_schema()))


COMMANDS = {"show": show, "check": check, "schema": schema}
