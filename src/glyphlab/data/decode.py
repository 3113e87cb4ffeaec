"""One picture file of the user's -> a square uint8 image of a wanted size."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from glyphlab.errors import DataError
from glyphlab.imaging.fitting import fit_whole
from glyphlab.imaging.picture import GREY_MODES, flatten, opened
from glyphlab.imaging.picture import SUFFIXES as SUFFIXES  # what counts as a picture in a folder

Channels = Literal["auto", "grey", "rgb"]

SMALLEST_SIZE, LARGEST_SIZE = 8, 512


@dataclass(frozen=True)
class PictureSettings:
    """How the user's pictures become images.

    size: side of the square image in pixels; None: as the pictures are when all are squares of one size up to
        64, else 28.
    channels: "grey", "rgb", or "auto": grey when the pictures are.
    invert: exchange black and white (255 - x), as for black writing on white paper.

    Raises `DataError` for a value out of range.
    """

    size: int | None = None
    channels: Channels = "auto"
    invert: bool = False

    def __post_init__(self) -> None:
        if self.size is not None and not SMALLEST_SIZE <= self.size <= LARGEST_SIZE:
            raise DataError(f"size {self.size}; expected {SMALLEST_SIZE} to {LARGEST_SIZE} pixels")
        if self.channels not in ("auto", "grey", "rgb"):
            raise DataError(f"channels '{self.channels}'; expected auto, grey or rgb")


def picture_size(path: Path) -> tuple[int, int]:
    """Width and height as the file's header has them; no pixel is decoded. Raises `ImageError`."""
    with opened(path) as picture:
        return picture.size


def is_coloured(path: Path) -> bool:
    """Whether any pixel's red, green and blue differ. Raises `ImageError`."""
    with opened(path) as picture:
        if picture.mode in GREY_MODES:
            return False
        flat = flatten(picture)
    if flat.mode == "L":
        return False
    red, green, blue = (band.tobytes() for band in flat.split())  # comparing bytes is far quicker than arrays
    return not red == green == blue


def decode(path: Path, size: int, channels: Literal["grey", "rgb"], invert: bool = False) -> NDArray[np.uint8]:
    """Read one picture as uint8 [size, size] or [size, size, 3], fitted with its proportions.

    EXIF rotation is applied; transparency is laid on white; 16 bits become 8; palettes and CMYK are
    converted; of several frames the first counts. A picture of another shape is scaled to fit, area-averaged
    when it shrinks, and padded with the median colour of its border.
    Raises `ImageError` with the reason when the file cannot be read; the caller names the file.
    """
    with opened(path) as picture:
        flat = flatten(picture)
        pixels = fit_whole(flat.convert("L" if channels == "grey" else "RGB"), size, size)
    return 255 - pixels if invert else pixels
