"""Any picture of the user's -> upright 8-bit pixels, or one clear line that says why not.

The only place where picture files are opened. Sizes are checked in the header, before a pixel is decoded.
"""

from __future__ import annotations

import io
import math
import threading
import warnings
from collections.abc import Callable, Iterator
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
# What counts as white in 16 bits: programs keep 8 bits there, cameras and microscopes 12, see `load_picture`.
_FULL_VALUES = (255, 4095, 65535)
# TIFF 6.0, section 8 (NewSubfileType, BitsPerSample) and section 20 (SMaxSampleValue).
_KIND_OF_FRAME, _BITS_PER_SAMPLE, _LARGEST_SAMPLE = 254, 258, 341
# Pixels that are converted at once: the copies that arithmetic needs stay small however large the picture is.
_STRIP_PIXELS = 1 << 21

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
_WHITE, _BLACK = (255, 255, 255, 255), (0, 0, 0, 255)
_TOO_LARGE = "too large for the memory; scale the picture down"
# Filters of warnings belong to the whole process, so only one thread at a time may change them.
_WARNINGS = threading.Lock()


def load_picture(source: PictureSource, *, enough: int | None = None) -> NDArray[np.uint8]:
    """Read a picture from wherever it comes.

    source: path of a PNG, JPEG, WebP, TIFF, BMP or GIF file; the bytes of one; a Pillow picture; or an array:
        uint8, uint16, bool, or floats in 0..1, [H, W], [H, W, 1], [H, W, 3] RGB or [H, W, 4] RGBA.
    enough: longer side in pixels that will do. A larger file is reduced by a whole number, averaging areas, as long
        as it keeps that, and `SMALLEST_SIDE` on the shorter side; JPEG files are decoded smaller to begin with. This
        saves most of the time. None: as it is.

    Returns uint8 [H, W] grey or [H, W, 3] RGB: EXIF rotation applied, transparency laid on white (on black where
    everything visible is nearly white), 16 bits scaled to 8, palettes and CMYK converted, the first frame of
    several. Raises `ImageError` naming the file and the reason.

    16 bits hold less than that in many files. White is the largest value that a TIFF file says it may have
    (BitsPerSample, SMaxSampleValue); otherwise the smallest of 255, 4095 and 65535 that no pixel exceeds. A picture
    of all 16 bits that stays below 4096 would be black to the eye, a sixteenth of white at most, so none is
    brightened that could be looked at before.
    """
    try:
        if isinstance(source, np.ndarray):
            return _from_array(source)
        return pixels_of(_flat(source, enough))  # by now the decoded file is let go, which may have more bits
    except ImageError as error:
        raise ImageError(f"{_name_of(source)}: {error}") from error
    except MemoryError as error:
        raise ImageError(f"{_name_of(source)}: {_TOO_LARGE}") from error


def _flat(source: str | Path | bytes | Image.Image, enough: int | None) -> Image.Image:
    """The picture as `flatten` makes it, reduced as `load_picture` says."""
    with opened(source) as picture:
        if enough is not None:
            _draft(picture, enough)
        flat = flatten(picture)
        by = 1 if enough is None else min(max(flat.size) // enough, min(flat.size) // SMALLEST_SIDE)
        return flat.reduce(by) if by > 1 else flat


@contextmanager
def opened(source: str | Path | bytes | Image.Image, *, frame: int | None = None) -> Iterator[Image.Image]:
    """Open a picture, refusing one of too many pixels before any is decoded.

    frame: go to this one of several, from 0; None: the one that a Pillow picture shows, of files the first.
    Whatever a damaged picture provokes, here or within the block, becomes an `ImageError` with the reason alone:
    the caller names the file.
    """
    try:
        if isinstance(source, Image.Image):
            yield _at_frame(source, frame)
            return
        with _quiet():
            picture = Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=_FORMATS)
        with picture:
            yield _at_frame(picture, frame)
    except ImageError:
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise ImageError(
            f"more than {_most_pixels():,} pixels, Pillow's limit against decompression bombs; scale the picture down"
        ) from error
    except UnidentifiedImageError as error:
        empty = not source if isinstance(source, bytes) else Path(str(source)).stat().st_size == 0
        raise ImageError("the file is empty" if empty else "not a picture, or its start is damaged") from error
    except OSError as error:
        # Only the operating system's errors have a strerror; the others are Pillow's, of a file that was cut short.
        raise (ImageError(error.strerror) if error.strerror else damaged(error)) from error
    except MemoryError as error:
        raise ImageError(_TOO_LARGE) from error
    except Exception as error:  # Pillow's decoders raise anything at all on damaged bytes
        raise damaged(error) from error


