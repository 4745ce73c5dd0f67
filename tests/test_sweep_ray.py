"""A sweep on a real Ray cluster of three nodes, one of which dies in the middle. Needs the extra `ray`."""

import json
import os
import subprocess
import sys
import time

import pytest

from lossopt_cli.__main__ import run

pytest.importorskip("ray")
# A command redirects the real stdout of its process once; under capsys, whose stdout is no file, it leaves it alone.
pytestmark = pytest.mark.usefixtures("capsys")
AXES = ("--data", "iris", "--model", "mlp:hidden=[8]", "--epochs", "60", "--opt", "sgd,adam", "--lr", "0.01,0.1,1")


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


@pytest.mark.filterwarnings("ignore")  # of Ray's own
def test_a_node_that_dies_changes_nothing(nodes, tmp_path):
    cluster, added = nodes
    words = ["sweep", *AXES, "--seeds", "8", "--logs", str(tmp_path), "-q"]
    command = [sys.executable, "-m", "lossopt_cli", *words, "--name", "far", "--ray", cluster.address]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(os.environ))
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("far/*/result.json")) and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    cluster.remove_node(added[0], allow_graceful=False)
    _out, err = running.communicate(timeout=240)
    assert running.returncode == 0, err
    assert run([*words, "--name", "near"]) == 0
    near = {path.parent.name: path.parent for path in tmp_path.glob("near/*/result.json")}
    far = {path.parent.name: path.parent for path in tmp_path.glob("far/*/result.json")}
    assert len(far) == 48
    assert sorted(far) == sorted(near)
    for name, folder in near.items():
        assert (far[name] / "steps.csv").read_bytes() == (folder / "steps.csv").read_bytes()
        results = [json.loads((place / "result.json").read_text()) for place in (far[name], folder)]
        assert results[0]["metrics"] == results[1]["metrics"]
        assert results[0]["run_dir"] == str(far[name])
