"""The device of a run, and Keras and torch set up for it."""

import keras
import torch

from lossopt_cli.errors import Fault, UsageError


def device_named(name: str) -> torch.device:
    """`auto` is the GPU where there is one, else the CPU. UsageError for a device that is not there."""
    if name == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    there = ["cpu"]
    there += [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    there += ["mps"] if torch.backends.mps.is_available() else []
    wanted = "cuda:0" if name == "cuda" else name
    if wanted not in there:
        raise UsageError(
            Fault(f"there is no device {name} here", "--device", " or ".join(["auto", *there]), "--device auto")
        )
    return torch.device(wanted)


def set_up(threads: int) -> None:
    """Threads of torch, and Keras's own defaults whatever the user's ~/.keras/keras.json says."""
    torch.set_num_threads(threads)
    keras.config.set_image_data_format("channels_last")
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


def in_words(device: torch.device, threads: int) -> str:
    """`cpu, 1 thread`, or the name of the GPU."""
    if device.type == "cuda":
        return f"{device}, {torch.cuda.get_device_name(device)}"
    return f"{device}, {threads} thread{'s' if threads > 1 else ''}"
