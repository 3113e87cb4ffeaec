"""A data set at a glance: a sheet of its images, a row a class, and a chart of its class counts."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from glyphlab.data.glyphset import GlyphSet
from glyphlab.files import whole_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CELL_PIXELS = 56
_GAP_PIXELS = 2
_TEXT_PIXELS = 22
_PAPER, _INK, _EMPTY = (255, 255, 255), (30, 30, 30), (236, 236, 236)
_LONGEST_LABEL = 24
# Validated for colour-blind readers; see Okabe and Ito, "Color Universal Design", 2008.
_SPLIT_COLOURS = {"train": "#0072B2", "test": "#E69F00"}
_MOST_TICKS = 80
_WIDEST_INCHES = 15.0


def contact_sheet(glyphs: GlyphSet, per_class: int = 12) -> NDArray[np.uint8]:
    """Draw up to `per_class` images of each class, a row a class with its name at the left: uint8 [H, W, 3].

    The images of a class are taken evenly over its length, since neighbours are often by one writer. Small
    images are enlarged by whole pixels, large ones scaled down.
    """
    assert per_class > 0, per_class
    labels = class_labels(glyphs.class_names)
    font = ImageFont.truetype(font_path(), _TEXT_PIXELS)
    margin = 2 * _TEXT_PIXELS // 3
    left = margin + max(math.ceil(font.getlength(label)) for label in labels) + margin
    step = _cell_pixels(glyphs) + _GAP_PIXELS
    columns = min(per_class, max(1, int(glyphs.counts().max())))
    sheet = Image.new("RGB", (left + columns * step, len(labels) * step + _GAP_PIXELS), _PAPER)
    draw = ImageDraw.Draw(sheet)
    for row, label in enumerate(labels):
        top = row * step + _GAP_PIXELS
        draw.text((left - margin, top + step // 2), label, fill=_INK, font=font, anchor="rm")
        members = np.flatnonzero(glyphs.targets == row)
        chosen = members[_evenly(len(members), columns)]
        for column in range(columns):
            corner = (left + column * step, top)
            if column < len(chosen):
                sheet.paste(enlarged(glyphs.images[chosen[column]], step - _GAP_PIXELS, _EMPTY), corner)
            else:
                sheet.paste(_EMPTY, (*corner, corner[0] + step - _GAP_PIXELS, top + step - _GAP_PIXELS))
    return np.asarray(sheet)


def class_chart(sets: Sequence[GlyphSet]) -> Figure:
    """A bar chart of images per class, a panel a split (their scales differ too much for one)."""
    from matplotlib.figure import Figure

    labels = class_labels(sets[0].class_names)
    longest = max(map(len, labels))
    level_inches = len(labels) * max(0.24, 0.085 * longest + 0.15)  # wide enough for names to lie level
    upright = level_inches > _WIDEST_INCHES
    width = 1.2 + max(5.0, min(len(labels) * 0.24, _WIDEST_INCHES) if upright else level_inches)
    height = 0.6 + 2.3 * len(sets) + (0.07 * longest if upright else 0)
    figure = Figure(figsize=(width, height), layout="constrained")
    panels = figure.subplots(len(sets), 1, sharex=True, squeeze=False)[:, 0]
    for axes, glyphs in zip(panels, sets, strict=True):
        counts = glyphs.counts()
        axes.bar(range(len(counts)), counts, color=_SPLIT_COLOURS.get(glyphs.split, "#009E73"), width=0.8)
        axes.set_title(f"{glyphs.split}: {len(glyphs):,} images", fontsize=10, loc="left")
        axes.set_ylabel("images")
        axes.yaxis.set_major_formatter("{x:,.0f}")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="#dddddd", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.set_ylim(0, 1.08 * max(1, int(counts.max())))
    every = math.ceil(len(labels) / _MOST_TICKS)
    ticks = range(0, len(labels), every)
    panels[-1].set_xticks(ticks, [labels[tick] for tick in ticks], rotation=90 if upright else 0)
    for text in panels[-1].get_xticklabels():
        text.set_parse_math(False)
    panels[-1].set_xlim(-0.7, len(labels) - 0.3)
    figure.suptitle(f"{sets[0].name}: images per class", fontsize=12, parse_math=False)
    return figure


def save_sheet(sheet: NDArray[np.uint8], path: Path) -> None:
    """Write an image as PNG, whole or not at all."""
    with whole_file(path) as temporary:
        Image.fromarray(sheet).save(temporary, format="PNG", optimize=True)


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, whole or not at all."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    with whole_file(path) as temporary, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.savefig(temporary, dpi=120)


def class_labels(class_names: Sequence[str]) -> list[str]:
    """Class names fit for drawing: shortened, and by number (#3) where the font lacks a character."""
    from matplotlib.ft2font import FT2Font

    font = FT2Font(font_path())
    labels = []
    for number, name in enumerate(class_names):
        drawable = name.isprintable() and all(font.get_char_index(ord(character)) for character in name)
        short = name if len(name) <= _LONGEST_LABEL else name[: _LONGEST_LABEL - 1] + "…"
        labels.append(short if drawable else f"#{number}")
    return labels


def font_path() -> str:
    """DejaVu Sans, which matplotlib brings: Latin, Greek, Cyrillic, Arabic, Hebrew and more."""
    import matplotlib

    return str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf")


def _evenly(count: int, wanted: int) -> NDArray[np.int64]:
    """`wanted` positions (fewer if there are fewer) spread over 0 to count - 1."""
    if count <= wanted:
        return np.arange(count, dtype=np.int64)
    return np.linspace(0, count - 1, wanted).round().astype(np.int64)


def _cell_pixels(glyphs: GlyphSet) -> int:
    """Side of a cell: a whole multiple of a small image's longer side, else the usual one."""
    side = max(glyphs.image_shape[1:])
    return side * max(1, round(_CELL_PIXELS / side)) if side <= 2 * _CELL_PIXELS else 2 * _CELL_PIXELS


def enlarged(image: NDArray[np.uint8], side: int, background: tuple[int, int, int]) -> Image.Image:
    """The image in the middle of a square, RGB [side, side], a small one's pixels kept sharp."""
    picture = Image.fromarray(image).convert("RGB")
    scale = side / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    method = Image.Resampling.NEAREST if scale >= 1 else Image.Resampling.BOX
    framed = Image.new("RGB", (side, side), background)
    framed.paste(picture.resize(size, method), ((side - size[0]) // 2, (side - size[1]) // 2))
    return framed
