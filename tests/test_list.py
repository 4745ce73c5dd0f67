"""`lossopt list`: every entry on every page, in 80 columns, without torch; what is printed is what the tables say."""

import json
import os
import subprocess
import sys
import time
from itertools import product

import pytest
from made_runs import made_run

from lossopt_cli.__main__ import run
from lossopt_cli.catalogue.lookup import names_of, plain
from lossopt_cli.catalogue.rows import LossRow
from lossopt_cli.commands.overviews import overview
from lossopt_cli.commands.pages import page
from lossopt_cli.commands.show import SECTIONS

ENTRIES = [(section, row) for section, (_, rows, _) in SECTIONS.items() for row in rows]
HEAVY = ("torch", "keras", "tensorboard", "matplotlib", "scipy", "sklearn", "PIL", "pandas")


def named(value) -> str:
    return getattr(value, "name", str(value))


def words(text: str) -> str:
    """The text without its line breaks."""
    return " ".join(text.split())


@pytest.mark.parametrize(("section", "row"), ENTRIES, ids=named)
def test_a_page_fits_80_columns_and_tells_all(section, row):
    text = page(row)
    assert max(map(len, text.splitlines())) <= 80
    told = words(text)
    for setting in getattr(row, "settings", ()):
        assert setting.name in told
    for reason in getattr(row, "refusals", {}).values():
        assert words(reason) in told
    for name in names_of(row):
        assert plain(name) in plain(told)
    for said in ("formula", "use", "paper", "differs", "fault", "contents", "note"):
        assert words(getattr(row, said, "")) in told
    assert text.splitlines()[-1].startswith("  try         lossopt ")


@pytest.mark.parametrize("section", SECTIONS)
def test_an_overview_fits_80_columns_and_names_all(section):
    rows = SECTIONS[section][1]
    text = overview(rows)
    assert max(map(len, text.splitlines())) <= 80
    for row in rows:
        assert f"  {row.name}" in text


def test_the_shape_of_huber(capsys):
    assert run(["list", "losses", "huber"]) == 0
    out = capsys.readouterr().out
    assert "loss        0   0.125   0.5   1.5   4.5   9.5" in out
    assert "slope       0   0.5     1     1     1     1" in out
    assert "try         lossopt train --loss huber:delta=0.5" in out


@pytest.mark.parametrize("row", [row for _, row in ENTRIES if isinstance(row, LossRow) and row.tasks], ids=named)
def test_every_loss_that_trains_shows_loss_and_slope(row):
    lines = [line.split()[0] for line in page(row).splitlines()[1:] if line.strip()]
    assert "loss" in lines
    assert "slope" in lines


