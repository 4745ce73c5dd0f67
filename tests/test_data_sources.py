"""Named data: scikit-learn's files, made-up sets, torchvision's downloads, and what `--data` may mean."""

import gzip
import hashlib
import pickle
import struct
import subprocess
import sys

import numpy as np
import pytest

from lossopt_cli.catalogue.datasets import DATASETS
from lossopt_cli.config.schema import DataConfig
from lossopt_cli.data import downloads, embedded, sources, synthetic
from lossopt_cli.data.problem import SPLITS
from lossopt_cli.errors import RunError, UsageError

EMBEDDED = tuple(embedded.LOADERS)


def load(name, tasks=None, seed=0, **keys):
    return sources.load(DataConfig(name=name, **keys), tasks, seed, lambda text: None)


def fault_of(name, tasks=None, **keys):
    with pytest.raises(UsageError) as caught:
        load(name, tasks, **keys)
    return str(caught.value)


@pytest.mark.parametrize("name", EMBEDDED)
def test_embedded_sets_are_scikit_learns(name):
    from sklearn import datasets

    options = {"scaled": False} if name == "diabetes" else {}
    theirs = getattr(datasets, f"load_{name}")(**options)
    ours = embedded.LOADERS[name]()
    assert np.array_equal(ours.raw.reshape(len(ours), -1), theirs.data)
    assert np.array_equal(ours.targets, theirs.target)
    if name != "digits":
        assert [c.name for c in ours.inputs] == list(theirs.feature_names)
    if name != "diabetes":
        assert ours.classes == tuple(str(c) for c in theirs.target_names)


def test_embedded_sets_are_read_without_importing_anything_heavy():
    code = (
        "import sys\n"
        "from lossopt_cli.config.schema import DataConfig\n"
        "from lossopt_cli.data import sources, arrays\n"
        "sources.load(DataConfig(name='digits'), None, 0, print)\n"
        "heavy = {'torch', 'keras', 'sklearn', 'scipy', 'PIL', 'torchvision', 'pandas', 'platformdirs'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_digits():
    problem = load("digits")
    assert [len(problem.split(s)) for s in SPLITS] == [1258, 359, 180]
    assert problem.description == "digits: 8x8 images of 10 digits"
    assert problem.inputs.shape == (8, 8, 1)
    assert problem.inputs.scale == 1 / 16
    assert problem.train.inputs.dtype == np.uint8
    assert problem.train.inputs[:].max() == 16
    assert problem.task == "multiclass"
    counts = np.bincount(problem.test.targets)
    assert counts.min() >= 17
    assert counts.max() <= 19


@pytest.mark.parametrize("chosen", [[3, 8], ["3", "8"], [8, "3"]], ids=str)
def test_two_classes_of_digits_are_a_binary_task(chosen):
    problem = load("digits", classes=chosen)
    whole = embedded.digits()
    assert problem.task == "binary"
    assert problem.classes == ("3", "8")
    assert problem.description == "digits: 8x8 images of the digits 3 and 8"
    for part in (problem.train, problem.validation, problem.test):
        assert np.array_equal(np.where(part.targets == 1, 8, 3), whole.targets[part.rows])
        assert np.array_equal(part.inputs, whole.raw[part.rows])


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"classes": [3, 11]}, ["no class '11'", "0, 1, 2"]),
        ({"classes": ["3", 3]}, ["two different classes"]),
        ({"classes": [3]}, ["two different classes"]),
        ({"target": "digit"}, ["data.target does not apply"]),
        ({"image_size": 16, "missing": "drop"}, ["data.missing", "data.image_size"]),
        ({"settings": {"samples": 3}}, ["no setting 'samples'"]),
    ],
    ids=str,
)
def test_keys_that_digits_cannot_follow(keys, words):
    message = fault_of("digits", **keys)
    assert [w for w in words if w not in message] == []


def test_classes_of_a_regression_are_refused():
    assert "data.classes is for classification" in fault_of("diabetes", classes=[1, 2])


def test_limit_keeps_the_shares_of_the_classes():
    problem = load("digits", limit=100)
    targets = np.concatenate([problem.split(s).targets for s in SPLITS])
    assert len(targets) == 100
    assert np.bincount(targets).tolist() == [10] * 10
    assert problem.facts["limit"] == 100
    assert load("digits", limit=5000).facts["limit"] is None
    assert len(load("diabetes", limit=100).train) == 70


def test_diabetes_is_standardised_by_training_rows_only():
    problem = load("diabetes")
    assert problem.task == "regression"
    assert problem.description == "diabetes: 442 patients, 10 numbers each -> disease progression"
    train = problem.train
    assert problem.target_mean == pytest.approx(train.targets.mean(), rel=1e-12)
    assert problem.target_deviation == pytest.approx(train.targets.std(), rel=1e-12)
    encoded = problem.inputs.encode(train.inputs)
    assert np.abs(encoded.mean(axis=0)).max() < 1e-6
    assert np.abs(encoded.std(axis=0) - 1).max() < 1e-6
    assert np.abs(problem.inputs.encode(problem.test.inputs).mean(axis=0)).max() > 0.01


