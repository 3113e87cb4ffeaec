"""One picture file of the user's -> a square uint8 image of a wanted size."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from glyphlab.errors import DataError, ImageError

Channels = Literal["auto", "grey", "rgb"]

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"})
SMALLEST_SIZE, LARGEST_SIZE = 8, 512

# Pillow's modes whose pixels are grey by their nature.
_GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B", "I;16N"})
_SIXTEEN_BIT_MODES = frozenset({"I", "I;16", "I;16L", "I;16B", "I;16N"})


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


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn whatever a damaged picture provokes into an `ImageError` with the reason alone."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            yield
        except ImageError:
            raise
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            limit = Image.MAX_IMAGE_PIXELS or 0
            raise ImageError(f"more than {limit:,} pixels, Pillow's limit against decompression bombs") from error
        except UnidentifiedImageError as error:
            reason = "the file is empty" if path.stat().st_size == 0 else "not a picture, or its start is damaged"
            raise ImageError(reason) from error
        except OSError as error:
            raise ImageError(error.strerror or str(error)) from error
        except Exception as error:  # Pillow's decoders raise anything at all on damaged bytes
            reason = " ".join(f"{type(error).__name__}: {error}".split())  # of one line
            raise ImageError(f"damaged ({reason})") from error


def picture_size(path: Path) -> tuple[int, int]:
    """Width and height as the file's header has them; no pixel is decoded. Raises `ImageError`."""
    with _readable(path), Image.open(path) as picture:
        return picture.size


def is_coloured(path: Path) -> bool:
    """Whether any pixel's red, green and blue differ. Raises `ImageError`."""
    with _readable(path), Image.open(path) as picture:
        if picture.mode in _GREY_MODES:
            return False
        flat = _flatten(picture)
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
    with _readable(path), Image.open(path) as picture:
        flat = _flatten(ImageOps.exif_transpose(picture))
        pixels = fit(flat.convert("L" if channels == "grey" else "RGB"), size)
    return 255 - pixels if invert else pixels


def fit(picture: Image.Image, size: int) -> NDArray[np.uint8]:
    """Scale an "L" or "RGB" picture into size x size, proportions kept, padded in its border's colour."""
    if picture.size != (size, size):
        scale = size / max(picture.size)
        width, height = (max(1, round(extent * scale)) for extent in picture.size)
        background = _border_colour(picture)
        shrinking = scale < 1
        method = Image.Resampling.BOX if shrinking else Image.Resampling.BICUBIC
        canvas = Image.new(picture.mode, (size, size), background)
        canvas.paste(picture.resize((width, height), method), ((size - width) // 2, (size - height) // 2))
        picture = canvas
    return np.array(picture, dtype=np.uint8)


def _border_colour(picture: Image.Image) -> int | tuple[int, ...]:
    """Median of the outermost pixels, per channel: what the paper looks like, whatever is drawn on it."""
    width, height = picture.size
    top, bottom = (0, 0, width, 1), (0, height - 1, width, height)
    left, right = (0, 0, 1, height), (width - 1, 0, width, height)
    bands = len(picture.getbands())
    border = np.concatenate(
        [np.asarray(picture.crop(strip)).reshape(-1, bands) for strip in (top, bottom, left, right)]
    )
    median = [int(channel) for channel in np.median(border, axis=0)]
    return median[0] if bands == 1 else tuple(median)


def _flatten(picture: Image.Image) -> Image.Image:
    """The picture in 8 bits, mode "L" or "RGB", transparency laid on white."""
    if picture.mode in _SIXTEEN_BIT_MODES:
        deep = np.clip(np.asarray(picture, dtype=np.float64), 0, 65535)
        return Image.fromarray(np.rint(deep / 257).astype(np.uint8))
    if picture.mode == "F":
        raise ImageError("floating-point pixels, whose range is unknown; save it with 8 or 16 bits")
    if picture.has_transparency_data:
        layered = picture.convert("RGBA")
        white = Image.new("RGBA", layered.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, layered).convert("RGB")
    return picture.convert("L" if picture.mode in _GREY_MODES else "RGB")
