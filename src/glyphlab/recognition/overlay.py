"""A page with what was read drawn over it: to see at a glance what was found, and how sure it is."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from glyphlab.files import write_bytes
from glyphlab.imaging.picture import PictureSource, load_picture
from glyphlab.recognition.reader import Page

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_PAPER, _LINE, _WORD = (255, 255, 255), (196, 206, 219), (27, 110, 194)
_SURE, _UNSURE, _GUESS = (16, 122, 62), (193, 110, 0), (200, 30, 30)
_SURE_FROM, _UNSURE_FROM = 0.9, 0.6
_SMALLEST_TEXT, _LARGEST_TEXT = 9, 60  # pixels
_DEJAVU, _NO_CHARACTER = "DejaVuSans.ttf", "\uffff"
_FADED = 0.45  # of the page's contrast is left, so that the drawing stands out


def draw_overlay(picture: PictureSource, page: Page) -> NDArray[np.uint8]:
    """The page, paled, with a box around each word and above it what was read, uint8 [H, W, 3] RGB.

    Green: probability of at least 0.9; orange: of at least 0.6; red: less. A grey line runs under each line, with
    its number in reading order at its start.
    """
    pixels = load_picture(picture)
    grey = pixels if pixels.ndim == 2 else np.asarray(Image.fromarray(pixels).convert("L"))
    if np.median(grey) < 128:
        grey = 255 - grey
    pale = (255 - (255 - grey.astype(np.float32)) * _FADED).astype(np.uint8)
    canvas = Image.fromarray(np.repeat(pale[:, :, None], 3, axis=2))
    draw = ImageDraw.Draw(canvas)
    written = "".join({one.text for line in page.lines for word in line.words for one in word.characters})
    font_path = _font_for(written)
    lacking = _lacking(_font(font_path, _LARGEST_TEXT), written)
    for number, line in enumerate(page.lines, start=1):
        box = line.box
        size = int(np.clip(0.6 * np.median([word.box.height for word in line.words]), _SMALLEST_TEXT, _LARGEST_TEXT))
        font = _font(font_path, size)
        draw.line((box.left, box.bottom + 1, box.right, box.bottom + 1), fill=_LINE)
        label = str(number)
        draw.text((max(box.left - 0.7 * size * len(label) - 2, 0), box.bottom), label, _LINE, font, anchor="ls")
        for word in line.words:
            draw.rectangle((word.box.left - 1, word.box.top - 1, word.box.right, word.box.bottom), outline=_WORD)
            for character in word.characters:
                place = (character.box.centre_x, max(word.box.top - 3, size))
                draw.text(
                    place,
                    "".join(f"U+{ord(c):04X}" if c in lacking else c for c in character.text),
                    _colour(character.probability),
                    font,
                    anchor="ms",
                    stroke_width=1,
                    stroke_fill=_PAPER,
                )
    return np.asarray(canvas)


def save_overlay(picture: PictureSource, page: Page, path: Path) -> None:
    """Write `draw_overlay` as a PNG file. Raises `RunError` when the operating system refuses."""
    content = BytesIO()
    Image.fromarray(draw_overlay(picture, page)).save(content, format="PNG")
    write_bytes(path, content.getvalue())


def _font_for(characters: str) -> str | None:
    """A font that has them all: None, Pillow's own, for Latin; DejaVu Sans, where it is installed, for much else.

    Where none has, that with the fewest missing.
    """
    missing: dict[str | None, int] = {}
    for path in _fonts():
        with suppress(OSError):  # not installed
            missing[path] = len(_lacking(_font(path, _LARGEST_TEXT), characters))
            if not missing[path]:
                return path
    return min(missing, key=missing.__getitem__)


def _fonts() -> Iterator[str | None]:
    """Pillow's own, the system's, and the one that matplotlib brings, where it is installed."""
    yield None
    yield _DEJAVU
    beside = importlib.util.find_spec("matplotlib")
    if beside and beside.origin:
        yield str(Path(beside.origin).parent / "mpl-data/fonts/ttf" / _DEJAVU)


def _font(path: str | None, size: int) -> Font:
    return ImageFont.load_default(size) if path is None else ImageFont.truetype(path, size)


def _lacking(font: Font, characters: str) -> set[str]:
    return {character for character in characters if not _has(font, character)}


def _has(font: Font, character: str) -> bool:
    """Whether the font can draw it: what it has not looks like a character that no font has."""
    return bytes(font.getmask(character)) != bytes(font.getmask(_NO_CHARACTER)) or character.isspace()


def _colour(probability: float) -> tuple[int, int, int]:
    if probability >= _SURE_FROM:
        return _SURE
    return _UNSURE if probability >= _UNSURE_FROM else _GUESS
