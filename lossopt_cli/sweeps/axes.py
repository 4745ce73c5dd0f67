"""The axes of a sweep, from flags and from the `sweep:` of a config: what is varied, and what stays the same."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lossopt_cli.catalogue.recipes import parse_part, split_parts
from lossopt_cli.config import layers
from lossopt_cli.config.layers import Given, Layer, Places
from lossopt_cli.config.messages import in_order, shown
from lossopt_cli.config.words import AXES, PARTS, WORDS, word_named
from lossopt_cli.errors import Fault, UsageError
from lossopt_cli.sweeps.ranges import AUTO, Rates, rates_of, values_of, whole_numbers

SEEDS = 8
EPOCHS = 5  # of a sweep without a config file
OPTIMIZERS = ("sgd", "momentum", "rmsprop", "adam")  # of a sweep that names neither losses nor optimizers
RATE = "optimizer.learning_rate"
MOST_RECIPES = 10_000
LEARNING_RATE, SEED_AXES = "learning_rate", ("seeds", "seed")


@dataclass(frozen=True)
class Asked:
    """What was typed. flags: by the names of `words.WORDS`, without learning_rate and seed; rates: every --lr."""

    config: Path | None = None
    flags: Mapping[str, str | None] = field(default_factory=dict)
    rates: Sequence[str] = ()
    seeds: str | None = None
    seed: str | None = None
    sets: Sequence[str] = ()


@dataclass(frozen=True)
class Axis:
    """key: a part (`loss`) or a dotted key (`train.batch_size`). values: as written; at: where they were written."""

    key: str
    values: tuple[Any, ...]
    at: Places


@dataclass(frozen=True)
class RateAxis:
    """Learning rates of all recipes, or of those whose optimizer, or `loss+optimizer`, is written `of`."""

    of: str | None
    rates: Rates
    place: str


@dataclass(frozen=True)
class Axes:
    """below, above: what is the same in every trial, under and over the axes. rates: the later ones win. seeds: None
    where only their number is said; seeds_said: whether either was."""

    below: tuple[Layer, ...]
    axes: tuple[Axis, ...]
    above: Layer
    rates: tuple[RateAxis, ...]
    seeds: Sequence[int] | None
    seed_count: int
    first_seed: int
    seeds_said: bool


def axes_of(asked: Asked, environ: Mapping[str, str], base: Layer | None = None, *, single: bool = False) -> Axes:
    """The axes of config and flags, flags before the config. UsageError with every fault in them.

    base: stands in the place of a config file. single: of one recipe, as `lossopt train` takes it: neither the axes of
    the config nor those of a sweep of which nothing is said."""
    has_base = base is not None or asked.config is not None
    file = base or (layers.file_layer(asked.config) if asked.config is not None else Layer())
    in_file = {key.removeprefix("sweep."): item for key, item in file.given.items() if key.startswith("sweep.")}
    in_file = {} if single else in_file
    file = Layer({key: item for key, item in file.given.items() if not key.startswith("sweep.")}, file.faults)
    work = _Work()
    constant = work.flags(asked.flags)
    of_data = {name: constant.pop(name) for name in tuple(constant) if word_named(name).key.startswith("data.")}
    above = work.sets(asked.sets, of_data)  # the data of an axis take the place of all that is below
    work.file(in_file)
    environment = layers.environment_layer(environ)
    below = (file, environment, layers.command_line_layer(constant, ()))
    given = {key: item for layer in (*below, above) for key, item in layer.given.items()}
    if not has_base and not single and "train.epochs" not in given.keys() | work.axes.keys():
        file.given["train.epochs"] = Given(EPOCHS, "default of a sweep", "train.epochs", Path.cwd())
    named = {"loss", "optimizer"} & work.axes.keys() or {"loss.name", "optimizer.name"} & given.keys()
    if not named and not single:
        work.axes["optimizer"] = Axis("optimizer", OPTIMIZERS, Places("default of a sweep", "--opt", Path.cwd()))
    rates = work.rates(asked.rates, environment.given.pop(RATE, None) or in_file.get(LEARNING_RATE))
    seeds, count = work.seeds(asked, in_file)
    faults = [fault for layer in (*below, above) for fault in layer.faults] + work.faults
    if faults:
        raise UsageError(*in_order(faults))
    first = given["train.seed"].value if "train.seed" in given else 0
    first = first if isinstance(first, int) else 0
    axes = _in_order(work.axes.values())
    return Axes(below, tuple(axes), above, rates, seeds, count or SEEDS, first, seeds is not None or count is not None)


def choices(axes: Axes) -> Iterator[dict[str, tuple[Any, Places]]]:
    """Every combination of values of the axes, the last axis fastest: key -> (value, its place). UsageError for more
    than MOST_RECIPES, each of which would be resolved on its own."""
    long = [axis for axis in axes.axes if len(axis.values) > 1]
    count = math.prod(len(axis.values) for axis in long)
    if count > MOST_RECIPES:
        told = " x ".join(f"{len(axis.values):,} {axis.key}" for axis in long) + ": " if len(long) > 1 else ""
        place = ", ".join(dict.fromkeys(axis.at.place for axis in long))
        raise UsageError(Fault(f"{told}{count:,} recipes", place, f"at most {MOST_RECIPES:,}"))
    combinations: list[dict[str, tuple[Any, Places]]] = [{}]
    for axis in axes.axes:
        combinations = [{**found, axis.key: (value, axis.at)} for found in combinations for value in axis.values]
    yield from combinations


def axis_layer(chosen: Mapping[str, tuple[Any, Places]]) -> Layer:
    """The values of one combination. A part stands for itself: nothing of the same part below is kept."""
    layer = Layer()
    for key, (value, at) in chosen.items():
        if key in PARTS:
            layer.put(key, at.given(key, None))
            layer.put_section(key, value, at)
        else:
            layer.put_value(key, value, at)
    return layer


def named_part(value: Any) -> tuple[str, dict[str, Any]]:
    """(name, settings) of a part on an axis: `sgd:momentum=0.9`, or a mapping with a name."""
    if isinstance(value, str):
        return parse_part(value)
    name, settings = parse_part(str(value["name"]))
    return name, {**settings, **{key: item for key, item in value.items() if key != "name"}}


def _in_order(axes: Iterable[Axis]) -> list[Axis]:
    """data, model, loss, optimizer, schedule, then other keys as they came."""
    order = {part: place for place, part in enumerate(PARTS)}
    return sorted(axes, key=lambda axis: order.get(axis.key, len(order)))


@dataclass
class _Work:
    """The axes found so far by key, and what is wrong with them."""

    axes: dict[str, Axis] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def flags(self, flags: Mapping[str, str | None]) -> dict[str, str]:
        """The flags that hold one value for all trials; parts, and values with commas or `..`, become axes."""
        words = {word.name: word for word in WORDS}
        constant = {}
        for name, text in flags.items():
            if text is None:
                continue
            word = words[name]
            at = Places(word.flag, word.flag, Path.cwd())
            if word.key in PARTS:
                self._put(Axis(word.key, tuple(split_parts(text)), at), text)
            elif word.kind == "value" and len(values := self._values(text, at.place)) != 1:
                self._put(Axis(word.key, tuple(values), at), text)
            else:
                constant[name] = text
        return constant

    def sets(self, sets: Sequence[str], flags: Mapping[str, str]) -> Layer:
        """--set key=VALUE of one value, and these flags; key=a,b and key=0..4 are axes."""
        single = []
        for text in sets:
            key, _, values_text = text.partition("=")
            at = Places(f"--set {key}", f"--set {text}", Path.cwd())
            if key.startswith("sweep."):
                self.faults.append(Fault("the axes have flags of their own", at.place, "--loss, --opt, --lr, --seeds"))
                continue
            values = self._values(values_text, at.place) if "." in key else [values_text]
            if len(values) > 1:
                self._put(Axis(key, tuple(values), at), text)
            else:
                single.append(text)
        return layers.command_line_layer(flags, single)

    def file(self, given: Mapping[str, Given]) -> None:
        """The axes of the config's `sweep:` that no flag names."""
        for key, item in given.items():
            if key in (LEARNING_RATE, *SEED_AXES) or key in self.axes:
                continue
            values = item.value if isinstance(item.value, list) else [item.value]
            if isinstance(item.value, str):
                values = split_parts(item.value) if key in PARTS else self._values(item.value, item.place)
            at = Places(item.origin, item.place, item.folder)
            odd = [value for value in values if key in PARTS and not _is_part(value)]
            for value in odd:
                self.faults.append(
                    Fault(f"sweep.{key} cannot be {shown(value)}", item.place, "names, or mappings with a name")
                )
            if not odd:
                self._put(Axis(key, tuple(values), at), f"sweep.{key}")

    def rates(self, flags: Sequence[str], given: Given | None) -> tuple[RateAxis, ...]:
        """The rates of the config, then those of --lr."""
        found = []
        if given is not None:
            by_name = isinstance(given.value, Mapping) and "from" not in given.value
            pairs = list(given.value.items()) if by_name else [(None, given.value)]
            found += [self._rates(of, value, given.place) for of, value in pairs]
        spoken: dict[str | None, list[str]] = {}
        for text in flags:
            of, _, value = text.rpartition("=")
            spoken.setdefault(of or None, []).append(value)
        for of, values in spoken.items():
            if of is not None and "," in of and "[" not in of:
                remedy = "--lr NAME=RATES for each: --lr sgd=0.1,1 --lr adam=0.001"
                self.faults.append(Fault(f"'{of}' is no name of a recipe", "--lr", remedy=remedy))
            else:
                found.append(self._rates(of, values, "--lr"))
        return tuple(axis for axis in found if axis is not None)

    def seeds(self, asked: Asked, in_file: Mapping[str, Given]) -> tuple[Sequence[int] | None, int | None]:
        """(the seeds, their number), each None where it is not said."""
        if asked.seeds is not None and asked.seed is not None:
            self.faults.append(Fault("--seeds and --seed both say which seeds", "--seeds", "one of them"))
            return None, None
        said = [(asked.seeds, "--seeds", True), (asked.seed, "--seed", False)]
        said += [(item.value, item.place, key == "seeds") for key in SEED_AXES if (item := in_file.get(key))]
        value, place, counts = next((item for item in said if item[0] is not None), (None, "", True))
        if value is None:
            return None, None
        try:
            numbers = whole_numbers(value, place, "number of seeds" if counts else "seed")
        except UsageError as error:
            self.faults += error.faults
            return None, None
        if not counts or len(numbers) > 1 or isinstance(value, list):
            return numbers, len(numbers)
        if numbers[0] < 1:
            self.faults.append(Fault("no seed: 0 trials", place, "1 or more"))
        return None, numbers[0]

    def _rates(self, of: str | None, value: Any, place: str) -> RateAxis | None:
        try:
            return RateAxis(of, rates_of(value, place), place)
        except UsageError as error:
            self.faults += error.faults
            return None

    def _values(self, text: str, place: str) -> list[Any]:
        try:
            return values_of(text, place)
        except UsageError as error:
            self.faults += error.faults
            return []

    def _put(self, axis: Axis, text: str) -> None:
        if not axis.values:
            self.faults.append(Fault(f"{shown(text)} holds no value: 0 trials", axis.at.place))
        elif axis.key == RATE:
            self.faults.append(Fault(f"{RATE} is swept by --lr", axis.at.place, remedy=f"--lr {AUTO}, or --lr a,b"))
        elif axis.key == "train.seed":
            self.faults.append(Fault("train.seed is swept by --seed", axis.at.place, remedy="--seed 0..7"))
        elif axis.key in self.axes:
            before = self.axes[axis.key].at.place
            self.faults.append(Fault(f"{axis.key} is given twice", f"{before} and {axis.at.place}"))
        else:
            self.axes[axis.key] = replace(axis, values=tuple(axis.values))


def _is_part(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, dict) and isinstance(value.get("name"), str))


assert {LEARNING_RATE, *SEED_AXES} < set(AXES)
