"""Sets of answers that hold the truth as often as was asked for: split conformal prediction.

The score of an image is 1 minus the probability of its true class. Among n images that the network was not
trained on, the score that a share `coverage` of them stays below, counted so that it also holds for the next
image, is the threshold; a prediction set then holds every class whose probability is at least 1 - threshold.
For images drawn as those n were, the sets hold the true class with at least the chosen probability, whatever
the network is like, and no other rule that does so needs smaller sets on average.

Where the classes of the images to come are of another mix than those of the n, images count by weights, and each
class has a threshold of its own: a rare one, of which little is known, is harder to rule out.

Sources: V. Vovk, A. Gammerman, G. Shafer, "Algorithmic Learning in a Random World", 2005 (split conformal);
M. Sadinle, J. Lei, L. Wasserman, "Least Ambiguous Set-Valued Classifiers with Bounded Error Levels", JASA 114
(2019) (this score, known as LAC); A. Podkopaev, A. Ramdas, "Distribution-Free Uncertainty Quantification for
Classification under Label Shift", UAI 2021 (another mix of classes).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glyphlab.errors import GlyphlabError

# Coverages that a table holds: steps of half a point, and of a twentieth of one where it matters.
_COVERAGES = tuple(
    [round(0.005 * step, 4) for step in range(1, 198)] + [round(0.99 + 0.0005 * step, 4) for step in range(20)]
)
_ROUNDING = 1e-9


def conformal_scores(probs: NDArray[np.floating], targets: NDArray[np.int64]) -> NDArray[np.float64]:
    """1 - the probability of the true class, float64 [N], 0 to 1. probs: [N, K]; targets: int64 [N]."""
    own = np.take_along_axis(probs, targets[:, None], axis=1)[:, 0]
    scores: NDArray[np.float64] = 1.0 - own.astype(np.float64)
    return scores


def conformal_thresholds(
    probs: NDArray[np.floating],
    targets: NDArray[np.int64],
    coverage: float,
    weights: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """The thresholds at which sets hold the true class with probability `coverage` or more, float64 [K].

    probs: [N, K], of images that were not trained on. targets: int64 [N]. coverage: above 0, below 1.
    weights: float64 [N], above 0: how much an image of its class counts, where the classes of the images to come are
    of another mix; a class without images counts as much as the rarest. Default: all the same, which gives the score
    of rank ceil((N + 1) * coverage).
    1.0, always in the set, where there are too few images for the coverage.
    """
    scores, own = conformal_scores(probs, targets), _class_weights(targets, weights, probs.shape[1])
    return np.array([_thresholds(scores, (coverage,), weights, weight)[0] for weight in own])


def _class_weights(
    targets: NDArray[np.int64], weights: NDArray[np.float64] | None, classes: int
) -> NDArray[np.float64]:
    """The weight of each class's images, float64 [classes]."""
    if weights is None:
        return np.ones(classes)
    own = np.full(classes, weights.max())
    own[targets] = weights
    return own


def _thresholds(
    scores: NDArray[np.float64], coverages: Sequence[float], weights: NDArray[np.float64] | None, own: float
) -> NDArray[np.float64]:
    """The least scores below which lie the shares `coverages` of the weight; 1.0 where there is none.

    The image to come, which has the weight `own`, counts as well, with a score beyond all others: this is the
    finite-sample correction.
    """
    assert all(0 < coverage < 1 for coverage in coverages), coverages
    weights = np.ones(len(scores)) if weights is None else weights
    order = np.argsort(scores)
    cumulated = np.cumsum(weights[order])
    wanted = np.array(coverages) * (cumulated[-1] + own)
    ranks = np.searchsorted(cumulated, wanted * (1 - _ROUNDING))
    thresholds: NDArray[np.float64] = np.append(scores[order], 1.0)[ranks]
    return thresholds


