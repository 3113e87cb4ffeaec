"""Pictures that strangers send: what they are is settled by their first bytes and their header, before any decoding."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import numpy as np
from numpy.typing import NDArray

from glyphlab.errors import ImageError
from glyphlab.imaging.picture import load_picture, opened
from glyphlab.web.refusals import Refusal

# What a file must begin with. Pillow reads many more formats, some through other programs; strangers get these alone.
_BEGINNINGS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"BM", b"II*\0", b"MM\0*")
_FORMATS = frozenset({"PNG", "JPEG", "MPO", "GIF", "BMP", "TIFF", "WEBP"})
_KEPT_SIDE = 600  # pixels, as `recognition.preparation` looks at them
_DATA_URL = "data:image/png;base64,"


def check_picture(content: bytes, most_pixels: int) -> None:
    """Refuse what is no picture of a common format, or has too many pixels by its header; nothing is decoded.

    Raises `Refusal` (415, 413) or `ImageError`.
    """
    if not content:
        raise ImageError("the file is empty; choose a picture")
    if not (content.startswith(_BEGINNINGS) or (content[:4] == b"RIFF" and content[8:12] == b"WEBP")):
        raise _other_format()
    with opened(content) as picture:
        if picture.format not in _FORMATS:
            raise _other_format()
        pixels = picture.width * picture.height
    if pixels > most_pixels:
        raise Refusal(
            413,
            "too_many_pixels",
            f"the picture has {pixels:,} pixels, expected at most {most_pixels:,}",
            "scale the picture down",
        )


@contextmanager
def nameless() -> Iterator[None]:
    """Without "the bytes" and "the array" in what is wrong with a picture: whoever sent or drew it knows of neither."""
    try:
        yield
    except ImageError as error:
        raise ImageError(re.sub("^the (bytes|array): ", "", str(error))) from None


def for_keeping(content: bytes, most_pixels: int) -> bytes:
    """A picture as it is kept: no larger than preparing needs, a PNG with nothing but pixels in it.

    Raises `Refusal`, `ImageError`.
    """
    check_picture(content, most_pixels)
    with nameless():
        return png(load_picture(content, enough=_KEPT_SIDE))


def png(image: NDArray[np.uint8]) -> bytes:
    """uint8 [H, W] or [H, W, 3] RGB as a PNG file."""
    return bytes(cv2.imencode(".png", image if image.ndim == 2 else image[..., ::-1])[1].tobytes())


def data_url(content: bytes) -> str:
    """A PNG file as an address that an <img> takes."""
    return _DATA_URL + base64.b64encode(content).decode("ascii")


def from_data_url(text: str) -> bytes:
    """The file in an address as `data_url` makes them. Raises `ImageError`."""
    if not text.startswith(_DATA_URL):
        raise ImageError(f"a picture given as text must begin with '{_DATA_URL}'; send it as a file instead")
    try:
        return base64.b64decode(text.removeprefix(_DATA_URL), validate=True)
    except binascii.Error as error:
        raise ImageError(f"a picture given as text is not base64 ({error}); send it as a file instead") from None


def _other_format() -> Refusal:
    return Refusal(
        415,
        "format",
        "the file is not a picture of a format that is read here",
        "save it as PNG, JPEG, WebP, TIFF, BMP or GIF",
    )
