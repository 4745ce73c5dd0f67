"""What an evaluation found, as `--format json` prints it and evaluation-<split>.json keeps it.

run_dir, trial, status       the run; weights: {epoch, kept: last or best}
data, split, own_data        what was evaluated; split is null for the whole of other data
n, examples, labelled        how many images, rows, ...; whether their truth is known
trained_on                   how many of them the model was trained on, as far as that is known
task, target, classes        classes: null for numbers
metrics                      by name; null where one is not defined on these examples. loss: what was minimised, with
                             penalties of layers; no interval and no guessing, and in no table unless it stands alone
confidence, intervals        by name {low, high, method}; low and high are null where the sample cannot tell
guessing                     by name: what the metric is without a model
per_class                    [{name, precision, recall, f1, support, predicted}]
confusion                    {classes, counts}: a row a true class, a column a predicted one
threshold                    of two classes: {value, of, usual, chosen_here, rows}; rows are scores at the threshold
                             used and at the best ones of the validation data
largest_errors               of numbers: [{row, truth, prediction, error}], rows from 0
difference_to_result         largest difference of the metrics to those of result.json; null where that has none
predicted, first_predictions in the place of metrics where there is no truth
predictions                  the file that was asked for
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lossopt_cli.analysis.classes import at_threshold, best_threshold, class_scores, confusion, largest_errors
from lossopt_cli.catalogue.intervals import intervals
from lossopt_cli.catalogue.metrics import Outputs, compute, guessing, ranked_by
from lossopt_cli.data.kept import KeptRun

if TYPE_CHECKING:
    from lossopt_cli.commands.evaluation_data import Posed

SCHEMA_VERSION = 1
CONFIDENCE = 0.95
ERRORS_SHOWN, PREDICTIONS_SHOWN = 10, 10
CHOSEN_BY = ("f1", "balanced_accuracy")


def described(posed: "Posed", kept: KeptRun) -> dict[str, Any]:
    """What was evaluated: the run, its weights, the data. `n` counts examples."""
    result = kept.result
    best = kept.config.train.keep == "best" and result["best_epoch"] is not None
    return {
        "schema_version": SCHEMA_VERSION,
        "run_dir": str(kept.folder),
        "trial": result["trial"],
        "status": result["status"],
        "weights": {"epoch": result["best_epoch"] if best else result["epochs"], "kept": "best" if best else "last"},
        "data": posed.name,
        "split": posed.drawn,
        "own_data": posed.own,
        "labelled": posed.labelled,
        "trained_on": posed.seen,
        "n": len(posed.part),
        "examples": result["examples"],
        "task": kept.task,
        "target": kept.target,
        "classes": list(kept.classes) if kept.classes else None,
    }


def measured(outputs: Outputs, training_targets: np.ndarray) -> dict[str, Any]:
    """Every metric, what it may be on other examples like these, and what it is without a model."""
    metrics = compute(outputs)
    found = intervals(metrics, outputs, CONFIDENCE)
    simple = outputs.task != "regression" or training_targets.ndim == 1
    return {
        "metrics": metrics,
        "confidence": CONFIDENCE,
        "intervals": {name: _interval(name, found[name]) for name in metrics},
        "guessing": guessing(outputs.task, training_targets, outputs.targets) if simple else {},
    }


def _interval(name: str, ends: tuple[float, float]) -> dict[str, Any]:
    """low and high are None where the sample cannot tell: see `catalogue.intervals`."""
    low, high = ends if math.isfinite(ends[0]) and ends[0] < ends[1] else (None, None)
    return {"low": low, "high": high, "method": "wilson" if name == "accuracy" else "bootstrap"}


def by_class(outputs: Outputs, classes: Sequence[str]) -> dict[str, Any]:
    """Precision, recall, F1 and support of each class, and how many of which were taken for which."""
    counts = confusion(outputs, len(classes))
    return {
        "per_class": [vars(score) for score in class_scores(counts, classes)],
        "confusion": {"classes": list(classes), "counts": counts.tolist()},
    }


def by_example(outputs: Outputs, posed: "Posed") -> dict[str, Any]:
    """The largest errors of a regression, each with its row of the data, from 0."""
    rows, width = posed.part.rows, len(outputs) // len(posed.part)
    found = []
    for missed in largest_errors(outputs, ERRORS_SHOWN):
        values = {"truth": missed.truth, "prediction": missed.prediction, "error": missed.error}
        found.append({"row": int(rows[missed.place // width]), **values})
    return {"largest_errors": found}


def predicted(outputs: Outputs, posed: "Posed", kept: KeptRun) -> dict[str, Any]:
    """What is said of examples whose truth is not known: how often each class, and the first predictions."""
    rows, width = posed.part.rows, len(outputs) // len(posed.part)
    places = range(min(len(outputs), PREDICTIONS_SHOWN))
    first = [{"row": int(rows[place // width])} for place in places]
    for place, said in zip(places, first, strict=True):
        if posed.files is not None:
            said["file"] = posed.files[place]
        if kept.task == "regression":
            said["prediction"] = float(outputs.predicted[place])
            continue
        code = int(outputs.predicted[place])
        said["prediction"] = kept.classes[code]
        said["probability"] = None if outputs.probabilities is None else float(outputs.probabilities[place, code])
    if kept.task == "regression":
        return {"first_predictions": first}
    counts = np.bincount(outputs.predicted, minlength=len(kept.classes)).tolist()
    return {"predicted": dict(zip(kept.classes, counts, strict=True)), "first_predictions": first}


def by_threshold(
    outputs: Outputs, threshold: float | None, usual: float, validation: Outputs | None, own: str | None
) -> dict[str, Any]:
    """What the threshold does, and what the best ones of the validation data would do here.

    threshold: that was asked for; usual: the run's own. own: the split that the outputs are of, None for other data.
    """
    levels, used = levels_of(outputs), usual if threshold is None else threshold
    rows = [{"chosen": "used", **vars(at_threshold(levels, outputs.targets, used))}]
    if validation is not None:
        for metric in CHOSEN_BY:
            best = best_threshold(levels_of(validation), validation.targets, metric, usual)
            chosen = {"chosen": f"best {metric} on validation"}
            rows.append({**chosen, **vars(at_threshold(levels, outputs.targets, best))})
    scale = "score" if outputs.probabilities is None else "probability"
    chosen_here = own == "validation" and validation is not None
    return {"threshold": {"value": used, "of": scale, "usual": usual, "chosen_here": chosen_here, "rows": rows}}


def usual_threshold(outputs: Outputs, kept: KeptRun) -> float:
    """Above which probability of the second of two classes (above which score, where the loss gives no probabilities)
    it is predicted unless something else is asked for."""
    return kept.labels["output"].get("second_class_above", 0.0 if outputs.probabilities is None else 0.5)


def levels_of(outputs: Outputs) -> np.ndarray:
    """What a threshold is held against: the probability of the second class, or its score where there is none."""
    return ranked_by(outputs) if outputs.probabilities is None else outputs.probabilities[:, 1]


def beside_result(metrics: Mapping[str, float], kept: KeptRun, split: str) -> float | None:
    """The largest difference to what result.json has for these metrics and weights, None where it has none."""
    from lossopt_cli.runs.records import reported

    known = reported(kept.result).get(split) or {}
    pairs = [(metrics[name], known[name]) for name in metrics if known.get(name) is not None]
    return max((abs(ours - theirs) for ours, theirs in pairs if math.isfinite(ours)), default=None)


def values_by_name(evaluation: Mapping[str, Any]) -> dict[str, float | None]:
    """What --fail-if may name, see `names`."""
    values = dict(evaluation["metrics"])
    for score in evaluation.get("per_class", ()):
        values |= {f"{part}.{score['name']}": score[part] for part in ("precision", "recall", "f1")}
    return values
