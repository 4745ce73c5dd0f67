"""`lossopt sweep` end to end: real trainings in worker processes, small ones."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from lossopt_cli.__main__ import run
from lossopt_cli.sweeps.folder import SweepFolder
from lossopt_cli.sweeps.shares import Ended, Share, Workplace

SMALL = ("--data", "iris", "--model", "mlp:hidden=[8]", "--epochs", "2", "--workers", "2")
RAISING = """\
from keras import ops
calls = 0


def loss(y_true, y_pred):
    global calls
    calls += 1
    if calls > 12:
        raise ValueError("enough")
    return ops.mean(ops.square(y_true - y_pred), axis=-1)
"""


@dataclass(frozen=True)
class Swept:
    """How a sweep ended: exit code, stdout, stderr, its folder, result.json of every run by the folder's name."""

    code: int
    out: str
    err: str
    folder: Path | None
    results: dict[str, dict]


def results_in(folder: Path) -> dict[str, dict]:
    return {path.parent.name: json.loads(path.read_text()) for path in sorted(folder.glob("*/result.json"))}


@pytest.fixture
def sweep(tmp_path, capsys) -> Callable[..., Swept]:
    """sweep("--opt", "sgd", ...): `lossopt sweep` in this process, in a folder `s` of the test."""

    def swept(*arguments: str | Path, name: str | None = "s") -> Swept:
        capsys.readouterr()
        named = ["--name", name] if name else []
        code = run(["sweep", *map(str, arguments), "--logs", str(tmp_path / "logs"), *named])
        out, err = capsys.readouterr()
        folder = tmp_path / "logs" / (name or "s")
        return Swept(code, out, err, folder if folder.is_dir() else None, results_in(folder))

    return swept


def columns(run_folder: Path, file: str) -> bytes:
    return (run_folder / file).read_bytes()


def test_a_grid_becomes_a_folder_of_runs_and_a_comparison(sweep):
    swept = sweep(*SMALL, "--opt", "sgd,adam", "--lr", "1e-2,1e-1", "--seeds", "2")
    assert swept.code == 0, swept.err
    assert len(swept.results) == 8
    assert {result["status"] for result in swept.results.values()} == {"done"}
    name, result = next(iter(swept.results.items()))
    assert re.fullmatch(r"cross_entropy\+adam-lr0\.01-s0-[0-9a-f]{6}", name)
    assert result["run_dir"] == str(swept.folder / name)
    assert (result["role"], result["timing"]) == (None, "shared")
    files = {path.name.split(".")[0] for path in (swept.folder / name).iterdir()}
    assert files == {"config", "result", "epochs", "steps", "events"}
    assert "2 recipes, 2 seeds" in swept.out
    assert "8 of 8 trials" in swept.err
    assert not (swept.folder / ".unfinished").exists()


def test_another_sweep_adds_to_the_folder_and_the_same_trains_nothing(sweep):
    first = sweep(*SMALL, "--opt", "sgd", "--lr", "0.1", "--seeds", "2")
    written = {name: (first.folder / name / "result.json").stat().st_mtime_ns for name in first.results}
    more = sweep(*SMALL, "--opt", "sgd,adam", "--lr", "0.1", "--seeds", "3")
    assert (more.code, len(more.results)) == (0, 6)
    again = sweep(more.folder, "-q", name=None)
    assert (again.code, again.out.strip()) == (0, str(more.folder))
    assert {name: (more.folder / name / "result.json").stat().st_mtime_ns for name in first.results} == written
    assert "trial" not in again.err
    seeds = sweep("last", "--seeds", "4", name=None)
    assert seeds.code == 0, seeds.err
    assert len(results_in(more.folder)) == 8


