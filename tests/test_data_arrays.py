"""What a user's function may return, and what is said where it cannot be data."""

import numpy as np
import pytest

from lossopt_cli.config.schema import DataConfig
from lossopt_cli.data.arrays import from_arrays
from lossopt_cli.data.problem import SPLITS
from lossopt_cli.errors import UsageError

NAME = "mine.py:make"
RNG = np.random.default_rng(0)
X = RNG.random((40, 5))
FLOATS = X @ np.arange(5.0)
INTEGERS = np.arange(40) % 4
TEXT = np.array(["no", "yes"] * 20)
IMAGES = RNG.integers(0, 256, (40, 9, 7, 3), dtype=np.uint8)
CLASSES = ("multiclass", "binary")
BOTH = (*CLASSES, "regression")


def problem_of(returned, tasks=None, **keys):
    return from_arrays(NAME, returned, DataConfig(name=NAME, **keys), tasks, 0)


def message_of(returned, tasks=None, **keys):
    with pytest.raises(UsageError) as caught:
        problem_of(returned, tasks, **keys)
    return str(caught.value)


def whole(problem, what):
    parts = [problem.split(s) for s in SPLITS]
    order = np.argsort(np.concatenate([p.rows for p in parts]))
    return np.concatenate([getattr(p, what) for p in parts])[order]


@pytest.mark.parametrize("keys", [{}, {"classes": [1, 3]}], ids=str)
def test_images_go_through_a_backbone_in_one_order_whatever_the_split(keys):
    from lossopt_cli.training.transfer.features import gathered_of

    images = IMAGES[np.isin(INTEGERS, keys.get("classes", range(4)))]
    for seed in (1, 2):
        problem = problem_of((IMAGES, INTEGERS), split_seed=seed, **keys)
        gathered = gathered_of(problem, SPLITS)
        assert len(gathered.pieces) == 1
        np.testing.assert_array_equal(gathered.pieces[0], images)
        for name, places in zip(SPLITS, gathered.places, strict=True):
            np.testing.assert_array_equal(problem.split(name).inputs, images[places])


def tensors():
    import torch

    return torch.from_numpy(X), torch.from_numpy(FLOATS)


@pytest.mark.parametrize(
    "returned",
    [(X, FLOATS), [X, FLOATS], {"x": X, "y": FLOATS}, (X.tolist(), FLOATS.tolist()), (X, FLOATS[:, None])],
    ids=["tuple", "list", "dict", "lists", "column"],
)
def test_one_pair_is_split(returned):
    problem = problem_of(returned)
    assert problem.name == "make"
    assert problem.task == "regression"
    assert [len(problem.split(s)) for s in SPLITS] == [28, 8, 4]
    assert problem.inputs.shape == (5,)
    assert problem.train.inputs.dtype == np.float32
    assert np.array_equal(whole(problem, "inputs"), X.astype(np.float32))
    assert np.array_equal(whole(problem, "targets"), FLOATS)
    assert problem.target_mean == pytest.approx(problem.train.targets.mean(), rel=1e-12)


def test_tensors():
    assert np.array_equal(whole(problem_of(tensors()), "targets"), FLOATS)


PAIR = (X, INTEGERS)


@pytest.mark.parametrize(
    ("returned", "sizes"),
    [
        ((PAIR, PAIR), [31, 9, 40]),
        (([X, INTEGERS], [X, INTEGERS]), [31, 9, 40]),
        ((PAIR, PAIR, PAIR), [40, 40, 40]),
        ({"train": PAIR, "test": PAIR}, [31, 9, 40]),
        ({"train": PAIR, "validation": PAIR, "test": PAIR}, [40, 40, 40]),
        ({"train": PAIR, "val": PAIR}, [35, 40, 5]),
        ({"train": PAIR}, [28, 8, 4]),
    ],
)
def test_parts_that_the_function_gives(returned, sizes):
    problem = problem_of(returned)
    assert [len(problem.split(s)) for s in SPLITS] == sizes
    assert problem.classes == ("0", "1", "2", "3")


