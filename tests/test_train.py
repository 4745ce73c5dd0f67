"""What `lossopt train` says of each outcome, on which stream, and with which exit code."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from made_images import class_folders

from lossopt_cli.commands.training_report import report, short

IRIS = ("--data", "iris", "--epochs", 3)


def start(folder: Path, *typed: object, **environ: str) -> subprocess.Popen:
    """`lossopt train` in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "lossopt_cli", "train", *map(str, typed)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
        env={**os.environ, "PYTHONUTF8": "1", "COLUMNS": "80"} | environ,
        text=True,
        encoding="utf-8",
    )


def test_a_run_says_head_start_and_epochs_on_stderr_and_its_result_on_stdout(train):
    run = train("--epochs", 2)
    assert run.code == 0
    head, start_line, *epochs = [part.splitlines() for part in run.err.strip().split("\n\n")]
    assert head[0].startswith("data       digits: 8x8 images of 10 digits; 1258 to train, 359 to validate, 180")
    assert "model      minicnn       loss  cross_entropy       optimizer  adam, lr 0.001" in head
    assert start_line[0].startswith("before     loss 2.3")
    assert "guessing costs ln 10 = 2.303: a fair start" in start_line[0]
    assert re.fullmatch(r"epoch 1/2  loss [\d.]+ +validation accuracy [\d.]+ +[\d,]+ images/s", start_line[1])
    assert not epochs
    blocks = run.out.strip().split("\n\n")
    assert blocks[0].startswith("loss of every batch  ")
    assert "80 steps" in blocks[0]
    assert blocks[1].splitlines()[0].split() == ["train", "validation", "test", "guessing"]
    assert re.search(r"test accuracy [\d.]+ is \d+ of 180 images: [\d.]+ to [\d.]+ on other images\.", run.out)
    assert "One seed: another seed may differ as much as another optimizer does." in run.out
    assert f"run    {run.folder}\nnext   lossopt plot last" in run.out
    assert "lossopt train --opt sgd --epochs 2" in run.out
    assert "lossopt sweep --epochs 2" in run.out
    assert "\x1b" not in run.out + run.err
    assert max(map(len, re.sub(re.escape(str(run.folder.parent)), "logs", run.out + run.err).splitlines())) <= 80


def test_numbers_are_told_in_their_own_units(train):
    run = train("--loss", "huber", "--opt", "sgd", "--epochs", 5)
    assert "data diabetes was chosen because huber is a regression loss" in run.err
    assert "rows/s" in run.err
    metrics = run.result["metrics"]["test"]
    assert 30.0 < metrics["mae"] < run.result["guessing"]["test"]["mae"]
    assert f"test mae {metrics['mae']:.3f} (in the units of disease progression) on 44 rows:" in run.out
    assert run.result["sample"]["low"] < metrics["mae"] < run.result["sample"]["high"]


@pytest.mark.parametrize(
    ("split", "splits", "words"),
    [
        ("[1,0,0]", ["train"], "No rows were kept back (data.split): how well it does on others is not known."),
        ("[0.8,0.2,0]", ["train", "validation"], "There is no test split, so this is of the validation"),
        ("[0.8,0,0.2]", ["train", "test"], "test accuracy"),
    ],
)
def test_splits_that_are_empty(train, split, splits, words):
    run = train(*IRIS, "--set", f"data.split={split}", "--lr", 0.01)
    assert run.code == 0
    assert list(run.result["metrics"]) == splits
    assert run.result["learned"] is True
    assert words in " ".join(run.out.split())
    header = next(line for line in run.out.splitlines() if line.endswith("guessing"))
    assert header.split() == [*splits, "guessing"]


@pytest.mark.parametrize(
    ("rate", "cause", "remedy"),
    [
        ("1e9", "the loss became infinite", "sgd at lr 1e+09 is far too high for mse; start near --lr 0.01"),
        ("3e38", "became (infinite|NaN)|no longer finite", "start near --lr 0.01"),
    ],
)
def test_a_divergence_is_a_result_with_step_cause_and_last_finite_loss(train, rate, cause, remedy):
    run = train("--loss", "mse", "--opt", "sgd", "--lr", rate, "--epochs", 2)
    assert run.code == 5
    assert run.result["status"] == "diverged"
    assert run.result["learned"] is False
    assert run.result["metrics"] == {}
    told = " ".join(run.out.split())
    assert re.search(rf"stopped at step (\d+) of 20: .*({cause})", told)
    assert f"stopped at step {run.result['diverged_at']} of" in told
    assert f"last finite value {run.result['last_finite_loss']:.3g}" in told
    assert remedy in told
    assert "--lr 0.01 --epochs 2" in told
    assert run.result["try_learning_rate"] == 0.01


