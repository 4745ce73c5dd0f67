"""`lossopt evaluate` on a run's own data: numbers, table, JSON, thresholds, and every way to be refused."""

import contextlib
import io
import json
import re
import shutil
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from made_runs import made_run
from sklearn import metrics as theirs

from lossopt_cli.__main__ import run

TRAINED = {
    "digits": ("--model", "mlp", "--epochs", "1"),
    "breast_cancer": ("--epochs", "1"),
    "hinged": ("--data", "breast_cancer", "--loss", "hinge", "--epochs", "1"),
    "diabetes": ("--epochs", "4", "--lr", "0.1", "--set", "train.keep=best"),
    "whole": ("--data", "iris", "--epochs", "1", "--set", "data.split=[1,0,0]"),
}


@pytest.fixture(scope="module")
def logs(tmp_path_factory) -> Path:
    """One run of each, by that name."""
    logs = tmp_path_factory.mktemp("evaluate") / "logs"
    for name, words in TRAINED.items():
        data = () if "--data" in words else ("--data", name)
        with contextlib.redirect_stdout(io.StringIO()):
            assert run(["train", *data, *words, "--name", name, "--logs", str(logs), "-q"]) == 0
    return logs


def predicted(path: Path) -> dict[str, np.ndarray]:
    table = np.genfromtxt(path, delimiter=",", names=True, dtype=None, encoding="utf-8")
    return {name: table[name] for name in table.dtype.names}


OWN = [(name, split) for name in ("digits", "breast_cancer", "hinged", "diabetes")
       for split in ("test", "validation", "train")]  # fmt: skip


@pytest.mark.parametrize(("name", "split"), OWN)
def test_the_metrics_are_those_of_the_training_bit_for_bit(evaluate, logs, name, split):
    done = evaluate(name, "--split", split, "-f", "json")
    assert done.code == 0, done.err
    result = json.loads((logs / name / "result.json").read_text())
    kept = result["metrics_best"] if name == "diabetes" else result["metrics"]
    assert done.json["metrics"] == kept[split]
    assert done.json["difference_to_result"] == 0.0
    assert done.json["n"] == result["sizes"][split]
    assert done.json["guessing"] == result["guessing"][split]
    assert json.loads((logs / name / f"evaluation-{split}.json").read_text()) == done.json


def test_the_best_weights_differ_from_the_last(evaluate, logs):
    result = json.loads((logs / "diabetes" / "result.json").read_text())
    assert result["metrics_best"]["test"] != result["metrics"]["test"]
    weights = evaluate("diabetes", "-f", "json").json["weights"]
    assert weights == {"epoch": result["best_epoch"], "kept": "best"}
    assert result["best_epoch"] < 4
    assert "the best on validation" in evaluate("diabetes").out


def test_classes_are_scored_as_scikit_learn_scores_them(evaluate, tmp_path):
    done = evaluate("digits", "--predictions", tmp_path / "p.csv", "-f", "json").json
    said = predicted(tmp_path / "p.csv")
    labels = [int(name) for name in done["classes"]]
    scores = theirs.precision_recall_fscore_support(said["truth"], said["prediction"], labels=labels, zero_division=0)
    for part, values in zip(("precision", "recall", "f1", "support"), scores, strict=True):
        assert [row[part] for row in done["per_class"]] == pytest.approx(values.tolist(), abs=1e-9)
    counts = theirs.confusion_matrix(said["truth"], said["prediction"], labels=labels)
    assert done["confusion"] == {"classes": done["classes"], "counts": counts.tolist()}
    p = np.stack([said[f"p_{name}"] for name in labels], axis=1)
    assert done["metrics"]["cross_entropy"] == pytest.approx(theirs.log_loss(said["truth"], p), abs=1e-9)
    assert done["metrics"]["macro_f1"] == pytest.approx(
        theirs.f1_score(said["truth"], said["prediction"], average="macro"), abs=1e-9
    )


def test_two_classes_are_ranked_as_scikit_learn_ranks_them(evaluate, tmp_path):
    for name, level in (("breast_cancer", "p_benign"), ("hinged", "score")):
        done = evaluate(name, "--predictions", tmp_path / "p.csv", "-f", "json").json
        said = predicted(tmp_path / "p.csv")
        is_one = said["truth"] == "benign"
        assert done["metrics"]["auc"] == pytest.approx(theirs.roc_auc_score(is_one, said[level]), abs=1e-9)
        assert ((said[level] > done["threshold"]["value"]) == (said["prediction"] == "benign")).all()
    assert "cross_entropy" not in done["metrics"]


