"""An evaluation for a person, and as rows: made of its JSON alone."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from lossopt_cli.analysis.classes import confusions
from lossopt_cli.analysis.wording import counted, listing, percent
from lossopt_cli.commands.training_report import short
from lossopt_cli.rendering import render_rows

CLASS_NAME = 22
MOST_CLASSES = 20
FREQUENT = 8
SHOWN_ERRORS = 5
THRESHOLD_SCORES = ("precision", "recall", "f1", "balanced_accuracy")
ON_VALIDATION = " on validation"
LONGEST_HEAD = 9  # of a column of the confusion matrix

Evaluation = Mapping[str, Any]
Table = tuple[list[str], list[list[object]]]


def report(evaluation: Evaluation, reference: str, width: int) -> str:
    """What was evaluated, metrics with intervals, classes, confusions or errors, thresholds; each set apart.

    reference: of the run, as one types it.
    """
    blocks = [_wrapped(_head(evaluation), width)]
    if evaluation["labelled"]:
        blocks += [_metrics(evaluation), _wrapped(_meaning(evaluation), width)]
    if "per_class" in evaluation:
        blocks += [_classes(evaluation), _confusion(evaluation, width)]
    if "threshold" in evaluation:
        blocks.append([*_thresholds(evaluation), *_wrapped(_advice(evaluation, reference), width)])
    if "largest_errors" in evaluation:
        blocks.append(_errors(evaluation))
    if "first_predictions" in evaluation:
        blocks.append(_predicted(evaluation))
    if "predictions" in evaluation:
        blocks.append([f"predictions  {evaluation['predictions']}"])
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def tables(evaluation: Evaluation) -> list[Table]:
    """Metrics; then the classes and their confusion, or the largest errors; for papers."""
    found = [_metric_table(evaluation)] if evaluation["labelled"] else []
    if "per_class" in evaluation:
        columns = ["class", "precision", "recall", "f1", "support"]
        scores = evaluation["per_class"]
        found.append((columns, [[score["name"], *(score[name] for name in columns[1:])] for score in scores]))
        classes, counts = (evaluation["confusion"][key] for key in ("classes", "counts"))
        rows = [[name, *row] for name, row in zip(classes, counts, strict=True)]
        found.append((["true class / predicted", *classes], rows))
    if errors := evaluation.get("largest_errors"):
        found.append((list(errors[0]), [list(error.values()) for error in errors]))
    return found


def tidy(evaluation: Evaluation) -> Table:
    """Everything in four columns: table, row, column, value."""
    return ["table", "row", "column", "value"], [list(cell) for cell in _cells(evaluation)]


def _cells(evaluation: Evaluation) -> Iterator[tuple[str, object, str, object]]:
    if evaluation["labelled"]:
        columns, rows = _metric_table(evaluation)
        for name, *values in rows:
            yield from (("metrics", name, column, value) for column, value in zip(columns[1:], values, strict=True))
    for score in evaluation.get("per_class", ()):
        yield from (("classes", score["name"], key, value) for key, value in score.items() if key != "name")
    if "confusion" in evaluation:
        classes, counts = (evaluation["confusion"][key] for key in ("classes", "counts"))
        for truth, row in zip(classes, counts, strict=True):
            yield from (("confusion", truth, said, count) for said, count in zip(classes, row, strict=True))
    for row in evaluation["threshold"]["rows"] if "threshold" in evaluation else ():
        yield from (("threshold", row["chosen"], key, value) for key, value in row.items() if key != "chosen")
    for said in evaluation.get("first_predictions", ()):
        yield from (("predictions", said["row"], key, value) for key, value in said.items() if key != "row")
    for error in evaluation.get("largest_errors", ()):
        yield from (("errors", error["row"], key, value) for key, value in error.items() if key != "row")


def _metric_table(evaluation: Evaluation) -> Table:
    intervals, guessing = evaluation["intervals"], evaluation["guessing"]
    ends = {name: (found["low"], found["high"]) for name, found in intervals.items()}
    rows = [
        [name, value, *ends.get(name, (None, None)), guessing.get(name)] for name, value in _shown(evaluation).items()
    ]
    return ["metric", "value", "low", "high", "guessing"], rows


def _shown(evaluation: Evaluation) -> Mapping[str, float | None]:
    """The metrics; the loss, which is of one recipe only, just where there is nothing else."""
    metrics = {name: value for name, value in evaluation["metrics"].items() if name != "loss"}
    return metrics or evaluation["metrics"]


def _head(evaluation: Evaluation) -> str:
    """`test split of digits: 180 images; weights after epoch 3, the last`"""
    examples = counted(evaluation["n"], evaluation["examples"].removesuffix("s"))
    where = f"{evaluation['split']} split of {evaluation['data']}" if evaluation["split"] else evaluation["data"]
    epoch, kept = evaluation["weights"]["epoch"], evaluation["weights"]["kept"]
    weights = f"after epoch {epoch:g}, " + ("the last" if kept == "last" else "the best on validation")
    if evaluation["status"] == "interrupted":
        weights = f"after epoch {epoch:g}, in which the training was interrupted"
    truth = "" if evaluation["labelled"] else f" without {evaluation['target']}: predictions alone"
    return f"{where}: {examples}{truth}; weights {weights}"


def _metrics(evaluation: Evaluation) -> list[str]:
    """A line a metric: its value, its interval, and what guessing scores."""
    intervals, guessing = evaluation["intervals"], evaluation["guessing"]
    rows = [["", evaluation["split"] or "value", f"{percent(evaluation['confidence'])} interval", "guessing"]]
    for name, value in _shown(evaluation).items():
        found = intervals.get(name, {"low": None})
        interval = "-" if found["low"] is None else _range(found["low"], found["high"])
        rows.append([name, short(value), interval, short(guessing[name]) if name in guessing else ""])
    widths = [max(len(row[place]) for row in rows) + 4 for place in range(4)]
    return ["".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _range(low: float, high: float) -> str:
    """`0.860 to 0.945`, with more digits where the ends would read alike."""
    ends = short(low), short(high)
    return " to ".join(ends if ends[0] != ends[1] else (f"{low:.5g}", f"{high:.5g}"))


def _meaning(evaluation: Evaluation) -> str:
    """What the numbers are of, what the intervals mean, and where there are none."""
    examples, n = evaluation["examples"], evaluation["n"]
    known = [name for name, found in evaluation["intervals"].items() if found["low"] is not None]
    unknown = [name for name in evaluation["intervals"] if name not in known]
    undefined = [name for name in unknown if _is_nan(evaluation["metrics"][name])]
    fixed = [name for name in unknown if name not in undefined]
    said = []
    if "per_class" in evaluation:
        right = sum(row[k] for k, row in enumerate(evaluation["confusion"]["counts"]))
        said.append(f"{right:,} of {n:,} right.")
    elif evaluation["intervals"] and evaluation["target"] != "target":
        said.append(f"mae and rmse are in the units of {evaluation['target']}.")
    if evaluation["trained_on"] == n:
        said.append(f"The model was trained on these {examples}: nothing here speaks of others.")
    elif known:
        said.append(
            f"The intervals say what this model scores on all such {examples}, as far as {n:,} of them can tell (19 in "
            f"20 samples are right about it); another seed may train a better or a worse one."
        )
    if 0 < evaluation["trained_on"] < n:
        said.append(f"The model was trained on {evaluation['trained_on']:,} of these: on others it scores worse.")
    if undefined:
        said.append(f"Not defined on these {examples}: {listing(undefined)}{_why(evaluation, undefined)}.")
    if fixed:
        same = f"samples drawn from these {examples} all score the same, so they do not tell how much others may differ"
        why = "one example says nothing of others" if n < 2 else same
        said.append(f"No interval of {listing(fixed)}: {why}.")
    return " ".join(said)


def _why(evaluation: Evaluation, undefined: Sequence[str]) -> str:
    if "per_class" in evaluation and sum(score["support"] > 0 for score in evaluation["per_class"]) < 2:
        return " (all are of one class)"
    return " (all have the same truth)" if undefined == ["r2"] else ""


def _is_nan(value: float | None) -> bool:
    return value is None or value != value


def _classes(evaluation: Evaluation) -> list[str]:
    """Every class; of many those with the lowest F1."""
    scores = evaluation["per_class"]
    shown = scores
    if len(scores) > MOST_CLASSES:
        shown = sorted((s for s in scores if s["support"]), key=lambda score: score["f1"])[:MOST_CLASSES]
    label = min(CLASS_NAME, max(len("class"), *(len(score["name"]) for score in shown)))
    lines = [f"{'class':<{label}}  precision  recall     f1  support"]
    for score in shown:
        numbers = f"{score['precision']:>9.3f}  {score['recall']:>6.3f}  {score['f1']:>5.3f}  {score['support']:>7,}"
        lines.append(f"{_cut(score['name'], label):<{label}}  {numbers}")
    if len(shown) < len(scores):
        lines.append(f"(the {len(shown)} of {len(scores)} classes with the lowest f1; all: --format csv)")
    return lines


def _confusion(evaluation: Evaluation, width: int) -> list[str]:
    """The matrix where it fits, else the pairs that were confused most often."""
    classes, counts = evaluation["confusion"]["classes"], evaluation["confusion"]["counts"]
    longest = max(len(name) for name in classes)
    digits = max(len(str(count)) for row in counts for count in row)
    head = max(digits, min(longest, LONGEST_HEAD))
    label = min(CLASS_NAME, max(longest, len("true")))
    if label + 2 + (head + 2) * len(classes) > width:
        head = max(digits, min(longest, 4))
    if len(classes) > MOST_CLASSES or label + 2 + (head + 2) * len(classes) > width:
        return _frequent(evaluation)
    lines = [f"{'true':<{label}}  predicted", f"{'':<{label}}" + "".join(f"  {_cut(n, head):>{head}}" for n in classes)]
    for name, row in zip(classes, counts, strict=True):
        cells = "".join(f"  {count or '.':>{head}}" for count in row)
        lines.append(f"{_cut(name, label):<{label}}{cells}")
    return lines


def _frequent(evaluation: Evaluation) -> list[str]:
    classes, counts = evaluation["confusion"]["classes"], np.array(evaluation["confusion"]["counts"])
    found = confusions(counts, classes)
    if not found:
        return []
    lines = ["most frequent confusions (all: --format csv)"]
    for pair in found[:FREQUENT]:
        lines.append(f"  {pair.truth} taken for {pair.predicted}: {pair.count:,} of {pair.of:,}")
    return lines


def _thresholds(evaluation: Evaluation) -> list[str]:
    """One line for each threshold: the one used, and the best ones of the validation data."""
    found = evaluation["threshold"]
    by_value: dict[float, list[Mapping]] = {}
    for row in found["rows"]:
        by_value.setdefault(row["threshold"], []).append(row)
    lines = [f"{evaluation['classes'][1]} is predicted above a {found['of']} of"]
    lines.append(f"{'':<8}precision  recall     f1  balanced accuracy")
    for value, rows in by_value.items():
        precision, recall, f1, balanced = (rows[0][name] for name in THRESHOLD_SCORES)
        chosen = ", ".join(row["chosen"].replace("_", " ").removesuffix(ON_VALIDATION) for row in rows)
        chosen += ON_VALIDATION if rows[-1]["chosen"].endswith(ON_VALIDATION) else ""
        lines.append(f"{value:<8.4g}{precision:>9.3f}  {recall:>6.3f}  {f1:>5.3f}  {balanced:>8.3f}  {chosen}")
    return lines


def _advice(evaluation: Evaluation, reference: str) -> str:
    found = evaluation["threshold"]
    others = [row for row in found["rows"][1:] if row["threshold"] != found["value"]]
    if not others:
        return ""
    command = f"lossopt evaluate {reference} --threshold {others[0]['threshold']:.4g}"
    if found["chosen_here"]:
        return f"They were chosen on these very {evaluation['examples']}; on others:  {command}"
    return f"To say all of this with another one:  {command}"


def _errors(evaluation: Evaluation) -> list[str]:
    errors = evaluation["largest_errors"][:SHOWN_ERRORS]
    rows = [list(error.values()) for error in errors]
    return ["largest errors (rows count from 0)", *render_rows("table", list(errors[0]), rows).splitlines()]


def _predicted(evaluation: Evaluation) -> list[str]:
    """The first predictions, and how many there are of each class."""
    shown = evaluation["first_predictions"]
    columns = [key for key in shown[0] if key != "row" or "file" not in shown[0]]
    lines = render_rows("table", columns, [[said[key] for key in columns] for said in shown]).splitlines()
    if len(shown) < evaluation["n"]:
        lines.append(f"(the first {len(shown)} of {evaluation['n']:,}; all: --predictions FILE)")
    counts = sorted(evaluation.get("predicted", {}).items(), key=lambda item: -item[1])
    named = [f"{name} {count:,}" for name, count in counts if count]
    return [*lines, "", f"predicted: {listing(named, 8)}"] if len(shown) > 1 and named else lines


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
