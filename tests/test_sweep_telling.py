"""What a sweep tells that no trial is: errors that nobody foresaw, who waits for what, what a plan costs."""

import io
import json
import multiprocessing
import sys
from collections import deque
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from made_backbones import loaded, write_images

from lossopt_cli.commands import sweeping_plan
from lossopt_cli.commands.sweeping import _failures
from lossopt_cli.commands.sweeping_names import shown_names
from lossopt_cli.commands.sweeping_plan import _seconds
from lossopt_cli.commands.sweeping_screen import SweepScreen
from lossopt_cli.console import Console
from lossopt_cli.errors import Fault, RunError, Unobtainable, UsageError
from lossopt_cli.sweeps.arms import Problems, arms_of
from lossopt_cli.sweeps.axes import Asked, axes_of
from lossopt_cli.sweeps.backbone_pass import seen
from lossopt_cli.sweeps.bench import Bench
from lossopt_cli.sweeps.candidates import Wishes, candidates_of
from lossopt_cli.sweeps.cells import Cell, cells_of
from lossopt_cli.sweeps.course import Course
from lossopt_cli.sweeps.crew import Crew, Task, _Worker
from lossopt_cli.sweeps.folder import SweepFolder
from lossopt_cli.sweeps.probing import Probes
from lossopt_cli.sweeps.shares import Broken, Ended, NotThere, Probed, Share, Told, Workplace
from lossopt_cli.training.devices import device_named
from lossopt_cli.training.stopping import Stopping
from lossopt_cli.training.transfer.features import featured, unheard

PROBLEMS = Problems(lambda text: None)
TOLD = "images go once through it"


def some_cells(**flags: str) -> list[Cell]:
    arms = arms_of(axes_of(Asked(flags={"data": "iris", "optimizer": "sgd", **flags}), {}), PROBLEMS)
    return cells_of([(arm, [0.1]) for arm in arms], [0, 1], PROBLEMS)


@pytest.fixture
def screen(tmp_path, monkeypatch):
    """The screen of a sweep of one recipe, piped, and what was written."""
    written = io.StringIO()
    monkeypatch.setattr("sys.stderr", written)
    arms = arms_of(axes_of(Asked(flags={"data": "iris", "optimizer": "sgd"}), {}), PROBLEMS)
    course = Course(candidates_of(arms, Wishes([0, 1]), PROBLEMS), PROBLEMS, SweepFolder(tmp_path))
    return SweepScreen(Console("table"), course), course, written


def test_an_error_that_nobody_foresaw_is_sent_and_not_shown(monkeypatch, capsys):
    from lossopt_cli.sweeps import worker

    monkeypatch.setattr(worker.os, "_exit", sys.exit)
    here, there = multiprocessing.Pipe()
    with pytest.raises(SystemExit), worker._Telling(worker._Link(there)):
        raise ValueError("of two\nlines")
    said, _, trace = here.recv().reason.partition("\n")
    assert said.startswith("internal error: ValueError: of two (test_sweep_telling.py:")
    assert "Traceback" in trace
    assert capsys.readouterr().err == ""


def test_a_trial_whose_process_said_what_it_died_of_has_failed_of_that(tmp_path):
    cell, workplace = some_cells()[0], Workplace(tmp_path, {})
    (tmp_path / ".unfinished").mkdir()
    process = get_context("spawn").Process(target=int)
    process.start()
    here, there = multiprocessing.Pipe()
    crew = Crew(1, workplace, "cpu")
    crew.workers.append(_Worker(process, here, Task([cell])))
    there.send(Broken("internal error: KeyError: 'x' (a.py:3)\nTraceback"))
    there.close()
    (ended,) = [event for event in crew.carry_out(deque()) if event is not None]
    assert (ended.status, ended.reason.splitlines()[0]) == ("failed", "internal error: KeyError: 'x' (a.py:3)")
    assert "Traceback" in json.loads((tmp_path / cell.name / "result.json").read_text())["reason"]


