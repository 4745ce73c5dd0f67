"""Run folders: names, refusals, files that are whole or not there, and the exact text of CSV and JSON."""

import csv
import io
import json
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from timeit import repeat

import numpy as np
import pytest

from lossopt_cli.errors import UsageError
from lossopt_cli.runs.csv import csv_text, shortest
from lossopt_cli.runs.folder import LONGEST_NAME, NAME, RunFolder, json_text, run_name, safe, written_whole

NOW = datetime(2026, 3, 1, 12, 30, 59)


def test_a_name_says_what_ran():
    name = run_name("digits", "minicnn", "cross_entropy", "adam", 0.001, 0, NOW)
    assert name == "digits-minicnn-cross_entropy-adam-lr0.001-s0-20260301-123059"


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("huber:delta=0.5", "huber_delta=0.5"),
        ("sgd:momentum=0.9,nesterov=true", "sgd_momentum=0.9_nesterov=true"),
        ("mine/loss.py:huber", "loss.py_huber"),
        ("../../etc", "etc"),
        ("kaggle:owner/name/versions/3", "kaggle_owner_name_versions_3"),
        ("transfer:weights=/a/b/mine.h5:scale=unit", "transfer_weights=mine.h5_scale=unit"),
        ("sparse_categorical_crossentropy:from_logits=false", "sparse_categorical_crossentropy_from_logits=false"),
        (f"mlp:activation=tanh:hidden=[{'8,' * 30}8]", "mlp_activation=tanh"),
        ("a/b/", "b"),
        ("$(rm -rf ~)", "rm_-rf"),
        ("-q", "q"),
        ("数据", "_"),
        ("..", "_"),
    ],
)
def test_safe_parts(part: str, expected: str):
    assert safe(part) == expected


def test_a_long_name_is_cut_and_keeps_its_end():
    name = run_name("d" * 99, "m" * 99, "l" * 99, "o" * 99, 1e-5, 7, NOW)
    assert len(name) <= LONGEST_NAME
    assert name.endswith("-lr1e-05-s7-20260301-123059")
    assert NAME.fullmatch(name)


def test_a_name_that_is_too_long_loses_settings_and_no_half_of_one():
    settings = "".join(f":setting{number}=value{number}" for number in range(3))
    name = run_name("d" * 56, f"m{settings}", f"l{settings}", f"o{settings}", 1e-5, 7, NOW)
    assert len(name) <= LONGEST_NAME
    assert [part.split("_")[1:] for part in name.split("-")[1:4]] == [["setting0=value0", "setting1=value1"]] * 3


def test_an_existing_name_is_refused_and_untouched(tmp_path: Path):
    RunFolder.create(tmp_path, "one").write_text("result.json", "{}")
    with pytest.raises(UsageError, match="never overwritten") as caught:
        RunFolder.create(tmp_path, "one")
    assert caught.value.faults[0].where == "--name"
    assert (tmp_path / "one" / "result.json").read_text() == "{}"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../a", "-q", ".hidden", "a b", "a\n", "last", "x" * 201])
def test_a_name_that_is_none_is_refused(tmp_path: Path, name: str):
    with pytest.raises(UsageError, match="cannot be the name") as caught:
        RunFolder.create(tmp_path / "logs", name)
    assert caught.value.faults[0].where == "--name"
    assert not (tmp_path / "logs").exists()


def test_runs_of_one_second_get_a_folder_each(tmp_path: Path):
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(lambda _: RunFolder.create_numbered(tmp_path / "logs", "r").path.name, range(20)))
    assert sorted(folders) == sorted(["r", *(f"r-{i}" for i in range(2, 21))])


def _a_file(folder: Path) -> Path:
    (folder / "file").write_text("x")
    return folder / "file"


def _below_a_file(folder: Path) -> Path:
    return _a_file(folder) / "logs"


def _read_only(folder: Path) -> Path:
    if os.geteuid() == 0:  # root may write anywhere but into the kernel's own tree
        if sys.platform != "linux":
            pytest.skip("root may write everywhere here")
        return Path("/sys/kernel")
    folder.chmod(0o500)
    return folder