def test_two_rows_in_lists_are_no_parts():
    problem = problem_of(([[1, 2], [3, 4]], [0, 1]))
    assert len(problem.train) == 2
    assert problem.inputs.shape == (2,)


ONE_HOT = np.eye(3)[np.arange(40) % 3]
TARGETS = [
    (INTEGERS, None, None, "multiclass"),
    (INTEGERS, BOTH, None, "multiclass"),
    (INTEGERS, ("regression",), None, "regression"),
    (INTEGERS, None, "regression", "regression"),
    (INTEGERS.astype(float), CLASSES, None, "multiclass"),
    (INTEGERS.astype(float), BOTH, None, "regression"),
    (FLOATS, None, None, "regression"),
    (INTEGERS > 1, None, None, "binary"),
    (TEXT, None, None, "binary"),
    (TEXT.astype(object), None, None, "binary"),
    (ONE_HOT, CLASSES, None, "multiclass"),
    (ONE_HOT.astype(int), None, None, "multiclass"),
    (ONE_HOT, None, None, "regression"),
]


@pytest.mark.parametrize(("y", "tasks", "task", "wanted"), TARGETS)
def test_what_y_means(y, tasks, task, wanted):
    problem = problem_of((X, y), tasks, task=task)
    assert problem.task == wanted
    assert whole(problem, "targets").dtype == (np.float64 if wanted == "regression" else np.int64)


@pytest.mark.parametrize(
    ("y", "classes", "names", "first"),
    [
        (TEXT, None, ("no", "yes"), [0, 1]),
        (TEXT, ["yes", "no"], ("yes", "no"), [1, 0]),
        (np.array([1, -1] * 20), None, ("-1", "1"), [1, 0]),
        (np.array([2, 10] * 20), None, ("2", "10"), [0, 1]),
        (np.array([0, 2] * 20), ["a", "b", "c"], ("a", "b", "c"), [0, 2]),
        (np.eye(2)[[0, 1] * 20], ["a", "b"], ("a", "b"), [0, 1]),
    ],
)
def test_names_of_classes(y, classes, names, first):
    problem = problem_of({"x": X, "y": y} | ({"classes": classes} if classes else {}))
    assert problem.classes == names
    assert whole(problem, "targets")[:2].tolist() == first


@pytest.mark.parametrize(("x", "shape"), [(IMAGES, (9, 7, 3)), (IMAGES[..., 0], (9, 7, 1))])
def test_bytes_are_images(x, shape):
    problem = problem_of((x, INTEGERS))
    assert problem.inputs.kind == "image"
    assert problem.inputs.shape == shape
    assert problem.inputs.scale == 1 / 255
    assert np.array_equal(whole(problem, "inputs").reshape(x.shape), x)


def test_floats_are_taken_as_they_are():
    problem = problem_of((IMAGES / 255, INTEGERS))
    assert problem.inputs.kind == "array"
    assert problem.inputs.shape == (9, 7, 3)
    assert np.array_equal(whole(problem, "inputs"), (IMAGES / 255).astype(np.float32))


def test_targets_of_any_shape_for_a_custom_loss():
    problem = problem_of((X, X[:, :2]))
    assert problem.train.targets.shape == (28, 2)
    assert problem.target_deviation == pytest.approx(problem.train.targets.std(), rel=1e-12)


def test_a_target_that_a_loss_need_not_read():
    problem = problem_of((X, np.zeros(40)))
    assert (problem.target_mean, problem.target_deviation) == (0.0, 1.0)
    assert any("y is 0 everywhere" in n for n in problem.notes)


def test_classes_and_limit_of_a_users_data():
    problem = problem_of(PAIR, classes=[1, 3], limit=10)
    assert problem.classes == ("1", "3")
    assert len(whole(problem, "targets")) == 10


