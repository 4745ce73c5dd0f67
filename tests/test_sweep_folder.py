"""One folder, several commands: each waits for the one before it, and a search of `train` leaves the sweep as it is."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from lossopt_cli.__main__ import run
from lossopt_cli.sweeps.arms import Problems, arms_of
from lossopt_cli.sweeps.axes import Asked, axes_of
from lossopt_cli.sweeps.candidates import Wishes, candidates_of
from lossopt_cli.sweeps.folder import SweepFolder
from lossopt_cli.sweeps.ranges import Rates
from lossopt_cli.sweeps.sweep_file import SweepFile, read_sweep

SMALL = ("--data", "iris", "--model", "mlp:hidden=[8]", "--epochs", "2")
PROBLEMS = Problems(lambda text: None)


def started(logs: Path, *words: str) -> subprocess.Popen:
    """`lossopt sweep` in a process of its own."""
    command = [sys.executable, "-m", "lossopt_cli", "sweep", *SMALL, *words, "--logs", str(logs)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True)


def test_who_finds_another_at_work_waits_for_it_and_says_so(tmp_path):
    said, told = threading.Event(), []

    def tell(text: str) -> None:
        told.append(text)
        said.set()

    def second() -> None:
        with SweepFolder(tmp_path / "s").opened(tell) as waited:
            told.append(waited)

    waiting = threading.Thread(target=second)
    with SweepFolder(tmp_path / "s").opened() as waited:
        assert not waited
        waiting.start()
        assert said.wait(10)
        assert len(told) == 1
    waiting.join(10)
    assert told == [f"another sweep is at work in {tmp_path / 's'}: waiting for it to end", True]
    assert not (tmp_path / "s").exists()


def test_what_the_first_takes_away_the_second_makes_again(tmp_path):
    """The first leaves nothing where it wrote nothing: neither its folder nor the lock that the second waits for."""
    folder = SweepFolder(tmp_path / "a" / "s")
    said, held, seen = threading.Event(), threading.Event(), threading.Event()

    def second() -> None:
        with folder.opened(lambda text: said.set()):
            held.set()
            seen.wait(10)

    waiting = threading.Thread(target=second)
    with folder.opened():
        waiting.start()
        assert said.wait(10)
    assert held.wait(10)
    with (folder.path / ".lock").open("w") as lock, pytest.raises(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    seen.set()
    waiting.join(10)
    assert not (tmp_path / "a").exists()


def test_two_sweeps_of_one_problem_are_both_trained(tmp_path):
    both = [started(tmp_path, "--opt", name, "--lr", "0.1", "--seeds", "1") for name in ("sgd", "adam")]
    ended = [(*process.communicate(timeout=90), process.returncode) for process in both]
    assert [code for _, _, code in ended] == [0, 0], ended
    assert "".join(err for _, err, _ in ended).count("waiting for it to end") == 1
    (folder,) = tmp_path.iterdir()
    assert {arm.config.optimizer.name for arm in read_sweep(folder).arms} == {"sgd", "adam"}
    assert len(list(folder.glob("*/result.json"))) == 2


def test_one_that_waits_can_be_stopped(tmp_path):
    with SweepFolder(tmp_path / "s").opened():
        process = started(tmp_path, "--opt", "sgd", "--lr", "0.1", "--name", "s")
        line = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert "waiting for it to end" in line
    assert (process.returncode, err.strip()) == (130, "interrupted")


def test_the_search_of_train_leaves_the_sweep_as_it_is(train, tmp_path, capsys):
    logs = ("--logs", str(tmp_path / "logs"))
    assert run(["sweep", *SMALL, "--opt", "sgd,adam", "--lr", "0.1", "--seeds", "3", *logs, "-q"]) == 0
    folder = Path(capsys.readouterr().out.strip())
    before = read_sweep(folder)
    assert train(*SMALL, "--opt", "sgd", "--lr", "auto", "-q").code == 0
    after = read_sweep(folder)
    assert after.seeds == before.seeds == (0, 1, 2)
    assert [(arm.rates, arm.chosen) for arm in after.arms] == [(Rates((0.1,)), 0.1)] * 2
    assert after.arms[0].scale is not None
    assert run(["sweep", str(folder), "--dry-run", "--format", "json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert (plan["trials"], [line["done"] for line in plan["recipes"]]) == (6, [3, 3])


@pytest.mark.parametrize(
    ("held", "rates", "chosen"),
    [(Rates((0.1,)), Rates((0.1,)), 0.1), (Rates(), Rates(), 0.3)],
    ids=["given", "auto"],
)
def test_what_is_found_is_laid_beside_what_was_asked_for(held, rates, chosen):
    (arm,) = arms_of(axes_of(Asked(flags={"data": "iris", "optimizer": "sgd"}), {}), PROBLEMS)
    (candidate,) = candidates_of([arm], Wishes(range(8), report=False), PROBLEMS)
    candidate.scale, candidate.chosen, candidate.stage = 1.0, (0, 0.3), "done"
    candidate.arms = (candidate.known()[0],)
    written = SweepFile((replace(arm, rates=held, chosen=0.1),), (4, 5), ("p",))
    found = written.with_found([candidate], range(8))
    assert (found.seeds, found.arms[0].rates, found.arms[0].scale) == ((4, 5), rates, 1.0)
    assert found.arms[0].chosen == chosen
    new = SweepFile((), (), ()).with_found([candidate], range(8))
    assert (new.seeds, new.arms[0].rates, new.arms[0].chosen) == (tuple(range(8)), Rates(), 0.3)
