"""Runs read back: whole or with a reason, by path, beginning of a name, or `last`."""

import json
import os
from pathlib import Path

import pytest

from lossopt_cli.errors import UsageError
from lossopt_cli.runs.reading import find_run, finished_trial, read_result, runs_under

RESULT = {"schema_version": 1, "status": "done", "trial": "0123456789abcdef"}


def make_run(folder: Path, written_at: int = 0, result: dict | str | None = RESULT, config: bool = True) -> Path:
    folder.mkdir(parents=True)
    if result is not None:
        text = result if isinstance(result, str) else json.dumps(result)
        (folder / "result.json").write_text(text)
    if config:
        (folder / "config.yaml").write_text("loss: mse\n")
        os.utime(folder / "config.yaml", (written_at, written_at))
    return folder


def make_sweep(folder: Path, written_at: int = 0) -> Path:
    folder.mkdir(parents=True)
    (folder / "sweep.yaml").write_text("{}\n")
    os.utime(folder / "sweep.yaml", (written_at, written_at))
    return folder


BROKEN = [
    ('{"schema_version": 1, "stat', "result.json line 1"),
    ("", "result.json line 1"),
    ("[1]", "no schema_version"),
    ("{}", "no schema_version"),
    ('{"schema_version": 99}', "newer lossopt"),
    (None, "no result.json"),
]


@pytest.mark.parametrize(("text", "reason"), BROKEN)
def test_what_cannot_be_read_says_why(tmp_path: Path, text: str | None, reason: str):
    folder = make_run(tmp_path / "run", result=text)
    with pytest.raises(UsageError, match=reason) as caught:
        read_result(folder)
    assert caught.value.faults[0].where == str(folder)
    [(path, said)] = runs_under(tmp_path)
    assert path == folder
    assert reason in said


def test_bytes_that_are_no_text(tmp_path: Path):
    folder = make_run(tmp_path / "run")
    (folder / "result.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="not text"):
        read_result(folder)


def test_no_folder_and_no_config(tmp_path: Path):
    with pytest.raises(UsageError, match="no such folder"):
        read_result(tmp_path / "nowhere")
    with pytest.raises(UsageError, match=r"no config\.yaml"):
        read_result(make_run(tmp_path / "run", config=False))


def test_runs_under_finds_all_at_any_depth_and_nothing_inside_a_run(tmp_path: Path):
    a = make_run(tmp_path / "a")
    make_run(a / "checkpoint" / "not-a-run")
    b = make_run(make_sweep(tmp_path / "sweep") / "b")
    c = make_run(tmp_path / "deep" / "er" / "c")
    make_run(tmp_path / ".hidden" / "d")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "empty").mkdir()
    assert [path for path, _ in runs_under(tmp_path)] == [a, c, b]
    assert [result for _, result in runs_under(tmp_path)] == [RESULT] * 3
    assert [path for path, _ in runs_under(a)] == [a]
    assert list(runs_under(tmp_path / "nowhere")) == []


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    logs = tmp_path / "logs"
    make_run(logs / "digits-mlp-adam", written_at=3)
    make_run(logs / "digits-mlp-adam-2", written_at=5)
    make_run(logs / "digits-cnn-sgd", written_at=1)
    make_run(make_sweep(logs / "paper", written_at=4) / "mse+sgd-lr0.1-s0-abcdef", written_at=4)
    make_run(logs / "ex" / "iris", written_at=2)
    return logs


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("last", "digits-mlp-adam-2"),
        (None, "digits-mlp-adam-2"),
        ("digits-c", "digits-cnn-sgd"),
        ("digits-mlp-adam", "digits-mlp-adam"),
        ("paper", "paper"),
        ("mse+s", "paper/mse+sgd-lr0.1-s0-abcdef"),
        ("paper/mse", "paper/mse+sgd-lr0.1-s0-abcdef"),
        ("ir", "ex/iris"),
        ("ex/iris", "ex/iris"),
    ],
)
def test_references(logs: Path, reference: str | None, found: str):
    assert find_run(reference, logs) == logs / found


def test_a_path_wins(logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    elsewhere = make_run(tmp_path / "elsewhere" / "digits-cnn")
    assert find_run(str(elsewhere), logs) == elsewhere
    monkeypatch.chdir(elsewhere.parent)
    assert find_run("digits-cnn", logs).resolve() == elsewhere


def test_a_folder_of_that_name_that_is_no_run_does_not_hide_one(
    logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "digits-c").mkdir()
    monkeypatch.chdir(tmp_path)
    assert find_run("digits-c", logs) == logs / "digits-cnn-sgd"


def test_the_newest_may_be_a_sweep_and_copies_keep_their_order(logs: Path):
    os.utime(logs / "paper" / "sweep.yaml", (9, 9))
    os.utime(logs / "digits-cnn-sgd" / "result.json", (99, 99))
    assert find_run("last", logs) == logs / "paper"


@pytest.mark.parametrize("reference", ["digits", "digits-mlp", "d"])
def test_several_are_listed_newest_first(logs: Path, reference: str):
    with pytest.raises(UsageError, match="begins the names of") as caught:
        find_run(reference, logs)
    assert "digits-mlp-adam-2\n" in caught.value.faults[0].expected


def test_none_gets_the_nearest(logs: Path):
    with pytest.raises(UsageError, match="no run is called 'digits-cnn-sgf'") as caught:
        find_run("digits-cnn-sgf", logs)
    assert "digits-cnn-sgd" in caught.value.faults[0].remedy


def test_a_folder_that_is_no_run(logs: Path, tmp_path: Path):
    (tmp_path / "pictures").mkdir()
    with pytest.raises(UsageError, match="but not of a run"):
        find_run(str(tmp_path / "pictures"), logs)


@pytest.mark.parametrize("folder", ["empty", "nowhere"])
def test_last_of_nothing(tmp_path: Path, folder: str):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no run in") as caught:
        find_run("last", tmp_path / folder)
    assert "lossopt train" in caught.value.faults[0].remedy


TRIALS = [
    ({"status": "done"}, True),
    ({"status": "diverged"}, True),
    ({"status": "running"}, False),
    ({"status": "interrupted"}, False),
    ({"status": "failed"}, False),
    ({"trial": "fedcba9876543210", "problem": RESULT["trial"]}, False),
]


@pytest.mark.parametrize(("change", "finished"), TRIALS, ids=[str(c[0]) for c in TRIALS])
def test_which_runs_answer_a_trial(tmp_path: Path, change: dict, finished: bool):
    folder = make_run(tmp_path / "run", result=RESULT | change)
    assert finished_trial(tmp_path, RESULT["trial"]) == (folder if finished else None)


def test_the_newest_of_several_answers_and_half_a_file_does_not(tmp_path: Path):
    make_run(tmp_path / "a", written_at=1)
    newest = make_run(tmp_path / "b", written_at=2)
    make_run(tmp_path / "c", written_at=3, result=json.dumps(RESULT)[:-1])
    assert finished_trial(tmp_path, RESULT["trial"]) == newest
    assert finished_trial(tmp_path / "nowhere", RESULT["trial"]) is None
