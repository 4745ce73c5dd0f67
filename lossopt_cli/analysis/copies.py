"""Each trial once: runs that repeat one are left out, or averaged within the seed where their numbers differ."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from lossopt_cli.analysis.choosing import by_role, by_variant
from lossopt_cli.analysis.recipes import Recipe
from lossopt_cli.runs.records import LeftOut, Record


def without_copies(recipe: Recipe) -> tuple[Recipe, list[LeftOut], list[str]]:
    """The recipe with each trial once; what is left out for that; and a sentence for each trial whose copies differ,
    which are kept and averaged.

    A trial that chose the rate and was trained again to report is no copy."""
    choosing, reporting = by_role(recipe.records)
    parts = [choosing] if choosing == reporting else [choosing, reporting]
    kept: list[Record] = []
    left_out: list[LeftOut] = []
    warnings: list[str] = []
    for records in parts:
        for copies in _trials(recipe, records):
            different = _different(copies)
            kept += different
            first, *others = different
            repeats = [record for record in copies if record not in different]
            left_out += [LeftOut(record.folder, "copy", f"the trial of {first.folder}") for record in repeats]
            if others:
                named = ", ".join(str(record.folder) for record in different)
                warnings.append(f"one trial with other numbers each time, averaged within the seed: {named}")
    return replace(recipe, records=tuple(kept)), left_out, warnings


def _trials(recipe: Recipe, records: Iterable[Record]) -> Iterable[list[Record]]:
    """The runs of each trial, the oldest first."""
    found: dict[tuple, list[Record]] = defaultdict(list)
    for variant, alike in by_variant(recipe, records).items():
        for record in sorted(alike, key=lambda record: (record.began_at, record.folder)):
            found[variant, record.learning_rate, record.seed].append(record)
    return found.values()


def _different(copies: Iterable[Record]) -> list[Record]:
    """Those whose metrics no earlier one has."""
    found: list[Record] = []
    for record in copies:
        if all(record.metrics != other.metrics for other in found):
            found.append(record)
    return found
