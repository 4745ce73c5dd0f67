"""The doctor at work on real runs: what it gathers, when it speaks, and what of it stays in result.json."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_backbones import write_weights
from made_images import class_folders
from small_problems import Nobody, Workbench, config_of, problem_of

from lossopt_cli.catalogue.ailments import NAMES
from lossopt_cli.commands.training_report import report
from lossopt_cli.data.rows import Rows
from lossopt_cli.training import loop
from lossopt_cli.training.diagnosis import doctor_of
from lossopt_cli.training.judging import guess_of, judge
from lossopt_cli.training.repeats import repeated

CONFIGS = Path(__file__).parents[1] / "configs"
MODELS = """
import keras
from keras import layers


def dense(units, input_shape=(8, 8, 1), width=32, depth=1, activation="relu", scale=1.0, bias=0.0, spread=0.0):
    x = inputs = keras.Input(input_shape)
    x = layers.Rescaling(scale)(layers.Flatten()(x))
    kernel = keras.initializers.RandomNormal(stddev=spread) if spread else "glorot_uniform"
    for _ in range(depth):
        x = layers.Dense(width, kernel_initializer=kernel, bias_initializer=keras.initializers.Constant(bias))(x)
        x = layers.PReLU()(x) if activation == "prelu" else layers.Activation(activation)(x)
    return keras.Model(inputs, layers.Dense(units)(x))


def maps(units, input_shape=(8, 8, 1), bias=0.0):
    x = inputs = keras.Input(input_shape)
    x = layers.Conv2D(16, 3, bias_initializer=keras.initializers.Constant(bias))(x)
    x = layers.Activation("relu")(x)
    return keras.Model(inputs, layers.Dense(units)(layers.Flatten()(x)))


def hidden_softmax(units, input_shape=(8, 8, 1)):
    inputs = keras.Input(input_shape)
    shares = layers.Dense(units, activation="softmax")(layers.Flatten()(inputs))
    return keras.Model(inputs, layers.Activation("linear")(shares))
"""
FROM_SHARES = ("--loss", "cross_entropy:from_logits=false")
# The model, what else is typed, and what is seen on the first batch.
SICK = {
    "a clipped loss": ("dense:depth=0:scale=60", FROM_SHARES, "zero_gradient"),
    "a loss of probabilities": ("dense", FROM_SHARES, "probabilities_for_logits"),
    "two softmaxes": ("hidden_softmax", (), "probabilities_for_logits"),
    "thirty sigmoids": ("dense:depth=30:activation=sigmoid", (), "vanishing_gradients"),
    "ReLUs far below 0": ("dense:bias=-50", (), "dead_layer"),
    "feature maps far below 0": ("maps:bias=-50", (), "dead_layer"),
    "huge inputs of tanh": ("dense:activation=tanh:scale=1000", (), "saturated_layer"),
    "huge weights": ("dense:depth=6:spread=5", (), "exploding_gradients"),
    "huge outputs": ("dense:depth=0:scale=30", (), "start_loss"),
}
# As deep, as negative, as wide, and well.
WELL = {
    "twenty layers of ReLUs": "dense:depth=20",
    "twenty layers of tanh": "dense:depth=20:activation=tanh",
    "PReLUs below 0": "dense:activation=prelu:bias=-1",
    "leaky ReLUs below 0": "dense:activation=leaky_relu:bias=-1",
    "sigmoids, and not many": "dense:depth=3:activation=sigmoid",
}


@pytest.fixture
def models(tmp_path) -> Path:
    path = tmp_path / "models.py"
    path.write_text(MODELS)
    return path


def flat(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("case", SICK)
def test_what_is_wrong_is_said_before_the_first_epoch_and_kept(train, models, case):
    model, typed, name = SICK[case]
    run = train("--data", "digits", "--model", f"{models}:{model}", *typed, "--epochs", 1)
    assert run.code == 0, run.err
    [warning] = [one for one in run.result["warnings"] if one["name"] == name]
    assert warning["step"] == 0
    before, _, after = run.err.partition("epoch 1/1")
    assert warning["seen"] in flat(before)
    assert warning["seen"] not in flat(after)
    assert warning["text"] in flat(run.out)


@pytest.mark.parametrize("case", WELL)
def test_networks_that_can_learn_are_left_in_peace(train, models, case):
    run = train("--data", "digits", "--model", f"{models}:{WELL[case]}", "--epochs", 1)
    assert run.code == 0, run.err
    assert [warning["name"] for warning in run.result["warnings"] if warning["step"] == 0] == []


IMAGES = """
import numpy as np
from sklearn.datasets import load_digits