def test_numbers_are_scored_as_scikit_learn_scores_them(evaluate, tmp_path):
    done = evaluate("diabetes", "--predictions", tmp_path / "p.csv", "-f", "json").json
    said = predicted(tmp_path / "p.csv")
    truth, prediction = said["truth"], said["prediction"]
    assert done["metrics"]["r2"] == pytest.approx(theirs.r2_score(truth, prediction), abs=1e-9)
    assert done["metrics"]["mae"] == pytest.approx(theirs.mean_absolute_error(truth, prediction), abs=1e-9)
    assert done["metrics"]["rmse"] == pytest.approx(theirs.root_mean_squared_error(truth, prediction), abs=1e-9)
    worst = np.abs(prediction - truth).argmax()
    first = done["largest_errors"][0]
    assert (first["row"], first["truth"], first["prediction"]) == (said["row"][worst], truth[worst], prediction[worst])
    assert first["error"] == prediction[worst] - truth[worst]


def test_rows_count_the_examples_of_the_whole_data_from_0(evaluate, tmp_path):
    from sklearn.datasets import load_diabetes

    evaluate("diabetes", "--predictions", tmp_path / "p.csv")
    said = predicted(tmp_path / "p.csv")
    assert np.array_equal(load_diabetes().target[said["row"]], said["truth"])


def test_another_threshold_changes_what_is_said(evaluate, tmp_path):
    usual = evaluate("breast_cancer", "-f", "json").json
    strict = evaluate("breast_cancer", "--threshold", "0.95", "--predictions", tmp_path / "p.csv", "-f", "json").json
    said = predicted(tmp_path / "p.csv")
    assert ((said["p_benign"] > 0.95) == (said["prediction"] == "benign")).all()
    used = strict["threshold"]["rows"][0]
    benign = strict["per_class"][1]
    assert (used["threshold"], used["recall"], used["precision"]) == (0.95, benign["recall"], benign["precision"])
    assert benign["recall"] < usual["per_class"][1]["recall"]
    assert strict["metrics"]["auc"] == usual["metrics"]["auc"]
    assert "difference_to_result" not in strict


def test_the_best_thresholds_are_chosen_on_validation(evaluate, tmp_path):
    evaluate("breast_cancer", "--split", "validation", "--predictions", tmp_path / "validation.csv")
    done = evaluate("breast_cancer", "--predictions", tmp_path / "test.csv", "-f", "json").json["threshold"]
    chosen_on, test = predicted(tmp_path / "validation.csv"), predicted(tmp_path / "test.csv")
    for row, score in zip(done["rows"][1:], (theirs.f1_score, theirs.balanced_accuracy_score), strict=True):
        truth = chosen_on["truth"] == "benign"
        found = score(truth, chosen_on["p_benign"] > row["threshold"])
        tried = [score(truth, chosen_on["p_benign"] > t) for t in [0.5, *chosen_on["p_benign"]]]
        assert found == pytest.approx(max(tried))
        here = theirs.f1_score(test["truth"] == "benign", test["p_benign"] > row["threshold"])
        assert row["f1"] == pytest.approx(here, abs=1e-9)
    assert done["chosen_here"] is False


def test_a_table_for_a_person(evaluate):
    done = evaluate("breast_cancer")
    assert max(map(len, done.out.splitlines())) <= 80
    lines = done.out.splitlines()
    assert lines[0] == "test split of breast_cancer: 57 rows; weights after epoch 1, the last"
    assert re.search(r"^accuracy +0\.\d{3} +0\.\d{3} to [01]\.\d{3} +0\.632$", done.out, re.M)
    assert "19 in 20" in " ".join(lines)
    assert re.search(r"^malignant +0\.\d{3} +0\.\d{3} +0\.\d{3} +21$", done.out, re.M)
    assert "benign is predicted above a probability of" in done.out


def test_a_table_of_numbers_names_the_units_and_the_largest_errors(evaluate):
    done = evaluate("diabetes", "--split", "train")
    assert "in the units of disease progression" in " ".join(done.out.split())
    assert "was trained on these rows" in " ".join(done.out.split())
    assert "largest errors" in done.out