def test_scale_target_false_leaves_the_target():
    problem = load("diabetes", scale_target=False)
    assert (problem.target_mean, problem.target_deviation) == (0.0, 1.0)


def test_parts_may_be_empty():
    problem = load("diabetes", split=[1.0, 0.0, 0.0])
    assert [len(problem.split(s)) for s in SPLITS] == [442, 0, 0]
    assert problem.notes == ()


FACTS = [
    {"split_seed": 7},
    {"classes": [1, 2]},
    {"limit": 50},
    {"split": [0.6, 0.2, 0.2]},
    {"split_method": "random"},
]


@pytest.mark.parametrize("keys", FACTS, ids=str)
def test_what_defines_the_problem_is_a_fact(keys):
    assert load("digits").facts == load("digits").facts
    assert load("digits", **keys).facts != load("digits").facts


def test_a_split_by_training_seed_is_one_problem():
    assert load("iris", seed=1, split_seed="seed").facts == load("iris", seed=2, split_seed="seed").facts


@pytest.mark.parametrize("row", [r for r in DATASETS if not r.download and r.task], ids=lambda r: r.name)
def test_every_named_set_loads_with_the_task_of_its_row(row):
    problem = load(row.name)
    assert problem.task == row.task
    assert row.inputs in (problem.inputs.kind, "any")
    assert problem.description.startswith(f"{row.name}: ")
    assert len(problem.facts) > 0


@pytest.mark.parametrize("name", ["Breast-Cancer", "breastcancer", "BREAST_CANCER"])
def test_names_match_without_case_and_underscores(name):
    assert load(name).name == "breast_cancer"


# ------------------------------------------------------------------------------------------- made-up data


def test_synthetic_regression_is_what_it_says():
    drawn = synthetic.synthetic_regression({"samples": 4000, "signal": 2.0, "noise": 1.0})
    fit, residual, *_ = np.linalg.lstsq(drawn.raw, drawn.targets, rcond=None)
    assert np.linalg.norm(fit) == pytest.approx(2, abs=0.1)
    assert residual[0] / 4000 == pytest.approx(1, abs=0.1)


def test_synthetic_regression_without_signal_cannot_be_learned():
    drawn = synthetic.synthetic_regression({"samples": 4000, "signal": 0.0, "noise": 1.0})
    fit, *_ = np.linalg.lstsq(drawn.raw, drawn.targets, rcond=None)
    assert np.linalg.norm(fit) < 0.1
    assert "nothing to learn" in drawn.describe(None, 10)


def test_synthetic_regression_is_100_by_10_unless_said():
    assert synthetic.synthetic_regression({}).raw.shape == (100, 10)


