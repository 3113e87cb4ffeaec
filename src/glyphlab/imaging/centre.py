"""The middle of a photograph at a network's size: what ImageNet's networks are shown.

The same numbers as torchvision's Resize and CenterCrop give on a Pillow picture, to the last bit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from glyphlab.errors import ImageError

_THINNEST = 1000  # times as long as wide


def centre_crop(picture: NDArray[np.uint8], shorter_side: int = 256, side: int = 224) -> NDArray[np.uint8]:
    """Scale a picture, proportions kept, until its shorter side is `shorter_side`; cut a square out of its middle.

    picture: uint8 [H, W] grey, which becomes colour, or [H, W, 3] RGB. Scaling is bilinear, and antialiased when the
    picture shrinks. side: of the square, in pixels, at most `shorter_side`. Returns uint8 [side, side, 3].
    Raises `ImageError` for a picture so thin that its middle is next to nothing of it.
    """
    assert side <= shorter_side, f"a square of {side} does not fit into {shorter_side}"
    photo = Image.fromarray(picture).convert("RGB")
    shorter, longer = sorted(photo.size)
    if longer > _THINNEST * shorter:
        raise ImageError(f"{photo.width} x {photo.height} pixels are too thin a picture; cut out what it shows")
    long = int(shorter_side * longer / shorter)  # rounded down, as torchvision does
    size = (shorter_side, long) if photo.width <= photo.height else (long, shorter_side)
    if photo.size != size:
        photo = photo.resize(size, Image.Resampling.BILINEAR)
    left, top = round((photo.width - side) / 2), round((photo.height - side) / 2)
    return np.array(photo.crop((left, top, left + side, top + side)), dtype=np.uint8)
