"""Which runs may be ranked together: those of one problem (data, target, split and metric), the newest first."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lossopt_cli.analysis.recipes import recipes_of
from lossopt_cli.runs.records import Record

# What of the config makes another problem, and how that is said.
DIFFERENCES: Mapping[str, str] = {
    "name": "other data",
    "target": "other target",
    "split": "other split",
    "split_seed": "other split",
    "split_method": "other split",
    "classes": "other classes",
    "limit": "other examples",
    "image_size": "other image size",
    "missing": "other treatment of holes",
    "settings": "other data",
}


@dataclass(frozen=True, eq=False)
class ProblemRuns:
    """The runs of one problem. label: `digits, split 20`. differs: from the newest problem, in two words; None for
    that one itself."""

    problem: str
    label: str
    differs: str | None
    records: tuple[Record, ...]

    @property
    def recipes(self) -> int:
        """How many they are of."""
        return len(recipes_of(self.records))


def problems_of(records: Iterable[Record]) -> list[ProblemRuns]:
    """The records by problem, those with the newest run first."""
    groups: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        groups[record.problem].append(record)
    ordered = sorted(groups.values(), key=lambda group: max(record.began_at for record in group), reverse=True)
    firsts = [group[0] for group in ordered]
    return [
        ProblemRuns(
            problem=group[0].problem,
            label=_label(group[0], firsts),
            differs=_difference(group[0], firsts[0]) if group is not ordered[0] else None,
            records=tuple(group),
        )
        for group in ordered
    ]


def data_of(record: Record) -> str:
    """What the data are called."""
    return record.result.get("data") or record.config["data"]["name"]


def _label(record: Record, others: Iterable[Record]) -> str:
    """The data and the seed of their split; of target, metric and shares what differs between the problems."""
    data = record.config["data"]
    of_same_data = [other for other in others if data_of(other) == data_of(record)]
    said = [data_of(record)]
    for tell in (_target, _metric, _shares):
        said += [tell(record)] if len({tell(other) for other in of_same_data}) > 1 else []
    seed = data.get("split_seed")
    return ", ".join([*said, "a split for each seed" if seed == "seed" else f"split {seed}"])


def _target(record: Record) -> str:
    return f"target {record.result.get('target')}"


def _metric(record: Record) -> str:
    return record.metric


def _shares(record: Record) -> str:
    """`70/20/10`: per cent of training, validation and test."""
    return "/".join(f"{100.0 * share:g}" for share in record.config["data"].get("split") or ())


def _difference(record: Record, newest: Record) -> str:
    here, there = record.config["data"], newest.config["data"]
    if data_of(record) != data_of(newest):
        return DIFFERENCES["name"]
    if record.metric != newest.metric:
        return "other metric"
    if record.result.get("target") != newest.result.get("target"):
        return DIFFERENCES["target"]
    return next((said for key, said in DIFFERENCES.items() if _other(here, there, key)), "other contents")


def _other(here: Mapping[str, Any], there: Mapping[str, Any], key: str) -> bool:
    return here.get(key) != there.get(key)