def test_auto_finds_rates_and_reports_with_other_seeds(sweep):
    swept = sweep(*SMALL, "--opt", "sgd", "--seeds", "4")
    assert swept.code == 0, swept.err
    roles = ("tuning", "refining", "report")
    by_role = {role: [r for r in swept.results.values() if r["role"] == role] for role in roles}
    rates = sorted({result["optimizer"]["learning_rate"] for result in by_role["tuning"]})
    assert 9 <= len(rates) <= 13
    assert 0.01 in rates
    assert {result["seed"] for result in by_role["tuning"]} == {1000, 1001, 1002}
    seeds = Counter(result["seed"] for result in by_role["refining"])
    assert seeds == {1000 + place: 2 for place in range(8)}
    assert {result["seed"] for result in by_role["report"]} == {0, 1, 2, 3}
    assert len({result["optimizer"]["learning_rate"] for result in by_role["report"]}) in (1, 2)
    assert "with 3 other seeds, the best with 8" in " ".join(swept.out.split())


def test_a_trial_that_fails_does_not_stop_the_others(sweep, tmp_path):
    (tmp_path / "mine.py").write_text(RAISING)
    words = (*SMALL[2:], "--data", "diabetes", "--loss", f"mse,{tmp_path}/mine.py:loss")
    words += ("--opt", "adam", "--lr", "0.01", "--seeds", "2")
    swept = sweep(*words)
    assert swept.code == 4
    status = {name: result["status"] for name, result in swept.results.items()}
    assert sorted(status.values()) == ["done", "done", "failed", "failed"]
    failed = next(name for name, ended in status.items() if ended == "failed")
    assert failed in swept.err
    assert "ValueError: enough" in swept.err
    assert "2 of 4 trials failed; --retry-failed" in swept.err
    assert sweep(*words).code == 4
    (tmp_path / "mine.py").write_text(RAISING.replace("> 12", "> 1e9"))
    again = sweep(*words, "--retry-failed")
    assert again.code == 0, again.err


MINE = """\
import keras


def mine(learning_rate, beta=0.9):
    return keras.optimizers.SGD(learning_rate, momentum=beta)


def short(lr):
    return keras.optimizers.SGD(lr)
"""


@pytest.mark.parametrize(
    ("optimizer", "rates", "tried"),
    [
        ("mine", (), "9 around its scale"),
        ("mine", ("--lr", "0.01,0.1"), "0.01, 0.1"),
        ("mine:learning_rate=0.1", ("--lr", "adam=0.01"), "0.1"),
        ("short:lr=0.1", ("--lr", "adam=0.01"), "0.1"),
        ("mine:beta=0.5", (), "9 around its scale"),
    ],
)
def test_an_optimizer_without_a_default_rate_gets_those_of_the_sweep(sweep, tmp_path, optimizer, rates, tried):
    (tmp_path / "mine.py").write_text(MINE)
    swept = sweep(*SMALL, "--opt", f"{tmp_path}/mine.py:{optimizer},adam", *rates, "--seeds", "4", "--dry-run")
    assert swept.code == 0, swept.err
    said = " ".join((swept.out + swept.err).split())
    assert f"+ {optimizer.partition(':')[0]} {tried}" in said


def test_two_rates_for_one_optimizer_of_the_user_are_refused_by_its_name(sweep, tmp_path):
    (tmp_path / "mine.py").write_text(MINE)
    swept = sweep(*SMALL, "--opt", f"{tmp_path}/mine.py:short:lr=0.1", "--lr", "0.01,0.1", "--dry-run")
    assert swept.code == 2
    assert "error: --lr: short has a learning rate of its own, and --lr gives another" in swept.err


def test_rates_that_are_too_high_are_lost_and_no_failure(sweep):
    swept = sweep(*SMALL, "--opt", "sgd", "--lr", "0.1,1e30", "--seeds", "2")
    assert swept.code == 0, swept.err
    ended = {(result["optimizer"]["learning_rate"], result["status"]) for result in swept.results.values()}
    assert ended == {(0.1, "done"), (1e30, "diverged")}
    assert re.search("4 of 4 trials, [23] lost", swept.err)


