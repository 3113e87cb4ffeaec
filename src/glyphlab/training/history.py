"""What was measured after every epoch: rows, as CSV, as JSON lines, and as curves."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from glyphlab.drawing import drawable
from glyphlab.files import whole_file, write_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ACCURACY_TICKS = (0, 50, 80, 90, 95, 98, 99, 99.5, 99.8, 99.9, 99.95, 99.98, 99.99)
_OPENED_FROM = 90  # %


@dataclass(frozen=True)
class EpochMetrics:
    """One epoch's figures.

    epoch counts from 1; step and images_seen from the run's beginning. lr: of the epoch's last step. Training loss
    and accuracy are means over the epoch's batches as trained on (augmented, with dropout); validation figures are
    taken at its end and None without validation images. Only the last two fields depend on the machine's speed.
    """

    epoch: int
    step: int
    images_seen: int
    lr: float
    train_loss: float
    train_accuracy: float
    validation_loss: float | None
    validation_accuracy: float | None
    time_seconds: float
    images_per_second: float


COLUMNS = tuple(field.name for field in fields(EpochMetrics))


def write_metrics(history: Sequence[EpochMetrics], folder: Path) -> None:
    """Write metrics.csv and metrics.jsonl anew."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in history)
    write_text(folder / "metrics.csv", text.getvalue())
    write_text(folder / "metrics.jsonl", "".join(json.dumps(asdict(row)) + "\n" for row in history))


def draw_curves(history: Sequence[EpochMetrics], title: str, path: Path) -> None:
    """Draw loss and accuracy, by epoch (below) and by images seen (above), training beside validation."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    figure = Figure(figsize=(10, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(drawable(title), fontsize=11)
    epochs = [row.epoch for row in history]
    images_per_epoch = history[-1].images_seen / history[-1].epoch
    panels = figure.subplots(1, 2)
    for axes, (label, train, validation, scale) in zip(
        panels,
        [
            ("loss", "train_loss", "validation_loss", 1.0),
            ("accuracy in %", "train_accuracy", "validation_accuracy", 100.0),
        ],
        strict=True,
    ):
        marker = "o" if len(epochs) <= 20 else None
        for column, name, colour, style in (
            (train, "training (as trained on)", "#0072b2", "-"),
            (validation, "validation", "#d55e00", "--"),
        ):
            values = [getattr(row, column) for row in history]
            if None not in values:
                scaled = [value * scale for value in values]
                axes.plot(epochs, scaled, style, marker=marker, markersize=4, color=colour, label=name)
        axes.set_xlabel("epoch")
        axes.set_ylabel(label)
        axes.grid(alpha=0.3)
        axes.legend()
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        if scale == 100:
            scale_accuracy(axes)
        seen = axes.secondary_xaxis("top", functions=(lambda x: x * images_per_epoch, lambda x: x / images_per_epoch))
        seen.set_xlabel("images seen")
        seen.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        seen.xaxis.set_major_locator(MaxNLocator(nbins=5))
    with whole_file(path) as temporary:
        figure.savefig(temporary, dpi=110)


def scale_accuracy(axes: Axes) -> None:
    """Open the top of an axis of accuracies in %: each halving of the errors has the same height.

    So 99.5 and 99.8 % are seen apart, and the first epoch does not press all others together. Where nothing reaches
    90 %, or everything 100 %, the axis stays plain. The label, which stands already, says so.
    """
    from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

    errors = 100 - np.array([value for line in axes.get_lines() for value in np.asarray(line.get_ydata())], np.float64)
    some = errors[errors > 1e-9]
    if not len(some) or errors.min() > 100 - _OPENED_FROM:
        return
    # Where something is perfect the scale ends a little beyond it: all errors count half of the least one more.
    more = some.min() / 2 if len(some) < len(errors) else 0.0
    axes.set_yscale(
        "function",
        functions=(lambda y: -np.log(np.maximum(100 + more - y, 1e-9)), lambda z: 100 + more - np.exp(-z)),
    )
    least, most = 100 - errors.max() * 1.2, 100 + more - (errors.min() + more) / 1.2
    axes.set_ylim(max(0.0, least), most)
    ticks = [tick for tick in _ACCURACY_TICKS if least <= tick <= min(most, 100 - some.min() * 0.8)]
    ticks += [100] * bool(more)
    if len(ticks) >= 2:
        axes.yaxis.set_major_locator(FixedLocator(ticks))
        axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.set_ylabel(f"{axes.get_ylabel()}\n(errors on a logarithmic scale)")
