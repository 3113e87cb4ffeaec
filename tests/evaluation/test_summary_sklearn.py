"""Every figure of an evaluation's summary, computed by scikit-learn from the same outputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sk
from sklearn.calibration import calibration_curve

from glyphlab.data.glyphset import GlyphSet
from glyphlab.evaluation.calibration import BINS, reliability
from glyphlab.evaluation.result import Evaluation

CLASSES = 12


@pytest.fixture
def evaluation(rng: np.random.Generator) -> Evaluation:
    """800 images of 12 uneven classes, of which one is never predicted and one never occurs."""
    targets = rng.choice(CLASSES, size=800, p=[0.3, *[0.07] * 10, 0.0]).astype(np.int64)
    logits = rng.normal(scale=1.5, size=(800, CLASSES)).astype(np.float32)
    logits[np.arange(800), targets] += 2.5
    logits[:, 4] -= 20  # far, but not below what scikit-learn counts as zero
    images = np.zeros((800, 8, 8), dtype=np.uint8)
    return Evaluation.from_logits(logits, GlyphSet(images, targets, tuple("abcdefghijkl")))


def test_summary_equals_scikit_learn(evaluation: Evaluation) -> None:
    targets, labels = evaluation.targets, np.arange(CLASSES)
    exponentials = np.exp(evaluation.logits.astype(np.float64))
    probs = exponentials / exponentials.sum(axis=1, keepdims=True)
    predictions = probs.argmax(axis=1)
    expected: dict[str, Any] = {
        "n": 800,
        "correct": sk.accuracy_score(targets, predictions, normalize=False),
        "misclassified": 800 * sk.zero_one_loss(targets, predictions),
        "accuracy": sk.accuracy_score(targets, predictions),
        "loss": sk.log_loss(targets, probs, labels=labels),
        "top5_accuracy": sk.top_k_accuracy_score(targets, probs, k=5, labels=labels),
        "macro_f1": sk.f1_score(targets, predictions, average="macro", zero_division=0.0),
        "calibration_error": _calibration_error(probs.max(axis=1), predictions == targets),
    }
    found = evaluation.summary()
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-9), name
    np.testing.assert_array_equal(evaluation.confusion, sk.confusion_matrix(targets, predictions, labels=labels))


def _calibration_error(confidences: np.ndarray, is_correct: np.ndarray) -> float:
    """From scikit-learn's curve, which tells the bins' accuracy and confidence but not their images."""
    accuracy, confidence = calibration_curve(is_correct, confidences, n_bins=BINS, strategy="uniform")
    images, _ = np.histogram(confidences, bins=BINS, range=(0, 1))
    return float(np.sum(images[images > 0] * np.abs(accuracy - confidence)) / len(confidences))


def test_reliability_equals_scikit_learns_calibration_curve(evaluation: Evaluation) -> None:
    ours = reliability(evaluation.probs, evaluation.targets)
    accuracy, confidence = calibration_curve(
        evaluation.is_correct, evaluation.confidences, n_bins=BINS, strategy="uniform"
    )
    filled = ours.counts > 0
    np.testing.assert_allclose(ours.accuracy[filled], accuracy, rtol=0, atol=1e-9)
    np.testing.assert_allclose(ours.confidence[filled], confidence, rtol=0, atol=1e-9)
