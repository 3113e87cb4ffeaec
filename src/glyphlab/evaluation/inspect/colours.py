"""From numbers to colours: scales that a reader can look up beside the picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SIGNED = "RdBu_r"  # blue: negative, white: 0, red: positive
STRENGTH = "magma"  # black: 0, light: strong

_BEYOND = 99.8  # percentile where a scale ends, so that a single value does not make all others pale


@dataclass(frozen=True)
class Scale:
    """Which numbers have which colours: from `low` to `high` along the matplotlib colour map `colours`."""

    label: str
    low: float
    high: float
    colours: str


def reach(values: NDArray[np.floating]) -> float:
    """Where a scale for `values` ends: nearly their largest size; 1 where all are 0."""
    top = float(np.percentile(np.abs(values), _BEYOND)) if values.size else 0.0
    return top or float(np.abs(values).max(initial=0.0)) or 1.0


def paint(values: NDArray[np.floating], scale: Scale) -> NDArray[np.uint8]:
    """Colours of numbers, uint8 [..., 3]; what lies beyond the scale has its last colour."""
    from matplotlib import colormaps

    shades = (values - scale.low) / (scale.high - scale.low)
    return np.asarray(colormaps[scale.colours](np.clip(shades, 0, 1), bytes=True)[..., :3], dtype=np.uint8)


def as_rgb(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """uint8 [..., H, W] grey, or [..., H, W, 3] already, as RGB."""
    return image if image.shape[-1] == 3 and image.ndim > 2 else np.repeat(image[..., None], 3, axis=-1)
