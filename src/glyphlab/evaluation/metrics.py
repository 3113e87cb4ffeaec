"""The figures that judge a classifier, in plain numpy and float64.

Shapes: N images, K classes. `logits` are the network's raw outputs, [N, K] of any float type, and
log-probabilities serve as well, since log-softmax leaves them as they are. `targets` and `predictions` are
integers [N], 0 to K - 1. Where two classes have exactly the same output, the one with the smaller index ranks
first, everywhere; this is how argmax decides, so that top-1 and the prediction never disagree.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Logits = NDArray[np.floating]


def log_softmax(logits: Logits) -> Floats:
    """Log-probabilities, float64 [N, K]; each row's exponentials sum to 1. Large logits do not overflow."""
    wide = logits.astype(np.float64)
    wide -= wide.max(axis=1, keepdims=True)
    wide -= np.log(np.exp(wide).sum(axis=1, keepdims=True))
    return wide


def accuracy(targets: Integers, predictions: Integers) -> float:
    """Share of predictions that equal their target, 0 to 1."""
    assert len(targets) == len(predictions) > 0, (len(targets), len(predictions))
    return float(np.mean(targets == predictions))


def wilson_interval(correct: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """Interval (low, high), within 0 to 1, for the true accuracy behind `correct` out of `total`.

    The score interval without continuity correction of E. B. Wilson, "Probable inference, the law of
    succession, and statistical inference", JASA 22 (1927). Unlike p +- z * sqrt(p (1 - p) / n) it stays
    within 0 to 1 and has a width even where everything is right. No images at all: (0, 1).
    """
    assert 0 <= correct <= total and 0 < confidence < 1, (correct, total, confidence)
    if total == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = correct / total
    scale = 1 + z * z / total
    centre = (share + z * z / (2 * total)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    # The ends are exact where nothing or everything is right; rounding would leave 1e-17.
    low = 0.0 if correct == 0 else centre - half
    high = 1.0 if correct == total else centre + half
    return low, high


def top_classes(logits: Logits, k: int) -> Integers:
    """The `k` classes of largest output, largest first, int64 [N, min(k, K)]; ties by smaller index."""
    assert k >= 1, k
    return np.argsort(-logits, axis=1, kind="stable")[:, :k].astype(np.int64)


def ranks(logits: Logits, targets: Integers) -> Integers:
    """How many classes rank before the target, int64 [N]: 0 where the prediction is right."""
    own = np.take_along_axis(logits, targets[:, None], axis=1)
    earlier = np.arange(logits.shape[1]) < targets[:, None]
    before: Integers = np.count_nonzero((logits > own) | ((logits == own) & earlier), axis=1).astype(np.int64)
    return before


def top_k_accuracy(logits: Logits, targets: Integers, k: int) -> float:
    """Share of images whose target is among the `k` largest outputs, 0 to 1; ties by smaller index.

    scikit-learn's function of this name gives ties to the larger index.
    """
    assert k >= 1, k
    return float(np.mean(ranks(logits, targets) < k))


def losses(log_probs: Floats, targets: Integers) -> Floats:
    """Cross-entropy of each image in nats, minus the log-probability of its target, float64 [N], >= 0."""
    # 0 - x rather than -x: a certain and right answer loses 0, not -0.
    return 0.0 - np.take_along_axis(log_probs, targets[:, None], axis=1)[:, 0]


def cross_entropy(logits: Logits, targets: Integers) -> float:
    """Mean cross-entropy over the images, in nats, without label smoothing or class weights."""
    return float(losses(log_softmax(logits), targets).mean())


def margins(probs: Floats, targets: Integers) -> Floats:
    """Probability of the target minus the largest probability of any other class, float64 [N], -1 to 1.

    Negative where the prediction is wrong; 0 is an exact tie. This is the margin of Schapire et al.,
    "Boosting the margin", Annals of Statistics 26 (1998), and the normalised margin of Northcutt et al.,
    "Confident learning", JAIR 70 (2021).
    """
    assert probs.shape[1] >= 2, probs.shape
    others = probs.copy()
    np.put_along_axis(others, targets[:, None], -np.inf, axis=1)
    margin: Floats = np.take_along_axis(probs, targets[:, None], axis=1)[:, 0] - others.max(axis=1)
    return margin


def confusion_matrix(targets: Integers, predictions: Integers, classes: int) -> Integers:
    """Counts, int64 [classes, classes]: a row a true class, a column a predicted one, absent classes too."""
    cells = np.bincount(targets * classes + predictions, minlength=classes * classes)
    return cells.reshape(classes, classes).astype(np.int64)


@dataclass(frozen=True, eq=False)
class ClassMetrics:
    """Figures of each class, arrays of length K.

    precision: of the images given this class, the share that is of it. float64, 0 to 1.
    recall: of the images of this class, the share that was given it. float64, 0 to 1.
    f1: harmonic mean of the two. float64, 0 to 1.
    support: images of this class. int64.

    0/0 counts as 0: the precision of a class never predicted, the recall of a class without images.
    """

    precision: Floats
    recall: Floats
    f1: Floats
    support: Integers


def per_class(confusion: Integers) -> ClassMetrics:
    """Precision, recall, F1 and support of each class, from a confusion matrix with the truth in rows."""
    hits, support, predicted = np.diagonal(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    return ClassMetrics(
        precision=_ratio(hits, predicted),
        recall=_ratio(hits, support),
        f1=_ratio(2 * hits, support + predicted),
        support=support,
    )


def macro_f1(confusion: Integers) -> float:
    """Mean F1 of the classes that occur among targets or predictions (scikit-learn's choice), 0 to 1.

    The mean of F1 scores, not the F1 of mean precision and mean recall; see Opitz and Burst, "Macro F1 and
    Macro F1" (2019), for how far the two can differ.
    """
    occurs = (confusion.sum(axis=0) + confusion.sum(axis=1)) > 0
    return float(per_class(confusion).f1[occurs].mean()) if occurs.any() else 0.0


def _ratio(part: Integers, whole: Integers) -> Floats:
    """part / whole, with 0 where the whole is 0."""
    return np.divide(part, whole, out=np.zeros(len(part), dtype=np.float64), where=whole > 0)
