"""`lossopt compare` as a shell sees it: from run folders to the table, its formats, its errors and exit codes."""

import csv
import io
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from made_runs import made_run

from lossopt_cli.__main__ import run

RATES = (0.001, 0.00316, 0.01, 0.0316, 0.1)
# optimizer: mean test accuracy at its best rate, spread over seeds
CLEAR = {"adam": (0.95, 0.004), "sgd": (0.85, 0.004)}
CLOSE = {"adam": (0.95, 0.02), "sgd": (0.945, 0.02), "rmsprop": (0.93, 0.02)}


def make(folder: Path, recipes=CLEAR, seeds=5, rates=RATES, best=0.01, **changes) -> Path:
    """A sweep by hand: every optimizer at every rate with every seed.

    A rate loses a tenth for each decade from the best, and fails from ten times the best on."""
    generator = np.random.default_rng(0)
    for optimizer, (mean, spread) in recipes.items():
        noise = generator.normal(size=seeds) * spread
        for rate in rates:
            lost = rate > 9 * best
            for seed in range(seeds):
                value = 0.1 if lost else mean - 0.1 * abs(np.log10(rate / best)) + noise[seed]
                made_run(
                    folder / f"{optimizer}-{rate:g}-s{seed}",
                    **{
                        "optimizer": optimizer,
                        "learning_rate": rate,
                        "seed": seed,
                        "test": round(value * 180) / 180,
                        "learned": not lost,
                        "steps": False,
                        **changes,
                    },
                )
    return folder


@pytest.fixture(scope="module")
def clear(tmp_path_factory) -> Path:
    return make(tmp_path_factory.mktemp("logs") / "clear")


@pytest.fixture(scope="module")
def close(tmp_path_factory) -> Path:
    return make(tmp_path_factory.mktemp("logs") / "close", CLOSE)


