"""`lossopt train --format ...`: for every outcome stdout holds the result in that format and nothing else."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

IRIS = ("--data", "iris", "--epochs", 2)
FIELDS = [
    "schema_version", "run_dir", "status", "reason", "learned", "task", "metric", "loss",
    "optimizer", "seed", "epochs", "best_epoch", "metrics", "metrics_best", "guessing", "initial",
    "seconds", "timing", "examples_per_second", "engine", "device", "config", "curve", "trial",
    "problem", "setting", "warnings", "environment", "initial_outputs", "role",
]  # fmt: skip


def strict(text: str) -> dict:
    """The one JSON value in a text; NaN and infinity are no JSON."""

    def refuse(word: str) -> None:
        raise ValueError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def own_loss(folder, body: str) -> str:
    path = folder / "own.py"
    path.write_text(f"count = 0\n\n\ndef loss(y_true, y_pred):\n    global count\n    count += 1\n    {body}\n")
    return f"{path}:loss"


def chatty_optimizer(folder) -> str:
    """As optimizers of other packages are: it prints when it changes its mode and when it steps."""
    path = folder / "chatty.py"
    path.write_text(
        "import torch\n\n\n"
        "class Chatty(torch.optim.SGD):\n"
        "    def step(self, closure=None):\n        print('a step')\n        return super().step(closure)\n\n"
        "    def train(self):\n        print('Switching to train mode')\n\n"
        "    def eval(self):\n        print('Switching to eval mode')\n"
    )
    return f"{path}:Chatty"


OUTCOMES = {
    "done": (lambda f: IRIS, 0, "done"),
    "not learned": (lambda f: ("--data", "synthetic_regression:signal=0", "--epochs", 2), 0, "done"),
    "diverged": (lambda f: ("--loss", "mse", "--opt", "sgd", "--lr", "1e9", "--epochs", 2), 5, "diverged"),
    "a check not met": (lambda f: (*IRIS, "--fail-if", "accuracy < 2"), 3, "done"),
    "refused": (lambda f: ("--loss", "hubr"), 2, "bad_usage"),
    "refused by the parser": (lambda f: ("--epoch", 3), 2, "bad_usage"),
    "refused late": (lambda f: ("--data", "iris", "--device", "cuda:99"), 2, "bad_usage"),
    "user code that prints": (
        lambda f: (*IRIS, "--loss", own_loss(f, "print('noise'); return ((y_true - y_pred) ** 2).mean()")),
        0,
        "done",
    ),
    "an optimizer that prints": (lambda f: (*IRIS, "--opt", chatty_optimizer(f)), 0, "done"),
    "user code that is wrong": (lambda f: (*IRIS, "--loss", own_loss(f, "return None")), 2, "bad_usage"),
    "user code that fails": (
        lambda f: (*IRIS, "--loss", own_loss(f, "assert count < 7, 'worn out'; return (y_true - y_pred).mean()")),
        1,
        "failed",
    ),
}  # fmt: skip


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_json_is_all_there_is_on_stdout(tmp_path, outcome):
    """In a process of its own, where also what libraries and user code print would show."""
    typed, code, status = OUTCOMES[outcome]
    command = [sys.executable, "-m", "lossopt_cli", "train", "--format", "json", *map(str, typed(tmp_path))]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False)
    assert done.returncode == code, done.stderr
    said = strict(done.stdout)
    assert said["status"] == status
    assert said["schema_version"] == 1
    assert "Traceback" not in done.stderr
    if status in ("done", "diverged"):
        assert set(FIELDS) <= set(said)
        assert said == strict((tmp_path / said["run_dir"] / "result.json").read_text())
    else:
        assert set(said["error"]) == {"what", "where", "expected", "remedy"}
        assert said["error"]["what"].splitlines()[0] in done.stderr


def test_json_of_an_interrupted_run(tmp_path):
    command = [sys.executable, "-m", "lossopt_cli", "train", "--format", "json", "--epochs", "100000"]
    process = subprocess.Popen(
        [*command, "--model", "mlp", "--name", "mine"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        text=True,
    )
    deadline = time.monotonic() + 90
    while not (tmp_path / "logs" / "mine" / "result.json").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert strict(out)["status"] == "interrupted"


def test_json_wins_over_quiet_and_quiet_over_the_table(train):
    run = train(*IRIS, "--format", "json", "-q")
    assert strict(run.out) == run.result
    assert run.err == ""


def test_json_of_once_is_that_of_the_run(train):
    first = train(*IRIS)
    again = train(*IRIS, "--once", "--format", "json")
    assert again.folder is None
    assert strict(again.out) == first.result


@pytest.mark.parametrize("format", ["csv", "markdown", "latex"])
@pytest.mark.parametrize(("typed", "code"), [(IRIS, 0), (("--data", "iris", "--opt", "sgd", "--lr", "1e38"), 5)])
def test_tables_have_the_same_columns_whatever_the_outcome(train, format, typed, code):
    run = train(*typed, "--format", format)
    assert run.code == code
    lines = [line for line in run.out.splitlines() if line]
    header = next(line for line in lines if "guessing" in line)
    names = [cell.strip(" |\\") for cell in header.replace("&", ",").replace("|", ",").split(",")]
    assert [name for name in names if name] == ["metric", "train", "validation", "test", "guessing"]
    assert any("accuracy" in line for line in lines)


def test_csv_has_full_precision(train):
    run = train(*IRIS, "--format", "csv")
    rows = dict(line.split(",", 1) for line in run.out.splitlines()[1:])
    metrics = [run.result["metrics"][split]["accuracy"] for split in ("train", "validation", "test")]
    assert [float(cell) for cell in rows["accuracy"].split(",")] == [
        *metrics,
        run.result["guessing"]["test"]["accuracy"],
    ]


def test_a_run_in_a_shell_script(tmp_path):
    script = 'RUN=$(python -m lossopt_cli train --data iris --epochs 2 -q) && test -f "$RUN/result.json" && echo "$RUN"'
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    done = subprocess.run(
        ["sh", "-c", script],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("logs/iris-mlp-cross_entropy-adam-lr0.001-s0-")
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


def test_trials_of_a_seed_say_the_same_of_their_first_rows_before_the_first_step(train):
    """Two rows of three raw outputs, whatever trains them, and other ones of another seed."""
    first = train(*IRIS).result
    assert (np.shape(first["initial_outputs"]), first["role"]) == ((2, 3), None)
    assert train(*IRIS, "--opt", "sgd", "--loss", "mse").result["initial_outputs"] == first["initial_outputs"]
    other = train(*IRIS, "--seed", 1).result["initial_outputs"]
    assert np.abs(np.subtract(other, first["initial_outputs"])).min() > 1e-3


def test_without_validation_the_first_rows_are_of_the_training_data(train):
    run = train(*IRIS, "--set", "data.split=[1, 0, 0]")
    assert np.shape(run.result["initial_outputs"]) == (2, 3)
