"""Paper and light taken away: what remains is how much darker (or lighter) than its paper each pixel is.

Lengths are relative to the picture, so that the same picture in another size gives the same answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

T = TypeVar("T", np.uint8, np.float32)

# Light changes slowly: paper is looked at in a picture of at most so many pixels on its longer side.
_COARSE_SIDE = 256
# Anything thinner than this share of the longer side counts as drawn on the paper. A marker's stroke takes a tenth
# of a tight crop, the blob where strokes of a 28-pixel glyph cross a quarter.
_PAPER_SHARE = 1 / 3
# Contrasts below this are paper, whatever it is made of (0: equal to the paper, 1: black on it).
FAINTEST_INK = 0.08
# A few odd pixels are no writing.
_LEAST_INK = 1e-4
# Ink must stand out of the paper's grain by so many standard deviations.
_NOISE_SIGMAS = 5.0
# Below this brightness a camera's values are mostly noise, and a ratio to them says nothing.
_DARKEST_PAPER = 40.0
# Colours count only where brightness does not show the ink: cosine between its direction and grey.
_GREY_ENOUGH = 0.9


@dataclass(frozen=True, eq=False)
class Evened:
    """A picture without its light.

    grey: uint8 [H, W], dark ink on light paper whichever it was. paper: float32 [H, W], what it would be without ink.
    contrast: float32 [H, W] up to 1, (paper - grey) / paper: about 0 on paper, negative where lighter than that.
    light_on_dark: the picture had light ink.
    """

    grey: NDArray[np.uint8]
    paper: NDArray[np.float32]
    contrast: NDArray[np.float32]
    light_on_dark: bool


def even_out(picture: NDArray[np.uint8]) -> Evened:
    """Find the ink's polarity and divide by the light.

    picture: uint8 [H, W] or [H, W, 3] RGB.

    The paper's brightness is found in two looks at a reduced picture. A grey closing with a window larger than any
    stroke removes what is dark and keeps any gradient (Serra, "Image Analysis and Mathematical Morphology", 1982);
    the pixels that it shows to be paper are then smoothed by normalised convolution (Knutsson and Westin, CVPR
    1993), which is free of the closing's bias towards the light side of the grain.
    """
    grey = to_grey(picture)
    coarse = _coarse(grey)
    slope = light_slope(coarse)
    light_on_dark = is_light_on_dark(coarse, slope)
    if light_on_dark:
        grey, coarse, slope = 255 - grey, 255 - coarse, -slope
    window = _odd(max(coarse.shape) * _PAPER_SHARE)
    rough = _closed(coarse, slope, window)
    drawn = _contrast(coarse, rough)
    level = ink_level(drawn)
    paper = rough
    if level > 0:
        ink = cv2.dilate((drawn > level / 3).view(np.uint8), _square(3))
        weight = (1 - ink).astype(np.float32)
        size = (_odd(window / 2),) * 2
        known = cv2.blur(weight, size)
        smoothed = cv2.blur(coarse * weight, size) / np.maximum(known, 1e-6)
        # Where a window sees hardly any paper, the closing is the better witness.
        trust = np.clip(known * 10, 0, 1)
        if trust.min() < 1:
            smoothed = trust * smoothed + (1 - trust) * rough
        paper = np.asarray(smoothed, dtype=np.float32)
    height, width = grey.shape
    everywhere: NDArray[np.float32] = np.asarray(cv2.resize(paper, (width, height)), dtype=np.float32)
    return Evened(grey, everywhere, _contrast(grey, everywhere), light_on_dark)


def to_grey(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """uint8 [H, W] or [H, W, 3] RGB -> uint8 [H, W] in which ink and paper differ.

    That is brightness, except where ink and paper differ in colour rather than brightness (red on green, yellow on
    white): then the projection onto the direction in which the picture's details vary most.
    """
    if picture.ndim == 2:
        return picture
    coarse = _coarse(picture).astype(np.float32)
    window = _odd(max(coarse.shape) * _PAPER_SHARE)
    details = (coarse - cv2.blur(coarse, (window, window))).reshape(-1, 3)
    direction = np.linalg.eigh(details.T @ details)[1][:, -1]
    direction = direction * np.sign(direction.sum() or 1)
    if direction.sum() / np.sqrt(3) >= _GREY_ENOUGH:
        return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
    weights = (direction / np.abs(direction).sum()).astype(np.float32)
    lift = 255 * float(np.abs(weights[weights < 0]).sum())
    return np.asarray(np.clip(np.rint(picture @ weights + lift), 0, 255), dtype=np.uint8)


def is_light_on_dark(grey: NDArray[np.uint8], slope: NDArray[np.float32]) -> bool:
    """Whether the ink is lighter than its paper. grey: uint8 [H, W], some 256 pixels wide; slope: its `light_slope`.

    Strokes are where brightness changes within a short way: there a closing shows the lighter, an opening the
    darker of ink and paper. Paper is the one that most of the border resembles, and most of the picture: both count
    alike, since a tight crop may leave more ink than paper along its border.
    """
    level = _levelled(grey, slope)
    border = _border(level)
    if border.min() == level.max():  # all of it is the brightest there is, hence above any middle
        return False
    window = _odd(max(grey.shape) * _PAPER_SHARE / 2)
    lighter, darker = _closing(level, window), cv2.morphologyEx(level, cv2.MORPH_OPEN, _square(window))
    change = lighter - darker  # never negative
    strokes = (change > int(change.max()) // 2).view(np.uint8)
    pixels = cv2.countNonZero(strokes)
    if not pixels:
        return False
    middle = sum(cv2.sumElems(side * strokes)[0] / pixels for side in (lighter, darker)) / 2
    return _share_above(border, middle) + _share_above(level, middle) < 1


def light_slope(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """How the light rises and falls across the picture, from its border alone; float32 [H, W], 0 in the middle.

    A plane through the border's pixels by least squares, each time without those that lie far off the one before
    (at first: off their median), which a stroke or a shadow at the border disturbed.
    """
    height, width = grey.shape
    border = _border(grey)
    if border.min() == border.max():  # a drawing on a screen: no light to be found, and no need to look
        return np.zeros((height, width), dtype=np.float32)
    values = border.astype(np.float64)
    rows = np.linspace(-0.5, 0.5, height, dtype=np.float32)[:, None]
    columns = np.linspace(-0.5, 0.5, width, dtype=np.float32)[None, :]
    down, across = _border(np.repeat(rows, width, axis=1)), _border(np.repeat(columns, height, axis=0))
    terms = np.stack([down, across, np.ones_like(down)], axis=1).astype(np.float64)
    plane = np.array([0.0, 0.0, np.median(values)])
    for _ in range(3):
        residual = np.abs(values - terms @ plane)
        near = residual <= 2 * np.median(residual) + 1
        kept = terms[near]
        plane = np.linalg.pinv(kept.T @ kept) @ (kept.T @ values[near])
    return np.asarray(plane[0] * rows + plane[1] * columns, dtype=np.float32)


def ink_level(contrast: NDArray[np.float32]) -> float:
    """The contrast of a full stroke, 0 where there is no ink. contrast: float32 [H, W], see `Evened`.

    Pixels that stand out of the grain are divided in two by Otsu's method (IEEE Trans. SMC 9, 1979), which parts
    strokes from their soft edges, and from stains that are fainter; the level is the median of the stronger part.
    """
    sample = contrast[:: max(1, contrast.shape[0] // 128), :: max(1, contrast.shape[1] // 128)]
    middle = _median(sample)
    grain = 1.4826 * _median(np.abs(sample - middle))
    floor = max(FAINTEST_INK, middle + _NOISE_SIGMAS * grain)
    standing_out = contrast[contrast > floor]
    if len(standing_out) < contrast.size * _LEAST_INK:
        return 0.0
    values = np.rint(standing_out * 255).astype(np.uint8)
    threshold, _ = cv2.threshold(values.reshape(1, -1), 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    stronger = values[values > threshold]
    return _median(stronger if len(stronger) else values) / 255


def _median(values: NDArray[T]) -> float:
    """The same as np.median, at once where most values are equal: the paper and the pen of a drawing on a screen."""
    first = values.flat[0]
    if 2 * np.count_nonzero(values == first) > values.size:
        return float(first)
    below, above = (values.size - 1) // 2, values.size // 2
    middle: NDArray[T] = np.partition(values.reshape(-1), (below, above))[below : above + 1]
    return float(middle.mean())


def _share_above(values: NDArray[np.uint8], bound: float) -> float:
    # Whole numbers are above a bound when they are above what is whole in it, which is quicker to compare with.
    return int(np.count_nonzero(values > int(bound))) / values.size


def _contrast(grey: NDArray[np.uint8], paper: NDArray[np.float32]) -> NDArray[np.float32]:
    light = np.maximum(paper, np.float32(_DARKEST_PAPER))
    darker = cv2.subtract(light, grey, dtype=cv2.CV_32F)
    return np.asarray(np.divide(darker, light, out=darker), dtype=np.float32)


def _closed(grey: NDArray[np.uint8], slope: NDArray[np.float32], window: int) -> NDArray[np.float32]:
    """Grey closing, smoothed; float32 [H, W].

    Taken after the light's slope is levelled, since a closing lifts the dark end of a slope at the picture's border,
    and a shaded side of the paper would be ink.
    """
    closed = _closing(_levelled(grey, slope), window)
    if not slope.any() and closed.min() == closed.max():
        return closed.astype(np.float32)
    return np.asarray(cv2.add(cv2.blur(closed, (window // 4 + 1,) * 2), slope, dtype=cv2.CV_32F), dtype=np.float32)


def _closing(level: NDArray[np.uint8], window: int) -> NDArray[np.uint8]:
    """Grey closing with a square window. On the even paper of a drawing its first half is all there is to do."""
    dilated = np.asarray(cv2.dilate(level, _square(window)), dtype=np.uint8)
    if dilated.min() == dilated.max():
        return dilated
    return np.asarray(cv2.erode(dilated, _square(window)), dtype=np.uint8)


def _levelled(grey: NDArray[np.uint8], slope: NDArray[np.float32]) -> NDArray[np.uint8]:
    if not slope.any():
        return grey
    return np.asarray(cv2.subtract(grey, slope, dtype=cv2.CV_8U), dtype=np.uint8)  # rounded, and kept within 0..255


def _border(image: NDArray[T]) -> NDArray[T]:
    """The pixels of a frame one fiftieth wide, flat."""
    wide = max(1, round(max(image.shape) / 50))
    parts = (image[:wide], image[-wide:], image[wide:-wide, :wide], image[wide:-wide, -wide:])
    return np.concatenate([part.reshape(-1) for part in parts])


def _coarse(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Area-averaged to at most _COARSE_SIDE pixels on the longer side."""
    height, width = picture.shape[:2]
    scale = _COARSE_SIDE / max(height, width)
    if scale >= 1:
        return picture
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _odd(extent: float) -> int:
    return max(3, int(extent) // 2 * 2 + 1)


def _square(side: int) -> NDArray[np.uint8]:
    return np.ones((side, side), dtype=np.uint8)
