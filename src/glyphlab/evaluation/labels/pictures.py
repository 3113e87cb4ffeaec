"""A label search for the eye: sheets of suspicious labels, of images that are one, and of outliers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from glyphlab.drawing import drawable
from glyphlab.evaluation.labels.search import LabelSearch
from glyphlab.evaluation.sheet import DARK, QUIET, RED, Sheet, wrapped
from glyphlab.evaluation.wording import percent, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_IMAGES = 80  # on a sheet
_MOST_COLUMNS = 10
_TILE_INCHES = 1.0
# In widths of an image: between tiles, and the two lines of writing below each.
_GAP, _WRITING = 0.2, 0.46


@dataclass(frozen=True)
class _Tile:
    """One or more images side by side with two lines of writing below."""

    indices: tuple[int, ...]
    first_line: str
    second_line: str
    marked: bool


def draw_suspicious(search: LabelSearch, path: Path, limit: int = MOST_IMAGES) -> None:
    """Draw the most suspicious labels, the worst first; the format follows the suffix.

    Below each image stand the given and the suggested class, its rank and the probability of the given class; a red
    frame marks confident learning's label issues. Raises `RunError` when the file cannot be written.
    """
    names, targets = search.glyphs.class_names, search.glyphs.targets
    tiles = [
        _Tile(
            (index,),
            f"{shortened(names[targets[index]], 9)} → {shortened(names[search.suggested[index]], 9)}",
            f"{rank}   {percent(search.self_confidence[index])} %",
            bool(search.is_issue[index]),
        )
        for rank, index in enumerate(search.order[:limit].tolist(), start=1)
    ]
    note = (
        "given label → suggested one; below: rank, and how probable the given one is to a network that never saw the "
        "image; red frame: confidently of another class (confident learning)"
    )
    _draw(search, tiles, "most suspicious labels", note, path)


def draw_duplicates(search: LabelSearch, path: Path, limit: int = MOST_IMAGES // 2) -> None:
    """Draw pairs of images that are one, those with different labels first and framed red; at least one pair."""
    names, targets = search.glyphs.class_names, search.glyphs.targets
    tiles = [
        _Tile(
            (pair.first, pair.second),
            f"{shortened(names[targets[pair.first]], 9)}  |  {shortened(names[targets[pair.second]], 9)}",
            "equal pixels" if pair.kind == "equal" else f"correlation {pair.similarity:.4f}",
            not pair.same_label,
        )
        for pair in search.duplicates[:limit]
    ]
    note = "the two labels; below: how alike the pixels are; red frame: different labels, one of which must be wrong"
    _draw(search, tiles, "(nearly) equal images", note, path)


def draw_outliers(search: LabelSearch, path: Path, limit: int = MOST_IMAGES) -> None:
    """Draw the images farthest from their neighbours in feature space; at least one."""
    names, targets = search.glyphs.class_names, search.glyphs.targets
    tiles = [
        _Tile((index,), shortened(names[targets[index]], 16), f"{search.outlier_scores[index]:.3f}", False)
        for index in search.outliers[:limit].tolist()
    ]
    note = "the label; below: mean cosine distance to the ten nearest images in feature space"
    _draw(search, tiles, "outliers", note, path)


def _draw(search: LabelSearch, tiles: Sequence[_Tile], title: str, note: str, path: Path) -> None:
    assert tiles
    glyphs = search.glyphs
    _, height, width = glyphs.image_shape
    tile_wide = len(tiles[0].indices)
    columns = min(len(tiles), max(1, _MOST_COLUMNS // tile_wide))
    gap, writing = round(_GAP * width), round(_WRITING * width)  # pixels of the images, so that these stay whole
    step_x, step_y = tile_wide * width + gap, height + writing
    rows = math.ceil(len(tiles) / columns)
    mosaic = np.full((rows * step_y, gap + columns * step_x, 3), 255, dtype=np.uint8)
    corners = [(gap + place % columns * step_x, place // columns * step_y) for place in range(len(tiles))]
    for tile, (left, top) in zip(tiles, corners, strict=True):
        for number, index in enumerate(tile.indices):
            image = glyphs.images[index]
            place = slice(top, top + height), slice(left + number * width, left + (number + 1) * width)
            mosaic[place] = image[..., None] if image.ndim == 2 else image

    scale = _TILE_INCHES / width
    wide, body = max(5.0, mosaic.shape[1] * scale), mosaic.shape[0] * scale
    lines = [line for text in (note, glyphs.remark) for line in wrapped(text, int(13 * wide))]
    sheet = Sheet(wide, body + 0.45 + 0.17 * len(lines))
    sheet.head(gap * scale, f"{glyphs.name} {glyphs.split}: {title}", lines)
    axes = sheet.axes(0.0, 0.0, mosaic.shape[1] * scale, body)
    # One picture of all images: to place each by itself takes matplotlib a second or two.
    axes.imshow(mosaic, interpolation="nearest", aspect="auto", extent=(0, mosaic.shape[1], mosaic.shape[0], 0))
    for tile, corner in zip(tiles, corners, strict=True):
        _caption(axes, tile, corner, (tile_wide * width, height), width)
    axes.set_axis_off()
    sheet.save(path)


def _caption(axes: Axes, tile: _Tile, corner: tuple[int, int], size: tuple[int, int], unit: int) -> None:
    """Frame and writing of a tile; places and sizes (width, height) in pixels of the images, `unit` to an image."""
    from matplotlib.patches import Rectangle

    (left, top), (wide, tall) = corner, size
    frame = Rectangle((left, top), wide, tall, fill=False)
    frame.set_edgecolor(RED if tile.marked else QUIET)
    frame.set_linewidth(2.5 if tile.marked else 0.8)
    axes.add_patch(frame)
    lines = ((tile.first_line, 0.19, 9.0, RED if tile.marked else DARK), (tile.second_line, 0.34, 6.0, QUIET))
    for text, below, largest, colour in lines:
        shown = drawable(text)
        points = min(largest, 72 * _TILE_INCHES * wide / unit / (0.62 * len(shown)))
        place = (left + wide / 2, top + tall + below * unit)
        axes.text(*place, shown, fontsize=points, color=colour, ha="center", va="baseline")
