"""What a run leaves on disk, and that it is what its result says."""

import json
import subprocess
import sys
from datetime import datetime

import numpy as np
import pytest

FILES = {
    "config.yaml", "result.json", "epochs.csv", "steps.csv", "model.keras", "labels.json", "checkpoint", "run.log",
}  # fmt: skip
PARTS = ("start_up", "features", "build", "tracing", "train", "evaluate", "write", "other")


def table(path) -> np.ndarray:
    return np.genfromtxt(path, delimiter=",", names=True)


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """One run of digits with mlp, two epochs: (folder, result). Its own process has its own stdout."""
    logs = tmp_path_factory.mktemp("logs")
    typed = ["train", "--model", "mlp", "--epochs", "2", "-q", "--logs", str(logs)]
    subprocess.run([sys.executable, "-m", "lossopt_cli", *typed], check=True, capture_output=True, timeout=120)
    folder = next(logs.iterdir())
    return folder, json.loads((folder / "result.json").read_text())


def test_the_folder_is_complete_and_named_by_what_was_trained(digits):
    folder, result = digits
    found = {path.name for path in folder.iterdir()}
    events = {name for name in found if name.startswith("events.out.tfevents.")}
    assert found == FILES | events
    assert len(events) == 1
    stem, _, stamp = folder.name.rpartition("-s0-")
    assert stem == "digits-mlp-cross_entropy-adam-lr0.001"
    datetime.strptime(stamp, "%Y%m%d-%H%M%S")
    assert result["run_dir"] == str(folder)


def test_the_tables_are_whole(digits):
    folder, result = digits
    epochs, steps = table(folder / "epochs.csv"), table(folder / "steps.csv")
    assert set(steps.dtype.names) == {"step", "epoch", "loss", "learning_rate", "gradient_norm"}
    assert {"epoch", "learning_rate", "train_loss", "validation_loss"} <= set(epochs.dtype.names)
    assert {"train_accuracy", "validation_accuracy"} <= set(epochs.dtype.names)
    assert not [name for name in epochs.dtype.names if "second" in name]
    assert steps["step"].tolist() == list(range(1, 81))
    assert steps["epoch"].tolist() == [1] * 40 + [2] * 40
    assert epochs["epoch"].tolist() == [1, 2]
    assert epochs["validation_accuracy"][-1] == pytest.approx(result["metrics"]["validation"]["accuracy"])
    assert result["curve"]["accuracy"][1:] == pytest.approx(epochs["validation_accuracy"].tolist())
    assert np.isfinite(steps["loss"]).all()
    assert (steps["gradient_norm"] > 0).all()


def test_tensorboard_reads_every_scalar_and_the_hyperparameters(digits):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams import metadata

    folder, result = digits
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0})
    events.Reload()
    tags = events.Tags()["scalars"]
    steps, epochs = table(folder / "steps.csv"), table(folder / "epochs.csv")
    columns = {"batch/loss": "loss", "batch/gradient_norm": "gradient_norm", "batch/learning_rate": "learning_rate"}
    for tag, column in columns.items():
        assert [event.step for event in events.Scalars(tag)] == steps["step"].tolist()
        assert [event.value for event in events.Scalars(tag)] == pytest.approx(steps[column], rel=1e-6)
    of_epochs = [name for name in epochs.dtype.names if name.startswith(("train_", "validation_"))]
    assert len(of_epochs) == 8
    for name in of_epochs:
        told = events.Scalars(name.replace("_", "/", 1))
        assert [event.value for event in told if event.step > 0] == pytest.approx(epochs[name], rel=1e-6)
    assert events.Scalars("test/accuracy")[-1].value == pytest.approx(result["metrics"]["test"]["accuracy"])
    assert {tag.partition("/")[0] for tag in tags} == {"batch", "train", "validation", "test"}
    content = events.SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
    started = metadata.parse_session_start_info_plugin_data(content)
    assert started.hparams["loss"].string_value == "cross_entropy"
    assert started.hparams["optimizer.learning_rate"].number_value == pytest.approx(0.001)
    assert started.hparams["batch_size"].number_value == 32
    ended = events.SummaryMetadata(metadata.SESSION_END_INFO_TAG).plugin_data.content
    assert metadata.parse_session_end_info_plugin_data(ended).status == 1


def test_the_seconds_add_up(digits):
    _, result = digits
    seconds = result["seconds"]
    assert set(seconds) == {"total", *PARTS}
    assert sum(seconds[part] for part in PARTS) == pytest.approx(seconds["total"])
    assert all(seconds[part] >= 0.0 for part in PARTS)
    assert seconds["other"] < 0.2
    assert result["examples_per_second"] == pytest.approx(2 * 1258 / seconds["train"])


def test_its_config_repeats_the_run_byte_for_byte(digits, tmp_path, monkeypatch, capsys):
    from lossopt_cli.__main__ import run

    folder, result = digits
    monkeypatch.chdir(tmp_path)
    assert run(["train", str(folder / "config.yaml"), "--name", "again", "-q"]) == 0
    again = tmp_path / "logs" / "again"
    for name in ("epochs.csv", "steps.csv", "config.yaml", "labels.json", "model.keras"):
        assert (again / name).read_bytes() == (folder / name).read_bytes(), name
    assert json.loads((again / "result.json").read_text())["trial"] == result["trial"]


