"""`lossopt plot` as one calls it: the file by its ending, the same twice, its path on stdout, and what is refused."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from made_runs import made_run

from lossopt_cli.__main__ import run
from lossopt_cli.analysis.figures.kinds import KINDS

MAGIC = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    """Two losses with two optimizers at two rates and four seeds, and a run that is still going on."""
    folder = tmp_path_factory.mktemp("runs")
    for loss, optimizer, rate in [
        ("cross_entropy", "adam", 0.001),
        ("cross_entropy", "adam", 0.01),
        ("cross_entropy", "sgd", 0.1),
        ("mse", "adam", 0.01),
    ]:
        for seed in range(4):
            made_run(
                folder / f"{loss}-{optimizer}-{rate}-{seed}",
                loss=loss,
                optimizer=optimizer,
                learning_rate=rate,
                seed=seed,
                test=0.9 + 0.004 * seed + rate,
                epochs=2,
                steps_per_epoch=8,
            )
    made_run(folder / "going-on", status="running")
    return folder


@pytest.fixture(scope="module")
def problems(tmp_path_factory) -> Path:
    """Two recipes on two problems."""
    folder = tmp_path_factory.mktemp("problems")
    for split_seed in (1, 2):
        for optimizer in ("adam", "sgd"):
            name = f"{optimizer}-{split_seed}"
            made_run(folder / name, optimizer=optimizer, split_seed=split_seed, epochs=4, steps=False)
    return folder


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory) -> Path:
    folder = made_run(tmp_path_factory.mktemp("evaluated") / "run", epochs=2)
    found = {"confusion": {"classes": ["cat", "dog"], "counts": [[8, 2], [0, 5]]}}
    (folder / "evaluation-test.json").write_text(json.dumps(found))
    return folder


@pytest.fixture
def drawn_from(request, runs, problems, evaluated):
    """What each kind is drawn from."""
    sources = {"losses": [], "profile": [str(problems)], "confusion": [str(evaluated)]}
    return lambda kind: sources.get(kind, [str(runs)])


@pytest.mark.parametrize("ending", MAGIC)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_in_every_format(kind, ending, drawn_from, tmp_path, capsys):
    file = tmp_path / f"a{ending}"
    assert run(["plot", *drawn_from(kind), "--kind", kind, "--out", str(file), "--style", "paper"]) == 0
    assert capsys.readouterr().out == f"{file}\n"
    assert file.read_bytes().startswith(MAGIC[ending])


@pytest.mark.parametrize("ending", MAGIC)
def test_the_same_bytes_twice(ending, runs, tmp_path):
    files = [tmp_path / f"{name}{ending}" for name in "ab"]
    for file in files:
        assert run(["plot", str(runs), "--kind", "lr", "--out", str(file)]) == 0
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize(("style", "width"), [("screen", 9.0 * 72), ("talk", 13.333 * 72), ("paper", 3.4 * 72)])
def test_a_style_has_its_width(style, width, tmp_path):
    file = tmp_path / "a.svg"
    assert run(["plot", "--kind", "losses", "--out", str(file), "--style", style]) == 0
    head = file.read_text()[:2000]
    assert float(head.split('width="')[1].split("pt")[0]) == pytest.approx(width, abs=0.1)


def test_without_a_kind_it_is_curves_in_the_folder_and_what_is_left_out_is_named(runs, capsys):
    assert run(["plot", str(runs)]) == 0
    out, err = capsys.readouterr()
    assert out == f"{runs / 'curves.png'}\n"
    assert "left out: 1 running\n" in err
    assert f"{runs / 'going-on'}: running (last written" in err


def test_without_a_run_it_is_the_newest(tmp_path, capsys):
    folder = made_run(tmp_path / "logs" / "a", epochs=2, steps_per_epoch=8)
    assert run(["plot", "--logs", str(tmp_path / "logs")]) == 0
    assert capsys.readouterr().out == f"{folder / 'curves.png'}\n"


def test_several_folders_are_drawn_into_the_one_around_them(tmp_path, capsys):
    folders = [made_run(tmp_path / f"{seed}", seed=seed, epochs=2) for seed in range(2)]
    assert run(["plot", *map(str, folders)]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'curves.png'}\n"


def test_runs_that_are_named_and_not_drawn_are_told(tmp_path, capsys):
    for rate, value in ((0.001, 0.8), (0.01, 0.9), (0.1, 0.7)):
        made_run(tmp_path / "logs" / f"{rate}", learning_rate=rate, validation=value)
    named = [str(tmp_path / "logs" / f"{rate}") for rate in (0.001, 0.01, 0.1)]
    assert run(["plot", *named, "--out", str(tmp_path / "a.png")]) == 0
    assert "is drawn at 0.01, chosen on validation; not at 0.001 and 0.1" in capsys.readouterr().err
    assert run(["plot", str(tmp_path / "logs"), "--out", str(tmp_path / "a.png")]) == 0
    assert "is drawn at" not in capsys.readouterr().err


def test_losses_without_out_are_named_by_them(tmp_path, capsys):
    assert run(["plot", "--loss", "MSE,huber:delta=0.5", "--logs", str(tmp_path)]) == 0
    file = Path(capsys.readouterr().out.strip())
    assert file == tmp_path / "losses-mse-huber_delta=0.5.png"
    assert file.exists()


def test_json_has_the_title_and_what_stands_below_it(runs, tmp_path, capsys):
    file = tmp_path / "a.png"
    assert run(["plot", str(runs), "--kind", "heatmap", "--out", str(file), "--format", "json"]) == 0
    [said] = json.loads(capsys.readouterr().out)
    assert (said["file"], said["kind"]) == (str(file), "heatmap")
    assert said["title"] == "Test accuracy by loss and optimizer"
    assert "mean of 4 seeds" in said["caption"]


def test_several_problems_are_named_and_one_is_drawn(problems, tmp_path, capsys):
    out = str(tmp_path / "a.png")
    assert run(["plot", str(problems), "--kind", "heatmap", "--problem", "2", "--out", out]) == 0
    assert "2 problems; number 2 is drawn. Others: --problem N" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--kind", "curvs"], ["unknown kind 'curvs'", "did you mean curves?"]),
        (["--out", "x.gif"], ["cannot draw a .gif", ".svg"]),
        (["--out", "x"], ["cannot draw a file without ending"]),
        (["--out", "/dev/null/x.png"], ["cannot write"]),
        (["--kind", "lr", "--by", "step"], ["--by", "has no use for it"]),
        (["--kind", "steps", "--by", "second"], ["steps cannot be drawn by second", "step or epoch"]),
        (["--kind", "curves", "--split", "test"], ["--split", "only --metric, --recipes, --problem"]),
        (["--kind", "curves", "--loss", "mse"], ["draws runs, not losses", "--recipes"]),
        (["--kind", "losses"], ["from their formulas, not from the runs in", "lossopt plot --loss mse,huber"]),
        (["--loss", "mse"], ["from their formulas", "lossopt plot --loss mse"]),
        (["a.PNG"], ["a.PNG is a picture, not a run", "to draw into it: --out a.PNG"]),
        (["--metric", "auc"], ["no run recorded auc"]),
        (["--recipes", "admm"], ["no recipe 'admm'", "did you mean adam?"]),
        (["--problem", "2"], ["there is no problem '2'"]),
        (["--kind", "profile"], ["fewer than two problems"]),
        (["--kind", "confusion"], ["a confusion matrix is of one"]),
        (["--kind", "heatmap", "--recipes", "mse"], ["one loss with one optimizer"]),
        (["--kind", "differences", "--recipes", "mse"], ["one recipe"]),
        (["--kind", "lr", "--recipes", "mse"], ["one learning rate"]),
    ],
)
def test_what_cannot_be_drawn_is_said(arguments, told, runs, capsys):
    assert run(["plot", str(runs), *arguments]) == 2
    refused(told, capsys)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--loss", "hubr,mse:x=1"], ["did you mean huber", "mse has no setting 'x'"]),
        (["--loss", "huber:delta=0"], ["delta cannot be 0", "above 0"]),
        (["--loss", "huber:delat=1"], ["did you mean delta"]),
        (["--loss", "ctc"], ["ctc has no curve"]),
        (["--loss", ","], ["no loss in --loss"]),
        (["--loss", "mine.py:f"], ["has no known curve"]),
        (["--loss", "mse,hinge"], ["no axis in common"]),
        (["nowhere"], ["no run is called 'nowhere'"]),
        (["--logs", "nowhere"], ["no run in 'nowhere' yet"]),
    ],
)
def test_bad_usage(arguments, told, capsys):
    assert run(["plot", *arguments]) == 2
    refused(told, capsys)


@pytest.mark.parametrize(
    ("change", "arguments", "told"),
    [
        ({"status": "running"}, [], ["no finished run", "1 running"]),
        ({}, ["--kind", "differences"], ["one recipe"]),
        ({"timing": "shared"}, ["--kind", "tradeoff"], ["seconds", "trained alone"]),
        ({"timing": "shared"}, ["--by", "second"], ["seconds", "--by epoch"]),
    ],
)
def test_a_run_that_does_not_have_it(change, arguments, told, tmp_path, capsys):
    folder = made_run(tmp_path / "a", epochs=2, change=change)
    assert run(["plot", str(folder), *arguments]) == 2
    refused(told, capsys)


@pytest.mark.parametrize(
    ("kind", "table", "text", "told"),
    [
        ("curves", "epochs.csv", None, "No such file"),
        ("curves", "epochs.csv", "epoch,step\n1", "a line without 2 cells"),
        ("steps", "steps.csv", "step,epoch,loss\n1,1,high\n", "could not convert"),
    ],
)
def test_a_table_that_is_not_whole_is_named(kind, table, text, told, tmp_path, capsys):
    folder = made_run(tmp_path / "a", epochs=2)
    (folder / table).unlink()
    if text is not None:
        (folder / table).write_text(text)
    assert run(["plot", str(folder), "--kind", kind]) == 2
    refused([str(folder), f"{table} cannot be read", told], capsys)


CONFUSION = "--kind confusion"
AGAIN = "lossopt train {}/config.yaml && lossopt evaluate last && lossopt plot last " + CONFUSION


def remedy_of(capsys) -> str:
    return capsys.readouterr().err.splitlines()[-1].strip()


@pytest.mark.parametrize(
    ("kind", "rates", "seeds", "remedy"),
    [
        ("lr", 1, 1, "lossopt plot {} --kind curves"),
        ("differences", 1, 1, "lossopt sweep {} --seeds 4"),
        ("tradeoff", 1, 1, "lossopt plot {} --kind curves --by step"),
        ("profile", 1, 1, "lossopt compare {} --problem all shows which there are"),
        ("confusion", 1, 1, AGAIN.format("{}/adam-0.01-0")),
        ("confusion", 3, 2, AGAIN.format("{}/adam-0.1-0")),  # the rate with the best validation, its first seed
    ],
)
def test_what_is_told_to_type_is_of_the_same_runs(kind, rates, seeds, remedy, tmp_path, capsys):
    folder = tmp_path / "my runs"
    for optimizer, rate in [("sgd", 0.01), *(("adam", 0.01 * 10**place) for place in range(rates))]:
        for seed in range(seeds):
            made_run(
                folder / f"{optimizer}-{rate:g}-{seed}",
                optimizer=optimizer,
                learning_rate=rate,
                seed=seed,
                test=0.9 + 0.02 * (optimizer == "adam") + 0.01 * (rate == 0.1),
                change={"timing": "shared"},
            )
    assert run(["plot", str(folder), "--kind", kind]) == 2
    assert remedy_of(capsys).replace("'", "") == remedy.format(folder)


def test_what_is_told_to_type_keeps_the_problem(problems, capsys):
    assert run(["plot", str(problems), "--kind", "lr", "--problem", "2"]) == 2
    assert remedy_of(capsys) == f"lossopt plot {problems} --problem 2 --kind curves"


def test_no_sweep_is_told_to_add_to_a_folder_of_several_problems(problems, capsys):
    assert run(["plot", str(problems), "--kind", "differences"]) == 2
    assert "lossopt sweep" not in capsys.readouterr().err


@pytest.mark.parametrize("split", ["test", "validation"])
def test_a_run_with_a_model_is_to_be_evaluated_first(split, tmp_path, capsys):
    folder = made_run(tmp_path / "a")
    (folder / "labels.json").write_text("{}")
    of = [] if split == "test" else ["--split", split]
    assert run(["plot", str(folder), "--kind", "confusion", *of]) == 2
    assert remedy_of(capsys) == " ".join(["lossopt evaluate", str(folder), *of])


def test_of_several_runs_the_newest_with_a_model_is_told(tmp_path, capsys):
    folders = [made_run(tmp_path / name, seed=seed) for seed, name in enumerate("abc")]
    for folder in folders[:2]:
        (folder / "labels.json").write_text("{}")
    assert run(["plot", str(tmp_path), "--kind", "confusion"]) == 2
    assert remedy_of(capsys) == f"lossopt plot {folders[1]} --kind confusion"


def test_numbers_are_not_to_be_evaluated_for_it(tmp_path, capsys):
    for seed in range(2):
        made_run(tmp_path / f"{seed}", seed=seed, change={"task": "regression"})
    assert run(["plot", str(tmp_path), "--kind", "confusion"]) == 2
    err = capsys.readouterr().err
    assert "these runs predict numbers: nothing is confused" in err
    assert "lossopt" not in err


def test_an_empty_folder_has_nothing_to_draw(tmp_path, capsys):
    assert run(["plot", str(tmp_path)]) == 2
    refused([f"no runs in {tmp_path}", "lossopt train"], capsys)


def test_help_names_every_kind_and_every_kind_its_own_line(capsys):
    assert run(["plot", "--help"]) == 0
    out = capsys.readouterr().out
    lines = [line.split() for line in out.splitlines()]
    assert "which of several problems: 1 is the newest" in " ".join(out.split())
    assert "or all" not in " ".join(out.split())  # which compare takes: a picture is of one, or of all that there are
    assert [kind for kind in KINDS if not any(line[:1] == [kind] for line in lines)] == []


def test_drawing_needs_neither_torch_nor_keras_nor_pyplot_nor_scipy_stats(runs, tmp_path):
    code = (
        "import sys; from lossopt_cli.__main__ import run\n"
        f"code = run(['plot', {str(runs)!r}, '--kind', 'lr', '--out', {str(tmp_path / 'a.png')!r}])\n"
        "assert not {'torch', 'keras', 'matplotlib.pyplot', 'scipy.stats', 'pandas'} & set(sys.modules)\n"
        "sys.exit(code)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


def refused(told, capsys) -> None:
    """Said on stderr in full, whatever the line breaks; nothing on stdout."""
    out, err = capsys.readouterr()
    assert out == ""
    assert [piece for piece in told if piece not in " ".join(err.split())] == []
