"""Any picture of the user's -> upright 8-bit pixels, or one clear line that says why not.

The only place where picture files are opened. Sizes are checked in the header, before a pixel is decoded.
"""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from glyphlab.errors import ImageError

PictureSource = str | Path | bytes | NDArray[Any] | Image.Image

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif"})
# The formats behind them, the only ones that Pillow may try: some of its others hand a file on to other programs.
_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM")
# A page of A3 scanned at 600 dpi has 70 million pixels. Pillow's own limit, where it is lower, counts as well.
MAX_PIXELS = 89_000_000

# A smaller picture shows no character; reducing leaves at least so much of the shorter side.
SMALLEST_SIDE = 8

# Pillow's modes whose pixels are grey by their nature.
GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B", "I;16N"})
_SIXTEEN_BIT_MODES = frozenset({"I", "I;16", "I;16L", "I;16B", "I;16N"})

_ORIENTATION = 0x0112  # EXIF 2.32, section 4.6.4: how the camera was held
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Visible pixels all lighter than this would vanish on white: light strokes drawn on a transparent canvas.
_VANISHING = 240
# Filters of warnings belong to the whole process, so only one thread at a time may change them.
_WARNINGS = threading.Lock()


def load_picture(source: PictureSource, *, enough: int | None = None) -> NDArray[np.uint8]:
    """Read a picture from wherever it comes.

    source: path of a PNG, JPEG, WebP, TIFF, BMP or GIF file; the bytes of one; a Pillow picture; or an array:
        uint8 or uint16 of the full range, bool, or floats in 0..1, [H, W], [H, W, 1], [H, W, 3] RGB or
        [H, W, 4] RGBA.
    enough: longer side in pixels that will do. A larger file is reduced by a whole number, averaging areas, as long
        as it keeps that, and `SMALLEST_SIDE` on the shorter side; JPEG files are decoded smaller to begin with. This
        saves most of the time. None: as it is.

    Returns uint8 [H, W] grey or [H, W, 3] RGB: EXIF rotation applied, transparency laid on white (on black where
    everything visible is nearly white), 16 bits scaled to 8, palettes and CMYK converted, the first frame of
    several. Raises `ImageError` naming the file and the reason.
    """
    try:
        if isinstance(source, np.ndarray):
            return _from_array(source)
        with opened(source) as picture:
            if enough is not None:
                _draft(picture, enough)
            flat = flatten(picture)
            by = 1 if enough is None else min(max(flat.size) // enough, min(flat.size) // SMALLEST_SIDE)
            return np.asarray(flat.reduce(by) if by > 1 else flat)
    except ImageError as error:
        raise ImageError(f"{_name_of(source)}: {error}") from error


@contextmanager
def opened(source: str | Path | bytes | Image.Image) -> Iterator[Image.Image]:
    """Open a picture, refusing one of too many pixels before any is decoded.

    Whatever a damaged picture provokes, here or within the block, becomes an `ImageError` with the reason alone:
    the caller names the file.
    """
    try:
        if isinstance(source, Image.Image):
            _refuse_size(source.width, source.height)
            yield source
            return
        with _quiet():
            picture = Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=_FORMATS)
        with picture:
            _refuse_size(picture.width, picture.height)
            yield picture
    except ImageError:
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        limit = min(Image.MAX_IMAGE_PIXELS or MAX_PIXELS, MAX_PIXELS)
        raise ImageError(
            f"more than {limit:,} pixels, Pillow's limit against decompression bombs; scale the picture down"
        ) from error
    except UnidentifiedImageError as error:
        empty = not source if isinstance(source, bytes) else Path(str(source)).stat().st_size == 0
        raise ImageError("the file is empty" if empty else "not a picture, or its start is damaged") from error
    except OSError as error:
        # Only the operating system's errors have a strerror; the others are Pillow's, of a file that was cut short.
        raise (ImageError(error.strerror) if error.strerror else damaged(error)) from error
    except MemoryError as error:
        raise ImageError("too large for the memory; scale the picture down") from error
    except Exception as error:  # Pillow's decoders raise anything at all on damaged bytes
        raise damaged(error) from error


