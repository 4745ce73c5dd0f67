"""Splits: shares met exactly, every row once, the same for the same seed."""

import numpy as np
import pytest

from lossopt_cli.config.schema import DataConfig
from lossopt_cli.data.splits import divide, generator, largest_remainder, quotas, subset

SHARES = [[0.7, 0.2, 0.1], [0.8, 0.2, 0.0], [1.0, 0.0, 0.0], [0.34, 0.33, 0.33], [0.5, 0.0, 0.5]]
COUNTS = [[178, 182, 177, 183, 181, 182, 181, 179, 174, 180], [1, 2, 3], [50, 50, 50], [1000, 7], [10]]


@pytest.mark.parametrize("shares", SHARES, ids=str)
@pytest.mark.parametrize("counts", COUNTS, ids=str)
def test_quotas_meet_every_class_and_every_share(counts, shares):
    counts = np.array(counts)
    table = quotas(counts, shares)
    assert (table >= 0).all()
    assert table.sum(axis=1).tolist() == counts.tolist()
    assert table.sum(axis=0).tolist() == largest_remainder(np.array(shares), counts.sum()).tolist()
    assert np.abs(table - counts[:, None] * np.array(shares)).max() < 2


@pytest.mark.parametrize(
    ("count", "wanted"), [(1797, [1258, 359, 180]), (10, [7, 2, 1]), (3, [2, 1, 0]), (1, [1, 0, 0])]
)
def test_largest_remainder_by_hand(count, wanted):
    # 1797: 1257.9, 359.4, 179.7; the fractions 0.9 and 0.7 are rounded up. 3: 2.1, 0.6, 0.3. 10: exact.
    assert largest_remainder(np.array([0.7, 0.2, 0.1]), count).tolist() == wanted


@pytest.mark.parametrize("method", ["stratified", "random", "random_split"])
def test_every_row_is_in_one_part(method):
    labels = np.arange(101) % 4
    config = DataConfig(name="digits", split_method=method)
    parts = divide(labels, None, 101, config, seed=0)
    assert sorted(np.concatenate(parts).tolist()) == list(range(101))
    assert all(len(p) for p in parts)


@pytest.mark.parametrize("method", ["stratified", "random", "random_split"])
def test_the_seed_decides(method):
    labels = np.arange(200) % 4

    def train(split_seed, seed):
        config = DataConfig(name="digits", split_method=method, split_seed=split_seed)
        return divide(labels, None, 200, config, seed)[0].tolist()

    assert train(20, 0) == train(20, 1)
    assert train(20, 0) != train(21, 0)
    assert train("seed", 0) != train("seed", 1)
    assert train("seed", 20) == train(20, 0)


def test_stratified_keeps_the_classes_shares_and_random_does_not():
    labels = np.repeat([0, 1], [90, 10])
    shares = {}
    for method in ("stratified", "random"):
        config = DataConfig(name="digits", split_method=method, split_seed=1)
        parts = divide(labels, None, 100, config, seed=0)
        shares[method] = [int(labels[p].sum()) for p in parts]
    assert shares["stratified"] == [7, 2, 1]
    assert shares["random"] != [7, 2, 1]


# 90: int(0.7 * 90) is 62, and 63 with shares that were divided by their sum, 0.9999999999999999
@pytest.mark.parametrize("count", [103, 1797, 10, 90])
def test_random_split_is_torchs(count):
    import torch

    config = DataConfig(name="digits", split_method="random_split", split_seed=42)
    train, validation = int(0.7 * count), int(0.2 * count)
    reference = torch.utils.data.random_split(
        range(count),
        [train, validation, count - train - validation],
        generator=torch.Generator().manual_seed(42),
    )
    parts = divide(np.zeros(count, dtype=np.int64), None, count, config, seed=0)
    assert [p.tolist() for p in parts] == [list(r.indices) for r in reference]


@pytest.mark.parametrize(
    ("given", "sizes"),
    [
        # test is given: its 20 stay, the 90 for training are divided 7 to 2
        ([0] * 90 + [2] * 20, [70, 20, 20]),
        # validation is given, test is not: 7 to 1
        ([0] * 80 + [1] * 30, [70, 30, 10]),
        ([0] * 80 + [1] * 20 + [2] * 10, [80, 20, 10]),
        ([0] * 110, [77, 22, 11]),
    ],
)
@pytest.mark.parametrize("method", ["stratified", "random", "random_split"])
def test_parts_that_the_source_gives_are_kept(given, sizes, method):
    given = np.array(given)
    parts = divide(np.arange(110) % 2, given, 110, DataConfig(name="digits", split_method=method), seed=0)
    assert [len(p) for p in parts] == pytest.approx(sizes, abs=1 if method == "random_split" else 0)
    for part in (1, 2):
        if (given == part).any():
            assert parts[part].tolist() == np.flatnonzero(given == part).tolist()


def test_a_subset_keeps_order_and_classes():
    labels = np.repeat([0, 1], [80, 20])
    rows = subset(labels, 100, 10, generator("limit", 3))
    assert rows.tolist() == sorted(rows.tolist())
    assert labels[rows].tolist() == [0] * 8 + [1] * 2


def test_streams_of_different_names_differ():
    assert generator("split", 1).random() != generator("limit", 1).random()
    assert generator("split", 1).random() == generator("split", 1).random()