def _at_frame(picture: Image.Image, frame: int | None) -> Image.Image:
    """The picture at a frame, unless that has too many pixels."""
    if frame is not None:
        with _quiet():
            picture.seek(frame)
    _refuse_size(picture.width, picture.height)
    return picture


def frame_count(picture: Image.Image) -> int:
    """How many frames an open file has; looking for them may stumble over odd metadata, which is passed over."""
    with _quiet():
        return int(getattr(picture, "n_frames", 1))


def is_reduced_copy(frame: Image.Image) -> bool:
    """Whether a frame of a TIFF file is, as it says, another one made smaller."""
    return bool(_tiff_number(frame, _KIND_OF_FRAME) & 1)


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


def pixels_of(flat: Image.Image) -> NDArray[np.uint8]:
    """The pixels of what `flatten` returns: uint8 [H, W] grey or [H, W, 3] RGB."""
    shape = (flat.height, flat.width) if flat.mode == "L" else (flat.height, flat.width, 3)
    pixels = np.empty(shape, dtype=np.uint8)
    for top, strip in _strips(flat):  # Pillow would hand over two more copies of the whole
        pixels[top : top + strip.height] = np.asarray(strip)
    return pixels


def _strips(picture: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """The picture from top to bottom in strips, each with the row it begins at; a small picture is one strip."""
    rows = max(1, _STRIP_PIXELS // picture.width)
    if rows >= picture.height:
        yield 0, picture
        return
    for top in range(0, picture.height, rows):
        yield top, picture.crop((0, top, picture.width, min(top + rows, picture.height)))


def _eight_bits(picture: Image.Image) -> Image.Image:
    if picture.mode in _SIXTEEN_BIT_MODES:
        return _from_sixteen_bits(picture)
    if picture.mode == "F":
        raise ImageError("floating-point pixels, whose range is unknown; save it with 8 or 16 bits")
    if picture.has_transparency_data:
        return _on_paper(picture)
    mode = "L" if picture.mode in GREY_MODES else "RGB"
    return picture if picture.mode == mode else picture.convert(mode)


def _from_sixteen_bits(picture: Image.Image) -> Image.Image:
    """Grey of up to 16 bits as mode "L"; which value is white is said in `load_picture`."""
    extremes = [(int(values.min()), int(values.max())) for values in (np.asarray(s) for _, s in _strips(picture))]
    least, largest = min(low for low, _ in extremes), max(high for _, high in extremes)
    if least < 0 or largest > _FULL_VALUES[-1]:
        raise ImageError(f"grey values from {least:,} to {largest:,}; expected 0 to 65,535: save it with 8 or 16 bits")
    said = _said_full_value(picture)
    full = said if said is not None and said >= largest else _full_value(largest)
    flat = np.empty((picture.height, picture.width), dtype=np.uint8)
    for top, strip in _strips(picture):
        flat[top : top + strip.height] = _scaled(np.asarray(strip), full)
    return Image.fromarray(flat)


def _said_full_value(picture: Image.Image) -> int | None:
    """The value of white in 16 bits where the file's format or header tells it.

    PNG's sBIT does not: by the specification the samples have been scaled to all 16 bits, however few are
    significant, and the programs that leave them as they were do not write it.
    """
    if picture.format == "PPM":
        return _FULL_VALUES[-1]  # Pillow has scaled it by the file's own
    bits, largest = (_tiff_number(picture, tag) for tag in (_BITS_PER_SAMPLE, _LARGEST_SAMPLE))
    if 0 < largest <= _FULL_VALUES[-1]:
        return largest
    return 2**bits - 1 if 8 < bits < 16 else None


def _tiff_number(picture: Image.Image, tag: int) -> int:
    """The first value of a tag that holds numbers, 0 without."""
    value = getattr(picture, "tag_v2", {}).get(tag)
    first = value[0] if isinstance(value, tuple) and value else value
    return int(first) if isinstance(first, int | float) and math.isfinite(first) else 0


def _full_value(largest: int) -> int:
    """The value of white where nothing tells it, by the largest value there is."""
    return next(full for full in _FULL_VALUES if largest <= full)


def _scaled(values: NDArray[Any], full: int) -> NDArray[np.uint8]:
    """0 to `full` -> 0 to 255, rounded. values: integers of at most 16 bits."""
    return ((values.astype(np.uint32) * 255 + full // 2) // full).astype(np.uint8)


def _on_paper(picture: Image.Image) -> Image.Image:
    """A picture with transparency, laid on paper; mode "RGB"."""
    paper = _paper_under(picture)
    flat = Image.new("RGB", picture.size)
    for top, strip in _strips(picture):
        layered = strip.convert("RGBA")
        sheet = Image.new("RGBA", layered.size, paper)
        flat.paste(Image.alpha_composite(sheet, layered).convert("RGB"), (0, top))
    return flat


def _paper_under(picture: Image.Image) -> tuple[int, int, int, int]:
    """White, or black where white would swallow all that is drawn on a partly transparent picture."""
    some_visible, all_visible = False, True
    for _, strip in _strips(picture):
        layered = np.asarray(strip.convert("RGBA"))
        visible = layered[..., 3] >= 128
        if visible.any():
            if int(layered[visible][:, :3].min()) <= _VANISHING:
                return _WHITE
            some_visible = True
        all_visible = all_visible and bool(visible.all())
    return _BLACK if some_visible and not all_visible else _WHITE


def _from_array(array: NDArray[Any]) -> NDArray[np.uint8]:
    shape_fits = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3, 4))
    if not shape_fits or 0 in array.shape:
        raise ImageError(f"shape {list(array.shape)}; expected [H, W], [H, W, 3] RGB or [H, W, 4] RGBA, not empty")
    _refuse_size(array.shape[1], array.shape[0])
    if array.dtype == np.uint16:
        full = _full_value(int(array.max()))
        pixels = _by_strips(array, lambda strip: _scaled(strip, full))
    elif array.dtype == np.bool_:
        pixels = array.astype(np.uint8) * 255
    elif np.issubdtype(array.dtype, np.floating):
        low, high = float(array.min()), float(array.max())
        if not (low >= 0 and high <= 1):  # so written that not-a-number is refused, too
            raise ImageError(f"floats from {low:g} to {high:g}; expected 0 to 1, or uint8")
        pixels = _by_strips(array, lambda strip: np.rint(strip * 255).astype(np.uint8))
    elif array.dtype == np.uint8:
        pixels = array
    else:
        raise ImageError(f"pixels of type {array.dtype}; expected uint8, uint16, bool or floats in 0..1")
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        return np.ascontiguousarray(pixels[..., 0])
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        return pixels_of(_eight_bits(Image.fromarray(np.ascontiguousarray(pixels))))
    return np.ascontiguousarray(pixels)


def _by_strips(array: NDArray[Any], convert: Callable[[NDArray[Any]], NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """`convert` applied to some rows after the others, into one array. array: [H, W] or [H, W, C]."""
    pixels = np.empty(array.shape, dtype=np.uint8)
    rows = max(1, _STRIP_PIXELS // array.shape[1])
    for top in range(0, len(array), rows):
        pixels[top : top + rows] = convert(array[top : top + rows])
    return pixels


def _draft(picture: Image.Image, enough: int) -> None:
    """Let the JPEG decoder shrink by 2, 4 or 8 as long as the longer side keeps `enough` pixels, see `load_picture`."""
    scale = enough / max(picture.size)
    if scale < 1:
        width, height = (max(SMALLEST_SIDE, int(side * scale)) for side in picture.size)
        picture.draft(None, (width, height))


def _refuse_size(width: int, height: int) -> None:
    if width * height > _most_pixels():
        raise ImageError(f"{width:,} x {height:,} pixels; expected at most {_most_pixels():,} in all; scale it down")


def _most_pixels() -> int:
    return min(Image.MAX_IMAGE_PIXELS or MAX_PIXELS, MAX_PIXELS)


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
