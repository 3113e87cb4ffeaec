"""A comparison for the eye: the images that one run got right and another wrong, and all curves over each other."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from glyphlab.drawing import drawable
from glyphlab.evaluation.comparison.compare import Comparison, Entry, Pair
from glyphlab.evaluation.sheet import DARK, DPI, RED, Sheet, wrapped
from glyphlab.evaluation.wording import percent, shortened
from glyphlab.files import whole_file
from glyphlab.training.history import scale_accuracy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GREEN = "#1a7f37"
_COLUMNS = 12
_TILE_INCHES = 0.95
# In widths of an image: between images; the truth above one; the two answers below it; a heading.
_GAP, _TRUTH, _ANSWERS, _HEADING = 0.16, 0.22, 0.5, 0.55
# Okabe and Ito's colours, which colour-blind readers tell apart; more runs take shades of one scale.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")


# ---- images that flipped ------------------------------------------------------------------------------------


def draw_flips(comparison: Comparison, pair: Pair, path: Path, limit: int = 24) -> None:
    """Draw the images that only the one, and below them those that only the other run of a pair got right.

    Above each image stands its label, below it the answers of A and of B with their probabilities, the wrong one
    red and crossed. At most `limit` images each, those first of which the mistaken run was surest. The format follows
    the suffix. Raises `RunError` when the file cannot be written.
    """
    a, b = comparison.entries[pair.a], comparison.entries[pair.b]
    only_a, only_b = comparison.flipped(pair)
    _, height, width = comparison.glyphs.image_shape
    row_tall = _TRUTH + height / width + _ANSWERS + _GAP
    sections = [("A", only_a, "B"), ("B", only_b, "A")]
    rows = [math.ceil(min(len(found), limit) / _COLUMNS) for _, found, _ in sections]
    tall = sum(_HEADING + count * row_tall for count in rows)

    wide = (_COLUMNS * (1 + _GAP) + _GAP) * _TILE_INCHES
    lines = [
        f"A  {shortened(a.name, 100)}: {a.accuracy:.2%} of {len(comparison.glyphs):,} right",
        f"B  {shortened(b.name, 100)}: {b.accuracy:.2%} right;  {significance_in_words(comparison, pair)}",
        *wrapped(comparison.glyphs.remark, int(13 * wide)),
    ]
    head = 0.45 + 0.17 * len(lines)
    sheet = Sheet(wide, tall * _TILE_INCHES + head)
    title = f"{comparison.glyphs.name} {comparison.glyphs.split}: images that one of two runs got right"
    sheet.head(_GAP * _TILE_INCHES, title, lines)
    axes = sheet.axes(0.0, 0.0, wide, tall * _TILE_INCHES)
    top = 0.0
    for (letter, found, other), count in zip(sections, rows, strict=True):
        shown = found[:limit]
        _write_heading(axes, top + _HEADING - 0.12, letter, other, len(found), len(shown))
        for place, index in enumerate(shown.tolist()):
            left = _GAP + place % _COLUMNS * (1 + _GAP)
            _draw_tile(axes, comparison, pair, index, left, top + _HEADING + place // _COLUMNS * row_tall)
        top += _HEADING + count * row_tall
    axes.set_xlim(0.0, wide / _TILE_INCHES)
    axes.set_ylim(tall, 0.0)
    axes.set_axis_off()
    sheet.save(path)


def significance_in_words(comparison: Comparison, pair: Pair) -> str:
    """One pair's test as half a sentence."""
    p = pair.corrected_p
    shown = f"p = {p:.2g}" if p >= 1e-4 else "p < 0.0001"
    corrected = " after Holm's correction" if len(comparison.pairs) > 1 else ""
    verdict = "beyond chance" if pair.is_significant else "no more than chance would do"
    return f"McNemar's test: {shown}{corrected}, {verdict}"


def _write_heading(axes: Axes, bottom: float, letter: str, other: str, found: int, shown: int) -> None:
    many = f"{found:,} image{'' if found == 1 else 's'}"
    note = f"; shown: the {shown} of which {other} was surest" if shown < found else ""
    axes.text(_GAP, bottom, f"right only in {letter}: {many}{note}", fontsize=9, color=DARK, va="bottom")


