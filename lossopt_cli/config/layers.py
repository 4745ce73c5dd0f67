"""What a file, the environment and the command line say, each as {dotted key: Given}, and one laid over
another."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lossopt_cli.catalogue.lookup import nearest
from lossopt_cli.config import reading
from lossopt_cli.config.schema import AugmentConfig, DataConfig, TrainConfig
from lossopt_cli.config.words import AXES, OTHER_VARIABLES, PARTS, SECTIONS, WORDS, Word, word_named
from lossopt_cli.errors import Fault, UsageError

DATA_KEYS = tuple(DataConfig.model_fields)
OF_ANY_DATA = ("data.split", "data.split_seed", "data.split_method")
TRAIN_KEYS = tuple(TrainConfig.model_fields)
AUGMENT = "train.augment"
AUGMENT_KEYS = tuple(AugmentConfig.model_fields)


@dataclass(frozen=True)
class Given:
    """A value; origin: as `config show` says it ("mine.yaml:3", "--loss"); place: as an error does
    ("mine.yaml:3:7").

    folder: from where a relative path in the value is seen.
    """

    value: Any
    origin: str
    place: str
    folder: Path


@dataclass
class Layer:
    """given: dotted key -> Given; parts as `loss.name` and `loss.delta`; a part that is switched off as
    `loss` -> None.

    faults: all that is wrong with it so far.
    """

    given: dict[str, Given] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def put(self, key: str, given: Given) -> None:
        """Adds a value. One that was given before on the same layer must be the same."""
        before = self.given.get(key)
        if before is not None and before.value != given.value:
            places = given.place if before.place == given.place else f"{before.place} and {given.place}"
            what = f"{key} is given twice: {before.value} and {given.value}"
            self.faults.append(Fault(what, places))
        self.given[key] = given

    def put_section(self, section: str, value: Any, at: "Places") -> None:
        """A section of a file, or of --set: a mapping, or for a part also a recipe or a mapping of
        settings."""
        if value is None:
            if section in PARTS:
                self.put(section, at.given(section, None))
        elif section in PARTS and isinstance(value, str):
            self.put_recipe(section, at.given(section, value))
        elif isinstance(value, dict):
            for key, item in value.items():
                self.put_value(f"{section}.{key}", item, at)
        else:
            wanted = "a name, or a mapping with a name" if section in PARTS else "a mapping"
            self.faults.append(Fault(f"{section} cannot be {value!r}", at.given(section, value).place, wanted))

    def put_value(self, key: str, value: Any, at: "Places") -> None:
        """A value of a section, if the section can have it; what a part takes is checked when it is known."""
        section, _, name = key.partition(".")
        given = at.given(key, value)
        if key == AUGMENT and isinstance(value, dict):
            for word, item in value.items():
                self.put_value(f"{AUGMENT}.{word}", item, at)
            return
        if key.startswith(f"{AUGMENT}."):
            self._put_augment(key, given)
            return
        known = {"train": TRAIN_KEYS, "sweep": AXES}.get(section)
        if known is not None and name not in known and not (section == "sweep" and "." in name):
            remedy = did_you_mean_axis(name) if section == "sweep" else did_you_mean(name, known)
            self.faults.append(Fault(f"unknown key {key}", given.place, remedy=remedy))
        elif section == "data" and name == "settings" and isinstance(value, dict):
            for setting, item in value.items():
                self.put(f"data.settings.{setting}", at.given(f"data.settings.{setting}", item))
        elif key == f"{section}.name" and section in PARTS and isinstance(value, str):
            self.put_recipe(section, given)
        elif section == "data" and name not in DATA_KEYS and not name.startswith("settings."):
            self.put(f"data.settings.{name}", given)
        else:
            self.put(key, given)

    def _put_augment(self, key: str, given: Given) -> None:
        word = key.removeprefix(f"{AUGMENT}.")
        if word in AUGMENT_KEYS:
            self.put(key, given)
        else:
            self.faults.append(Fault(f"unknown key {key}", given.place, remedy=did_you_mean(word, AUGMENT_KEYS)))

    def put_recipe(self, section: str, given: Given) -> None:
        """`sgd:momentum=0.9` as optimizer.name and optimizer.momentum."""
        from lossopt_cli.catalogue.recipes import is_kaggle, parse_part

        text = given.value
        try:
            bare = section == "data" and (is_kaggle(text) or re.match(r"[A-Za-z]:\\", text))
            name, settings = (text, {}) if bare else parse_part(text)
        except UsageError as error:
            self.faults.extend(moved(error.faults, given.place))
            return
        at = Places(given.origin, given.place, given.folder)
        self.put(f"{section}.name", at.given(section, name))
        for key, value in settings.items():
            is_field = section == "data" and key in DATA_KEYS and ".py:" not in name
            prefix = "data.settings" if section == "data" and not is_field else section
            self.put(f"{prefix}.{key}", at.given(key, value))


@dataclass(frozen=True)
class Places:
    """Where the values of a layer stand: all at one place, or each key at its own of `lines`."""

    origin: str
    place: str
    folder: Path
    lines: Mapping[str, reading.Place] = field(default_factory=dict)

    def given(self, key: str, value: Any) -> Given:
        found = self.lines.get(key)
        if found is None:
            return Given(value, self.origin, self.place, self.folder)
        line, column = found
        return Given(value, f"{self.origin}:{line}", f"{self.place}:{line}:{column}", self.folder)


def file_layer(path: Path) -> Layer:
    """The config file; its relative paths are seen from its own folder."""
    layer = Layer()
    try:
        document = reading.read(path)
    except UsageError as error:
        layer.faults.extend(error.faults)
        return layer
    at = Places(path.name, str(path), path.resolve().parent, document.places)
    for section, value in document.values.items():
        if section in SECTIONS:
            layer.put_section(section, value, at)
        else:
            layer.faults.append(_unknown_section(section, at.given(section, value).place))
    return layer


def environment_layer(environ: Mapping[str, str]) -> Layer:
    """LOSSOPT_* variables that are not empty; an unknown one is refused."""
    layer = Layer()
    words = {word.variable: word for word in WORDS}
    for variable, text in environ.items():
        if not variable.startswith("LOSSOPT_") or variable in OTHER_VARIABLES or not text:
            continue
        if variable in words:
            _put_word(layer, words[variable], text, Places(variable, variable, Path.cwd()))
        else:
            near = nearest(
                variable.removeprefix("LOSSOPT_"),
                [v.removeprefix("LOSSOPT_") for v in (*words, *OTHER_VARIABLES)],
            )
            remedy = f"did you mean {' or '.join('LOSSOPT_' + word for word in near)}?" if near else None
            layer.faults.append(Fault(f"unknown environment variable {variable}", remedy=remedy))
    return layer


def command_line_layer(flags: Mapping[str, Any], sets: Sequence[str]) -> Layer:
    """Flags by the names of WORDS (None: not given) and `section.key=VALUE` texts."""
    layer = Layer()
    for name, value in flags.items():
        if value is not None:
            word = word_named(name)
            _put_word(layer, word, value, Places(word.flag, word.flag, Path.cwd()))
    for text in sets:
        _put_set(layer, text)
    return layer


def lay_over(below: dict[str, Given], above: Mapping[str, Given]) -> dict[str, Given]:
    """`below` with what `above` says. A part that `above` gives another name is replaced whole, but for how data are
    split, whatever they are; null takes it away."""
    merged = dict(below)
    for part in PARTS:
        both_named = f"{part}.name" in above and f"{part}.name" in below
        if part in above or (both_named and _identity(part, above) != _identity(part, below)):
            kept = () if part in above else OF_ANY_DATA
            merged = {key: g for key, g in merged.items() if not key.startswith(f"{part}.") or key in kept}
    if AUGMENT in above:
        merged = {key: g for key, g in merged.items() if not key.startswith(f"{AUGMENT}.")}
    elif any(key.startswith(f"{AUGMENT}.") for key in above):
        merged.pop(AUGMENT, None)
    return merged | {key: given for key, given in above.items() if key not in PARTS}


def _identity(part: str, layer: Mapping[str, Given]) -> tuple[Any, Any]:
    """What makes two parts the same: the name, and of data the path too."""
    path = layer.get("data.path") if part == "data" else None
    return layer[f"{part}.name"].value, path.value if path else None


def did_you_mean(name: str, names: Iterable[str]) -> str | None:
    """A sentence with the nearest names, or with all of them where they are few."""
    names = list(names)
    if name == "lr" and "learning_rate" in names:
        return "did you mean learning_rate?"
    near = nearest(name, names)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"it takes {', '.join(names)}" if names else None


def did_you_mean_axis(name: str) -> str:
    """The same of the keys of `sweep:`, among which is any key of another section, with that before it."""
    if name in TRAIN_KEYS:
        return f"did you mean train.{name}?"
    said = did_you_mean(name, AXES)
    return said if nearest(name, AXES) else f"{said}, and any key with its section: train.batch_size"


def moved(faults: Iterable[Fault], place: str) -> list[Fault]:
    """The same faults at this place."""
    return [Fault(fault.what, place, fault.expected, fault.remedy) for fault in faults]


def _put_word(layer: Layer, word: Word, value: Any, at: Places) -> None:
    """A flag's or a variable's value; text is read as the word's kind says."""
    if isinstance(value, str):
        try:
            value = _read_word(word, value)
        except UsageError as error:
            layer.faults.extend(moved(error.faults, at.place))
            return
    if word.key in PARTS:
        layer.put_section(word.key, value, at)
    else:
        layer.put(word.key, at.given(word.key, value))