def test_a_printed_command_trains_the_same_trial(sweep, tmp_path, capsys):
    axes = (*SMALL, "--opt", "sgd:momentum=0.9,adam", "--lr", "0.01", "--seeds", "2", "--set", "data.split_seed=3")
    printed = sweep(*axes, "--print-commands")
    lines = [shlex.split(line) for line in printed.out.splitlines()]
    assert (len(lines), printed.folder) == (4, None)
    assert all(line[:2] == ["lossopt", "train"] for line in lines)
    assert run(lines[0][1:]) == 0
    alone = next((tmp_path / "logs" / "s").iterdir())
    kept = tmp_path / "alone"
    alone.rename(kept)
    swept = sweep(*axes)
    assert swept.code == 0, swept.err
    result = json.loads((kept / "result.json").read_text())
    assert swept.results[alone.name]["trial"] == result["trial"]
    assert swept.results[alone.name]["metrics"] == result["metrics"]
    for file in ("steps.csv", "epochs.csv"):
        assert columns(swept.folder / alone.name, file) == columns(kept, file)


def test_a_dry_run_says_what_would_be_trained_and_leaves_nothing(sweep):
    swept = sweep(*SMALL, "--opt", "sgd,adam", "--dry-run")
    assert (swept.code, swept.folder) == (0, None)
    assert re.search(r"cross_entropy \+ sgd +9 around its scale +43 +16 +0", swept.out)
    assert "118 trials; up to 24 more" in swept.out
    assert re.search(r"about .* with 2 workers, .* MB in ", swept.out)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--opt", "adam", "--set", "optimizer.momentum=0,0.9"), "adam does not take momentum"),
        (("--lr", "1e-1..1e-3"), "0 values"),
        (("--opt", "sgd", "--lr", "0.1", "--seeds", "1000000000"), "1,000,000,000 seeds: 1,000,000,000 trials"),
        (("--opt", "sgd", "--lr", "1e-3..1e-1", "--seeds", "3000"), "15,000 trials"),
        (("--loss", "mse,cross_entropy"), "different data"),
    ],
)
def test_nonsense_is_refused_before_anything_is_made(sweep, words, said):
    data = () if "--loss" in words else ("--data", "iris")
    swept = sweep(*data, *words)
    assert (swept.code, swept.folder) == (2, None)
    assert said in swept.err


def test_a_folder_of_another_problem_is_not_added_to(sweep):
    sweep(*SMALL, "--opt", "sgd", "--lr", "0.1", "--seeds", "1")
    other = sweep("--data", "wine", "--opt", "sgd", "--lr", "0.1", "--seeds", "1")
    assert other.code == 2
    assert "holds a sweep of another problem (iris)" in other.err


def test_runs_that_nobody_planned_can_be_swept(sweep, train, tmp_path):
    run_ = train(*SMALL[:-2], "--opt", "sgd", "--lr", "0.1")
    swept = sweep(tmp_path / "logs", "--seeds", "3", name=None)
    assert swept.code == 0, swept.err
    found = results_in(tmp_path / "logs")
    assert sorted(result["seed"] for result in found.values()) == [0, 1, 2]
    assert run_.folder.name in found


def test_a_sweep_of_a_single_run_has_a_folder_of_its_own(sweep, train, tmp_path):
    run_ = train(*SMALL[:-2], "--opt", "sgd", "--lr", "0.1")
    before = sorted(run_.folder.iterdir())
    swept = sweep(run_.folder, "--opt", "sgd,adam", "--lr", "0.1", "--seeds", "2", name="beside")
    assert swept.code == 0, swept.err
    assert sorted(run_.folder.iterdir()) == before
    assert len(results_in(tmp_path / "logs" / "beside")) == 4


def test_train_finds_a_rate(train, tmp_path):
    trained = train(*SMALL[:-2], "--opt", "sgd", "--lr", "auto", "-q")
    assert trained.code == 0, trained.err
    results = results_in(tmp_path / "logs")
    (alone,) = results.values()
    (tuned,) = [folder for folder in (tmp_path / "logs").iterdir() if (folder / "sweep.yaml").exists()]
    chosen = re.search(r"chosen: (\S+)", (tuned / "sweep.yaml").read_text())[1]
    assert alone["optimizer"]["learning_rate"] == float(chosen)
    assert {result["role"] for result in results_in(tuned).values()} == {"tuning", "refining"}