def hole(array, value=np.nan):
    array = array.copy()
    array[3] = value
    return array


FAULTS = {
    "nothing": (None, {}, ["returned nothing", "(x, y)"]),
    "a number": (5, {}, ["returned int"]),
    "one array": (X, {}, ["returned ndarray"]),
    "three arrays": ((X, X, X), {}, ["returned tuple of 3"]),
    "dict without y": ({"x": X}, {}, ["returned a dict with 'x'"]),
    "dict without train": ({"test": PAIR}, {}, ["no 'train'"]),
    "dict of arrays": ({"train": X}, {}, ["'train' is no pair"]),
    "empty dict": ({}, {}, ["nothing in it"]),
    "different lengths": ((X, FLOATS[:30]), {}, ["x has 40 rows and y has 30"]),
    "no rows": ((X[:0], FLOATS[:0]), {}, ["no rows"]),
    "flat x": ((FLOATS, FLOATS), {}, ["x has the shape (40,)", "x[:, None]"]),
    "single y": ((X, 3.0), {}, ["y is a single value"]),
    "NaN in x": ((hole(X), FLOATS), {}, ["x[3, 0] is NaN (5 such values)"]),
    "NaN in y": ((X, hole(FLOATS)), {}, ["y[3] is NaN (1 such values)"]),
    "infinite": ((hole(X, -np.inf), FLOATS), {}, ["x[3, 0] is infinite"]),
    "too large": ((hole(X, 1e300), FLOATS), {}, ["too large for float32"]),
    "text as x": ((TEXT[:, None], FLOATS), {}, ["x has the type <U3"]),
    "ragged": (([[1, 2], [3]], [0, 1]), {}, ["x is no array"]),
    "one class": ((X, np.zeros(40, dtype=int)), {}, ["one class only, '0'", "data.task=regression"]),
    "text for a regression": ((X, TEXT), {"tasks": ("regression",)}, ["y is text ('no')"]),
    "fractions for classes": ((X, FLOATS), {"tasks": CLASSES}, ["y has fractions", "--loss mse"]),
    "not one-hot": ((X, X[:, :2]), {"tasks": CLASSES}, ["y has the shape (40, 2)"]),
    "channels first": ((IMAGES.transpose(0, 3, 1, 2), INTEGERS), {}, ["channels first", "np.moveaxis"]),
    "different shapes": (((X, INTEGERS), (X[:, :3], INTEGERS)), {}, ["different shape in each part"]),
    "too few names": ({"x": X, "y": INTEGERS, "classes": ["a", "b"]}, {}, ["2 names", "labels from 0 to 3"]),
    "a name too few": ({"x": X, "y": TEXT, "classes": ["yes"]}, {}, ["label 'no'"]),
    "a name twice": ({"x": X, "y": TEXT, "classes": ["no", "no"]}, {}, ["a name twice"]),
    "a csv key": (PAIR, {"target": "y"}, ["data.target does not apply"]),
}


@pytest.mark.parametrize("case", FAULTS)
def test_what_cannot_be_data(case):
    returned, keys, words = FAULTS[case]
    message = message_of(returned, **keys)
    assert [w for w in words if w not in message] == [], message


@pytest.mark.parametrize("case", [c for c in FAULTS if c != "a csv key"])
def test_the_function_is_named_once(case):
    returned, keys, _ = FAULTS[case]
    assert message_of(returned, **keys).count(NAME) == 1


def test_a_tensor_with_a_gradient_is_refused():
    import torch

    assert "detach" in message_of((torch.ones(4, 2, requires_grad=True), np.arange(4.0)))


def test_the_content_is_a_fact():
    first = problem_of((X, FLOATS)).facts["sha256"]
    assert problem_of((X, FLOATS)).facts["sha256"] == first
    assert problem_of((X, FLOATS + 1)).facts["sha256"] != first
    assert problem_of(((X, FLOATS), (X, FLOATS))).facts["sha256"] != first
