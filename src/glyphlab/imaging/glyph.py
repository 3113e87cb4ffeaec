"""Any picture of one character -> the glyph that networks were trained on.

    picture --find_ink--> ink --choose_parts--> one character --prepare_ink--> glyph

`prepare` does all three and is the only preparation there is: training data made from photos, the command line, pages
and the web service all pass through it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from glyphlab.errors import ImageError
from glyphlab.imaging.background import Evened, even_out, ink_level
from glyphlab.imaging.parts import choose_parts
from glyphlab.imaging.picture import SMALLEST_SIDE
from glyphlab.imaging.ruling import remove_ruled_lines
from glyphlab.imaging.strokes import stroke_width, widen

# Ink is looked for in a picture of about this size: large enough for smooth edges, small enough to be quick.
WORKING_SIDE = 400
# The glyph is drawn this many times larger before it is reduced to its pixels.
_OVERSAMPLING = 6
# A stroke that would become thinner than this on the enlarged glyph might vanish when it is reduced.
_FINEST = 2.0
# A character smaller than this on the working picture is looked at again from nearer, if there is more to see.
_NEARER_BELOW = 60
# A dot is all pen: from this share of its longer side a mark keeps the pen it has.
_BLOB = 0.5


@dataclass(frozen=True)
class Framing:
    """How training data place a character in its square; lengths in pixels of the glyph.

    size: side of the glyph. box: longer side of the character, measured at half of full ink. centre: what lies in
    the middle: the box around the character, or its centre of mass. thinnest, thickest: average stroke widths
    beyond which a pen is brought to the nearer of the two. blur: standard deviation of the Gaussian that makes edges
    as soft as the training data's.

    The numbers in `FRAMINGS` were measured on 5,000 training images each of MNIST and of EMNIST balanced (a
    reconstruction with real images), drawn with seed 0, and on glyphs made of drawings:

                                                        MNIST            EMNIST
        longer side of the box, at level 128            20.0 (sd 0.2)    22.0 (sd 1.5)
        middle of the box, from the square's edge       -                14.0 (sd 0.2 to 0.3)
        centre of mass, from the square's edge          14.5 (sd 0.3)    -
        stroke width, mean                              2.76             3.30
            10th, 50th, 90th percentile                 2.0, 2.6, 3.7    2.3, 3.1, 4.5
        share of grey (32 to 223) in what is inked      48 %             62 %

    Stroke widths are `strokes.stroke_width` after cubic enlargement by 6. thinnest and thickest are the outer
    percentiles: what is usual in training stays as it is. Two numbers depart from the table, chosen on the drawings of
    the odd-numbered writers of Chars74K: EMNIST's box is 23 (within its spread) and its thickest 3.5, since the loops
    of small letters fill up in wider pens. blur was chosen for the same share of grey in prepared drawings (48 % and
    58 %; their pens are thicker).
    """

    name: str
    size: int = 28
    box: float = 20.0
    centre: Literal["box", "mass"] = "box"
    thinnest: float = 2.0
    thickest: float = 4.0
    blur: float = 0.4


FRAMINGS: dict[str, Framing] = {
    framing.name: framing
    for framing in (
        Framing("mnist", box=20.0, centre="mass", thinnest=2.0, thickest=3.7, blur=0.2),
        Framing("emnist", box=23.0, centre="box", thinnest=2.3, thickest=3.5, blur=0.5),
    )
}


@dataclass(frozen=True, eq=False)
class Stage:
    """One step of the preparation: its name and what the picture looked like, uint8 or float32 in 0..1."""

    title: str
    image: NDArray[np.uint8] | NDArray[np.float32]


def prepare(picture: NDArray[np.uint8], framing: Framing) -> NDArray[np.uint8]:
    """Prepare a picture of one character.

    picture: uint8 [H, W] grey or [H, W, 3] RGB (`load_picture`). Returns uint8 [size, size], light ink on black.
    Raises `ImageError` when the picture is too small, or nothing is written on it.
    """
    *_, last = stages(picture, framing)
    return last.image.astype(np.uint8, copy=False)


def stages(picture: NDArray[np.uint8], framing: Framing) -> Iterator[Stage]:
    """The steps of `prepare`, one after the other; the last one's image is the glyph."""
    height, width = picture.shape[:2]
    if min(height, width) < SMALLEST_SIDE:
        raise ImageError(
            f"{width} x {height} pixels; expected at least {SMALLEST_SIDE} x {SMALLEST_SIDE} to see a character"
        )
    yield Stage("picture", picture)
    evened = even_out(_at_working_size(picture))
    yield Stage("dark on light" if not evened.light_on_dark else "inverted", evened.grey)
    yield Stage("evened out", evened.contrast)
    ink = _ink_of(evened)
    yield Stage("ink", ink)
    if not ink.any():
        raise ImageError("nothing is written on it: no mark stands out from the background")
    character = choose_parts(ink)
    nearer = _look_nearer(picture, character)
    if nearer is not None:
        seen = choose_parts(find_ink(nearer))
        character = seen if _box(seen)[2] > 0 else character
    yield Stage("character", character)
    yield Stage("glyph", prepare_ink(character, framing))


