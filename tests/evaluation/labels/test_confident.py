"""Confident learning against loops that spell the paper's definitions out."""

from __future__ import annotations

import math

import numpy as np
import pytest

from glyphlab.evaluation.labels import confident


def random_case(seed: int, images: int = 60, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Peaked probabilities and labels of which about a fifth are wrong."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(classes, size=images)
    logits = rng.normal(size=(images, classes)) * 1.5
    logits[np.arange(images), truth] += 2.0
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    wrong = rng.random(images) < 0.2
    targets = np.where(wrong, rng.integers(classes, size=images), truth)
    return probs, targets.astype(np.int64)


def thresholds_by_loop(probs: np.ndarray, targets: np.ndarray) -> list[float]:
    thresholds = []
    for k in range(probs.shape[1]):
        own = [float(row[k]) for row, label in zip(probs, targets, strict=True) if label == k]
        thresholds.append(sum(own) / len(own) if own else math.inf)
    return thresholds


def confident_class_by_loop(row: np.ndarray, thresholds: list[float]) -> int:
    best = -1
    for k, p in enumerate(row):
        if p >= thresholds[k] - 1e-6 and (best < 0 or p > row[best]):
            best = k
    return best


@pytest.mark.parametrize("seed", range(8))
def test_agrees_with_loops(seed: int) -> None:
    probs, targets = random_case(seed)
    thresholds = thresholds_by_loop(probs, targets)
    np.testing.assert_allclose(confident.class_thresholds(probs, targets), thresholds, rtol=1e-12)

    joint = np.zeros((4, 4), dtype=np.int64)
    issues = []
    for row, label in zip(probs, targets, strict=True):
        found = confident_class_by_loop(row, thresholds)
        if found >= 0:
            joint[label, found] += 1
        issues.append(found not in (-1, label) and int(row.argmax()) != label)
    np.testing.assert_array_equal(confident.confident_joint(probs, targets), joint)
    np.testing.assert_array_equal(confident.label_issues(probs, targets), issues)
    assert 0 < sum(issues) < len(issues)


@pytest.mark.parametrize("seed", range(4))
def test_scores_agree_with_loops(seed: int) -> None:
    probs, targets = random_case(seed)
    own, margin, suggested = [], [], []
    for row, label in zip(probs, targets, strict=True):
        others = [(float(p), -k) for k, p in enumerate(row) if k != label]
        largest, place = max(others)
        own.append(float(row[label]))
        margin.append((float(row[label]) - largest + 1) / 2)
        suggested.append(-place)
    np.testing.assert_allclose(confident.self_confidence(probs, targets), own, rtol=0, atol=1e-15)
    np.testing.assert_allclose(confident.normalized_margin(probs, targets), margin, rtol=0, atol=1e-15)
    np.testing.assert_array_equal(confident.suggested_classes(probs, targets), suggested)


def test_joint_and_issues_tell_the_same_story() -> None:
    probs, targets = random_case(11, images=500)
    joint = confident.confident_joint(probs, targets)
    assert 0 < confident.label_issues(probs, targets).sum() <= joint.sum() - np.trace(joint)
    assert joint.sum() <= 500


def test_a_class_of_two_doubtful_images_makes_no_issues_of_what_the_network_confirms() -> None:
    probs = np.array([[0.80, 0.19, 0.01]] * 5 + [[0.70, 0.20, 0.10]] + [[0.97, 0.02, 0.01]] * 2)
    targets = np.array([0] * 5 + [0] + [2, 2])
    np.testing.assert_array_equal(confident.class_thresholds(probs, targets)[1:], [np.inf, 0.01])
    np.testing.assert_array_equal(confident.confident_classes(probs, targets)[5], 2)
    np.testing.assert_array_equal(confident.label_issues(probs, targets), [False] * 6 + [True] * 2)


def test_of_several_confident_classes_the_likeliest_wins() -> None:
    # Thresholds 0.45 (class 0), 0.2 (class 1) and 0.7 (class 2); the last image reaches those of 0 and 1.
    probs = np.array([[0.4, 0.3, 0.3], [0.4, 0.2, 0.4], [0.2, 0.1, 0.7], [0.55, 0.4, 0.05]])
    targets = np.array([0, 1, 2, 0])
    np.testing.assert_allclose(confident.class_thresholds(probs, targets), [0.475, 0.2, 0.7])
    np.testing.assert_array_equal(confident.confident_classes(probs, targets), [1, 1, 2, 0])


def test_a_class_without_images_attracts_none() -> None:
    probs = np.array([[0.1, 0.8, 0.1], [0.2, 0.1, 0.7]])
    targets = np.array([1, 2])
    assert confident.class_thresholds(probs, targets)[0] == np.inf
    assert confident.confident_joint(probs, targets)[:, 0].sum() == 0


def test_an_image_may_be_confidently_of_no_class() -> None:
    probs = np.array([[0.9, 0.1], [0.1, 0.9], [0.6, 0.4], [0.4, 0.6]])
    targets = np.array([0, 1, 0, 1])
    np.testing.assert_array_equal(confident.confident_classes(probs, targets), [0, 1, -1, -1])


def test_equal_probabilities_reach_their_own_mean_in_float32() -> None:
    probs = np.tile(np.array([[0.1, 0.9]], dtype=np.float32), (1000, 1))
    targets = np.ones(1000, dtype=np.int64)
    assert confident.confident_joint(probs, targets)[1, 1] == 1000


def test_margin_marks_the_ends_and_the_middle() -> None:
    probs = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    np.testing.assert_array_equal(confident.normalized_margin(probs, np.array([0, 0, 0])), [1, 0, 0.5])


def test_probabilities_are_not_changed() -> None:
    probs, targets = random_case(3)
    before = probs.copy()
    confident.normalized_margin(probs, targets)
    confident.label_issues(probs, targets)
    np.testing.assert_array_equal(probs, before)


def test_arrays_that_do_not_fit_are_refused() -> None:
    probs, targets = random_case(0)
    with pytest.raises(AssertionError):
        confident.self_confidence(probs, targets[:-1])
