"""What a share takes along to another machine and what comes back; needs no Ray."""

import json
import socket
import sys
from collections import deque
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lossopt_cli.__main__ import run
from lossopt_cli.config.writing import dump
from lossopt_cli.errors import Fault, LossoptError, RunError, UsageError
from lossopt_cli.sweeps import far
from lossopt_cli.sweeps.arms import Pace, Problems, arms_of
from lossopt_cli.sweeps.axes import Asked, axes_of
from lossopt_cli.sweeps.cells import Cell, cells_of
from lossopt_cli.sweeps.cluster import MOST_LOSSES, Cluster
from lossopt_cli.sweeps.folder import SweepFolder
from lossopt_cli.sweeps.shares import Ended, Moved, Share, Workplace
from lossopt_cli.sweeps.shipping import Code, writable

PROBLEMS = Problems(lambda text: None)
NEIGHBOUR = "def scaled(x):\n    return 2.0 * x\n"
MINE = """\
from layers import scaled


def loss(y_true, y_pred):
    return scaled((y_true - y_pred) ** 2)
"""


def cells(seeds=2, **flags) -> list[Cell]:
    flags = {"data": "iris", "model": "mlp:hidden=[4]", "optimizer": "sgd", "epochs": "2", **flags}
    (arm,) = arms_of(axes_of(Asked(flags=flags), {}), PROBLEMS)
    return cells_of([(replace(arm, pace=Pace(1)), [0.1])], range(seeds), PROBLEMS)


def sent_of(some: list[Cell], workplace: Workplace, version: str = far.__version__):
    config = some[0].trial.config
    problem = (PROBLEMS.key(config), PROBLEMS.of(config))
    return list(far.trained(Share(tuple(some)), workplace, problem, Code.of(config), version))


def test_every_trial_is_sent_when_it_has_ended_with_its_files(tmp_path, monkeypatch):
    monkeypatch.setattr(far, "SEND_SECONDS", 0.0)
    some = cells(4)
    parcels = sent_of(some, Workplace(tmp_path, {}))
    ended = [[event.cell.name for event, _ in parcel if isinstance(event, Ended)] for parcel in parcels]
    assert [name for names in ended for name in names] == [cell.name for cell in some]
    assert len([names for names in ended if names]) > 1, "not all at the end"
    files = [files for parcel in parcels for event, files in parcel if isinstance(event, Ended)]
    assert all({"config.yaml", "result.json", "epochs.csv", "steps.csv"} < set(of_one) for of_one in files)
    assert json.loads(files[0]["result.json"])["run_dir"] == str(tmp_path / some[0].name)
    assert sum(isinstance(event, Moved) for parcel in parcels for event, _ in parcel) <= len(parcels)
    assert not list(tmp_path.iterdir())


def test_the_users_files_travel_and_the_run_names_them_as_ever(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "mine.py").write_text(MINE)
    (home / "layers.py").write_text(NEIGHBOUR)
    config = cells(loss=f"{home}/mine.py:loss", data="diabetes")[0].trial.config
    code = Code.of(config)
    for file in home.iterdir():
        file.unlink()
    loss = code.unpacked(tmp_path / "there")["loss"]
    assert loss.value(1.0, 3.0) == 8.0
    assert (loss.reference, loss.where) == (config.loss.name, "--loss")
    assert str(home) in dump(config)
    assert {path.name for path in loss.files} == {"mine.py", "layers.py"}
    assert all(path.is_relative_to(tmp_path / "there") for path in loss.files)


def test_without_code_of_the_users_nothing_is_packed():
    assert Code.of(cells()[0].trial.config) == Code()


def test_arrays_that_cannot_be_written_to_are_copied():
    problem = PROBLEMS.of(cells()[0].trial.config)
    frozen = problem.train.inputs.copy()
    frozen.flags.writeable = False
    own = writable(replace(problem, train=replace(problem.train, inputs=frozen)))
    assert own.train.inputs.flags.writeable
    np.testing.assert_array_equal(own.train.inputs, problem.train.inputs)


def test_another_version_over_there_is_refused(tmp_path):
    with pytest.raises(RunError, match=r"and the driver 0\.0\.9"):
        sent_of(cells(), Workplace(tmp_path, {}), "0.0.9")


def test_what_a_dead_machine_leaves_is_tried_again_in_halves_and_a_trial_alone_a_few_times(tmp_path):
    some = cells(3)
    sweep, shares = SweepFolder(tmp_path / "s"), deque()
    with sweep.opened():
        cluster = Cluster("auto", Workplace(sweep.path, {}), "cpu", PROBLEMS)
        assert not list(cluster._lost(some, OSError("its node died"), shares))
        assert sorted(len(share.cells) for share in shares) == [1, 2]
        assert {cell.name for share in shares for cell in share.cells} == {cell.name for cell in some}
        told = [list(cluster._lost(some[:1], OSError("its node died"), shares)) for _ in range(MOST_LOSSES - 1)]
    assert [len(ended) for ended in told] == [0] * (MOST_LOSSES - 2) + [1]
    assert (told[-1][0].status, told[-1][0].reason) == ("failed", "OSError: its node died")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ImportError("worker\nModuleNotFoundError: No module named 'lossopt_cli'"), "a machine of the cluster has no"),
        (LossoptError(Fault("there has lossopt 0.0.9")), "there has lossopt 0.0.9"),
    ],
)
def test_what_no_machine_can_mend_ends_the_sweep(error, said):
    cluster = Cluster("auto", Workplace(Path("s"), {}), "cpu", PROBLEMS)
    with pytest.raises(RunError, match=said):
        list(cluster._lost(cells(), error, deque()))


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("nonsense", "'nonsense' is no address"),
        ("ray://here:10001", "'ray://here:10001' is no address"),
        ("127.0.0.1:{closed}", "no Ray cluster answers at 127.0.0.1:{closed}: connection refused"),
    ],
)
def test_where_no_cluster_answers_it_says_so_at_once_and_leaves_nothing(address, said, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ray", sys)
    with socket.socket() as bound:  # and does not listen
        bound.bind(("127.0.0.1", 0))
        closed = bound.getsockname()[1]
        words = ["sweep", "--data", "iris", "--opt", "sgd", "--lr", "0.1", "--logs", str(tmp_path / "logs")]
        assert run([*words, "--ray", address.format(closed=closed)]) == 2
    assert said.format(closed=closed) in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_folder_that_was_there_stays_where_a_sweep_comes_to_nothing(tmp_path):
    sweep = SweepFolder(tmp_path / "logs" / "s")
    sweep.path.mkdir(parents=True)
    with pytest.raises(UsageError), sweep.opened():
        raise UsageError
    assert sweep.path.is_dir()
