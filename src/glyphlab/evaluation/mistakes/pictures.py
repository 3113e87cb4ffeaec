"""An evaluation's mistakes for the eye: the most-confused pairs, each class, and the surest mistakes explained."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from glyphlab.data.pictures import class_labels, enlarged, font_path
from glyphlab.drawing import drawable
from glyphlab.evaluation.mistakes.examination import Examination
from glyphlab.evaluation.mistakes.find import Mistake
from glyphlab.evaluation.mistakes.verdicts import Kind
from glyphlab.evaluation.sheet import DARK, QUIET, Sheet, wrapped
from glyphlab.evaluation.wording import percent, shortened
from glyphlab.files import whole_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito, "Color Universal Design", 2008: told apart by colour-blind readers, too.
KIND_COLOURS: dict[Kind, str] = {"model wrong": "#D55E00", "label suspicious": "#0072B2", "ambiguous": "#999999"}

_LEGEND: dict[str, str] = {"frame:": QUIET} | {str(kind): colour for kind, colour in KIND_COLOURS.items()}
_MOST_PAIRS = 15
_TILES_IN_ROW = 12
_SUREST = 24
_TILE_PIXELS, _GAP_PIXELS, _FRAME_PIXELS = 56, 8, 3
_BLACK = (0, 0, 0)
_TITLE_PIXELS, _TEXT_PIXELS = 20, 15
_TILE_INCHES = 0.72


# ---- rows of images: pairs and classes ------------------------------------------------------------------------


@dataclass(frozen=True)
class _Row:
    """A label, and the mistakes that it stands for, the surest first."""

    label: str
    mistakes: tuple[Mistake, ...]


def draw_pairs(examination: Examination, path: Path) -> None:
    """The most-confused pairs, a row each, with their surest mistakes. Raises `RunError` when it cannot be written."""
    evaluation = examination.evaluation
    labels = class_labels(evaluation.class_names)
    rows = [
        _row(examination, f"{labels[pair.truth]} → {labels[pair.prediction]}", pair.truth, pair.prediction)
        for pair in evaluation.most_confused(_MOST_PAIRS)
    ]
    _draw_rows(
        examination, f"{evaluation.data} {evaluation.split}: the most-confused pairs, label → answer", rows, path
    )


def draw_class(examination: Examination, target: int, path: Path) -> None:
    """The mistakes of one class, a row an answer, the commonest first; the class has mistakes."""
    evaluation = examination.evaluation
    labels = class_labels(evaluation.class_names)
    counts = evaluation.confusion[target].copy()
    counts[target] = 0
    answers = [int(answer) for answer in np.argsort(-counts, kind="stable") if counts[answer]]
    rows = [_row(examination, f"→ {labels[answer]}", target, answer) for answer in answers]
    right, images = int(evaluation.confusion[target, target]), int(evaluation.confusion[target].sum())
    title = f"{evaluation.data} {evaluation.split}: {labels[target]}, {images - right:,} of {images:,} wrong"
    _draw_rows(examination, title, rows, path)


def _row(examination: Examination, label: str, truth: int, prediction: int) -> _Row:
    chosen = (one for one in examination.mistakes if (one.truth, one.prediction) == (truth, prediction))
    return _Row(label, tuple(chosen))


def _draw_rows(examination: Examination, title: str, rows: Sequence[_Row], path: Path) -> None:
    """Pillow and not matplotlib: a sheet for each of 47 classes must not take half a minute."""
    fonts = {size: ImageFont.truetype(font_path(), size) for size in (_TITLE_PIXELS, _TEXT_PIXELS)}
    small = fonts[_TEXT_PIXELS]
    labels = [f"{row.label}   {len(row.mistakes):,}" for row in rows]
    left = math.ceil(max(small.getlength(label) for label in labels)) + 3 * _GAP_PIXELS
    step = _TILE_PIXELS + 2 * _FRAME_PIXELS + _GAP_PIXELS
    columns = min(_TILES_IN_ROW, max(len(row.mistakes) for row in rows))
    legend_width = sum(small.getlength(words) + 2 * _GAP_PIXELS for words in _LEGEND)
    title_width = fonts[_TITLE_PIXELS].getlength(title) + _GAP_PIXELS
    width = math.ceil(max(left + columns * step, _GAP_PIXELS + legend_width, _GAP_PIXELS + title_width))
    remarks = wrapped(examination.evaluation.remark, int(width / (0.6 * _TEXT_PIXELS)))
    head = _TITLE_PIXELS + (1 + len(remarks)) * (_TEXT_PIXELS + 4) + 4 * _GAP_PIXELS
    sheet = Image.new("RGB", (width, head + len(rows) * step + _GAP_PIXELS), "white")
    draw = ImageDraw.Draw(sheet)
    draw.text((_GAP_PIXELS, _GAP_PIXELS), title, fill=DARK, font=fonts[_TITLE_PIXELS])
    top = 2 * _GAP_PIXELS + _TITLE_PIXELS
    _draw_legend(draw, top, small)
    for place, remark in enumerate(remarks, 1):
        draw.text((_GAP_PIXELS, top + place * (_TEXT_PIXELS + 4)), remark, fill=QUIET, font=small)
    for place, (row, label) in enumerate(zip(rows, labels, strict=True)):
        y = head + place * step
        draw.text((left - 2 * _GAP_PIXELS, y + step // 2), label, fill=DARK, font=small, anchor="rm")
        for column, one in enumerate(row.mistakes[:columns]):
            x = left + column * step
            outer = _TILE_PIXELS + 2 * _FRAME_PIXELS
            draw.rectangle((x, y, x + outer - 1, y + outer - 1), fill=KIND_COLOURS[one.kind])
            sheet.paste(
                enlarged(examination.glyphs.images[one.index], _TILE_PIXELS, _BLACK),
                (x + _FRAME_PIXELS, y + _FRAME_PIXELS),
            )
    with whole_file(path) as temporary:
        sheet.save(temporary)


def _draw_legend(draw: ImageDraw.ImageDraw, top: int, font: ImageFont.FreeTypeFont) -> None:
    """What the frames' colours mean."""
    x = float(_GAP_PIXELS)
    for words, colour in _LEGEND.items():
        draw.text((x, top), words, fill=colour, font=font)
        x += font.getlength(words) + 2 * _GAP_PIXELS