def test_without_ray_it_says_what_to_install(sweep, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    swept = sweep(*SMALL, "--opt", "sgd", "--lr", "0.1", "--ray", "auto")
    assert swept.code == 2
    assert "pip install 'lossopt[ray]'" in swept.err


def test_where_memory_runs_out_a_share_is_trained_in_halves(monkeypatch, tmp_path):
    from lossopt_cli.sweeps import bench
    from lossopt_cli.sweeps.arms import Pace, Problems, arms_of
    from lossopt_cli.sweeps.axes import Asked, axes_of
    from lossopt_cli.sweeps.cells import cells_of
    from lossopt_cli.training.stopping import Stopping

    problems, engine, widths = Problems(lambda text: None), bench.train_stack, []

    def short_of_memory(runs, recorders, **more):
        widths.append(len(runs))
        if len(runs) > 3:
            raise MemoryError
        return engine(runs, recorders, **more)

    monkeypatch.setattr(bench, "train_stack", short_of_memory)
    flags = {"data": "iris", "model": "mlp:hidden=[4]", "optimizer": "sgd", "epochs": "1"}
    arms = arms_of(axes_of(Asked(flags=flags), {}), problems)
    cells = cells_of([(replace(arms[0], pace=Pace(8)), [0.1])], range(6), problems)
    told = []
    sweep_folder = SweepFolder(tmp_path / "s")
    with sweep_folder.opened():
        bench.Bench(Workplace(sweep_folder.path, {}), told.append, problems).train(Share(tuple(cells)), Stopping())
    assert widths == [6, 3, 3]
    assert sorted(ended.cell.seed for ended in told if isinstance(ended, Ended)) == list(range(6))


def process(*words: str) -> subprocess.Popen:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "lossopt_cli", "sweep", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
def test_a_sweep_that_is_stopped_goes_on_to_the_same_bytes(sweep, tmp_path, number):
    words = (*SMALL, "--opt", "sgd,adam", "--lr", "1e-2,1e-1,1", "--seeds", "4")
    stopped, logs = tmp_path / "stopped" / "s", tmp_path / "stopped"
    running = process(*words, "--logs", str(logs), "--name", "s")
    deadline = time.monotonic() + 60
    while not list(stopped.glob("*/result.json")) and time.monotonic() < deadline and running.poll() is None:
        time.sleep(0.005)
    running.send_signal(number)
    _, said = running.communicate(timeout=30)
    assert running.returncode == (130 if number == signal.SIGINT else -number), said
    kept = {path: path.stat().st_mtime_ns for path in stopped.glob("*/result.json")}
    assert kept
    assert run(["sweep", *words, "--logs", str(logs), "--name", "s", "-q"]) == 0
    undisturbed = sweep(*words)
    assert len(undisturbed.results) == 24
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    again = results_in(stopped)
    assert sorted(again) == sorted(undisturbed.results)
    for name, result in undisturbed.results.items():
        assert again[name]["metrics"] == result["metrics"]
        for file in ("steps.csv", "epochs.csv"):
            assert columns(stopped / name, file) == columns(undisturbed.folder / name, file)
    assert not (stopped / ".unfinished").exists()


def test_the_events_of_a_trial_are_read_by_tensorboard(sweep):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    swept = sweep(*SMALL, "--opt", "sgd", "--lr", "0.1", "--seeds", "1")
    (name,) = swept.results
    reader = EventAccumulator(str(swept.folder / name))
    reader.Reload()
    losses = [event.value for event in reader.Scalars("batch/loss")]
    steps = np.genfromtxt(swept.folder / name / "steps.csv", delimiter=",", names=True)
    np.testing.assert_allclose(losses, steps["loss"], rtol=1e-6)
    assert "_hparams_/session_start_info" in reader.summary_metadata
