"""Which rows train, which validate, which test: seeded, exact in size, the same on every machine."""

import zlib
from collections.abc import Sequence

import numpy as np

from lossopt_cli.config.schema import DataConfig

TRAIN, VALIDATION, TEST = 0, 1, 2


def generator(name: str, seed: int) -> np.random.Generator:
    """A stream of random numbers of its own for every (name, seed), so that no draw shifts another."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(zlib.crc32(name.encode()),)))


def split_seed(config: DataConfig, seed: int) -> int:
    """`data.split_seed`, or the training seed where that is `seed`."""
    return seed if config.split_seed == "seed" else config.split_seed


def largest_remainder(shares: np.ndarray, count: int) -> np.ndarray:
    """Whole numbers with sum `count`, each floor or ceiling of its share; int64 [parts].

    The largest fractions are rounded up (Hamilton's method); of equal fractions the first.
    """
    shares = np.asarray(shares, dtype=np.float64)
    ideal = shares / shares.sum() * count
    whole = np.floor(ideal + 1e-9).astype(np.int64)
    order = np.argsort(-np.round(ideal - whole, 9), kind="stable")
    whole[order[: count - whole.sum()]] += 1
    return whole


def quotas(counts: np.ndarray, shares: Sequence[float]) -> np.ndarray:
    """How many of each class go to each part: int64 [classes, parts].

    Rows sum to `counts`; columns to the largest remainders of the whole set, so that the shares are met
    for the set and, within one example (rarely two), for every class. Each class is rounded by largest
    remainders; then single examples move between parts, where that costs least, until the columns fit.
    """
    shares = np.asarray(shares, dtype=np.float64)
    table = np.stack([largest_remainder(shares, int(n)) for n in counts])
    ideal = counts[:, None] * shares[None, :]
    wanted = largest_remainder(shares, int(counts.sum()))
    while (surplus := table.sum(axis=0) - wanted).any():
        giver, taker = int(surplus.argmax()), int(surplus.argmin())
        # how far a move brings row k from its ideal, in squares: ((g-1)^2 - g^2 + (t+1)^2 - t^2) / 2 - 1
        cost = (table[:, taker] - ideal[:, taker]) - (table[:, giver] - ideal[:, giver])
        cost = np.where(table[:, giver] > 0, cost, np.inf)
        row = int(cost.argmin())
        table[row, giver] -= 1
        table[row, taker] += 1
    return table


def draw(labels: np.ndarray | None, count: int, shares: Sequence[float], rng: np.random.Generator) -> np.ndarray:
    """The part of each of `count` rows, int64 [count], shares met exactly; by class where labels are
    given."""
    part = np.empty(count, dtype=np.int64)
    groups = np.zeros(count, dtype=np.int64) if labels is None else labels
    kinds, groups = np.unique(groups, return_inverse=True)
    counts = np.bincount(groups, minlength=len(kinds))
    for kind, row in enumerate(quotas(counts, shares) if count else []):
        members = rng.permutation(np.flatnonzero(groups == kind))
        part[members] = np.repeat(np.arange(len(row)), row)
    return part


def subset(labels: np.ndarray | None, count: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """`size` of `count` rows in their order, int64 [size]; every class keeps its share where labels are
    given."""
    return np.flatnonzero(draw(labels, count, (size / count, 1 - size / count), rng) == 0)


def divide(
    labels: np.ndarray | None, given: np.ndarray | None, count: int, config: DataConfig, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row numbers of train, validation and test; together every row once.

    labels: int64 [count], None for a regression. given: the part that the source itself gave each row, int64
    [count], None where it gave none. A part that the source gives is kept; one that it does not give is drawn
    from the rows given to train, by the shares of `data.split` among the parts that are not given.
    """
    given = np.zeros(count, dtype=np.int64) if given is None else given
    open_parts = [p for p in (TRAIN, VALIDATION, TEST) if p == TRAIN or not (given == p).any()]
    pool = np.flatnonzero(given == TRAIN)
    shares = np.array([config.split[p] for p in open_parts])
    if len(open_parts) < 3:
        shares = shares / shares.sum()
    if config.split_method == "random_split":
        drawn = _random_split(len(pool), shares, split_seed(config, seed))
    else:
        strata = labels[pool] if labels is not None and config.split_method == "stratified" else None
        part = draw(strata, len(pool), shares, generator("split", split_seed(config, seed)))
        drawn = [np.flatnonzero(part == place) for place in range(len(open_parts))]
    rows = {p: pool[chosen] for p, chosen in zip(open_parts, drawn, strict=True)}
    return tuple(rows[p] if p in rows else np.flatnonzero(given == p) for p in (TRAIN, VALIDATION, TEST))


def _random_split(count: int, shares: np.ndarray, seed: int) -> list[np.ndarray]:
    """torch's random_split of range(count): lengths int(share * count), the rest to the last part, in its
    order."""
    import torch

    lengths = [int(share * count) for share in shares[:-1]]
    lengths.append(count - sum(lengths))
    parts = torch.utils.data.random_split(range(count), lengths, generator=torch.Generator().manual_seed(seed))
    return [np.asarray(part.indices, dtype=np.int64) for part in parts]
