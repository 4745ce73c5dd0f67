"""How much better one recipe is than another, with the interval that decides whether that may be chance."""

from lossopt_cli.analysis import wording
from lossopt_cli.analysis.comparison import Difference
from lossopt_cli.analysis.figures.picture import Forest, Span
from lossopt_cli.analysis.figures.selection import Selection, counted
from lossopt_cli.analysis.pairs import mirrored
from lossopt_cli.analysis.statistics import LEAST_SEEDS
from lossopt_cli.errors import Fault, UsageError

MOST_PAIRS = 15  # of six recipes; of more, those with the best (or the baseline)


def differences(selection: Selection) -> Forest:
    """A row a pair, the better one first, at the level at which the table decides. UsageError for fewer than two
    recipes, and for fewer than two seeds that two of them share."""
    comparison = selection.comparison
    shown = {recipe.name for recipe in selection.recipes}
    pairs = [pair for pair in comparison.pairs if {pair.a, pair.b} <= shown]
    if not pairs:
        raise UsageError(
            Fault(
                "one recipe: there is no difference to draw",
                "--kind differences",
                "runs of two recipes or more",
                selection.runs.sweep("--opt sgd,adam --lr auto"),
            )
        )
    pairs = [pair for pair in pairs if pair.low is not None]
    if not pairs:
        raise UsageError(
            Fault(
                "no two recipes share two seeds: a difference has no interval",
                "--kind differences",
                f"at least two seeds of each recipe, {LEAST_SEEDS} to claim something",
                selection.runs.sweep(f"--seeds {LEAST_SEEDS}"),
            )
        )
    against = comparison.baseline or comparison.recipes[0].name
    few = len(pairs) <= MOST_PAIRS
    if few:
        better_first = [pair if pair.value >= 0.0 else mirrored(pair) for pair in pairs]
        spans = [_span(pair, f"{pair.a} over {pair.b}") for pair in better_first]
    else:
        of_one = [pair if pair.a == against else mirrored(pair) for pair in pairs if against in (pair.a, pair.b)]
        spans = [_span(pair, f"over {pair.b}") for pair in of_one]
    seeds = counted([pair.n for pair in pairs], "common seed")
    level = f"{100.0 * pairs[0].confidence:.4g} % ({wording.counted(comparison.protocol.pairs, 'pair')} compared)"
    return Forest(
        f"Differences in {comparison.split} {comparison.metric}",
        selection.caption(
            f"{seeds}; bars: paired t interval of the difference at {level}; what crosses 0 may be as good",
            "" if few else f"only the pairs with {against}; with six recipes or fewer (--recipes) all",
        ),
        f"better by ({comparison.metric})" if few else f"{against} is better by ({comparison.metric})",
        tuple(spans),
        "different",
        "may be as good, or too little to judge",
    )


def _span(pair: Difference, label: str) -> Span:
    return Span(label, pair.value, pair.low, pair.high, pair.different)
