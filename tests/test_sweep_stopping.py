"""Ctrl-C while a sweep starts: one word, and nothing of its processes."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time

from lossopt_cli.sweeps.launch import launched
from lossopt_cli.sweeps.shares import Workplace

SMALL = ("--data", "iris", "--model", "mlp:hidden=[8]", "--epochs", "2", "--opt", "sgd", "--lr", "0.1", "--seeds", "1")


def test_a_worker_whose_driver_is_gone_says_nothing(tmp_path, capfd):
    here, there = multiprocessing.Pipe()
    here.close()
    process = multiprocessing.get_context("spawn").Process(
        target=launched, args=(there, Workplace(tmp_path, {}), "cpu")
    )
    process.start()
    there.close()
    process.join(60)
    assert process.exitcode == 1
    assert capfd.readouterr().err == ""


def test_ctrl_c_reaches_every_process_of_a_terminal_and_only_the_driver_speaks(tmp_path):
    command = [sys.executable, "-m", "lossopt_cli", "sweep", *SMALL, "--logs", str(tmp_path)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, env=environment, text=True, start_new_session=True)
    said = ""
    while "worker" not in said:
        said += process.stderr.readline()
    time.sleep(0.5)  # the fork server is at its imports
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert [line for line in err.splitlines() if line][-2:] == [
        "stopped; what has ended is kept, and the same command goes on from there",
        "interrupted",
    ]