def faint():
    digits = load_digits()
    return (100 + digits.images / 8).astype(np.uint8)[..., None], digits.target


def padded():
    digits = load_digits()
    return np.pad((digits.images * 15).astype(np.uint8), ((0, 0), (28, 28), (28, 28)))[..., None], digits.target
"""


@pytest.mark.parametrize("model", ["minicnn", "models.py:maps"])
@pytest.mark.parametrize("images", ["faint", "padded"])
def test_grey_images_and_black_margins_are_no_ailment(train, models, monkeypatch, images, model):
    """Faint: two of 255 levels apart. Padded: of a map's places nearly all are 0 in every example, of the maps none."""
    monkeypatch.chdir(models.parent)
    Path("images.py").write_text(IMAGES)
    data = ("--data", f"images.py:{images}", "--set", "data.limit=300")
    run = train(*data, "--model", model, "--epochs", 1)
    assert run.code == 0, run.err
    assert [warning["name"] for warning in run.result["warnings"] if warning["step"] == 0] == []


@pytest.mark.parametrize("seed", [0, 2])
def test_fresh_weights_on_standardised_numbers_are_a_fair_start(train, seed):
    """A linear model begins at up to five times what guessing costs: its outputs differ by more than the targets."""
    run = train("--data", "synthetic_regression", "--model", "linear", "--seed", seed, "--epochs", 1)
    assert next(iter(run.result["initial"].values()))["loss"] > 3.0 > 3 * 0.84  # which guessing costs
    assert "a fair start" in run.err
    assert "start_loss" not in [warning["name"] for warning in run.result["warnings"]]


def test_the_default_training_is_well(train):
    run = train("--epochs", 3)
    assert run.result["warnings"] == []
    assert "doctor" not in run.err


def test_both_mistakes_of_the_tutorial_are_named_at_the_first_batch_and_none_of_the_right_way(
    train, tmp_path, monkeypatch
):
    monkeypatch.setenv("LOSSOPT_CACHE", str(tmp_path / "cache"))
    folder = class_folders(tmp_path / "images", each=25)
    weights = write_weights(tmp_path / "made.weights.h5")
    common = ("--data", folder, "--set", "data.image_size=32", "--set", f"model.weights={weights}", "--epochs", 2)
    wrong = train(CONFIGS / "tom-and-jerry-tutorial.yaml", *common)
    assert wrong.code == 0, wrong.err
    before = flat(wrong.err.partition("epoch 1/2")[0])
    assert "The images are fed in 0..1, and MobileNetV2 expects -1..1." in before
    assert "sparse_categorical_crossentropy is given probabilities (from_logits=false)." in before
    seen = {warning["name"]: warning["step"] for warning in wrong.result["warnings"]}
    assert (seen["input_range"], seen["probabilities_for_logits"]) == (0, 0)
    right = train(CONFIGS / "tom-and-jerry.yaml", *common)
    assert right.code == 0, right.err
    assert [warning["name"] for warning in right.result["warnings"] if warning["step"] == 0] == []
    assert "doctor" not in right.err.partition("epoch 1/2")[0]


def test_what_a_random_backbone_makes_of_images_is_told_apart_from_a_rate_that_is_too_low(train, tmp_path, monkeypatch):
    monkeypatch.setenv("LOSSOPT_CACHE", str(tmp_path / "cache"))
    folder = class_folders(tmp_path / "images", each=10)
    run = train("--data", folder, "--set", "data.image_size=32", "--model", "transfer:weights=none", "--epochs", 2)
    assert run.code == 0, run.err
    assert "The weights of MobileNetV2 are random" in flat(run.err.partition("epoch 1/2")[0])
    assert "The cause was seen on the first batch: inputs that hardly differ" in flat(run.out)
    assert "--lr" not in flat(run.out).partition("next ")[0]


