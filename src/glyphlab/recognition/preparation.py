"""One picture -> one glyph, as the model's training images were."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from glyphlab.errors import ImageError, ModelError, did_you_mean
from glyphlab.imaging.fitting import fit_whole
from glyphlab.imaging.glyph import FRAMINGS, Framing, prepare
from glyphlab.imaging.picture import PictureSource, load_picture
from glyphlab.recognition.modelfile import ModelInfo

Preparation: TypeAlias = Callable[[PictureSource], NDArray[np.uint8]]

# The preparation works on about 400 pixels and looks nearer at small characters: this leaves it enough to see.
_ENOUGH = 600  # on the longer side; with all 1200, 13 of 1,674 answers on drawings change, as many for the better


def preparation_of(info: ModelInfo) -> Preparation:
    """The function from a picture to the glyph that the model takes, uint8 [H, W] or [H, W, 3].

    It raises `ImageError`, naming the picture, where that cannot be read or holds no character. Raises `ModelError`
    when the model asks for a framing that this version does not know.
    """
    framing = framing_of(info)
    return partial(_whole, info=info) if framing is None else partial(_framed, framing=framing)


def _whole(picture: PictureSource, info: ModelInfo) -> NDArray[np.uint8]:
    """The picture fitted in whole, which is what becomes of a folder's pictures in training."""
    channels, height, width = info.image_shape
    pixels = fit_whole(_in_channels(Image.fromarray(load_picture(picture)), channels), width, height)
    return 255 - pixels if info.invert else pixels


def _framed(picture: PictureSource, framing: Framing) -> NDArray[np.uint8]:
    """The character in the picture, framed."""
    pixels = to_prepare(picture)
    try:
        return prepare(pixels, framing)
    except ImageError as error:
        raise ImageError(f"{describe(picture)}: {error}") from error


def to_prepare(picture: PictureSource) -> NDArray[np.uint8]:
    """The pixels that `prepare` is given of a picture: uint8 [H, W] grey or [H, W, 3] RGB. Raises `ImageError`."""
    return load_picture(picture, enough=_ENOUGH)


def framing_of(info: ModelInfo) -> Framing | None:
    """The model's framing at the model's size; None: pictures are fitted in whole. Raises `ModelError`."""
    if info.framing is None:
        return None
    if info.framing not in FRAMINGS:
        raise ModelError(f"the model's framing '{info.framing}' is unknown; {did_you_mean(info.framing, FRAMINGS)}")
    return replace(FRAMINGS[info.framing], size=info.image_shape[1])


def as_glyph(picture: PictureSource, info: ModelInfo) -> NDArray[np.uint8]:
    """A picture that is a glyph already: the model's size, light ink on black. Raises `ImageError`."""
    channels, height, width = info.image_shape
    pixels = np.asarray(_in_channels(Image.fromarray(load_picture(picture)), channels))
    if pixels.shape[:2] != (height, width):
        raise ImageError(
            f"{describe(picture)}: {pixels.shape[1]} x {pixels.shape[0]} pixels; expected a prepared glyph of "
            f"{width} x {height} (leave out --no-prepare for pictures of other sizes)"
        )
    return pixels


def describe(picture: PictureSource) -> str:
    """A picture's name in messages: its path, where it has one."""
    if isinstance(picture, np.ndarray | bytes):
        return "the array" if isinstance(picture, np.ndarray) else "the bytes"
    return str(getattr(picture, "filename", "") or "the picture") if isinstance(picture, Image.Image) else str(picture)


def _in_channels(picture: Image.Image, channels: int) -> Image.Image:
    """Grey or RGB, as the model takes it."""
    return picture.convert("L" if channels == 1 else "RGB")
