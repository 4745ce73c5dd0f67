"""`lossopt sweep`: many trainings, fairly: recipes over their learning rates and seeds, into one folder."""

from pathlib import Path

from lossopt_cli import options
from lossopt_cli.console import Console


def sweep(
    config: options.SweepSource = None,
    loss: options.LossAxis = None,
    opt: options.OptimizerAxis = None,
    lr: options.LearningRateAxis = None,
    schedule: options.Schedule = None,
    seeds: options.Seeds = None,
    seed: options.SeedAxis = None,
    data: options.Data = None,
    target: options.Target = None,
    model: options.Model = None,
    epochs: options.Epochs = None,
    batch_size: options.BatchSize = None,
    metric: options.Metric = None,
    device: options.Device = None,
    precision: options.Precision = None,
    engine: options.Engine = None,
    set_: options.Set = None,
    confirm: options.Confirm = 0,
    extend: options.Extend = False,
    workers: options.Workers = None,
    dry_run: options.DryRun = False,
    print_commands: options.PrintCommands = False,
    retry_failed: options.RetryFailed = False,
    yes: options.Yes = False,
    logs: options.Logs = Path("logs"),
    name: options.SweepName = None,
    format: options.Format = "table",
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> int:
    """Train recipes over their learning rates and seeds, and compare them.

    Without arguments: digits, minicnn, cross_entropy with sgd, momentum, rmsprop and adam, each at a learning rate that
    is found for it, 8 seeds, 5 epochs. Run it again to go on where it stopped; another sweep of the same problem adds
    to the folder.
    """
    console = Console(format, quiet=quiet, verbose=verbose).protect_stdout()
    from lossopt_cli.commands.sweeping import Request, carry_out
    from lossopt_cli.sweeps.axes import Asked

    flags = {
        "loss": loss,
        "optimizer": opt,
        "schedule": schedule,
        "data": data,
        "target": target,
        "model": model,
        "epochs": epochs,
        "batch_size": batch_size,
        "metric": metric,
        "device": device,
        "precision": precision,
        "engine": engine,
    }
    asked = Asked(config, flags, tuple(lr or ()), seeds, seed, tuple(set_ or ()))
    request = Request(asked, logs, name, confirm, extend, retry_failed, yes, workers, dry_run, print_commands)
    return carry_out(request, console)
