"""An evaluation for the eye: the confusion matrix, images with their predictions, and the outputs as text."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from glyphlab.data.glyphset import GlyphSet
from glyphlab.drawing import drawable
from glyphlab.evaluation.metrics import Floats, Integers
from glyphlab.evaluation.result import Evaluation
from glyphlab.evaluation.sheet import DARK, QUIET, RED, Sheet, wrapped
from glyphlab.evaluation.wording import percent, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

_EVERY_CELL = 30  # up to so many classes each cell of the confusion matrix carries its number
_ONE_EDGE = 20  # up to so many the eye finds a cell's row and column from one edge, and its shade needs no scale
_CELL_INCHES, _SMALL_CELL_INCHES = 0.36, 0.27  # with room for a number; without
_TILE_INCHES = 1.05  # width of an image in the grid of examples


# ---- the confusion matrix ---------------------------------------------------------------------------------


def draw_confusion(evaluation: Evaluation, path: Path, normalised: bool) -> None:
    """Draw the confusion matrix, a row a true class, a column a predicted one; the format follows the suffix.

    normalised: percent of each row (of the images of that class) instead of counts. Right answers (blue) and
    mistakes (red) have a colour scale each, the mistakes' a square root, so that a few mistakes among
    thousands of right answers are seen. Up to 30 classes every cell carries its number, with more only the
    largest mistakes do. Raises `RunError` when the file cannot be written.
    """
    from matplotlib.ticker import MaxNLocator, PercentFormatter, StrMethodFormatter

    classes = len(evaluation.class_names)
    many = classes > _ONE_EDGE
    cell = _CELL_INCHES if classes <= _EVERY_CELL else _SMALL_CELL_INCHES
    side = min(max(cell * classes, 4.2), 17.0)  # of the matrix; this and what follows in inches
    cell_points = 72 * side / classes
    names = [drawable(shortened(name)) for name in evaluation.class_names]
    size = min(11.0, 0.75 * cell_points)
    name_width = max(map(len, names)) * 0.62 * size / 72 + 0.1
    on_end = 72 * name_width > 1.3 * cell_points
    name_height = name_width if on_end else 0.25

    what = "percent of each true class" if normalised else "number of images"
    lines = [f"Confusion matrix: {what}", *wrapped(evaluation.remark, width=int(13 * side))]
    heading = f"{evaluation.data} {evaluation.split}: {evaluation.accuracy:.2%} of {len(evaluation):,} right"
    left, bottom = 0.4 + name_width, 0.4 + name_height
    top = 0.5 + 0.17 * len(lines) + (name_height if many else 0.0)
    right = name_width + 0.95 if many else 0.2
    sheet = Sheet(left + side + right, bottom + side + top)
    sheet.head(left, heading, lines)
    axes = sheet.axes(left, bottom, side, side)
    _name_classes(axes, names, size, on_end, all_sides=many)

    counts = evaluation.confusion
    support = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, support, out=np.zeros(counts.shape), where=support > 0)
    bar_left, bar_tall = left + side + name_width + 0.15, 0.45 * side
    for kind, bar_bottom in ((_right(counts), bottom + side - bar_tall), (_mistakes(counts), bottom)):
        image = _draw_cells(axes, counts, shares, kind, normalised, cell_points)
        if many:
            ticks = None if normalised else MaxNLocator("auto", integer=True, steps=[1, 2, 5, 10])
            bar = sheet.figure.colorbar(image, cax=sheet.axes(bar_left, bar_bottom, 0.16, bar_tall), ticks=ticks)
            bar.ax.set_title(kind.label, fontsize=9, loc="left")
            unit = PercentFormatter(xmax=1) if normalised else StrMethodFormatter("{x:,g}")
            bar.ax.yaxis.set_major_formatter(unit)
            bar.ax.tick_params(labelsize=8)
    sheet.save(path)


@dataclass(frozen=True, eq=False)
class _Kind:
    """One of the two kinds of cell, with its own colours."""

    label: str
    cells: NDArray[np.bool_]  # [K, K], which cells are of this kind and not empty
    numbered: NDArray[np.bool_]  # [K, K], which of them carry their number
    colours: str
    shades: tuple[float, float]  # part of the colour map that is used
    gamma: float
    least_top: tuple[float, float]  # where the scale ends at the earliest: images, share
    white_above: float  # share of the scale from which on the writing is white


def _right(counts: Integers) -> _Kind:
    cells = np.eye(len(counts), dtype=np.bool_) & (counts > 0)
    numbered = cells & (len(counts) <= _EVERY_CELL)
    return _Kind("right", cells, numbered, "Blues", (0.1, 0.78), 1.0, (1.0, 1.0), 0.6)


def _mistakes(counts: Integers) -> _Kind:
    wrong = counts * (1 - np.eye(len(counts), dtype=np.int64))
    numbered = wrong > 0
    if len(counts) > _EVERY_CELL:  # about one number a class, and no single mistakes
        numbered = (wrong > 1) & (wrong >= np.sort(wrong, axis=None)[-len(counts)])
    return _Kind("mistakes", wrong > 0, numbered, "Reds", (0.04, 0.85), 0.5, (5.0, 0.02), 0.4)


def _draw_cells(
    axes: Axes, counts: Integers, shares: Floats, kind: _Kind, normalised: bool, cell_points: float
) -> AxesImage:
    """Colour the cells of one kind and write numbers into them."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap, PowerNorm

    values = shares if normalised else counts.astype(np.float64)
    top = max(kind.least_top[normalised], float(values[kind.cells].max(initial=0.0)))
    image = axes.imshow(
        np.ma.masked_array(values, ~kind.cells),
        cmap=ListedColormap(colormaps[kind.colours](np.linspace(*kind.shades, 256))),
        norm=PowerNorm(kind.gamma, vmin=0.0, vmax=top),
        interpolation="nearest",
    )
    few = len(counts) <= _EVERY_CELL
    texts = {
        (row, column): percent(shares[row, column], int(few)) if normalised else f"{counts[row, column]:,}"
        for row, column in np.argwhere(kind.numbered).tolist()
    }
    longest = max(map(len, texts.values()), default=1)
    size = min(11.0, 0.6 * cell_points, cell_points / (0.62 * longest + 0.4))
    for (row, column), text in texts.items():
        colour = "white" if values[row, column] > kind.white_above * top else DARK
        axes.text(column, row, text, ha="center", va="center", fontsize=size, color=colour)
    return image


