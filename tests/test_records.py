"""Runs as compare sees them: read from result.json alone, each once, with a reason where that cannot be."""

import json
import os
import shutil
import time
from pathlib import Path

import pytest
from made_runs import made_run

from lossopt_cli.runs.records import NEEDED, read_records

NOT_FINISHED = [
    ("running", None, "running (last written 0 s ago)"),
    ("interrupted", "interrupted after step 12 of 200", "interrupted after step 12 of 200"),
    ("failed", "the loss of losses.py raised ValueError\nat step 1", "the loss of losses.py raised ValueError"),
]
HALF_WRITTEN = [
    ('{"schema_version": 1, "stat', "result.json line 1"),
    ("", "result.json line 1"),
    ("{}", "no schema_version"),
    ('{"schema_version": 99}', "newer lossopt"),
    ('{"schema_version": 1, "status": "odd"}', "status 'odd'"),
    ('{"schema_version": 1, "status": "done"}', "no task"),
]
OF_ANOTHER_KIND = [
    ({"metrics": {"test": 0.9}}, "metrics is not by split"),
    ({"loss": {"name": None}}, "no loss.name"),
    ({"config": {"data": {"name": "digits"}, "train": {"epochs": 5}}}, "no config.train.batch_size"),
]


def only(folder: Path):
    [record], left_out = read_records([folder])
    assert left_out == []
    return record


def test_a_record_has_what_the_run_recorded(tmp_path: Path):
    record = only(made_run(tmp_path / "run", optimizer="sgd", learning_rate=0.1, seed=3, test=0.9, validation=0.8))
    assert (record.learning_rate, record.seed, record.metric, record.lost) == (0.1, 3, "accuracy", False)
    assert record.score("accuracy", "test") == 0.9
    assert record.score("accuracy", "validation") == 0.8
    curve = record.curve("accuracy")
    assert curve.split == "validation"
    assert (curve.epochs[0], curve.values[0], curve.values[-1]) == (0.0, pytest.approx(0.1), pytest.approx(0.8))
    assert record.curve("macro_f1") is None


LOST = [({"status": "diverged"}, True), ({"learned": False}, True), ({"learned": None}, False), ({}, False)]


@pytest.mark.parametrize(("said", "lost"), LOST)
def test_a_lost_trial_scores_what_it_had_at_the_start(tmp_path: Path, said: dict, lost: bool):
    record = only(made_run(tmp_path / "run", test=0.9, **said))
    assert record.lost is lost
    assert record.score("accuracy", "test") == (0.1 if lost else 0.9)


def test_a_start_that_was_not_recorded_is_that_of_another_split_and_else_a_guess(tmp_path: Path):
    initial = {"train": {"loss": 2.5}, "test": {"accuracy": 0.2}}
    record = only(made_run(tmp_path / "run", status="diverged", change={"initial": initial, "metrics": {}}))
    assert record.score("loss", "test") == 2.5
    assert record.score("accuracy", "validation") == 0.2
    assert record.score("macro_f1", "test") == 0.018


def test_weights_of_the_best_epoch_are_what_a_run_that_kept_them_scores(tmp_path: Path):
    best = {"train": {"accuracy": 0.99}, "test": {"accuracy": 0.97}}
    change = {"metrics_best": best}
    assert only(made_run(tmp_path / "last", change=change)).value("accuracy", "test") == 0.95
    kept = made_run(tmp_path / "best", change=change, config={"train": {"keep": "best"}})
    assert only(kept).value("accuracy", "test") == 0.97


@pytest.mark.parametrize(("status", "reason", "said"), NOT_FINISHED)
def test_runs_that_are_not_finished_are_left_out(tmp_path: Path, status: str, reason: str | None, said: str):
    folder = made_run(tmp_path / "run", status=status, change={"reason": reason, "metrics": {}})
    records, [left_out] = read_records([tmp_path])
    assert records == []
    assert (left_out.folder, left_out.kind, left_out.reason) == (folder, status, said)


@pytest.mark.parametrize(
    ("seconds", "said"), [(7.0, "7 s ago"), (119.0, "1 min ago"), (7300.0, "2 h ago"), (180_000.0, "2 days ago")]
)
def test_a_run_that_was_killed_is_told_by_when_it_was_last_written(tmp_path: Path, seconds: float, said: str):
    folder = made_run(tmp_path / "run", status="running")
    for file in folder.iterdir():
        os.utime(file, (time.time() - seconds - (file.suffix == ".json"),) * 2)
    _, [left_out] = read_records([tmp_path])
    assert left_out.reason == f"running (last written {said})"


