"""Real images and tables through the command, held to figures that were reached before (skipped without the data)."""

import json
import statistics
import subprocess
import sys

import pytest

from tests.conftest import shared_file


def test_minicnn_learns_cifar10(train, cifar10_6k):
    run = train("--data", cifar10_6k, "--model", "minicnn", "--epochs", 5)
    assert run.code == 0
    assert run.result["sizes"]["test"] == 1000
    assert run.result["metrics"]["test"]["accuracy"] >= 0.45


def test_rings_of_abalone_beat_the_mean_by_far(train):
    run = train("--data", shared_file("abalone.csv"), "--loss", "mse")
    assert run.result["task"] == "regression"
    assert run.result["guessing"]["test"]["mae"] > 2.2
    assert run.result["metrics"]["test"]["mae"] <= 1.65


def test_sonar_over_seeds_and_splits(train):
    accuracies = []
    for split_seed in range(5):
        for seed in range(5):
            run = train(
                "--data", shared_file("sonar.csv"), "--epochs", 30, "--seed", seed,
                "--set", f"data.split_seed={split_seed}", "--name", f"sonar-{split_seed}-{seed}",
            )  # fmt: skip
            accuracies.append(run.result["metrics"]["test"]["accuracy"])
    assert len(set(accuracies)) > 1
    assert statistics.mean(accuracies) >= 0.75


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_default_run_reads_digits(train, seed):
    run = train("--seed", seed)
    assert run.code == 0
    assert run.result["config"]["data"]["name"] == "digits"
    assert run.result["config"]["model"]["name"] == "minicnn"
    assert run.result["metrics"]["test"]["accuracy"] >= 0.95
    assert run.result["warnings"] == []


PLAIN_KERAS = "import os, sys; os.environ['KERAS_BACKEND'] = 'torch'; import csv, keras, numpy as np, pathlib;"


def printed_by_plain_keras(code: str, *arguments: object) -> float:
    """What a process prints that has Keras and the raw data, and never lossopt."""
    program = (
        f"{PLAIN_KERAS} model = keras.saving.load_model(sys.argv[1]);{code}; assert 'lossopt_cli' not in sys.modules"
    )
    words = [sys.executable, "-c", program, *map(str, arguments)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


def test_the_model_of_a_table_takes_its_columns_with_codes_for_words(train):
    run = train("--data", shared_file("abalone.csv"), "--loss", "mse", "--epochs", 2)
    labels = json.loads((run.folder / "labels.json").read_text())
    codes = labels["inputs"]["columns"][0]["codes"]
    said = printed_by_plain_keras(
        f"rows = list(csv.reader(open(sys.argv[2]))); codes = {codes!r};"
        "x = np.array([[codes[row[0]], *map(float, row[1:-1])] for row in rows], dtype='float32');"
        "y = np.array([float(row[-1]) for row in rows]);"
        "print(float(np.abs(np.asarray(model.predict(x, verbose=0))[:, 0] - y).mean()))",
        run.folder / "model.keras",
        shared_file("abalone.csv"),
    )
    sizes = run.result["sizes"]
    mean = sum(sizes[split] * run.result["metrics"][split]["mae"] for split in sizes) / sum(sizes.values())
    assert said == pytest.approx(mean, abs=1e-5)


def test_the_model_of_a_folder_takes_the_pixels_of_its_files(train, cifar10_6k):
    run = train("--data", cifar10_6k, "--epochs", 1, "--set", "data.classes=[cat, dog, ship]")
    said = printed_by_plain_keras(
        "from PIL import Image; names = ['cat', 'dog', 'ship'];"
        "files = [(f, k) for k, n in enumerate(names) for f in sorted(pathlib.Path(sys.argv[2], 'test', n).iterdir())];"
        "x = np.stack([np.asarray(Image.open(f).convert('RGB')) for f, k in files]);"
        "p = np.asarray(model.predict(x, verbose=0)).argmax(1);"
        "print(float((p == np.array([k for f, k in files])).mean()))",
        run.folder / "model.keras",
        cifar10_6k,
    )
    assert said == pytest.approx(run.result["metrics"]["test"]["accuracy"], abs=1e-9)