@pytest.fixture
def compare(capsys, monkeypatch, tmp_path):
    """compare("logs/ex", "--top", 2) -> exit code, stdout, stderr; 80 columns, no colour."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.chdir(tmp_path)

    def called(*arguments) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run(["compare", *map(str, arguments)])
        return (code, *capsys.readouterr())

    return called


def test_a_clear_case_from_run_folders_to_the_verdict(compare, clear):
    code, out, err = compare(clear)
    assert (code, err) == (0, "")
    head, table, legend, said = out.split("\n\n")
    assert head.splitlines()[0].startswith("digits, minicnn, cross_entropy, 5 epochs, batch 32")
    assert [line[1:8].strip() for line in table.splitlines()[2:]] == ["*  adam", "sgd"]
    assert "* best" in legend
    assert said.startswith("adam is better than sgd by 0.1")


@pytest.mark.parametrize("width", [80, 120, 160])
def test_it_fits_the_terminal(compare, close, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    out = compare(close, "--pairs")[1]
    # A command is not broken: it is there to be pasted, and its folder is as long as it is.
    lines = [line for line in out.splitlines() if "lossopt sweep" not in line]
    assert width - 20 <= max(map(len, lines)) <= width


def test_the_learning_rate_is_chosen_on_validation_not_on_test(compare, tmp_path):
    for rate, validation, test in ((0.001, 0.9, 0.95), (0.01, 0.95, 0.9), (0.1, 0.9, 0.97)):
        for seed in range(4):
            made_run(tmp_path / f"a-{rate}-{seed}", learning_rate=rate, seed=seed, validation=validation, test=test)
            made_run(
                tmp_path / f"b-{rate}-{seed}", optimizer="sgd", learning_rate=rate, seed=seed, test=validation - 0.2
            )
    found = json.loads(compare(tmp_path, "--format", "json")[1])
    assert {recipe["name"]: recipe["learning_rate"] for recipe in found["recipes"]} == {"adam": 0.01, "sgd": 0.01}
    assert found["recipes"][0]["mean"] == pytest.approx(0.9)


def test_json_has_the_numbers_of_the_table(compare, close):
    found = json.loads(compare(close, "--format", "json")[1])
    out = compare(close)[1]
    rows = {line.split()[1]: line.split() for line in out.splitlines() if line.startswith(" =")}
    assert set(rows) == {recipe["name"] for recipe in found["recipes"]}
    for recipe in found["recipes"]:
        cells = rows[recipe["name"]]
        assert cells[3:5] == [f"{recipe['mean']:.3f}", f"{recipe['worst']:.3f}"]
        assert float(cells[2]) == pytest.approx(recipe["learning_rate"], rel=0.02)
        assert f"{recipe['room']:g}x" in cells
    said = " ".join(out.split("\n\n")[3].split())
    assert all(" ".join(sentence["text"].split()) in said for sentence in found["verdict"])
    assert found["left_out"] == []


def test_latex_and_markdown_bold_what_json_calls_best_or_tied(compare, clear):
    standing = {r["name"]: r["standing"] for r in json.loads(compare(clear, "--format", "json")[1])["recipes"]}
    assert standing == {"adam": "best", "sgd": "worse"}
    for format, bold in (("latex", r"\textbf"), ("markdown", "**")):
        lines = [line for line in compare(clear, "--format", format)[1].splitlines() if bold in line]
        assert [line.strip("| ").split()[0] for line in lines] == ["adam"]


def sheet(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize(("of", "count"), [("recipes", 2), ("pairs", 1), ("trials", 50)])
def test_csv_has_a_row_for_each_thing(compare, clear, of, count):
    rows = sheet(compare(clear, "--rows", of, "--format", "csv")[1])
    assert len(rows) == count
    listed = json.loads(compare(clear, "--rows", of, "--format", "json")[1])
    assert len(listed["recipes"] if of == "recipes" else listed) == count


def test_csv_of_recipes_has_full_precision(compare, clear):
    recipe = json.loads(compare(clear, "--format", "json")[1])["recipes"][1]
    row = sheet(compare(clear, "--format", "csv")[1])[1]
    assert float(row["mean"]) == recipe["mean"]
    assert float(row["difference_to_best_ci_low"]) == recipe["difference_to_best"]["ci_low"]
    assert recipe["rates"]
    assert not [column for column, value in row.items() if column == "rates" or "{" in value]


def test_trials_name_their_run_and_their_recipe(compare, clear):
    rows = sheet(compare(clear, "--rows", "trials", "--format", "csv")[1])
    assert {row["recipe"] for row in rows} == {"adam", "sgd"}
    assert all(
        row["run"].endswith(f"{row['optimizer']}-{float(row['learning_rate']):g}-s{row['seed']}") for row in rows
    )
    assert {row["lost"] for row in rows if float(row["learning_rate"]) == 0.1} == {"True"}


def test_epochs_are_rows_of_epochs_csv(compare, tmp_path):
    made_run(tmp_path / "a", seed=0, epochs=3)
    made_run(tmp_path / "b", seed=1, epochs=3)
    rows = sheet(compare(tmp_path, "--rows", "epochs", "--format", "csv")[1])
    assert [(row["seed"], float(row["epoch"])) for row in rows] == [(s, e) for s in "01" for e in (1.0, 2.0, 3.0)]
    assert float(rows[2]["validation_accuracy"]) == pytest.approx(0.95)


def test_columns_sort_and_top(compare, close):
    out = compare(close, "--columns", "mean,worst", "--sort", "mean", "--top", 2)[1]
    table = out.split("\n\n")[1].splitlines()
    assert table[1].split() == ["recipe", "test", "seed"]
    assert len(table) == 4
    assert "1 recipe not shown; all 3 are counted." in out


def test_columns_help_lists_them(compare):
    code, out, _ = compare("--columns", "help")
    assert code == 0
    assert "time_to_target_epochs" in out


def test_methods_are_one_paragraph(compare, clear):
    out = compare(clear, "--methods")[1]
    assert out.count("\n") == 1
    assert "chosen from 5 values by the mean accuracy on the validation set" in out


def test_validation_can_be_compared(compare, clear):
    found = json.loads(compare(clear, "--split", "validation", "--format", "json")[1])
    assert (found["split"], found["n_test"]) == ("validation", 359)


def test_another_metric(compare, clear):
    out = compare(clear, "-m", "macro_f1")[1]
    assert "test macro_f1 after the last epoch" in out


def test_without_a_reference_the_newest_sweep_or_the_runs_beside_the_last(compare, tmp_path):
    make(tmp_path / "logs" / "old", seeds=2)
    make(tmp_path / "logs" / "new", {"rmsprop": (0.9, 0.01), "momentum": (0.8, 0.01)}, seeds=2)
    code, out, err = compare()
    assert code == 0
    assert "rmsprop" in out
    assert "adam" not in out
    assert "beside it" in err
    (tmp_path / "logs" / "new" / "sweep.yaml").write_text("{}")
    assert compare()[2].splitlines() == ["the newest: logs/new"]
    assert compare("last")[1] == compare()[1]
    assert compare("last")[2] == compare("logs/new")[2] == ""


SWEPT = """seeds: [0, 1, 2, 3]
arms:
  - recipe: "cross_entropy+sgd"
    rates: {rates}
    chosen: {chosen}
  - recipe: "cross_entropy+adam"
    rates: {rates}
    chosen: 0.01
