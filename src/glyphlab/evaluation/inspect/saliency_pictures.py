"""Saliency for the eye: images in rows, what each method says of them beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from glyphlab.evaluation.inspect.colours import SIGNED, STRENGTH, Scale, as_rgb, paint, reach
from glyphlab.evaluation.inspect.saliency import Attribution
from glyphlab.evaluation.inspect.tiles import Tile, draw_tiles
from glyphlab.evaluation.wording import percent, shortened

Floats: TypeAlias = NDArray[np.float32]

_FADED = 0.35  # how much of a colour picture shows below what is painted on it


@dataclass(frozen=True, eq=False)
class Explained:
    """One image, explained for one class.

    image: uint8 [H, W] or [H, W, 3]. name: of the image. explained: the class, in words; prob: its probability.
    wrong: whether the class is not the image's own. cam: None for a network without convolutions.
    """

    image: NDArray[np.uint8]
    name: str
    explained: str
    prob: float
    wrong: bool
    gradients: Attribution
    cam: Floats | None
    occlusion: Floats


def draw_saliency(explained: Sequence[Explained], path: Path, heading: str, cam_layer: str | None) -> None:
    """Draw a row an image and class: the image, integrated gradients, Grad-CAM, occlusion.

    Each tile has its own scale, since only places are compared. The format follows the suffix. Raises `RunError`.
    """
    rows = [[tile for tile in _tiles(one) if tile is not None] for one in explained]
    names = [f"{one.name}\nwhy {shortened(one.explained, 12)}?\n{percent(one.prob)}%" for one in explained]
    columns = ["image", "integrated\ngradients", "Grad-CAM", "occlusion"]
    worst = max(one.gradients.gap for one in explained)
    lines = [
        "red speaks for the class, blue against it; each picture has its own scale; red frame: the class is wrong",
        f"integrated gradients: what each pixel adds to the score; the parts add up to within {percent(worst)}%",
        "occlusion: how far the score falls when the surroundings of a pixel are hidden",
    ]
    if cam_layer is None:
        columns.remove("Grad-CAM")
    else:
        lines.insert(2, f"Grad-CAM: where the maps of {cam_layer} speak for the class, black (nowhere) to light")
    draw_tiles(rows, path, f"{heading}: on what its answers rest", lines, row_names=names, column_names=columns)


def _tiles(one: Explained) -> list[Tile | None]:
    return [
        Tile(as_rgb(one.image), wrong=one.wrong),
        _signed(one.gradients.values.sum(axis=0), one.image),
        None if one.cam is None else _heat(one.cam, one.image),
        _signed(one.occlusion, one.image),
    ]


def _signed(values: Floats, image: NDArray[np.uint8]) -> Tile:
    limit = reach(values)
    return _over(paint(values, Scale("", -limit, limit, SIGNED)), image)


def _heat(values: Floats, image: NDArray[np.uint8]) -> Tile:
    painted = paint(values, Scale("", 0.0, reach(values), STRENGTH))
    # A dark outline would vanish on black: the glyph itself shines through instead.
    return Tile(_mixed(painted, image))


def _over(painted: NDArray[np.uint8], image: NDArray[np.uint8]) -> Tile:
    """The outline of a glyph over the colours, or a faded colour picture below them."""
    return Tile(painted, ink=image) if image.ndim == 2 else Tile(_mixed(painted, image))


def _mixed(painted: NDArray[np.uint8], image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    grey = image if image.ndim == 2 else image.mean(axis=-1)
    mixed = (1 - _FADED) * painted + _FADED * grey[..., None]
    return np.asarray(np.rint(mixed), dtype=np.uint8)
