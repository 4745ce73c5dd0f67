"""What `--data` means: the problem behind a name, a folder of images or a table."""

from collections.abc import Callable
from pathlib import Path

from lossopt_cli.catalogue.lookup import plain
from lossopt_cli.catalogue.rows import Task
from lossopt_cli.config.schema import DataConfig
from lossopt_cli.data import embedded
from lossopt_cli.data.assembly import problem_of
from lossopt_cli.data.examples import Examples, select
from lossopt_cli.data.problem import Problem
from lossopt_cli.data.splits import check_shares
from lossopt_cli.errors import Fault, UsageError


def load(config: DataConfig, tasks: tuple[Task, ...] | None, seed: int, announce: Callable[[str], None]) -> Problem:
    check_shares(config)
    examples = embedded.LOADERS[plain_names()[plain(config.name)]]()
    return problem_of(select(examples, config, seed), config, seed)


def plain_names():
    return {plain(n): n for n in embedded.LOADERS}
