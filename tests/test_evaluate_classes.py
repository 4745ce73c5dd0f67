"""What follows from a confusion matrix and from a threshold, against scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics as theirs

from lossopt_cli.analysis.classes import (
    at_threshold,
    best_threshold,
    class_scores,
    confusion,
    confusions,
    largest_errors,
)
from lossopt_cli.catalogue.metrics import Outputs

RNG = np.random.default_rng(3)
NAMES = ("ant", "bee", "cat", "dog", "elk")


def guesses(count: int, classes: int) -> Outputs:
    """About half of them right; the last class never occurs and the one before is never predicted."""
    targets = RNG.integers(0, classes - 1, count)
    predicted = np.where(RNG.random(count) < 0.5, targets, RNG.integers(0, classes, count))
    predicted[predicted == classes - 2] = 0
    return Outputs("multiclass", targets, predicted)


def test_confusion_counts_are_those_of_scikit_learn():
    outputs = guesses(300, 5)
    expected = theirs.confusion_matrix(outputs.targets, outputs.predicted, labels=range(5))
    assert np.array_equal(confusion(outputs, 5), expected)


def test_class_scores_are_those_of_scikit_learn():
    outputs = guesses(300, 5)
    scores = class_scores(confusion(outputs, 5), NAMES)
    expected = theirs.precision_recall_fscore_support(
        outputs.targets, outputs.predicted, labels=range(5), zero_division=0.0
    )
    for part, values in zip(("precision", "recall", "f1", "support"), expected, strict=True):
        assert [getattr(score, part) for score in scores] == pytest.approx(values.tolist(), abs=1e-9)
    assert [score.name for score in scores] == list(NAMES)
    assert sum(score.predicted for score in scores) == 300


def test_a_class_that_never_occurs_and_one_that_is_never_predicted_score_0():
    scores = class_scores(np.array([[2, 0, 1], [1, 0, 0], [0, 0, 0]]), "abc")
    assert (scores[1].precision, scores[1].recall, scores[1].f1, scores[1].support) == (0.0, 0.0, 0.0, 1)
    assert (scores[2].recall, scores[2].support, scores[2].predicted) == (0.0, 0, 1)


def test_confusions_come_with_the_most_frequent_first():
    found = confusions(np.array([[5, 2, 0], [4, 1, 0], [0, 1, 9]]), "abc")
    assert [(pair.truth, pair.predicted, pair.count, pair.of) for pair in found] == [
        ("b", "a", 4, 5),
        ("a", "b", 2, 7),
        ("c", "b", 1, 10),
    ]
    assert confusions(np.diag([3, 4]), "ab") == []


SCORES = np.round(RNG.normal(0.0, 1.0, 200), 1)
TRUTH = (SCORES + RNG.normal(0.8, 1.0, 200) > 0.5).astype(int)


@pytest.mark.parametrize("threshold", [-0.75, 0.0, 0.4, 9.0])
def test_a_threshold_gives_what_scikit_learn_says(threshold):
    found, said = at_threshold(SCORES, TRUTH, threshold), np.greater(SCORES, threshold)
    assert found.accuracy == pytest.approx(theirs.accuracy_score(TRUTH, said))
    assert found.balanced_accuracy == pytest.approx(theirs.balanced_accuracy_score(TRUTH, said))
    assert found.precision == pytest.approx(theirs.precision_score(TRUTH, said, zero_division=0.0))
    assert found.recall == pytest.approx(theirs.recall_score(TRUTH, said))
    assert found.f1 == pytest.approx(theirs.f1_score(TRUTH, said))


@pytest.mark.parametrize("metric", ["f1", "balanced_accuracy"])
def test_the_best_threshold_is_the_best_of_all(metric):
    best = best_threshold(SCORES, TRUTH, metric, 0.5)
    values = np.unique(SCORES)
    tried = [vars(at_threshold(SCORES, TRUTH, t))[metric] for t in (values[1:] + values[:-1]) / 2]
    assert vars(at_threshold(SCORES, TRUTH, best))[metric] == pytest.approx(max(tried))
    assert max(tried) > vars(at_threshold(SCORES, TRUTH, 0.5))[metric]


@pytest.mark.parametrize(
    ("scores", "truth"),
    [([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1]), ([0.3, 0.3], [0, 1]), ([0.1, 0.9], [1, 1]), ([], [])],
    ids=["nothing better", "one score", "one class", "none"],
)
def test_the_usual_threshold_stays_where_none_is_better(scores, truth):
    assert best_threshold(np.array(scores), np.array(truth, int), "f1", 0.5) == 0.5


def test_the_largest_errors_are_on_either_side():
    outputs = Outputs("regression", np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.5, 2.0, 0.0, 6.0]))
    found = largest_errors(outputs, 2)
    assert [(missed.place, missed.error) for missed in found] == [(2, -3.0), (3, 2.0)]
