"""Drawn test pictures: a character's strokes on paper, in any size, place and light."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

# Points of polylines in a unit square, y downwards.
STROKES = {
    "h": [[(0.3, 0.1), (0.3, 0.9)], [(0.3, 0.55), (0.45, 0.4), (0.6, 0.4), (0.7, 0.55), (0.7, 0.9)]],
    "i": [[(0.5, 0.35), (0.5, 0.9)], [(0.5, 0.12), (0.5, 0.12)]],
    "E": [[(0.75, 0.1), (0.25, 0.1), (0.25, 0.9), (0.75, 0.9)], [(0.25, 0.5), (0.65, 0.5)]],
    "T": [[(0.1, 0.1), (0.9, 0.1)], [(0.5, 0.1), (0.5, 0.9)]],
}
Draw = Callable[..., NDArray[np.uint8]]


def draw(
    letter: str = "h",
    shape: tuple[int, int] = (300, 400),
    side: float = 160,
    corner: tuple[float, float] = (120, 70),
    pen: float = 16,
    ink: float = 20,
    paper: float = 235,
) -> NDArray[np.uint8]:
    """uint8 [H, W]: a letter of about `side` pixels with its corner at x, y."""
    scale = 4  # drawn larger and averaged, for soft edges
    canvas = np.full((shape[0] * scale, shape[1] * scale), paper, dtype=np.float32)
    for stroke in STROKES[letter]:
        points = [(round((corner[0] + x * side) * scale), round((corner[1] + y * side) * scale)) for x, y in stroke]
        for start, end in pairwise(points):
            cv2.line(canvas, start, end, ink, round(pen * scale))
    return np.rint(cv2.resize(canvas, shape[::-1], interpolation=cv2.INTER_AREA)).astype(np.uint8)


@pytest.fixture
def drawn() -> Draw:
    return draw


@pytest.fixture
def alike() -> Callable[[NDArray[np.uint8], NDArray[np.uint8]], float]:
    """Correlation of two glyphs' pixels: 1 where they are the same."""

    def correlation(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
        return float(np.corrcoef(one.reshape(-1), other.reshape(-1))[0, 1])

    return correlation
