"""`lossopt plot`: pictures of runs, of comparisons, and of losses themselves."""

from pathlib import Path

from lossopt_cli import comparison_options, options
from lossopt_cli.console import Console


def plot(
    references: comparison_options.Compared = None,
    kind: comparison_options.PlotKind = None,
    by: comparison_options.By = None,
    recipes: comparison_options.Recipes = None,
    metric: comparison_options.ComparedMetric = None,
    split: comparison_options.Split = None,
    problem: comparison_options.DrawnProblem = "1",
    loss: options.Losses = None,
    out: options.Out = None,
    style: comparison_options.PictureStyle = "screen",
    logs: options.Logs = Path("logs"),
    format: options.Format = "table",
    quiet: comparison_options.NoNotes = False,
    debug: options.Debug = False,
) -> None:
    """Draw runs, or a comparison of recipes, to a file whose path goes to stdout; a terminal gets a drawing as well.

      curves       loss and metric over the training (unless another is said)
      steps        the loss of every batch, and its running mean
      lr           the metric by learning rate: best, room, lost trials
      heatmap      the metric by loss and optimizer
      differences  which recipes differ, with the intervals that decide it
      profile      who is fast, over several problems
      tradeoff     the metric against training seconds
      confusion    which classes a run takes for which
      losses       losses themselves: what an error costs, and how hard it pulls

    curves and lr are of the validation data, for one chooses by what they show; the others of the test data.
    """
    console = Console(format, quiet=quiet)
    from lossopt_cli.commands.plotting import Asked, carry_out

    asked = Asked(tuple(references or ()), logs, kind, metric, split, by, recipes, problem, loss)
    carry_out(asked, out, style, console)
