"""A look into a network on one batch: what its activations do, and which gradient its kernels get."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

import keras
import torch
from keras.src.layers.convolutional.base_conv import BaseConv
from keras.src.layers.convolutional.base_depthwise_conv import BaseDepthwiseConv

from lossopt_cli.training.calling import called
from lossopt_cli.training.doctor.layers import Activity, Gradient
from lossopt_cli.training.examination import Examination
from lossopt_cli.training.plain import PlainProgram
from lossopt_cli.training.program import Program
from lossopt_cli.training.randomness import pure_randomness
from lossopt_cli.training.state import State
from lossopt_cli.training.targets import decoded, read_out

# Below this share of an example's weight in the mean, the slope of its loss is lost in that of the others.
NO_SLOPE = 1e-6
FLAT = 1e-3  # from the end of a sigmoid's or tanh's range: its slope there is a thousandth of the steepest
# Activations that are 0 with slope 0 on one side; those that are flat at both ends, with the ends.
RECTIFIERS = (keras.activations.relu, keras.activations.relu6)
SQUASHERS = {keras.activations.sigmoid: (0.0, 1.0), keras.activations.tanh: (-1.0, 1.0)}
ACTIVATED = (keras.layers.Activation, keras.layers.Dense, keras.layers.EinsumDense, BaseConv, BaseDepthwiseConv)


@dataclass(frozen=True)
class Look:
    """loss, raw: of the batch, with its targets; norm: of the whole gradient."""

    loss: float
    raw: torch.Tensor
    targets: torch.Tensor
    activities: list[Activity]
    gradients: list[Gradient]
    norm: float


def looked_at(program: Program | PlainProgram, state: State, inputs: torch.Tensor, targets: torch.Tensor) -> Look:
    """One forward and backward of the batch as a step would take them, without one; the state stays as it is."""
    layout, buffers = program.layout, [tensor[0] for tensor in state.buffers]
    weights = [view.detach().requires_grad_() for view in layout.views(state.weights[0])]
    with ExitStack() as around, torch.enable_grad():
        if not isinstance(program, PlainProgram):
            around.enter_context(pure_randomness())
        seen = around.enter_context(_watched(program.model))
        given, _, penalties = called(program.model, weights, buffers, inputs, training=True)
        raw = given.float()
        loss = sum((penalty.sum() for penalty in penalties), program.loss(targets, raw))
        gradients = torch.autograd.grad(loss, weights, allow_unused=True, materialize_grads=True)
    sizes = torch.stack([gradient.double().square().mean().sqrt() for gradient in gradients]).tolist()
    norm = float(torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(each) for each in gradients])))
    kernels = [
        Gradient(_layer_of(variable), size)
        for variable, size in zip(program.model.trainable_variables, sizes, strict=True)
        if len(variable.shape) > 1
    ]
    return Look(float(loss.detach()), raw.detach(), targets, _read(seen, given), kernels, norm)


def activities(program: Program | PlainProgram, state: State, inputs: torch.Tensor) -> list[Activity]:
    """What the activations do on these inputs, in inference mode."""
    weights, buffers = program.layout.views(state.weights[0]), [tensor[0] for tensor in state.buffers]
    with torch.no_grad(), _watched(program.model) as seen:
        raw, *_ = called(program.model, weights, buffers, inputs, training=False)
    return _read(seen, raw)


def stuck(examination: Examination, targets: torch.Tensor, raw: torch.Tensor) -> int:
    """How many of the examples are predicted wrongly although their loss has no slope in their raw outputs."""
    problem, objective = examination.problem, examination.objective
    outputs = raw.detach().requires_grad_()
    with torch.enable_grad():
        (slopes,) = torch.autograd.grad(objective.loss(targets, outputs), outputs)
    flat = slopes.flatten(1).abs().amax(dim=1) <= NO_SLOPE / len(raw)
    truth = decoded(problem, objective.fit, targets.cpu().numpy())
    wrong = read_out(problem, objective, raw.detach().cpu().numpy(), truth).predicted != truth
    return int((flat.cpu().numpy() & wrong).sum())


@dataclass(frozen=True)
class _Noted:
    """What an activation gave, and the shares of it that are dead or saturated, on the device."""

    layer: str
    given: torch.Tensor
    dead: torch.Tensor | None
    saturated: torch.Tensor | None


@contextmanager
def _watched(model: keras.Model) -> Iterator[list[_Noted]]:
    """Within, what every activation gives is noted."""
    noted: list[_Noted] = []
    channels = _channels(model)
    hooks = [
        layer.register_forward_hook(partial(_note, noted, function, channels))
        for layer in model._flatten_layers()
        if (function := _activation_of(layer)) in (*RECTIFIERS, *SQUASHERS)
    ]
    try:
        yield noted
    finally:
        for hook in hooks:
            hook.remove()


def _channels(model: keras.Model) -> int:
    """Which axis of feature maps numbers the channels, by the first layer that says so."""
    said = (layer.data_format for layer in model._flatten_layers() if isinstance(layer, BaseConv | BaseDepthwiseConv))
    return 1 if next(said, "channels_last") == "channels_first" else -1


def _activation_of(layer: keras.Layer) -> Callable | None:
    """The function of a layer whose outputs are those of an activation."""
    if isinstance(layer, keras.layers.ReLU):
        return None if layer.negative_slope or layer.threshold else keras.activations.relu
    return layer.activation if isinstance(layer, ACTIVATED) else None


def _note(
    noted: list[_Noted], function: Callable, channels: int, layer: keras.Layer, inputs: object, given: torch.Tensor
) -> None:
    """channels: the axis of feature maps whose numbers are units; those of one map share their weights, and where an
    image is black a map may be 0 in any network."""
    values = given.detach()
    if function in RECTIFIERS:
        axis = -1 if isinstance(layer, keras.layers.Dense | keras.layers.EinsumDense) else channels
        unused = (values == 0).movedim(axis, 0).flatten(1).all(dim=1)
        noted.append(_Noted(layer.name, values, unused.float().mean(), None))
        return
    low, high = SQUASHERS[function]
    edge = FLAT * (high - low)
    noted.append(_Noted(layer.name, values, None, ((values < low + edge) | (values > high - edge)).float().mean()))


def _read(noted: list[_Noted], given: torch.Tensor) -> list[Activity]:
    """Of all but what the network itself has `given`, which may well be probabilities of 0 or 1."""
    inner = [one for one in noted if one.given.data_ptr() != given.data_ptr()]
    shares = [one.saturated if one.dead is None else one.dead for one in inner]
    values = torch.stack(shares).tolist() if shares else []
    return [
        Activity(one.layer, None, value) if one.dead is None else Activity(one.layer, value)
        for one, value in zip(inner, values, strict=True)
    ]


def _layer_of(variable: keras.Variable) -> str:
    """The name of the layer that the variable is of: `mlp/hidden_1/kernel` -> hidden_1."""
    return variable.path.split("/")[-2] if "/" in variable.path else variable.path