def _draw_tile(axes: Axes, comparison: Comparison, pair: Pair, index: int, left: float, top: float) -> None:
    """One image with its label above and the two answers below; `left`, `top` in widths of an image."""
    glyphs = comparison.glyphs
    _, height, width = glyphs.image_shape
    upper, lower = top + _TRUTH, top + _TRUTH + height / width
    label = drawable(shortened(glyphs.class_names[glyphs.targets[index]], 14))
    axes.text(left + 0.5, upper - 0.05, label, fontsize=8, color=DARK, ha="center", va="bottom")
    extent = (left, left + 1, lower, upper)
    axes.imshow(glyphs.images[index], cmap="gray", vmin=0, vmax=255, interpolation="nearest", extent=extent)
    for line, (letter, number) in enumerate((("A", pair.a), ("B", pair.b))):
        entry = comparison.entries[number]
        name = drawable(shortened(comparison.class_names[entry.predictions[index]], 8))
        colour = GREEN if entry.is_correct[index] else RED
        baseline = lower + 0.22 * (line + 1)
        mark = "" if entry.is_correct[index] else " ✗"
        axes.text(left, baseline, f"{letter}: {name}{mark}", fontsize=7, color=colour)
        sure = f"{percent(float(entry.confidences[index]), 0)}%"
        axes.text(left + 1, baseline, sure, fontsize=7, color=colour, ha="right")


# ---- curves -------------------------------------------------------------------------------------------------


def draw_curves(comparison: Comparison, path: Path) -> None:
    """Draw validation accuracy and loss of all runs over each other, against the epoch and the time spent training.

    Runs without validation images show the training images' figures (as trained on: augmented, with dropout), dotted.
    High accuracies are drawn on the scale of `scale_accuracy`. Raises `RunError` when the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    entries = [entry for entry in comparison.entries if entry.history]
    figure = Figure(figsize=(11, 7 + 0.22 * math.ceil(len(entries) / 3)), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(2, 2, sharey="row", sharex="col")
    slowest = max((entry.history[-1].time_seconds for entry in entries), default=0.0)
    unit, seconds = ("minutes", 60.0) if slowest >= 120 else ("seconds", 1.0)
    for entry, colour in zip(entries, _colours(len(entries)), strict=True):
        epochs = [float(row.epoch) for row in entry.history]
        times = [row.time_seconds / seconds for row in entry.history]
        for column, x in enumerate((epochs, times)):
            for row, what in enumerate(("accuracy", "loss")):
                _draw_curve(panels[row][column], x, entry, what, colour)
    for axes in (*panels[0], *panels[1]):
        axes.grid(alpha=0.3, which="both")
    panels[0][0].set_ylabel("validation accuracy in %")
    scale_accuracy(panels[0][0])
    _scale_loss(panels[1][0])
    panels[1][0].set_ylabel("validation loss (cross-entropy)")
    panels[1][0].set_xlabel("epoch")
    panels[1][0].xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    panels[1][1].set_xlabel(f"{unit} of training")
    if entries:
        handles, labels = panels[0][0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=min(3, len(entries)))
    with whole_file(path) as temporary:
        figure.savefig(temporary)


def _draw_curve(axes: Axes, x: list[float], entry: Entry, what: str, colour: str) -> None:
    validated = entry.history[0].validation_loss is not None
    part, style = ("validation", "-") if validated else ("train", ":")
    scale = 100.0 if what == "accuracy" else 1.0
    values = [getattr(row, f"{part}_{what}") * scale for row in entry.history]
    label = drawable(shortened(entry.name, 40)) + ("" if validated else " (training images)")
    marker = "o" if len(x) <= 20 else None
    axes.plot(x, values, style, marker=marker, markersize=3.5, color=colour, linewidth=1.6, label=label)


def _scale_loss(axes: Axes) -> None:
    """A logarithmic scale with plain numbers, where losses differ by more than a factor of three."""
    from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

    values = [value for line in axes.get_lines() for value in np.asarray(line.get_ydata(), dtype=np.float64)]
    if not values or min(values) <= 0 or max(values) < 3 * min(values):
        return
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))


def _colours(count: int) -> list[str]:
    if count <= len(_COLOURS):
        return list(_COLOURS[:count])
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return [to_hex(colormaps["turbo"](0.05 + 0.9 * place / (count - 1))) for place in range(count)]
