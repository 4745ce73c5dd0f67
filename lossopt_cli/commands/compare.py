"""`lossopt compare`: what the runs can tell, and how sure that is."""

from pathlib import Path

from lossopt_cli import comparison_options, options
from lossopt_cli.console import Console


def compare(
    references: comparison_options.Compared = None,
    metric: comparison_options.ComparedMetric = None,
    split: comparison_options.Split = None,
    target: comparison_options.TargetValue = None,
    baseline: comparison_options.Baseline = None,
    min_effect: comparison_options.MinEffect = None,
    problem: comparison_options.WhichProblem = "1",
    sort: comparison_options.Sort = None,
    top: comparison_options.Top = None,
    columns: comparison_options.Columns = None,
    pairs: comparison_options.Pairs = False,
    rows: comparison_options.Rows = "recipes",
    methods: comparison_options.Methods = False,
    fail_if: comparison_options.FailIfCompared = None,
    logs: options.Logs = Path("logs"),
    format: options.Format = "table",
    quiet: comparison_options.NoNotes = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> int:
    """Compare recipes over their learning rates and seeds: who is best, by how much, and how sure that is.

    A recipe's learning rate is chosen on validation; the table is of the test data. What chance may explain is called a
    tie.

    --fail-if compares numbers: the metric by its name (of the best recipe), worst (its worst seed), recipes, seeds,
    lost (trials), not_tuned, tied (recipes), all without the baseline's, and baseline; and `worse`: some recipe is
    worse than the baseline, or that cannot be decided.
    """
    console = Console(format, quiet=quiet, verbose=verbose)
    from lossopt_cli.commands.comparing import Asked, Shown, carry_out

    asked = Asked(tuple(references or ()), logs, metric, split, target, baseline, min_effect, problem)
    return carry_out(asked, Shown(sort, top, columns, pairs, rows, methods), fail_if, console)
