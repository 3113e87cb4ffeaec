"""Where one word ends and the next begins, from the distribution of the gaps between characters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from glyphlab.imaging.box import Box

_LEAST_RATIO = 1.5  # between the mean gap at a space and the mean gap within words
_LEAST_SEPARATION = 0.55  # share of the variance that the two kinds explain; one kind, evenly spread, gives 0.75
_LINE_RATIO, _LINE_SEPARATION, _LINE_GAPS = 2.2, 0.85, 6  # for a line to be judged by its own gaps
_NARROWEST_SPACE = 0.3  # line heights
_LONE_SPACE = 0.7  # line heights: taken for a space where the gaps are too few or too much alike to tell


@dataclass(frozen=True)
class Division:
    """Two kinds of values: those up to `threshold` and those above it.

    ratio: mean of the large over mean of the small. separation: share of the variance between the two, 0 to 1.
    """

    threshold: float
    ratio: float
    separation: float


def find_spaces(lines: Sequence[Sequence[Box]], heights: Sequence[float]) -> list[list[bool]]:
    """For each line, whether there is a space after each character but the last.

    lines: the boxes of each line's characters, in order. heights: the height of each line's letters in pixels.

    Two measures compete over the whole page: the free columns between two characters, and the distance between their
    middles, which is the better one where letters stand in equal steps, as on a form. The one that falls more clearly
    into two kinds decides, by Otsu's threshold. A line of many gaps that are clear in themselves is judged alone.
    """
    if len(heights) == 0:
        return []
    gaps = [_gaps(line, height) for line, height in zip(lines, heights, strict=True)]
    steps = [_steps(line, height) for line, height in zip(lines, heights, strict=True)]
    by_gap, by_step = (divide(np.concatenate(values)) for values in (gaps, steps))
    even = by_step is not None and by_gap is not None and by_step.separation > by_gap.separation + 0.02
    values, page = (steps, by_step) if even else (gaps, by_gap)
    page_threshold = _threshold(page, 0.0 if even else _NARROWEST_SPACE)
    spaces: list[list[bool]] = []
    for own_values, own_gaps in zip(values, gaps, strict=True):
        threshold = page_threshold
        own = divide(own_values) if len(own_values) >= _LINE_GAPS else None
        if own is not None and own.ratio >= _LINE_RATIO and own.separation >= _LINE_SEPARATION:
            threshold = max(own.threshold, 0.0 if even else _NARROWEST_SPACE)
        # Letters never touch across a space, whatever the steps say.
        is_space = (own_values > threshold) & (own_gaps > 0.15) if threshold is not None else own_gaps > _LONE_SPACE
        spaces.append(is_space.tolist())
    return spaces


def divide(values: NDArray[np.float64]) -> Division | None:
    """The division of values into small and large ones that leaves the least variance within the two.

    None for fewer than two different values. N. Otsu, "A threshold selection method from gray-level histograms",
    IEEE Trans. SMC 9 (1979), on the sorted values themselves instead of a histogram.
    """
    ordered = np.sort(values)
    count = len(ordered)
    if count < 2 or ordered[0] == ordered[-1]:
        return None
    below = np.arange(1, count)
    sums = np.cumsum(ordered)
    low, high = sums[:-1] / below, (sums[-1] - sums[:-1]) / (count - below)
    between = below * (count - below) / count**2 * np.square(high - low)
    place = int(np.argmax(between))
    return Division(
        threshold=float((ordered[place] + ordered[place + 1]) / 2),
        ratio=float(high[place] / max(low[place], 0.08)),  # gaps within a word may be nothing at all
        separation=float(between[place] / ordered.var()),
    )


def _threshold(division: Division | None, least: float) -> float | None:
    """The division's threshold, not below `least`; None where it divides nothing that is two kinds."""
    if division is None or division.ratio < _LEAST_RATIO or division.separation < _LEAST_SEPARATION:
        return None
    return max(division.threshold, least)


def _gaps(line: Sequence[Box], height: float) -> NDArray[np.float64]:
    """Free columns between neighbours, in line heights; 0 where they overlap."""
    return np.array([max(0, -one.columns_shared(other)) / height for one, other in pairwise(line)], dtype=np.float64)


def _steps(line: Sequence[Box], height: float) -> NDArray[np.float64]:
    """Distances between the middles of neighbours, in line heights."""
    return np.array([(other.centre_x - one.centre_x) / height for one, other in pairwise(line)], dtype=np.float64)
