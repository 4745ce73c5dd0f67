"""What a sweep says where trials have failed: in its plan, on the screen, to a script."""

import json
from pathlib import Path

import pytest
from made_runs import made_run

from lossopt_cli.__main__ import run
from lossopt_cli.sweeps.arms import Problems, arms_of
from lossopt_cli.sweeps.axes import Asked, axes_of
from lossopt_cli.sweeps.cells import Cell, cells_of
from lossopt_cli.sweeps.folder import failed
from lossopt_cli.sweeps.shares import Workplace

PROBLEMS = Problems(lambda text: None)
WORDS = ("--data", "iris", "--model", "mlp", "--epochs", "2", "--opt", "sgd,adam", "--lr", "0.1", "--seeds", "2")


def swept_cells() -> list[Cell]:
    flags = {"data": "iris", "model": "mlp", "epochs": "2", "optimizer": "sgd,adam"}
    arms = arms_of(axes_of(Asked(flags=flags, rates=("0.1",)), {}), PROBLEMS)
    return cells_of([(arm, [0.1]) for arm in arms], [0, 1], PROBLEMS)


@pytest.fixture
def sweep_where(tmp_path, capsys):
    """sweep_where(2, "--dry-run"): (exit code, stdout, stderr, folder) of a sweep of four trials of which the last two
    have failed before and the others are done."""

    def swept(failures: int, *words: str) -> tuple[int, str, str, Path]:
        folder = tmp_path / "s"
        (folder / ".unfinished").mkdir(parents=True)
        cells = swept_cells()
        for cell in cells[: len(cells) - failures]:
            trial = {"trial": cell.trial.hash, "problem": cell.trial.problem, "setting": cell.trial.setting}
            made_run(folder / cell.name, optimizer=cell.recipe.partition("+")[2], seed=cell.seed, change=trial)
        for cell in cells[len(cells) - failures :]:
            failed(Workplace(folder, {}), cell, "mine.py:3: no\n  line")
        code = run(["sweep", *WORDS, "--logs", str(tmp_path), "--name", "s", *words])
        return code, *capsys.readouterr(), folder

    return swept


def test_a_plan_says_what_has_failed_and_how_it_is_tried_again(sweep_where):
    code, out, err, folder = sweep_where(4, "--dry-run")
    assert code == 0, err
    assert out.splitlines()[-3:] == [
        "4 trials",
        "4 failed; --retry-failed tries them again",
        f"nothing else is left to do; the runs are in {folder}",
    ]
    assert out.splitlines()[0].split()[-1] == "failed"


def test_a_plan_of_some_that_failed_counts_them_apart(sweep_where):
    _, out, _, _ = sweep_where(1, "--dry-run")
    assert "4 trials, 3 of them done\n1 failed; --retry-failed tries them again\nnothing else is left" in out


def test_a_plan_to_try_again_has_no_failures(sweep_where):
    _, out, err, _ = sweep_where(4, "--dry-run", "--retry-failed")
    assert "failed" not in out
    assert "about " in out, err


def test_a_plan_for_a_script_has_the_failures(sweep_where):
    _, out, _, _ = sweep_where(4, "--dry-run", "--format", "json")
    assert [(line["done"], line["failed"]) for line in json.loads(out)["recipes"]] == [(0, 2), (0, 2)]


def test_a_script_gets_an_object_where_nothing_can_be_compared(sweep_where):
    code, out, err, folder = sweep_where(4, "--format", "json")
    assert code == 4
    report = json.loads(out)
    assert {key: report[key] for key in ("schema_version", "status", "folder")} == {
        "schema_version": 1, "status": "failed", "folder": str(folder),
    }  # fmt: skip
    assert report["counts"] == {"trials": 4, "done": 0, "diverged": 0, "failed": 4}
    assert report["error"] == report["errors"][0]
    assert report["errors"] == [
        {"what": "4 of 4 trials failed", "where": str(folder), "expected": None,
         "remedy": "--retry-failed tries them again"},
        {"what": "mine.py:3: no", "where": f"{folder / swept_cells()[0].name} and 3 others", "expected": None,
         "remedy": None},
    ]  # fmt: skip
    assert "and 3 others: mine.py:3: no" in err


def test_a_script_gets_the_comparison_of_those_that_did_not_fail(sweep_where):
    code, out, _, _ = sweep_where(2, "--format", "json")
    assert code == 4
    assert "recipes" in json.loads(out)


def test_quiet_or_not_json_is_json(sweep_where):
    _, out, _, _ = sweep_where(0, "--format", "json", "-q")
    assert json.loads(out)["schema_version"] == 1
