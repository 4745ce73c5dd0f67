"""Every file in configs/ works: it resolves, loads its data, builds its model and takes a step, and explains itself."""

import re
from pathlib import Path

import numpy as np
import pytest

from lossopt_cli.config.resolving import resolve
from lossopt_cli.config.schema import Config
from lossopt_cli.training.assembly import assemble
from tests.made_images import class_folders

FOLDER = Path(__file__).parents[1] / "configs"
README = FOLDER.parent / "README.md"
FILES = sorted(FOLDER.rglob("*.y*ml"))
SWEEPS = [file for file in FILES if re.search("^sweep:", file.read_text(), re.MULTILINE)]
EXAMPLES = [file for file in FILES if file.stem != "default" and file not in SWEEPS]
WIDTH = 120

every_file = pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
every_example = pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)


def keys_of(config: Config) -> dict[str, object]:
    """Dotted key -> value, of every part and section that is there."""
    sections = {name: part for name, part in config.model_dump().items() if isinstance(part, dict)}
    return {
        f"{name}.{key}": value for name, part in sections.items() for key, value in part.items() if key != "settings"
    }


@pytest.fixture(scope="module")
def photographs(tmp_path_factory) -> Path:
    return class_folders(tmp_path_factory.mktemp("photographs") / "mine", each=10)


@every_file
def test_it_takes_a_step(file, photographs):
    config = resolve(file, {}, {}, ())
    if config.config.data.name.startswith("kaggle:"):  # which a test does not download, nor what ImageNet taught
        sets = ("model.weights=none", "data.image_size=32")
        config = resolve(file, {}, {"data": str(photographs)}, sets)
    run = assemble(config, print).run(print)
    inputs, targets = next(run.examination.feeds["train"].epoch(0, 0, run.plan.batch_size))
    before = run.state.weights.clone()
    with run.examination.program.session(run.state) as session:
        step = session.step(inputs, targets, run.plan.rates[0])
    assert np.isfinite(float(step.loss))
    assert float((run.state.weights - before).abs().max()) > 0.0


@every_file
def test_check_says_ok(file, capsys):
    from lossopt_cli.__main__ import run

    assert run(["config", "check", str(file)]) == 0
    assert capsys.readouterr().out == f"{file}: ok\n"


@pytest.mark.parametrize("file", [*EXAMPLES, *SWEEPS], ids=lambda file: file.name)
def test_it_says_how_it_is_run_and_which_example_it_repeats(file):
    text = file.read_text()
    head = text[: re.search(r"^[a-z]", text, re.MULTILINE).start()]
    assert f"lossopt {'sweep' if file in SWEEPS else 'train'} configs/{file.name}" in head
    assert re.search(r'^# Repeats the example "', head, re.MULTILINE)


@every_example
def test_it_has_five_epochs_where_its_example_had(file):
    assert resolve(file, {}, {}, ()).config.train.epochs == 5


@every_file
def test_its_lines_fit_an_editor(file):
    assert [line for line in file.read_text().splitlines() if len(line) > WIDTH] == []


def test_the_default_is_what_no_config_means():
    assert resolve(FOLDER / "default.yaml", {}, {}, ()).config == resolve(None, {}, {}, ()).config


def test_the_default_explains_every_key():
    text = (FOLDER / "default.yaml").read_text()
    found = keys_of(resolve(None, {}, {}, ()).config)
    explained = re.findall(r"^  (\w+): +[^#\n]*\S +# \w", text, re.MULTILINE)
    assert len(found) > 30
    assert [key for key in found if key.split(".")[1] not in explained] == []


def test_the_readme_has_a_row_for_each_file():
    assert [file.name for file in FILES if f"configs/{file.name}" not in README.read_text()] == []


@pytest.mark.parametrize(("name", "word"), [("regression.yaml", "train"), ("one-hot.yaml", "validation")])
def test_random_targets_are_said_to_be_no_better_than_guessing(train, name, word):
    run = train(FOLDER / name)
    assert run.code == 0, run.err
    assert run.result["learned"] is False
    assert "no better than guessing" in run.out
    assert "learning rate is too high" not in run.out
    assert run.result["epochs"] == 5
    assert word in run.result["metrics"]


@pytest.mark.parametrize(
    ("name", "sets", "metric", "least"),
    [
        ("regression.yaml", ("data.signal=1", "data.noise=0.1", "train.epochs=50"), "r2", 0.9),
        ("one-hot.yaml", ("data.signal=1",), "accuracy", 0.9),
    ],
)  # fmt: skip
def test_the_variant_of_its_comment_can_be_learned(train, name, sets, metric, least):
    run = train(FOLDER / name, *(word for value in sets for word in ("--set", value)))
    assert run.result["learned"] is True
    assert run.result["metrics"]["train"][metric] >= least


def test_the_losses_of_ones_own_are_the_built_in_ones(train):
    for name, loss in (("custom-mse.yaml", "mse"), ("custom-huber.yaml", "huber:delta=0.5")):
        own, built_in = train(FOLDER / name), train(FOLDER / name, "--loss", loss)
        losses = [np.genfromtxt(r.folder / "steps.csv", delimiter=",", names=True)["loss"] for r in (own, built_in)]
        np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)
