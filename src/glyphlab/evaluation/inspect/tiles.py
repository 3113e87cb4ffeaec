"""Small pictures in rows on one sheet, with captions, names of rows and columns, and scales of colours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from glyphlab.drawing import drawable
from glyphlab.evaluation.inspect.colours import Scale
from glyphlab.evaluation.sheet import DARK, QUIET, RED, Sheet, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GAP = 0.07  # inches between tiles
_CAPTION = 0.15  # inches above a tile that has one
_BETWEEN_GROUPS = 0.22  # further inches after a group of columns
_MARGIN = 0.15
_SCALE_WIDE, _SCALE_TALL = 1.9, 0.42
_NARROWEST = 4.6  # inches: a heading needs some


@dataclass(frozen=True, eq=False)
class Tile:
    """One small picture. pixels: uint8 [H, W, 3]. caption: above it, a line. wrong: red caption and frame.

    ink: a glyph, uint8 [H, W], whose outline is drawn over it.
    """

    pixels: NDArray[np.uint8]
    caption: str = ""
    wrong: bool = False
    ink: NDArray[np.uint8] | None = None


Row = Sequence[Tile | None]


def draw_tiles(
    rows: Sequence[Row],
    path: Path,
    title: str,
    lines: Sequence[str],
    *,
    row_names: Sequence[str] = (),
    column_names: Sequence[str] = (),
    group: int = 0,
    scales: Sequence[Scale] = (),
    tile_inches: float = 0.9,
) -> None:
    """Draw tiles, a row each, at the same size whatever their pixels; None leaves a place empty.

    title, lines: heading. row_names: left of the rows, may have several lines. column_names: above the columns.
    group: after so many columns a wider gap follows; 0: nowhere. scales: below the tiles. The format follows the
    suffix of `path`. Raises `RunError` when the file cannot be written.
    """
    columns = max(map(len, rows))
    tall = tile_inches * max(_proportion(tile.pixels) for row in rows for tile in row if tile is not None)
    captions = _CAPTION if any(tile.caption for row in rows for tile in row if tile is not None) else 0.0
    groups = (columns - 1) // group if group else 0
    names_wide = 0.085 * max((len(line) for name in row_names for line in name.split("\n")), default=0)
    left = _MARGIN + names_wide
    body_wide = columns * (tile_inches + _GAP) + groups * _BETWEEN_GROUPS
    sheet_wide = max(left + body_wide + _MARGIN, _NARROWEST, (_SCALE_WIDE + 0.3) * len(scales) + _MARGIN)
    heads = [line for text in lines for line in wrapped(text, int(15 * sheet_wide))]
    head = 0.42 + 0.155 * len(heads) + (0.2 if column_names else 0.0)
    foot = 0.1 + (_SCALE_TALL + 0.1 if scales else 0.0)
    step_y = tall + captions + _GAP
    sheet = Sheet(sheet_wide, head + len(rows) * step_y + foot)
    sheet.head(_MARGIN, title, heads)

    body_tall = len(rows) * step_y
    axes = sheet.axes(left, foot, sheet_wide - left, body_tall)
    places = [
        column * (tile_inches + _GAP) + (column // group if group else 0) * _BETWEEN_GROUPS for column in range(columns)
    ]
    for number, row in enumerate(rows):
        top = number * step_y + captions
        for x, tile in zip(places, row, strict=False):
            if tile is not None:
                _draw(axes, tile, x, top, tile_inches, tall)
        if number < len(row_names):
            axes.text(
                -0.08, top + tall / 2, drawable(row_names[number]), fontsize=8, color=DARK, ha="right", va="center"
            )
    for x, name in zip(places, column_names, strict=False):
        axes.text(x + tile_inches / 2, -0.06, drawable(name), fontsize=7.5, color=DARK, ha="center", va="bottom")
    axes.set_xlim(0, sheet_wide - left)
    axes.set_ylim(body_tall, 0)
    axes.set_axis_off()
    for number, scale in enumerate(scales):
        _draw_scale(sheet, scale, _MARGIN + number * (_SCALE_WIDE + 0.3))
    sheet.save(path)


def in_rows(tiles: Row, group: int = 1) -> list[list[Tile | None]]:
    """Tiles in rows of a sheet somewhat wider than tall; groups of `group` tiles stay together."""
    groups = len(tiles) // group
    assert groups * group == len(tiles) > 0, (len(tiles), group)
    best = math.sqrt(2.4 * len(tiles)) / group
    fitting = range(1, max(1, min(groups, 20 // group)) + 1)
    columns = min(fitting, key=lambda count: 0.7 * (-groups % count) + abs(count - best))
    return [list(tiles[start : start + columns * group]) for start in range(0, len(tiles), columns * group)]


def _draw(axes: Axes, tile: Tile, left: float, top: float, wide: float, tall: float) -> None:
    """One tile with its frame and caption; coordinates are inches, downwards."""
    from matplotlib.patches import Rectangle

    own = wide * _proportion(tile.pixels)  # its own height
    extent = (left, left + wide, top + (tall + own) / 2, top + (tall - own) / 2)
    axes.imshow(tile.pixels, interpolation=_interpolation(tile.pixels), extent=extent, aspect="equal")
    if tile.ink is not None and tile.ink.any():
        axes.contour(tile.ink, levels=[127.5], extent=extent, origin="upper", colors=DARK, linewidths=0.6, alpha=0.8)
    frame = Rectangle((left, extent[3]), wide, own, fill=False)
    frame.set_edgecolor(RED if tile.wrong else QUIET)
    frame.set_linewidth(1.8 if tile.wrong else 0.4)
    axes.add_patch(frame)
    if tile.caption:
        size = min(7.5, 72 * wide / (0.6 * max(len(tile.caption), 1)))
        colour = RED if tile.wrong else QUIET
        axes.text(left, extent[3] - 0.025, drawable(tile.caption), fontsize=size, color=colour, va="bottom")


def _draw_scale(sheet: Sheet, scale: Scale, left: float) -> None:
    from matplotlib import colormaps

    axes = sheet.axes(left + 0.05, 0.27, _SCALE_WIDE - 0.3, 0.11)
    extent = (scale.low, scale.high, 0.0, 1.0)
    axes.imshow(np.linspace(0, 1, 256)[None], cmap=colormaps[scale.colours], aspect="auto", extent=extent)
    middle = (scale.low + scale.high) / 2
    axes.set_xticks(
        [scale.low, middle, scale.high], [_number(end) for end in (scale.low, middle, scale.high)], fontsize=6.5
    )
    axes.set_yticks([])
    axes.tick_params(length=2, pad=1.5)
    axes.set_title(drawable(scale.label), fontsize=7, color=QUIET, loc="left", pad=2)


def _number(value: float) -> str:
    return "0" if value == 0 else f"{value:.2g}"


def _proportion(pixels: NDArray[np.uint8]) -> float:
    """Height over width."""
    height, width = pixels.shape[:2]
    return float(height / width)


def _interpolation(pixels: NDArray[np.uint8]) -> str:
    """Pixels that are larger than a dot of the sheet stay squares; smaller ones are averaged."""
    return "nearest" if max(pixels.shape[:2]) <= 96 else "antialiased"
