"""What is trained: plain data, without torch, that travels to a worker."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lossopt_cli.catalogue.recipes import is_user_code
from lossopt_cli.catalogue.rows import Task
from lossopt_cli.config.choices import loss_tasks
from lossopt_cli.config.resolving import Resolved, complete
from lossopt_cli.config.schema import Config
from lossopt_cli.data import sources
from lossopt_cli.data.problem import Problem
from lossopt_cli.runs.fingerprint import problem_hash, setting_hash, trial_hash


@dataclass(frozen=True)
class Trial:
    """A recipe with a learning rate and a seed on a problem: the resolved config and the hash of what defines it.

    problem, setting: the fingerprints of what other trials may share with it.
    """

    config: Config
    hash: str
    problem: str = ""
    setting: str = ""

    @classmethod
    def of(cls, config: Config, problem: Problem, code: Mapping[str, str] | None = None) -> "Trial":
        """code: the fingerprint of every `file.py:name` in the config, by that reference."""
        plain, code = config.model_dump(), code or {}
        facts = {**problem.facts, "target": problem.target, "task": problem.task}
        facts["metric"] = config.train.metric or default_metric(problem.task)
        return cls(
            config,
            trial_hash(plain, facts, code),
            problem_hash(plain, facts),
            setting_hash(plain, facts, code),
        )


def default_metric(task: Task) -> str:
    """What a run is judged by unless it says: mae for numbers, accuracy for classes."""
    return "mae" if task == "regression" else "accuracy"


def has_user_code(config: Config) -> bool:
    """Whether a part is `file.py:name`: its signature, and so the trial, is known only with torch imported."""
    parts = (config.loss, config.optimizer, config.model, config.data)
    return any(part is not None and is_user_code(part.name) for part in parts)


def load_trial(resolved: Resolved, announce: Callable[[str], None]) -> tuple[Trial, Problem]:
    """The trial that a config without user code means, and its problem. announce: told what takes long."""
    config = resolved.config
    assert not has_user_code(config)
    problem = sources.load(config.data, loss_tasks(config.loss), config.train.seed, announce)
    config = complete(resolved, problem.task, problem.inputs.kind).config
    return Trial.of(config, problem), problem
