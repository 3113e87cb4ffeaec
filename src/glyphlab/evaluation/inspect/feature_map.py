"""A map of the feature space: images that the network finds alike lie side by side."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from glyphlab.drawing import drawable
from glyphlab.errors import DataError
from glyphlab.evaluation.metrics import Integers
from glyphlab.evaluation.sheet import DARK, QUIET, Sheet, wrapped
from glyphlab.evaluation.wording import percent, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats: TypeAlias = NDArray[np.float32]
Method: TypeAlias = Literal["pca", "tsne"]

MOST_POINTS = 2_000
METHOD_NAMES: dict[Method, str] = {"pca": "PCA", "tsne": "t-SNE"}

_BEFORE_TSNE = 50  # dimensions that are left for t-SNE, as van der Maaten & Hinton do
_SIDE_INCHES = 7.0
_FEW_MISTAKES = 100  # up to so many crosses carry their answer


def sample(targets: Integers, most: int = MOST_POINTS, seed: int = 0) -> Integers:
    """Indices of at most `most` images, ascending, drawn evenly at random: int64."""
    if len(targets) <= most:
        return np.arange(len(targets), dtype=np.int64)
    return np.sort(np.random.default_rng(seed).choice(len(targets), most, replace=False)).astype(np.int64)


def project(features: Floats, method: Method = "tsne", seed: int = 0) -> Floats:
    """Features in two dimensions, float32 [N, 2]; the same for the same seed.

    features: float32 [N, D]. method: "pca", the two directions of largest variance: quick, distances mean something,
    classes overlap; "tsne", neighbours stay neighbours (van der Maaten & Hinton, JMLR 9, 2008): groups are seen, but
    neither their sizes nor the gaps between them mean anything. Seconds for thousands of points.
    Raises `DataError` for fewer than three images.
    """
    from sklearn.decomposition import PCA

    count, dimensions = features.shape
    if count < 3:
        raise DataError(f"a map of the feature space of {count} images; expected at least 3")
    if not np.ptp(features, axis=0).any():  # all in one place
        return np.zeros((count, 2), dtype=np.float32)
    if dimensions < 2:
        features = np.pad(features, ((0, 0), (0, 1)))
    if method == "pca":
        return np.asarray(PCA(2, svd_solver="full").fit_transform(features.astype(np.float64)), dtype=np.float32)
    from sklearn.manifold import TSNE

    if dimensions > _BEFORE_TSNE and count > _BEFORE_TSNE:
        features = PCA(_BEFORE_TSNE, svd_solver="full").fit_transform(features.astype(np.float64))
    tsne = TSNE(2, perplexity=min(30.0, (count - 1) / 3), init="pca", random_state=seed)
    return np.asarray(tsne.fit_transform(features.astype(np.float32)), dtype=np.float32)


def draw_feature_map(
    points: Floats,
    targets: Integers,
    predictions: Integers,
    class_names: Sequence[str],
    path: Path,
    heading: str,
    method: Method = "tsne",
) -> None:
    """Draw points coloured by their class, with the classes' names in their midst and crosses for mistakes.

    points: float32 [N, 2]. targets, predictions: int64 [N]. A mistake has its class's colour and says as what it was
    taken, where there are not too many. The format follows the suffix. Raises `RunError`.
    """
    wrong = targets != predictions
    mistakes = int(np.count_nonzero(wrong))
    meaning = {
        "pca": "the two directions of largest variance; distances mean something",
        "tsne": "neighbours stay neighbours; sizes of groups and gaps between them mean nothing",
    }
    lines = [
        f"{len(points):,} images by what the last layer is given, in two dimensions by {METHOD_NAMES[method]}: "
        + meaning[method],
        f"colour and name: true class; ✗: wrong ({mistakes:,}, {percent(mistakes / len(points))}%)"
        + (", with the answer" if 0 < mistakes <= _FEW_MISTAKES else ""),
    ]
    lines = [line for text in lines for line in wrapped(text, int(15 * _SIDE_INCHES))]
    head = 0.45 + 0.155 * len(lines)
    sheet = Sheet(_SIDE_INCHES, _SIDE_INCHES + head)
    sheet.head(0.15, f"{heading}: its feature space", lines)
    axes = sheet.axes(0.05, 0.05, _SIDE_INCHES - 0.1, _SIDE_INCHES - 0.1)
    colours = class_colours(len(class_names))
    size = float(np.clip(9_000 / len(points), 4, 30))
    right = ~wrong
    across, down = points.T
    axes.scatter(across[right], down[right], size, colours[targets[right]], linewidths=0, alpha=0.75)
    crosses = 24 if mistakes <= _FEW_MISTAKES else 13
    axes.scatter(across[wrong], down[wrong], crosses + 10, "white", marker="X", linewidths=0)
    cross = colours[targets[wrong]]
    axes.scatter(across[wrong], down[wrong], crosses, cross, marker="X", linewidths=0.6, edgecolors=DARK)
    _name_mistakes(axes, points[wrong], [class_names[prediction] for prediction in predictions[wrong]])
    _name_classes(axes, points, targets, class_names, colours)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.margins(0.03)
    for spine in axes.spines.values():
        spine.set_color("#cccccc")
    sheet.save(path)


def class_colours(classes: int) -> NDArray[np.float64]:
    """A colour a class, [classes, 3] in 0..1: hues evenly apart, of alternating lightness where there are many."""
    steps = [(0.42, 0.72)] if classes <= 10 else [(0.36, 0.75), (0.52, 0.62), (0.64, 0.7)]
    # Neighbours in the alphabet get far hues: a step of the golden ratio never comes back soon (any number of classes).
    hues = [(number * 0.618034) % 1 if classes > 10 else number / classes for number in range(classes)]
    return np.array([colorsys.hls_to_rgb(hue, *steps[number % len(steps)]) for number, hue in enumerate(hues)])


def _name_classes(
    axes: Axes, points: Floats, targets: Integers, class_names: Sequence[str], colours: NDArray[np.float64]
) -> None:
    """Each class's name at the point of the class that lies in its midst."""
    from matplotlib.patheffects import withStroke

    size = 15 if len(class_names) <= 12 else 12
    for target in np.unique(targets).tolist():
        own = points[targets == target]
        middle = own[np.abs(own - np.median(own, axis=0)).sum(axis=1).argmin()]
        axes.text(
            float(middle[0]),
            float(middle[1]),
            drawable(shortened(class_names[target], 12)),
            fontsize=size,
            fontweight="bold",
            color=colours[target] * 0.6,
            ha="center",
            va="center",
            zorder=5,
            path_effects=[withStroke(linewidth=3, foreground="white")],
        )


def _name_mistakes(axes: Axes, points: Floats, answers: Sequence[str]) -> None:
    """What each mistake was taken for, beside its cross; with very many the crosses alone are drawn."""
    if len(points) > _FEW_MISTAKES:
        return
    for place, answer in zip(points.tolist(), answers, strict=True):
        axes.annotate(
            drawable(shortened(answer, 8)),
            place,
            xytext=(4, 2),
            textcoords="offset points",
            fontsize=6.5,
            color=QUIET,
            zorder=4,
        )
