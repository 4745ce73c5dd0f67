"""One config from all layers: defaults < file < LOSSOPT_* < flags and --set; with the origin of every
value."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from lossopt_cli.catalogue.backbones import backbone_named
from lossopt_cli.catalogue.losses import loss_named
from lossopt_cli.catalogue.metrics import metric_named
from lossopt_cli.catalogue.rows import DataRow, Task
from lossopt_cli.config import choices, layers
from lossopt_cli.config.data_part import data_row, fill_data, name_data
from lossopt_cli.config.layers import AUGMENT, Given, Layer, moved
from lossopt_cli.config.messages import in_order, validated
from lossopt_cli.config.parts import canonical, fill, learning_rate_fault
from lossopt_cli.config.references import data_kind, is_user_code
from lossopt_cli.config.schema import AugmentConfig, Config, DataConfig, Part, TrainConfig
from lossopt_cli.config.writing import dump
from lossopt_cli.errors import Fault, UsageError

__all__ = ["Resolved", "complete", "dump", "resolve", "resolve_layers"]

USUAL_VIEWS = 4  # of each training image, for a frozen backbone


@dataclass(frozen=True)
class Resolved:
    """config: everything filled in. origins: dotted key -> "default", "mine.yaml:3", "LOSSOPT_SEED",
    "--loss" or "chosen because ...". notes: what a user should know of it."""

    config: Config
    origins: dict[str, str]
    notes: tuple[str, ...] = ()


def resolve(path: Path | None, environ: Mapping[str, str], flags: Mapping[str, Any], sets: Sequence[str]) -> Resolved:
    """The config of a config file (or none), LOSSOPT_* variables, flags (by the names of `words.WORDS`) and
    --set.

    UsageError with every fault of every layer, each with its place.
    """
    file = layers.file_layer(path) if path is not None else Layer()
    return resolve_layers([file, layers.environment_layer(environ), layers.command_line_layer(flags, sets)])


def resolve_layers(stack: Iterable[Layer]) -> Resolved:
    """As `resolve`, of layers each laid over those before it."""
    work = _Work()
    given: dict[str, Given] = {}
    for layer in stack:
        work.faults += layer.faults
        given = work.lay_over(given, work.named(layer.given))
    return work.finish(given)


def complete(resolved: Resolved, task: Task, kind: str) -> Resolved:
    """With the loss and the model that were left open until the data were read.

    kind: of the problem's inputs: image, table or array.
    """
    config, origins = resolved.config, dict(resolved.origins)
    if config.loss is None:
        loss = choices.default_loss(task)
        origins |= _part_origins("loss", loss, f"chosen because the task is {task}")
        config = config.model_copy(update={"loss": loss})
    if config.model is None:
        model = choices.default_model(kind)
        origins |= _part_origins("model", model, f"chosen because the inputs are {kind}s")
        config = config.model_copy(update={"model": model})
    return replace(resolved, config=config, origins=origins)


def _part_origins(section: str, part: Part, origin: str) -> dict[str, str]:
    return {f"{section}.name": origin} | {f"{section}.{key}": "default" for key in part.settings}


@dataclass
class _Work:
    """The faults, origins and notes of one resolution, gathered on the way."""

    faults: list[Fault] = field(default_factory=list)
    origins: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)

    def named(self, given: Mapping[str, Given]) -> dict[str, Given]:
        """A layer with the names of its parts as the catalogue writes them, so that equal names are equal."""
        named = dict(given)
        for section in ("model", "loss", "optimizer", "schedule"):
            key = f"{section}.name"
            if key in named:
                named[key] = self._try(section, partial(canonical, section), named[key])
        if "data.name" in named or "data.path" in named:
            self._try("data", name_data, named)
        return named

    def lay_over(self, below: dict[str, Given], above: dict[str, Given]) -> dict[str, Given]:
        """`layers.lay_over`, with a note where a part of a file or the environment is replaced with its settings
        (not by an axis of a sweep, whose values always stand for themselves)."""
        merged = layers.lay_over(below, above)
        for section in ("data", "model", "loss", "optimizer", "schedule"):
            lost = [key for key in below if key.startswith(f"{section}.") and key not in merged]
            lost = [key.removeprefix(f"{section}.") for key in lost if key not in (f"{section}.name", "data.path")]
            name = above.get(f"{section}.name")
            if lost and name is not None and section not in above:
                before = below[f"{section}.name"]
                self.notes.append(
                    f"{section} {name.value} ({name.origin}) replaces {before.value} ({before.origin})"
                    f" with its {', '.join(lost)}"
                )
        return merged

    def finish(self, given: dict[str, Given]) -> Resolved:
        loss = self._part("loss", given)
        if "data.name" not in given and "data" not in self.broken:
            self._choose_data(given, loss)
        row = data_row(given)
        data = self._data(given, row)
        if loss is None and "loss" not in self.broken and data is not None:
            loss = self._choose_loss(given, data, row)
        model = self._part("model", given)
        if model is None and "model" not in self.broken and data is not None:
            model = self._choose_model(given, data, row)
        if data is not None and model is not None and model.name == "transfer":
            data = self._size_for(model, data)
        if "optimizer.name" not in given:
            given["optimizer.name"] = Given(choices.DEFAULT_OPTIMIZER, "default", "optimizer", Path())
        optimizer, schedule = self._part("optimizer", given), self._part("schedule", given)
        train = self._train(given, model)
        sweep = {key.removeprefix("sweep."): g.value for key, g in given.items() if key.startswith("sweep.")}
        self.origins |= {key: g.origin for key, g in given.items() if key.startswith("sweep.")}
        if self.faults:
            raise UsageError(*in_order(self.faults))
        assert data is not None
        assert optimizer is not None
        assert train is not None
        config = Config(
            data=data,
            model=model,
            loss=loss,
            optimizer=optimizer,
            schedule=schedule,
            train=train,
            sweep=sweep or None,
        )
        return Resolved(config, self.origins, tuple(self.notes))

    def _try(self, section: str, action: Any, given: Any) -> Any:
        """What the action makes of it; its faults are kept, and the section is known to be broken."""
        try:
            return action(given)
        except UsageError as error:
            self.faults += error.faults
            self.broken.add(section)
            return given

    def _part(self, section: str, given: Mapping[str, Given]) -> Part | None:
        """The part with its settings; None where none is named, or it is broken."""
        name = given.get(f"{section}.name")
        settings = {
            key.removeprefix(f"{section}."): item
            for key, item in given.items()
            if key.startswith(f"{section}.") and key != f"{section}.name"
        }
        if section in self.broken:
            if "learning_rate" in settings and (fault := learning_rate_fault(settings["learning_rate"])):
                self.faults.append(fault)
            return None
        if name is None:
            if settings and section == "schedule":
                place = next(iter(settings.values())).place
                self.faults.append(Fault("schedule has no name", place, remedy="lossopt list schedules"))
            return None
        filled = fill(section, name.value, name.origin, settings)
        self.faults += filled.faults
        self.origins |= filled.origins
        return filled.part

    def _choose_data(self, given: dict[str, Given], loss: Part | None) -> None:
        """data.name by the loss, or digits; a loss of the user's own does not say."""
        name, origin = choices.DATA_FOR["multiclass"], "default"
        if loss is not None and is_user_code(loss.name):
            self.faults.append(
                Fault(
                    "no data: a loss of your own does not say what it is for",
                    given["loss.name"].place,
                    remedy="name the data: --data digits, --data diabetes, --data mine.csv",
                )
            )
            return
        if loss is not None:
            served = loss_named(loss.name)
            chosen = choices.data_for(served)
            if chosen is None:
                reason, _, remedy = served.refusals["multiclass"].partition("; take ")
                what, place = f"{served.name} is not trained here: {reason}", given["loss.name"].place
                self.faults.append(Fault(what, place, remedy=f"take {remedy}"))
                return
            name, origin = chosen
            self.notes.append(f"data {name} was {origin}; --data NAME takes another")
        given["data.name"] = Given(name, origin, "data", Path())

    def _data(self, given: Mapping[str, Given], row: DataRow | None) -> DataConfig | None:
        if "data" in self.broken or "data.name" not in given:
            return None
        filled = fill_data(given, row)
        self.faults += filled.faults
        self.origins |= filled.origins
        return filled.data

    def _choose_loss(self, given: Mapping[str, Given], data: DataConfig, row: DataRow | None) -> Part | None:
        """By the task of the data; None where only reading them tells the task."""
        task = choices.task_of(row, data.settings)
        if task is None:
            return None
        name = choices.default_loss(task).name
        chosen = given["data.name"].origin != "default"
        origin = f"chosen because {data.name} is a {_kind(task)} data set" if chosen else "default"
        named = {"loss.name": Given(name, origin, "loss", Path())}
        return self._part("loss", given | named)

    def _choose_model(self, given: Mapping[str, Given], data: DataConfig, row: DataRow | None) -> Part | None:
        """By the kind of the inputs; None for data from a user's function, which are not known yet."""
        kind = {"csv": "table", "folder": "image"}.get(
            data_kind(data.name, data.path), choices.inputs_of(row, data.settings) if row else ""
        )
        if kind not in choices.MODEL_FOR:
            return None
        origin = "default" if data.name == choices.DATA_FOR["multiclass"] else f"chosen because data are {kind}s"
        named = {"model.name": Given(choices.MODEL_FOR[kind], origin, "model", Path())}
        return self._part("model", given | named)

    def _size_for(self, model: Part, data: DataConfig) -> DataConfig:
        """With the size of images that the backbone was made for, where files are read and none was given."""
        try:
            row = backbone_named(model.settings["backbone"], self.origins.get("model.backbone"))
        except UsageError as error:
            self.faults += error.faults
            return data
        if data.image_size is not None or data_kind(data.name, data.path) not in ("folder", "kaggle"):
            return data
        self.origins["data.image_size"] = f"chosen because {row.name} was made for it"
        self.notes.append(
            f"images of {row.size}x{row.size}, for which {row.name} was made; data.image_size takes another"
        )
        return data.model_copy(update={"image_size": row.size})

    def _train(self, given: Mapping[str, Given], model: Part | None) -> TrainConfig | None:
        values = {key.removeprefix("train."): item for key, item in given.items() if key.startswith("train.")}
        metric = values.get("metric")
        if metric is not None and isinstance(metric.value, str):
            try:
                values["metric"] = replace(metric, value=metric_named(metric.value).name)
            except UsageError as error:
                self.faults += moved(error.faults, metric.place)
        self.origins |= {f"train.{key}": "default" for key in TrainConfig.model_fields}
        self.origins |= {f"train.{key}": item.origin for key, item in values.items()}
        within = [key for key in values if key.startswith("augment.")]
        augment = self._augment({key.removeprefix("augment."): values.pop(key) for key in within}, model)
        train, faults = validated("train", TrainConfig, values)
        self.faults += faults
        return train if train is None or augment is None else train.model_copy(update={"augment": augment})

    def _augment(self, given: Mapping[str, Given], model: Part | None) -> AugmentConfig | None:
        """What is said of `train.augment`, with the usual number of views where there are any."""
        if not given:
            return None
        self.origins |= {f"{AUGMENT}.{key}": "default" for key in AugmentConfig.model_fields if key not in given}
        augment, faults = validated(AUGMENT, AugmentConfig, given)
        self.faults += faults
        has_views = model is not None and model.name == "transfer"
        if "views" in given and given["views"].value is not None and not has_views and model is not None:
            what = f"{AUGMENT}.views is for model transfer: {model.name} has no backbone that images go through once"
            self.faults.append(Fault(what, given["views"].place, remedy="leave it out: every step has new images"))
        if augment is not None and has_views and augment.views is None:
            augment = augment.model_copy(update={"views": USUAL_VIEWS})
        return augment


def _kind(task: Task) -> str:
    return {"multiclass": "classification", "binary": "binary", "regression": "regression"}[task]