def damaged(error: Exception) -> ImageError:
    """What to say of a picture over which its decoder stumbled; the caller names the file."""
    reason = str(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
    return ImageError(f"damaged ({' '.join(reason.split())}); save or copy the picture again")


def flatten(picture: Image.Image) -> Image.Image:
    """The picture upright, in 8 bits, mode "L" or "RGB", without transparency. Use it within `opened`."""
    picture.load()
    with _quiet():
        turn = _TURNS.get(picture.getexif().get(_ORIENTATION, 1))
    flat = _eight_bits(picture)
    return flat if turn is None else flat.transpose(turn)


def _eight_bits(picture: Image.Image) -> Image.Image:
    if picture.mode in _SIXTEEN_BIT_MODES:
        deep = np.clip(np.asarray(picture, dtype=np.float64), 0, 65535)
        return Image.fromarray(np.rint(deep / 257).astype(np.uint8))
    if picture.mode == "F":
        raise ImageError("floating-point pixels, whose range is unknown; save it with 8 or 16 bits")
    if picture.has_transparency_data:
        layered = picture.convert("RGBA")
        paper = Image.new("RGBA", layered.size, _paper_under(np.asarray(layered)))
        return Image.alpha_composite(paper, layered).convert("RGB")
    mode = "L" if picture.mode in GREY_MODES else "RGB"
    return picture if picture.mode == mode else picture.convert(mode)


def _paper_under(layered: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """White, or black where white would swallow all that is drawn. layered: uint8 [H, W, 4]."""
    visible = layered[layered[..., 3] >= 128]
    vanishes = 0 < len(visible) < layered[..., 3].size and int(visible[:, :3].min()) > _VANISHING
    return (0, 0, 0, 255) if vanishes else (255, 255, 255, 255)


def _from_array(array: NDArray[Any]) -> NDArray[np.uint8]:
    shape_fits = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3, 4))
    if not shape_fits or 0 in array.shape:
        raise ImageError(f"shape {list(array.shape)}; expected [H, W], [H, W, 3] RGB or [H, W, 4] RGBA, not empty")
    _refuse_size(array.shape[1], array.shape[0])
    if array.dtype == np.uint16:
        pixels = np.rint(array / 257).astype(np.uint8)
    elif array.dtype == np.bool_:
        pixels = array.astype(np.uint8) * 255
    elif np.issubdtype(array.dtype, np.floating):
        low, high = float(array.min()), float(array.max())
        if not (low >= 0 and high <= 1):  # so written that not-a-number is refused, too
            raise ImageError(f"floats from {low:g} to {high:g}; expected 0 to 1, or uint8")
        pixels = np.rint(array * 255).astype(np.uint8)
    elif array.dtype == np.uint8:
        pixels = array
    else:
        raise ImageError(f"pixels of type {array.dtype}; expected uint8, uint16, bool or floats in 0..1")
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        return np.ascontiguousarray(pixels[..., 0])
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        return np.asarray(_eight_bits(Image.fromarray(np.ascontiguousarray(pixels))))
    return np.ascontiguousarray(pixels)


def _draft(picture: Image.Image, enough: int) -> None:
    """Let the JPEG decoder shrink by 2, 4 or 8 as long as the longer side keeps `enough` pixels, see `load_picture`."""
    scale = enough / max(picture.size)
    if scale < 1:
        width, height = (max(SMALLEST_SIDE, int(side * scale)) for side in picture.size)
        picture.draft(None, (width, height))


def _refuse_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise ImageError(f"{width:,} x {height:,} pixels; expected at most {MAX_PIXELS:,} in all; scale it down")


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence Pillow's remarks on odd metadata; only a bomb's warning counts, as an error."""
    with _WARNINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def _name_of(source: PictureSource) -> str:
    if isinstance(source, (str, Path)):
        return str(source)
    if isinstance(source, Image.Image):
        return str(getattr(source, "filename", "")) or "the picture"
    return "the bytes" if isinstance(source, bytes) else "the array"
