"""What a run keeps so that it can be used and repeated elsewhere: its config, the user's code, the whole model."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import torch

from lossopt_cli.config.schema import Config
from lossopt_cli.config.writing import dump
from lossopt_cli.data.kept import training_facts
from lossopt_cli.data.problem import FeatureInputs, Problem
from lossopt_cli.runs.folder import RunFolder
from lossopt_cli.training import networks, staging, whole
from lossopt_cli.training.state import State
from lossopt_cli.training.transfer.backbone import places_of_head
from lossopt_cli.training.user_code import keep_copies

if TYPE_CHECKING:
    from lossopt_cli.training.running import Run

PARTS = ("loss", "optimizer", "model")
MODEL, REPORTED = "model.keras", "checkpoint/reported"


@dataclass(frozen=True)
class Warned:
    """What went wrong with a file without touching the numbers; of the form of a Finding."""

    name: str
    seen: str
    why: str = ""
    remedy: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.seen, self.why, self.remedy)))


def filled(config: Config, settings: Mapping[str, Mapping[str, Any]]) -> Config:
    """The config with what the signatures of user code say where it says nothing. settings: by part."""
    update = {}
    for part, resolved in settings.items():
        value = getattr(config, part)
        update[part] = value.model_copy(update={"settings": {**resolved, **value.settings}})
    return config.model_copy(update=update)


def keep_config(run: "Run", folder: RunFolder) -> dict[str, dict[str, Any]]:
    """Writes config.yaml, which names the copies of the user's files that are kept beside it; what was kept, by the
    reference of the config, with the defaults of the signature: what is not among them was asked for."""
    objects = run.built.user.objects
    copies = keep_copies(objects.values(), folder.path)
    for reference, found in run.built.user.defaults.items():
        copies[reference] |= found
    update: dict[str, Any] = {}
    for part, obj in objects.items():
        file, value = copies[obj.reference]["file"], getattr(run.trial.config, part)
        changed = {"path": file} if part == "data" else {"name": f"{file}:{obj.name}"}
        update[part] = value.model_copy(update=changed)
    folder.write_text("config.yaml", dump(run.trial.config.model_copy(update=update)))
    return copies


def keep_model(run: "Run", state: State, folder: RunFolder) -> list[Warned]:
    """Writes model.keras with the weights of the state, and labels.json; what there is to say where that fails."""
    if not bool(torch.isfinite(state.weights).all()):
        return []
    if run.second is not None:  # the backbone's layers had not begun to train
        run, state = run.second, staging.grown(run, state)
    objective = run.built.objective
    labels = whole.labels(run.problem, objective.fit, activated=objective.activated)
    folder.write_json("labels.json", labels | {"training": training_facts(run.problem)})
    warned = _write_whole(run, state, folder)
    if not (folder.path / MODEL).exists():  # the weights alone, for `evaluate`
        State(state.weights, state.buffers, []).save(folder.path / REPORTED)
    return warned


def _write_whole(run: "Run", state: State, folder: RunFolder) -> list[Warned]:
    objective = run.built.objective
    try:
        core = _core(run, state)
        model = whole.whole_model(core, run.problem, objective.fit, activated=objective.activated)
    except whole.UNWRITABLE as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        return [Warned("model_file", f"model.keras was not written: no whole model can be built ({reason}).")]
    said = whole.save_whole(folder.path / MODEL, model)
    return [Warned("model_file", f"{said}.")] if said else []


def _core(run: "Run", state: State) -> keras.Model:
    """The trained network in Keras's default layout, on the CPU."""
    model, on_features = run.built.model, isinstance(run.examination.problem.inputs, FeatureInputs)
    if run.built.channels_first or on_features:
        model = channels_last(run.trial.config, run.problem, run.built.objective.units)
    buffers = buffers_of_head(model) if on_features else model.non_trainable_variables
    weights = run.built.layout.views(state.weights[0].detach().cpu())
    with torch.no_grad():
        for variable, value in zip(model.trainable_variables, weights, strict=True):
            variable.assign(value)
        for variable, value in zip(buffers, state.buffers, strict=True):
            variable.assign(value[0].detach().cpu())
    return model


def buffers_of_head(model: keras.Model) -> list[keras.Variable]:
    """The variables beside the weights of what stands behind a frozen backbone, in the order of a head alone."""
    return [model.non_trainable_variables[place] for place in places_of_head(model)]


def channels_last(config: Config, problem: Problem, units: int) -> keras.Model:
    """The catalogue's own network in Keras's default layout: the same variables in the same order."""
    part = config.model
    with keras.device("cpu"):
        return networks.build(part.name, part.settings, problem.inputs, units, "channels_last", config.train.precision)
