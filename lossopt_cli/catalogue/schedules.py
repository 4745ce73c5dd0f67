"""Learning-rate schedules: rate = learning_rate * multiplier, set before each step.

t runs from 0 at the first step (after the warm-up) to 1 at the end of the training; u counts epochs likewise.
During a warm-up the multiplier rises linearly, (step + 1) / steps of the warm-up.
"""

from collections.abc import Mapping
from math import cos, pi

import numpy as np

from lossopt_cli.catalogue import lookup
from lossopt_cli.catalogue.rows import ScheduleRow, Setting, Value, defaults

_WARMUP = Setting("warmup_epochs", 0.0, "epochs over which the rate rises from 0", from_=0.0)


def _final(default: float) -> Setting:
    return Setting("final", default, "the multiplier at the end", from_=0.0)


def _constant(t: float, u: float) -> float:
    return 1.0


def _step(t: float, u: float, at: list[float], factor: float) -> float:
    return factor ** sum(t >= share for share in at)


def _exponential(t: float, u: float, final: float) -> float:
    return final**t


def _cosine(t: float, u: float, final: float) -> float:
    return final + (1.0 - final) * (1.0 + cos(pi * t)) / 2.0


def _polynomial(t: float, u: float, power: float, final: float) -> float:
    return final + (1.0 - final) * (1.0 - t) ** power


def _inverse_time(t: float, u: float, decay: float) -> float:
    return 1.0 / (1.0 + decay * u)


def _one_cycle(t: float, u: float, peak_at: float, start: float, final: float) -> float:
    def between(low: float, high: float, share: float) -> float:
        return low + (high - low) * (1.0 - cos(pi * share)) / 2.0

    if t < peak_at:
        return between(start, 1.0, t / peak_at)
    return between(1.0, final, (t - peak_at) / (1.0 - peak_at))


SCHEDULES: tuple[ScheduleRow, ...] = (
    ScheduleRow(
        name="constant",
        rate=_constant,
        formula="1",
        use="the plain case; what is meant when no schedule is named",
        paper="Robbins & Monro 1951 prove convergence for falling rates only",
        settings=(_WARMUP,),
        aliases=("none",),
    ),
    ScheduleRow(
        name="step",
        rate=_step,
        formula="factor once for each share in `at` that is passed",
        use="SGD on images, as in the papers: drops at half and three quarters",
        paper="He et al. 2016",
        settings=(
            Setting(
                ("at"),
                [0.5, 0.75],
                "shares of the training at which it drops",
                kind="numbers",
                above=0.0,
                below=1.0,
            ),
            Setting("factor", 0.1, "what each drop multiplies by", above=0.0),
            _WARMUP,
        ),
        aliases=("piecewise", "multistep"),
    ),
    ScheduleRow(
        name="exponential",
        rate=_exponential,
        formula="final^t",
        use="the same percentage less each epoch",
        paper="a tradition; torch's ExponentialLR with gamma = final^(1/epochs)",
        settings=(Setting("final", 0.01, "the multiplier at the end", above=0.0), _WARMUP),
    ),
    ScheduleRow(
        name="cosine",
        rate=_cosine,
        formula="final + (1 - final) (1 + cos(pi t)) / 2",
        use="the first choice: long at high rates, ends gently; needs no tuning",
        paper="Loshchilov & Hutter 2017; warm-up Goyal et al. 2017",
        settings=(_final(0.0), _WARMUP),
        aliases=("cosine_decay", "cosine_annealing"),
    ),
    ScheduleRow(
        name="one_cycle",
        rate=_one_cycle,
        formula="start -> 1 -> final, two half cosines that meet at t = peak_at",
        use="short trainings at a high rate; learning_rate is the peak",
        paper="Smith & Topin 2019",
        settings=(
            Setting("peak_at", 0.3, "share of the training that rises", above=0.0, below=1.0),
            Setting("start", 0.04, "the multiplier at the first step (torch: 1 / div_factor)", above=0.0),
            _final(4e-6),
        ),
    ),
    ScheduleRow(
        name="polynomial",
        rate=_polynomial,
        formula="final + (1 - final) (1 - t)^power",
        use="power 1 falls linearly to the end: as good as cosine, and simpler",
        paper="Chen et al. 2018 (DeepLab); linear Defazio et al. 2023",
        settings=(Setting("power", 1.0, "1 is linear", above=0.0), _final(0.0), _WARMUP),
        aliases=("linear",),
    ),
    ScheduleRow(
        name="inverse_time",
        rate=_inverse_time,
        formula="1 / (1 + decay u), u in epochs",
        use="the falling rate of theory; never ends, so the training may be lengthened",
        paper="Robbins & Monro 1951; Bottou 2012",
        settings=(Setting("decay", 1.0, "per epoch: 1 halves the rate after one epoch", from_=0.0), _WARMUP),
    ),
)


def schedule_named(name: str, where: str | None = None) -> ScheduleRow:
    """The schedule of that name. UsageError with the nearest names where there is none."""
    return lookup.find(SCHEDULES, name, "schedule", where)


def multiplier(name: str, settings: Mapping[str, Value], step: int, steps: int, steps_per_epoch: int) -> float:
    """What the base rate is multiplied by in `step`, 0 <= step < steps, of a training of `steps`."""
    row = schedule_named(name)
    values = defaults(row) | dict(settings)
    warmup = round(values.pop("warmup_epochs", 0.0) * steps_per_epoch)
    if step < warmup:
        return (step + 1) / warmup
    after, whole = step - warmup, max(steps - warmup, 1)
    return row.rate(after / whole, after / steps_per_epoch, **values)


def multipliers(name: str, settings: Mapping[str, Value], steps: int, steps_per_epoch: int) -> np.ndarray:
    """`multiplier` of every step, float64 [steps]."""
    return np.array([multiplier(name, settings, step, steps, steps_per_epoch) for step in range(steps)])
