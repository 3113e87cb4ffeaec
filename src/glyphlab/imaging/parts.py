"""Which of the marks in a picture belong to the one character: its dots, accents and broken strokes do, specks,
and shadows at the border do not.

Ink is float32 [H, W] in 0..1 throughout.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from glyphlab.imaging.strokes import stroke_width

# A speck has less area than this share of a dot as wide as the pen.
_SPECK_SHARE = 0.3
# A dot or accent stands above or below the character, at most this share of its longer side away, and not further
# aside than so much of that way: slanted writing moves the dot of an i, a stray dot lies beside.
_REACH, _ASIDE = 0.6, 0.25
# A piece of a broken stroke is within so many pens,
_BROKEN_PENS = 1.0
# and one with this share of the character's ink, like half of an H without its bar, within this share of its side.
_LARGE_SHARE, _LARGE_REACH = 0.3, 1.0
# What the picture's border cuts off is a neighbour in a word, unless it all but touches.
_BORDER_REACH = 0.1
# A mark that lies along so much of one side of the picture is a shadow or the table beyond the paper.
_SHADOW_SHARE = 0.5
# What is smaller than this share of the picture's longer side cannot be the character.
_SMALLEST_CHARACTER = 0.015
_MOST_MARKS = 100


@dataclass(frozen=True)
class Mark:
    """A connected piece of ink. Box in pixels, half open: left, top, right, bottom."""

    label: int
    area: int
    left: int
    top: int
    right: int
    bottom: int

    @property
    def long_side(self) -> int:
        """The longer side of the box."""
        return max(self.right - self.left, self.bottom - self.top)

    def gap(self, other: Mark) -> tuple[int, int]:
        """Distance between the two boxes across and down, 0 where they overlap."""
        across = max(other.left - self.right, self.left - other.right, 0)
        down = max(other.top - self.bottom, self.top - other.bottom, 0)
        return across, down

    def joined(self, other: Mark) -> Mark:
        """Both as one."""
        return Mark(
            self.label,
            self.area + other.area,
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )


def choose_parts(ink: NDArray[np.float32]) -> NDArray[np.float32]:
    """The ink of one character: its largest mark, and what is near enough to it for its size; else 0.

    All zeros where there is no ink but specks.
    """
    binary = (ink >= 0.5).view(np.uint8)
    count, labels = cv2.connectedComponents(binary, connectivity=8)
    if count == 2:  # the background and one mark, as most often: nothing to choose
        *_, wide, high = cv2.boundingRect(binary)
        return ink if max(wide, high) >= _SMALLEST_CHARACTER * max(ink.shape) else np.zeros_like(ink)
    labels, marks, count = _find_marks(binary)
    height, width = ink.shape
    marks = _without_shadows(marks, labels)
    if not marks or marks[0].long_side < _SMALLEST_CHARACTER * max(ink.shape):
        return np.zeros_like(ink)
    at_border = {m.label: m.left == 0 or m.top == 0 or m.right == width or m.bottom == height for m in marks}
    main = max(marks, key=lambda mark: mark.area * (0.25 if at_border[mark.label] else 1))
    pen = stroke_width(np.where(labels == main.label, ink, np.float32(0)))
    smallest = max(3.0, _SPECK_SHARE * pen**2)
    chosen, group = {main.label}, main
    candidates = [mark for mark in marks if mark.area >= smallest and mark is not main]
    growing = True
    while growing:
        growing = False
        for mark in candidates:
            cut_off = at_border[mark.label] and not at_border[main.label]
            if mark.label not in chosen and _belongs(mark, group, main, pen, cut_off):
                chosen.add(mark.label)
                group = group.joined(mark)
                growing = True
    if len(chosen) == count:
        return ink
    keep = np.zeros(count + 1, dtype=np.uint8)
    keep[list(chosen)] = 1
    # The soft rim of a stroke lies outside its mark.
    return ink * cv2.dilate(keep[labels], np.ones((5, 5), np.uint8))


def _belongs(mark: Mark, group: Mark, main: Mark, pen: float, cut_off: bool) -> bool:
    """Whether a mark is near enough to the character found so far for what it is."""
    across, down = mark.gap(group)
    gap = float(np.hypot(across, down))
    if cut_off:
        return gap <= _BORDER_REACH * main.long_side
    if gap <= _BROKEN_PENS * pen:
        return True
    if mark.area >= _LARGE_SHARE * main.area:
        return gap <= _LARGE_REACH * main.long_side
    return down <= _REACH * main.long_side and across <= _ASIDE * down


def _find_marks(binary: NDArray[np.uint8]) -> tuple[NDArray[np.int32], list[Mark], int]:
    """Label image, the largest marks, largest first, and the number of all marks. binary: uint8 [H, W] of 0 and 1."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(binary, connectivity=8)
    order = np.argsort(-stats[1:, cv2.CC_STAT_AREA], kind="stable")[:_MOST_MARKS] + 1
    marks = []
    for label in order:
        left, top, wide, high, area = (int(value) for value in stats[label])
        marks.append(Mark(int(label), area, left, top, left + wide, top + high))
    return np.asarray(labels, dtype=np.int32), marks, count - 1


def _without_shadows(marks: list[Mark], labels: NDArray[np.int32]) -> list[Mark]:
    """Leave out marks that lie along a border, as long as something of a character's size remains."""
    sides = (labels[0], labels[-1], labels[:, 0], labels[:, -1])
    shadows = {m.label for m in marks if any(np.mean(side == m.label) > _SHADOW_SHARE for side in sides)}
    rest = [mark for mark in marks if mark.label not in shadows]
    large_enough = rest and rest[0].long_side >= 0.1 * max(labels.shape)
    return rest if large_enough else marks