FIELDS = ["schema_version", "run_dir", "trial", "status", "weights", "data", "split", "own_data", "labelled",
          "trained_on", "n", "examples", "task", "target", "classes", "metrics", "confidence", "intervals",
          "guessing", "per_class", "confusion", "threshold", "difference_to_result"]  # fmt: skip


def test_the_json_has_its_fields(evaluate):
    found = evaluate("breast_cancer", "-f", "json").json
    assert list(found) == FIELDS
    assert found["intervals"]["accuracy"]["method"] == "wilson"
    assert found["intervals"]["auc"]["low"] < found["metrics"]["auc"] < found["intervals"]["auc"]["high"]


@pytest.mark.parametrize("format", ["table", "csv", "markdown", "latex"])
def test_the_loss_stands_in_json_alone(evaluate, format):
    assert "loss" in evaluate("breast_cancer", "-f", "json").json["metrics"]
    words = set(re.split(r"[^a-z_]+", evaluate("breast_cancer", "-f", format).out))
    assert "accuracy" in words
    assert "loss" not in words


def test_an_evaluation_is_what_a_confusion_matrix_is_drawn_from(evaluate, logs, tmp_path, capsys):
    shutil.copytree(logs / "digits", tmp_path / "copy")
    (tmp_path / "copy" / "evaluation-test.json").unlink(missing_ok=True)
    plot = ["plot", str(tmp_path / "copy"), "--kind", "confusion"]
    assert run(plot) == 2
    command = capsys.readouterr().err.splitlines()[-1].split()
    assert command[:2] == ["lossopt", "evaluate"]
    assert evaluate(*command[2:]).code == 0
    assert run(plot) == 0
    assert (tmp_path / "copy" / "confusion.png").is_file()


def test_csv_has_every_cell_of_the_confusion(evaluate):
    found = evaluate("digits", "-f", "csv").out.splitlines()
    assert found[0] == "table,row,column,value"
    assert sum(line.startswith("confusion,") for line in found) == 100
    assert sum(line.startswith("classes,7,") for line in found) == 5


@pytest.mark.parametrize("format", ["markdown", "latex"])
def test_papers_get_metrics_classes_and_confusion(evaluate, format):
    tables = evaluate("breast_cancer", "-f", format).out.strip().split("\n\n")
    assert len(tables) == 3
    assert "malignant" in tables[1]


def test_quiet_prints_the_path_alone(evaluate, logs):
    done = evaluate("digits", "-q")
    assert (done.out, done.err) == (f"{logs / 'digits'}\n", "")


def test_nothing_of_the_training_is_touched(evaluate, logs):
    kept = {path: path.read_bytes() for path in (logs / "digits").rglob("*") if path.is_file()}
    evaluate("digits", "--split", "train")
    for path, content in kept.items():
        assert path.read_bytes() == content, path


def test_a_place_that_cannot_be_written_to_is_a_note(evaluate, logs, tmp_path):
    shutil.copytree(logs / "digits", tmp_path / "copy")
    (tmp_path / "copy" / "evaluation-test.json").unlink(missing_ok=True)
    (tmp_path / "copy" / "evaluation-test.json").mkdir()
    done = evaluate(tmp_path / "copy", "-f", "json")
    assert done.code == 0
    assert done.json["n"] == 180
    assert "cannot be written" in done.err


