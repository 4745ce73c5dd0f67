"""Sweeps that meet what was there before: a folder with rates and ways of its own, code that has changed; and what is
refused before anything is trained."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from lossopt_cli.__main__ import run
from lossopt_cli.errors import Unobtainable, UsageError
from lossopt_cli.sweeps.arms import Problems, arms_of
from lossopt_cli.sweeps.axes import Asked, axes_of
from lossopt_cli.sweeps.bench import Bench
from lossopt_cli.sweeps.candidates import Wishes, candidates_of
from lossopt_cli.sweeps.cells import cells_of
from lossopt_cli.sweeps.shares import Share, Workplace
from lossopt_cli.training.stopping import Stopping

IRIS = ("--data", "iris", "--model", "mlp:hidden=[8]", "--epochs", "2")
PROBLEMS = Problems(lambda text: None)
LOSS = """\
from keras import ops


def loss(y_true, y_pred):
    return ops.mean(ops.square(y_true - y_pred), axis=-1)
"""


@dataclass(frozen=True)
class Swept:
    code: int
    said: str
    folder: Path

    @property
    def results(self) -> list[dict]:
        return [json.loads(path.read_text()) for path in sorted(self.folder.glob("*/result.json"))]


@pytest.fixture
def sweep(tmp_path, monkeypatch, capsys) -> Callable[..., Swept]:
    """sweep("--opt", "sgd", ...) in the folder `s` of the test, unless a folder is given."""
    monkeypatch.chdir(tmp_path)

    def swept(*words: str | Path) -> Swept:
        capsys.readouterr()
        named = [] if Path(str(words[0])).is_dir() else ["--name", "s"]
        code = run(["sweep", *map(str, words), *named, "--logs", "logs"])
        return Swept(code, " ".join("".join(capsys.readouterr()).split()), Path("logs/s"))

    return swept


def test_every_schedule_of_an_axis_is_trained(sweep):
    swept = sweep(
        *IRIS, "--opt", "sgd", "--lr", "0.1", "--schedule", "constant,cosine:warmup_epochs=1,step", "--seeds", 2
    )
    assert swept.code == 0, swept.said
    schedules = [(result["config"]["schedule"] or {"name": "constant"})["name"] for result in swept.results]
    assert sorted(schedules) == ["constant", "constant", "cosine", "cosine", "step", "step"]


def test_what_no_stack_can_train_is_swept_one_by_one(sweep):
    Path("own.py").write_text("import torch\n\n\nclass Own(torch.optim.SGD):\n    pass\n")
    recipes = "sgd:gradient_accumulation_steps=2,adam:use_ema=true:ema_overwrite_frequency=5,own.py:Own"
    swept = sweep(*IRIS, "--opt", recipes, "--lr", "0.1", "--seeds", 2)
    assert swept.code == 0, swept.said
    assert [(result["status"], result["engine"]["width"]) for result in swept.results] == [("done", 1)] * 6
    assert {result["config"]["train"]["engine"] for result in swept.results} == {"single"}


def test_code_that_has_changed_since_makes_new_trials(sweep):
    Path("mine.py").write_text(LOSS)
    words = (*IRIS, "--loss", "mine.py:loss", "--opt", "sgd", "--lr", "0.1")
    assert len(sweep(*words, "--seeds", 2).results) == 2
    Path("mine.py").write_text(LOSS.replace("square", "abs"))
    again = sweep("logs/s", "--seeds", 3)
    assert again.code == 0, again.said
    assert "mine.py:loss has changed since the last sweep: its trials are new ones" in again.said
    assert len(again.results) == 2 + 3
    assert all(result["trial"].startswith(Path(result["run_dir"]).name[-6:]) for result in again.results)
    assert "3 trials, 3 of them done" in sweep("logs/s", "--dry-run").said


def test_code_that_changes_while_a_sweep_runs_ends_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(LOSS)
    asked = Asked(flags={"data": "iris", "loss": "mine.py:loss", "optimizer": "sgd"}, rates=("0.1",))
    (arm,) = arms_of(axes_of(asked, {}), PROBLEMS)
    cells = cells_of([(arm, [0.1])], [0, 1], PROBLEMS)
    Path("mine.py").write_text(LOSS.replace("square", "abs"))
    with pytest.raises(Unobtainable, match=r"mine\.py:loss has changed while the sweep ran"):
        Bench(Workplace(tmp_path, {}), lambda told: None).train(Share(tuple(cells)), Stopping())


@pytest.mark.parametrize("model", ["minicnn", "mlp"])
def test_the_config_of_a_trial_repeats_it_to_the_bit(sweep, model):
    swept = sweep("--data", "digits", "--model", model, "--epochs", 1, "--set", "data.limit=300", "--opt", "sgd,adam",
                  "--lr", "0.01", "--seeds", 4, "--engine", "stack")  # fmt: skip
    assert swept.code == 0, swept.said
    (trial,) = swept.folder.glob("*adam*-s3-*")
    assert json.loads((trial / "result.json").read_text())["engine"]["width"] > 1
    assert run(["train", str(trial / "config.yaml"), "--logs", "logs", "--name", "again", "-q"]) == 0
    for name in ("steps.csv", "epochs.csv"):
        assert (Path("logs/again") / name).read_bytes() == (trial / name).read_bytes()
    results = [json.loads((folder / "result.json").read_text()) for folder in (trial, Path("logs/again"))]
    assert results[0]["metrics"] == results[1]["metrics"]
    assert (results[1]["engine"]["way"], results[1]["engine"]["width"]) == ("stack", 1)


def test_another_way_is_for_once_and_said_as_it_was(sweep):
    words = (*IRIS, "--opt", "sgd", "--lr", "0.1")
    sweep(*words, "--seeds", 3, "--engine", "stack")
    more = sweep(*words, "--seeds", 5, "--engine", "single")
    ways = {result["seed"]: (result["config"]["train"]["engine"], result["engine"]["width"]) for result in more.results}
    assert ways == {**dict.fromkeys(range(3), ("stack", 3)), 3: ("single", 1), 4: ("single", 1)}
    last = sweep("logs/s", "--seeds", 7)
    assert [result["engine"]["way"] for result in last.results if result["seed"] > 4] == ["stack", "stack"]


@pytest.mark.parametrize("flags", [("--engine", "single"), ("--device", "cpu"), ("--epochs", "2")])
def test_flags_that_change_no_trial_keep_the_rates_of_the_folder(sweep, flags):
    sweep(*IRIS, "--opt", "sgd,adam", "--lr", "0.01,0.1", "--seeds", 1)
    assert "4 trials, 4 of them done" in sweep("logs/s", *flags, "--dry-run").said


def test_a_folder_that_is_no_product_stays_none(sweep):
    sweep(*IRIS, "--loss", "cross_entropy", "--opt", "sgd", "--lr", "0.1", "--seeds", 1)
    sweep(*IRIS, "--loss", "hinge", "--opt", "adam", "--lr", "0.1", "--seeds", 1)
    assert "2 trials, 2 of them done" in sweep("logs/s", "--set", "train.threads=1", "--dry-run").said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--opt", "sgd,torch.Nope"), "unknown optimizer 'torch.Nope'"),
        (("--opt", "sgd,torch.LBFGS"), "it needs a closure"),
        (("--opt", "sgd", "--model", "mlp,minicnn"), "minicnn cannot read a table"),
        (("--opt", "sgd", "--set", "train.batch_size=32,4096"), "a batch of 4096 is larger than the training data"),
    ],
)
def test_a_kind_that_cannot_be_built_is_refused_before_anything_is_trained(sweep, words, said):
    swept = sweep("--data", "iris", "--epochs", 2, "--lr", "0.1", "--seeds", 2, *words)
    assert (swept.code, swept.results) == (2, [])
    assert said in swept.said
    assert not (swept.folder / "sweep.yaml").exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"optimizer": "adam", "rates": ["adm=0.1"]}, r"'adm' is no recipe of this sweep[\s\S]*did you mean adam\?"),
        ({"optimizer": "sgd,adam", "rates": ["sgd=0.1,adam=0.001"]}, "--lr NAME=RATES for each"),
        ({"optimizer": "sgd,sgd:momentum=[0,0.9]"}, "sgd is a recipe of its own and one of those that tune momentum"),
        ({"optimizer": "sgd:learning_rate=0.1,sgd"}, "sgd is given twice, with rates and without"),
    ],
)
def test_what_speaks_of_no_recipe_or_of_two_is_refused(given, said):
    rates = given.get("rates", ())
    with pytest.raises(UsageError, match=said):
        arms_of(
            axes_of(Asked(flags={"data": "iris", "optimizer": given["optimizer"]}, rates=tuple(rates)), {}), PROBLEMS
        )


def test_rates_of_a_config_may_be_of_optimizers_that_a_flag_leaves_out(tmp_path):
    (tmp_path / "c.yaml").write_text(
        "data: iris\nsweep:\n  optimizer: [sgd, adam]\n  learning_rate: {sgd: [0.1], adma: 0.01}\n"
    )
    with pytest.raises(UsageError, match="'adma' is no recipe of this sweep"):
        arms_of(axes_of(Asked(tmp_path / "c.yaml"), {}), PROBLEMS)
    (tmp_path / "c.yaml").write_text((tmp_path / "c.yaml").read_text().replace("adma", "adam"))
    (arm,) = arms_of(axes_of(Asked(tmp_path / "c.yaml", {"optimizer": "sgd"}), {}), PROBLEMS)
    assert arm.rates.values == (0.1,)


@pytest.mark.parametrize(
    ("optimizer", "rates"), [("sgd:learning_rate=0.1,sgd:learning_rate=0.01", ()), ("sgd", ("0.1", "0.01"))]
)
def test_rates_of_equal_recipes_add_up(optimizer, rates):
    asked = Asked(flags={"data": "iris", "optimizer": optimizer}, rates=rates)
    (arm,) = arms_of(axes_of(asked, {}), PROBLEMS)
    assert arm.rates.values == (0.01, 0.1)


@pytest.mark.parametrize(
    ("optimizer", "tuned"),
    [
        ("torch.SGD:momentum=[0,0.9]", [{"optimizer.momentum": 0}, {"optimizer.momentum": 0.9}]),
        ("torch.Adam:betas=[0.8,0.9]", [{}]),
        ("mine.py:mine:beta=[0.5,0.9]", [{"optimizer.beta": 0.5}, {"optimizer.beta": 0.9}]),
    ],
)
def test_a_list_is_tuned_where_the_setting_of_another_library_is_a_number(tmp_path, monkeypatch, optimizer, tuned):
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(
        "import keras\n\n\ndef mine(learning_rate, beta=0.9):\n    return keras.optimizers.SGD(learning_rate, beta)\n"
    )
    asked = Asked(flags={"data": "iris", "optimizer": optimizer}, rates=("0.1",))
    assert [arm.tuned for arm in arms_of(axes_of(asked, {}), PROBLEMS)] == tuned


def test_a_folder_keeps_its_name_and_found_rates_need_no_confirmation(sweep, capsys):
    sweep(*IRIS, "--opt", "sgd", "--lr", "0.1", "--seeds", 1)
    assert run(["sweep", "logs/s", "--name", "other", "--logs", "logs"]) == 2
    assert re.search(r"--name: logs/s keeps its name", capsys.readouterr().err)
    arms = arms_of(axes_of(Asked(flags={"data": "iris", "optimizer": "sgd"}), {}), PROBLEMS)
    with pytest.raises(UsageError, match="--confirm is for rates that are given"):
        candidates_of(arms, Wishes([0, 1], confirm=3), PROBLEMS)
