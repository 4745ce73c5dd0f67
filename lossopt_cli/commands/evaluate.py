"""`lossopt evaluate`: a trained model on one split of its data, or on other data."""

from pathlib import Path

from lossopt_cli import comparison_options, options
from lossopt_cli.console import Console


def evaluate(
    run: comparison_options.EvaluatedRun = None,
    split: comparison_options.Split = None,
    data: comparison_options.OtherData = None,
    predictions: comparison_options.Predictions = None,
    threshold: comparison_options.Threshold = None,
    skip_bad_images: options.SkipBadImages = False,
    device: options.Device = None,
    fail_if: options.FailIf = None,
    logs: options.Logs = Path("logs"),
    format: options.Format = "table",
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> int:
    """Say how good a trained model is: metrics with intervals, class by class, and where it errs.

    RUN is a folder, the beginning of its name under --logs, or last. Without --data: the test split of the run's own
    data. Everything comes from the run's folder, which may have been copied to another machine.
    """
    console = Console(format, quiet=quiet, verbose=verbose).protect_stdout()
    from lossopt_cli.commands.evaluation_run import Request, carry_out

    request = Request(run, logs, split, data, predictions, threshold, device, fail_if, skip_bad_images)
    return carry_out(request, console)