def test_a_first_loss_that_is_not_finite_is_not_blamed_on_the_rate(train, tmp_path):
    table = tmp_path / "huge.csv"
    table.write_text("a,y\n" + "".join(f"{n},{n}e36\n" for n in range(1, 60)))
    run = train("--data", table, "--loss", "mse", "--set", "data.scale_target=false")
    assert run.code == 5
    assert "it is not the learning rate" in " ".join(run.out.split())
    assert run.result["try_learning_rate"] is None


def test_once_prints_the_run_of_the_same_trial_and_does_not_train(train):
    first = train(*IRIS, "--once")
    again = train(*IRIS, "--once")
    other = train(*IRIS, "--once", "--seed", 1)
    assert first.folder is not None
    assert again.folder is None
    assert f"already trained: {first.folder}" in again.err
    assert again.out == first.out
    assert other.folder is not None


def test_once_finds_its_run_without_torch(train, tmp_path):
    run = train(*IRIS)
    program = (
        "import sys; from lossopt_cli.__main__ import run; code = run(sys.argv[1:]);"
        "assert code == 0, code; assert not {'torch', 'keras'} & set(sys.modules)"
    )
    typed = ["train", *map(str, IRIS), "--once", "-q", "--logs", str(run.folder.parent)]
    done = subprocess.run([sys.executable, "-c", program, *typed], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{run.folder}\n"


@pytest.mark.parametrize(
    ("condition", "code"),
    [("accuracy < 2", 3), ("accuracy < 0", 0), ("train.accuracy < 2 and epochs == 3", 3), ("seconds > 9999", 0)],
)
def test_fail_if_decides_the_exit_code_and_leaves_the_result(train, condition, code):
    run = train(*IRIS, "--fail-if", condition)
    assert run.code == code
    assert (f"--fail-if: {condition}: " in run.err) is (code == 3)
    assert "guessing" in run.out
    assert run.result["status"] == "done"


def test_quiet_prints_the_path_and_nothing_else(train):
    run = train(*IRIS, "-q")
    assert run.out == f"{run.folder}\n"
    assert run.err == ""
    assert "epoch 3/3" in (run.folder / "run.log").read_text(encoding="utf-8")


def test_verbose_says_how_it_was_computed(train):
    assert "\nseconds    total " in train(*IRIS, "-v").err
    assert "\nseconds    total " not in train(*IRIS).err


@pytest.mark.parametrize("keep", ["last", "best"])
def test_the_table_is_of_the_weights_that_are_kept(train, keep):
    run = train("--data", "diabetes", "--opt", "adam", "--lr", 0.03, "--epochs", 6, "--set", f"train.keep={keep}")
    assert run.result["best_epoch"] < 6, "the case needs a run that gets worse"
    shown = run.result["metrics_best" if keep == "best" else "metrics"]["test"]["mae"]
    assert f"test mae {shown:.3f}" in run.out
    assert ("Weights of epoch" in run.out) is (keep == "best")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["ctrl-c", "sigterm"])
def test_an_interrupted_run_keeps_what_there_is(tmp_path, number, code):
    process = start(tmp_path, "--data", "digits", "--model", "mlp", "--epochs", 50000, "--name", "mine")
    folder = tmp_path / "logs" / "mine"
    deadline = time.monotonic() + 100
    while not any(events.stat().st_size > 20_000 for events in folder.glob("events*")):  # some epochs are told
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert json.loads((folder / "result.json").read_text())["status"] == "running"
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    result = json.loads((folder / "result.json").read_text())
    assert result["status"] == "interrupted"
    assert "lossopt evaluate last" in out
    assert result["reason"] in " ".join(out.split())
    assert "Traceback" not in err
    table = np.genfromtxt(folder / "steps.csv", delimiter=",", names=True)
    done = re.search(r"after step (\d+) of", result["reason"])
    assert len(table) == table["step"][-1] == int(done[1])
    present = {path.name for path in folder.iterdir()}
    assert {"config.yaml", "epochs.csv", "model.keras", "labels.json", "checkpoint", "run.log"} <= present
    assert not [name for name in present if ".tmp" in name]