@pytest.mark.parametrize(
    ("optimizer", "rate", "words"), [("sgd", 1e-7, "The learning rate is far too low"), ("adam", 3, "far too high")]
)
def test_a_rate_that_is_far_off_is_said_at_the_end_of_the_first_epoch(train, optimizer, rate, words):
    run = train("--data", "digits", "--model", "mlp", "--opt", optimizer, "--lr", rate, "--epochs", 3)
    first, _, later = flat(run.err).partition("epoch 2/3")
    assert words in first
    assert words not in later
    names = [warning["name"] for warning in run.result["warnings"]]
    assert "no_better_than_guessing" in names
    assert not {"rate_too_low", "rate_too_high"} & set(names)


def test_a_cause_of_the_first_batch_is_what_the_end_points_to(train, models):
    run = train("--data", "digits", "--model", f"{models}:dense:bias=-50", "--epochs", 2)
    names = [warning["name"] for warning in run.result["warnings"]]
    assert names[:2] == ["dead_layer", "no_better_than_guessing"]
    assert "The cause was seen on the first batch" in flat(run.out)
    assert run.result["try_learning_rate"] is None


def test_the_report_says_a_few_findings_and_counts_the_rest(train):
    result = train("--data", "wine", "--epochs", 1).result
    found = [{"name": name, "text": f"About {name}."} for name in NAMES[:5]]
    files = {"name": "model_file", "text": "About a file."}
    blocks = report({**result, "warnings": [*found, files]}, np.array([1.0, 0.5]), []).split("\n\n")
    told = [" ".join(block.split()) for block in blocks if block.startswith(("About", "And"))]
    rest = f"And 2 lesser findings: {NAMES[3]}, {NAMES[4]} (in result.json)."
    assert told == [*(f"About {name}." for name in NAMES[:3]), rest, "About a file."]


@pytest.mark.parametrize("shared", [False, True])
def test_equal_images_are_found_by_pixels_or_by_digests(shared):
    problem = problem_of("multiclass", images=True, sizes=(60, 12, 8))
    test = problem.test.inputs.copy()
    test[:3] = problem.train.inputs[[5, 9, 40]]
    images = np.concatenate([problem.train.inputs, problem.validation.inputs, test])
    if shared:
        digests = np.unique(images.reshape(len(images), -1), axis=0, return_inverse=True)[1].astype(np.uint64)
        parts = [Rows(images, np.arange(a, b), digests) for a, b in ((0, 60), (60, 72), (72, 80))]
    else:
        parts = np.split(images, [60, 72])
    splits = zip(("train", "validation", "test"), parts, strict=True)
    problem = replace(problem, **{name: replace(problem.split(name), inputs=part) for name, part in splits})
    assert {one.split: one.count for one in repeated(problem)} == {"test": 3, "validation": 0}


def test_rows_of_a_table_may_be_equal():
    problem = problem_of("multiclass")
    same = replace(problem.test, inputs=problem.train.inputs[:8])
    assert repeated(replace(problem, test=same)) == []


def test_a_judgement_predicts_nothing_anew():
    """The outputs of the weights that are reported were made when they were measured."""
    bench = Workbench(config_of("multiclass", epochs=2), problem_of("multiclass"))
    outcome, examination = bench.train(), bench.examination()
    guess = guess_of(examination, bench.program.start())
    blind = replace(examination, feeds={name: range(len(feed)) for name, feed in examination.feeds.items()})
    judgement = judge(blind, bench.plan(), outcome, guess, bench.config, 0.01)
    assert judgement.sample.value == outcome.final["test"]["accuracy"]
    assert judgement.sample.value == examination.measure(outcome.state, "test")["accuracy"]


def test_the_look_leaves_the_training_as_it_is():
    """The weights are those that the engine gives without a doctor, to the last bit."""
    config = config_of("multiclass", None, "adam", "model.dropout=0.5", "model.batch_norm=true", epochs=2)
    bench, watched = (Workbench(config, problem_of("multiclass")) for _ in range(2))
    alone = bench.train()
    examination, state = watched.examination(), watched.program.start()
    guess = guess_of(examination, state)
    doctor = doctor_of(examination, watched.plan(), guess, config, 0.001, lambda findings: None, watched.problem)
    seen = loop.train(watched.program, examination, watched.plan(), Nobody(), state, None, doctor)
    assert seen.state.weights.equal(alone.state.weights)
