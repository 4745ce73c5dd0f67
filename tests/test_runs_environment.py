"""What a run says of where it ran: complete, quick, and without secrets."""

import json
import platform
import subprocess
from pathlib import Path
from timeit import repeat

import pytest

from lossopt_cli.runs import environment as of_run
from lossopt_cli.runs.environment import Commit, cores, cpu_model, environment, without_secrets

SECRETS = [
    (["train", "--set", "data.token=hunter2"], ["train", "--set", "data.token=***"]),
    (["train", "--set=data.api_key=hunter2"], ["train", "--set=data.api_key=***"]),
    (["train", "--hub-token", "hunter2"], ["train", "--hub-token", "***"]),
    (["train", "--PASSWORD=hunter2"], ["train", "--PASSWORD=***"]),
    (
        ["train", "--data", "mine.py:make:n=3,token=hunter2"],
        ["train", "--data", "mine.py:make:n=3,token=***"],
    ),
    (
        ["train", "--set", "data={name: x, secret: hunter2}"],
        ["train", "--set", "data={name: x, secret: ***}"],
    ),
    (["train", "--set", '{"password": "hunter2"}'], ["train", "--set", '{"password": "***"}']),
    (["train", "--data", "https://me:hunter2@host/x"], ["train", "--data", "https://***@host/x"]),
    (
        ["train", "--data", "https://h/x?a=1&key=hunter2&b=2"],
        ["train", "--data", "https://h/x?a=1&key=***&b=2"],
    ),
    (["train", "--name", "hf_hunter2hunter2hunter2"], ["train", "--name", "***"]),
    (["train", "--name", "ghp_hunter2hunter2hunter2"], ["train", "--name", "***"]),
]
HARMLESS = [
    ["train", "--loss", "huber:delta=0.5", "--set", "train.keep=best"],
    ["train", "--set", "model.tokenizer=word", "--name", "monkey=1"],
    ["train", "--data", "file.py:function", "--logs", "logs/author=me"],
]


@pytest.mark.parametrize(("command", "expected"), SECRETS, ids=[c[0][-1] for c in SECRETS])
def test_secrets_are_hidden(command: list[str], expected: list[str]):
    assert without_secrets(["/home/me/bin/lossopt", *command]) == ["lossopt", *expected]


@pytest.mark.parametrize("command", HARMLESS, ids=[c[-1] for c in HARMLESS])
def test_what_is_no_secret_stays(command: list[str]):
    assert without_secrets(["lossopt", *command]) == ["lossopt", *command]


def test_variables_only_those_that_change_a_run(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setenv("LOSSOPT_SEED", "4")
    monkeypatch.setenv("LOSSOPT_TOKEN", "hunter2")
    monkeypatch.setenv("MY_PRIVATE_THING", "hunter2")
    found = environment(["lossopt"])
    assert found["variables"].items() >= {"OMP_NUM_THREADS": "3", "LOSSOPT_SEED": "4", "LOSSOPT_TOKEN": "***"}.items()
    assert "hunter2" not in json.dumps(found)
    assert "MY_PRIVATE_THING" not in found["variables"]


def test_the_machine_has_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    said = json.dumps(environment(["lossopt", "train"]))
    assert platform.node() not in said
    assert str(tmp_path) not in said


def test_versions_of_what_makes_the_numbers():
    found = environment(["lossopt"])
    assert found["packages"].keys() >= {"lossopt", "keras", "torch", "numpy"}
    assert found["python"] == platform.python_version()
    assert found["cpu"]["cores"] >= 1
    assert found["cpu"]["model"] == cpu_model() != ""


def _git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *identity, *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_commit_and_whether_files_differ_from_it(tmp_path: Path):
    assert Commit(tmp_path).read() is None, "no repository"
    _git(tmp_path, "init", "-q")
    assert Commit(tmp_path).read() is None, "no commit"
    (tmp_path / "a").write_text("1")
    _git(tmp_path, "add", "a")
    _git(tmp_path, "commit", "-qm", "one")
    _git(tmp_path, "tag", "v1")
    head = _git(tmp_path, "rev-parse", "HEAD")
    assert Commit(tmp_path).read() == {"commit": head, "dirty": False}
    (tmp_path / "a").write_text("2")
    assert Commit(tmp_path).read() == {"commit": head, "dirty": True}


def test_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert environment(["lossopt"])["git"] is None


def test_a_git_that_hangs_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    git = tmp_path / "git"
    git.write_text("#!/bin/sh\nexec /bin/sleep 60\n")
    git.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("lossopt_cli.runs.environment.GIT_SECONDS", 0.1)
    assert Commit(tmp_path).read() is None


def test_it_is_quick():
    """15 ms where this was written, git included; it runs in every training."""
    assert min(repeat(lambda: environment(["lossopt", "train"]), number=1, repeat=5)) < 0.15


@pytest.mark.parametrize(
    ("quota", "given"),
    [("max 100000", 8), ("150000 100000", 2), ("50000 100000", 1), ("1600000 100000", 8), (None, 8)],
)
def test_the_cores_are_those_of_the_affinity_and_of_the_quota_of_the_container(monkeypatch, tmp_path, quota, given):
    file = tmp_path / "cpu.max"
    if quota is not None:
        file.write_text(f"{quota}\n")
    monkeypatch.setattr(of_run, "QUOTA", file)
    monkeypatch.setattr(of_run.os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    monkeypatch.setattr(of_run.sys, "platform", "linux")
    assert cores() == given