@pytest.mark.parametrize("section", SECTIONS)
@pytest.mark.parametrize("format", ["json", "csv", "markdown", "latex"])
def test_a_table_in_every_format(section, format, capsys):
    assert run(["list", section, "--format", format]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    rows = SECTIONS[section][1]
    if format == "json":
        assert [entry["name"] for entry in json.loads(out)] == [row.name for row in rows]
        return
    assert len(out.splitlines()) >= len(rows)
    escaped = [row.name.replace("_", r"\_") if format == "latex" else row.name for row in rows]
    assert [name for name in escaped if name not in out] == []


@pytest.mark.parametrize(("section", "row"), ENTRIES, ids=named)
def test_an_entry_as_json_has_its_settings_and_tasks(section, row, capsys):
    assert run(["list", section, row.name, "--format", "json"]) == 0
    entry = json.loads(capsys.readouterr().out)
    assert entry["name"] == row.name
    assert [s["name"] for s in entry["settings"]] == [s.name for s in getattr(row, "settings", ())]
    if isinstance(row, LossRow):
        assert set(entry["tasks"]) == set(row.tasks)


def test_without_a_section_the_sections(capsys):
    assert run(["list"]) == 0
    out = capsys.readouterr().out
    assert [line.split()[2] for line in out.splitlines()] == [*SECTIONS, "runs"]


@pytest.mark.parametrize(
    ("section", "name", "command"),
    [
        ("data", "kaggle", "lossopt train --data kaggle:OWNER/NAME"),
        ("models", "transfer", "lossopt train --model transfer --data my_images/"),
    ],
)
def test_what_is_to_be_tried_names_the_data_that_it_needs(section, name, command, capsys):
    assert run(["list", section, name]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[-1].split(maxsplit=1)[1] == command
    assert "none" not in out or name != "kaggle"


def test_the_hint_below_a_table_speaks_of_one_entry(capsys):
    assert run(["list", "data"]) == 0
    assert "one data set in full: lossopt list data " in capsys.readouterr().err


def test_an_unknown_name_is_bad_usage_with_the_nearest(capsys):
    assert run(["list", "optimizers", "adan"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "unknown optimizer 'adan'" in err
    assert "adam" in err


SINGULARS = {
    "loss": "losses",
    "Optimizer": "optimizers",
    "model": "models",
    "metric": "metrics",
    "schedule": "schedules",
}


@pytest.mark.parametrize(("word", "section"), [*SINGULARS.items(), ("dataset", "data")])
def test_the_singular_means_the_table(word, section, capsys):
    assert run(["list", section]) == 0
    table = capsys.readouterr().out
    assert run(["list", word]) == 0
    assert capsys.readouterr().out == table


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["lossess"], "did you mean: lossopt list losses?"),
        (["lossess", "huber"], "did you mean: lossopt list losses?"),
        (["huberr"], "did you mean: lossopt list huber?"),
        (["xqz"], "losses, optimizers, models, data, schedules, metrics or runs"),
    ],
)
def test_a_word_that_names_nothing_is_bad_usage_with_the_nearest(words, expected, capsys):
    assert run(["list", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert expected in err
    assert "Value error" not in err


def test_an_entry_is_found_without_its_table_and_others_of_its_name_are_told(capsys):
    assert run(["list", "losses", "mae"]) == 0
    page_of_mae = capsys.readouterr().out
    assert run(["list", "mae"]) == 0
    out, err = capsys.readouterr()
    assert out == page_of_mae
    assert err == "also: lossopt list metrics mae\n"


def test_no_runs_yet(tmp_path, capsys):
    assert run(["list", "runs", "--logs", str(tmp_path)]) == 2
    assert "lossopt train" in capsys.readouterr().err


def folder_of_a_run(folder, result: str, age: int) -> None:
    """As a run leaves it, begun `age` seconds before 2020."""
    folder.mkdir()
    (folder / "result.json").write_text(result)
    (folder / "config.yaml").write_text("train: {epochs: 1}\n")
    os.utime(folder / "config.yaml", (1577836800 - age, 1577836800 - age))


LONG = "digits-minicnn-sparse_categorical_crossentropy-sgd_momentum=0.9-lr0.001-s0-20261121-0527"


def test_a_table_of_runs_fits_80_columns_and_has_their_whole_names(tmp_path, capsys):
    values = {"metric": "accuracy", "metrics": {"test": {"accuracy": 0.9}}}
    for age in range(3):
        result = {"schema_version": 1, "status": "interrupted", "loss": {}, "optimizer": {}, **values}
        folder_of_a_run(tmp_path / f"{LONG}{30 - age}", json.dumps(result), age)
    folder_of_a_run(tmp_path / "broken", "{", 3)
    assert run(["list", "runs", "--logs", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    head, *lines = out.splitlines()
    assert head.split() == ["run", "status", "metric", "test"]
    assert max(map(len, lines)) <= 80
    first = [line for line in lines if not line.startswith(" ")]
    assert [line.split()[1:] for line in first] == [["interrupted", "accuracy", "0.900"]] * 3 + [["unreadable"]]
    names = "".join(line.split()[0] for line in lines).replace("broken", "")
    assert names == "".join(f"{LONG}{30 - age}" for age in range(3))  # the newest first
    assert all(line.strip() != "052730" for line in lines)  # a date and its time stay together
    assert "broken: result.json line 1" in err


@pytest.fixture
def logs(tmp_path):
    """A run, and a sweep of two recipes with two rates, four seeds each, one of which failed and one is running."""
    logs = tmp_path / "logs"
    made_run(logs / "alone", test=0.7)
    for optimizer, rate, seed in product(("adam", "sgd"), (0.1, 0.01), range(4)):
        accuracy = 0.9 + 0.02 * (optimizer == "adam") + 0.01 * (rate == 0.1)
        name = f"{optimizer}-{rate}-{seed}"
        made_run(logs / "many" / name, optimizer=optimizer, learning_rate=rate, seed=seed, test=accuracy)
    made_run(logs / "many" / "not-whole", status="failed")
    made_run(logs / "many" / "going-on", status="running")
    (logs / "many" / "sweep.yaml").write_text("schema_version: 1\n")
    os.utime(logs / "many" / "sweep.yaml", (1577836800, 1577836800))
    return logs


def test_a_sweep_is_one_line_with_what_is_done_and_the_mean_of_the_best(logs, capsys):
    assert run(["list", "runs", "--logs", str(logs)]) == 0
    out, err = capsys.readouterr()
    _, alone, many, best = out.splitlines()
    assert alone.split() == ["alone", "done", "accuracy", "0.700"]
    assert many.split() == ["many", "16/18", "done", "accuracy", "0.930"]
    assert best == "  best: adam, lr 0.1, mean of 4 seeds"
    assert err == f"the trials of a sweep: lossopt list runs many --logs {logs}\n"


@pytest.mark.parametrize(
    ("words", "listed"),
    [
        (["many"], 18),
        (["many/adam-0.1"], 4),
        (["{logs}/many"], 18),
        (["{logs}/many/"], 18),
        (["adam"], 8),
        (["--logs", "{logs}/many"], 18),
        (["--format", "csv"], 19),
        (["--format", "json"], 19),
    ],
)
def test_the_trials_of_a_sweep_are_listed_where_it_is_named_and_for_programs(words, listed, logs, capsys):
    words = [word.format(logs=logs) for word in words]
    assert run(["list", "runs", *words, *([] if "--logs" in words else ["--logs", str(logs)])]) == 0
    out = capsys.readouterr().out
    found = len(json.loads(out)) if "json" in words else len(out.splitlines()) - 1
    assert found == listed


def test_a_run_that_was_killed_is_told_by_when_it_was_last_written(tmp_path, capsys):
    killed = made_run(tmp_path / "killed", status="running")
    for file in killed.iterdir():
        os.utime(file, (time.time() - 7300,) * 2)
    assert run(["list", "runs", "--logs", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[1].split()[:2] == ["killed", "running"]
    assert err == "killed: running (last written 2 h ago)\n"


def test_no_run_begins_so(logs, capsys):
    assert run(["list", "runs", "xyz", "--logs", str(logs)]) == 2
    assert "begins with 'xyz'" in capsys.readouterr().err


def test_runs_with_their_results_and_the_unreadable(tmp_path, capsys):
    result = {
        "schema_version": 1,
        "status": "done",
        "loss": {"name": "huber", "delta": 0.5},
        "optimizer": {"name": "sgd", "learning_rate": 0.01, "momentum": 0.9, "nesterov": False},
        "metric": "mae",
        "metrics": {"test": {"mae": 1.25}},
    }
    for age, (name, text) in enumerate((("b", "{"), ("a", json.dumps(result)))):
        folder_of_a_run(tmp_path / name, text, age)
    assert run(["list", "runs", "--logs", str(tmp_path), "--format", "json"]) == 0
    bad, good = json.loads(capsys.readouterr().out)  # the newest first
    recipe = {"loss": "huber:delta=0.5", "optimizer": "sgd:momentum=0.9", "lr": 0.01}
    assert good == {"run": "a", "status": "done", **recipe, "metric": "mae", "test": 1.25}
    assert bad["status"].startswith("unreadable: result.json line 1")


@pytest.mark.parametrize("command", [["list"], ["list", "losses", "huber"], ["list", "schedules", "cosine"]])
def test_nothing_heavy_is_imported(command):
    code = (
        "import sys; from lossopt_cli.__main__ import run\n"
        f"code = run({command!r})\n"
        f"heavy = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "assert not heavy, heavy\n"
        "sys.exit(code)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0
