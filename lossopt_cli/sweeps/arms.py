"""The arms of a sweep: every combination of its axes, as a resolved config that lacks a learning rate and a seed."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from lossopt_cli.catalogue.optimizers import default_rate
from lossopt_cli.catalogue.recipes import spell_value
from lossopt_cli.catalogue.rows import NOTHING
from lossopt_cli.config.choices import loss_tasks
from lossopt_cli.config.layers import Places
from lossopt_cli.config.messages import in_order
from lossopt_cli.config.references import is_user_code
from lossopt_cli.config.resolving import Resolved, resolve_layers
from lossopt_cli.config.schema import Config
from lossopt_cli.data import sources
from lossopt_cli.data.problem import Problem
from lossopt_cli.data.trial import Trial, completed, has_user_code
from lossopt_cli.errors import Fault, UsageError
from lossopt_cli.runs.fingerprint import canonical
from lossopt_cli.sweeps.axes import RATE, Axes, axis_layer
from lossopt_cli.sweeps.combinations import combinations
from lossopt_cli.sweeps.naming import brief
from lossopt_cli.sweeps.ranges import Rates
from lossopt_cli.sweeps.spoken import spoken, unmeant

LEARNING_RATE = "learning_rate"
SOME_RATE = 1e-3
NOT_OF_TRIALS = ("device", "threads", "engine")  # which their hash leaves out, too


@dataclass(frozen=True)
class Pace:
    """width: how many trials of a kind are trained together, at most. seconds: what a trial takes then; None where that
    was not measured."""

    width: int
    seconds: float | None = None


@dataclass(frozen=True)
class Arm:
    """config: resolved and complete; its learning rate and its seed are still to be put in.

    recipe: `loss+optimizer` as folders have it, without the settings that are tuned; tuned: those, by dotted key, which
    are chosen as the learning rate is. code: the fingerprints of the user's code in it. scale: what a search found;
    chosen: the rate that validation chose, False where it chose another arm of the recipe; pace: how its trials are
    trained; each once that is known.
    """

    config: Config
    rates: Rates
    recipe: str
    tuned: Mapping[str, Any] = field(default_factory=dict)
    code: Mapping[str, str] = field(default_factory=dict)
    scale: float | None = None
    chosen: float | Literal[False] | None = None
    pace: Pace | None = None

    @property
    def key(self) -> str:
        """Equal for the same arm, whatever its rates and wherever and in whatever way it is trained."""
        return f"{self.trials} {sorted(self.tuned)}"

    @property
    def trials(self) -> str:
        """Equal for arms whose trials are the same."""
        config = self.config.model_dump()
        config["train"] = {key: value for key, value in config["train"].items() if key not in NOT_OF_TRIALS}
        return canonical(config)

    @property
    def way(self) -> str:
        """How its trials are to be trained, of which they have their last bits."""
        return self.config.train.engine

    @property
    def label(self) -> str:
        """The recipe, and what of it is tuned: `cross_entropy+sgd_momentum=0.9`."""
        return "_".join([self.recipe, *(f"{key.partition('.')[2]}={spell_value(v)}" for key, v in self.tuned.items())])

    @property
    def default_rate(self) -> float | None:
        """What the optimizer's row has; None for one that is not in the catalogue."""
        return default_rate(self.config.optimizer.name)

    def at(self, rate: float | None, seed: int) -> Config:
        """The config of one trial; rate: None leaves the optimizer its own."""
        optimizer = self.config.optimizer
        if rate is not None:
            optimizer = optimizer.model_copy(update={"settings": {**optimizer.settings, LEARNING_RATE: rate}})
        train = self.config.train.model_copy(update={"seed": seed})
        return self.config.model_copy(update={"optimizer": optimizer, "train": train})


@dataclass
class Problems:
    """The problems of a sweep, each loaded once. announce: told what takes long, and what was chosen, once."""

    announce: Callable[[str], None]
    loaded: dict[str, Problem] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)

    def tell(self, text: str) -> None:
        if text not in self.told:
            self.told.add(text)
            self.announce(text)

    def key(self, config: Config) -> str:
        """Equal for configs that are trained on the same problem."""
        seed = config.train.seed if config.data.split_seed == "seed" else 0
        return canonical({"data": config.data.model_dump(), "tasks": loss_tasks(config.loss), "seed": seed})

    def of(self, config: Config) -> Problem:
        """UsageError where data and loss do not go together."""
        key = self.key(config)
        if key not in self.loaded:
            self.loaded[key] = self._load(config, loss_tasks(config.loss))
        return self.loaded[key]

    def _load(self, config: Config, tasks: Sequence | None) -> Problem:
        if not is_user_code(config.data.name):
            return sources.load(config.data, tasks, config.train.seed, self.tell)
        from lossopt_cli.training.assembly import load_problem
        from lossopt_cli.training.building import user_parts

        return load_problem(config, user_parts(config, Path.cwd()), self.tell)


def arms_of(axes: Axes, problems: Problems) -> list[Arm]:
    """One arm for each combination, equal ones once, with the rates of each. UsageError with every fault of every
    combination."""
    found: dict[str, Arm] = {}
    faults: list[Fault] = []
    chosen_data: dict[str, str] = {}
    for chosen, tuned, rates in combinations(axes):
        try:
            resolved = resolve_layers([*axes.below, axis_layer(chosen), axes.above])
            for note in resolved.notes:
                problems.tell(note)
            origin = resolved.origins.get("data.name", "")
            if origin.startswith("chosen because"):
                chosen_data.setdefault(resolved.config.data.name, resolved.config.loss.name)
            arm = _arm(resolved, tuned, _rates(axes, resolved, rates, chosen), problems)
            found[arm.key] = _joined(found[arm.key], arm) if arm.key in found else arm
        except UsageError as error:
            faults += error.faults
    if len(chosen_data) > 1:
        told = "; ".join(f"{loss} {data}" for data, loss in chosen_data.items())
        what = f"the losses would choose different data: {told}"
        faults.append(Fault(what, "--loss", "data that all can be asked of", "--data NAME"))
    faults += [] if faults else [*unmeant(axes, [arm.config for arm in found.values()]), *overlaps(found.values())]
    if faults:
        raise UsageError(*in_order(faults))
    return list(found.values())


