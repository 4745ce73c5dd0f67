"""Losses of one's own, as a textbook writes them: named in a config or a flag as `file.py:function`.

    lossopt train --data diabetes --loss configs/custom_losses.py:huber:delta=0.5

The first two parameters are the targets and the model's outputs, [N, 1] here; the others are settings.
What is returned is averaged. Write them with `keras.ops` (or torch), so that they have a gradient.
"""

from keras import ops


def huber(y_true, y_pred, delta=1.0):
    """r^2 / 2 where |r| <= delta, else delta |r| - delta^2 / 2, with r = y_true - y_pred."""
    error = ops.abs(y_true - y_pred)
    quadratic = 0.5 * ops.square(error)
    linear = delta * error - 0.5 * delta**2
    return ops.mean(ops.where(error <= delta, quadratic, linear), axis=-1)


def mean_squared_error(y_true, y_pred):
    """The mean of (y_true - y_pred)^2."""
    return ops.mean(ops.square(y_true - y_pred), axis=-1)
