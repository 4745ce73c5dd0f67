"""`lossopt train`: one training, from a config and flags to a finished folder."""

import time
from pathlib import Path

from lossopt_cli import options
from lossopt_cli.console import Console


def train(
    config: options.ConfigFile = None,
    loss: options.Loss = None,
    opt: options.Optimizer = None,
    lr: options.LearningRate = None,
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
    set_: options.Set = None,
    logs: options.Logs = Path("logs"),
    name: options.Name = None,
    once: options.Once = False,
    fail_if: options.FailIf = None,
    format: options.Format = "table",
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> int:
    """Train one model with one loss and one optimizer, and say what came of it.

    Without arguments: digits, minicnn, cross_entropy, adam. Everything of a config may be given as a flag.
    """
    started_at = time.time()
    console = Console(format, quiet=quiet, verbose=verbose).protect_stdout()
    flags = {
        "loss": loss,
        "optimizer": opt,
        "learning_rate": lr,
        "schedule": schedule,
        "data": data,
        "target": target,
        "skip_bad_images": "true" if skip_bad_images else None,
        "model": model,
        "epochs": epochs,
        "batch_size": batch_size,
        "seed": seed,
        "metric": metric,
        "device": device,
        "precision": precision,
        "threads": threads,
    }
    from lossopt_cli.commands.training_run import Request, carry_out

    request = Request(config, flags, tuple(set_ or ()), logs, name, once, fail_if, started_at)
    return carry_out(request, console)
