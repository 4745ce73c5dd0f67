"""sweep.yaml: the recipes of a sweep, how their rates come about and what is known of them, its seeds, its engine."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lossopt_cli.config import reading
from lossopt_cli.config.schema import Config
from lossopt_cli.config.writing import flow
from lossopt_cli.errors import Fault, UsageError
from lossopt_cli.runs.folder import RunFolder
from lossopt_cli.runs.reading import SCHEMA_VERSION, SWEEP
from lossopt_cli.sweeps.arms import Arm, Pace
from lossopt_cli.sweeps.candidates import Candidate
from lossopt_cli.sweeps.ranges import AUTO, Rates

HEAD = "# What this folder holds. `lossopt sweep {folder}` trains what is missing; flags add to it.\n"


@dataclass(frozen=True)
class SweepFile:
    """seeds: of the last sweep. problems: the fingerprints of what the arms are trained on."""

    arms: tuple[Arm, ...]
    seeds: tuple[int, ...]
    problems: tuple[str, ...]

    def with_candidates(self, candidates: Iterable[Candidate], seeds: Sequence[int]) -> "SweepFile":
        """What the candidates know laid over what was known."""
        known = {arm.key: arm for arm in self.arms}
        for arm in (arm for candidate in candidates for arm in candidate.known()):
            known[arm.key] = _merged(known.get(arm.key, arm), arm)
        return replace(self, arms=tuple(known.values()), seeds=tuple(seeds))

    def with_found(self, candidates: Iterable[Candidate], seeds: Sequence[int]) -> "SweepFile":
        """What a search for rates found, beside what was asked for: arms that are there keep their rates, and what was
        chosen from those; the seeds stay where there are any."""
        known = {arm.key: arm for arm in self.arms}
        for arm in (arm for candidate in candidates for arm in candidate.known()):
            before = known.get(arm.key, arm)
            same = before.rates == arm.rates
            known[arm.key] = replace(_merged(before, arm), rates=before.rates, chosen=(arm if same else before).chosen)
        return replace(self, arms=tuple(known.values()), seeds=self.seeds or tuple(seeds))


def read_sweep(folder: Path) -> SweepFile | None:
    """The sweep.yaml of a folder, None where it has none. UsageError for one that cannot be read."""
    path = folder / SWEEP
    if not path.is_file():
        return None
    values = reading.read(path).values
    try:
        arms = tuple(_arm_read(entry) for entry in values["arms"])
        return SweepFile(arms, tuple(values["seeds"]), tuple(map(str, values["problems"])))
    except (KeyError, TypeError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        what = f"cannot be read as a sweep: {type(error).__name__}: {reason}"
        raise UsageError(Fault(what, str(path), remedy="remove it: the runs beside it are kept")) from error


def write_sweep(folder: Path, file: SweepFile) -> None:
    """Whole, as every file of a run."""
    lines = [HEAD.format(folder=folder), f"schema_version: {SCHEMA_VERSION}\n"]
    lines += [f"seeds: {flow(list(file.seeds))}\n", f"problems: {flow(list(file.problems))}\n"]
    lines.append("arms:\n")
    for arm in file.arms:
        entry = {"recipe": arm.recipe, "rates": _rates_written(arm.rates), "scale": arm.scale, "chosen": arm.chosen}
        pace = arm.pace or Pace(1)
        entry |= {"width": arm.pace and pace.width, "seconds": pace.seconds}
        entry |= {"tuned": dict(arm.tuned), "code": dict(arm.code), "config": arm.config.model_dump(mode="json")}
        lines.append("  - " + "\n    ".join(f"{key}: {flow(value)}" for key, value in entry.items()) + "\n")
    RunFolder(folder).write_text(SWEEP, "".join(lines))


def _merged(before: Arm, now: Arm) -> Arm:
    """Rates that were given add up; else what is asked for now counts, with a scale that was found before."""
    rates = now.rates
    if not (before.rates.searched or rates.searched) and None not in (*before.rates.values, *rates.values):
        rates = Rates(tuple(sorted({*before.rates.values, *rates.values})))
    if before.pace is not None and before.way != now.way:  # --engine is for once
        now = replace(now, config=before.config, pace=before.pace)
    forgotten = {key: getattr(before, key) for key in ("scale", "chosen", "pace") if getattr(now, key) is None}
    return replace(now, rates=rates, **forgotten)


def _rates_written(rates: Rates) -> Any:
    if rates.auto:
        return AUTO
    return {"factors": list(rates.values)} if rates.relative else list(rates.values)


def _arm_read(entry: Mapping[str, Any]) -> Arm:
    given = entry["rates"]
    if given == AUTO:
        rates = Rates()
    elif isinstance(given, Mapping):
        rates = Rates(tuple(given["factors"]), relative=True)
    else:
        rates = Rates(tuple(given))
    parts = {key: dict(entry.get(key) or {}) for key in ("tuned", "code")}
    config = Config.model_validate(entry["config"])
    pace = Pace(entry["width"], entry.get("seconds")) if entry.get("width") else None
    known = {key: entry.get(key) for key in ("scale", "chosen")}
    return Arm(config, rates, entry["recipe"], **parts, **known, pace=pace)