def test_a_worker_that_ends_as_it_starts_has_said_of_what(tmp_path):
    process = get_context("spawn").Process(target=int)
    process.start()
    here, there = multiprocessing.Pipe()
    crew = Crew(1, Workplace(tmp_path, {}), "cpu")
    crew.workers.append(_Worker(process, here))
    there.send(Broken("internal error: KeyError: 'x' (a.py:3)\nTraceback"))
    there.close()
    with pytest.raises(RunError, match=r"a worker ended as it started: internal error: KeyError: 'x' \(a.py:3\)$"):
        list(crew.carry_out(deque([Share(tuple(some_cells()))])))


def test_a_device_that_is_not_there_is_told_as_what_it_is(tmp_path):
    with Crew(1, Workplace(tmp_path, {}), "cuda:99") as crew, pytest.raises(UsageError, match="no device cuda:99 here"):
        list(crew.carry_out(deque([Share(tuple(some_cells()))])))


def test_a_dry_run_says_what_its_process_died_of_and_leaves_nothing(tmp_path):
    cells = some_cells()
    process = get_context("spawn").Process(target=int)
    process.start()
    here, there = multiprocessing.Pipe()
    crew = Crew(1, Workplace(tmp_path, {}), "cpu")
    crew.workers.append(_Worker(process, here, Task(cells, probe=True)))
    there.send(Broken("internal error: KeyError: 'x' (a.py:3)\nTraceback"))
    there.close()
    (probed,) = [event for event in crew.carry_out(deque()) if event is not None]
    assert (probed.cell, probed.fault) == (cells[0], "internal error: KeyError: 'x' (a.py:3)")
    assert list(tmp_path.iterdir()) == []


def test_what_no_trial_can_do_without_ends_the_sweep_at_once(tmp_path):
    """Weights that cannot be downloaded, say: each trial would fail of the same, one after the other."""
    fault = Fault("no weights", "model.weights", remedy="copy them")

    def nowhere(config):
        raise Unobtainable(fault)

    cells, told = some_cells(), []
    with pytest.raises(Unobtainable):
        Bench(Workplace(tmp_path, {}), told.append, PROBLEMS, parts=nowhere).train(Share(tuple(cells)), Stopping())
    assert told == []
    here, there = multiprocessing.Pipe()
    process = get_context("spawn").Process(target=int)
    process.start()
    crew = Crew(1, Workplace(tmp_path, {}), "cpu")
    crew.workers.append(_Worker(process, here, Task(cells)))
    there.send(NotThere((fault,)))
    with pytest.raises(RunError) as raised:
        list(crew.carry_out(deque()))
    assert raised.value.faults == (fault,)
    process.join()
    there.close()
    here.close()


def test_a_reason_that_many_trials_failed_of_is_told_once(tmp_path):
    first, second = some_cells()
    failed = [Ended(cell, "failed", False, None, "mine.py:3: no\n  line", 0.0) for cell in (first, second, first)]
    failed.append(Ended(second, "failed", False, None, "out of memory", 0.0))
    assert [str(fault) for fault in _failures(failed, tmp_path)] == [
        f"{tmp_path / first.name} and 2 others: mine.py:3: no",
        f"{tmp_path / second.name}: out of memory",
    ]
    many = [Ended(first, "failed", False, None, f"reason {number}", 0.0) for number in range(7)]
    assert str(_failures(many, tmp_path)[-1]) == "and 2 other reasons"


def test_only_the_first_share_is_heard_of_what_several_wait_for(screen):
    drawn, _, written = screen
    first, second = some_cells()
    drawn.tell(Told.of_cells([first], TOLD))
    drawn.tell(Told.of_cells([second], "waiting for another process"))
    drawn.tell(Told.of_cells([second], TOLD))
    drawn.tell(Told.of_cells(some_cells(model="linear"), "another pass"))
    assert written.getvalue().splitlines() == [f"features   {TOLD}", "features   another pass"]


def test_what_one_must_know_of_the_data_is_told_once(screen):
    drawn, course, written = screen
    config = course.candidates[0].arms[0].config
    problem = PROBLEMS.of(config)
    noted = replace(problem, notes=("3 images left out: broken",))
    course.problems = Problems(lambda text: None, {PROBLEMS.key(config): noted})
    drawn.head(2)
    assert written.getvalue().count("(3 images left out: broken)") == 1


