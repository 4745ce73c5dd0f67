"""`lossopt sweep`: many trainings, fairly: recipes over their learning rates and seeds, into one folder."""

from pathlib import Path

from lossopt_cli import options, sweep_options
from lossopt_cli.console import Console


def sweep(
    config: sweep_options.SweepSource = None,
    loss: sweep_options.LossAxis = None,
    opt: sweep_options.OptimizerAxis = None,
    lr: sweep_options.LearningRateAxis = None,
    schedule: options.Schedule = None,
    seeds: sweep_options.Seeds = None,
    seed: sweep_options.SeedAxis = None,
    data: options.Data = None,
    target: options.Target = None,
    skip_bad_images: options.SkipBadImages = False,
    model: options.Model = None,
    epochs: options.Epochs = None,
    batch_size: options.BatchSize = None,
    metric: options.Metric = None,
    device: options.Device = None,
    precision: options.Precision = None,
    engine: sweep_options.Engine = None,
    set_: options.Set = None,
    confirm: sweep_options.Confirm = 0,
    extend: sweep_options.Extend = False,
    workers: sweep_options.Workers = None,
    ray: sweep_options.Ray = None,
    dry_run: sweep_options.DryRun = False,
    print_commands: sweep_options.PrintCommands = False,
    retry_failed: sweep_options.RetryFailed = False,
    yes: sweep_options.Yes = False,
    logs: options.Logs = Path("logs"),
    name: sweep_options.SweepName = None,
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
        "skip_bad_images": "true" if skip_bad_images else None,
        "model": model,
        "epochs": epochs,
        "batch_size": batch_size,
        "metric": metric,
        "device": device,
        "precision": precision,
        "engine": engine,
    }
    asked = Asked(config, flags, tuple(lr or ()), seeds, seed, tuple(set_ or ()))
    request = Request(
        asked,
        logs,
        name,
        confirm=confirm,
        extend=extend,
        retry_failed=retry_failed,
        yes=yes,
        workers=workers,
        ray=ray,
        dry_run=dry_run,
        print_commands=print_commands,
    )
    return carry_out(request, console)
