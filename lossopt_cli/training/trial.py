"""What is trained: plain data, without torch, that travels to a worker."""

from collections.abc import Mapping
from dataclasses import dataclass

from lossopt_cli.catalogue.rows import Task
from lossopt_cli.config.schema import Config
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