def _name_classes(axes: Axes, names: Sequence[str], size: float, on_end: bool, all_sides: bool) -> None:
    """Names beside rows and columns; on all four sides where a far edge is hard to follow by eye."""
    axes.set_xticks(range(len(names)), names, fontsize=size, rotation=90 if on_end else 0)
    axes.set_yticks(range(len(names)), names, fontsize=size)
    axes.set_xticks(np.arange(-0.5, len(names)), minor=True)
    axes.set_yticks(np.arange(-0.5, len(names)), minor=True)
    axes.grid(which="minor", color="#e4e4e4", linewidth=0.5)
    axes.tick_params(which="both", length=0, labeltop=all_sides, labelright=all_sides)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")


# ---- images with their predictions ------------------------------------------------------------------------


def draw_examples(evaluation: Evaluation, glyphs: GlyphSet, indices: Sequence[int] | Integers, path: Path) -> None:
    """Draw the images at `indices` in a grid, each with "truth → prediction" and the latter's probability.

    A wrong one has a cross, a red frame and red writing. Images are drawn as they are stored, grey or RGB.
    At least one index. Raises `RunError` when the file cannot be written.
    """
    assert len(evaluation) == len(glyphs) and len(indices) > 0, (len(evaluation), len(glyphs), len(indices))
    columns = _columns(len(indices))
    rows = math.ceil(len(indices) / columns)
    _, height, width = glyphs.image_shape
    tall, gap, caption = height / width, 0.16, 0.28  # in widths of an image
    step_x, step_y = 1 + gap, tall + gap + caption
    body_wide = max(3.2, _TILE_INCHES * (columns * step_x + gap))  # inches; the heading needs some
    body_tall = _TILE_INCHES * rows * step_y

    note = "truth → prediction, with its probability; ✗ and a red frame: wrong"
    lines = [line for text in (note, evaluation.remark) for line in wrapped(text, int(13 * body_wide))]
    head = 0.42 + 0.17 * len(lines)
    sheet = Sheet(body_wide, body_tall + head)
    sheet.head(gap * _TILE_INCHES, f"{evaluation.data} {evaluation.split}", lines)
    axes = sheet.axes(0.0, 0.0, body_wide, body_tall)
    for position, index in enumerate(int(index) for index in indices):
        left, top = position % columns * step_x, position // columns * step_y + caption
        _draw_tile(axes, glyphs.images[index], (left, left + 1, top + tall, top), evaluation, index)
    axes.set_xlim(-gap, body_wide / _TILE_INCHES - gap)
    axes.set_ylim(rows * step_y, 0.0)
    axes.set_axis_off()
    sheet.save(path)


