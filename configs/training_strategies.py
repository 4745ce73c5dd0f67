"""Data and network of scikit-learn's example "Compare Stochastic learning strategies for MLPClassifier", for digits.

    lossopt sweep configs/training-strategies.yaml

scikit-learn's L2 term is alpha / 2 * |W|^2 / n for a batch of n examples; Keras's `L2(l2)` is l2 * |W|^2.
"""

import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.preprocessing import MinMaxScaler


def digits():
    """All 1,797 digits, every pixel scaled to [0, 1] over all of them."""
    x, y = load_digits(return_X_y=True)
    return MinMaxScaler().fit_transform(x).astype(np.float32), y


def mlp(input_shape, units, hidden=100, alpha=1e-4, batch_size=200):
    """Dense hidden with ReLU, dense units; weights and biases uniform within sqrt(6 / (inputs + outputs))."""
    inputs = keras.Input(input_shape)
    widths = (input_shape[0], hidden, units)
    x = _dense(widths[0], widths[1], "relu", alpha / 2 / batch_size)(inputs)
    return keras.Model(inputs, _dense(widths[1], widths[2], None, alpha / 2 / batch_size)(x))


def _dense(inputs, outputs, activation, l2):
    bound = np.sqrt(6.0 / (inputs + outputs))
    uniform = [keras.initializers.RandomUniform(-bound, bound) for _ in ("kernel", "bias")]
    penalty = keras.regularizers.L2(l2)
    return keras.layers.Dense(
        outputs, activation, kernel_initializer=uniform[0], bias_initializer=uniform[1], kernel_regularizer=penalty
    )
