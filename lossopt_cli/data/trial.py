"""What is trained: plain data, without torch, that travels to a worker."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lossopt_cli.catalogue.losses import fit, loss_named
from lossopt_cli.catalogue.recipes import is_user_code
from lossopt_cli.catalogue.rows import Fit, Task
from lossopt_cli.catalogue.wording import counted
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
        plain, code, facts = config.model_dump(), code or {}, _facts(config, problem)
        return cls(
            config,
            trial_hash(plain, facts, code),
            problem_hash(plain, facts),
            setting_hash(plain, facts, code),
        )


def _facts(config: Config, problem: Problem) -> dict:
    """What a problem tells that a config leaves open, or says in another way. The head of a user's loss is a matter of
    its code, and stays open."""
    facts = {**problem.facts, "target": problem.target, "task": problem.task}
    facts["metric"] = config.train.metric or default_metric(problem.task)
    if config.train.evaluate_every == -(-len(problem.train) // config.train.batch_size):
        facts["evaluate_every"] = None
    if not is_user_code(config.loss.name):
        row = loss_named(config.loss.name, "--loss")
        facts["head_units"] = units_of(fit(row, problem.task, config.loss.settings, "--loss"), problem)
    return facts


def units_of(fit: Fit, problem: Problem) -> int:
    """The width of the head: the number of classes where the fit wants one unit a class, else 1."""
    return len(problem.classes) if fit.units == "classes" else 1


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
    return Trial.of(completed(resolved, problem, announce), problem), problem


def completed(resolved: Resolved, problem: Problem, announce: Callable[[str], None]) -> Config:
    """The config with what only the data tell: the loss and the model that were left open, which version of the data
    it is, and batches that the training rows fill where nobody asked for a size. announce: told of that."""
    resolved, count = complete(resolved, problem.task, problem.inputs.kind), len(problem.train)
    config, unasked = resolved.config, resolved.origins.get("train.batch_size") == "default"
    if problem.pinned is not None:
        config = config.model_copy(update={"data": config.data.model_copy(update={"name": problem.pinned})})
    if not unasked or config.train.batch_size <= count:
        return config
    size = usual_batch(count)
    announce(f"batches of {size}, since only {counted(count, 'example')} train; --batch-size takes another size")
    return config.model_copy(update={"train": config.train.model_copy(update={"batch_size": size})})


def usual_batch(examples: int) -> int:
    """Four batches an epoch of 2 to 32 examples, where there are so many."""
    return min(examples, max(2, min(32, examples // 4)))
