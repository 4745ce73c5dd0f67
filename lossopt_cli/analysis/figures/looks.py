"""Which colour a recipe has.

The rule: a recipe's home is the place of its optimizer plus that of its loss in the catalogue, modulo the number of
colours (what is not plainly in the catalogue takes a checksum of its spelling for its place). Where homes collide, the
recipes choose in the order of their losses and optimizers, each the next colour that is free; when all are taken, the
colours begin again with another dash and marker. All recipes of the comparison take part, shown or not, so that
choosing some of them, or sorting them otherwise, changes no colour.
"""

from collections.abc import Sequence
from zlib import crc32

from lossopt_cli.analysis.figures.picture import Look
from lossopt_cli.catalogue.losses import LOSSES
from lossopt_cli.catalogue.optimizers import OPTIMIZERS

# Okabe & Ito 2008, without its yellow (too light on white): told apart by people who see red and green alike.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
SHOWN = 9  # recipes in one picture; more lines than that nobody follows

_PLACES = {
    "loss": {row.name: place for place, row in enumerate(LOSSES)},
    "optimizer": {row.name: place for place, row in enumerate(OPTIMIZERS)},
}


def looks(recipes: Sequence[tuple[str, str, str]]) -> dict[str, Look]:
    """A look for each (name, loss, optimizer), by name, whatever the order of `recipes`."""
    taken: set[int] = set()
    found: dict[str, Look] = {}
    for loss, optimizer, name in sorted((loss, optimizer, name) for name, loss, optimizer in recipes):
        home = (_place("loss", loss) + _place("optimizer", optimizer)) % len(COLOURS)
        look_round = len(taken) // len(COLOURS)
        places = (look_round * len(COLOURS) + (home + step) % len(COLOURS) for step in range(len(COLOURS)))
        place = next(place for place in places if place not in taken)
        taken.add(place)
        found[name] = Look(COLOURS[place % len(COLOURS)], look_round, place + 3 * look_round)
    return found


def _place(part: str, spelled: str) -> int:
    place = _PLACES[part].get(spelled)
    return crc32(spelled.encode()) if place is None else place
