"""sweep.yaml: the recipes of a sweep, how their rates come about and what is known of them, its seeds, its engine."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, NonNegativeFloat, NonNegativeInt, PositiveInt, ValidationError

from lossopt_cli.config import reading
from lossopt_cli.config.schema import Config
from lossopt_cli.config.writing import flow
from lossopt_cli.errors import Fault, UsageError
from lossopt_cli.runs.folder import RunFolder
from lossopt_cli.runs.reading import SCHEMA_VERSION, SWEEP
from lossopt_cli.sweeps.arms import Arm, Pace
from lossopt_cli.sweeps.candidates import Candidate
from lossopt_cli.sweeps.ranges import AUTO, Rates, rates_of

HEAD = "# What this folder holds. `lossopt sweep {folder}` trains what is missing; flags add to it.\n"
REMEDY = "remove it: the runs beside it are kept"
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


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


class _Entry(BaseModel):
    """An arm, as it is written."""

    recipe: str
    rates: Any
    config: Config
    scale: Positive | None = None
    chosen: Positive | Literal[False] | None = None
    width: PositiveInt | None = None
    seconds: NonNegativeFloat | None = None
    tuned: dict[str, Any] | None = None
    code: dict[str, str] | None = None

    def arm(self, where: str) -> Arm:
        """UsageError for rates that are none."""
        pace = Pace(self.width, self.seconds) if self.width else None
        known = {"tuned": self.tuned or {}, "code": self.code or {}, "scale": self.scale, "chosen": self.chosen}
        return Arm(self.config, _rates_read(self.rates, where), self.recipe, **known, pace=pace)


class _Written(BaseModel):
    """The file, as it is written."""

    arms: list[_Entry]
    seeds: list[NonNegativeInt]
    problems: list[Any]


def read_sweep(folder: Path) -> SweepFile | None:
    """The sweep.yaml of a folder, None where it has none. UsageError for one that cannot be read."""
    path = folder / SWEEP
    if not path.is_file():
        return None
    try:
        written = _Written.model_validate(reading.read(path).values)
        arms = tuple(entry.arm(str(path)) for entry in written.arms)
    except UsageError as error:
        raise UsageError(*(replace(fault, expected=None, remedy=REMEDY) for fault in error.faults)) from error
    except ValidationError as error:
        told = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        what = f"cannot be read as a sweep: {next(told)}"
        raise UsageError(Fault(what, str(path), remedy=REMEDY)) from error
    return SweepFile(arms, tuple(written.seeds), tuple(map(str, written.problems)))


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


def _rates_read(given: Any, where: str) -> Rates:
    if given == [None]:
        return Rates((None,))
    if isinstance(given, Mapping) and "factors" in given:
        return replace(rates_of(given["factors"], where), relative=True)
    return rates_of(given, where)
