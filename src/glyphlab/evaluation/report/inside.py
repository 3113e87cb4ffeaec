"""The inside of the network for the page: layers, first filters, the map of its feature space, what it looks at."""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from glyphlab.evaluation.inspect.feature_map import project
from glyphlab.evaluation.inspect.filters import filter_pictures, filters_of, layer_names
from glyphlab.evaluation.inspect.inspection import Wishes, about, inspect
from glyphlab.evaluation.inspect.subject import Subject as Inspected
from glyphlab.evaluation.metrics import Integers
from glyphlab.evaluation.report import charts
from glyphlab.evaluation.report.atlas import png_uri
from glyphlab.evaluation.report.subject import Subject
from glyphlab.networks.describe import LayerRow, describe
from glyphlab.networks.diagram import draw_network
from glyphlab.networks.features import predict_with_features

Projection = Literal["pca", "tsne", "none"]

_MOST_FILTERS = 64
_FEWEST_POINTS, _MOST_POINTS = 4, 3000
_MANY_CLASSES = 12  # from which on two principal components show little
_LARGEST_LOOKED_INTO = 64  # pixels along a side; larger images take minutes
_MOST_EXCITED = 10  # classes


@dataclass(frozen=True)
class Filters:
    """A sheet of a layer's weights. width: of the sheet in pixels, which the page scales."""

    title: str
    caption: str
    uri: str
    width: int


def layers(subject: Subject) -> list[LayerRow]:
    """The layers of the network in order."""
    return describe(subject.classifier.body, subject.classifier.spec.image_shape)


def diagram(subject: Subject, rows: list[LayerRow]) -> str:
    """The network's picture as an SVG data URI, with text as text."""
    import matplotlib

    file = io.BytesIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "glyphlab"}):
        draw_network(rows, subject.run.recipe.network.name).savefig(file, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def first_filters(subject: Subject) -> Filters | None:
    """The weights that meet the image first, as small pictures; None where they cannot be shown as such.

    Of a convolution its filters; of a network that begins with a linear layer, a picture of weights for each output.
    """
    names = layer_names(subject.classifier)
    if names:
        weights = filters_of(subject.classifier, names[0])
        count, _, height, width = weights.shape
        return _sheet(weights, f"{names[0]}: {count} filters of {height}×{width}")
    linear = next((module for module in subject.classifier.body.modules() if isinstance(module, nn.Linear)), None)
    shape = subject.classifier.spec.image_shape
    if linear is None or linear.in_features != math.prod(shape):
        return None
    weights = linear.weight.detach().cpu().numpy().astype(np.float32).reshape(-1, *shape)
    return _sheet(weights, f"first layer: {len(weights)} outputs, a weight for each pixel")


@dataclass(frozen=True, eq=False)
class Space:
    """The map of the feature space. indices: int64 [M], which images the points are."""

    map: charts.Map
    indices: Integers
    caption: str


def space(subject: Subject, method: Projection) -> Space | None:
    """The feature space of at most 3,000 images; None where it is not wanted or there are too few images."""
    evaluation = subject.evaluation
    if method == "none" or len(evaluation) < _FEWEST_POINTS:
        return None
    chosen = np.sort(np.random.default_rng(0).permutation(len(evaluation))[:_MOST_POINTS]).astype(np.int64)
    images = torch.from_numpy(subject.glyphs.images)
    _, features = predict_with_features(subject.classifier, images, torch.from_numpy(chosen))
    points = np.asarray(project(features.numpy(), method=method, seed=0), dtype=np.float64)
    words = {"pca": "its two principal components", "tsne": "t-SNE"}[method]
    drawn = charts.feature_map(points, evaluation.targets[chosen], ~evaluation.is_correct[chosen], subject.names, words)
    caption = (
        f"{len(chosen):,} images as the network sees them just before it decides ({features.shape[1]} numbers each), "
        f"laid out in two dimensions by {words}. Colours and letters: true classes; crosses: mistakes."
    )
    if method == "pca" and len(subject.names) > _MANY_CLASSES:
        caption += " With so many classes t-SNE separates them better: glyphlab report RUN --map tsne."
    return Space(drawn, chosen, caption)


@dataclass(frozen=True)
class Look:
    """A picture of an inspection, as a data URI. folded: the page shows its title first."""

    title: str
    uri: str
    folded: bool


def looks(subject: Subject) -> list[Look]:
    """What the network makes of an image, what its answers rest on, and what excites the classes it knows least.

    As `glyphlab inspect` draws it. None for images that are large, of which that takes minutes.
    """
    spec = subject.classifier.spec
    if max(spec.image_shape[1:]) > _LARGEST_LOOKED_INTO:
        return []
    of_convolutions = ("responses", "maps") if layer_names(subject.classifier) else ()
    hardest = np.argsort(subject.evaluation.per_class.recall, kind="stable")[:_MOST_EXCITED]
    wishes = Wishes((*of_convolutions, "saliency", "excite"), classes=tuple(np.sort(hardest).tolist()))
    inspected = Inspected(subject.run.name, subject.classifier, lambda: subject.glyphs)
    with TemporaryDirectory() as folder:
        pictures = inspect(inspected, Path(folder), wishes).files
        return [_look(path, len(spec.class_names)) for path in pictures]


def _look(picture: Path, classes: int) -> Look:
    part, _, layer = picture.stem.partition("-")
    words = about(picture)
    title = words[0].upper() + words[1:] + (f": {layer}" if layer else "")
    if part == "excite" and classes > _MOST_EXCITED:
        title += f": of the {_MOST_EXCITED} that it recognises least"
    uri = "data:image/png;base64," + base64.b64encode(picture.read_bytes()).decode("ascii")
    return Look(title, uri, folded=part == "responses")


def _sheet(weights: NDArray[np.float32], title: str) -> Filters:
    """Filters [N, C, h, w] side by side with transparent gaps, each of their pixels many pixels wide."""
    tiles, _, meaning = filter_pictures(weights)
    caption = "Red where a weight is positive, blue where it is negative." if meaning == "weights" else f"{meaning}."
    if len(tiles) > _MOST_FILTERS:
        caption += f" The first {_MOST_FILTERS} are shown."
    tiles = tiles[:_MOST_FILTERS]
    count, height, width = tiles.shape[:3]
    columns = min(16, count)
    rows = -(-count // columns)
    zoom = max(1, 40 // width)
    gap = max(2, zoom // 2)
    step_y, step_x = height * zoom + gap, width * zoom + gap
    sheet = np.zeros((rows * step_y - gap, columns * step_x - gap, 4), dtype=np.uint8)
    for place, tile in enumerate(tiles):
        top, left = place // columns * step_y, place % columns * step_x
        large = tile.repeat(zoom, axis=0).repeat(zoom, axis=1)
        sheet[top : top + height * zoom, left : left + width * zoom, :3] = large
        sheet[top : top + height * zoom, left : left + width * zoom, 3] = 255
    return Filters(title, caption[0].upper() + caption[1:], png_uri(sheet), sheet.shape[1])
