"""Batches for trials of many seeds, each in the order that it has alone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from lossopt_cli.training.feeding import Feed
from lossopt_cli.training.randomness import batch_order


@dataclass(frozen=True)
class StackFeed:
    """seeds: of the trials, in their order in the stack."""

    feed: Feed
    seeds: Sequence[int]

    def __len__(self) -> int:
        return len(self.feed)

    def epoch(self, seed: int, epoch: int, batch_size: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Batches [T, batch, ...]; the seed is not used, since every trial has its own."""
        orders = {own: torch.from_numpy(batch_order(len(self), own, epoch)) for own in dict.fromkeys(self.seeds)}
        order = torch.stack([orders[own] for own in self.seeds]).to(self.feed.targets.device)
        for rows in order.split(batch_size, dim=1):
            flat = rows.reshape(-1)
            inputs, targets = self.feed.rows(flat), self.feed.targets.index_select(0, flat)
            yield inputs.unflatten(0, rows.shape), targets.unflatten(0, rows.shape)
