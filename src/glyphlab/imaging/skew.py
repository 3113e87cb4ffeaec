"""How far a page is turned, and turning it back."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from glyphlab.imaging.box import Box

LARGEST_SKEW_DEGREES = 12.0

_MOST_POINTS = 20_000
_MOST_ROWS = 900  # of the picture in which the angle is sought
_LEAST_GAIN = 1.03  # below this the profile is no sharper than chance makes it, as with two or three letters
_SMALLEST_TURN_DEGREES = 0.2  # less is not worth a resampling


def estimate_skew(ink: NDArray[np.float32]) -> float:
    """The angle of the writing in degrees; positive: its lines fall towards the right.

    ink: float32 [H, W], 0 to 1. Returns 0 where no angle is clearly better than none, within +-12 degrees otherwise.

    The angle at which the profile of ink over the rows is sharpest, measured by its sum of squares: W. Postl,
    "Detection of linear oblique structures and skew scan in digitized documents", ICPR 1986.
    """
    scale = min(1.0, _MOST_ROWS / max(ink.shape))
    down, across = (max(scale, 1 / side) for side in ink.shape)  # of a thin strip a row remains
    small = cv2.resize(ink, None, fx=across, fy=down, interpolation=cv2.INTER_AREA) if scale < 1 else ink
    rows, columns = np.nonzero(small > 0.4)
    if len(rows) < 50:
        return 0.0
    step = -(-len(rows) // _MOST_POINTS)
    y, x = rows[::step].astype(np.float32), columns[::step].astype(np.float32)

    def sharpness(degrees: float) -> float:
        radians = np.radians(degrees)
        turned = y * np.float32(np.cos(radians)) - x * np.float32(np.sin(radians))
        profile = np.bincount((turned - turned.min()).astype(np.int64))
        return float(np.square(profile).sum())

    best = 0.0
    for width, stride in ((LARGEST_SKEW_DEGREES, 0.5), (0.5, 0.1)):
        # From the middle outwards, so that the smallest of equally good angles is taken.
        around_best = sorted(np.arange(best - width, best + width + stride / 2, stride), key=lambda a: abs(a - best))
        best = float(max(around_best, key=sharpness))
    if abs(best) < _SMALLEST_TURN_DEGREES or abs(best) > LARGEST_SKEW_DEGREES:
        return 0.0
    return best if sharpness(best) > _LEAST_GAIN * sharpness(0.0) else 0.0


@dataclass(frozen=True, eq=False)
class Placement:
    """Where the pixels of a worked-on page lie on the page as it was given.

    matrix: float64 [2, 3], from (x, y, 1) on the worked-on page to (x, y) on the given one.
    size: width and height of the given page.
    """

    matrix: NDArray[np.float64]
    size: tuple[int, int]

    def original(self, box: Box) -> Box:
        """The upright box on the given page that holds the given box's pixels."""
        corners = np.array(
            [
                (box.left, box.top, 1),
                (box.right, box.top, 1),
                (box.left, box.bottom, 1),
                (box.right, box.bottom, 1),
            ]
        )
        points = corners @ self.matrix.T
        # Rounding before floor and ceil: 4.0000001 is a corner at 4.
        low, high = np.floor(points.min(axis=0).round(3)), np.ceil(points.max(axis=0).round(3))
        left, top = (int(np.clip(value, 0, most - 1)) for value, most in zip(low, self.size, strict=True))
        right, bottom = (int(np.clip(value, 1, most)) for value, most in zip(high, self.size, strict=True))
        return Box(left, top, max(right, left + 1), max(bottom, top + 1))


def unturn(ink: NDArray[np.float32], degrees: float) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Turn a page back by its skew; the sheet grows so that no corner is lost.

    Returns the ink, float32 [H', W'], and the float64 [2, 3] matrix from its pixels to those of `ink`.
    """
    if degrees == 0:
        return ink, np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    height, width = ink.shape
    forward = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    cosine, sine = abs(forward[0, 0]), abs(forward[0, 1])
    new_width, new_height = round(width * cosine + height * sine), round(width * sine + height * cosine)
    forward[:, 2] += (new_width - width) / 2, (new_height - height) / 2
    turned = cv2.warpAffine(ink, forward, (new_width, new_height), flags=cv2.INTER_LINEAR)
    return np.asarray(turned, dtype=np.float32), np.asarray(cv2.invertAffineTransform(forward), dtype=np.float64)
