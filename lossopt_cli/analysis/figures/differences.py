"""How much better one recipe is than another, with the interval that decides whether that may be chance."""

from lossopt_cli.analysis import wording
from lossopt_cli.analysis.comparison import Difference
from lossopt_cli.analysis.figures.picture import Forest, Span
from lossopt_cli.analysis.figures.selection import Selection
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
                "lossopt train --opt sgd",
            )
        )
    pairs = [pair for pair in pairs if pair.low is not None]
    if not pairs:
        raise UsageError(
            Fault(
                "no two recipes share two seeds: a difference has no interval",
                "--kind differences",
                "at least two seeds of each recipe, four to claim something",
                "lossopt train --seed 1",
            )
        )
    against = comparison.baseline or comparison.recipes[0].name
    few = len(pairs) <= MOST_PAIRS
    spans = [_span(comparison.split, pair) for pair in pairs if few or against in (pair.a, pair.b)]
    counts = sorted({pair.n for pair in pairs})
    seeds = wording.span([str(counts[0]), wording.counted(counts[-1], "common seed")])
    level = f"{100.0 * pairs[0].confidence:.4g} % ({wording.counted(comparison.protocol.pairs, 'pair')} compared)"
    return Forest(
        f"Differences in {comparison.split} {comparison.metric}",
        selection.caption(
            f"{seeds}; bars: paired t interval of the difference at {level}; what crosses 0 may be as good",
            "" if few else f"only the pairs with {against}; --recipes with at most 6 shows all of theirs",
        ),
        f"better by ({comparison.metric})",
        tuple(spans),
        "different",
        "may be as good, or too little to judge",
    )


def _span(split: str, pair: Difference) -> Span:
    """Turned so that the better one stands first and the value is not negative."""
    if pair.value < 0.0:
        return Span(f"{pair.b} over {pair.a}", -pair.value, -pair.high, -pair.low, pair.different)
    return Span(f"{pair.a} over {pair.b}", pair.value, pair.low, pair.high, pair.different)
