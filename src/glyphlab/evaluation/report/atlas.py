"""Many small images in few pictures, as a page shows thousands of glyphs without thousands of files.

The images stand in rows on one or more sheets, each a lossless PNG as a data URI; the page shows one of them by moving
the sheet behind a window of one image's size (CSS background-position). Ten thousand 28x28 glyphs make about 3 MB.
"""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_SHEET_SIDE = 3000  # pixels; telephones refuse pictures of more than 16 million
_GAP = 1  # a black line between images, so that a scaled window never shows a neighbour's edge
_SAMPLE = 400
LARGEST_SIDE = 64  # pixels of an image in the page; larger ones are made smaller


@dataclass(frozen=True)
class Atlas:
    """Sheets of equal images.

    name: of its CSS classes. sheets: PNG data URIs. count: images. width, height: of one, in pixels.
    columns, rows: images a sheet. white_on_black: dark background and grey, so that ink and paper may be exchanged.
    """

    name: str
    sheets: tuple[str, ...]
    count: int
    width: int
    height: int
    columns: int
    rows: int
    white_on_black: bool

    def place(self, position: int) -> tuple[int, int, int]:
        """Sheet, column and row of the image at `position`."""
        assert 0 <= position < self.count, (position, self.count)
        sheet, within = divmod(position, self.columns * self.rows)
        row, column = divmod(within, self.columns)
        return sheet, column, row

    @property
    def bytes(self) -> int:
        """What it adds to the page."""
        return sum(map(len, self.sheets))

    def css(self) -> str:
        """One rule for the window and one for each sheet; `--s` is the width at which an image is shown."""
        across, down = 1 + _GAP / self.width, 1 + _GAP / self.height
        tall = self.height / self.width
        rules = [
            f".{self.name}{{width:var(--s);height:calc(var(--s)*{tall:.6g});"
            f"background-position:calc(var(--s)*var(--x)*{-across:.6g}) calc(var(--s)*var(--y)*{-down * tall:.6g});"
            f"background-size:calc(var(--s)*{self.columns * across:.6g}) auto}}"
        ]
        rules += [f".{self.name}{number}{{background-image:url({uri})}}" for number, uri in enumerate(self.sheets)]
        return "\n".join(rules)


def pack(images: NDArray[np.uint8], name: str) -> Atlas:
    """Lay images side by side. images: uint8 [N, H, W] or [N, H, W, 3], N at least 1, sides up to `LARGEST_SIDE`."""
    assert len(images) > 0 and max(images.shape[1:3]) <= LARGEST_SIDE, images.shape
    height, width = images.shape[1:3]
    columns = min(_SHEET_SIDE // (width + _GAP), math.ceil(math.sqrt(len(images))))
    most_rows = _SHEET_SIDE // (height + _GAP)
    starts = range(0, len(images), columns * most_rows)
    sheets = tuple(png_uri(_sheet(images[start : start + columns * most_rows], columns)) for start in starts)
    grey = images.ndim == 3
    edges = np.concatenate([images[:, 0].ravel(), images[:, -1].ravel()])
    return Atlas(
        name=name,
        sheets=sheets,
        count=len(images),
        width=width,
        height=height,
        columns=columns,
        rows=most_rows,
        white_on_black=grey and float(np.median(edges)) < 64,
    )


def bytes_per_image(images: NDArray[np.uint8]) -> float:
    """What an image adds to the page on average, estimated from some of them."""
    some = images[np.linspace(0, len(images) - 1, min(_SAMPLE, len(images))).astype(np.int64)]
    return pack(some, "sample").bytes / len(some)


def small_enough(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The images, with sides of at most `LARGEST_SIDE` pixels (area averages)."""
    height, width = images.shape[1:3]
    scale = LARGEST_SIDE / max(height, width)
    if scale >= 1:
        return images
    import cv2

    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.stack([cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in images]).astype(np.uint8)


def png_uri(pixels: NDArray[np.uint8]) -> str:
    """A picture, uint8 [H, W], [H, W, 3] or [H, W, 4], as a PNG data URI."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def _sheet(images: NDArray[np.uint8], columns: int) -> NDArray[np.uint8]:
    """Images in rows, with a gap to the right of and below each."""
    rows = math.ceil(len(images) / columns)
    height, width = images.shape[1] + _GAP, images.shape[2] + _GAP
    cells = np.zeros((rows * columns, height, width, *images.shape[3:]), dtype=np.uint8)
    cells[: len(images), :-_GAP, :-_GAP] = images
    grid = cells.reshape(rows, columns, *cells.shape[1:])
    return grid.swapaxes(1, 2).reshape(rows * height, columns * width, *images.shape[3:])
