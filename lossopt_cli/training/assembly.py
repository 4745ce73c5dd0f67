"""From a resolved config to a trial on its problem. torch is imported only where the user's own code needs it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lossopt_cli.catalogue.recipes import is_user_code
from lossopt_cli.config.choices import loss_tasks
from lossopt_cli.config.resolving import Resolved, complete
from lossopt_cli.config.schema import Config
from lossopt_cli.data import sources
from lossopt_cli.data.problem import Problem
from lossopt_cli.training.trial import Trial

if TYPE_CHECKING:
    from lossopt_cli.training.building import UserParts
    from lossopt_cli.training.running import Run


@dataclass(frozen=True)
class Assembled:
    """built: the run, where it had to be built to know the trial: the signatures of the user's code fill in what the
    config leaves open."""

    trial: Trial
    problem: Problem
    built: "Run | None" = None

    def run(self) -> "Run":
        """The trial ready to train; imports torch and keras."""
        if self.built is not None:
            return self.built
        from lossopt_cli.training import building, running

        return running.prepare(self.trial.config, self.problem, building.UserParts())


def assemble(resolved: Resolved, announce: Callable[[str], None]) -> Assembled:
    """Loads the data and says which trial the config means. UsageError where parts and data do not go together.

    announce: told what takes long.
    """
    config = resolved.config
    parts = (config.loss, config.optimizer, config.model, config.data)
    if not any(part is not None and is_user_code(part.name) for part in parts):
        problem = sources.load(config.data, loss_tasks(config.loss), config.train.seed, announce)
        config = complete(resolved, problem.task, problem.inputs.kind).config
        return Assembled(Trial.of(config, problem), problem)
    from lossopt_cli.training import building, running

    user = building.user_parts(config, Path.cwd())
    problem = _problem(config, user, announce)
    config = complete(resolved, problem.task, problem.inputs.kind).config
    run = running.prepare(config, problem, user)
    return Assembled(run.trial, problem, run)


def _problem(config: Config, user: "UserParts", announce: Callable[[str], None]) -> Problem:
    tasks = loss_tasks(config.loss)
    if user["data"] is None:
        return sources.load(config.data, tasks, config.train.seed, announce)
    from lossopt_cli.data.arrays import from_arrays
    from lossopt_cli.training.user_parts import make_data

    returned = make_data(user["data"], config.data.settings)
    return from_arrays(user["data"].name, returned, config.data, tasks, config.train.seed)