@pytest.mark.parametrize(
    ("signal", "settings", "least", "most"),
    [
        (0.0, {}, 0, 0.3),
        (4.0, {}, 0.95, 1),
        (0.0, {"shape": [4, 4, 3]}, 0, 0.3),
        (0.6, {"shape": [4, 4, 3]}, 0.95, 1),
    ],
)
def test_synthetic_classes_are_as_far_apart_as_the_signal(signal, settings, least, most):
    drawn = synthetic.synthetic_classification({"samples": 2000, "signal": signal, **settings})
    x = drawn.raw.reshape(2000, -1).astype(np.float64)
    train, test = slice(0, 1000), slice(1000, 2000)
    centres = np.stack([x[train][drawn.targets[train] == k].mean(axis=0) for k in range(5)])
    nearest = ((x[test][:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
    assert least <= (nearest == drawn.targets[test]).mean() <= most


def test_synthetic_images_are_images():
    problem = load("synthetic_classification", settings={"shape": [32, 32, 3], "samples": 50, "classes": 2})
    assert problem.task == "binary"
    assert problem.inputs.shape == (32, 32, 3)
    assert problem.train.inputs.dtype == np.uint8


@pytest.mark.parametrize("name", synthetic.LOADERS)
def test_the_seed_of_made_up_data_is_a_setting(name):
    first, again, other = (synthetic.LOADERS[name]({"seed": s}).raw for s in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("name", "settings", "word"),
    [
        ("synthetic_regression", {"sample": 3}, "sample"),
        ("synthetic_regression", {"samples": 0}, "samples"),
        ("synthetic_regression", {"noise": -1.0}, "noise"),
        ("synthetic_regression", {"noise": 0.0, "signal": 0.0}, "constant"),
        ("synthetic_classification", {"shape": [32, 32]}, "shape"),
        ("synthetic_classification", {"shape": [4, 4, 1], "signal": 2.0}, "signal"),
        ("synthetic_classification", {"classes": 20, "samples": 10}, "more classes"),
    ],
)
def test_settings_that_make_no_sense(name, settings, word):
    assert word in fault_of(name, settings=settings)


# ---------------------------------------------------------------------------------------------- downloads


def _idx(array):
    header = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.tobytes()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "downloads_folder", lambda: tmp_path / "cache")
    return tmp_path / "cache"


@pytest.mark.parametrize(("name", "folder"), [("mnist", "MNIST"), ("fashion_mnist", "FashionMNIST")])
def test_mnist_from_files_as_torchvision_keeps_them(cache, name, folder):
    rng = np.random.default_rng(0)
    images = {"train": rng.integers(0, 256, (90, 28, 28), dtype=np.uint8)}
    images["t10k"] = rng.integers(0, 256, (20, 28, 28), dtype=np.uint8)
    raw = cache / folder / "raw"
    raw.mkdir(parents=True)
    for part, pixels in images.items():
        labels = (np.arange(len(pixels)) % 10).astype(np.uint8)
        (raw / f"{part}-images-idx3-ubyte").write_bytes(_idx(pixels))
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(_idx(labels))
    problem = load(name)
    assert [len(problem.split(s)) for s in SPLITS] == [70, 20, 20]
    assert problem.inputs.shape == (28, 28, 1)
    assert np.array_equal(problem.test.inputs[..., 0], images["t10k"])
    assert np.array_equal(problem.train.inputs[..., 0], images["train"][problem.train.rows])
    assert len(problem.classes) == 10
    assert (problem.classes[3] == "3") == (name == "mnist")


def test_cifar10_from_files_as_torchvision_keeps_them(cache, monkeypatch):
    from torchvision.datasets import CIFAR10

    folder = cache / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)

    def write(name, content):
        data = pickle.dumps(content)
        (folder / name).write_bytes(data)
        return hashlib.md5(data).hexdigest()

    def batch(count):
        pixels = rng.integers(0, 256, (count, 3072), dtype=np.uint8)
        return {"data": pixels, "labels": [k % 10 for k in range(count)]}

    test = batch(20)
    train_list = [[name, write(name, batch(18))] for name, _ in CIFAR10.train_list]
    monkeypatch.setattr(CIFAR10, "train_list", train_list)
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", write("test_batch", test)]])
    names = {"label_names": [f"thing{k}" for k in range(10)]}
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": write("batches.meta", names)})
    problem = load("cifar10", classes=["thing3", "thing5"])
    assert problem.task == "binary"
    assert [len(problem.split(s)) for s in SPLITS] == [16, 4, 4]
    channels_first = test["data"].reshape(-1, 3, 32, 32)[[3, 5, 13, 15]]
    assert np.array_equal(problem.test.inputs, channels_first.transpose(0, 2, 3, 1))


def test_no_network_is_one_clear_error(cache, monkeypatch):
    from torchvision.datasets import MNIST

    monkeypatch.setattr(MNIST, "mirrors", ["http://127.0.0.1:9/"])
    with pytest.raises(RunError) as caught:
        load("mnist")
    message = str(caught.value)
    assert "mnist could not be downloaded" in message
    assert str(cache) in message
    assert "--data digits" in message


def test_damaged_files_are_one_clear_error(cache):
    raw = cache / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part in ("train", "t10k"):
        for kind in ("images-idx3", "labels-idx1"):
            (raw / f"{part}-{kind}-ubyte").write_bytes(gzip.compress(b"no"))
    with pytest.raises(RunError, match="mnist could not be downloaded or read"):
        load("mnist")


# ------------------------------------------------------------------------------------- what --data may mean


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("digts", ["unknown data 'digts'", "did you mean digits?"]),
        ("csv", ["needs a path"]),
        ("image_folder", ["needs a path"]),
        ("nowhere/photos", ["no such file or folder", "there is no folder nowhere"]),
        ("nowhere.csv", ["no such file or folder: nowhere.csv"]),
    ],
)
def test_data_that_are_not_there(name, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    message = fault_of(name)
    assert [w for w in words if w not in message] == []


@pytest.mark.parametrize(
    ("file", "remedy"),
    [("photos.zip", "unpack it"), ("a.jpg", "--data"), ("mine.py", ":FUNCTION"), ("a.xlsx", "a .csv file")],
)
def test_files_that_are_no_table(file, remedy, tmp_path):
    path = tmp_path / file
    path.write_bytes(b"x")
    message = fault_of(str(path))
    assert f"cannot read data from {file}" in message
    assert remedy in message


def test_a_mistyped_path_gets_the_nearest(tmp_path):
    (tmp_path / "abalone.csv").write_text("1,2\n")
    assert "abalone.csv?" in fault_of(str(tmp_path / "abalon.csv"))
