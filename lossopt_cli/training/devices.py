"""The device of a run, and Keras and torch set up for it."""

import ctypes
import platform

import keras
import torch

from lossopt_cli.catalogue.wording import counted
from lossopt_cli.errors import Fault, UsageError

# Of glibc's <malloc.h>.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3


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
    """Threads and memory of torch, and Keras's own defaults whatever the user's ~/.keras/keras.json says."""
    torch.set_num_threads(threads)
    _keep_freed_memory()
    keras.config.set_image_data_format("channels_last")
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


def _keep_freed_memory() -> None:
    """Has glibc reuse the memory of activations instead of handing it back after every step; elsewhere nothing.

    Fresh pages cost more than arithmetic: a step on 64 images of 32x32 took 8,500 page faults and 55 ms, with this
    none and 37 ms.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(M_MMAP_THRESHOLD, 32 << 20)  # the most that glibc takes
    libc.mallopt(M_TRIM_THRESHOLD, 1 << 30)


def wait(device: torch.device) -> None:
    """Until the device has done all that it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a smaller computation might have been possible."""
    short = isinstance(error, RuntimeError) and "not enough memory" in str(error)
    return short or isinstance(error, MemoryError | torch.OutOfMemoryError)


def in_words(device: torch.device, threads: int) -> str:
    """`cpu, 1 thread`, or the name of the GPU."""
    if device.type == "cuda":
        return f"{device}, {torch.cuda.get_device_name(device)}"
    return f"{device}, {counted(threads, 'thread')}"
