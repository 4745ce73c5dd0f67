"""Optimizers that are torch's: one trial at a time behind the interface of a rule, their state as plain tensors."""

import json
import math
from collections.abc import Mapping

import numpy as np
import torch

from lossopt_cli.training.layout import Layout
from lossopt_cli.training.user_optimizers import TorchFactory

PLAIN = (bool, int, float, str, type(None))


class TorchRule:
    """An optimizer of torch over leaf parameters that share the weights' memory.

    Slots: the optimizer's whole state as `packed` gives it, [] where it holds what no tensor can; `note` then says so.
    They are written when a session ends and read when one begins on weights that the optimizer does not share.
    """

    def __init__(self, factory: TorchFactory, layout: Layout):
        self.factory, self.layout = factory, layout
        self.name = factory.name
        self.optimizer: torch.optim.Optimizer | None = None
        self.parameters: list[torch.nn.Parameter] = []
        self.rate: float | None = None
        self.modes = False
        self.note: str | None = None

    def start(self, weights: torch.Tensor) -> list[torch.Tensor]:
        self._bind(weights)
        return self.detach([])

    def _bind(self, weights: torch.Tensor) -> None:
        self.parameters = [torch.nn.Parameter(view) for view in self.layout.views(weights)]
        self.optimizer = self.factory(self.parameters)
        self.modes = {"train", "eval"} <= set(dir(self.optimizer))
        self.name = f"torch {type(self.optimizer).__name__}"

    def attach(self, weights, slots) -> None:
        self.rate = None
        if not self.parameters or self.parameters[0].data_ptr() != weights.data_ptr():
            self._bind(weights)
            if slots:
                unpack(slots, self.optimizer, self.parameters)
        if self.modes:
            self.optimizer.train()

    def detach(self, slots) -> list[torch.Tensor]:
        try:
            return packed(self.optimizer, self.parameters)
        except TypeError as reason:
            self.note = f"a resume starts {self.name} anew: {reason}"
            return []

    def prepare(self, weights, slots) -> None:
        pass

    def update(self, weights, gradients, slots, rate, step) -> None:
        if rate != self.rate and not math.isnan(rate):
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            self.rate = rate
        for parameter, gradient in zip(self.parameters, self.layout.views(gradients), strict=True):
            parameter.grad = gradient
        self.optimizer.step()

    def evaluated(self, weights, slots) -> torch.Tensor | None:
        """The average that a schedule-free optimizer is evaluated at.

        Its train() undoes eval() but for rounding: the weights are put back as they were.
        """
        if not self.modes:
            return None
        before = weights.clone()
        self.optimizer.eval()
        averaged = weights.clone()
        self.optimizer.train()
        weights.copy_(before)
        return averaged

    finished = evaluated


def packed(optimizer: torch.optim.Optimizer, parameters: list[torch.nn.Parameter]) -> list[torch.Tensor]:
    """An optimizer's state and the settings of its groups: a JSON text as bytes, then the tensors that it numbers.

    TypeError names what is neither plain nor a tensor.
    """
    tensors: list[torch.Tensor] = []
    place = {id(parameter): index for index, parameter in enumerate(parameters)}
    state = [
        [place.get(id(key), key if isinstance(key, str) else None), _plain(value, tensors)]
        for key, value in optimizer.state.items()
    ]
    groups = [
        {key: _plain(value, tensors) for key, value in group.items() if key != "params"}
        for group in optimizer.param_groups
    ]
    text = json.dumps({"state": state, "groups": groups}).encode()
    return [torch.from_numpy(np.frombuffer(text, dtype=np.uint8).copy()), *tensors]


def unpack(slots: list[torch.Tensor], optimizer: torch.optim.Optimizer, parameters: list[torch.nn.Parameter]) -> None:
    """Gives an optimizer of the same parameters the state that `packed` wrote, in tensors of its own."""
    first, *tensors = slots
    kept = json.loads(first.cpu().numpy().tobytes())
    optimizer.state.clear()
    for key, value in kept["state"]:
        optimizer.state[parameters[key] if isinstance(key, int) else key] = _restored(value, tensors)
    for group, values in zip(optimizer.param_groups, kept["groups"], strict=True):
        group.update({key: _restored(value, tensors) for key, value in values.items()})


def _plain(value, tensors: list[torch.Tensor]):
    if isinstance(value, torch.Tensor):
        torch.empty(0, dtype=value.dtype).numpy()  # TypeError for a type that no file of arrays holds
        tensors.append(value.detach())
        return {"tensor": len(tensors) - 1, "device": "cpu" if value.device.type == "cpu" else "weights"}
    if isinstance(value, Mapping):
        return {"mapping": [[key, _plain(item, tensors)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        return {type(value).__name__: [_plain(item, tensors) for item in value]}
    if isinstance(value, PLAIN):
        return value
    raise TypeError(f"its state holds a {type(value).__name__}")


def _restored(value, tensors: list[torch.Tensor]):
    if not isinstance(value, dict):
        return value
    kind, content = next(iter(value.items()))
    if kind == "tensor":
        tensor = tensors[content].clone()
        return tensor.cpu() if value["device"] == "cpu" else tensor
    if kind == "mapping":
        return {key: _restored(item, tensors) for key, item in content}
    items = [_restored(item, tensors) for item in content]
    return tuple(items) if kind == "tuple" else items
