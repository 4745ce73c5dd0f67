"""Every pair of recipes: the difference with its interval, and what stands beside it."""

from lossopt_cli.analysis import layout, wording
from lossopt_cli.analysis.columns import metric_places
from lossopt_cli.analysis.comparison import Comparison, Difference
from lossopt_cli.analysis.layout import Block
from lossopt_cli.analysis.tables import View


def pair_table(comparison: Comparison, view: View) -> str:
    """A row a pair, the better one first; `differ` where rule 8 says so, `tie` where not, nothing where it cannot."""
    pairs = [_better_first(pair) for pair in comparison.pairs]
    if not pairs:
        return ""
    places = metric_places(comparison)
    blocks = [
        _block(("", "better"), [pair.a for pair in pairs], left=True),
        _block(("", "than"), [pair.b for pair in pairs], left=True),
        _block(("", "by"), [wording.fixed(pair.value, places) for pair in pairs]),
        _block(("", "interval"), [_interval(pair, places) for pair in pairs]),
        _block(("", ""), [_claim(pair) for pair in pairs], left=True),
        _block(("common", "seeds"), [str(pair.n) for pair in pairs]),
        _block(("seeds", "needed"), ["" if pair.seeds_needed is None else f"{pair.seeds_needed:,}" for pair in pairs]),
        _block(("P(better", "seed)"), [_number(pair.probability_of_improvement) for pair in pairs]),
        _block(("sign-flip", "p"), [_number(pair.p_sign_flip) for pair in pairs]),
        _block(("least", "p"), [_number(pair.p_smallest) for pair in pairs]),
        _block(("Holm", "p"), [_number(pair.p_holm) for pair in pairs]),
    ]
    room = max(14, view.width // 5)
    blocks = [layout.narrowed(block, room) if block.left else block for block in blocks]
    columns = layout.chosen([_ranked(block, place) for place, block in enumerate(blocks)], view.width)
    head = [view.style(line, "dim") for line in layout.head(columns)]
    rows = [line for place in range(len(pairs)) for line in layout.lines(columns, place)]
    return "\n".join([*head, *rows])


def _better_first(pair: Difference) -> Difference:
    if pair.value >= 0.0:
        return pair
    low, high = (None if end is None else -end for end in (pair.high, pair.low))
    chance = None if pair.probability_of_improvement is None else 1.0 - pair.probability_of_improvement
    return Difference(
        **{**vars(pair), "a": pair.b, "b": pair.a, "value": -pair.value, "low": low, "high": high}
        | {"probability_of_improvement": chance}
    )


def _block(head: tuple[str, str], cells: list[str], *, left: bool = False) -> Block:
    return layout.block(" ".join(head), head, cells, left=left, wanted=1)


def _ranked(block: Block, place: int) -> Block:
    """The first five always; the others while there is room."""
    return Block(**{**vars(block), "wanted": 1 if place < 5 else place})


def _interval(pair: Difference, places: int) -> str:
    return "" if pair.low is None else f"{wording.fixed(pair.low, places)} to {wording.fixed(pair.high, places)}"


def _claim(pair: Difference) -> str:
    return ("differ" if pair.different else "tie") if pair.claimable else ""


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2g}"
