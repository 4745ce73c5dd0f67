"""The engine: trials in, results out. Everything that imports torch or keras lives in this package."""

import os

from lossopt_cli.training.start_up import import_keras

# Keras reads its backend once, when it is first imported, and would otherwise obey ~/.keras/keras.json.
os.environ["KERAS_BACKEND"] = "torch"
# Without it MKL's products have other last bits where their operands lie elsewhere in memory (seen on AMD), so those of
# a trial in a stack others than those of the trial alone. MKL reads it at its first product; no cost was measured.
os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")
import_keras()
