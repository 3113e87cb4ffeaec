"""A whole picture scaled into an image: what becomes of pictures that are not framed as single characters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def fit_whole(picture: Image.Image, width: int, height: int) -> NDArray[np.uint8]:
    """Scale a picture into width x height pixels, proportions kept, padded with the median colour of its border.

    picture: of mode "L" or "RGB". It is area-averaged when it shrinks, and left alone when it has the size already.
    Returns uint8 [height, width] or [height, width, 3].
    """
    if picture.size != (width, height):
        scale = min(width / picture.width, height / picture.height)
        inner = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
        method = Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
        canvas = Image.new(picture.mode, (width, height), _border_colour(np.asarray(picture)))
        canvas.paste(picture.resize(inner, method), ((width - inner[0]) // 2, (height - inner[1]) // 2))
        picture = canvas
    return np.array(picture, dtype=np.uint8)


def _border_colour(pixels: NDArray[np.uint8]) -> int | tuple[int, ...]:
    """Median of the outermost pixels, per channel: what the paper looks like, whatever is drawn on it."""
    strips = (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1])
    median = np.median(np.concatenate(strips), axis=0)
    return int(median) if median.ndim == 0 else tuple(int(channel) for channel in median)