def _draw_tile(
    axes: Axes,
    image: NDArray[np.uint8],
    extent: tuple[float, float, float, float],
    evaluation: Evaluation,
    index: int,
) -> None:
    """One image at `extent` (left, right, bottom, top) with its caption above and a frame around it."""
    from matplotlib.patches import Rectangle

    left, right, bottom, top = extent
    names, right_answer = evaluation.class_names, bool(evaluation.is_correct[index])
    colour = DARK if right_answer else RED
    axes.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="nearest", extent=extent, aspect="equal")
    frame = Rectangle((left, top), right - left, bottom - top, fill=False)
    frame.set_edgecolor(QUIET if right_answer else RED)
    frame.set_linewidth(0.8 if right_answer else 2.5)
    axes.add_patch(frame)

    truth, prediction = names[evaluation.targets[index]], names[evaluation.predictions[index]]
    words = f"{shortened(truth, 12)} → {shortened(prediction, 12)}"
    answer = drawable(words if right_answer else f"✗ {words}")
    sure = f"{percent(float(evaluation.confidences[index]))}%"
    size = min(10.0, 72 * _TILE_INCHES / (0.64 * (len(answer) + 0.75 * len(sure) + 1.5)))
    axes.text(left, top - 0.07, answer, fontsize=size, color=colour, va="bottom")
    axes.text(right, top - 0.07, sure, fontsize=min(size, 7), color=colour, ha="right", va="bottom")


def _columns(count: int) -> int:
    """Columns of a grid about twice as wide as tall that leaves few places of its last row empty."""
    if count <= 6:
        return count
    return min(range(4, 13), key=lambda columns: (-count % columns) + abs(columns - math.sqrt(2 * count)))


# ---- the outputs as text ----------------------------------------------------------------------------------


def format_outputs(evaluation: Evaluation, indices: Sequence[int] | Integers) -> str:
    """The outputs of the images at `indices` as text: log-probabilities with two decimals.

    With each image the index of the largest output, the name of that class, and the label. Up to ten classes
    make one table with a row an image; more make a block an image, since a row would not fit a screen.
    """
    assert len(indices) > 0
    values = np.round(evaluation.log_probs[np.asarray(indices)], 2) + 0.0  # + 0.0 turns -0.0 into 0.0
    layout: Callable[[Evaluation, list[int], Floats], list[str]]
    layout = _output_table if len(evaluation.class_names) <= 10 else _output_blocks
    return "\n".join(layout(evaluation, [int(index) for index in indices], values))


def _output_table(evaluation: Evaluation, indices: list[int], values: Floats) -> list[str]:
    names = evaluation.class_names
    cells = [[f"{value:.2f}" for value in row] for row in values]
    width = max(len(text) for text in [*names, *(cell for row in cells for cell in row)]) + 1
    first = max(len("image"), *(len(str(index)) for index in indices))
    lines = ["image".rjust(first) + "".join(name.rjust(width) for name in names) + "   largest"]
    for index, row in zip(indices, cells, strict=True):
        columns = "".join(cell.rjust(width) for cell in row)
        lines.append(f"{index:>{first}}{columns}   {_answer(evaluation, index)}")
    return lines


def _output_blocks(evaluation: Evaluation, indices: list[int], values: Floats) -> list[str]:
    names = evaluation.class_names
    wide = max(map(len, names))
    per_line = max(1, 96 // (wide + 10))
    lines: list[str] = []
    for index, row in zip(indices, values, strict=True):
        cells = [f"{name.rjust(wide)}: {value:6.2f}" for name, value in zip(names, row, strict=True)]
        lines.append(f"image {index}: largest {_answer(evaluation, index)}")
        starts = range(0, len(cells), per_line)
        lines += ["  " + "  ".join(cells[start : start + per_line]) for start in starts]
    return lines


def _answer(evaluation: Evaluation, index: int) -> str:
    names, best, truth = evaluation.class_names, evaluation.predictions[index], evaluation.targets[index]
    return f"{best} ({names[best]}), label {names[truth]}" + ("" if best == truth else "  WRONG")
