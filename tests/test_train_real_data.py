"""Real images and tables through the command, held to figures that were reached before (skipped without the data)."""

import statistics

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
