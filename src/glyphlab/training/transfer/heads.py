"""Last layers that are solved for rather than trained: class means, and logistic regression on features.

Both are linear, so that either becomes the weights of the network's own last layer and nothing else has to know.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from glyphlab.networks.classifier import Classifier
from glyphlab.networks.features import output_layer
from glyphlab.training.transfer.threads import one_thread

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]

_MOST_ITERATIONS = 200
_TOLERANCE = 1e-3  # of the gradient; answers no longer change long before
_SMALLEST_NORM = 1e-12


@dataclass(frozen=True)
class Tuning:
    """What cross-validation chooses for a probe.

    strength: inverse of the regularisation. own_weight: how much more a class counts that the network knows already,
    where such are kept.
    """

    strength: float = 1.0
    own_weight: float = 1.0


@dataclass(frozen=True, eq=False)
class Head:
    """A last layer's values. weight: float32 [K, D]. bias: float32 [K], None for a layer that has none."""

    weight: Floats
    bias: Floats | None

    @classmethod
    def of(cls, classifier: Classifier) -> Head:
        """A copy of the values that a network's last layer has."""
        _, last = output_layer(classifier)
        bias = None if last.bias is None else last.bias.detach().cpu().numpy().copy()
        return cls(last.weight.detach().cpu().numpy().copy(), bias)

    def logits(self, features: Floats) -> Floats:
        """What the layer says to features, float32 [N, D] -> [N, K]."""
        products: Floats = features @ self.weight.T
        return products if self.bias is None else products + self.bias

    def scaled(self, factor: float) -> Head:
        """The same answers, surer (factor above 1) or less sure."""
        bias = None if self.bias is None else (self.bias * factor).astype(np.float32)
        return Head((self.weight * factor).astype(np.float32), bias)

    def put_into(self, classifier: Classifier) -> None:
        """Give a network's last layer these values."""
        _, last = output_layer(classifier)
        assert (last.bias is None) == (self.bias is None), "bias"
        with torch.no_grad():
            last.weight.copy_(torch.from_numpy(self.weight))
            if last.bias is not None:
                last.bias.copy_(torch.from_numpy(self.bias))


@one_thread()
def class_means(features: Floats, targets: Integers, classes: int, *, bias: bool) -> Head:
    """The nearest class mean as a linear layer.

    features: float32 [N, D]. targets: int64 [N]; every class occurs. Features are brought to length 1, averaged by
    class, and the means brought to length 1 again: the nearest mean is then the one with the largest dot product,
    whatever the length of the features it is multiplied with. Logits have the length of the features as scale;
    `certainty` finds a better one. bias: give the layer one, of zeros.

    Source: J. Snell, K. Swersky, R. Zemel, "Prototypical Networks for Few-shot Learning", NeurIPS 2017; with lengths
    of 1 as in Y. Wang, W. Chao, K. Weinberger, L. van der Maaten, "SimpleShot", 2019.
    """
    unit = _unit_rows(features.astype(np.float64))
    means = np.stack([unit[targets == target].mean(axis=0) for target in range(classes)])
    return Head(_unit_rows(means).astype(np.float32), np.zeros(classes, np.float32) if bias else None)


def logistic_probe(features: Floats, targets: Integers, classes: int, *, bias: bool, strength: float = 1.0) -> Head:
    """Multinomial logistic regression on features, every class counting the same.

    features: float32 [N, D]. targets: int64 [N]; every class occurs. strength: inverse of the regularisation
    (scikit-learn's C) for features of unit mean square. bias: fit one, for a layer that has one.

    Source: G. Alain, Y. Bengio, "Understanding intermediate layers using linear classifier probes", 2016.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    spread = math.sqrt(float(np.mean(features.astype(np.float64) ** 2))) or 1.0
    model = LogisticRegression(
        C=strength, fit_intercept=bias, class_weight="balanced", max_iter=_MOST_ITERATIONS, tol=_TOLERANCE
    )
    # One thread from here on, for only libraries that are loaded already can be told.
    with one_thread(), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # as good as so many steps make it
        model.fit(features / spread, targets)
    weight, intercept = model.coef_ / spread, model.intercept_
    if classes == 2:  # scikit-learn has one row for both; halved, the difference of the logits stays what it was
        weight, intercept = np.concatenate([-weight, weight]) / 2, np.concatenate([-intercept, intercept]) / 2
    return Head(weight.astype(np.float32), intercept.astype(np.float32) if bias else None)


def certainty(logits: Floats, targets: Integers) -> float:
    """The factor, 1e-3 to 1e3, that makes softmax(factor * logits) as sure as it may be.

    logits: float32 [N, K], of pictures that were not learned from. targets: int64 [N]. The factor is 1 / temperature
    of Guo et al. (ICML 2017), fitted to targets that are softened as Platt does it: N right answers out of N do not
    show that there are no wrong ones, only that fewer than about one in N + 2 is. Without that, few pictures, all of
    them answered rightly, would ask for an infinite factor.

    Source: J. Platt, "Probabilistic Outputs for Support Vector Machines", Advances in Large Margin Classifiers, 1999.
    """
    count, classes = logits.shape
    wide = logits.astype(np.float64)
    wide -= wide.max(axis=1, keepdims=True)
    share = 1 / (count + 2)
    own = np.take_along_axis(wide, targets[:, None], axis=1)[:, 0]
    others = (wide.sum(axis=1) - own) / max(classes - 1, 1)
    linear = float(np.mean((1 - share) * own + share * others))

    def slope(factor: float) -> float:
        """Derivative of the mean cross-entropy by the factor; it rises, for the cross-entropy is convex."""
        weights = np.exp(wide * factor)
        return float(np.mean((weights * wide).sum(axis=1) / weights.sum(axis=1))) - linear

    low, high = math.log(1e-3), math.log(1e3)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(math.exp(middle)) < 0 else (low, middle)
    return math.exp((low + high) / 2)


def _unit_rows(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths: NDArray[np.float64] = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.maximum(lengths, _SMALLEST_NORM)
