"""Sets of answers that hold the truth as often as was asked for: split conformal prediction.

The score of an image is 1 minus the probability of its true class. Among n images that the network was not
trained on, the score that a share `coverage` of them stays below, counted so that it also holds for the next
image, is the threshold; a prediction set then holds every class whose probability is at least 1 - threshold.
For images drawn as those n were, the sets hold the true class with at least the chosen probability, whatever
the network is like, and no other rule that does so needs smaller sets on average.

Sources: V. Vovk, A. Gammerman, G. Shafer, "Algorithmic Learning in a Random World", 2005 (split conformal);
M. Sadinle, J. Lei, L. Wasserman, "Least Ambiguous Set-Valued Classifiers with Bounded Error Levels", JASA 114
(2019) (this score, known as LAC).
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


def conformal_threshold(
    probs: NDArray[np.floating],
    targets: NDArray[np.int64],
    coverage: float,
    weights: NDArray[np.float64] | None = None,
) -> float:
    """The threshold at which sets hold the true class with probability `coverage` or more.

    probs: [N, K], of images that were not trained on. targets: int64 [N]. coverage: above 0, below 1.
    weights: float64 [N], above 0: how much each image counts, where the images to come are of another mix of
    classes (Tibshirani, Barber, Candès, Ramdas, "Conformal Prediction Under Covariate Shift", NeurIPS 2019);
    default: all the same, which gives the score of rank ceil((N + 1) * coverage).
    Returns 1.0, every class, where N is too small for the coverage.
    """
    return float(_thresholds(conformal_scores(probs, targets), (coverage,), weights)[0])


def _thresholds(
    scores: NDArray[np.float64], coverages: Sequence[float], weights: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """The least scores below which lie the shares `coverages` of the weight; 1.0 where there is none.

    The image to come counts as well, with a score beyond all others and, since its class is not known, with the
    largest weight: this is the finite-sample correction.
    """
    assert all(0 < coverage < 1 for coverage in coverages), coverages
    weights = np.ones(len(scores)) if weights is None else weights
    order = np.argsort(scores)
    cumulated = np.cumsum(weights[order])
    wanted = np.array(coverages) * (cumulated[-1] + weights.max())
    ranks = np.searchsorted(cumulated, wanted * (1 - _ROUNDING))
    thresholds: NDArray[np.float64] = np.append(scores[order], 1.0)[ranks]
    return thresholds


@dataclass(frozen=True)
class ConformalTable:
    """Thresholds for a ladder of coverages: what a model file carries of its validation images.

    images: how many images the thresholds rest on. coverages: ascending, 0 to 1. thresholds: one for each.
    """

    images: int
    coverages: tuple[float, ...]
    thresholds: tuple[float, ...]

    @classmethod
    def fit(
        cls, probs: NDArray[np.floating], targets: NDArray[np.int64], weights: NDArray[np.float64] | None = None
    ) -> ConformalTable:
        """The table of images that were not trained on; N is 1 or more. Arguments: see `conformal_threshold`."""
        exact = _thresholds(conformal_scores(probs, targets), _COVERAGES, weights)
        # Rounded upwards, so that a stored threshold never promises more than it holds.
        rounded = np.minimum(np.ceil(exact * 1e7) / 1e7, 1.0)
        return cls(len(targets), _COVERAGES, tuple(rounded.tolist()))

    def threshold(self, coverage: float) -> float:
        """The threshold of the least stored coverage that is not below the one asked for; 1.0 beyond the last.

        Raises `GlyphlabError` for a coverage outside 0 to 1.
        """
        if not 0 < coverage < 1:
            raise GlyphlabError(f"coverage is {coverage}; expected a share between 0 and 1, such as 0.95")
        for stored, threshold in zip(self.coverages, self.thresholds, strict=True):
            if stored >= coverage - _ROUNDING:
                return threshold
        return 1.0

    def to_json(self) -> dict[str, Any]:
        """Plain values that `from_json` reads."""
        return {"images": self.images, "coverages": list(self.coverages), "thresholds": list(self.thresholds)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> ConformalTable:
        """Raises KeyError, TypeError or ValueError where `value` is no table."""
        coverages, thresholds = _floats(value["coverages"]), _floats(value["thresholds"])
        if len(coverages) != len(thresholds) or list(coverages) != sorted(coverages):
            raise ValueError("conformal thresholds do not match their coverages")
        return cls(int(value["images"]), coverages, thresholds)


def _floats(values: Sequence[float]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def prediction_sets(probs: NDArray[np.floating], threshold: float) -> NDArray[np.bool_]:
    """Which classes belong to the set of each image, bool [N, K]: those of probability 1 - threshold or more.

    The most probable class always belongs to it. Without this, sets would be empty where no class is probable
    enough, which coverage permits but which answers nobody's question; with it coverage can only rise.
    """
    inside: NDArray[np.bool_] = probs >= 1.0 - threshold
    np.put_along_axis(inside, probs.argmax(axis=1)[:, None], True, axis=1)
    return inside
