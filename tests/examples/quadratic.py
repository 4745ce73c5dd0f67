"""f(w) = (w - m)^T A (w - m) / 2 minimised over a parameter vector w: data, model, loss and optimizer."""

import keras
import numpy as np
from keras import ops

CURVATURE = np.array([1.0, 10.0], dtype="float32")
MINIMUM = np.array([3.0, -2.0], dtype="float32")


def data(examples=64):
    """Inputs that the model does not look at, and the minimum as the target of each."""
    return np.zeros((examples, 1), dtype="float32"), np.tile(MINIMUM, (examples, 1))


class ParameterVector(keras.layers.Layer):
    """The parameters w themselves, for every example of the batch."""

    def __init__(self, size, **kwargs):
        super().__init__(**kwargs)
        self.size = size

    def build(self, input_shape):
        self.w = self.add_weight(shape=(self.size,), initializer="zeros", name="w")

    def call(self, inputs):
        return ops.zeros_like(inputs[:, :1]) + self.w

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.size)


def model(input_shape, size=2):
    inputs = keras.Input(input_shape)
    return keras.Model(inputs, ParameterVector(size)(inputs))


def loss(y_true, y_pred, scale=1.0):
    return 0.5 * scale * ops.sum(ops.multiply(CURVATURE, ops.square(y_pred - y_true)), axis=-1)


class SignDescent(keras.optimizers.Optimizer):
    """w <- w - learning_rate * sign(g) * damping."""

    def __init__(self, learning_rate=0.01, damping=1.0, name="sign_descent", **kwargs):
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        self.damping = damping

    def update_step(self, gradient, variable, learning_rate):
        rate = ops.cast(learning_rate, variable.dtype)
        self.assign_sub(variable, rate * self.damping * ops.sign(gradient))
