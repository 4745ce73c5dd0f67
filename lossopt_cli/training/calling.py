"""A model as a pure function of its variables: what `model(inputs)` gives, as `fit` calls it.

Keras 3.15.1's `stateless_call` calls the outermost `call` without the context that `model(inputs)` opens around it.
Without it a layer is told to train only where the user's code hands `training` on, a layer that is called twice loses
its first penalty, and one may take another's penalty for an old one of its own, since they are told apart by ids that
Python gives again.
"""

from collections.abc import Sequence

import keras
import torch
from keras.src.backend.common import global_state
from keras.src.layers.layer import CallContext

CONTEXT = "current_call_ctx"


def called(
    model: keras.Model,
    weights: Sequence[torch.Tensor],
    buffers: Sequence[torch.Tensor],
    inputs: torch.Tensor,
    *,
    training: bool,
) -> tuple[torch.Tensor, list[torch.Tensor], list[torch.Tensor]]:
    """(raw outputs, buffers after the call, what the layers add to the loss) at these values of the variables."""
    # As `fit` does: a model whose `call` has no such parameter is not told, and neither are its layers.
    told = {"training": training} if model._call_has_training_arg else {}
    context = CallContext(entry_layer=model)
    context.set_value("training", told.get("training"))
    model._clear_losses()
    before = global_state.get_global_attribute(CONTEXT)
    global_state.set_global_attribute(CONTEXT, context)
    try:
        return model.stateless_call(weights, buffers, inputs, return_losses=True, **told)
    finally:
        global_state.set_global_attribute(CONTEXT, before)
