"""Performance profiles: on which share of the problems a recipe takes at most tau times as long as the fastest."""

from collections.abc import Sequence

from lossopt_cli.analysis import convergence
from lossopt_cli.analysis.comparison import Comparison
from lossopt_cli.analysis.figures.looks import SHOWN, looks
from lossopt_cli.analysis.figures.picture import Chart, Line, Panel
from lossopt_cli.analysis.figures.same_runs import SameRuns
from lossopt_cli.analysis.figures.selection import NAMELESS, counted
from lossopt_cli.analysis.several import Across, across, times_of
from lossopt_cli.analysis.wording import listing
from lossopt_cli.errors import Fault, UsageError


def profile_of(comparisons: Sequence[Comparison], runs: SameRuns = NAMELESS) -> Chart:
    """A staircase for each recipe, with its score B: the recipes, times and scores of the table of all problems.

    UsageError for fewer than two problems with a target, and where no two recipes were run on the same two."""
    comparisons = [comparison for comparison in comparisons if comparison.target is not None]
    if len(comparisons) < 2:
        raise UsageError(_too_few("fewer than two problems", runs))
    every = [row for row in across(comparisons) if _seen(row) > 1]
    if len(every) < 2:
        raise UsageError(_too_few("fewer than two recipes that were run on two problems", runs))
    every.sort(key=lambda row: -row.score)
    rows = every[:SHOWN]
    taus, shares = convergence.profile(times_of(comparisons, [row.results for row in every]))
    look = looks([(row.name, _some(row).loss, _some(row).optimizer) for row in every])
    lines = [
        Line(
            taus,
            shares[place],
            look[row.name],
            f"{row.name} (B {row.score:.3f})",
            "staircase",
            weight=1.0 + 0.4 * (len(rows) - 1 - place),
        )
        for place, row in enumerate(rows)
    ]
    seeds = [result.n for row in rows for result in row.results if result is not None]
    captions = [
        "target: " + ", ".join(f"{c.metric} {c.target:.3g} on {c.data}" for c in comparisons),
        f"epochs to it, a miss never: median of {counted(seeds, 'seed')}; no band; B: area below, at most 1",
    ]
    untuned = [row.name for row in rows if any(r is not None and r.standing == "not_tuned" for r in row.results)]
    if untuned:
        captions.append(f"not tuned everywhere (best at the end of the rates), so not judged: {listing(untuned)}")
    if len(rows) < len(every):
        captions.append(f"{len(rows)} of {len(every)} recipes shown, those with the largest B")
    panel = Panel(
        "times as long as the fastest",
        "share of the problems",
        tuple(lines),
        x_limits=(1.0, convergence.R_MAX),
        y_limits=(-0.03, 1.03),
    )
    return Chart(f"Performance profile over {len(comparisons)} problems", "\n".join(captions), (panel,))


def _seen(row: Across) -> int:
    return sum(result is not None for result in row.results)


def _some(row: Across):
    return next(result for result in row.results if result is not None)


def _too_few(what: str, runs: SameRuns) -> Fault:
    return Fault(
        f"{what}: a profile is over several",
        "--kind profile",
        "the same recipes on two problems or more",
        f"{runs.compare()} shows which there are",
    )