@pytest.mark.parametrize("logs_of", [_a_file, _below_a_file, _read_only])
@pytest.mark.parametrize("make", [RunFolder.create, RunFolder.create_numbered])
def test_logs_that_cannot_be_written_name_the_flag(tmp_path: Path, logs_of, make):
    with pytest.raises(UsageError, match="cannot make a folder in") as caught:
        make(logs_of(tmp_path), "run")
    assert caught.value.faults[0].where == "--logs"
    assert caught.value.exit_code == 2


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path):
    folder = RunFolder.create(tmp_path, "run")
    folder.write_text("model.keras", "old")

    def save_half():
        with written_whole(folder.path / "model.keras") as path:
            assert path.suffix == ".keras"
            path.write_text("half")
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        save_half()
    assert [(p.name, p.read_text()) for p in folder.path.iterdir()] == [("model.keras", "old")]


def test_a_file_being_written_is_not_there_yet(tmp_path: Path):
    folder = RunFolder.create(tmp_path, "run")
    with written_whole(folder.path / "model.keras") as path:
        path.write_text("new")
        assert not (folder.path / "model.keras").exists()
    assert [p.name for p in folder.path.iterdir()] == ["model.keras"]


def test_json_is_valid_at_full_precision_with_null_for_nan():
    value = {
        "nan": float("nan"),
        "inf": [-float("inf"), np.float32("nan")],
        "third": 1 / 3,
        "array": np.array([[1.5, 2.0]]),
        "count": np.int64(3),
        "yes": np.bool_(True),
        "path": Path("a") / "b",
        "name": "größe",
        3: (1, None),
    }
    expected = {
        "nan": None,
        "inf": [None, None],
        "third": 1 / 3,
        "array": [[1.5, 2.0]],
        "count": 3,
        "yes": True,
        "path": os.path.join("a", "b"),
        "name": "größe",
        "3": [1, None],
    }
    assert json.loads(json_text(value)) == expected


def test_csv_text_is_exactly_this():
    columns = {
        "step": np.array([0, 1, 2]),
        "epoch": [1, 1, 1],
        "loss": np.array([2.5, np.nan, np.inf], np.float32),
        "learning_rate": np.array([0.1, 1e-5, 1e22], np.float32),
        "accuracy": np.array([1 / 3, -np.inf, 0.0]),
        "note": ["a,b", 'say "x"', None],
        "done": [True, False, np.bool_(True)],
    }
    assert csv_text(columns) == (
        "step,epoch,loss,learning_rate,accuracy,note,done\n"
        '0,1,2.5,0.1,0.3333333333333333,"a,b",true\n'
        '1,1,nan,1e-05,-inf,"say ""x""",false\n'
        "2,1,inf,1e+22,0.0,,true\n"
    )


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="shorter"):
        csv_text({"a": [1, 2], "b": [1]})


def test_csv_reads_back_bit_for_bit(tmp_path: Path):
    rng = np.random.default_rng(0)
    single, double = rng.lognormal(0, 5, 500).astype(np.float32), rng.lognormal(0, 50, 500)
    path = RunFolder.create(tmp_path, "run").write_csv("steps.csv", {"single": single, "double": double})
    rows = list(csv.DictReader(io.StringIO(path.read_text())))
    np.testing.assert_array_equal(np.array([r["single"] for r in rows], np.float32), single)
    np.testing.assert_array_equal(np.array([r["double"] for r in rows], np.float64), double)


def test_float32_is_spelled_as_numpy_spells_it():
    """NumPy's str of a float32 (Dragon4) is the shortest: the same value over bit patterns and decades."""
    rng = np.random.default_rng(1)
    patterns = rng.integers(0, 2**32, 20_000, dtype=np.uint64).astype(np.uint32).view(np.float32)
    decades = np.array([float(f"1e{e}") for e in range(-45, 39)]).astype(np.float32)
    thousandths = (np.arange(1, 2000) / 1000).astype(np.float32)
    neighbours = np.concatenate([np.nextafter(decades, np.float32(0)), np.nextafter(decades, np.float32(1e38))])
    values = np.concatenate([patterns[np.isfinite(patterns)], decades, thousandths, neighbours, -thousandths])
    assert list(map(repr, shortest(values))) == [repr(float(str(value))) for value in values]


def test_ten_thousand_steps_are_written_in_little_time():
    """10,000 rows of 5 columns took 24 ms where this was written; ten times that is a change of method."""
    rng = np.random.default_rng(2)
    columns = {"step": np.arange(10_000), "epoch": np.arange(10_000) // 40}
    columns |= {name: rng.random(10_000, dtype=np.float32) for name in ("loss", "learning_rate", "gradient_norm")}
    assert min(repeat(lambda: csv_text(columns), number=1, repeat=5)) < 0.25


def test_only_names_that_need_no_quoting():
    assert re.fullmatch(r"[\w.=+-]+", safe("".join(map(chr, range(1, 256)))), re.ASCII)
