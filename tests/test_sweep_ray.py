"""A sweep on a real Ray cluster of three nodes: stopped, gone on with, and one node dies. Needs the extra `ray`."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from lossopt_cli.__main__ import run

pytest.importorskip("ray")
# A command redirects the real stdout of its process once; under capsys, whose stdout is no file, it leaves it alone.
pytestmark = pytest.mark.usefixtures("capsys")
AXES = ("--data", "iris", "--model", "mlp:hidden=[8]", "--epochs", "40", "--opt", "sgd,adam", "--lr", "0.01,1")


@pytest.fixture
def nodes(monkeypatch):
    """A head and two more nodes of one CPU each, as processes of this machine."""
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    added = [cluster.add_node(num_cpus=1) for _ in range(2)]
    cluster.wait_for_nodes()
    yield cluster, added
    cluster.shutdown()


def begun(words: Sequence[str], results: Path, count: int) -> subprocess.Popen:
    """A sweep in a process of its own, when so many trials have ended."""
    command = [sys.executable, "-m", "lossopt_cli", *words]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(os.environ))
    deadline = time.monotonic() + 120
    while len(ended(results)) < count and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    return running


def ended(sweep: Path) -> dict[str, int]:
    """When the result of each trial was written, by its name."""
    return {path.parent.name: path.stat().st_mtime_ns for path in sweep.glob("*/result.json")}


@pytest.mark.filterwarnings("ignore")  # of Ray's own
def test_neither_sigterm_nor_a_node_that_dies_changes_anything(nodes, tmp_path):
    cluster, added = nodes
    words = ["sweep", *AXES, "--seeds", "6", "--logs", str(tmp_path), "-q"]
    # One trial after the other, so that they end one by one; the bits of a dense network are those of a stack.
    far_away = [*words, "--name", "far", "--engine", "single", "--ray", cluster.address]
    stopped = begun(far_away, tmp_path / "far", 2)
    stopped.send_signal(signal.SIGTERM)
    _, err = stopped.communicate(timeout=30)
    assert stopped.returncode == 143, err
    before = ended(tmp_path / "far")
    assert 2 <= len(before) < 24
    running = begun(far_away, tmp_path / "far", len(before) + 4)
    cluster.remove_node(added[0], allow_graceful=False)
    at_death = ended(tmp_path / "far")
    _, err = running.communicate(timeout=240)
    assert running.returncode == 0, err
    assert len(before) < len(at_death) < 24
    after = ended(tmp_path / "far")
    assert {name: after[name] for name in at_death} == {**at_death, **before}, "none was trained again"
    assert run([*words, "--name", "near"]) == 0
    near = {path.parent.name: path.parent for path in tmp_path.glob("near/*/result.json")}
    assert len(after) == 24
    assert sorted(after) == sorted(near)
    for name, folder in near.items():
        there = tmp_path / "far" / name
        assert (there / "steps.csv").read_bytes() == (folder / "steps.csv").read_bytes()
        results = [json.loads((place / "result.json").read_text()) for place in (there, folder)]
        assert results[0]["metrics"] == results[1]["metrics"]
        assert results[0]["run_dir"] == str(there)
