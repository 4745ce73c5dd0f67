"""A trained model back from the folder of its run: the network of its config with the weights that the run reports."""

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import torch

from lossopt_cli.catalogue.metrics import Outputs
from lossopt_cli.config import choices
from lossopt_cli.config.schema import Config, DataConfig, Part
from lossopt_cli.config.stages import has_backbone, has_features
from lossopt_cli.data.kept import KeptRun
from lossopt_cli.data.problem import Problem
from lossopt_cli.errors import Fault, RunError, UsageError
from lossopt_cli.training import devices, whole
from lossopt_cli.training.building import Network, UserParts, network, user_parts
from lossopt_cli.training.examination import Examination
from lossopt_cli.training.feeding import feed
from lossopt_cli.training.keeping import MODEL, REPORTED, buffers_of_head, channels_last
from lossopt_cli.training.layout import Layout
from lossopt_cli.training.objectives import objective_of
from lossopt_cli.training.program import predict
from lossopt_cli.training.state import State
from lossopt_cli.training.targets import read_out
from lossopt_cli.training.transfer.backbone import apart
from lossopt_cli.training.transfer.features import featured_split
from lossopt_cli.training.user_code import Running
from lossopt_cli.training.user_parts import make_loss

# What zipfile, h5py and Keras raise of a file that is damaged or of another model.
UNREADABLE = (OSError, ValueError, KeyError, RuntimeError, zipfile.BadZipFile)


@dataclass(frozen=True)
class Predictor:
    """The part of a Program that an evaluation needs. model: its variables give the shapes only."""

    model: keras.Model
    layout: Layout
    state: State

    def start(self) -> State:
        return self.state

    def predict(self, state: State, inputs: torch.Tensor) -> torch.Tensor:
        """Raw outputs float32 [n, ...] in inference mode, as training has them."""
        return predict(self.model, self.layout.views(state.weights[0]), [b[0] for b in state.buffers], inputs)


@dataclass(frozen=True)
class Examined:
    """A split as the model sees it. outputs: None where targets and outputs are of different shapes, of which only a
    loss of the user's own can make sense. loss: with the penalties of the layers. raw: the outputs, [n, units]."""

    outputs: Outputs | None
    loss: float
    raw: np.ndarray


@dataclass(frozen=True)
class Restored:
    """A trained model. files: of the user's code. backbone: the frozen part, where the network is the head alone."""

    config: Config
    network: Network
    predictor: Predictor
    device: torch.device
    files: frozenset[Path]
    backbone: keras.Model | None = None

    def examine(self, problem: Problem, split: str, told: Callable[[int, int], None]) -> Examined:
        """Predictions and loss of one split. told: (examples done, of all), after every chunk."""
        objective, part = self.network.objective, problem.split(split)
        if self.backbone is not None:
            problem = featured_split(self.backbone, self.config, problem, split, self.device, told)
            part = problem.split(split)
        with keras.device(self.device.type), Running(self.files, None, raises=RunError):
            eaten = feed(problem, part, objective, self.device, self.network.channels_first)
            chunks, done = [], 0
            for inputs in eaten.all():
                chunks.append(self.predictor.predict(self.predictor.state, inputs))
                done += len(inputs)
                told(done, len(part))
            raw = torch.cat(chunks)
            size = self.config.train.batch_size
            examination = Examination(problem, objective, {split: eaten}, self.predictor, size)
            with torch.no_grad():
                loss = float(objective.loss(eaten.targets, raw)) + examination.penalty(self.predictor.state, split)
        found = raw.cpu().numpy()
        if problem.task == "regression" and found.size != part.targets.size:
            return Examined(None, loss, found)
        return Examined(read_out(problem, objective, found, part.targets), loss, found)


def restore(kept: KeptRun, problem: Problem, user: UserParts, device: str | None) -> Restored:
    """The model of a run. problem: of its data, or of others that are like them. device: None for that of the run.

    UsageError where the user's code or the run's files are not there or do not fit together.
    """
    config = kept.config
    devices.set_up(config.train.threads)
    chosen = devices.device_named(device) if device else _usual_device(config)
    net = _around_backbone(kept, problem, user) if has_backbone(config) else network(config, problem, user)
    layout = Layout.of([variable.shape for variable in net.model.trainable_variables])
    state = _weights(kept, problem, net, layout)
    on_device = State(state.weights.to(chosen), [buffer.to(chosen) for buffer in state.buffers], [])
    files = frozenset(path for obj in user.objects.values() for path in obj.files)
    backbone, head = apart(net.model) if has_features(config) else (None, net.model)
    return Restored(config, net, Predictor(head, layout, on_device), chosen, files, backbone)


def _around_backbone(kept: KeptRun, problem: Problem, user: UserParts) -> Network:
    """The whole network of a run with a backbone, whose weights model.keras has; without that file, those that
    the config names."""
    part, code = kept.config.model, user["loss"]
    if (kept.folder / MODEL).is_file():
        part = part.model_copy(update={"settings": {**part.settings, "weights": "none"}})
    config = kept.config.model_copy(update={"model": part})
    loss = make_loss(code, config.loss.settings) if code else None
    objective = objective_of(config, problem, loss)
    return Network(channels_last(config, problem, objective.units), objective, False, {})


def _usual_device(config: Config) -> torch.device:
    """The run's device where there is one like it here, else what there is."""
    try:
        return devices.device_named(config.train.device)
    except UsageError:
        return devices.device_named("auto")


def _weights(kept: KeptRun, problem: Problem, net: Network, layout: Layout) -> State:
    """The weights of model.keras; where Keras could not write it, those that are kept in its place."""
    path, reported = kept.folder / MODEL, kept.folder / REPORTED
    try:
        if path.is_file():
            return _of_whole(path, kept.config, problem, net, layout)
        if reported.is_dir():
            return State.load(reported)
    except UNREADABLE as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        what = f"the weights in {path.name if path.is_file() else REPORTED} cannot be read: {reason}"
        raise UsageError(Fault(what, str(kept.folder), "the file as the training wrote it")) from error
    raise UsageError(Fault(f"the run has no {MODEL}", str(kept.folder), "the folder of a run with its model"))


def _of_whole(path: Path, config: Config, problem: Problem, net: Network, layout: Layout) -> State:
    """Read into a network of the same shape around which the same layers stand, so that no class of the user's has to
    be known to Keras by name."""
    objective = net.objective
    core = channels_last(config, problem, objective.units) if net.channels_first else net.model
    around = whole.whole_model(core, problem, objective.fit, activated=objective.activated)
    around.load_weights(path)
    weights = torch.zeros(1, layout.size)
    for view, variable in zip(layout.views(weights[0]), core.trainable_variables, strict=True):
        view.copy_(variable.value.detach())
    kept = buffers_of_head(core) if has_features(config) else core.non_trainable_variables
    buffers = [variable.value.detach().clone().cpu()[None] for variable in kept]
    return State(weights, buffers, [])


def user_code(kept: KeptRun, *, with_data: bool) -> UserParts:
    """The user's own loss, model and data, from the copies in the folder of the run; not the optimizer."""
    without = kept.config.model_copy(update={"optimizer": Part(name=choices.DEFAULT_OPTIMIZER)})
    if not with_data:
        without = without.model_copy(update={"data": DataConfig(name="")})
    return user_parts(without, kept.folder)
