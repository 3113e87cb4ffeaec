"""Connected components of a page -> its lines of writing, in reading order.

A line is followed from left to right, each component judged by those just before it, so that lines may bend and a
left-over slope does no harm.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glyphlab.imaging.box import Box, around

_BODY_SHARE = 0.4  # of the text height: smaller components are dots and fragments
_SEEN = 5  # components that tell where a line is at present
_LEAST_OVERLAP = 0.45  # of the smaller height, for a component to continue a line
_REACH = 0.75  # text heights between a small component and the line it may belong to
_TALL = 1.75  # text heights: a component that may reach over two lines
_GUTTER = 4.0  # text heights: the narrowest space between two columns
_COLUMN_LINES = 3  # fewer lines side by side are no columns


@dataclass(frozen=True)
class Component:
    """Ink that hangs together. label: its number in the page's map. area: in pixels."""

    label: int
    box: Box
    area: int


@dataclass(frozen=True)
class LineParts:
    """The components of one line, from left to right.

    bodies: letters, or larger parts of letters. small: dots and fragments, each to be joined to a body or dropped.
    """

    bodies: tuple[Component, ...]
    small: tuple[Component, ...]

    @property
    def box(self) -> Box:
        """Around the bodies."""
        return around(component.box for component in self.bodies)


def text_height(components: Sequence[Component]) -> float:
    """The height of typical letters in pixels: the median of the components' heights, weighted by their areas.

    Weighting by area makes dots and specks count for nothing.
    """
    heights = np.array([component.box.height for component in components], dtype=np.float64)
    areas = np.array([component.area for component in components], dtype=np.float64)
    order = np.argsort(heights)
    return float(heights[order][np.searchsorted(np.cumsum(areas[order]), areas.sum() / 2)])


def group_lines(components: Sequence[Component], height: float) -> list[LineParts]:
    """Divide the components of a page into lines and put the lines into reading order.

    height: the typical height of letters in pixels. Every component is in at most one line; small ones that are
    near no line are left out.
    """
    bodies = [component for component in components if _is_body(component, height)]
    lines = _merge_side_by_side(_follow(bodies))
    small: list[list[Component]] = [[] for _ in lines]
    for component in components:
        if not _is_body(component, height):
            home = _nearest_line(component.box, lines, height)
            if home is not None:
                small[home].append(component)
    parts = [
        LineParts(tuple(sorted(line, key=_middle)), tuple(sorted(dots, key=_middle)))
        for line, dots in zip(lines, small, strict=True)
    ]
    return _reading_order(parts, height)


def reaches_over_lines(component: Component, height: float) -> bool:
    """Whether a component is so tall that letters of two lines may hang together in it."""
    return component.box.height > _TALL * height


def _is_body(component: Component, height: float) -> bool:
    return component.box.height >= _BODY_SHARE * height


def _middle(component: Component) -> float:
    return component.box.centre_x


def _follow(bodies: Sequence[Component]) -> list[list[Component]]:
    """Chain the bodies into lines from left to right."""
    lines: list[list[Component]] = []
    bands: list[tuple[float, float]] = []
    for body in sorted(bodies, key=lambda component: (component.box.left, component.box.top)):
        overlaps = [_overlap(body.box, *band) for band in bands]
        best = int(np.argmax(overlaps)) if overlaps else -1
        if best >= 0 and overlaps[best] >= _LEAST_OVERLAP:
            lines[best].append(body)
            bands[best] = _band(lines[best][-_SEEN:])
        else:
            lines.append([body])
            bands.append(_band([body]))
    return lines


def _band(line: Sequence[Component]) -> tuple[float, float]:
    """Top and bottom of a line: the medians of its components'."""
    tops, bottoms = [body.box.top for body in line], [body.box.bottom for body in line]
    return statistics.median(tops), statistics.median(bottoms)


def _overlap(box: Box, top: float, bottom: float) -> float:
    """Rows that a box shares with a band, as a share of the smaller of the two heights."""
    return (min(box.bottom, bottom) - max(box.top, top)) / max(min(box.height, bottom - top), 1.0)


def _merge_side_by_side(lines: list[list[Component]]) -> list[list[Component]]:
    """Join chains that are one line: a first letter that stood too low or too high opens a chain of its own."""
    merged: list[list[Component]] = []
    for line in sorted(lines, key=len, reverse=True):
        band = _band(line)
        for other in merged:
            near = sorted(other, key=lambda body: abs(body.box.centre_x - line[0].box.centre_x))[:_SEEN]
            top, bottom = _band(near)
            shared = (min(bottom, band[1]) - max(top, band[0])) / max(min(bottom - top, band[1] - band[0]), 1.0)
            if shared > 0.6 or (len(line) == 1 and shared > 0.35):
                other.extend(line)
                break
        else:
            merged.append(list(line))
    return merged


def _nearest_line(box: Box, lines: Sequence[Sequence[Component]], height: float) -> int | None:
    """The line to which a dot or fragment belongs; None: it is near none.

    What lies between two lines is sooner a dot above the lower than something below the upper.
    """
    best, best_distance = None, _REACH * height
    for index, line in enumerate(lines):
        near = sorted(line, key=lambda body: abs(body.box.centre_x - box.centre_x))[:3]
        top, bottom = _band(near)
        distance = max(top - box.bottom, 2 * (box.top - bottom), 0.0)
        distance += max(0.0, -max(body.box.columns_shared(box) for body in near) - height)
        if distance < best_distance:
            best, best_distance = index, distance
    return best


def _reading_order(lines: list[LineParts], height: float) -> list[LineParts]:
    """Top to bottom; where the page has columns, one column after the other."""
    if not lines:
        return []
    divided = _divide_at_gutter(lines, height)
    if divided is None:
        return sorted(lines, key=lambda line: (line.box.centre_y, line.box.left))
    left, right = divided
    return _reading_order(left, height) + _reading_order(right, height)


def _divide_at_gutter(lines: list[LineParts], height: float) -> tuple[list[LineParts], list[LineParts]] | None:
    """The lines on the two sides of an empty strip from top to bottom, or None where the page is one column."""
    spans = sorted((body.box.left, body.box.right) for line in lines for body in line.bodies)
    reached = spans[0][1]
    for left, right in spans[1:]:
        if left - reached >= _GUTTER * height:
            before = [part for line in lines if (part := _within(line, -1, reached)) is not None]
            after = [part for line in lines if (part := _within(line, reached, 1 << 30)) is not None]
            if min(len(before), len(after)) >= _COLUMN_LINES:
                return before, after
        reached = max(reached, right)
    return None


def _within(line: LineParts, start: int, end: int) -> LineParts | None:
    """What of a line has its middle in the columns `start` to `end`; None: no body."""
    bodies = tuple(part for part in line.bodies if start < part.box.centre_x <= end)
    small = tuple(part for part in line.small if start < part.box.centre_x <= end)
    return LineParts(bodies, small) if bodies else None
