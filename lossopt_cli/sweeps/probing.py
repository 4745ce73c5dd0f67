"""What a kind of trial costs, from a short training on a part of the data."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from lossopt_cli.config.schema import Config
from lossopt_cli.config.stages import shortened
from lossopt_cli.data.problem import Problem
from lossopt_cli.errors import LossoptError
from lossopt_cli.sweeps.arms import Problems
from lossopt_cli.sweeps.backbone_pass import Seen, seen
from lossopt_cli.sweeps.cells import Cell
from lossopt_cli.sweeps.shares import Probed, inputs_of
from lossopt_cli.sweeps.trials import Heard
from lossopt_cli.training.building import user_parts
from lossopt_cli.training.running import at_work
from lossopt_cli.training.stacking import prepare_stack, train_stack
from lossopt_cli.training.widths import choice

STEPS, EPOCHS = 20, 3


@dataclass
class Probes:
    """problems: of the sweep. passes: of their images through a backbone, by `inputs_of`."""

    problems: Problems
    passes: dict[str, Seen | None] = field(default_factory=dict)

    def of(self, cells: Sequence[Cell]) -> Probed:
        """The cost of a trial like these, and of the pass of their images through a backbone."""
        config, key = cells[0].trial.config, inputs_of(cells[0])
        short = self.problems.of(_shortened(config))
        try:
            if key not in self.passes:
                self.passes[key] = seen(config, self.problems.of(config))
        except LossoptError as error:
            return Probed(cells[0], fault=str(error))
        before = self.passes[key]
        if before is None:
            return probed(cells, short, len(self.problems.of(config).train))
        cost = probed(cells, before.of(short), len(self.problems.of(config).train))
        return replace(cost, once_seconds=before.seconds)


def probed(cells: Sequence[Cell], problem: Problem, examples: int) -> Probed:
    """The cost of a trial like these on so many examples, with its evaluations, when so many are trained together:
    EPOCHS short epochs on a part of them, of which the first pays for what is built once."""
    config = cells[0].trial.config
    began_at = time.time()
    try:
        runs = prepare_stack([_shortened(cell.trial.config) for cell in cells], problem, _user(config))
        heard = [Heard() for _ in cells]
        with at_work(runs[0]):
            train_stack(runs, heard, width=choice(runs[0]).width)
    except LossoptError as error:
        return Probed(cells[0], fault=str(error))
    ends = sorted(at for one in heard for at, _ in one.told)
    first, last = (max(one.told[place][0] for one in heard) for place in (0, -1))
    spent = (last - first) / (EPOCHS - 1) / len(cells) if len(ends) > len(cells) else 0.0
    share = len(runs[0].problem.train) / examples
    build = max(0.0, first - began_at - spent * len(cells))
    return Probed(cells[0], build, spent / share * config.train.epochs)


def _user(config: Config):
    return user_parts(config, Path.cwd())


def _shortened(config: Config) -> Config:
    """EPOCHS epochs of at most STEPS steps."""
    wanted = int(STEPS * config.train.batch_size / config.data.split[0])
    limit = min(wanted, config.data.limit) if config.data.limit else wanted
    config = shortened(config, EPOCHS)
    train = config.train.model_copy(update={"keep": "last", "evaluate_every": None})
    return config.model_copy(update={"data": config.data.model_copy(update={"limit": limit}), "train": train})
