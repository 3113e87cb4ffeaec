"""Whether two classifiers differ by more than chance, judged on the same images.

Accuracies of two networks on the same test images are not independent, so overlapping intervals say little. What
tells them apart are the images that one gets right and the other wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

# Below so many differing images the exact test is taken, as textbooks advise for the chi-square form of the test.
EXACT_BELOW = 25


@dataclass(frozen=True)
class McNemar:
    """The outcome of McNemar's test.

    only_a, only_b: images that only the first, only the second classifier gets right (the test's b and c).
    p_value: 0 to 1, two-sided; how often a difference as large as this, or larger, would come about if both erred
    equally often. method: how it was computed.
    """

    only_a: int
    only_b: int
    p_value: float
    method: Literal["exact binomial", "mid-p"]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {"only_a": self.only_a, "only_b": self.only_b, "p_value": self.p_value, "method": self.method}


def mcnemar(correct_a: NDArray[np.bool_], correct_b: NDArray[np.bool_]) -> McNemar:
    """McNemar's test of two classifiers' answers to the same images.

    correct_a, correct_b: bool [N], whether each image was classified correctly.

    Q. McNemar, "Note on the sampling error of the difference between correlated proportions or percentages",
    Psychometrika 12 (1947). If both classifiers err equally often, each of the n differing images is as likely to
    favour the one as the other: a binomial distribution with p = 1/2. With fewer than 25 differing images the exact
    two-sided probability is given, which never claims too much. From 25 on it is the mid-p value, half of the
    outcome's own probability left out: M. W. Fagerland, S. Lydersen, P. Laake, "The McNemar test for binary matched-
    pairs data: mid-p and asymptotic are better than exact conditional", BMC Medical Research Methodology 13 (2013),
    who find the chi-square form with the continuity correction of A. L. Edwards, Psychometrika 13 (1948), as
    needlessly cautious as the exact one. Nothing is approximated in either case.
    """
    assert correct_a.shape == correct_b.shape and correct_a.ndim == 1, (correct_a.shape, correct_b.shape)
    only_a = int(np.count_nonzero(correct_a & ~correct_b))
    only_b = int(np.count_nonzero(correct_b & ~correct_a))
    total = only_a + only_b
    tail, point = _binomial_half(total, min(only_a, only_b))
    if total < EXACT_BELOW:
        return McNemar(only_a, only_b, min(1.0, 2 * tail), "exact binomial")
    return McNemar(only_a, only_b, 2 * tail - point, "mid-p")


def _binomial_half(total: int, successes: int) -> tuple[float, float]:
    """Probability of at most, and of exactly, so many successes in `total` trials of probability 1/2.

    In whole numbers, so that only the two divisions round.
    """
    ways = at_most = 1
    for k in range(successes):
        ways = ways * (total - k) // (k + 1)
        at_most += ways
    return at_most / 2**total, ways / 2**total


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values corrected for being the outcomes of several tests, in the given order, each at most 1.

    S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6 (1979):
    the smallest of m values is multiplied by m, the next by m - 1 and so on, and none becomes smaller than the one
    before it. Calling those below 0.05 significant is wrong anywhere in at most 5 % of all such comparisons.
    """
    given = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(given, kind="stable")
    steps = np.maximum.accumulate(given[order] * np.arange(len(given), 0, -1))
    corrected = np.empty_like(given)
    corrected[order] = np.minimum(steps, 1.0)
    return [float(value) for value in corrected]
