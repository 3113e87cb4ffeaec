"""The lines of ruled and squared paper.

Ink is float32 [H, W] in 0..1: the share of a full stroke's contrast.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from glyphlab.imaging.strokes import stroke_width

# Printed lines are fainter than a pen: they are looked for down to this share of its contrast.
_FAINTEST = 0.15
# A line is at most this share of the picture's longer side thick,
_THICKEST = 0.02
# is seen in so many of the columns, and between its ends spans nearly all of them,
_COVERAGE, _SPAN = 0.5, 0.9
# rises by at most 10 degrees,
_SLOPES = np.tan(np.radians(np.arange(-10, 10.25, 0.25)))
# and is thinner than this share of the pen, unless so many lines run side by side.
_OF_THE_PEN, _SEVERAL = 0.7, 3
_ROUNDS = 4  # lines that are not parallel, as on a photo from the side, take a round each


def remove_ruled_lines(ink: NDArray[np.float32]) -> NDArray[np.float32]:
    """Erase lines that run straight across the picture, level or upright, where nothing crosses them.

    A pixel belongs to a line when the ink around it is thin across the line; where a stroke crosses, it is not, and
    stays. A stroke of the character that happens to touch both borders of a tight crop is as thick as its other
    strokes, and stays as well.
    """
    level = _erase_level_lines(ink, (ink >= _FAINTEST).view(np.uint8))
    # Bytes are turned more quickly than floats, which are only needed where a line is found.
    turned = np.asarray(cv2.transpose((level >= _FAINTEST).view(np.uint8)), dtype=np.uint8)
    upright = _erase_level_lines(level.T, turned)
    return np.ascontiguousarray(upright.T)


def _erase_level_lines(ink: NDArray[np.float32], drawn: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The ink without level lines; itself where there are none. drawn: uint8 [H, W], 1 where a line may be."""
    thickest = max(3, round(_THICKEST * max(ink.shape)))
    thick = cv2.morphologyEx(drawn, cv2.MORPH_OPEN, np.ones((thickest + 1, 1), np.uint8))
    thin = drawn - thick
    lines = np.zeros_like(thin)
    found = 0
    for _ in range(_ROUNDS):
        members = _straight_lines(thin & (1 - lines), thickest)
        if not members:
            break
        found += len(members)
        for rows, columns in members:
            lines[rows, columns] = 1
    if not found:
        return ink
    ink = np.ascontiguousarray(ink)
    # The soft rim of a line belongs to it, that of a stroke beside it does not.
    beside = cv2.dilate(lines, np.ones((5, 3), np.uint8)) > 0
    stroke = cv2.dilate(thick, np.ones((1, 3), np.uint8)) > 0
    rest = np.where((beside & ~stroke) | (lines > 0), np.float32(0), ink)
    thickness = float(lines.sum()) / max(1, int(lines.any(axis=0).sum())) / found
    if found < _SEVERAL and thickness > _OF_THE_PEN * stroke_width(rest):
        return ink
    return rest


def _straight_lines(thin: NDArray[np.uint8], thickest: int) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Rows and columns of the pixels of each line of the commonest slope. thin: uint8 [H, W] of 0 and 1.

    The slope is the one whose projection is sharpest: the largest sum of squares over the rows' counts.
    """
    width = thin.shape[1]
    if cv2.countNonZero(thin) < _COVERAGE * width:
        return []
    rows, columns = np.nonzero(thin)
    some = slice(None, None, max(1, len(rows) // 4000))
    reach = int(abs(_SLOPES).max() * width) + 1
    sharpness = []
    for slope in _SLOPES:
        counts = np.bincount(np.rint(rows[some] - slope * columns[some]).astype(np.int64) + reach)
        sharpness.append(float((counts.astype(np.float64) ** 2).sum()))
    heights = np.rint(rows - _SLOPES[int(np.argmax(sharpness))] * columns).astype(np.int64) + reach
    lines = []
    counts = np.bincount(heights)
    while counts.max() >= _COVERAGE * width / 3:
        peak = int(np.argmax(counts))
        near = np.abs(heights - peak) <= thickest
        across = columns[near]
        if len(np.unique(across)) >= _COVERAGE * width and np.ptp(across) >= _SPAN * width:
            lines.append((rows[near], across))
        counts[max(0, peak - thickest) : peak + thickest + 1] = 0
    return lines