# ---- the surest mistakes, each beside its nearest training images ---------------------------------------------


def draw_surest(examination: Examination, path: Path) -> None:
    """The 24 surest mistakes: the image, the training images nearest to it of its true and of the predicted class.

    Raises `RunError` when the file cannot be written.
    """
    shown = examination.mistakes[:_SUREST]
    evaluation = examination.evaluation
    columns = 1 if len(shown) <= 4 else 2
    rows = math.ceil(len(shown) / columns)
    wide, tall = 8.5, 2.0  # of an entry, in widths of a tile
    body_wide, body_tall = _TILE_INCHES * columns * wide, _TILE_INCHES * rows * tall
    what = "each image with the training images nearest to it, as the network sees them, of its label and of the answer"
    lines = [line for text in (what, evaluation.remark) for line in wrapped(text, int(13 * body_wide))]
    sheet = Sheet(body_wide, body_tall + 0.5 + 0.17 * len(lines))
    title = f"{evaluation.data} {evaluation.split}: the surest of {len(examination.mistakes):,} mistakes"
    sheet.head(0.15, title, lines)
    axes = sheet.axes(0.0, 0.0, body_wide, body_tall)
    for place, one in enumerate(shown):
        _draw_entry(axes, examination, one, place // rows * wide + 0.2, place % rows * tall)
    axes.set_xlim(0, columns * wide)
    axes.set_ylim(rows * tall, 0)
    axes.set_axis_off()
    sheet.save(path)


def _draw_entry(axes: Axes, examination: Examination, one: Mistake, left: float, top: float) -> None:
    """One mistake in a field of 8.5 x 2 tiles whose upper left corner is (left, top)."""
    names, images = examination.evaluation.class_names, examination.glyphs.images
    truth, answer = (shortened(names[target], 10) for target in (one.truth, one.prediction))
    headline = f"label {truth}, answer {answer} {percent(one.confidence)}%"
    axes.text(left, top + 0.2, drawable(headline), fontsize=9, color=DARK, va="bottom")
    axes.text(left + 8.0, top + 0.2, one.kind, fontsize=9, color=KIND_COLOURS[one.kind], va="bottom", ha="right")
    _draw_image(axes, images[one.index], left, top + 0.27, KIND_COLOURS[one.kind], 2.5)
    of_true, of_predicted = examination.nearest_of(one.index)
    for name, found, start in ((truth, of_true, 1.5), (answer, of_predicted, 4.85)):
        for place, index in enumerate(found):
            assert examination.nearest is not None
            _draw_image(
                axes, examination.nearest.train.images[index], left + start + place * 1.05, top + 0.27, QUIET, 0.6
            )
        if found:
            axes.text(left + start - 0.08, top + 0.77, drawable(name), fontsize=9, color=QUIET, va="center", ha="right")
    reason = "\n".join(wrapped(f"{one.id}: {one.reason}", 122)[:2])
    axes.text(left, top + 1.33, drawable(reason), fontsize=6, color=QUIET, va="top")


def _draw_image(axes: Axes, image: NDArray[np.uint8], left: float, top: float, colour: str, line: float) -> None:
    """An image in a square of side 1 with a frame."""
    from matplotlib.patches import Rectangle

    height, width = image.shape[:2]
    side = max(height, width)
    wide, tall = width / side, height / side
    extent = (left, left + wide, top + tall, top)
    axes.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="nearest", extent=extent, aspect="equal")
    axes.add_patch(Rectangle((left, top), wide, tall, fill=False, edgecolor=colour, linewidth=line))
