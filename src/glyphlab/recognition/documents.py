"""The pages of a file: one of most pictures, several of a TIFF, and those of a PDF."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glyphlab.errors import ImageError
from glyphlab.imaging.picture import (
    MAX_PIXELS,
    SUFFIXES,
    flatten,
    frame_count,
    is_reduced_copy,
    load_picture,
    opened,
    pixels_of,
)

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

PAGE_SUFFIXES = SUFFIXES | {".pdf"}

# Of other formats' frames the first is meant: of animations, and of photos with smaller copies of themselves (MPO).
_MANY_FRAMES = frozenset({"TIFF"})
_PDF_DPI = 200


def pages_of(path: str | Path) -> Iterator[tuple[int, NDArray[np.uint8] | ImageError]]:
    """Each page of a file with its number, from 1, one at a time: its pixels, or what is wrong with it.

    The pixels are uint8 [H, W] grey or [H, W, 3] RGB. PDF files need pypdfium2, which is not installed with Glyphlab,
    and are drawn at 200 dots per inch.
    """
    path = Path(path)
    return enumerate(_pdf_pages(path) if path.suffix.lower() == ".pdf" else _frames(path), start=1)


def page_name(path: str | Path, number: int) -> str:
    """The path, with "#2" and so on from the second page of a file."""
    return str(path) if number == 1 else f"{path}#{number}"


def _frames(path: Path) -> Iterator[NDArray[np.uint8] | ImageError]:
    """The frames of a picture file that has pages, without smaller copies of them; of others the first."""
    try:
        with opened(path) as picture:
            count = frame_count(picture) if picture.format in _MANY_FRAMES else 1
            if count > 1:
                pages = [number for number in range(count) if not _is_copy(picture, number)] or [0]
                for page, number in enumerate(pages, start=1):
                    yield _frame(picture, number, f"{path}, page {page} of {len(pages)}")
                return
    except ImageError as error:
        yield ImageError(f"{path}: {error}")
        return
    yield _loaded(path)


def _is_copy(picture: Picture, number: int) -> bool:
    """Whether a frame of an open file is another one made smaller; one that cannot be opened is a page."""
    try:
        with opened(picture, frame=number) as frame:
            return is_reduced_copy(frame)
    except ImageError:
        return False


def _frame(picture: Picture, number: int, name: str) -> NDArray[np.uint8] | ImageError:
    """One frame of an open file."""
    try:
        with opened(picture, frame=number) as frame:
            return pixels_of(flatten(frame))
    except ImageError as error:
        return ImageError(f"{name}: {error}")


def _loaded(path: Path) -> NDArray[np.uint8] | ImageError:
    try:
        return load_picture(path)
    except ImageError as error:
        return error


def _pdf_pages(path: Path) -> Iterator[NDArray[np.uint8] | ImageError]:
    """The pages of a PDF file, drawn."""
    try:
        import pypdfium2
    except ModuleNotFoundError:
        yield ImageError(
            f"{path}: reading PDF files needs pypdfium2, which is not installed; install it with "
            "'pip install pypdfium2', or save the pages as pictures"
        )
        return
    try:
        document: Any = pypdfium2.PdfDocument(path)
    except (pypdfium2.PdfiumError, OSError) as error:
        yield ImageError(f"{path}: not a PDF file that can be opened ({error})")
        return
    with closing(document):
        for number in range(len(document)):
            try:
                yield load_picture(_drawn(document[number]))
            except (pypdfium2.PdfiumError, ImageError) as error:
                yield ImageError(f"{path}, page {number + 1} of {len(document)}: {error}")


def _drawn(page: Any) -> Picture:
    """A PDF page as a picture; a poster is drawn coarser, so that it stays within the limit of pixels."""
    width, height = page.get_size()  # in points, of which there are 72 to the inch
    scale = min(_PDF_DPI / 72, (MAX_PIXELS / max(width * height, 1.0)) ** 0.5 * 0.99)
    picture: Picture = page.render(scale=scale).to_pil().convert("RGB")
    return picture