@pytest.mark.parametrize(("text", "reason"), HALF_WRITTEN)
def test_half_written_runs_are_left_out_with_the_reason(tmp_path: Path, text: str, reason: str):
    whole = made_run(tmp_path / "whole")
    broken = made_run(tmp_path / "broken")
    (broken / "result.json").write_text(text)
    [record], [left_out] = read_records([tmp_path])
    assert record.folder == whole
    assert (left_out.folder, left_out.kind) == (broken, "unreadable")
    assert reason in left_out.reason


@pytest.mark.parametrize("value", [None, True])
@pytest.mark.parametrize("key", sorted({path.partition(".")[0] for path in NEEDED}))
def test_a_result_that_lacks_what_is_needed_says_what(tmp_path: Path, key: str, value: bool | None):
    made_run(tmp_path / "run", change={key: value})
    records, [left_out] = read_records([tmp_path])
    assert (records, left_out.kind) == ([], "unreadable")
    assert key in left_out.reason


@pytest.mark.parametrize(("change", "reason"), OF_ANOTHER_KIND)
def test_a_result_that_has_something_else_there_says_what(tmp_path: Path, change: dict, reason: str):
    made_run(tmp_path / "run", change=change)
    records, [left_out] = read_records([tmp_path])
    assert records == []
    assert reason in left_out.reason


def test_a_curve_that_is_not_whole_is_none(tmp_path: Path):
    made_run(tmp_path / "run", change={"curve": {"epochs": [0.0, 1.0], "steps": [0], "accuracy": [0.1, 0.9]}})
    assert only(tmp_path).curve("accuracy") is None


def test_a_folder_without_one_of_the_files_is_named(tmp_path: Path):
    for name in ("config.yaml", "result.json"):
        (made_run(tmp_path / f"no-{name}") / name).unlink()
    records, left_out = read_records([tmp_path])
    assert records == []
    assert [item.reason for item in left_out] == ["no config.yaml", "no result.json"]


def test_twenty_unreadable_among_many_are_named_and_the_rest_is_read(tmp_path: Path):
    for seed in range(60):
        made_run(tmp_path / f"run-{seed:02}", seed=seed, steps=False)
    for seed in range(20):
        (tmp_path / f"run-{seed:02}" / "result.json").write_bytes(b"\xff\xfe\x00")
    records, left_out = read_records([tmp_path])
    assert [record.seed for record in records] == list(range(20, 60))
    assert [item.folder.name for item in left_out] == [f"run-{seed:02}" for seed in range(20)]


def test_a_run_that_is_named_twice_is_read_once(tmp_path: Path, monkeypatch):
    made_run(tmp_path / "sweep" / "run")
    monkeypatch.chdir(tmp_path)
    records, _ = read_records([tmp_path, Path("sweep"), Path("sweep/run")])
    assert len(records) == 1


def test_a_copy_elsewhere_is_another_record(tmp_path: Path):
    made_run(tmp_path / "here" / "run")
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    records, _ = read_records([tmp_path])
    assert [record.folder.parent.name for record in records] == ["here", "there"]


def test_folders_that_are_hidden_or_links_or_not_there_hold_no_runs(tmp_path: Path):
    made_run(tmp_path / ".hidden" / "run")
    (tmp_path / "link").symlink_to(tmp_path / ".hidden")
    assert read_records([tmp_path, tmp_path / "nowhere"]) == ([], [])


def test_what_other_versions_do_not_record_is_none(tmp_path: Path):
    folder = made_run(tmp_path / "run")
    result = json.loads((folder / "result.json").read_text())
    for key in ("role", "initial_outputs", "seconds", "device", "timing", "sample", "guessing"):
        del result[key]
    (folder / "result.json").write_text(json.dumps(result))
    record = only(folder)
    assert (record.role, record.initial_outputs, record.train_seconds, record.device) == (None,) * 4
    assert (record.alone, record.sample, record.guessing("accuracy", "test"), record.tuned) == (False, None, None, ())
