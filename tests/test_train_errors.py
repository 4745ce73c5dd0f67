"""Bad input to `lossopt train`: each ends with its exit code and a message that names place, cause and remedy."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROWS = "a,b,y\n" + "".join(f"{n % 7},{n % 5},{n % 3 + n / 10:.1f}\n" for n in range(40))


def csv(folder: Path, text: str) -> Path:
    path = folder / "mine.csv"
    path.write_text(text)
    return path


def yaml(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text)
    return path


def images(folder: Path, **counts: int) -> Path:
    """Class folders with so many small grey pictures each."""
    from PIL import Image

    for name, count in counts.items():
        (folder / "pictures" / name).mkdir(parents=True)
        for number in range(count):
            grey = np.full((8, 8), 10 * number, np.uint8)
            Image.fromarray(grey).save(folder / "pictures" / name / f"{number}.png")
    return folder / "pictures"


def broken_image(folder: Path) -> Path:
    found = images(folder, cats=6, dogs=6)
    (found / "cats" / "3.png").write_bytes(b"no picture")
    return found


def holes(folder: Path) -> Path:
    lines = ROWS.splitlines()
    lines[5] = "1,,2"
    return csv(folder, "\n".join(lines))


def constant(folder: Path) -> Path:
    return csv(folder, "a,y\n" + "".join(f"{n},4\n" for n in range(40)))


def no_folder(folder: Path) -> Path:
    (folder / "pictures").mkdir()
    return folder / "pictures"


def a_file(folder: Path) -> Path:
    path = folder / "taken"
    path.write_text("")
    return path


def blank(folder):
    path = folder / "my data" / "a table.csv"
    path.parent.mkdir()
    path.write_text(ROWS)
    return path


# What is typed, with functions of the test's folder where a file is needed; words that the message must have.
BAD = {
    "unknown key": ([lambda f: yaml(f, "train: {epoch: 3}\n")], ["mine.yaml:1:9", "train.epoch", "epochs"]),
    "unknown section": ([lambda f: yaml(f, "\nlos: mse\n")], ["mine.yaml:2:1", "los", "loss"]),
    "unknown loss": (["--loss", "hubr"], ["--loss", "hubr", "huber"]),
    "unknown optimizer": (["--opt", "adm"], ["--opt", "adm", "adam"]),
    "unknown model": (["--model", "minicn"], ["--model", "minicn", "minicnn"]),
    "unknown data": (["--data", "digit"], ["--data", "digit", "digits"]),
    "unknown setting of a loss": (["--loss", "huber:dleta=1"], ["--loss", "dleta", "delta"]),
    "unknown metric": (["--metric", "acuracy"], ["--metric", "acuracy", "accuracy"]),
    "unknown option": (["--epoch", "3"], ["--epoch", "--epochs"]),
    "wrong types": (
        [lambda f: yaml(f, "train:\n  epochs: three\n  batch_size: 1.5\n")],
        ["mine.yaml:2:3", "mine.yaml:3:3", "three", "1.5"],
    ),
    "several errors at once": (
        [lambda f: yaml(f, "loss: hubr\noptimizer: {name: sgd, momentun: 0.9}\ntrain: {epochs: 0}\n")],
        ["mine.yaml:1:1", "huber", "mine.yaml:2:24", "momentum", "mine.yaml:3:9", "epochs"],
    ),
    "no YAML": ([lambda f: yaml(f, "train: {epochs: 3\n")], ["mine.yaml"]),
    "a key twice": ([lambda f: yaml(f, "loss: mse\nloss: mae\n")], ["mine.yaml:2:1", "loss"]),
    "an empty file": ([lambda f: yaml(f, "")], ["mine.yaml", "empty"]),
    "a YAML that is a list": ([lambda f: yaml(f, "- loss\n- mse\n")], ["mine.yaml", "list"]),
    "a missing config": (["nowhere.yaml"], ["nowhere.yaml"]),
    "a missing table": (["--data", "nowhere.csv"], ["--data", "nowhere.csv"]),
    "a missing folder": (["--data", "nowhere/"], ["--data", "nowhere"]),
    "neither a name nor a file": (["--data", "zzqxv"], ["--data", "no such file or folder", "zzqxv", "list data"]),
    "a file's name with a slip": (
        ["--data", lambda f: csv(f, ROWS) and "mien_csv"],
        ["no such file or folder, and no data of that name: mien_csv", "or mine.csv?"],
    ),
    "one class": (["--data", lambda f: images(f, cats=6)], ["pictures", "cats"]),
    "no images": (["--data", no_folder], ["pictures"]),
    "a broken image": (["--data", broken_image], ["cats", "3.png"]),
    "missing values": (["--data", holes], ["mine.csv:6", "b", "data.missing"]),
    "a constant target": (["--data", constant], ["y"]),
    "words for numbers": (
        ["--data", lambda f: csv(f, "a,y\n" + "1,big\n2,small\n" * 20), "--loss", "mae:reduction=sum"],
        ["--loss", "reduction"],
    ),
    "a text target for a regression": (
        ["--data", lambda f: csv(f, "a,y\n" + "1,big\n2,small\n3,odd\n" * 20), "--loss", "mape"],
        ["mine.csv:2", "big", "--loss cross_entropy"],
    ),
    "one row": (["--data", lambda f: csv(f, "a,y\n1,2\n")], ["mine.csv"]),
    "no such target": (["--data", lambda f: csv(f, ROWS), "--target", "z"], ["--target", "z"]),
    "a rate of 0": (["--lr", "0"], ["--lr", "0"]),
    "a negative rate": (["--lr", "-1"], ["--lr", "-1"]),
    "a rate in words": (["--lr", "fast"], ["--lr", "fast"]),
    "no epochs": (["--epochs", "0"], ["--epochs", "0"]),
    "no seed": (["--seed", "-1"], ["--seed", "-1"]),
    "a batch larger than the data": (["--data", "iris", "--batch-size", "1000"], ["--batch-size", "1000", "105"]),
    "a metric that the loss does not give": (
        ["--data", "iris", "--loss", "hinge", "--metric", "cross_entropy"],
        ["hinge gives no cross_entropy", "--metric", "loss, accuracy, macro_f1"],
    ),
    "settings behind commas": (
        ["--data", "iris", "--opt", "adam:weight_decay=0.1,amsgrad=true"],
        ["--opt", "separated by colons: adam:weight_decay=0.1:amsgrad=true"],
    ),
    "an optimizer of matrices": (
        ["--data", "iris", "--opt", "torch.Muon"],
        ["torch.Muon cannot be used: it takes matrices only", "Keras's muon"],
    ),
    "a path with a blank in it": (
        ["--data", lambda f: blank(f).parent],
        ["only 1 file (.csv)", "--data '", "a table.csv'"],
    ),
    "fractions for a loss of classes": (
        ["--data", lambda f: csv(f, ROWS), "--loss", "poisson"],
        ["the loss serves classes only here", "--loss mse"],
    ),
    "a metric of another task": (["--data", "iris", "--metric", "mae"], ["mae is no metric of a multiclass task"]),
    "normalising single rows": (
        ["--data", "iris", "--model", "mlp:batch_norm=true", "--batch-size", 1],
        ["--batch-size", "2 or more", "nothing could be learned"],
    ),
    "a device that is not there": (["--device", "cuda:99"], ["--device", "cuda:99", "cpu"]),
    "no device": (["--device", "abacus"], ["--device", "abacus", "cuda"]),
    "a name that is no name": (["--name", "a/b", "--data", "iris"], ["--name", "a/b"]),
    "logs that are a file": (["--logs", a_file, "--data", "iris"], ["--logs", "taken", "--logs DIR"]),
    "--fail-if without sense": (["--fail-if", "accuracy is low"], ["--fail-if", "accuracy < 0.9"]),
    "--fail-if of what is not there": (["--fail-if", "mae > 3", "--data", "iris"], ["--fail-if", "mae"]),
    "a loss that makes no sense": (["--loss", "ctc", "--data", "iris"], ["ctc"]),
    "percent of classes": (["--loss", "mape", "--data", "iris"], ["mape", "multiclass", "take cross_entropy"]),
    "no such file of one's own": (["--loss", "nowhere.py:f", "--data", "iris"], ["nowhere.py"]),
    "no such name in it": (
        ["--opt", lambda f: f"{csv(f, 'x = 1').rename(f / 'own.py')}:Foo", "--data", "iris"],
        ["own.py", "Foo"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_with_place_and_remedy(train, tmp_path, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    typed, words = BAD[case]
    run = train(*(word(tmp_path) if callable(word) else word for word in typed))
    assert run.code == 2, run.err
    assert run.out == ""
    assert run.err.startswith("error: ") or "\nerror: " in run.err
    assert "Traceback" not in run.err
    for word in words:
        assert word in run.err
    assert run.folder is None


def test_the_name_of_a_run_that_exists_is_refused_and_the_run_is_left_alone(train):
    first = train("--data", "iris", "--epochs", 1, "--name", "mine")
    before = (first.folder / "result.json").read_bytes()
    second = train("--data", "iris", "--epochs", 1, "--name", "mine")
    assert second.code == 2
    assert "--name" in second.err
    assert "exists" in second.err
    assert (first.folder / "result.json").read_bytes() == before


REFUSED_AT_ONCE = {
    "logs that are a file": (["--logs", "taken/logs"], "it is a file"),
    "a run that exists": (["--name", "mine"], "exists"),
    "a name that is no name": (["--name", "a/b"], "cannot be the name"),
}


@pytest.mark.parametrize("case", REFUSED_AT_ONCE)
def test_a_folder_that_cannot_be_made_is_refused_before_the_users_code_runs_and_torch_is_imported(tmp_path, case):
    typed, word = REFUSED_AT_ONCE[case]
    (tmp_path / "taken").write_text("")
    (tmp_path / "logs" / "mine").mkdir(parents=True)
    (tmp_path / "own.py").write_text("raise RuntimeError('data were loaded')\n")
    code = (
        "import sys; from lossopt_cli.__main__ import run\n"
        f"code = run(['train', '--data', 'own.py:data', *{typed!r}])\n"
        "assert 'torch' not in sys.modules\n"
        "sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 2, done.stderr
    assert word in done.stderr
    assert "data were loaded" not in done.stderr


def test_a_run_refused_for_another_reason_leaves_no_folder(train, tmp_path):
    run = train("--data", "iris", "--device", "cuda:99", "--logs", tmp_path / "new" / "logs", "--name", "mine")
    assert run.code == 2
    assert not (tmp_path / "new").exists()


def test_once_may_name_the_run_that_it_finds(train):
    first = train("--data", "iris", "--epochs", 1, "--name", "mine")
    again = train("--data", "iris", "--epochs", 1, "--name", "mine", "--once", "-q")
    assert again.code == 0, again.err
    assert again.out.strip() == str(first.folder)


def test_a_loss_that_fails_on_its_first_batch_is_told_the_shapes(train, tmp_path):
    (tmp_path / "own.py").write_text("def loss(y_true, y_pred):\n    return (y_true[:, :2] - y_pred).mean()\n")
    run = train("--data", "iris", "--loss", f"{tmp_path / 'own.py'}:loss")
    assert run.code == 2
    assert "y_true was float32 of shape [32, 3], y_pred float32 of shape [32, 3]" in run.err
    assert "y_true is one-hot, for class numbers: own.py:loss:targets=integer" in run.err


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_logs_that_may_not_be_written_to(train, tmp_path):
    (tmp_path / "closed").mkdir(mode=0o500)
    run = train("--data", "iris", "--logs", tmp_path / "closed" / "logs")
    assert run.code == 2
    assert "--logs" in run.err


@pytest.mark.parametrize(
    ("typed", "word"),
    [(("--loss", "hubr"), "huber"), (("--device", "cuda:99", "--data", "iris"), "cpu"), (("--bogus",), "--bogus")],
)
def test_in_a_process_of_its_own_it_is_the_same(tmp_path, typed, word):
    command = [sys.executable, "-m", "lossopt_cli", "train", *typed]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120)
    assert done.returncode == 2
    assert done.stdout == ""
    assert word in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_debug_adds_the_traceback(train):
    assert "Traceback" in train("--loss", "hubr", "--debug").err
