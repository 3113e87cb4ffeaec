"""The filters of a convolution: its weights, and a picture of them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from glyphlab.errors import ModelError
from glyphlab.evaluation.inspect.colours import SIGNED, STRENGTH, Scale, paint, reach
from glyphlab.evaluation.inspect.layers import array, find_convolution
from glyphlab.evaluation.inspect.layers import layer_names as layer_names
from glyphlab.evaluation.inspect.tiles import Tile, draw_tiles, in_rows
from glyphlab.networks.classifier import Classifier

Floats: TypeAlias = NDArray[np.float32]
View: TypeAlias = Literal["auto", "pca", "norm"] | int

MOST_FILTERS = 128  # in one picture


def filters_of(classifier: Classifier, layer: str | int) -> Floats:
    """The weights of a convolution, float32 [out, in, kh, kw] (in: input channels, of its group where it has groups).

    layer: its name, or its number counted from 1. Raises `ModelError` as `find_convolution`.
    """
    return array(find_convolution(classifier, layer)[1].weight)


def filter_pictures(weights: Floats, view: View = "auto") -> tuple[NDArray[np.uint8], Scale | None, str]:
    """Each filter as a small picture, however many input channels it has.

    weights: float32 [out, in, kh, kw]. view:
      a number  the weights for this input channel (from 0): red positive, blue negative
      "norm"    the Euclidean norm over the input channels: where a filter looks, not for what
      "pca"     the three main directions of the [in] vectors as red, green and blue, grey being their mean: places of
                equal colour look for the same mixture of channels
      "auto"    one input channel: its weights. Three: as red, green and blue, grey being 0. Else "pca".

    Returns uint8 [out, kh, kw, 3], the scale of the colours (None where they have none) and what is shown, in words.
    Raises `ModelError` for a channel that does not exist.
    """
    channels = weights.shape[1]
    if view == "auto":
        view = 0 if channels == 1 else "pca"
        if channels == 3:
            return paint_rgb(weights.transpose(0, 2, 3, 1)), None, "weights for red, green and blue; grey is 0"
    if view == "pca":
        directions, share = _main_directions(weights)
        return (
            paint_rgb(directions),
            None,
            f"three main directions of the input channels as red, green, blue ({share:.0%} of their variance)",
        )
    if view == "norm":
        norms = np.sqrt(np.square(weights).sum(axis=1))
        scale = Scale("norm over the input channels", 0.0, reach(norms), STRENGTH)
        return paint(norms, scale), scale, "norm of the weights over the input channels"
    if not 0 <= view < channels:
        raise ModelError(f"no input channel {view} in these filters; expected 0 to {channels - 1}")
    chosen = weights[:, view]
    limit = reach(chosen)
    scale = Scale("weight", -limit, limit, SIGNED)
    return paint(chosen, scale), scale, "weights" if channels == 1 else f"weights for input channel {view}"


def draw_filters(weights: Floats, path: Path, heading: str, view: View = "auto") -> None:
    """Draw the filters of one layer as a grid; the format follows the suffix.

    weights: float32 [out, in, kh, kw]. heading: whose they are ("mnist-fast-1, conv1"). view: see
    `filter_pictures`. Beyond `MOST_FILTERS` the first so many are drawn, and the picture says so. Raises `ModelError`;
    `RunError` when the file cannot be written.
    """
    count, channels, height, width = weights.shape
    shown = min(count, MOST_FILTERS)
    pictures, scale, meaning = filter_pictures(weights, view)
    several = f"{channels} input channels" if channels > 1 else "1 input channel"
    lines = [f"{count} filters of {height}x{width}, {several}: shape {list(weights.shape)}", f"shown: {meaning}"]
    if shown < count:
        lines[0] += f"; the first {shown} are drawn"
    tiles = [Tile(picture, str(number)) for number, picture in enumerate(pictures[:shown])]
    draw_tiles(in_rows(tiles), path, f"{heading}: filters", lines, scales=[scale] if scale else [], tile_inches=0.62)


def paint_rgb(values: Floats) -> NDArray[np.uint8]:
    """Values about 0, [..., 3], as red, green and blue about grey; the same scale for all: uint8 [..., 3]."""
    shades = 0.5 + values / (2 * reach(values))
    return np.asarray(np.rint(np.clip(shades, 0, 1) * 255), dtype=np.uint8)


def _main_directions(weights: Floats) -> tuple[Floats, float]:
    """The filters' places along the three main directions of their [in] vectors, and what share of variance they hold.

    Returns float32 [out, kh, kw, 3]; directions that do not exist are 0.
    """
    count, channels, height, width = weights.shape
    vectors = weights.transpose(0, 2, 3, 1).reshape(-1, channels).astype(np.float64)
    vectors -= vectors.mean(axis=0)
    left, values, right = np.linalg.svd(vectors, full_matrices=False)
    kept = min(3, len(values))
    # A direction is as good as its opposite: the one whose largest part is positive makes the picture repeatable.
    signs = np.sign(right[np.arange(kept), np.abs(right[:kept]).argmax(axis=1)])
    places = np.zeros((len(vectors), 3))
    places[:, :kept] = left[:, :kept] * (values[:kept] * signs)
    total = float(np.square(values).sum())
    share = float(np.square(values[:kept]).sum()) / total if total > 0 else 1.0
    return places.reshape(count, height, width, 3).astype(np.float32), share
