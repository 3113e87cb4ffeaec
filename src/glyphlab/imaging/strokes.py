"""How wide a pen was, and the same character as another pen would have drawn it.

Ink is float32 [H, W] in 0..1 throughout: 0 paper, 1 ink, between them the share of the pixel that is covered.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray


def stroke_width(ink: NDArray[np.float32]) -> float:
    """Average width of the strokes in pixels; 0.0 without ink.

    From area A and perimeter P alone: a stroke of length l and width w has A = l w and P = 2 (l + w), hence
    w = (P/2 - sqrt(P^2/4 - 4 A)) / 2. The area is the ink's sum, the perimeter its total variation (coarea formula:
    the integral of the gradient's magnitude is the perimeter, averaged over all thresholds), so that soft edges count
    in full and neither a threshold nor a skeleton is needed. Strokes should be five or more pixels wide.
    """
    smooth = cv2.GaussianBlur(ink, (0, 0), 1.0)
    # Scharr's derivative is as long in all directions; 1/32 makes it one for a slope of one.
    across, down = (cv2.Scharr(smooth, cv2.CV_32F, *axis, scale=1 / 32) for axis in ((1, 0), (0, 1)))
    perimeter = float(cv2.magnitude(across, down).sum())
    area = float(ink.sum())
    return (perimeter / 2 - math.sqrt(max(perimeter**2 / 4 - 4 * area, 0.0))) / 2


def widen(ink: NDArray[np.float32], by: float, thinnest: float = 1.0) -> NDArray[np.float32]:
    """Move the strokes' edges outwards by `by` / 2 pixels on either side; negative: inwards.

    The edge is where ink crosses one half; it is moved along the distance to it, and comes out one pixel soft. No
    stroke gets thinner than `thinnest` pixels, however uneven the pen was: that much stays around its middle line.
    """
    inside = (ink >= 0.5).astype(np.uint8)
    distance = cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_5)
    if by < 0:
        middle = (distance >= cv2.dilate(distance, np.ones((3, 3), np.uint8)) - 0.3) & (distance > 0)
        to_middle = cv2.distanceTransform(1 - middle.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
        core = np.minimum(np.clip(thinnest / 2 + 0.5 - to_middle, 0, 1), ink)
        return np.asarray(np.maximum(np.clip(distance + by / 2, 0, 1), core), dtype=np.float32)
    outside = cv2.distanceTransform(1 - inside, cv2.DIST_L2, cv2.DIST_MASK_5)
    return np.asarray(np.clip(by / 2 + 1 - outside, 0, 1), dtype=np.float32)
