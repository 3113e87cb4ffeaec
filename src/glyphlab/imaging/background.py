"""Paper and light taken away: what remains is how much darker (or lighter) than its paper each pixel is.

Lengths are relative to the picture, so that the same picture in another size gives the same answer.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

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

    grey: uint8 [H, W], dark ink on light paper whichever it was. paper: uint8 [H, W], what it would be without ink.
    contrast: float32 [H, W] up to 1, (paper - grey) / paper: about 0 on paper, negative where lighter than that.
    light_on_dark: the picture had light ink.
    """

    grey: NDArray[np.uint8]
    paper: NDArray[np.uint8]
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
        ink = cv2.dilate((drawn > level / 3).astype(np.uint8), _square(3))
        weight = 1 - ink.astype(np.float32)
        size = (_odd(window / 2),) * 2
        known = cv2.blur(weight, size)
        smoothed = cv2.blur(coarse * weight, size) / np.maximum(known, 1e-6)
        # Where a window sees hardly any paper, the closing is the better witness.
        trust = np.clip(known * 10, 0, 1)
        paper = trust * smoothed + (1 - trust) * paper
    height, width = grey.shape
    everywhere: NDArray[np.float32] = np.asarray(cv2.resize(paper, (width, height)), dtype=np.float32)
    shown = np.clip(np.rint(everywhere), 0, 255).astype(np.uint8)
    return Evened(grey, shown, _contrast(grey, everywhere), light_on_dark)


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
    window = _square(_odd(max(grey.shape) * _PAPER_SHARE / 2))
    lighter, darker = (cv2.morphologyEx(level, kind, window) for kind in (cv2.MORPH_CLOSE, cv2.MORPH_OPEN))
    change = lighter - darker  # never negative
    strokes = change > change.max() / 2
    if not strokes.any():
        return False
    middle = (float(lighter[strokes].mean()) + float(darker[strokes].mean())) / 2
    return bool(np.mean(_border(level) > middle) + np.mean(level > middle) < 1)


def light_slope(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """How the light rises and falls across the picture, from its border alone; float32 [H, W], 0 in the middle.

    A plane through the border's pixels by least squares, each time without those that lie far off the one before
    (at first: off their median), which a stroke or a shadow at the border disturbed.
    """
    height, width = grey.shape
    rows = np.linspace(-0.5, 0.5, height, dtype=np.float32)[:, None]
    columns = np.linspace(-0.5, 0.5, width, dtype=np.float32)[None, :]
    values = _border(grey)
    if values.min() == values.max():  # a drawing on a screen: no light to be found, and no need to look
        return np.zeros((height, width), dtype=np.float32)
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
    middle = float(np.median(sample))
    grain = 1.4826 * float(np.median(np.abs(sample - middle)))
    floor = max(FAINTEST_INK, middle + _NOISE_SIGMAS * grain)
    standing_out = contrast[contrast > floor]
    if len(standing_out) < contrast.size * _LEAST_INK:
        return 0.0
    values = np.rint(standing_out * 255).astype(np.uint8)
    threshold, _ = cv2.threshold(values.reshape(1, -1), 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    stronger = values[values > threshold]
    return float(np.median(stronger if len(stronger) else values)) / 255


def _contrast(grey: NDArray[np.uint8], paper: NDArray[np.float32] | NDArray[np.uint8]) -> NDArray[np.float32]:
    light = np.maximum(paper, np.float32(_DARKEST_PAPER))
    return np.asarray((light - grey) / light, dtype=np.float32)


def _closed(grey: NDArray[np.uint8], slope: NDArray[np.float32], window: int) -> NDArray[np.float32]:
    """Grey closing, smoothed; float32 [H, W].

    Taken after the light's slope is levelled, since a closing lifts the dark end of a slope at the picture's border,
    and a shaded side of the paper would be ink.
    """
    closed = cv2.morphologyEx(_levelled(grey, slope), cv2.MORPH_CLOSE, _square(window))
    return np.asarray(cv2.blur(closed, (window // 4 + 1,) * 2) + slope, dtype=np.float32)


def _levelled(grey: NDArray[np.uint8], slope: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.asarray(np.clip(np.rint(grey - slope), 0, 255), dtype=np.uint8)


def _border(image: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.float64]:
    """The pixels of a frame one fiftieth wide, flat."""
    wide = max(1, round(max(image.shape) / 50))
    parts = (image[:wide], image[-wide:], image[wide:-wide, :wide], image[wide:-wide, -wide:])
    return np.concatenate([part.reshape(-1) for part in parts]).astype(np.float64)


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
