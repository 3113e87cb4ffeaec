"""One image's way through a network: the maps that each block of layers makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from glyphlab.errors import ModelError
from glyphlab.evaluation.inspect.colours import SIGNED, STRENGTH, Scale, as_rgb, paint, reach
from glyphlab.evaluation.inspect.layers import array, blocks, watch
from glyphlab.evaluation.inspect.tiles import Tile, draw_tiles
from glyphlab.networks.classifier import Classifier

Floats: TypeAlias = NDArray[np.float32]

_MOST_ROWS = 9
_MAPS_A_ROW = 12


@dataclass(frozen=True, eq=False)
class Stage:
    """What a block of layers, a convolution and what follows it, leaves to the next. maps: float32 [C, h, w]."""

    layers: tuple[str, ...]
    maps: Floats


def maps_through_depth(classifier: Classifier, image: NDArray[np.uint8]) -> list[Stage]:
    """The maps behind each convolution with its norm, activation function and pooling, in the order of execution.

    image: uint8 [H, W] or [H, W, 3]. A pooling to one pixel is left out, as it leaves no map. Of more than nine
    blocks, the last of each size is kept: what a deep network knows before it looks more coarsely.
    Raises `ModelError` for a network without convolutions; `ImageError` for an image that does not fit.
    """
    stages = [
        Stage(tuple(one.name for one in block), array(block[-1].made[0])) for block in blocks(watch(classifier, image))
    ]
    if not stages:
        raise ModelError(f"network '{classifier.spec.network}' has no convolutions, so it makes no maps")
    if len(stages) <= _MOST_ROWS:
        return stages
    following = [*stages[1:], None]
    return [
        stage
        for stage, after in zip(stages, following, strict=True)
        if after is None or after.maps.shape[1:] != stage.maps.shape[1:]
    ]


def draw_depth(image: NDArray[np.uint8], stages: list[Stage], path: Path, heading: str) -> None:
    """Draw a row of maps a stage, below the image; the format follows the suffix.

    image: uint8 [H, W] or [H, W, 3]. Of many maps a row shows the twelve that vary most over the image, by number.
    Each row has its own scale, since deeper maps have other sizes of values. Raises `RunError`.
    """
    rows = [[Tile(as_rgb(image), "the image")]]
    names = [f"image\n{'x'.join(map(str, image.shape))}"]
    for stage in stages:
        chosen = np.sort(np.argsort(-stage.maps.std(axis=(1, 2)), kind="stable")[:_MAPS_A_ROW])
        limit = reach(stage.maps)
        scale = Scale("", -limit, limit, SIGNED) if stage.maps.min() < 0 else Scale("", 0.0, limit, STRENGTH)
        painted = paint(stage.maps[chosen], scale)
        rows.append([Tile(picture, str(number)) for picture, number in zip(painted, chosen.tolist(), strict=True)])
        first, last = stage.layers[0], stage.layers[-1]
        words = [first if first == last else f"{first} to {last}", "x".join(map(str, stage.maps.shape))]
        names.append("\n".join([*words, f"to {limit:.3g}"]))
    lines = [
        "a row a block of layers: its maps as they go to the next, black to light from 0 to the row's limit; "
        "where there are negative values, blue is below and red above 0",
        f"of more than {_MAPS_A_ROW} maps, those that vary most over the image",
    ]
    draw_tiles(rows, path, f"{heading}: maps through the depth", lines, row_names=names, tile_inches=0.72)
