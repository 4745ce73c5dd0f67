"""A frozen Keras network as few kernels of torch, the same numbers to rounding.

Batch norms are folded into the convolutions before them, activations and sums are written over memory that nobody reads
again. A layer that is not known here is called as it is, so that any functional network comes out right.
"""

from collections import Counter

import keras
import torch

from lossopt_cli.training.transfer import kernels
from lossopt_cli.training.transfer.graph import Call, CallGraph
from lossopt_cli.training.transfer.kernels import Affine, Convolution, Sides, Step

CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
ELEMENTWISE = {keras.layers.Add: "add", keras.layers.Multiply: "mul"}


class FastNetwork:
    """images float [N, height, width, channels] -> what the model gives in inference mode, float32.

    The weights are copied, in `dtype`, to the device. It may be called from several threads at once.
    """

    def __init__(self, model: keras.Model, device: torch.device, dtype: torch.dtype = torch.float32):
        graph = CallGraph.of(model)
        self.dtype, self.input, self.output = dtype, graph.input, graph.output
        with torch.no_grad():
            self.steps = _Compiler(graph).steps()
            for step in self.steps:
                step.finish(device, dtype)
        self.freed = _freed(self.steps, self.output)

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        values = {self.input: kernels.ours(images.to(self.dtype))}
        for step, freed in zip(self.steps, self.freed, strict=True):
            values[step.gives] = step(*[values[name] for name in step.takes])
            for name in freed:
                del values[name]
        return kernels.theirs(values[self.output]).float()


def _freed(steps: list[Step], output: int) -> list[list[int]]:
    """The values that nobody reads after each step."""
    left = Counter([*(name for step in steps for name in step.takes), output])
    freed = []
    for step in steps:
        left.subtract(step.takes)
        freed.append([name for name in set(step.takes) if not left[name]])
    return freed


class _Compiler:
    """Goes through the calls once. made: the step behind a value. padded: what the convolutions that read it pad
    themselves: the value without its zeros, and these."""

    def __init__(self, graph: CallGraph):
        self.graph = graph
        self.all: list[Step] = []
        self.made: dict[int, Step] = {}
        self.padded: dict[int, tuple[int, Sides]] = {}

    def steps(self) -> list[Step]:
        for call in self.graph.calls:
            self._take(call)
        return self.all

    def _take(self, call: Call) -> None:
        operation, kind, source = call.operation, type(call.operation), call.takes[0]
        if kind in CONVOLUTIONS and operation.data_format == "channels_last":
            self._add(kernels.convolution(call, *self.padded.get(source, (source, kernels.NO_SIDES))))
        elif kind is keras.layers.BatchNormalization and operation.axis in (-1, len(call.shape)):
            self._normalise(call)
        elif (activation := kernels.activation(operation)) is not None:
            self._activate(call, activation)
        elif kind is keras.layers.ZeroPadding2D and self._is_read_by_convolutions(call.gives):
            self.padded[call.gives] = source, kernels.sides_of(operation)
        elif kind in ELEMENTWISE:
            own = [self._is_own(name) for name in call.takes]
            self._add(Step(call.takes, call.gives, kernels.elementwise(ELEMENTWISE[kind], own)))
        else:
            self._add(kernels.known(call) or kernels.as_it_is(call))

    def _normalise(self, call: Call) -> None:
        factor, shift = kernels.normalisation(call.operation)
        before = self._open(call.takes[0])
        if isinstance(before, Convolution):
            before.scale(factor, shift)
            self._rename(before, call.gives)
        else:
            self._add(Affine(call.takes, call.gives, factor=factor, shift=shift))

    def _activate(self, call: Call, activation: kernels.Function) -> None:
        before = self._open(call.takes[0])
        if before is not None:
            before.activation = activation
            self._rename(before, call.gives)
        else:
            self._add(Step(call.takes, call.gives, lambda x: activation(x, inplace=False)))

    def _open(self, name: int) -> Step | None:
        """The step that makes this value, where the value is memory of its own to which nothing was done yet."""
        step = self.made.get(name)
        return step if self._is_own(name) and step.activation is None else None

    def _is_own(self, name: int) -> bool:
        """Whether a value is memory of its own that is read once."""
        return name in self.made and self.made[name].fresh and self.graph.uses[name] == 1

    def _is_read_by_convolutions(self, name: int) -> bool:
        readers = [reader.operation for reader in self.graph.readers.get(name, [])]
        able = all(type(layer) in CONVOLUTIONS and layer.padding == "valid" for layer in readers)
        return able and self.graph.uses[name] == len(readers)

    def _add(self, step: Step) -> None:
        self.all.append(step)
        self.made[step.gives] = step

    def _rename(self, step: Step, name: int) -> None:
        """What the step gives has been worked on, and is another value now."""
        del self.made[step.gives]
        step.gives = name
        self.made[name] = step
