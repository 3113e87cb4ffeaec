"""The preparation of a picture, step by step, as one strip of pictures: why an answer came out as it did."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from glyphlab.imaging.glyph import Framing, stages

_SIDE = 220  # of each step's tile, in pixels
_GAP = 12
_CAPTION = 30
_SURROUND, _CAPTION_COLOUR = (38, 40, 46), (235, 235, 235)
_GRID = 60  # brightness of the lines between a glyph's pixels


@dataclass(frozen=True, eq=False)
class Step:
    """A step of the preparation. image: uint8 [H, W] or [H, W, 3] RGB as it is to be shown."""

    title: str
    image: NDArray[np.uint8]


def explain(picture: NDArray[np.uint8], framing: Framing) -> list[Step]:
    """What `prepare` does to a picture, in order: the picture itself first, the glyph last.

    picture: uint8 [H, W] or [H, W, 3] RGB. Raises `ImageError` as `prepare` does.
    """
    return [Step(stage.title, _visible(stage.image)) for stage in stages(picture, framing)]


def strip(steps: list[Step]) -> NDArray[np.uint8]:
    """All steps side by side with their titles; uint8 [H, W, 3] RGB.

    Small pictures are enlarged without smoothing, so that a glyph's pixels can be counted.
    """
    assert steps
    height = _SIDE + _CAPTION + 2 * _GAP
    canvas = np.empty((height, len(steps) * (_SIDE + _GAP) + _GAP, 3), dtype=np.uint8)
    canvas[:] = _SURROUND
    for number, step in enumerate(steps):
        left = _GAP + number * (_SIDE + _GAP)
        tile = _tile(step.image)
        top, inset = _GAP + _CAPTION + (_SIDE - tile.shape[0]) // 2, (_SIDE - tile.shape[1]) // 2
        canvas[top : top + tile.shape[0], left + inset : left + inset + tile.shape[1]] = tile
        cv2.putText(
            canvas, f"{number + 1} {step.title}", (left, _GAP + 18), cv2.FONT_HERSHEY_SIMPLEX, 0.55, _CAPTION_COLOUR, 1,
            cv2.LINE_AA,
        )  # fmt: skip
    return canvas


def _visible(image: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.uint8]:
    """Shares of ink in 0..1 -> 0..255; pixels as they are."""
    if image.dtype == np.uint8:
        return image.astype(np.uint8, copy=False)
    return np.asarray(np.rint(np.clip(image, 0, 1) * 255), dtype=np.uint8)


def _tile(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGB, fitted into _SIDE x _SIDE."""
    height, width = image.shape[:2]
    colour = image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
    scale = _SIDE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if scale < 4:
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(colour, size, interpolation=method), dtype=np.uint8)
    tile = cv2.resize(colour, size, interpolation=cv2.INTER_NEAREST)
    for axis, count in enumerate((height, width)):
        lines = np.arange(1, count) * tile.shape[axis] // count
        tile[(lines,) if axis == 0 else (slice(None), lines)] = _GRID
    return np.asarray(tile, dtype=np.uint8)
