"""Making probabilities mean what they say: temperature scaling, and the figures and picture that show it.

The temperature, and the thresholds of prediction sets after it, are fitted on the same validation images, by
which a best epoch may have been chosen as well. One number fitted to thousands of images leaves the thresholds their
coverage to within a fraction of a point; the test images, which none of this has seen, show it.

Every class counts the same in this, however many validation images it has: training data often hold ten times
as many of one letter as of another, and thresholds fitted to that mix promise too much where the mix is even.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from glyphlab.drawing import drawable
from glyphlab.evaluation.metrics import Floats, Integers, Logits, log_softmax, wilson_interval
from glyphlab.files import whole_file
from glyphlab.recognition.conformal import ConformalTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BINS = 15
_TEMPERATURES = (0.05, 20.0)
_TOLERANCE = 1e-7
_MOST_STEPS = 100
_LEAST_IMAGES = 100  # of classes that count the same, together


def balancing_weights(targets: Integers) -> Floats:
    """Weights that let every class that occurs count the same, float64 [N], 1 on average. targets: int64 [N], N > 0.

    But one of which fewer images are at hand than it would have of a hundred counts less: three images are no measure
    of a class, and what holds for all would rest on them.
    """
    counts = np.bincount(targets)
    classes = np.count_nonzero(counts)
    weights: Floats = 1.0 / np.maximum(counts, _LEAST_IMAGES / classes)[targets]
    weights /= weights.mean()
    return weights


def fit_temperature(logits: Logits, targets: Integers, weights: Floats | None = None) -> float:
    """The T, 0.05 to 20, for which softmax(logits / T) has the least cross-entropy on these images.

    logits: [N, K], of images that were not trained on. targets: int64 [N]. weights: how much each image counts,
    float64 [N], 1 on average; default: all the same. Where every image is answered correctly there is no such T
    (the smaller the better), and nothing is known of how sure to be: 1.0.
    The cross-entropy is convex in 1/T; its derivative's zero is found by Newton steps kept within a bracket.

    Source: C. Guo, G. Pleiss, Y. Sun, K. Weinberger, "On Calibration of Modern Neural Networks", ICML 2017.
    """
    wide = logits.astype(np.float64)
    wide -= wide.max(axis=1, keepdims=True)
    own = np.take_along_axis(wide, targets[:, None], axis=1)[:, 0]
    if len(targets) == 0 or not own.any():
        return 1.0
    counted = np.ones(len(targets)) if weights is None else weights

    def slopes(scale: float) -> tuple[float, float]:
        """First and second derivative of the mean cross-entropy by scale = 1/T."""
        probs = np.exp(wide * scale)
        probs /= probs.sum(axis=1, keepdims=True)
        mean = (probs * wide).sum(axis=1)
        variance = (probs * wide**2).sum(axis=1) - mean**2
        return float(np.mean(counted * (mean - own))), float(np.mean(counted * variance))

    low, high = 1 / _TEMPERATURES[1], 1 / _TEMPERATURES[0]
    scale = 1.0
    for _ in range(_MOST_STEPS):
        slope, curvature = slopes(scale)
        low, high = (scale, high) if slope < 0 else (low, scale)
        step = scale - slope / curvature if curvature > 0 else np.inf
        following = step if low < step < high else (low * high) ** 0.5
        if abs(following - scale) <= _TOLERANCE * scale:
            return 1 / following
        scale = following
    return 1 / scale


def calibrated(logits: Logits, temperature: float) -> Floats:
    """softmax(logits / temperature), float64 [N, K]."""
    return np.exp(log_softmax(logits / temperature))


@dataclass(frozen=True, eq=False)
class Reliability:
    """Images sorted into equal bins of confidence, arrays of length `bins`.

    counts: images, int64. confidence: their mean confidence. accuracy: the share answered correctly. Both are
    float64, 0 to 1, and 0 in an empty bin.
    """

    counts: Integers
    confidence: Floats
    accuracy: Floats

    @classmethod
    def measure(cls, confidences: Floats, is_correct: NDArray[np.bool_], bins: int = BINS) -> Reliability:
        """confidences: probability of the answer, float64 [N], 0 to 1. Bin i is (i / bins, (i + 1) / bins]."""
        place = np.clip(np.ceil(confidences * bins).astype(np.int64) - 1, 0, bins - 1)
        counts = np.bincount(place, minlength=bins).astype(np.int64)
        filled = np.maximum(counts, 1)
        return cls(
            counts,
            np.bincount(place, weights=confidences, minlength=bins) / filled,
            np.bincount(place, weights=is_correct.astype(np.float64), minlength=bins) / filled,
        )

    @property
    def error(self) -> float:
        """The expected calibration error (ECE): |accuracy - confidence| of the bins, weighted by their images.

        Source: M. Naeini, G. Cooper, M. Hauskrecht, "Obtaining Well Calibrated Probabilities Using Bayesian
        Binning", AAAI 2015; 15 equal bins as in Guo et al., 2017.
        """
        total = max(int(self.counts.sum()), 1)
        return float(self.counts @ np.abs(self.accuracy - self.confidence)) / total


def reliability(probs: NDArray[np.floating], targets: Integers, bins: int = BINS) -> Reliability:
    """How confidence and accuracy of the most probable class agree. probs: [N, K]; targets: int64 [N]."""
    answers = probs.argmax(axis=1)
    confidences = np.take_along_axis(probs, answers[:, None], axis=1)[:, 0].astype(np.float64)
    return Reliability.measure(confidences, answers == targets, bins)


def calibration_error(probs: NDArray[np.floating], targets: Integers, bins: int = BINS) -> float:
    """The expected calibration error, 0 to 1. probs: [N, K]; targets: int64 [N]."""
    return reliability(probs, targets, bins).error


@dataclass(frozen=True)
class Calibration:
    """What the validation images tell about a network's certainty.

    images: how many there were. temperature: what logits are divided by. conformal: thresholds of prediction
    sets after that; None without validation images, and then the temperature is 1.
    """

    images: int
    temperature: float
    conformal: ConformalTable | None

    @classmethod
    def fit(cls, logits: Logits, targets: Integers) -> Calibration:
        """logits: [N, K] of the validation images, N may be 0. targets: int64 [N]."""
        if len(targets) == 0:
            return cls(0, 1.0, None)
        weights = balancing_weights(targets)
        temperature = fit_temperature(logits, targets, weights)
        return cls(len(targets), temperature, ConformalTable.fit(calibrated(logits, temperature), targets, weights))


def draw_reliability(diagrams: dict[str, Reliability], heading: str, path: Path) -> None:
    """Draw reliability diagrams side by side: accuracy against confidence, and how many images lie where.

    diagrams: by title, such as "as trained". heading: one or more lines. Raises `RunError` when the file cannot
    be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter, StrMethodFormatter

    columns = 3 if len(diagrams) > 1 else 1  # of the legend, which has no place in the diagram that no bar can reach
    figure = Figure(figsize=(0.7 + 4.0 * len(diagrams), 5.4 + 0.6 / columns), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(drawable(heading), fontsize=11)
    grid = figure.subplots(2, len(diagrams), squeeze=False, sharex=True, height_ratios=(3, 1))
    for column, (title, diagram) in enumerate(diagrams.items()):
        above, below = grid[:, column]
        above.set_title(f"{title}: calibration error {diagram.error:.2%}", fontsize=10)
        _draw_bins(above, below, diagram)
        above.set_ylim(0, 1.02)
        above.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        below.set_yscale("log")
        below.set_ylim(bottom=0.7)
        below.yaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
        below.set_xlim(0, 1)
        below.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        below.set_xlabel("confidence: probability of the answer")
    grid[0][0].set_ylabel("accuracy: share answered correctly")
    grid[1][0].set_ylabel("images")
    figure.legend(
        *grid[0][0].get_legend_handles_labels(), fontsize=8, loc="outside lower center", ncols=columns, frameon=False
    )
    with whole_file(path) as temporary:
        figure.savefig(temporary, dpi=150)


def _draw_bins(above: Axes, below: Axes, diagram: Reliability) -> None:
    """Accuracy with its interval, so that bins of few images are not taken for more than they are; and counts."""
    bins = len(diagram.counts)
    filled = np.flatnonzero(diagram.counts)
    centres, width = (filled + 0.5) / bins, 0.94 / bins
    counts, accuracy, confidence = diagram.counts[filled], diagram.accuracy[filled], diagram.confidence[filled]
    above.plot((0, 1), (0, 1), color="#666666", linewidth=1, linestyle="--", label="perfect calibration")
    above.bar(centres, accuracy, width, color="#9ecae1", label="accuracy in the bin")
    right = np.rint(accuracy * counts).astype(int)
    intervals = [wilson_interval(int(r), int(n)) for r, n in zip(right, counts, strict=True)]
    low, high = np.array(intervals).reshape(-1, 2).T
    above.errorbar(
        confidence,
        accuracy,
        yerr=np.maximum([accuracy - low, high - accuracy], 0),
        fmt="o",
        color="#08519c",
        markersize=3.5,
        elinewidth=1,
        label="at its mean confidence, 95% interval",
    )
    below.bar(centres, counts, width, color="#bdbdbd")