"""


@pytest.mark.parametrize(
    ("rates", "chosen", "told"),
    [
        ("[0.01]", "0.01", None),
        ("[0.01, 0.1]", "0.01", "8 of 16 trials; lossopt sweep swept goes on"),
        ("auto", "0.01", None),
        ("auto", "null", "8 trials, and not every recipe has its learning rate yet; lossopt sweep swept goes on"),
        ("{not what lossopt writes}", "0.01", None),
    ],
)
def test_a_sweep_that_is_not_done_is_told(compare, tmp_path, rates, chosen, told):
    make(tmp_path / "swept", seeds=4, rates=(0.01,))
    (tmp_path / "swept" / "sweep.yaml").write_text(SWEPT.format(rates=rates, chosen=chosen))
    assert compare("swept")[2].splitlines() == ([told] if told else [])


def test_trials_that_failed_go_on_only_where_they_are_told_to(compare, tmp_path):
    make(tmp_path / "swept", seeds=4, rates=(0.01,))
    (tmp_path / "swept" / "sweep.yaml").write_text(SWEPT.format(rates="[0.01, 0.1]", chosen="0.01"))
    failing = next((tmp_path / "swept").glob("*/result.json"))
    result = json.loads(failing.read_text()) | {"status": "failed", "reason": "mine.py:3: no"}
    failing.write_text(json.dumps(result))
    told = compare("swept")[2].splitlines()[0]
    assert told == "7 of 16 trials, 1 failed; lossopt sweep swept --retry-failed goes on"


def test_a_baseline_by_name_and_by_folder(compare, clear, tmp_path):
    out = compare(clear, "--baseline", "sgd")[1]
    assert "against the baseline, sgd: adam is better." in out
    other = make(tmp_path / "other", {"adam": (0.8, 0.004)})
    out = compare(other, "--baseline", clear)[1]
    assert "(baseline)" in out
    rows = sheet(compare(other, "--baseline", clear, "--rows", "trials", "--format", "csv")[1])
    assert len(rows) == 75
    code, _, err = compare(clear, "--baseline", clear)
    assert (code, "are the baseline" in err) == (2, True)


FAILS = [  # of sgd, held to adam
    ("accuracy < 0.8", 0),
    ("accuracy < 0.9", 3),
    ("worst > 0.5 and recipes == 1", 3),
    ("seeds < 4 or lost > 0", 0),
    ("not_tuned > 0", 0),
    ("baseline < 0.9", 0),
    ("worse", 3),
    ("accuracy > 0.9 or worse", 3),
]


@pytest.mark.parametrize(("expression", "code"), FAILS)
def test_fail_if_is_of_the_recipes_that_are_not_the_baseline(compare, clear, expression, code):
    found, out, err = compare(clear, "--baseline", "adam", "--fail-if", expression, "-f", "json")
    assert found == code
    [check] = json.loads(out)["checks"]
    assert (check["expression"], check["failed"]) == (expression, code == 3)
    assert (f"--fail-if: {expression}: {check['reason']}" in err) == (code == 3)


def test_without_fail_if_there_are_no_checks(compare, clear):
    assert json.loads(compare(clear, "-f", "json")[1])["checks"] == []


def test_worse_is_only_what_the_rule_calls_so(compare, clear, close):
    assert compare(clear, "--baseline", "sgd", "--fail-if", "worse")[0] == 0
    assert compare(close, "--baseline", "adam", "--fail-if", "worse")[0] == 0
    code, _, err = compare(clear, "--baseline", "adam", "--fail-if", "worse")
    assert (code, "worse than the baseline: sgd" in err) == (3, True)


@pytest.mark.parametrize(
    ("first", "rates", "why"),
    [(5, (0.01,), "0 seeds in common, 4 are needed"), (2, (0.01,), "3 seeds in common, 4 are needed"),
     (0, (0.001, 0.01), "adam and adam (baseline) are not tuned")],
)  # fmt: skip
def test_a_check_that_cannot_be_decided_is_not_met(compare, tmp_path, first, rates, why):
    """As much worse as can be, but nothing can be claimed."""
    for rate in rates:
        for seed in range(5):
            values = {"learning_rate": rate, "steps": False}
            made_run(tmp_path / "main" / f"{rate}-{seed}", seed=seed, test=0.973 - 0.001 / rate, **values)
            made_run(tmp_path / "new" / f"{rate}-{seed}", seed=seed + first, test=0.493 - 0.001 / rate, **values)
    code, out, err = compare("new", "--baseline", "main", "--fail-if", "worse")
    assert code == 3
    assert f"cannot be decided: adam and its baseline ({why})" in " ".join(err.split())
    said = " ".join(out.split())
    assert "as good" not in said
    assert "nothing can be said of adam" in said
    assert f"({why})" in said


def test_a_baseline_alone_cannot_be_decided(compare, tmp_path):
    make(tmp_path / "logs", {"adam": (0.9, 0.01)}, seeds=4)
    code, _, err = compare("logs", "--baseline", "adam", "--fail-if", "worse")
    assert (code, "cannot be decided: there is no recipe but the baseline" in err) == (3, True)


@pytest.mark.parametrize(
    ("arguments", "what", "remedy"),
    [
        (["--fail-if", "accuracy ~ 3"], "cannot read 'accuracy ~ 3'", "'worse'"),
        (["--fail-if", "acuracy < 3"], "nothing here is called 'acuracy'", "did you mean accuracy?"),
        (["--fail-if", "worse"], "no baseline", "--baseline RECIPE_OR_FOLDER"),
        (["--columns", "wurst"], "no column is called 'wurst'", "did you mean worst?"),
        (["--sort", "wurst"], "no column is called 'wurst'", "did you mean worst?"),
        (["--columns", ","], "no column", "--columns help"),
        (["--columns", "lr,tets"], "no column is called 'tets'", "did you mean test"),
        (["--min-effect", "x"], "'x' is no least difference", "a number from 0 on"),
        (["--min-effect=-0.1"], "'-0.1' is no least difference", "a number from 0 on"),
        (["--metric", "acuracy"], "acuracy", "accuracy"),
        (["--metric", "rmse"], "rmse", "accuracy"),
        (["--baseline", "adma"], "adma", "adam"),
        (["--problem", "2"], "there is no problem '2'", "1"),
        (["--problem", "x"], "there is no problem 'x'", "1"),
        (["--split", "tset"], "tset", "test"),
        (["--format", "xml"], "xml", "json"),
        (["--rows", "runs"], "runs", "trials"),
        (["--top", "0"], "--top", ""),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
@pytest.mark.parametrize("format", ["table", "json"])
def test_a_mistake_says_what_was_expected_and_prints_no_result(compare, clear, arguments, what, remedy, format):
    words = arguments if "--format" in arguments else [*arguments, "--format", format]
    code, out, err = compare(clear, *words)
    assert code == 2
    assert what in err
    assert remedy in err
    assert "Traceback" not in err
    if words[-1] == "json":
        assert json.loads(out)["status"] == "bad_usage"
    else:
        assert out == ""


def test_losses_are_not_ranked_by_their_own_values(compare, tmp_path):
    for seed in range(4):
        made_run(tmp_path / f"a{seed}", loss="mse", seed=seed)
        made_run(tmp_path / f"b{seed}", loss="huber", seed=seed)
    code, out, err = compare(tmp_path, "--metric", "loss")
    assert (code, out) == (2, "")
    assert "accuracy" in err


def test_no_runs(compare, tmp_path):
    (tmp_path / "empty").mkdir()
    for arguments in ([], ["empty"], ["--logs", "nowhere"], ["nothing"]):
        code, out, err = compare(*arguments)
        assert (code, out) == (2, "")
        assert "lossopt train" in err or "list runs" in err


def test_only_running_runs(compare, tmp_path):
    made_run(tmp_path / "logs" / "a", status="running")
    code, out, err = compare("logs")
    assert (code, out) == (2, "")
    assert "1 running" in err
    assert "wait until one is done" in err


def test_running_and_broken_runs_are_named_and_the_rest_is_compared(compare, clear, tmp_path):
    shutil.copytree(clear, tmp_path / "logs")
    made_run(tmp_path / "logs" / "a-running", status="running")
    (tmp_path / "logs" / "broken").mkdir()
    (tmp_path / "logs" / "broken" / "result.json").write_text("{")
    shutil.copytree(tmp_path / "logs" / "adam-0.01-s0", tmp_path / "logs" / "z-copy")
    code, out, err = compare("logs")
    assert code == 0
    assert "adam is better than sgd" in out
    assert "left out: 1 running, 1 unreadable, 1 copy (same trial run twice: counted once)\n" in err
    assert "\n  logs/a-running: running (last written " in err
    assert "\n  logs/broken: unreadable, no config.yaml\n" in err
    found = json.loads(compare("logs", "--format", "json")[1])
    assert sorted(item["kind"] for item in found["left_out"]) == ["copy", "running", "unreadable"]
    warned = compare("logs", "-q")[2].splitlines()
    assert warned[0].startswith("warning: left out: 1 running, 1 unreadable, 1 copy")
    assert len(warned) == 1
    for name in ("a-running", "broken"):
        shutil.rmtree(tmp_path / "logs" / name)
    assert compare("logs", "-q")[2] == ""


def test_one_run(compare, tmp_path):
    made_run(tmp_path / "logs" / "a")
    code, out, _ = compare("logs/a")
    assert code == 0
    assert "One recipe, so nothing to compare: adam at 0.01 scores 0.950 with one seed" in out


def test_several_problems_are_kept_apart_and_listed(compare, tmp_path):
    make(tmp_path / "logs" / "b", CLEAR, split_seed=7, seeds=4)
    make(tmp_path / "logs" / "a", CLOSE, seeds=4)
    code, out, err = compare("logs")
    assert code == 0
    assert "rmsprop" in out
    assert "logs holds 2 problems; showing the newest." in err
    assert re.search(r"2  digits, split 7 +2 recipes +40 runs +other split", err)
    assert "lossopt sweep" not in out
    other = compare("logs", "--problem", 2)[1]
    assert "rmsprop" not in other


def test_all_problems_side_by_side(compare, tmp_path):
    make(tmp_path / "logs" / "a", CLEAR, seeds=4)
    make(tmp_path / "logs" / "b", CLEAR, split_seed=7, seeds=4)
    code, out, _ = compare("logs", "--problem", "all")
    assert code == 0
    assert "adam is best or tied on 2 of 2 problems." in out
    assert max(map(len, out.splitlines())) <= 80
    assert "profile" in out
    found = json.loads(compare("logs", "--problem", "all", "--format", "json")[1])
    assert [row["recipe"] for row in found["across"]] == ["adam", "sgd"]
    assert len(found["problems"]) == 2


def test_other_settings_become_columns(compare, tmp_path):
    for seed in range(4):
        made_run(tmp_path / f"a{seed}", seed=seed, epochs=5, test=0.9 + seed / 180)
        made_run(tmp_path / f"b{seed}", seed=seed, epochs=3, test=0.8 + seed / 180)
    out = compare(tmp_path)[1]
    assert "epochs" in out.split("\n\n")[1].splitlines()[1].split()


@pytest.mark.parametrize(
    ("seeds", "rates", "said"),
    [
        (1, (0.01,), "No ranking. One seed each: nothing can be said about chance. One learning rate each"),
        (3, RATES, "3 seeds: too few to tell chance from effect."),
        (4, (0.01,), "adam at 0.01 is better than sgd at 0.01"),
    ],
)
def test_what_few_runs_can_tell(compare, tmp_path, seeds, rates, said):
    out = compare(make(tmp_path / "logs", seeds=seeds, rates=rates))[1]
    assert said in " ".join(out.split())


def test_the_end_of_a_grid_is_not_judged(compare, tmp_path):
    make(tmp_path / "logs", seeds=4)
    make(tmp_path / "logs" / "edge", {"rmsprop": (0.9, 0.004)}, seeds=4, rates=(0.0001, 0.001, 0.003))
    out = compare("logs")[1]
    said = " ".join(out.split())
    assert "rmsprop is not tuned, so not judged: it is best at 0.003, the highest rate tried." in said
    assert "lossopt sweep logs --extend" in out
    assert re.search(r"^ \?  rmsprop", out, re.MULTILINE)


def test_nothing_heavy_is_imported(clear):
    import subprocess
    import sys

    code = (
        "import sys; from lossopt_cli.__main__ import run; run(['compare', sys.argv[1]]);"
        "print(sorted({'torch', 'keras', 'scipy', 'matplotlib', 'sklearn', 'pandas', 'ruamel'} & set(sys.modules)),"
        "file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(clear)], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stderr == "[]\n"


def test_ascii_where_the_terminal_has_no_unicode(clear):
    import os
    import subprocess
    import sys

    env = {**os.environ, "PYTHONIOENCODING": "ascii", "COLUMNS": "80"}
    done = subprocess.run(
        [sys.executable, "-m", "lossopt_cli", "compare", str(clear)],
        capture_output=True,
        timeout=60,
        check=True,
        env=env,
    )
    text = done.stdout.decode("ascii")
    assert re.search(r"\|-*o-*\|", text)
    assert max(map(len, text.splitlines())) <= 80


def test_who_arrives_at_the_target_is_told_where_no_one_is_faster_for_sure(compare, tmp_path):
    for optimizer, level in (("adam", 0.95), ("sgd", 0.80)):
        for seed in range(5):
            reached = level + 0.001 * seed
            made_run(tmp_path / f"{optimizer}-{seed}", optimizer=optimizer, seed=seed, test=reached)
    said = " ".join(compare(tmp_path, "--target", "0.952")[1].split())
    assert "0.952 is reached by adam at 0.01 in 3 of 5 seeds, by no other in any; --target sets another." in said
