"""From labelled examples to a problem: split, then statistics of the training rows only."""

from dataclasses import replace

import numpy as np

from lossopt_cli.catalogue.wording import counted, plural
from lossopt_cli.config.schema import DataConfig
from lossopt_cli.data.examples import Examples
from lossopt_cli.data.problem import SPLITS, Column, ImageInputs, Problem, Split, TableInputs
from lossopt_cli.data.rows import Rows, taken
from lossopt_cli.data.splits import divide
from lossopt_cli.errors import Fault, UsageError

LARGEST = float(np.finfo(np.float32).max)


def problem_of(examples: Examples, config: DataConfig, seed: int) -> Problem:
    """The problem: every example in one split; columns and target with the statistics of the training rows.

    Holes of a table (NaN) are filled with the training mean, of a categorical column with its most frequent
    training category. Images of an array become rows of it in every split: what is made of each, features say, is then
    made in the order of the array, and is the same whatever the split.
    """
    labels = examples.targets if examples.family == "classification" else None
    parts = divide(labels, examples.given, len(examples), config, seed)
    if not len(parts[0]):
        raise UsageError(
            Fault(
                f"{examples.name}: of {counted(len(examples), 'example')} none is left to train on",
                "data.split",
                remedy="more data",
            )
        )
    _check_sizes(examples)
    notes = [*examples.notes, *_split_notes(examples, parts, config)]
    inputs, raw = examples.inputs, examples.raw
    if isinstance(inputs, tuple):
        columns, raw = _with_statistics(inputs, raw, parts[0])
        notes += _constant_notes(columns, raw, parts[0])
        inputs = TableInputs(columns)
    elif isinstance(inputs, ImageInputs) and not isinstance(raw, Rows):
        raw = Rows.whole(raw)
    mean, deviation = 0.0, 1.0
    if labels is None and config.scale_target:
        mean, deviation = _statistics(examples.targets[parts[0]])
    rows = np.arange(len(examples)) if examples.rows is None else examples.rows
    train, validation, test = (Split(taken(raw, p), examples.targets[p], rows[p]) for p in parts)
    return Problem(
        name=examples.name,
        task=_task(examples),
        inputs=inputs,
        train=train,
        validation=validation,
        test=test,
        classes=examples.classes,
        target=examples.target,
        target_mean=mean,
        target_deviation=deviation,
        description=examples.describe(examples.classes, len(examples)),
        notes=tuple(notes),
        facts=_facts(examples, config),
    )


def _task(examples: Examples) -> str:
    if examples.family == "regression":
        return "regression"
    return "binary" if len(examples.classes) == 2 else "multiclass"


def _facts(examples: Examples, config: DataConfig) -> dict:
    """What defines the problem beside the arrays. The split seed is the configured one: with `seed` the runs
    of all training seeds are of one problem."""
    return {
        **examples.facts,
        "name": examples.name,
        "task": _task(examples),
        "split": list(config.split),
        "split_seed": config.split_seed,
        "split_method": _split_method(examples, config),
        "classes": None if examples.classes is None else list(examples.classes),
        "scale_target": config.scale_target if examples.family == "regression" else None,
    }


def _split_method(examples: Examples, config: DataConfig) -> str:
    """Numbers have no classes to keep the shares of: `stratified` is `random` there."""
    if config.split_method == "stratified" and examples.family != "classification":
        return "random"
    return config.split_method


def _check_sizes(examples: Examples) -> None:
    """UsageError for numbers of a table, or to predict, that are infinite in float32, in which a model reads them."""
    columns = examples.inputs if isinstance(examples.inputs, tuple) else ()
    named = [(f"column '{c.name}'", examples.raw[:, place]) for place, c in enumerate(columns) if c.categories is None]
    if examples.family == "regression":
        named.append((f"target '{examples.target}'", examples.targets))
    largest = [(what, float(np.nanmax(np.abs(v)))) for what, v in named if v.size and not np.isnan(v).all()]
    faults = [
        Fault(f"{what} has numbers of a size of {size:.3g}", examples.name, f"numbers below {LARGEST:.2g}")
        for what, size in largest
        if size > LARGEST
    ]
    if faults:
        raise UsageError(*faults)


def _statistics(values: np.ndarray) -> tuple[float, float]:
    """Mean and deviation, which is 1 where all values are equal: it divides. min == max, since rounding gives
    the deviation of equal numbers as 1e-17."""
    deviation = float(values.std()) if values.size and values.min() != values.max() else 0.0
    return float(values.mean()) if values.size else 0.0, deviation or 1.0


def _with_statistics(
    columns: tuple[Column, ...], raw: np.ndarray, train: np.ndarray
) -> tuple[tuple[Column, ...], np.ndarray]:
    """Columns with training statistics, and the table with its holes filled."""
    raw, found = raw.copy(), []
    for place, column in enumerate(columns):
        seen = raw[train, place]
        seen = seen[~np.isnan(seen)]
        if column.categories is None:
            mean, deviation = _statistics(seen)
            fill, column = mean, replace(column, mean=mean, deviation=deviation)
        else:
            fill = float(np.bincount(seen.astype(np.int64)).argmax()) if seen.size else 0.0
        holes = np.isnan(raw[:, place])
        raw[holes, place] = fill
        found.append(column)
    return tuple(found), raw


def _constant_notes(columns: tuple[Column, ...], raw: np.ndarray, train: np.ndarray) -> list[str]:
    seen = raw[train]
    constant = [c.name for place, c in enumerate(columns) if seen[:, place].min() == seen[:, place].max()]
    if not constant:
        return []
    return [f"of no use, the same in every training row: {plural('column', len(constant))} {_listed(constant)}"]


def _split_notes(examples: Examples, parts: tuple[np.ndarray, ...], config: DataConfig) -> list[str]:
    notes = [
        f"{part} is empty: {len(examples)} examples are too few for a share of {share:g}"
        for part, share, rows in zip(SPLITS, config.split, parts, strict=True)
        if share > 0 and not len(rows)
    ]
    if examples.classes is not None:
        counts = np.bincount(examples.targets, minlength=len(examples.classes))
        single = [examples.classes[k] for k in np.flatnonzero(counts == 1)]
        if single:
            notes.append(f"one example only, so learned or tested but never both: class {_listed(single)}")
        trained = np.bincount(examples.targets[parts[0]], minlength=len(examples.classes))
        missing = [examples.classes[k] for k in np.flatnonzero((trained == 0) & (counts != 1))]
        if missing:
            notes.append(f"without a training example, so never learned: class {_listed(missing)}")
    return notes


def _listed(names: list[str]) -> str:
    shown = ", ".join(f"'{n}'" for n in names[:5])
    return shown + (f" and {len(names) - 5} more" if len(names) > 5 else "")
