"""Every pair of recipes: the difference with its interval, and what stands beside it."""

from lossopt_cli.analysis import layout, wording
from lossopt_cli.analysis.columns import metric_places
from lossopt_cli.analysis.comparison import Comparison, Difference
from lossopt_cli.analysis.layout import Block
from lossopt_cli.analysis.tables import View

KEYS = {
    " interval": "differ: the interval, at the level of all pairs together, leaves out 0; tie: it does not",
    "seeds to tell": "seeds to tell: how many would tell the two apart, four times in five, at the spread seen",
    "better seed": "better seed: the chance that a seed of the better one beats a seed of the other",
    "sign-flip p": "sign-flip p: how often chance alone does as much; it stands beside the interval and never decides",
    "least p": "least p: the smallest that so many seeds can give",
    "Holm p": "Holm p: the same, corrected for all pairs",
}


def pair_table(comparison: Comparison, view: View) -> str:
    """A row a pair, the better one first; `differ` where rule 8 says so, `equal` where the difference is too small to
    count, else `tie`; nothing where it cannot be judged."""
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
        _block(("seeds in", "common"), [str(pair.n) for pair in pairs]),
        _block(("seeds", "to tell"), ["" if pair.seeds_needed is None else f"{pair.seeds_needed:,}" for pair in pairs]),
        _block(("better", "seed"), [_number(pair.probability_of_improvement) for pair in pairs]),
        _block(("sign-flip", "p"), [_number(pair.p_sign_flip) for pair in pairs]),
        _block(("least", "p"), [_number(pair.p_smallest) for pair in pairs]),
        _block(("Holm", "p"), [_number(pair.p_holm) for pair in pairs]),
    ]
    room = max(14, view.width // 5)
    blocks = [layout.narrowed(block, room) if block.left else block for block in blocks]
    columns = layout.chosen([_ranked(block, place) for place, block in enumerate(blocks)], view.width)
    head = [view.style(line, "dim") for line in layout.head(columns)]
    rows = [line for place in range(len(pairs)) for line in layout.lines(columns, place)]
    told = [key for name, key in KEYS.items() if any(column.name == name for column in columns)]
    below = [view.style(line, "dim") for key in told for line in layout.wrapped(key, view.width, "    ")]
    return "\n".join([*head, *rows, "", *below])


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
    if not pair.claimable:
        return ""
    return "equal" if pair.equal else "differ" if pair.different else "tie"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2g}"
