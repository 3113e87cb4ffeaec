from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn import metrics as sk

from glyphlab.evaluation import metrics

CLASSES = 7


@pytest.fixture
def logits(rng: np.random.Generator) -> np.ndarray:
    """Float32 outputs of 500 images in which class 5 is never predicted."""
    values = rng.normal(scale=3, size=(500, CLASSES)).astype(np.float32)
    values[:, 5] = values.min(axis=1) - 1
    return values


@pytest.fixture
def targets(rng: np.random.Generator, logits: np.ndarray) -> np.ndarray:
    """Targets, half of them as predicted, in which class 3 does not occur."""
    guesses = rng.choice([0, 1, 2, 4, 5, 6], size=500)
    best = logits.argmax(axis=1)
    return np.where((rng.random(500) < 0.5) & (best != 3), best, guesses).astype(np.int64)


def test_the_data_has_an_absent_class_and_one_never_predicted(logits: np.ndarray, targets: np.ndarray) -> None:
    assert 3 not in targets and 5 in targets
    assert 5 not in logits.argmax(axis=1)


def test_log_softmax_is_normalised_and_idempotent(logits: np.ndarray) -> None:
    log_probs = metrics.log_softmax(logits)
    assert log_probs.dtype == np.float64
    np.testing.assert_allclose(np.exp(log_probs).sum(axis=1), 1, rtol=0, atol=1e-12)
    np.testing.assert_allclose(metrics.log_softmax(log_probs), log_probs, rtol=0, atol=1e-12)


def test_log_softmax_leaves_its_input_alone_and_does_not_overflow() -> None:
    huge = np.array([[1e30, 0.0], [-1e30, -1e30]])
    before = huge.copy()
    np.testing.assert_allclose(metrics.log_softmax(huge), [[0, -1e30], [-math.log(2), -math.log(2)]])
    np.testing.assert_array_equal(huge, before)


def test_accuracy_equals_scikit_learn(logits: np.ndarray, targets: np.ndarray) -> None:
    predictions = logits.argmax(axis=1)
    expected = sk.accuracy_score(targets, predictions)
    assert metrics.accuracy(targets, predictions) == pytest.approx(expected, abs=1e-9)


def test_cross_entropy_equals_scikit_learn(logits: np.ndarray, targets: np.ndarray) -> None:
    probs = np.exp(metrics.log_softmax(logits))
    expected = sk.log_loss(targets, probs, labels=np.arange(CLASSES))
    assert metrics.cross_entropy(logits, targets) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("k", [1, 2, 5, 6])
def test_top_k_accuracy_equals_scikit_learn(logits: np.ndarray, targets: np.ndarray, k: int) -> None:
    expected = sk.top_k_accuracy_score(targets, logits, k=k, labels=np.arange(CLASSES))
    assert metrics.top_k_accuracy(logits, targets, k) == pytest.approx(expected, abs=1e-9)


def test_top_k_is_certain_when_k_reaches_the_number_of_classes(logits: np.ndarray, targets: np.ndarray) -> None:
    assert metrics.top_k_accuracy(logits, targets, CLASSES) == 1
    assert metrics.top_k_accuracy(logits, targets, CLASSES + 5) == 1


def test_ties_go_to_the_smaller_index_everywhere() -> None:
    tied = np.array([[1.0, 2.0, 2.0, 2.0]] * 4, dtype=np.float32)
    targets = np.arange(4)
    assert metrics.ranks(tied, targets).tolist() == [3, 0, 1, 2]
    assert metrics.top_classes(tied, 3).tolist() == [[1, 2, 3]] * 4
    assert metrics.top_k_accuracy(tied, targets, 1) == metrics.accuracy(targets, tied.argmax(axis=1)) == 0.25
    assert metrics.top_k_accuracy(tied, targets, 2) == 0.5


def test_ranks_are_places_in_top_classes(rng: np.random.Generator) -> None:
    coarse = rng.integers(0, 4, size=(300, CLASSES)).astype(np.float32)  # full of ties
    targets = rng.integers(0, CLASSES, size=300)
    order = metrics.top_classes(coarse, CLASSES)
    assert np.array_equal(np.argmax(order == targets[:, None], axis=1), metrics.ranks(coarse, targets))


@pytest.mark.parametrize("correct", [0, 1, 7, 50, 99, 100])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_wilson_interval_equals_scipy(correct: int, confidence: float) -> None:
    expected = binomtest(correct, 100).proportion_ci(confidence, method="wilson")
    assert metrics.wilson_interval(correct, 100, confidence) == pytest.approx(tuple(expected), abs=1e-9)


def test_wilson_interval_at_its_ends() -> None:
    low, high = metrics.wilson_interval(10_000, 10_000)
    assert high == 1.0 and 0.999 < low < 1
    low, high = metrics.wilson_interval(0, 10)
    assert low == 0.0 and 0 < high < 1
    assert metrics.wilson_interval(0, 0) == (0.0, 1.0)


def test_confusion_matrix_equals_scikit_learn(logits: np.ndarray, targets: np.ndarray) -> None:
    predictions = logits.argmax(axis=1)
    ours = metrics.confusion_matrix(targets, predictions, CLASSES)
    assert ours.dtype == np.int64
    np.testing.assert_array_equal(ours, sk.confusion_matrix(targets, predictions, labels=np.arange(CLASSES)))


def test_per_class_equals_scikit_learn(logits: np.ndarray, targets: np.ndarray) -> None:
    predictions = logits.argmax(axis=1)
    ours = metrics.per_class(metrics.confusion_matrix(targets, predictions, CLASSES))
    precision, recall, f1, support = sk.precision_recall_fscore_support(
        targets, predictions, labels=np.arange(CLASSES), zero_division=0.0
    )
    np.testing.assert_allclose(ours.precision, precision, rtol=0, atol=1e-9)
    np.testing.assert_allclose(ours.recall, recall, rtol=0, atol=1e-9)
    np.testing.assert_allclose(ours.f1, f1, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(ours.support, support)
    assert ours.recall[3] == 0 and ours.precision[5] == 0


def test_macro_f1_equals_scikit_learn_with_and_without_absent_classes(logits: np.ndarray, targets: np.ndarray) -> None:
    predictions = logits.argmax(axis=1)
    for classes in (CLASSES, CLASSES + 4):  # four more classes that occur nowhere change nothing
        ours = metrics.macro_f1(metrics.confusion_matrix(targets, predictions, classes))
        expected = sk.f1_score(targets, predictions, average="macro", zero_division=0.0)
        assert ours == pytest.approx(expected, abs=1e-9)


def test_margins_are_negative_exactly_where_the_prediction_is_wrong(logits: np.ndarray, targets: np.ndarray) -> None:
    probs = np.exp(metrics.log_softmax(logits))
    before = probs.copy()
    margins = metrics.margins(probs, targets)
    np.testing.assert_array_equal(margins > 0, logits.argmax(axis=1) == targets)
    np.testing.assert_array_equal(probs, before)
    for i in range(20):
        others = np.delete(probs[i], targets[i])
        assert margins[i] == pytest.approx(probs[i, targets[i]] - others.max(), abs=1e-12)


def test_a_certain_and_right_answer_loses_zero_without_a_sign() -> None:
    loss = metrics.losses(np.array([[0.0, -1e9]]), np.array([0]))
    assert loss[0] == 0 and not np.signbit(loss[0])
