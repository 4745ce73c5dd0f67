"""What a sweep is made of: a config and flags, or a folder of runs and flags that add to it."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lossopt_cli.config.layers import Layer, Places
from lossopt_cli.config.schema import Config, Part
from lossopt_cli.errors import Fault, UsageError
from lossopt_cli.runs.fingerprint import canonical
from lossopt_cli.runs.folder import check_name, safe
from lossopt_cli.runs.reading import RESULT
from lossopt_cli.runs.records import Record, read_records
from lossopt_cli.sweeps.arms import Arm, Problems, arm_of, arms_of, overlaps, refreshed, trial_of
from lossopt_cli.sweeps.axes import Asked, Axes, axes_of
from lossopt_cli.sweeps.naming import brief
from lossopt_cli.sweeps.ranges import Rates
from lossopt_cli.sweeps.spoken import rates_spoken
from lossopt_cli.sweeps.sweep_file import SweepFile, read_sweep

DIGITS, LONGEST = 6, 60


@dataclass(frozen=True)
class Source:
    """arms: of this sweep; seeds: of its report. folder: of the sweep; written: its sweep.yaml, empty for a new one."""

    arms: tuple[Arm, ...]
    seeds: Sequence[int]
    folder: Path
    written: SweepFile

    @property
    def one_range(self) -> bool:
        """Whether recipes whose default rates differ are all given the same range of rates."""
        given = {arm.rates.values for arm in self.arms if not arm.rates.searched and len(arm.rates.values) > 1}
        return len(given) == 1 and len({arm.default_rate for arm in self.arms}) > 1


def source_of(asked: Asked, environ: Mapping[str, str], logs: Path, name: str | None, problems: Problems) -> Source:
    """The arms and seeds that were asked for. UsageError with every fault."""
    given = asked.config
    if given is not None and given.is_dir():
        if name is not None and not _is_run(given):
            remedy = "leave it out, or say the axes beside a --name of their own"
            raise UsageError(Fault(f"{given} keeps its name", "--name", remedy=remedy))
        source = _of_folder(given, asked, environ, problems)
        return _beside(source, logs, name, problems) if _is_run(given) else source
    axes = axes_of(asked, environ)
    arms = arms_of(axes, problems)
    if name is not None:
        check_name(name)
    of_file = given is not None and not _is_run(given.parent)
    name = name or (safe(given.stem) if of_file else _name(arms, problems))
    return _source(arms, _seeds(axes), logs / name, problems)


def _is_run(folder: Path) -> bool:
    return (folder / RESULT).is_file()


def _beside(source: Source, logs: Path, name: str | None, problems: Problems) -> Source:
    """The same in a folder of its own: what was given is a single run, and a run holds no others."""
    return _source(source.arms, source.seeds, logs / (name or _name(source.arms, problems)), problems)


def source_of_one(asked: Asked, environ: Mapping[str, str], logs: Path, problems: Problems) -> Source:
    """One recipe as `lossopt train` takes it, in the folder that a sweep of its problem has."""
    axes = axes_of(asked, environ, single=True)
    arms = arms_of(axes, problems)
    if len(arms) > 1:
        raise UsageError(Fault(f"{len(arms)} recipes", expected="one", remedy="lossopt sweep trains several"))
    return _source(arms, _seeds(axes), logs / _name(arms, problems), problems)


def _source(arms: Sequence[Arm], seeds: Sequence[int], folder: Path, problems: Problems) -> Source:
    """UsageError where the folder holds a sweep of other problems."""
    written = read_sweep(folder) or SweepFile((), (), ())
    source = Source(_as_known(arms, written), seeds, folder, written)
    _check_problem(source, problems)
    return source


def fingerprints(arms: Iterable[Arm], problems: Problems) -> tuple[str, ...]:
    """The problems that these arms are trained on."""
    return tuple(dict.fromkeys(trial_of(arm, 1.0, 0, problems).problem for arm in arms))


def _of_folder(folder: Path, asked: Asked, environ: Mapping[str, str], problems: Problems) -> Source:
    """The arms that are in the folder, with the rates and seeds that were asked for; or, where a flag names a part or a
    setting, new ones on its problem."""
    records, _ = read_records([folder])
    written = read_sweep(folder) or SweepFile(_found(records, folder), (), ())
    if not written.arms:
        raise UsageError(Fault(f"no runs and no sweep in {folder}", "CONFIG", "a config file, or a folder of runs"))
    asked = replace(asked, config=None)
    if asked.sets or any(value is not None for value in asked.flags.values()):
        bases = {canonical(base.model_dump()): base for base in (_base(arm.config) for arm in written.arms)}
        sets = [axes_of(asked, environ, _layer(base, folder, written.arms)) for base in bases.values()]
        axes, arms = sets[0], [arm for axes in sets for arm in arms_of(axes, problems)]
        arms = _as_there(arms, axes, asked, written)
    else:
        axes = axes_of(asked, environ, _layer(_base(written.arms[0].config), folder, written.arms))
        arms = [_with_rates(refreshed(arm, problems.tell), axes) for arm in written.arms]
    said = axes.seeds_said or _is_run(folder)
    seeds = _seeds(axes) if said else written.seeds or tuple(sorted({record.seed for record in records}))
    return Source(_as_known(arms, written), seeds, folder, written)


def _as_there(arms: Sequence[Arm], axes: Axes, asked: Asked, written: SweepFile) -> list[Arm]:
    """The arms with the rates that the folder has for them, unless --lr speaks; and of combinations that nobody named
    only those that the folder has."""
    known = {arm.key: arm for arm in written.arms}
    pairs = {_pair(arm) for arm in written.arms}
    named = any(asked.flags.get(part) is not None for part in ("loss", "optimizer"))
    kept = [arm for arm in arms if named or _pair(arm) in pairs]
    rates = [
        known[arm.key].rates if arm.key in known and rates_spoken(axes, arm.config) is None else None for arm in kept
    ]
    return [arm if own is None else replace(arm, rates=own) for arm, own in zip(kept, rates, strict=True)]


def _pair(arm: Arm) -> str:
    return canonical({"loss": arm.config.loss.model_dump(), "optimizer": arm.config.optimizer.model_dump()})


def _as_known(arms: Iterable[Arm], written: SweepFile) -> tuple[Arm, ...]:
    """The arms with the scales that were found before, and the paces where trials go the same way."""
    known = {arm.key: arm for arm in written.arms}
    found = [(arm, known.get(arm.key, arm)) for arm in arms]
    if faults := [*overlaps([*known.values(), *(arm for arm, _ in found)])]:
        raise UsageError(*dict.fromkeys(faults))
    return tuple(
        replace(arm, scale=before.scale, pace=before.pace if before.way == arm.way else None) for arm, before in found
    )


def _found(records: Sequence[Record], folder: Path) -> tuple[Arm, ...]:
    """The arms of runs that nobody planned as a sweep, each at the rates that it was tried at."""
    if len({record.problem for record in records}) > 1:
        what = f"{folder} holds runs of {len({record.problem for record in records})} problems"
        raise UsageError(Fault(what, "CONFIG", "runs of one problem", f"lossopt compare {folder} tells them apart"))
    arms: dict[str, tuple[Arm, set[float | None]]] = {}
    for record in records:
        arm = arm_of(Config.model_validate({**record.config, "train": {**record.config["train"], "engine": "auto"}}))
        arms.setdefault(arm.key, (arm, set()))[1].add(record.learning_rate)
    ordered = [(arm, sorted(rates, key=lambda rate: rate or 0.0)) for arm, rates in arms.values()]
    return tuple(replace(arm, rates=Rates(tuple(rates))) for arm, rates in ordered)


def _base(config: Config) -> Config:
    """What recipes share: the config without loss and optimizer."""
    return config.model_copy(update={"loss": None, "optimizer": Part(name="none")})


def _layer(base: Config, folder: Path, known: Iterable[Arm]) -> Layer:
    """The base as a config file would say it, with the losses and optimizers of the folder as the axes of its sweep."""
    layer, at = Layer(), Places(str(folder), str(folder), Path.cwd())
    values = base.model_dump()
    values["train"].pop("seed")
    for section in ("data", "model", "schedule", "train"):
        layer.put_section(section, values[section], at)
    for section in ("loss", "optimizer"):
        parts = [getattr(arm.config, section).model_dump() for arm in known]
        layer.put(
            f"sweep.{section}", at.given(f"sweep.{section}", [*{canonical(part): part for part in parts}.values()])
        )
    return layer


def _with_rates(arm: Arm, axes: Axes) -> Arm:
    """The arm with the rates that --lr gives it, if any."""
    rates = rates_spoken(axes, arm.config)
    return arm if rates is None else replace(arm, rates=rates)


def _seeds(axes: Axes) -> Sequence[int]:
    return axes.seeds if axes.seeds is not None else range(axes.first_seed, axes.first_seed + axes.seed_count)


def _name(arms: Sequence[Arm], problems: Problems) -> str:
    """`<data>-<model>-<hash of problem and setting>`: the same for every sweep of that problem in that setting."""
    trials = [trial_of(arm, 1.0, 0, problems) for arm in arms]
    known = sorted({(trial.problem, trial.setting) for trial in trials})
    digest = hashlib.sha256(canonical({"known": known}).encode()).hexdigest()[:DIGITS]
    data = dict.fromkeys(safe(problems.of(arm.config).name) for arm in arms)
    models = dict.fromkeys(safe(brief("model", arm.config.model)) for arm in arms)
    return f"{'+'.join(data)[:LONGEST]}-{'+'.join(models)[:LONGEST]}-{digest}"


def _check_problem(source: Source, problems: Problems) -> None:
    """UsageError where the folder holds a sweep of other problems."""
    held = source.written.problems
    if held and not set(held) & set(fingerprints(source.arms, problems)):
        named = ", ".join(dict.fromkeys(arm.config.data.name for arm in source.written.arms))
        what = f"{source.folder} holds a sweep of another problem ({named})"
        raise UsageError(Fault(what, "--name", "a sweep of the same data, target, split and metric", "another --name"))
