"""The JSON of a comparison: every key that scripts rely on, the numbers of the comparison itself, nothing but JSON."""

import json
import os
import time
from pathlib import Path

import pytest
from made_runs import made_run
from test_ranking import make

from lossopt_cli.analysis.comparison import Sentence
from lossopt_cli.analysis.comparison_json import as_json
from lossopt_cli.analysis.ranking import Request, compare
from lossopt_cli.runs.records import read_records

SNAPSHOT = Path(__file__).parent / "examples" / "comparison.json"
DIGITS = 9  # of a number in the snapshot: the last ones are the machine's
SAID = [Sentence("take", ("sgd",), "take sgd, lr 0.1.", "lossopt sweep runs --seeds 20")]
KEYS = [
    *("schema_version", "problem", "setting", "metric", "weights", "n_test", "test_standard_error", "guessing"),
    *("recipes", "pairs", "other_metrics", "warnings", "left_out", "verdict"),
]
OF_RECIPES = {
    "name": lambda recipe: recipe.name,
    "loss": lambda recipe: recipe.loss,
    "optimizer": lambda recipe: recipe.optimizer,
    "learning_rate": lambda recipe: recipe.learning_rate,
    "n": lambda recipe: recipe.n,
    "mean": lambda recipe: recipe.mean.value,
    "ci_low": lambda recipe: recipe.mean.low,
    "ci_high": lambda recipe: recipe.mean.high,
    "worst": lambda recipe: recipe.worst,
    "lost": lambda recipe: recipe.lost,
    "standing": lambda recipe: recipe.standing,
    "rank": lambda recipe: recipe.rank,
    "reached": lambda recipe: recipe.reached,
    "room": lambda recipe: recipe.room,
    "safe_window_decades": lambda recipe: recipe.safe_window_decades,
    "sensitivity": lambda recipe: recipe.sensitivity,
    "at_default": lambda recipe: recipe.at_default,
    "relapse": lambda recipe: recipe.relapse,
    "best_of_k": lambda recipe: {str(k): value for k, value in recipe.best_of_k.items()},
}
OF_PAIRS = {
    "a": lambda pair: pair.a,
    "b": lambda pair: pair.b,
    "n": lambda pair: pair.n,
    "difference": lambda pair: pair.value,
    "ci_low": lambda pair: pair.low,
    "ci_high": lambda pair: pair.high,
    "different": lambda pair: pair.different,
    "p_sign_flip": lambda pair: pair.p_sign_flip,
    "p_smallest": lambda pair: pair.p_smallest,
    "probability_of_improvement": lambda pair: pair.probability_of_improvement,
    "seeds_needed": lambda pair: pair.seeds_needed,
}


@pytest.fixture
def found(tmp_path: Path, monkeypatch):
    """A comparison with a bit of everything, and its JSON."""
    monkeypatch.chdir(tmp_path)
    runs = Path("runs")
    for rate, mean in ((0.01, 0.90), (0.1, 0.95), (1.0, 0.93)):
        make(runs, f"sgd-{rate}", mean, 4, optimizer="sgd", learning_rate=rate)
    make(runs, "adam", 0.90, 4)
    made_run(runs / "rmsprop-lost", optimizer="rmsprop", status="diverged", steps=False, change={"metrics": {}})
    made_run(runs / "copy-of-adam", test=0.894, seed=0, steps=False)
    killed = made_run(runs / "running", status="running")
    for file in killed.iterdir():
        os.utime(file, (time.time() - 7300.0,) * 2)
    records, left_out = read_records([runs])
    [comparison] = compare(records, Request(target=0.85))
    return comparison, as_json(comparison, SAID, left_out)


def test_it_is_what_was_agreed(found):
    _, document = found
    written = json.dumps(rounded(document), indent=1, allow_nan=False) + "\n"
    assert json.loads(written) == json.loads(SNAPSHOT.read_text())


def rounded(value):
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def test_it_has_every_key_that_scripts_rely_on(found):
    _, document = found
    assert document["schema_version"] == 1
    assert set(KEYS) <= document.keys()


@pytest.mark.parametrize("key", OF_RECIPES)
def test_a_recipe_says_what_the_comparison_found(found, key: str):
    comparison, document = found
    assert [recipe[key] for recipe in document["recipes"]] == [OF_RECIPES[key](one) for one in comparison.recipes]


@pytest.mark.parametrize("key", OF_PAIRS)
def test_a_pair_says_what_the_comparison_found(found, key: str):
    comparison, document = found
    assert [pair[key] for pair in document["pairs"]] == [OF_PAIRS[key](pair) for pair in comparison.pairs]


def test_a_time_that_is_never_reached_is_null(found):
    comparison, document = found
    lost = document["recipes"][-1]
    assert comparison.recipes[-1].time_to_target_epochs == float("inf")
    assert (lost["name"], lost["time_to_target_epochs"], lost["reached"]) == ("rmsprop", None, 0)


def test_the_difference_to_the_best_has_its_interval(found):
    comparison, document = found
    pair, said = comparison.recipes[1].difference_to_best, document["recipes"][1]["difference_to_best"]
    assert document["recipes"][0]["difference_to_best"] is None
    assert (said["difference"], said["ci_low"], said["ci_high"]) == (pair.value, pair.low, pair.high)


def test_what_was_left_out_and_what_was_said_is_there(found):
    _, document = found
    kinds = {Path(item["folder"]).name: item["kind"] for item in document["left_out"]}
    assert kinds == {"running": "running", "copy-of-adam": "copy"}
    assert document["verdict"] == [
        {"kind": "take", "recipes": ["sgd"], "text": "take sgd, lr 0.1.", "command": "lossopt sweep runs --seeds 20"}
    ]