def find_ink(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Where a picture is written on: light evened out, paper removed, edges soft, lines of ruled paper erased.

    picture: uint8 [H, W] or [H, W, 3] RGB, dark ink on light paper or the reverse.
    Returns float32 [H, W], 0 (paper) to 1 (ink); all zeros for a blank picture.
    """
    return _ink_of(even_out(picture))


def prepare_ink(ink: NDArray[np.float32], framing: Framing) -> NDArray[np.uint8]:
    """Frame the ink of one character: crop, scale, pen, centre, resample.

    ink: float32 [H, W] in 0..1. Everything in it counts as part of the character.
    Returns uint8 [size, size], light ink on black. Raises `ImageError` when there is no ink.

    Sources: MNIST, box of 20 pixels with the centre of mass in the middle (LeCun, Bottou, Bengio, Haffner, Proc.
    IEEE 86, 1998); EMNIST, centred box with a margin of 2 pixels, soft edges (Cohen et al., 2017).
    """
    character = _crop(ink)
    large = _enlarged(character, framing.box * _OVERSAMPLING / max(character.shape))
    pen, extent = stroke_width(large) / _OVERSAMPLING, framing.box
    wanted = min(max(pen, framing.thinnest), framing.thickest)
    if pen < _BLOB * extent and abs(wanted - pen) * _OVERSAMPLING >= 1:
        # What scales is the way from middle line to middle line of the outermost strokes; the pen is added to it.
        scale = (extent - wanted) / (extent - pen)
        large = _enlarged(character, scale * extent * _OVERSAMPLING / max(character.shape))
        large = widen(large, (wanted - pen * scale) * _OVERSAMPLING, framing.thinnest * _OVERSAMPLING)
    return _place(large, framing)


def redraw(glyph: NDArray[np.uint8], framing: Framing) -> NDArray[np.uint8]:
    """A glyph of a data set as if it had been drawn and then prepared: crisp, with the framing's pen and box.

    glyph: uint8 [H, W], light ink on black. framing: with `thinnest` and `thickest` alike it names the pen. Returns
    uint8 [size, size]. Raises `ImageError` when there is no ink.
    """
    height, width = glyph.shape
    size = (width * _OVERSAMPLING, height * _OVERSAMPLING)
    large = cv2.resize(glyph.astype(np.float32) / 255, size, interpolation=cv2.INTER_CUBIC)
    smooth = cv2.GaussianBlur(large, (0, 0), _OVERSAMPLING / 3)  # which takes the steps of the pixels away
    return prepare_ink(np.asarray(np.clip(smooth * 2 - 0.5, 0, 1), dtype=np.float32), framing)


def _enlarged(character: NDArray[np.float32], scale: float) -> NDArray[np.float32]:
    """Resized, with a margin that leaves room for a wider pen and a blur; hairlines are thickened to survive it."""
    if scale < 1 and stroke_width(character) * scale < _FINEST:
        reach = math.ceil(1 / scale)
        character = np.asarray(cv2.dilate(character, np.ones((reach, reach), np.uint8)), dtype=np.float32)
    height, width = (max(1, round(side * scale)) for side in character.shape)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    large = cv2.resize(character, (width, height), interpolation=method)
    room = 3 * _OVERSAMPLING
    large = cv2.copyMakeBorder(large, room, room, room, room, cv2.BORDER_CONSTANT, value=0)
    return np.asarray(np.clip(large, 0, 1), dtype=np.float32)


def _place(large: NDArray[np.float32], framing: Framing) -> NDArray[np.uint8]:
    """Put an oversampled character into its square and reduce it. large: float32 [h, w] in 0..1."""
    side = framing.size * _OVERSAMPLING
    softened = cv2.GaussianBlur(large, (0, 0), framing.blur * _OVERSAMPLING)
    left, top, right, bottom = _box(large)
    if right == 0:
        raise ImageError("strokes too fine and faint to be seen at the size of a glyph; draw with a wider pen")
    if framing.centre == "mass":
        moments = cv2.moments(large)
        x, y = moments["m10"] / moments["m00"] + 0.5, moments["m01"] / moments["m00"] + 0.5
        # MNIST has the centre of mass in the middle of pixel 14, half a pixel beyond the square's own.
        x, y = (side + _OVERSAMPLING) / 2 - x, (side + _OVERSAMPLING) / 2 - y
    else:
        x, y = (side - left - right) / 2, (side - top - bottom) / 2
    x, y = min(max(x, -left), side - right), min(max(y, -top), side - bottom)
    shift = np.array([[1, 0, x], [0, 1, y]], dtype=np.float32)
    canvas = cv2.warpAffine(softened, shift, (side, side), flags=cv2.INTER_LINEAR)
    glyph = cv2.resize(canvas, (framing.size, framing.size), interpolation=cv2.INTER_AREA)
    return np.asarray(np.clip(np.rint(glyph * (255 / max(float(glyph.max()), 1e-6))), 0, 255), dtype=np.uint8)


def _ink_of(evened: Evened) -> NDArray[np.float32]:
    """Contrast -> ink: half of a full stroke's contrast is the edge, a quarter to three quarters the soft rim."""
    level = ink_level(evened.contrast)
    if level == 0:
        return np.zeros_like(evened.contrast)
    drawn = remove_ruled_lines(np.clip(evened.contrast / np.float32(level), 0, 1))
    return np.asarray(np.clip(drawn * 2 - 0.5, 0, 1), dtype=np.float32)


def _at_working_size(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Scaled by a whole number, or its inverse, to about WORKING_SIDE on the longer side."""
    height, width = picture.shape[:2]
    long_side = max(height, width)
    if long_side > WORKING_SIDE:
        by = -(-long_side // WORKING_SIDE)
        size = (-(-width // by), -(-height // by))
        return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    by = min(WORKING_SIDE // long_side, 8)
    if by <= 1:
        return picture
    return np.asarray(cv2.resize(picture, (width * by, height * by), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


def _look_nearer(picture: NDArray[np.uint8], character: NDArray[np.float32]) -> NDArray[np.uint8] | None:
    """The surroundings of a small character in full resolution, where the working picture was reduced."""
    scale = picture.shape[1] / character.shape[1]
    if scale <= 1:
        return None
    left, top, right, bottom = _box(character)
    long_side = max(right - left, bottom - top)
    if not 0 < long_side < _NEARER_BELOW:
        return None
    across, down = (left + right) / 2 * scale, (top + bottom) / 2 * scale
    reach = long_side * scale * 1.5
    rows = slice(max(0, int(down - reach)), int(down + reach) + 1)
    columns = slice(max(0, int(across - reach)), int(across + reach) + 1)
    return _at_working_size(np.ascontiguousarray(picture[rows, columns]))


def _crop(ink: NDArray[np.float32]) -> NDArray[np.float32]:
    """The box around the character."""
    left, top, right, bottom = _box(ink)
    if right == 0:
        raise ImageError("no ink: nothing is left that could be a character")
    return np.ascontiguousarray(ink[top:bottom, left:right])


def _box(ink: NDArray[np.float32]) -> tuple[int, int, int, int]:
    """Left, top, right, bottom (half open) of what is at least half ink; all 0 without any."""
    left, top, width, height = cv2.boundingRect((ink >= 0.5).view(np.uint8))
    return left, top, left + width, top + height