@pytest.mark.parametrize(
    ("condition", "code"),
    [("accuracy < 0.01", 0), ("accuracy < 1.1", 3), ("recall.benign > 2 or macro_f1 >= 0", 3), ("loss < 0", 0)],
)
def test_a_check_that_is_not_met_exits_3(evaluate, condition, code):
    done = evaluate("breast_cancer", "--fail-if", condition, "-f", "json")
    assert done.code == code
    assert done.json["n"] == 57
    assert ("--fail-if" in done.err) == (code == 3)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("nothing",), ("no run is called 'nothing'",)),
        ((__file__,), (f"'{__file__}' is a file, not a run",)),
        (("digits", "--split", "tset"), ("--split", "'tset'", "'validation'")),
        (("digits", "--threshold", "0.5"), ("--threshold", "multiclass")),
        (("breast_cancer", "--threshold", "7"), ("7 is no probability", "between 0 and 1")),
        (("digits", "--fail-if", "acuracy < 1"), ("'acuracy'", "did you mean accuracy?")),
        (("digits", "--fail-if", "mae > 1"), ("'mae'", "accuracy")),
        (("digits", "--predictions", "/nowhere/p.csv"), ("no folder /nowhere",)),
        (("digits", "--predictions", "/"), ("/ is a folder",)),
        (("digits", "--data", "/nowhere.csv"), ("--data", "no such file")),
        (("digits", "--data", "iris"), ("iris is a table", "images of 8x8x1")),
        (("whole",), ("no test split", "data.split", "--split train")),
        (("digits", "--device", "cuda:77"), ("--device", "cuda:77")),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_predicted(evaluate, words, told):
    done = evaluate(*words)
    assert done.code == 2
    assert done.out == ""
    for text in told:
        assert text in done.err


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ("running", "the run is still running, or was killed: there is no model"),
        ("failed", "the run failed: there is no model"),
        ("diverged", "the run diverged: there is no model"),
        ("interrupted", "the run was interrupted before its first epoch ended: there is no model"),
        ("done", "the run kept no model"),
    ],
)
def test_a_run_without_a_model_is_refused(evaluate, logs, tmp_path, status, told):
    copy = tmp_path / status
    shutil.copytree(logs / "digits", copy)
    (copy / "labels.json").unlink()
    result = json.loads((copy / "result.json").read_text())
    (copy / "result.json").write_text(json.dumps(result | {"status": status}))
    done = evaluate(copy)
    assert done.code == 2
    assert told in done.err


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("model.keras", b"half a file", "model.keras cannot be read"),
        ("model.keras", None, "no model.keras"),
        ("labels.json", b"{}", "older lossopt"),
        ("labels.json", b"{", "labels.json cannot be read"),
        ("config.yaml", b"data: {name: digits", "not YAML"),
        ("result.json", b"{", "result.json line 1"),
    ],
)
def test_a_damaged_folder_says_what_is_wrong(evaluate, logs, tmp_path, name, content, told):
    copy = tmp_path / "damaged"
    shutil.copytree(logs / "digits", copy)
    (copy / name).unlink() if content is None else (copy / name).write_bytes(content)
    done = evaluate(copy)
    assert done.code == 2
    assert told in done.err
    assert "Traceback" not in done.err


def test_a_sweep_is_refused_with_the_best_of_its_runs(evaluate, tmp_path):
    for optimizer, rate, seed in product(("sgd", "adam"), (0.1, 0.01, 0.001), (3, 2)):
        name = f"{optimizer}-{rate}-{seed}"
        accuracy = 0.9 + 0.02 * (optimizer == "adam") + 0.01 * (rate == 0.01)
        made_run(tmp_path / name, optimizer=optimizer, learning_rate=rate, seed=seed, test=accuracy)
    made_run(tmp_path / "going-on", status="running")
    (tmp_path / "sweep.yaml").write_text("schema_version: 1\n")
    done = evaluate(tmp_path)
    assert done.code == 2
    assert "a sweep of 13 runs, which keeps no models" in done.err
    assert f"lossopt train {tmp_path}/adam-0.01-2/config.yaml && lossopt evaluate last\n" in done.err


def test_of_a_folder_of_runs_the_newest_with_a_model_is_told(evaluate, tmp_path):
    for name in "abc":
        made_run(tmp_path / name)
    (tmp_path / "b" / "labels.json").write_text("{}")
    done = evaluate(tmp_path)
    assert done.code == 2
    assert f"{tmp_path} holds 3 runs" in done.err
    assert done.err.splitlines()[-1].strip() == f"lossopt evaluate {tmp_path}/b"


def test_of_a_folder_of_runs_without_models_the_best_is_told(evaluate, tmp_path):
    for name, accuracy in {"a": 0.91, "b": 0.93, "c": 0.92}.items():
        made_run(tmp_path / name, learning_rate=accuracy / 100, test=accuracy, validation=accuracy)
    done = evaluate(tmp_path)
    assert done.code == 2
    assert f"{tmp_path} holds 3 runs, none of which keeps its model" in done.err
    assert done.err.endswith(f"lossopt train {tmp_path}/b/config.yaml && lossopt evaluate last\n")


def test_an_error_in_json_is_json(evaluate):
    found = evaluate("whole", "-f", "json").json
    assert found["status"] == "bad_usage"
    assert found["error"]["where"] == "--split"
