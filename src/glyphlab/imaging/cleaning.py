"""What is on a page and is no writing: ruled lines, table borders, the dark edge of a scan, specks."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.uint8]  # [H, W], 0 or 1

_RULE_SHARE = 0.14  # of the page's width: longer straight runs are no letters
_SHORTEST_RULE_PIXELS = 60
_BORDER_SHARE = 0.4  # of a side: what touches the border and is that long is the edge of a scan


def remove_rules(mask: Mask, traces: Mask) -> Mask:
    """A copy of `mask` without ruled lines, lengthwise and upright; strokes that cross them stay whole.

    traces: where there is the least trace of ink; a faint rule is often interrupted in the mask itself.

    A rule is a straight run of at least 14 % of the page's width (60 pixels) that is thin for its length. What lies
    on a rule is given back where there is ink on both of its sides, so that a crossing stroke keeps its middle.
    """
    shortest = max(_SHORTEST_RULE_PIXELS, round(_RULE_SHARE * mask.shape[1]))
    without = _remove_horizontal(mask, traces, shortest)
    # Upright, l and 1 are straight runs, too.
    upright = _remove_horizontal(_turned(without), _turned(traces), max(shortest, 2 * _SHORTEST_RULE_PIXELS))
    return _turned(upright)


def _turned(mask: Mask) -> Mask:
    return np.ascontiguousarray(mask.T)


def _remove_horizontal(mask: Mask, traces: Mask, length: int) -> Mask:
    """`remove_rules` for runs along the rows of at least `length` pixels."""
    # Thickened and mended first: a rule on photographed paper wanders and is interrupted by a pixel or two.
    thick = cv2.morphologyEx(cv2.dilate(traces, np.ones((3, 1), np.uint8)), cv2.MORPH_CLOSE, np.ones((1, 5), np.uint8))
    runs = cv2.morphologyEx(thick, cv2.MORPH_OPEN, np.ones((1, length), np.uint8))
    if not runs.any():
        return mask
    count, labels, stats, _ = cv2.connectedComponentsWithStats(runs, connectivity=8)
    result = mask.copy()
    for label in range(1, count):
        left, top, width, height, area = stats[label]
        thickness = area / width  # two pixels more than the rule's, by the thickening
        if thickness > max(8, 0.06 * width):
            continue  # a bar or a blot
        # A few rows around the rule, to see what reaches it from above and below.
        margin = int(thickness) + 3
        rows = slice(max(top - margin, 0), top + height + margin)
        columns = slice(left, left + width)
        window = result[rows, columns]
        rule = (labels[rows, columns] == label) & (window > 0)
        rest = window * ~rule
        bridge = np.ones((int(thickness) + 2, 1), np.uint8)
        crossing = cv2.morphologyEx(rest, cv2.MORPH_CLOSE, bridge) & rule
        result[rows, columns] = rest | crossing
    return result


def outline_stroke_width(mask: Mask) -> float:
    """Mean width of the strokes in pixels: twice the area over the length of the outline. 1 for an empty page."""
    area = int(np.count_nonzero(mask))
    inside = int(np.count_nonzero(cv2.erode(mask, np.ones((3, 3), np.uint8))))
    # A stroke w wide and n long has w n pixels and about 2 n of outline.
    return max(1.0, 2 * area / max(area - inside, 1))


def is_scan_edge(left: int, top: int, width: int, height: int, page: tuple[int, int]) -> bool:
    """Whether a component is the dark edge of a scan: at the border and long. page: height and width."""
    page_height, page_width = page
    touches = left <= 1 or top <= 1 or left + width >= page_width - 1 or top + height >= page_height - 1
    return touches and (width > _BORDER_SHARE * page_width or height > _BORDER_SHARE * page_height)