@dataclass(frozen=True)
class ConformalTable:
    """Thresholds for a ladder of coverages: what a model file carries of its validation images.

    images: how many images the thresholds rest on. coverages: ascending, 0 to 1. thresholds: one for each, in a row
    for each group of classes. groups: the row of each class; () where one row is for all of them.
    """

    images: int
    coverages: tuple[float, ...]
    thresholds: tuple[tuple[float, ...], ...]
    groups: tuple[int, ...] = ()

    @classmethod
    def fit(
        cls, probs: NDArray[np.floating], targets: NDArray[np.int64], weights: NDArray[np.float64] | None = None
    ) -> ConformalTable:
        """The table of images that were not trained on; N is 1 or more. Arguments: see `conformal_thresholds`.

        Classes whose weights differ by less than a factor of two share the thresholds of the heaviest, which promise
        no more than their own would.
        """
        scores, own = conformal_scores(probs, targets), _class_weights(targets, weights, probs.shape[1])
        heaviest: list[float] = []
        groups = np.empty(len(own), dtype=np.int64)
        for place in np.argsort(-own, kind="stable"):
            if not heaviest or own[place] <= heaviest[-1] / 2:
                heaviest.append(float(own[place]))
            groups[place] = len(heaviest) - 1
        exact = [_thresholds(scores, _COVERAGES, weights, weight) for weight in heaviest]
        # Rounded upwards, so that a stored threshold never promises more than it holds.
        rows = tuple(tuple(np.minimum(np.ceil(row * 1e7) / 1e7, 1.0).tolist()) for row in exact)
        return cls(len(targets), _COVERAGES, rows, tuple(groups.tolist()) if len(rows) > 1 else ())

    def at(self, coverage: float) -> NDArray[np.float64]:
        """The thresholds of the least stored coverage that is not below the one asked for; 1.0 beyond the last.

        float64 [K], or [1] where one is for all classes. Raises `GlyphlabError` for a coverage outside 0 to 1.
        """
        if not 0 < coverage < 1:
            raise GlyphlabError(f"coverage is {coverage}; expected a share between 0 and 1, such as 0.95")
        rung = next((place for place, stored in enumerate(self.coverages) if stored >= coverage - _ROUNDING), None)
        if rung is None:
            return np.ones(1)
        own = np.array([row[rung] for row in self.thresholds])
        return own[list(self.groups)] if self.groups else own

    def to_json(self) -> dict[str, Any]:
        """Plain values that `from_json` reads."""
        value: dict[str, Any] = {"images": self.images, "coverages": list(self.coverages)}
        if not self.groups:
            return value | {"thresholds": list(self.thresholds[0])}
        return value | {"thresholds": [list(row) for row in self.thresholds], "groups": list(self.groups)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> ConformalTable:
        """Raises KeyError, TypeError or ValueError where `value` is no table."""
        coverages, groups = _floats(value["coverages"]), tuple(int(row) for row in value.get("groups", ()))
        rows = tuple(map(_floats, value["thresholds"] if groups else [value["thresholds"]]))
        if any(len(row) != len(coverages) for row in rows) or list(coverages) != sorted(coverages):
            raise ValueError("conformal thresholds do not match their coverages")
        if groups and set(groups) != set(range(len(rows))):
            raise ValueError("conformal thresholds do not match their groups of classes")
        return cls(int(value["images"]), coverages, rows, groups)


def _floats(values: Sequence[float]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def prediction_sets(probs: NDArray[np.floating], thresholds: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which classes belong to the set of each image, bool [N, K]: those of probability 1 - threshold or more.

    probs: [N, K]. thresholds: [K], or [1] for all classes.

    The most probable class always belongs to it. Without this, sets would be empty where no class is probable
    enough, which coverage permits but which answers nobody's question; with it coverage can only rise.
    """
    inside: NDArray[np.bool_] = probs >= 1.0 - thresholds
    np.put_along_axis(inside, probs.argmax(axis=1)[:, None], True, axis=1)
    return inside