@pytest.mark.parametrize(
    ("environ", "absent"),
    [
        ({"FORCE_COLOR": "1", "CI": "true"}, "\r"),
        ({"NO_COLOR": "1", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}, "█"),
    ],
    ids=["in CI", "in ASCII"],
)
def test_piped_output_is_plain_lines(tmp_path, environ, absent):
    process = start(tmp_path, *IRIS, **environ)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert absent not in out + err
    assert "\x1b" not in out
    assert err.count("epoch ") >= 2
    assert out.startswith("loss of every batch  ")
    if absent == "█":
        assert (out + err).isascii()


def result_like(**changes) -> dict:
    """A result as `report` reads it."""
    values = {split: {"accuracy": 0.95, "cross_entropy": 0.1, "loss": 0.1} for split in ("train", "validation", "test")}
    sample = {"split": "test", "metric": "accuracy", "value": 0.95, "low": 0.9, "high": 0.97, "counted": [171, 180]}
    return {
        "reason": None, "metrics": values, "metrics_best": {}, "guessing": {"test": {"accuracy": 0.1}},
        "warnings": [], "sample": sample, "sizes": {"train": 100, "validation": 50, "test": 180},
        "examples": "images", "target": "digit", "config": {"train": {"keep": "last"}}, "run_dir": "logs/x",
        "curve": {"split": "validation"}, "best_epoch": 3, "diverged_at": None,
    } | changes  # fmt: skip


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_the_report_keeps_to_the_width(width):
    commands = [("lossopt train --opt sgd", "another optimizer"), ("lossopt list losses mse", "what it does")]
    text = report(result_like(), np.linspace(3.0, 0.1, 500), commands, width)
    table = [line for line in text.splitlines() if not line.startswith((" " * 10, "accuracy", "cross_entropy"))]
    assert max(map(len, table)) <= min(width, 80)
    assert "another optimizer" in text


def test_the_next_commands_can_be_typed_where_a_flag_stands_alone(train, tmp_path):
    folder = class_folders(tmp_path / "images", each=8, size=(8, 8))
    (folder / "tom" / "broken.jpg").write_bytes(b"no image")
    run = train("--data", folder, "--skip-bad-images", "--model", "linear", "--epochs", 1)
    assert run.code == 0, run.err
    again = [line.partition(" --skip-bad-images ")[2] for line in run.out.splitlines() if "--skip-bad" in line]
    assert {tuple(text.split()[:2]) for text in again} == {("--model", "linear")}


def test_next_commands_never_run_into_what_they_are_for():
    long = "lossopt train --data a/very/long/path/to/some/table.csv --loss huber:delta=0.25 --opt sgd"
    text = report(result_like(), np.ones(3), [(long, "another optimizer"), ("lossopt x", "short")], 80)
    assert f"next   {long}\n           another optimizer\n" in text
    assert "       lossopt x   short\n" in text


@pytest.mark.parametrize("count", [2, 9, 10, 53, 1000])
def test_the_curve_has_its_ends_below_its_ends(count):
    drawn, ends = report(result_like(metrics={}), np.linspace(2.0, 1.0, count), [], 80).splitlines()[:2]
    assert ends.strip().startswith("2.000")
    assert ends.endswith("1.000")
    assert f" {count:,} steps " in ends
    assert drawn.index("█") == ends.index("2.000")
    assert len(ends) <= 80


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0.000"), (0.00031, "0.00031"), (2.30259, "2.303"), (152.13, "152.1"), (3.1e38, "3.1e+38"),
     (float("nan"), "-"), (None, "-"), (-0.5, "-0.500")],
)  # fmt: skip
def test_numbers_are_short(value, text):
    assert short(value) == text


def test_adafactor_ends_in_its_known_fault_and_not_in_advice_about_the_rate(train):
    broken = train("--opt", "adafactor", "--epochs", 1)
    assert broken.code == 5
    assert "--opt adafactor:epsilon_1=1e-12" in " ".join(broken.result["reason"].split())
    assert broken.result["try_learning_rate"] is None
    assert train("--opt", "adafactor:epsilon_1=1e-12", "--epochs", 1, "--name", "mended").code == 0


def test_the_curve_of_a_run_that_diverged_ends_there(train):
    """The rest of the steps that were under way then is in steps.csv, and in no curve."""
    run = train("--data", "diabetes", "--loss", "mse", "--opt", "momentum", "--lr", 1, "--epochs", 40)
    assert run.code == 5
    at = run.result["diverged_at"]
    assert len((run.folder / "steps.csv").read_text().splitlines()) - 1 > at > 2
    assert f" {at} steps " in run.out
