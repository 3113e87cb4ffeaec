"""Confident learning: which labels a network that never saw the image contradicts, in plain numpy.

Everything here works on *out-of-sample* probabilities, those of a network that was not trained on the image: on
training images a network repeats the label it was told, right or wrong. `outofsample` makes them by k-fold training.

    probs    float [N, K], 0 to 1, a row sums to 1
    targets  int64 [N], the given labels, 0 to K - 1; K is 2 or more

Source: Northcutt, Jiang, Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", Journal of
Artificial Intelligence Research 70 (2021), section 3; the two scores as in Kuan, Mueller, "Model-agnostic label
quality scoring", ICML DataPerf workshop (2022).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Probs = NDArray[np.floating[Any]]

# A class whose images all have one and the same probability must reach its own mean, whatever the rounding.
_TOLERANCE = 1e-6


def self_confidence(probs: Probs, targets: Integers) -> Floats:
    """Probability of the given label, float64 [N], 0 to 1; low: the label is suspicious."""
    _check(probs, targets)
    return np.take_along_axis(probs, targets[:, None], axis=1)[:, 0].astype(np.float64)


def normalized_margin(probs: Probs, targets: Integers) -> Floats:
    """Self-confidence minus the largest other probability, from -1..1 brought to 0..1, float64 [N].

    0: the network is sure of another class; 0.5: another class is as likely as the given one; 1: sure of the label.
    """
    return (self_confidence(probs, targets) - _largest_other(probs, targets) + 1) / 2


def suggested_classes(probs: Probs, targets: Integers) -> Integers:
    """The most likely class other than the given one, int64 [N]; ties go to the smaller index."""
    _check(probs, targets)
    best: Integers = _without_given(probs, targets).argmax(axis=1).astype(np.int64)
    return best


def class_thresholds(probs: Probs, targets: Integers) -> Floats:
    """How sure the network is, on average, of the images labelled k: mean self-confidence of class k, float64 [K].

    An image counts as confidently of class k from this probability on. Thresholds of their own per class let a
    class that the network finds hard in general have its confident images, too (equation 2 of the paper). A class
    without images has the threshold infinity: nothing can be confidently of it.
    """
    classes = probs.shape[1]
    counts = np.bincount(targets, minlength=classes)
    sums = np.bincount(targets, weights=self_confidence(probs, targets), minlength=classes)
    thresholds = np.full(classes, np.inf)
    np.divide(sums, counts, out=thresholds, where=counts > 0)
    return thresholds


def confident_classes(probs: Probs, targets: Integers) -> Integers:
    """The class that each image confidently belongs to, int64 [N]; -1 where there is none.

    Of the classes whose threshold the image reaches, the most likely one (equation 1 of the paper).
    """
    reached = probs >= class_thresholds(probs, targets) - _TOLERANCE
    best = np.where(reached, probs, -1.0).argmax(axis=1)
    chosen: Integers = np.where(reached.any(axis=1), best, -1).astype(np.int64)
    return chosen


def confident_joint(probs: Probs, targets: Integers) -> Integers:
    """Counts, int64 [K, K]: images labelled i (row) that confidently belong to class j (column).

    Images that belong confidently to no class are not counted, so the sum may be below N.
    """
    classes = probs.shape[1]
    confident = confident_classes(probs, targets)
    counted = confident >= 0
    cells = targets[counted] * classes + confident[counted]
    return np.bincount(cells, minlength=classes**2).reshape(classes, classes).astype(np.int64)


def label_issues(probs: Probs, targets: Integers) -> NDArray[np.bool_]:
    """Which images confidently belong to another class than the given one, bool [N]: off the joint's diagonal.

    But none whose likeliest class is the given one: a class of two images, of which the network is never sure, has a
    threshold that every image reaches.
    """
    confident = confident_classes(probs, targets)
    issues: NDArray[np.bool_] = (confident >= 0) & (confident != targets) & (probs.argmax(axis=1) != targets)
    return issues


def _largest_other(probs: Probs, targets: Integers) -> Floats:
    """The largest probability among the classes that were not given, float64 [N]."""
    largest: Floats = _without_given(probs, targets).max(axis=1).astype(np.float64)
    return largest


def _without_given(probs: Probs, targets: Integers) -> Probs:
    """The probabilities with the given class's lowered below all others."""
    others = probs.copy()
    np.put_along_axis(others, targets[:, None], -1.0, axis=1)
    return others


def _check(probs: Probs, targets: Integers) -> None:
    """Callers bring arrays that fit: N x K probabilities, N labels, two classes at least."""
    assert probs.ndim == 2 and probs.shape[1] >= 2, probs.shape
    assert targets.shape == (len(probs),), (targets.shape, probs.shape)
