"""The engine: trials in, results out. Everything that imports torch or keras lives in this package."""

import os

from lossopt_cli.training.start_up import import_keras

# Keras reads its backend once, when it is first imported, and would otherwise obey ~/.keras/keras.json.
os.environ["KERAS_BACKEND"] = "torch"
import_keras()
