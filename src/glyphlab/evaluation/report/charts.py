"""The report's charts: learning curves, reliability diagrams, and the map of the feature space."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from glyphlab.evaluation.calibration import Reliability
from glyphlab.evaluation.metrics import Floats, Integers, wilson_interval
from glyphlab.evaluation.svg import Chart, epoch_ticks, round_ticks, span
from glyphlab.evaluation.wording import percent, shortened
from glyphlab.training.history import EpochMetrics

_FEW = 25  # epochs up to which each has its dot
_LEAST_COVERAGE = 0.05  # share of images below which an accuracy is no promise


@dataclass(frozen=True)
class Figure:
    """A drawing with the words below it."""

    title: str
    drawing: Markup
    caption: str = ""


# ---- learning curves --------------------------------------------------------------------------------------


def curves(history: Sequence[EpochMetrics], best_epoch: int | None) -> list[Figure]:
    """Accuracy, loss and learning rate by epoch; none without epochs. best_epoch: the one whose weights are used."""
    if not history:
        return []
    return [
        _curve(history, "accuracy", "%", 100.0, best_epoch),
        _curve(history, "loss", "nats", 1.0, best_epoch),
    ]


def _curve(history: Sequence[EpochMetrics], what: str, unit: str, scale: float, best: int | None) -> Figure:
    epochs = [float(row.epoch) for row in history]
    train = [scale * float(getattr(row, f"train_{what}")) for row in history]
    measured = [getattr(row, f"validation_{what}") for row in history]
    validation = [scale * float(value) for value in measured if value is not None]
    low, high = span([*train, *validation])
    chart = Chart((min(epochs) - 0.3, max(epochs) + 0.3), (low, high), f"{what} by epoch")
    ticks = epoch_ticks(max(epochs))
    chart.axes("epoch", f"{what} in {unit}", ticks, round_ticks(low, high))
    if best is not None and len(epochs) > 1:
        chart.add(f'<path class="mark" d="M{chart.x(best):g} {chart.top}V{chart.bottom}"/>')
    few = len(epochs) <= _FEW
    chart.line(epochs, train, "a", dots=few)
    if len(validation) == len(epochs):
        chart.line(epochs, validation, "b", dots=few)
    return Figure(what.capitalize(), chart.markup())


# ---- certainty --------------------------------------------------------------------------------------------


def reliability_chart(diagram: Reliability, title: str) -> Figure:
    """Accuracy against confidence, with 95 % intervals, over the number of images in each bin."""
    chart = Chart((0, 1), (0, 1), f"{title}: accuracy by confidence", size=(440, 390), margins=(14, 14, 130, 62))
    ticks = [0, 0.2, 0.4, 0.6, 0.8, 1]
    chart.axes("", "answered correctly", ticks, ticks, "{:.0%}".format, "{:.0%}".format)
    bins, most = len(diagram.counts), int(diagram.counts.max())
    floor, tall = chart.height - 28, 62  # of the counts below
    for place in np.flatnonzero(diagram.counts):
        count, accuracy = int(diagram.counts[place]), float(diagram.accuracy[place])
        confidence = float(diagram.confidence[place])
        left, right = (place + 0.04) / bins, (place + 0.96) / bins
        words = f"{count:,} images, confidence {confidence:.1%}, answered correctly {accuracy:.1%}"
        chart.bar((left, right), (0, accuracy), "bar", words)
        low, high = wilson_interval(round(accuracy * count), count)
        x = chart.x(confidence)
        chart.add(f'<path class="range" d="M{x:g} {chart.y(low):g}V{chart.y(high):g}"/>')
        chart.dots([confidence], [accuracy], "b")
        height = tall * np.log1p(count) / np.log1p(most)
        chart.add(
            f'<rect class="count" x="{chart.x(left):g}" y="{floor - height:.4g}" '
            f'width="{chart.x(right) - chart.x(left):.4g}" height="{height:.4g}"><title>{escape(words)}</title></rect>'
        )
    chart.add(f'<path class="diagonal" d="M{chart.x(0):g} {chart.y(0):g}L{chart.x(1):g} {chart.y(1):g}"/>')
    chart.add(f'<path class="axis" d="M{chart.left} {floor}H{chart.right}"/>')
    chart.text((chart.left + chart.right) / 2, chart.height - 8, "confidence, and images at it (log scale)", "middle")
    return Figure(f"{title}: error {percent(diagram.error, 2)} %", chart.markup())


def coverage_chart(confidences: Floats, is_correct: NDArray[np.bool_]) -> Figure:
    """How right the answers are when the least sure ones are left to a person: accuracy by the share still answered.

    confidences: float64 [N], is_correct: bool [N]. The curve of R. El-Yaniv, Y. Wiener, "On the Foundations of
    Noise-free Selective Classification", JMLR 11 (2010).
    """
    order = np.argsort(-confidences, kind="stable")
    answered = np.arange(1, len(order) + 1)
    accuracy = np.cumsum(is_correct[order]) / answered
    # From a fiftieth on: of the first few images the accuracy jumps.
    kept = np.unique(np.linspace(max(len(order) // 50, 1), len(order), min(len(order), 160)).astype(np.int64)) - 1
    shares, right = answered[kept] / len(order), accuracy[kept]
    low = max(0.0, float(right.min()) - 0.02)
    chart = Chart(
        (0, 1), (low, 1.0), "accuracy by the share of images answered", size=(440, 390), margins=(14, 14, 48, 52)
    )
    ticks = [0, 0.2, 0.4, 0.6, 0.8, 1]
    decimals = 0 if 1 - low > 0.06 else 1
    chart.axes(
        "answered by the network",
        "of these right",
        ticks,
        round_ticks(low, 1),
        "{:.0%}".format,
        f"{{:.{decimals}%}}".format,
    )
    chart.line(shares.tolist(), right.tolist(), "a")
    words = []
    for aim in (0.99, 0.999):
        reached = np.flatnonzero(accuracy >= aim)
        last = int(reached[-1]) if len(reached) else 0
        if accuracy[-1] < aim and last >= _LEAST_COVERAGE * len(order):
            chart.dots([answered[last] / len(order)], [float(accuracy[last])], "b", radius=4.5)
            sure = math.floor(1e4 * confidences[order[last]]) / 100  # rounded down, or fewer would be answered
            words.append(
                f"{aim:.1%} of its answers are right where it answers {answered[last] / len(order):.0%} of the images, "
                f"those of which it is at least {sure:g}% sure"
            )
    caption = "; ".join(words) + "." if words else ""
    return Figure("Doubtful images left to people", chart.markup(), caption)


# ---- the feature space ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Map:
    """A chart of points, and where each of them lies in units of the drawing."""

    drawing: Markup
    x: list[int]
    y: list[int]


def feature_map(
    points: NDArray[np.float64], targets: Integers, wrong: NDArray[np.bool_], names: Sequence[str], method: str
) -> Map:
    """Points [M, 2] coloured by their true class, targets int64 [M]; mistakes crossed, classes named in their midst."""
    low, high = np.quantile(points, [0.002, 0.998], axis=0)
    spread = np.where(high > low, high - low, 1.0)
    places = np.clip((points - low) / spread, -0.02, 1.02)
    chart = Chart((-0.04, 1.04), (-0.04, 1.04), f"{method} of the feature space", size=(900, 620), margins=(4, 4, 4, 4))
    xs = [round(chart.x(float(value))) for value in places[:, 0]]
    ys = [round(chart.y(float(value))) for value in places[:, 1]]
    for target in np.unique(targets):
        members = np.flatnonzero((targets == target) & ~wrong)
        path = "".join(f"M{xs[i]} {ys[i]}h0" for i in members)
        chart.add(f'<path class="points" data-t="{target}" style="--h:{hue(int(target), len(names))}" d="{path}"/>')
    crosses = "".join(f"M{xs[i] - 3} {ys[i] - 3}l6 6m-6 0l6-6" for i in np.flatnonzero(wrong))
    chart.add(f'<path class="crosses" d="{crosses}"/>')
    for target in np.unique(targets):
        members = np.flatnonzero(targets == target)
        x, y = np.median([xs[i] for i in members]), np.median([ys[i] for i in members])
        chart.text(float(x), float(y) + 6, shortened(names[target], 14), "middle", "place")
    return Map(chart.markup(), xs, ys)


def hue(target: int, classes: int) -> int:
    """A class's colour in degrees; with many classes neighbours in number lie far apart on the wheel."""
    return round(target * 360 / classes) if classes <= 12 else round(target * 137.508) % 360