def _joined(arm: Arm, again: Arm) -> Arm:
    """The arm with the rates of both. UsageError where those of one are to be found."""
    if arm.rates == again.rates:
        return arm
    if arm.rates.searched or again.rates.searched or None in (*arm.rates.values, *again.rates.values):
        what = f"{brief('optimizer', arm.config.optimizer)} is given twice, with rates and without"
        raise UsageError(Fault(what, "--opt", "once"))
    return replace(arm, rates=Rates(tuple(sorted({*arm.rates.values, *again.rates.values}))))


def overlaps(arms: Iterable[Arm]) -> Iterator[Fault]:
    """Recipes that are also a value of another one's tuned settings: a trial can be of one recipe only."""
    known: dict[str, Arm] = {}
    for arm in arms:
        other = known.setdefault(arm.trials, arm)
        if sorted(other.tuned) != sorted(arm.tuned):
            tuned = ", ".join(key.partition(".")[2] for key in (arm.tuned or other.tuned))
            what = (
                f"{brief('optimizer', arm.config.optimizer)} is a recipe of its own and one of those that tune {tuned}"
            )
            yield Fault(what, "--opt", "one of them")


def _rates(axes: Axes, resolved: Resolved, own: Rates | None, chosen: Mapping[str, tuple[Any, Places]]) -> Rates:
    """What --lr says; else the recipe's own rates, else those of the config's axis, else the rate that the config
    gives, else to be found."""
    config = resolved.config
    said = spoken(axes, config)
    by_flag = bool(said) and said[-1].place == "--lr"
    if own is not None and not by_flag:
        return own
    if own is not None and chosen["optimizer"][1].place == "--opt":
        name = brief("optimizer", config.optimizer)
        what = f"{name} has a learning rate of its own, and --lr gives another"
        raise UsageError(Fault(what, "--lr", "one of them", f"--lr NAME=RATES, for one optimizer, leaves {name} alone"))
    if said:
        return said[-1].rates
    if resolved.origins.get(RATE, "default") != "default":
        return Rates((float(config.optimizer.settings[LEARNING_RATE]),))
    return Rates()


def _arm(resolved: Resolved, tuned: Mapping[str, Any], rates: Rates, problems: Problems) -> Arm:
    if not has_user_code(resolved.config):
        problem = problems.of(resolved.config)
        return replace(arm_of(completed(resolved, problem, problems.tell), tuned), rates=rates)
    from lossopt_cli.training.assembly import assemble

    assembled = assemble(_with_some_rate(resolved), problems.tell)
    if assembled.built.built.learning_rate is None:
        rates = Rates((None,))
    return replace(arm_of(assembled.trial.config, tuned), rates=rates)


def _with_some_rate(resolved: Resolved) -> Resolved:
    """With any learning rate where the user's optimizer cannot be constructed without one: the sweep gives it the true
    ones, and the arm has none."""
    from lossopt_cli.training.building import user_parts
    from lossopt_cli.training.user_optimizers import needs_rate

    optimizer = resolved.config.optimizer
    code = user_parts(resolved.config, Path.cwd())["optimizer"]
    if code is None or not needs_rate(code, optimizer.settings):
        return resolved
    some = optimizer.model_copy(update={"settings": {**optimizer.settings, LEARNING_RATE: SOME_RATE}})
    return replace(resolved, config=resolved.config.model_copy(update={"optimizer": some}))


def arm_of(config: Config, tuned: Mapping[str, Any] = NOTHING) -> Arm:
    """The arm that this complete config is a trial of; its rates are to be found."""
    settings = {key: value for key, value in config.optimizer.settings.items() if key != LEARNING_RATE}
    bare = config.model_copy(
        update={
            "optimizer": config.optimizer.model_copy(update={"settings": settings}),
            "train": config.train.model_copy(update={"seed": 0}),
            "sweep": None,
        }
    )
    recipe = f"{brief('loss', bare.loss, tuned)}+{brief('optimizer', bare.optimizer, tuned)}"
    return Arm(bare, Rates(), recipe, dict(tuned), _code_of(bare))


def refreshed(arm: Arm, tell: Callable[[str], None]) -> Arm:
    """The arm with the user's code as it is now; told: what of it has changed, so that its trials are new ones."""
    code = _code_of(arm.config)
    for reference in (name for name, fingerprint in code.items() if arm.code.get(name, fingerprint) != fingerprint):
        tell(f"{reference} has changed since the last sweep: its trials are new ones")
    return replace(arm, code=code)


def trial_of(arm: Arm, rate: float | None, seed: int, problems: Problems) -> Trial:
    """The trial of an arm at a learning rate and a seed."""
    config = arm.at(rate, seed)
    return Trial.of(config, problems.of(config), arm.code)


def _code_of(config: Config) -> dict[str, str]:
    """The fingerprints of the user's code in the config, by reference."""
    if not has_user_code(config):
        return {}
    from lossopt_cli.training.building import user_parts

    objects = user_parts(config, Path.cwd()).objects
    return {obj.reference: obj.fingerprint for obj in objects.values()}
