"""Of which recipes the rates of --lr, and those of a config's axis, speak."""

from collections.abc import Iterator, Sequence

from lossopt_cli.catalogue.lookup import names_of, nearest, plain
from lossopt_cli.catalogue.optimizers import OPTIMIZERS
from lossopt_cli.config.schema import Config
from lossopt_cli.errors import Fault
from lossopt_cli.sweeps.axes import Axes, RateAxis
from lossopt_cli.sweeps.naming import brief
from lossopt_cli.sweeps.ranges import Rates


def rates_spoken(axes: Axes, config: Config) -> Rates | None:
    """What --lr, or the config's axis of rates, says of this recipe: --lr first, and what speaks of it alone."""
    found = spoken(axes, config)
    return found[-1].rates if found else None


def spoken(axes: Axes, config: Config) -> list[RateAxis]:
    """The strongest last."""
    found = [axis for axis in axes.rates if axis.of is None or _means(axis.of, config)]
    return sorted(found, key=lambda axis: (axis.place == "--lr", axis.of is not None))


def unmeant(axes: Axes, configs: Sequence[Config]) -> Iterator[Fault]:
    """Rates that speak of no recipe; in a config they may be of optimizers that a flag has left out."""
    names = list(dict.fromkeys(brief("optimizer", config.optimizer) for config in configs))
    for axis in axes.rates:
        if axis.of is None or any(_means(axis.of, config) for config in configs):
            continue
        optimizer = axis.of.rpartition("+")[2].partition(":")[0]
        if axis.place == "--lr" or not any(plain(optimizer) in map(plain, names_of(row)) for row in OPTIMIZERS):
            near = nearest(axis.of, names)
            remedy = f"did you mean {near[0]}?" if near else None
            yield Fault(f"'{axis.of}' is no recipe of this sweep", axis.place, f"one of {', '.join(names)}", remedy)


def _means(name: str, config: Config) -> bool:
    """Whether `sgd`, `sgd:momentum=0.9` or `mse+sgd` speaks of this recipe."""
    loss, plus, optimizer = name.rpartition("+")
    return _is_named(optimizer, "optimizer", config) and (not plus or _is_named(loss, "loss", config))


def _is_named(name: str, section: str, config: Config) -> bool:
    part = getattr(config, section)
    return part is not None and plain(name) in map(plain, (part.name, brief(section, part)))
