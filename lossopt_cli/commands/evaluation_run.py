"""An evaluation from what was typed: find the run, its data and its model, predict, and say what came of it."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lossopt_cli import errors
from lossopt_cli.analysis import conditions
from lossopt_cli.analysis.wording import counted
from lossopt_cli.catalogue.metrics import METRICS, Outputs
from lossopt_cli.commands import evaluation_result as results
from lossopt_cli.commands.evaluation_data import Posed, other_data, own_data
from lossopt_cli.commands.evaluation_report import report, tables, tidy
from lossopt_cli.commands.predictions import check_place, write_predictions
from lossopt_cli.commands.references import folder_of_one
from lossopt_cli.config.references import is_user_code
from lossopt_cli.console import Console, is_terminal, json_text, render_rows
from lossopt_cli.data.counted import Counted
from lossopt_cli.data.kept import KeptRun, read_kept
from lossopt_cli.errors import Fault, UsageError
from lossopt_cli.runs.folder import RunFolder, safe
from lossopt_cli.runs.reading import CONFIG, LABELS, RESULT, SWEEP, runs_under, written_at

if TYPE_CHECKING:
    from lossopt_cli.runs.records import Record
    from lossopt_cli.training.building import UserParts
    from lossopt_cli.training.restoring import Restored

WIDTH = 80
SAME = 1e-6  # metrics of one model on one split, on machines that round differently


@dataclass(frozen=True)
class Request:
    """What was typed."""

    run: str | None
    logs: Path
    split: str | None
    data: str | None
    predictions: Path | None
    threshold: float | None
    device: str | None
    fail_if: str | None
    skip_bad_images: bool = False


def carry_out(request: Request, console: Console) -> int:
    """Evaluates what the request asks for; the exit code."""
    condition = conditions.parse(request.fail_if) if request.fail_if else None
    kept = _kept(request, console)
    _check(request, kept)
    if condition:
        condition.check(dict.fromkeys(_names(kept)))
    posed, user = _posed(request, kept, console)
    for note in posed.notes:
        console.note(f"({note})")
    if condition and not posed.labelled:
        what = f"{posed.name} has no {kept.target}: there is no metric to check"
        raise UsageError(Fault(what, "--fail-if", remedy="drop --fail-if"))
    evaluation = _evaluated(request, kept, posed, user, console)
    _show(evaluation, request, console)
    if condition and condition.holds(values := results.values_by_name(evaluation)):
        seen = ", ".join(f"{name} is {_number(values.get(name))}" for name in dict.fromkeys(condition.names))
        console.error(f"--fail-if: {condition.text}: {seen}")
        return errors.CHECK_NOT_MET
    return errors.DONE


def _kept(request: Request, console: Console) -> KeptRun:
    """The run as its folder has it; with --skip-bad-images broken ones of other data are left out."""
    kept = read_kept(_folder(request, console))
    if not request.skip_bad_images:
        return kept
    data = kept.config.data.model_copy(update={"skip_bad_images": True})
    return replace(kept, config=kept.config.model_copy(update={"data": data}))


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g}"


def _folder(request: Request, console: Console) -> Path:
    folder = folder_of_one(request.run, request.logs, console.note)
    if (folder / SWEEP).is_file():
        raise UsageError(_of_a_sweep(folder))
    if not (folder / RESULT).is_file() and (several := [path for path, _ in runs_under(folder) if path != folder]):
        raise UsageError(_of_several(folder, several))
    return folder


def _of_a_sweep(folder: Path) -> Fault:
    from lossopt_cli.runs.records import read_records

    records, left_out = read_records([folder])
    what = f"{folder} is a sweep of {counted(len(records) + len(left_out), 'run')}, which keeps no models"
    return Fault(what, "RUN", "a run of `lossopt train`", _best_again(records))


def _of_several(folder: Path, runs: Sequence[Path]) -> Fault:
    """The newest of those that keep a model is what one may mean; where none does, the best is to be trained again."""
    what = f"{folder} holds {counted(len(runs), 'run')}"
    if able := sorted((path for path in runs if (path / LABELS).is_file()), key=written_at):
        return Fault(what, "RUN", "one of them", f"lossopt evaluate {shlex.quote(str(able[-1]))}")
    from lossopt_cli.runs.records import read_records

    remedy = _best_again(read_records([folder])[0])
    return Fault(f"{what}, none of which keeps its model", "RUN", "a run of `lossopt train`", remedy)


def _best_again(records: Sequence["Record"]) -> str | None:
    """The commands that train the best of these runs with its model and evaluate it; None where there is no run."""
    from lossopt_cli.analysis.chosen import chosen_run

    if not records:
        return None
    config = shlex.quote(str(chosen_run(records) / CONFIG))
    return f"the best of them with its model: lossopt train {config} && lossopt evaluate last"


def _check(request: Request, kept: KeptRun) -> None:
    """What can be told from the command line and the folder alone."""
    if request.threshold is not None and kept.task != "binary":
        what = f"a threshold is of two classes, and the run is a {kept.task} task"
        raise UsageError(Fault(what, "--threshold", remedy="drop --threshold"))
    if request.predictions is not None:
        check_place(request.predictions, request.data)


def _names(kept: KeptRun) -> list[str]:
    """What --fail-if may name."""
    names = ["loss", *(row.name for row in METRICS if kept.task in row.tasks)]
    return [*names, *(f"{part}.{name}" for part in ("precision", "recall", "f1") for name in kept.classes or ())]


def _posed(request: Request, kept: KeptRun, console: Console) -> tuple[Posed, "UserParts | None"]:
    """The examples, and the user's code where the run has any."""
    config, user = kept.config, None
    mine = [part.name for part in (config.loss, config.model) if is_user_code(part.name)]
    if mine or (is_user_code(config.data.name) and request.data is None):
        from lossopt_cli.training.restoring import user_code

        user = user_code(kept, with_data=request.data is None)
    if request.data is None:
        return own_data(kept, request.split or "test", user, console.note), user
    posed = other_data(request.data, kept, request.split, user, console.note)
    if posed.seen:
        console.warn(
            f"these are the run's own data, {posed.seen} of which it was trained on: it does better on them than on "
            f"others. --split test takes those that it has not seen"
        )
    return posed, user