def test_the_whole_model_predicts_what_the_result_says(digits):
    program = (
        "import os, sys; os.environ['KERAS_BACKEND'] = 'torch'; import keras, numpy as np;"
        "from sklearn.datasets import load_digits; images = load_digits().images[..., None].astype('uint8');"
        "model = keras.saving.load_model(sys.argv[1]); p = model.predict(images, verbose=0);"
        "assert 'lossopt_cli' not in sys.modules; print(float((p.argmax(1) == load_digits().target).mean()))"
    )
    folder, result = digits
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder / "model.keras")], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    weights = {split: result["sizes"][split] * result["metrics"][split]["accuracy"] for split in result["sizes"]}
    assert float(done.stdout) == pytest.approx(sum(weights.values()) / sum(result["sizes"].values()), abs=1e-9)


def test_the_best_weights_are_kept_where_that_is_asked_for(train):
    common = ("--data", "diabetes", "--opt", "adam", "--lr", 0.03, "--epochs", 6)
    last, best = train(*common), train(*common, "--set", "train.keep=best")
    assert best.result["metrics"] == last.result["metrics"]
    assert best.result["metrics_best"]["validation"]["mae"] < best.result["metrics"]["validation"]["mae"]
    assert (best.folder / "model.keras").read_bytes() != (last.folder / "model.keras").read_bytes()
    shorter = train(*common[:-1], best.result["best_epoch"])
    assert (best.folder / "model.keras").read_bytes() == (shorter.folder / "model.keras").read_bytes()


def test_a_diverged_run_is_complete_but_for_the_model(train):
    run = train("--data", "iris", "--opt", "sgd", "--lr", "1e38", "--epochs", 2)
    found = {path.name for path in run.folder.iterdir()}
    assert {"config.yaml", "result.json", "epochs.csv", "steps.csv", "checkpoint", "run.log"} <= found
    assert "model.keras" not in found
    json.loads((run.folder / "result.json").read_text(), parse_constant=pytest.fail)
    assert len(table(run.folder / "steps.csv")) >= run.result["diverged_at"]


def test_the_user_s_code_is_kept_and_named_by_the_config(train, tmp_path):
    source = tmp_path / "mine.py"
    source.write_text("def loss(y_true, y_pred, power=2):\n    return (abs(y_true - y_pred) ** power).mean()\n")
    first = train("--data", "diabetes", "--loss", f"{source}:loss", "--epochs", 2)
    kept = first.result["code"][f"{source}:loss"]
    assert (first.folder / kept["file"]).read_bytes() == source.read_bytes()
    assert len(kept["sha256"]) == 64
    assert kept["defaults"] == {"power": 2}
    config = (first.folder / "config.yaml").read_text()
    assert "code/mine.py:loss" in config
    assert "power: 2" in config
    source.unlink()
    again = train(first.folder / "config.yaml", "--name", "again")
    assert again.code == 0, again.err
    assert (again.folder / "epochs.csv").read_bytes() == (first.folder / "epochs.csv").read_bytes()
    assert again.result["trial"] == first.result["trial"]


def test_a_run_that_fails_says_so_in_its_folder(train, tmp_path):
    source = tmp_path / "mine.py"
    source.write_text(
        "count = 0\n\n\ndef loss(y_true, y_pred):\n    global count\n    count += 1\n"
        "    assert count < 15, 'worn out'\n    return ((y_true - y_pred) ** 2).mean()\n"
    )
    run = train("--data", "diabetes", "--loss", f"{source}:loss", "--epochs", 5)
    assert run.code == 1
    assert run.result["status"] == "failed"
    assert "worn out" in run.result["reason"]
    assert str(run.folder) in run.err
    assert (run.folder / "steps.csv").exists()
    assert "status" not in run.result["metrics"]


def test_a_model_that_cannot_be_written_is_a_warning(train, tmp_path):
    source = tmp_path / "mine.py"
    source.write_text(
        "import keras\n\n\nclass Own(keras.layers.Layer):\n    def __init__(self, units):\n        super().__init__()\n"
        "        self.dense = keras.layers.Dense(units)\n\n    def call(self, x):\n        return self.dense(x)\n\n\n"
        "def model(units, inputs=4):\n    return keras.Sequential([keras.Input((inputs,)), Own(units)])\n"
    )
    run = train("--data", "iris", "--model", f"{source}:model", "--epochs", 2)
    assert run.code == 0, run.err
    assert run.result["status"] == "done"
    warning = next(warning for warning in run.result["warnings"] if warning["name"] == "model_file")
    assert "model.keras" in warning["text"]
    assert warning["text"] in " ".join(run.out.split())


def test_the_trial_is_the_same_wherever_and_however_it_is_run(train):
    first, second = train("--data", "iris", "--epochs", 1), train("--data", "iris", "--epochs", 1, "--name", "other")
    longer = train("--data", "iris", "--epochs", 2)
    rate = train("--data", "iris", "--epochs", 1, "--lr", 0.01)
    assert first.result["trial"] == second.result["trial"]
    assert len({run.result["trial"] for run in (first, longer, rate)}) == 3
    assert len({run.result["problem"] for run in (first, longer, rate)}) == 1
    assert first.result["setting"] == rate.result["setting"] != longer.result["setting"]


@pytest.mark.parametrize("every", [7, 200])
def test_evaluations_within_and_across_epochs(train, every):
    run = train("--data", "diabetes", "--epochs", 3, "--set", f"train.evaluate_every={every}")
    epochs = table(run.folder / "epochs.csv")
    steps = np.atleast_1d(epochs["step"]).tolist()
    assert steps == [*(n for n in range(every, 30, every)), 30]
    assert len(table(run.folder / "steps.csv")) == 30
