"""`lossopt plot --kind losses`: the picture is there, is the same twice, and never mixes two kinds of axis."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lossopt_cli.__main__ import run
from lossopt_cli.analysis.figures import broken, curves, in_terminal, shared_axis
from lossopt_cli.errors import UsageError

MAGIC = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}


@pytest.mark.parametrize("ending", MAGIC)
def test_a_picture_by_its_ending_the_same_bytes_twice(ending, tmp_path, capsys):
    files = [tmp_path / f"{name}{ending}" for name in "ab"]
    for file in files:
        assert run(["plot", "--kind", "losses", "--loss", "mse,mae,huber:delta=0.5", "--out", str(file)]) == 0
        assert capsys.readouterr().out == f"{file}\n"
    assert files[0].read_bytes().startswith(MAGIC[ending])
    assert files[0].read_bytes() == files[1].read_bytes()


def test_without_out_the_file_is_named_by_the_losses(tmp_path, capsys):
    assert run(["plot", "--loss", "MSE,huber:delta=0.5", "--logs", str(tmp_path)]) == 0
    file = Path(capsys.readouterr().out.strip())
    assert file == tmp_path / "losses-mse-huber_delta=0.5.png"
    assert file.exists()


def test_json_says_where_and_over_what(tmp_path, capsys):
    file = tmp_path / "a.png"
    assert run(["plot", "--loss", "cross_entropy,hinge", "--out", str(file), "--format", "json"]) == 0
    [said] = json.loads(capsys.readouterr().out)
    assert said == {"file": str(file), "axis": "margin", "losses": ["cross_entropy", "hinge"]}


@pytest.mark.parametrize(
    ("losses", "axis"),
    [
        (["mse", "huber", "SmoothL1Loss"], "error"),
        (["cross_entropy", "gce", "bce"], "probability"),
        (["cross_entropy", "hinge"], "margin"),
        (["mape", "msle"], "ratio"),
    ],
)
def test_the_axis_is_the_first_that_all_have(losses, axis):
    assert shared_axis([(name, {}) for name in losses]) == axis


def test_errors_and_margins_are_not_drawn_together():
    with pytest.raises(UsageError, match="mse over error; hinge over margin"):
        shared_axis([("mse", {}), ("hinge", {})])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--loss", "hubr,mse:x=1"], ["did you mean huber", "mse has no setting 'x'"]),
        (["--loss", "huber:delta=0"], ["delta cannot be 0", "above 0"]),
        (["--loss", "huber:delat=1"], ["did you mean delta"]),
        (["--loss", "ctc"], ["ctc has no curve"]),
        (["--loss", ","], ["no loss in --loss"]),
        (["--loss", "mine.py:f"], ["has no known curve"]),
        (["--out", "x.gif"], ["cannot draw a .gif", ".svg"]),
        (["--out", "/dev/null/x.png"], ["cannot write"]),
        (["--kind", "curves"], ["curves"]),
    ],
)
def test_bad_usage(arguments, told, capsys):
    assert run(["plot", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert [piece for piece in told if piece not in " ".join(err.split())] == []


def test_a_jump_of_the_slope_is_a_gap():
    slope = broken(np.sign(np.linspace(-1, 1, 101)))
    assert np.isnan(slope[49])
    assert np.nanmax(slope) == 1.0
    assert not np.isnan(broken(np.linspace(-1, 1, 101))).any()


def test_in_a_terminal_every_loss_has_its_sign_and_nothing_is_wider():
    text = in_terminal(curves([("mse", {}), ("mae", {})], "error"), width=60)
    assert "* mse   o mae" in text
    assert max(map(len, text.splitlines())) <= 60
    canvas = [line[10:] for line in text.splitlines()[1:-1]]
    assert "*" in canvas[-2]  # mse is 0 at 0, and on top
    assert all(row.rstrip() == row for row in canvas)


def test_drawing_needs_neither_torch_nor_keras(tmp_path):
    code = (
        "import sys; from lossopt_cli.__main__ import run\n"
        f"code = run(['plot', '--out', {str(tmp_path / 'a.png')!r}])\n"
        "assert not {'torch', 'keras'} & set(sys.modules)\n"
        "sys.exit(code)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0
