"""Batches for trials of many seeds, each in the order that it has alone."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch

from lossopt_cli.training.augmentation import Drawn
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
        shown, drawn = self.feed.shown(epoch), {own: self.feed.drawn(own, epoch) for own in orders}
        for rows in order.split(batch_size, dim=1):
            flat = rows.reshape(-1)
            inputs, targets = shown.rows(flat).unflatten(0, rows.shape), self.feed.targets.index_select(0, flat)
            if self.feed.augmentation is not None:
                self._change(inputs, drawn, rows)
            yield inputs, targets.unflatten(0, rows.shape)

    def _change(self, inputs: torch.Tensor, drawn: Mapping[int, Drawn], rows: torch.Tensor) -> None:
        """As each trial's own feed changes its batch; trials of one seed have the same one."""
        first: dict[int, int] = {}
        for place, seed in enumerate(self.seeds):
            if seed in first:
                inputs[place].copy_(inputs[first[seed]])
            else:
                self.feed.change(inputs[place], drawn[seed], rows[place])
                first[seed] = place
