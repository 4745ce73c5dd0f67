"""Where every random number comes from: named seeds, and masks that are pure functions of a layer's own state.

Keras's random layers keep (seed, counter) in a variable that is saved, restored and stacked with the rest, but on
torch they turn it into numbers through a generator, which neither traces nor vmaps. `pure_randomness` replaces those
primitives by a counter-based integer hash of (seed, counter, position), so that a mask depends on nothing else.
"""

import contextlib
import math
import random
import zlib
from collections.abc import Iterator

import numpy as np
import torch
from keras.src.backend.common import global_state
from keras.src.backend.torch import random as keras_random
from keras.src.random.seed_generator import GLOBAL_SEED_GENERATOR, SeedGenerator, draw_seed

_IMPURE = ("randint", "categorical", "shuffle", "gamma", "binomial", "beta")
PATCHED = ("dropout", "uniform", "normal", *_IMPURE)


class ImpureRandomness(Exception):
    """The model draws numbers that are no pure function of its own state; it is trained by the plain step."""


def sequence(name: str, *numbers: int) -> np.random.SeedSequence:
    """The seed sequence of that name: `sequence("batch order", seed, epoch)`. Names keep uses apart."""
    return np.random.SeedSequence([zlib.crc32(name.encode()), *numbers])


def batch_order(examples: int, seed: int, epoch: int) -> np.ndarray:
    """A permutation of range(examples), int64, a function of (seed, epoch) alone."""
    return np.random.Generator(np.random.PCG64(sequence("batch order", seed, epoch))).permutation(examples)


@contextlib.contextmanager
def seeded(name: str, *numbers: int) -> Iterator[None]:
    """Python's, NumPy's and torch's global generators seeded by name while a model is built, restored afterwards."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    seed_everything(name, *numbers)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])


def seed_everything(name: str, *numbers: int) -> None:
    """Seeds the global generators of Python, NumPy, torch and Keras from one named sequence."""
    first, second, third, fourth = (int(word) for word in sequence(name, *numbers).generate_state(4))
    random.seed(first)
    np.random.seed(second)
    torch.manual_seed(third)
    global_state.set_global_attribute(GLOBAL_SEED_GENERATOR, SeedGenerator(fourth % 2**31, name="global"))


@contextlib.contextmanager
def without_global_draws() -> Iterator[None]:
    """Raises ImpureRandomness where a number was drawn from a global generator of Python, NumPy or torch."""
    before = random.getstate(), torch.get_rng_state(), np.random.get_state()
    yield
    same = random.getstate() == before[0] and torch.equal(torch.get_rng_state(), before[1])
    after = np.random.get_state()
    if not same or after[2:] != before[2][2:] or not np.array_equal(after[1], before[2][1]):
        raise ImpureRandomness("the step draws from a global generator")


def _mixed(x: torch.Tensor) -> torch.Tensor:
    """lowbias32 of Chris Wellons's hash prospector: a bijection of int32 with avalanche bias 0.17 of a thousandth.

    The masks make the arithmetic shifts of signed integers logical ones.
    """
    x = (x ^ ((x >> 16) & 0xFFFF)) * 0x7FEB352D
    x = (x ^ ((x >> 15) & 0x1FFFF)) * -2073254261  # 0x846ca68b
    return x ^ ((x >> 16) & 0xFFFF)


def hashed(seed_state: torch.Tensor, shape: tuple[int, ...], stream: int = 0) -> torch.Tensor:
    """int32 [*shape], uniform over all 32 bits, a function of (seed, counter), the position and the stream.

    seed_state: two integers, the seed and its counter. Two keys are made of them, so that the positions of two
    steps are not shifted copies of each other.
    """
    seed, counter = seed_state[0].to(torch.int32), seed_state[1].to(torch.int32)
    first = _mixed(seed + stream * 1013904223)
    second = _mixed(first ^ (counter * -1640531527))  # 2^32 / golden ratio, odd
    position = torch.arange(math.prod(shape), dtype=torch.int32, device=seed_state.device)
    words = _mixed((position ^ second) + first)
    return words.reshape(shape)


def unit_interval(words: torch.Tensor) -> torch.Tensor:
    """float32 in [0, 1) from the upper 24 bits of int32 words."""
    return ((words >> 8) & 0xFFFFFF).to(torch.float32) * 2.0**-24


def _state_of(seed) -> torch.Tensor:
    if seed is None or (not isinstance(seed, int) and not isinstance(seed, SeedGenerator)):
        raise ImpureRandomness("a random layer without a SeedGenerator of its own")
    return draw_seed(seed)


def _dropout(inputs, rate, noise_shape=None, seed=None):
    if rate <= 0.0:
        return inputs
    if rate >= 1.0:
        return torch.zeros_like(inputs)
    shape = keras_random._get_concrete_noise_shape(inputs, noise_shape) if noise_shape else inputs.shape
    words = hashed(_state_of(seed), tuple(shape))
    keep = 1.0 - rate
    kept = words < int(keep * 2.0**32) - 2**31
    return torch.where(kept, inputs / keep, torch.zeros_like(inputs))


def _uniform(shape, minval=0.0, maxval=1.0, dtype=None, seed=None):
    values = unit_interval(hashed(_state_of(seed), tuple(shape)))
    return (minval + (maxval - minval) * values).to(keras_random.to_torch_dtype(dtype or keras_random.floatx()))


def _normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
    """Box and Muller: sqrt(-2 ln u) cos(2 pi v), with u in (0, 1] so that the logarithm is finite."""
    state = _state_of(seed)
    u = 1.0 - unit_interval(hashed(state, tuple(shape)))
    v = unit_interval(hashed(state, tuple(shape), stream=1))
    values = torch.sqrt(-2.0 * torch.log(u)) * torch.cos(2.0 * math.pi * v)
    return (mean + stddev * values).to(keras_random.to_torch_dtype(dtype or keras_random.floatx()))


def _refuse(*args, **kwargs):
    raise ImpureRandomness("a random operation that has no pure form")


@contextlib.contextmanager
def pure_randomness() -> Iterator[None]:
    """Keras's random primitives as pure functions of the seed state that they are given.

    Enter it around a step, never around a build: initialisers use the same primitives. Raises ImpureRandomness from
    within where a model draws numbers in another way.
    """
    pure = dict.fromkeys(_IMPURE, _refuse) | {"dropout": _dropout, "uniform": _uniform, "normal": _normal}
    original = {name: getattr(keras_random, name) for name in PATCHED}
    for name in PATCHED:
        setattr(keras_random, name, pure[name])
    try:
        yield
    finally:
        for name in PATCHED:
            setattr(keras_random, name, original[name])
