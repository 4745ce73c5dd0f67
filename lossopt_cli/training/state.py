"""Where T trials stand: every tensor has a leading axis of trials. It is the checkpoint, bit for bit."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch


@dataclass
class State:
    """weights: float32 [T, size], laid out by a Layout. buffers: the model's other variables (batch-norm statistics,
    the seed state of every random layer), each [T, ...]. slots: what the update rule keeps, each [T, ...].
    alive: bool [T]. epoch and step: how many are behind them.
    """

    weights: torch.Tensor
    buffers: list[torch.Tensor]
    slots: list[torch.Tensor]
    alive: torch.Tensor = field(default_factory=lambda: torch.ones(1, dtype=torch.bool))
    epoch: int = 0
    step: int = 0

    def take(self, rows: list[int]) -> "State":
        """These trials alone, copied."""
        index = torch.tensor(rows)
        on_device = index.to(self.weights.device)
        pick = lambda tensors: [tensor.index_select(0, on_device) for tensor in tensors]  # noqa: E731
        weights, alive = pick([self.weights])[0], self.alive.index_select(0, index)
        return State(weights, pick(self.buffers), pick(self.slots), alive, self.epoch, self.step)

    def join(self, other: "State") -> "State":
        """These trials and the other's, in that order; both must stand at the same step."""
        assert (self.epoch, self.step) == (other.epoch, other.step)
        pairs = lambda ours, theirs: [torch.cat(pair) for pair in zip(ours, theirs, strict=True)]  # noqa: E731
        weights, alive = pairs([self.weights, self.alive], [other.weights, other.alive])
        slots = pairs(self.slots, other.slots)
        return State(weights, pairs(self.buffers, other.buffers), slots, alive, self.epoch, self.step)

    def copy(self) -> "State":
        return self.take(list(range(len(self.alive))))

    def save(self, folder: Path) -> None:
        """state.npz (arrays, nothing pickled) and state.json (epoch, step), each written whole."""
        folder.mkdir(parents=True, exist_ok=True)
        arrays = {"weights": self.weights, "alive": self.alive}
        arrays |= {f"buffer_{i}": tensor for i, tensor in enumerate(self.buffers)}
        arrays |= {f"slot_{i}": tensor for i, tensor in enumerate(self.slots)}
        temporary = folder / "state.npz.tmp"
        with open(temporary, "wb") as file:
            np.savez(file, **{name: tensor.detach().cpu().numpy() for name, tensor in arrays.items()})
        os.replace(temporary, folder / "state.npz")
        place = {"epoch": self.epoch, "step": self.step, "buffers": len(self.buffers), "slots": len(self.slots)}
        temporary = folder / "state.json.tmp"
        temporary.write_text(json.dumps(place) + "\n")
        os.replace(temporary, folder / "state.json")

    @classmethod
    def load(cls, folder: Path, device: str = "cpu") -> "State":
        """What `save` wrote, on that device."""
        place = json.loads((folder / "state.json").read_text())
        with np.load(folder / "state.npz", allow_pickle=False) as arrays:
            tensors = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
        on_device = lambda name, count: [tensors[f"{name}_{i}"].to(device) for i in range(count)]  # noqa: E731
        buffers, slots = on_device("buffer", place["buffers"]), on_device("slot", place["slots"])
        weights = tensors["weights"].to(device)
        return cls(weights, buffers, slots, tensors["alive"], place["epoch"], place["step"])
