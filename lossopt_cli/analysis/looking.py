"""What of the runs is looked at: the metric, which way it is better, the split; and who recorded it."""

from collections.abc import Iterable, Sequence

from lossopt_cli.analysis.arms import VALIDATION, View
from lossopt_cli.analysis.recipes import recipes_of
from lossopt_cli.analysis.statistics import count_floor, rounding_floor
from lossopt_cli.catalogue.metrics import METRICS, metric_named
from lossopt_cli.catalogue.rows import MetricRow
from lossopt_cli.errors import Fault, UsageError
from lossopt_cli.runs.records import LOSS, LeftOut, Record

SPLITS_BY_WORTH = ("test", VALIDATION, "train")
ROWS: dict[str, MetricRow] = {row.name: row for row in METRICS}
FALLBACK = {
    VALIDATION: "these runs have no test data: compared on validation, by which choices were made, so a bit too good",
    "train": "these runs have neither test nor validation data: compared on the data that they were trained on",
}


def view_of(records: Sequence[Record], metric: str | None, split: str | None) -> tuple[View, list[str]]:
    """What is looked at in runs of one problem, and what must be said of it."""
    split, warnings = _split(records, split)
    name = records[0].metric if metric is None else _metric(metric, records)
    if name == LOSS and len(losses := _losses(records)) > 1:
        raise UsageError(_refuses_losses(losses, records, split))
    return View(metric=name, higher=is_higher_better(name), split=split), warnings


def with_metric(records: Iterable[Record], view: View) -> tuple[list[Record], list[LeftOut]]:
    """The records that have a score in the view, and on validation where there are such data; the others are left
    out."""
    kept, left_out = [], []
    for record in records:
        splits = [view.split, *([VALIDATION] if record.sizes.get(VALIDATION) else [])]
        missing = next((split for split in splits if record.score(view.metric, split) is None), None)
        if missing is None:
            kept.append(record)
        else:
            left_out.append(LeftOut(record.folder, "no_metric", f"has no {missing} {view.metric}"))
    return kept, left_out


def is_higher_better(metric: str) -> bool:
    return metric in ROWS and ROWS[metric].better == "higher"


def counts_predictions(metric: str) -> bool:
    """Whether it is of predicted classes, so that it moves in steps of an example."""
    return metric in ROWS and ROWS[metric].needs == "classes"


def floor_of(metric: str, examples: int, scores: Iterable[float]) -> float:
    """The least standard deviation of these scores on so many examples: of a count of examples by its quantum, else by
    rounding."""
    return count_floor(examples) if counts_predictions(metric) else rounding_floor(scores)


def is_in_points(metric: str) -> bool:
    """Whether it is a share, of which 0.01 is a point: accuracy, F1, AUC."""
    return metric in ROWS and ROWS[metric].needs in ("classes", "scores")


def recorded(records: Iterable[Record], split: str | None = None) -> list[str]:
    """The metrics that some of the runs recorded, in the order of the catalogue; the loss is not one."""
    found = {name for record in records for name in record.recorded(split)}
    return [name for name in ROWS if name in found]


def shared(records: Iterable[Record], split: str) -> list[str]:
    """The metrics that every run recorded on the split, in the order of the catalogue; the loss is not one."""
    found = [record.recorded(split) for record in records]
    return [name for name in ROWS if found and all(name in names for names in found)]


def _split(records: Sequence[Record], asked: str | None) -> tuple[str, list[str]]:
    sizes = records[0].sizes
    if asked is None:
        split = next(split for split in SPLITS_BY_WORTH if sizes.get(split))
        return split, [FALLBACK[split]] if split in FALLBACK else []
    if not sizes.get(asked):
        there = ", ".join(split for split in SPLITS_BY_WORTH if sizes.get(split))
        raise UsageError(Fault(f"these runs have no {asked} data", "--split", f"one of {there}"))
    return asked, []


def _metric(asked: str, records: Sequence[Record]) -> str:
    """The name in the catalogue. UsageError where nobody recorded it."""
    there = [*recorded(records), LOSS]
    name = LOSS if asked.casefold() == LOSS else metric_named(asked, "--metric").name
    if name not in there:
        raise UsageError(Fault(f"no run recorded {name}", "--metric", f"one of {', '.join(there)}"))
    return name


def _losses(records: Sequence[Record]) -> list[str]:
    return list(dict.fromkeys(recipe.loss for recipe in recipes_of(records)))


def _refuses_losses(losses: Sequence[str], records: Sequence[Record], split: str) -> Fault:
    named = ", ".join(losses[:3]) + (f" and {len(losses) - 3} more" if len(losses) > 3 else "")
    names = shared(records, split)
    return Fault(
        what=f"the values of different losses do not compare: {named}",
        where="--metric loss" if names else "the loss",
        expected=f"a metric that all of them share: {', '.join(names)}" if names else "runs of one loss",
        remedy=f"--metric {names[0]}" if names else None,
    )
