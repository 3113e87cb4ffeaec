"""Drawings as strokes -> pixels. Drawn here rather than on the canvas, so that the answer is the same on any screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_INK, _PAPER = 0, 255
# Longer side of the ink: as large as the preparation looks at, below the size from which it would reduce the picture.
_CHARACTER_SIDE, _LINE_WIDTH, _LINE_HEIGHT = 440, 2200, 220
_LARGEST_SCALE = 12.0
_MARGIN = 0.12  # of the ink's longer side, on all sides
_PRESSURE_UNKNOWN = 0.5  # what browsers give for a mouse; pens give 0 to 1
_FARTHEST = 100_000.0  # pixels of the canvas; beyond, coordinates are a mistake and are moved to here
_WIDEST = 32_767  # that OpenCV draws
_SUBPIXELS = 4  # binary digits behind the point in OpenCV's coordinates
_GAP = 0.12  # of the drawing's height: a wider free column parts two characters


@dataclass(frozen=True, eq=False)
class Stroke:
    """One movement of the pen.

    points: float64 [N, 2], x and y in pixels of the canvas. pressure: float64 [N], 0 to 1. size: width of the brush in
    pixels of the canvas at pressure 0.5. erases: it takes ink away.
    """

    points: Floats
    pressure: Floats
    size: float
    erases: bool = False

    @classmethod
    def of(cls, points: Sequence[Sequence[float]], size: float, erases: bool = False) -> Stroke:
        """points: each [x, y], [x, y, pressure] or [x, y, pressure, time]. A pressure of 0 counts as not known."""
        places = np.array([point[:2] for point in points], dtype=np.float64).reshape(-1, 2)
        places = np.clip(places, -_FARTHEST, _FARTHEST)
        pressure = np.array([point[2] if len(point) > 2 else 0.0 for point in points], dtype=np.float64)
        return cls(places, np.where(pressure > 0, np.clip(pressure, 0, 1), _PRESSURE_UNKNOWN), size, erases)

    @property
    def widths(self) -> Floats:
        """At each point, in pixels of the canvas: half the brush's size without pressure, one and a half with all."""
        return self.size * (0.5 + self.pressure)


@dataclass(frozen=True, eq=False)
class Drawing:
    """A drawing as a picture.

    image: uint8 [H, W], black on white. scale: its pixels for one of the canvas. left, top: of the picture's corner,
    in pixels of the canvas.
    """

    image: NDArray[np.uint8]
    scale: float
    left: float
    top: float

    def on_canvas(self, left: float, top: float, width: float, height: float) -> tuple[float, float, float, float]:
        """A box of the picture as x, y, width, height on the canvas."""
        return self.left + left / self.scale, self.top + top / self.scale, width / self.scale, height / self.scale


def render(strokes: Sequence[Stroke], *, as_line: bool = False) -> Drawing | None:
    """Draw strokes in a size of our own, whatever the canvas's; None where there is no ink.

    as_line: several characters side by side, drawn larger than a single one.
    """
    box = _extent(strokes)
    if box is None:
        return None
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    scale = _CHARACTER_SIDE / max(width, height)
    if as_line:
        scale = min(_LINE_WIDTH / width, max(scale, _LINE_HEIGHT / height))
    scale = min(scale, _LARGEST_SCALE)
    margin = _MARGIN * (height if as_line else max(width, height)) * scale + 2
    size = (ceil(height * scale + 2 * margin), ceil(width * scale + 2 * margin))
    drawing = Drawing(
        np.full((max(size[0], 16), max(size[1], 16)), _PAPER, dtype=np.uint8),
        scale,
        left - margin / scale,
        top - margin / scale,
    )
    for stroke in strokes:
        _draw(stroke, drawing)
    return drawing if (drawing.image < _PAPER).any() else None


def stand_side_by_side(strokes: Sequence[Stroke]) -> bool:
    """Whether free columns part the ink into several pieces, as between the characters of a line."""
    box = _extent(strokes)
    if box is None:
        return False
    spans = sorted(
        (float((s.points[:, 0] - s.widths / 2).min()), float((s.points[:, 0] + s.widths / 2).max()))
        for s in strokes
        if len(s.points) and not s.erases
    )
    gap, reached = _GAP * (box[3] - box[1]), spans[0][1]
    for start, end in spans[1:]:
        if start - reached > gap:
            return True
        reached = max(reached, end)
    return False


def _extent(strokes: Sequence[Stroke]) -> tuple[float, float, float, float] | None:
    """Left, top, right, bottom of all ink, in pixels of the canvas; None where there is none."""
    inked = [stroke for stroke in strokes if len(stroke.points) and not stroke.erases]
    if not inked:
        return None
    low = np.min([(s.points - s.widths[:, None] / 2).min(axis=0) for s in inked], axis=0)
    high = np.max([(s.points + s.widths[:, None] / 2).max(axis=0) for s in inked], axis=0)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def _draw(stroke: Stroke, drawing: Drawing) -> None:
    """Draw a stroke, antialiased, as pieces of one width each: widths are whole pixels, which nobody sees."""
    if not len(stroke.points):
        return
    colour = _PAPER if stroke.erases else _INK
    places = (stroke.points - (drawing.left, drawing.top)) * drawing.scale
    fixed = np.rint(places * (1 << _SUBPIXELS)).astype(np.int32)
    widths = np.clip(np.rint(stroke.widths * drawing.scale), 1, _WIDEST).astype(int)
    if len(fixed) == 1 or not np.ptp(fixed, axis=0).any():
        radius = round(float(widths.max()) / 2 * (1 << _SUBPIXELS))
        x, y = fixed[0].tolist()
        cv2.circle(drawing.image, (x, y), radius, colour, cv2.FILLED, cv2.LINE_AA, _SUBPIXELS)
        return
    changes = [0, *(np.flatnonzero(np.diff(widths[:-1])) + 1).tolist(), len(fixed) - 1]
    for first, last in pairwise(changes):
        piece = fixed[first : last + 1].reshape(-1, 1, 2)
        cv2.polylines(drawing.image, [piece], False, colour, int(widths[first]), cv2.LINE_AA, _SUBPIXELS)
