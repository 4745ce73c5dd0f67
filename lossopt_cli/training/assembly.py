"""From a resolved config to a trial on its problem, ready to train."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lossopt_cli.config.choices import loss_tasks
from lossopt_cli.config.resolving import Resolved
from lossopt_cli.config.schema import Config
from lossopt_cli.data import sources
from lossopt_cli.data.arrays import from_arrays
from lossopt_cli.data.problem import Problem
from lossopt_cli.data.trial import Trial, completed, has_user_code, load_trial
from lossopt_cli.training import building, running
from lossopt_cli.training.building import UserParts
from lossopt_cli.training.user_parts import make_data


@dataclass(frozen=True)
class Assembled:
    """built: the run, where it had to be built to know the trial: the signatures of the user's code fill in what the
    config leaves open."""

    trial: Trial
    problem: Problem
    built: running.Run | None = None

    def run(self, announce: Callable[[str], None]) -> running.Run:
        """The trial ready to train. announce: told of images that go through a backbone first."""
        return self.built or running.prepare(self.trial.config, self.problem, UserParts(), announce=announce)


def assemble(resolved: Resolved, announce: Callable[[str], None]) -> Assembled:
    """Loads data and user code and says which trial the config means. UsageError where they do not go together.

    announce: told what takes long.
    """
    config = resolved.config
    if not has_user_code(config):
        return Assembled(*load_trial(resolved, announce))
    user = building.user_parts(config, Path.cwd())
    problem = load_problem(config, user, announce)
    run = running.prepare(completed(resolved, problem, announce), problem, user, announce=announce)
    return Assembled(run.trial, problem, run)


def load_problem(config: Config, user: UserParts, announce: Callable[[str], None]) -> Problem:
    """The problem that the config names, also where its data come from the user's code."""
    tasks = loss_tasks(config.loss)
    if user["data"] is None:
        return sources.load(config.data, tasks, config.train.seed, announce)
    returned = make_data(user["data"], config.data.settings)
    return from_arrays(user["data"].name, returned, config.data, tasks, config.train.seed)