def test_a_plan_fits_the_screen_and_tells_its_recipes_apart(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    asked = Asked(flags={"data": "iris", "optimizer": "sgd,adam"}, sets=("train.batch_size=16,32",))
    candidates = candidates_of(arms_of(axes_of(asked, {}), PROBLEMS), Wishes([0, 1]), PROBLEMS)
    lines = [
        sweeping_plan.Line(name, "9 around its scale", "", 27, 4, 12, 0, 0, 9.0, 4, False, None)
        for name in shown_names(candidates)
    ]
    sweeping_plan._show_lines(lines, candidates, Console("table"))
    rows = capsys.readouterr().out.splitlines()
    assert max(map(len, rows)) <= 80
    assert [row.split("  ")[0] for row in rows[1:]] == [
        "sgd, batch_size=16", "sgd, batch_size=32", "adam, batch_size=16", "adam, batch_size=32",
    ]  # fmt: skip


def test_a_plan_counts_the_search_and_the_measuring():
    (cell, _) = some_cells()
    probed = Probed(cell, build_seconds=2.0, trial_seconds=0.5)
    line = sweeping_plan.Line("sgd", "9", "", 27, 3, 12, 8, 2, 4.0, 4, False, probed)
    assert _seconds(line) == sweeping_plan.MEASURE_SECONDS + (20 + 4) * 0.5 + 4 * 2.0
    assert _seconds(replace(line, done=28)) == 0.0


def test_an_optimizer_without_a_default_rate_reports_at_one_rate(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import keras\n\n\nclass Own(keras.optimizers.SGD):\n"
        "    def __init__(self, learning_rate, name='own'):\n        super().__init__(learning_rate, name=name)\n"
    )
    flags = {"data": "iris", "optimizer": f"{tmp_path}/mine.py:Own,sgd"}
    own, sgd = candidates_of(arms_of(axes_of(Asked(flags=flags), {}), PROBLEMS), Wishes([0, 1]), PROBLEMS)
    assert (own.report_count, sgd.report_count) == (2, 4)


@pytest.fixture
def photos(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("LOSSOPT_CACHE", str(tmp_path / "cache"))
    return write_images(tmp_path / "photos", 12)


def through_backbone(photos: Path, *sets: str, epochs: int = 1) -> list[Cell]:
    usual = ("data.image_size=32", "model.weights=none", "data.split=[0.5, 0.25, 0.25]")
    flags = {"data": str(photos), "model": "transfer", "optimizer": "sgd", "epochs": str(epochs)}
    arms = arms_of(axes_of(Asked(flags=flags, sets=(*usual, *sets)), {}), PROBLEMS)
    return cells_of([(arms[0], [0.1])], [0, 1], PROBLEMS)


def test_the_pass_of_a_plan_is_of_the_images_that_are_not_in_the_cache(photos, tmp_path):
    found = Probes(PROBLEMS).of(through_backbone(photos))
    assert found.fault is None
    assert found.once_seconds > 0.0
    assert np.isfinite(found.trial_seconds)
    assert not list((tmp_path / "cache").rglob("features.npy"))


def test_a_plan_takes_no_time_for_features_that_are_in_the_cache(photos):
    cells = through_backbone(photos)
    featured(cells[0].trial.config, PROBLEMS.of(cells[0].trial.config), device_named("cpu"), unheard)
    found = Probes(PROBLEMS).of(cells)
    assert (found.fault, found.once_seconds) == (None, 0.0)
    assert np.isfinite(found.trial_seconds)


SEEN = {"all": (["data.split=[1, 0, 0]"], True), "views": (["train.augment.flip=horizontal"], False)}


@pytest.mark.parametrize("kind", SEEN)
def test_of_features_that_are_in_the_cache_only_views_are_left(kind, photos):
    """All the images of a problem are no more than the few that are looked at."""
    sets, is_all = SEEN[kind]
    config, problem = loaded(photos, "none", *sets)
    plain = config.model_copy(update={"train": config.train.model_copy(update={"augment": None})})
    featured(plain, problem, device_named("cpu"), unheard)
    after = seen(config, problem)
    assert (after.seconds == 0.0) == is_all
    assert after.of(problem).inputs.kind == "features"


def test_the_pass_before_a_backbone_trains_is_in_the_plan(photos):
    found = Probes(PROBLEMS).of(through_backbone(photos, "model.unfreeze=4", epochs=2))
    assert found.fault is None
    assert found.once_seconds > 0.0