def _evaluated(
    request: Request, kept: KeptRun, posed: Posed, user: "UserParts | None", console: Console
) -> dict[str, Any]:
    """Everything that is said of the run on these examples, and the files that were asked for."""
    from lossopt_cli.training.building import UserParts
    from lossopt_cli.training.restoring import restore

    restored = restore(kept, posed.problem, user or UserParts(), request.device)
    examined = restored.examine(
        posed.problem, posed.split, lambda done, count: console.note(Counted(done, count, kept.result["examples"]))
    )
    outputs = examined.outputs
    evaluation = results.described(posed, kept)
    if outputs is not None and request.threshold is not None:
        outputs = _cut(outputs, request.threshold)
    if posed.labelled:
        evaluation |= _truths(request, kept, posed, restored, outputs)
        evaluation["metrics"] = {"loss": examined.loss, **evaluation["metrics"]}
    elif outputs is not None:
        evaluation |= results.predicted(outputs, posed, kept)
    if posed.own and posed.labelled and request.threshold is None:
        _compared(evaluation, kept, posed, console)
    if request.predictions is not None:
        write_predictions(request.predictions, posed, kept, outputs, examined.raw)
        evaluation["predictions"] = str(request.predictions)
    if posed.labelled:
        _keep(evaluation, kept, posed, console)
    return evaluation


def _truths(
    request: Request, kept: KeptRun, posed: Posed, restored: "Restored", outputs: Outputs | None
) -> dict[str, Any]:
    """Metrics and all that the truth allows."""
    if outputs is None:  # a loss of the user's own reads outputs of a shape that no metric does
        return {"metrics": {}, "confidence": results.CONFIDENCE, "intervals": {}, "guessing": {}}
    trained_on = posed.problem.train.targets if posed.own else kept.training_targets()
    found = results.measured(outputs, trained_on)
    if kept.task == "regression":
        return found | results.by_example(outputs, posed)
    found |= results.by_class(outputs, kept.classes)
    if kept.task == "binary":
        chosen_on = None
        if posed.own and len(posed.problem.validation):
            chosen_on = restored.examine(posed.problem, "validation", lambda done, count: None).outputs
        split, usual = posed.split if posed.own else None, results.usual_threshold(outputs, kept)
        found |= results.by_threshold(outputs, request.threshold, usual, chosen_on, split)
    return found


def _cut(outputs: Outputs, threshold: float) -> Outputs:
    """The outputs with class 1 where its probability (its score where there is none) is above the threshold."""
    if outputs.probabilities is not None and not 0.0 < threshold < 1.0:
        raise UsageError(Fault(f"{threshold:g} is no probability", "--threshold", "a number between 0 and 1"))
    return replace(outputs, predicted=(results.levels_of(outputs) > threshold).astype(np.int64))


def _compared(evaluation: dict[str, Any], kept: KeptRun, posed: Posed, console: Console) -> None:
    """Holds the metrics against those that the training wrote down for the same weights and examples."""
    difference = results.beside_result(evaluation["metrics"], kept, posed.split)
    evaluation["difference_to_result"] = difference
    if difference is not None and difference > SAME:
        console.warn(
            f"these differ from result.json of the run by up to {difference:.2g}: another machine or other versions "
            f"round differently, and a changed file would show so, too"
        )


def _keep(evaluation: Mapping[str, Any], kept: KeptRun, posed: Posed, console: Console) -> None:
    """evaluation-<split>.json in the run folder; evaluation-on-<data>.json, or -<data>-<split>.json, for other data."""
    other = [] if posed.own else ["on", safe(posed.name)]
    name = "-".join(["evaluation", *other, *([posed.drawn] if posed.drawn else [])]) + ".json"
    try:
        RunFolder(kept.folder).write_json(name, evaluation)
    except OSError as error:
        console.note(f"(not kept, since {kept.folder / name} cannot be written: {error.strerror})")
        return
    console.detail(f"{'kept':<11}{kept.folder / name}")


def _show(evaluation: Mapping[str, Any], request: Request, console: Console) -> None:
    if console.format == "json":
        console.result(json_text(evaluation))
    elif console.quiet:
        console.result(evaluation["run_dir"])
    elif console.format == "table":
        width = min(console.width, WIDTH) if is_terminal(console.out) else WIDTH
        console.result(report(evaluation, shlex.quote(request.run or "last"), width))
    elif console.format == "csv":
        console.rows(*tidy(evaluation))
    else:
        console.result("\n\n".join(render_rows(console.format, *table) for table in tables(evaluation)))