def _read_word(word: Word, text: str) -> Any:
    if word.kind == "column":
        return int(text) if re.fullmatch(r"-?\d+", text) else text
    return reading.scalar(text) if word.kind in ("value", "switch") else text


def _put_set(layer: Layer, text: str) -> None:
    key, equals, value_text = text.partition("=")
    at = Places(f"--set {key}", f"--set {text}", Path.cwd())
    section = key.partition(".")[0]
    if not equals or not key:
        layer.faults.append(Fault("no value", at.place, "--set section.key=VALUE, as --set train.epochs=3"))
        return
    if section not in SECTIONS:
        layer.faults.append(_unknown_section(key, at.place))
        return
    try:
        value = reading.scalar(value_text)
    except UsageError as error:
        layer.faults.extend(moved(error.faults, at.place))
        return
    if key == section:
        layer.put_section(section, value, at)
    else:
        layer.put_value(key, value, at)


def _unknown_section(name: str, place: str) -> Fault:
    """An unknown first key; where it is a key of a section, the remedy says which."""
    owners = dict.fromkeys(TRAIN_KEYS, "train") | dict.fromkeys(DATA_KEYS, "data")
    owners |= {"learning_rate": "optimizer", "lr": "optimizer"}
    if name in owners:
        inner = "learning_rate" if name == "lr" else name
        return Fault(f"unknown key {name}", place, remedy=f"did you mean {owners[name]}.{inner}?")
    return Fault(f"unknown key {name}", place, remedy=did_you_mean(name, SECTIONS))
