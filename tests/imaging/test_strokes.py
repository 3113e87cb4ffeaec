from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest

from glyphlab.imaging.strokes import stroke_width, widen


def bar(width: float, length: int = 200, turn: float = 0.0, blur: float = 0.0) -> np.ndarray:
    """A straight stroke of a given width, drawn with 4-fold oversampling."""
    canvas = np.zeros((1200, 1200), np.float32)
    middle, along = np.array([600.0, 600.0]), np.array([np.cos(turn), np.sin(turn)])
    across = np.array([-along[1], along[0]])
    corners = [
        middle + s * along * length * 2 + t * across * width * 2 for s, t in ((1, 1), (1, -1), (-1, -1), (-1, 1))
    ]
    cv2.fillPoly(canvas, [np.rint(np.array(corners)).astype(np.int32)], 1.0)
    small = cv2.resize(canvas, (300, 300), interpolation=cv2.INTER_AREA)
    return cv2.GaussianBlur(small, (0, 0), blur) if blur else small


@pytest.mark.parametrize("width", [6, 12, 25])
@pytest.mark.parametrize("turn", [0.0, 0.3, 0.785, 1.2])
def test_width_of_a_bar_in_any_direction(width: int, turn: float) -> None:
    assert stroke_width(bar(width, turn=turn)) == pytest.approx(width, rel=0.06, abs=0.4)


def test_a_blur_hardly_changes_the_width() -> None:
    assert stroke_width(bar(12, blur=2.5)) == pytest.approx(stroke_width(bar(12)), rel=0.05)


def test_width_does_not_depend_on_the_length() -> None:
    assert stroke_width(bar(14, length=40)) == pytest.approx(stroke_width(bar(14, length=240)), rel=0.1)


def test_width_of_a_ring_and_of_nothing() -> None:
    rows, columns = np.mgrid[0:200, 0:200]
    ring = np.clip(5.5 - np.abs(np.hypot(rows - 100, columns - 100) - 60), 0, 1).astype(np.float32)
    assert stroke_width(ring) == pytest.approx(10, rel=0.1)
    assert stroke_width(np.zeros((20, 20), np.float32)) == 0.0


@pytest.mark.parametrize("by", [-8.0, -3.0, -0.5, 0.5, 3.0, 10.0])
def test_widen_adds_as_much_as_it_is_told(by: float) -> None:
    before = bar(16, turn=0.4)
    assert stroke_width(widen(before, by)) == pytest.approx(stroke_width(before) + by, abs=1.2)


def test_widening_by_nothing_keeps_the_shape() -> None:
    before = bar(16, turn=0.4)
    assert np.array_equal(widen(before, 0.0) >= 0.5, before >= 0.5)


def test_more_width_contains_less_width() -> None:
    before = bar(16, turn=0.4)
    widths = [widen(before, by) for by in (-6.0, -2.0, 2.0, 6.0)]
    for thinner, thicker in pairwise(widths):
        assert (thinner <= thicker + 1e-6).all()


def test_thin_parts_of_an_uneven_stroke_survive_thinning() -> None:
    uneven = np.zeros((100, 300), np.float32)
    uneven[30:70, 20:150] = 1
    uneven[46:54, 150:280] = 1
    thinned = widen(uneven, -20, thinnest=6)
    assert thinned[:, 30:140].sum(axis=0).mean() == pytest.approx(20, abs=1.5)
    assert thinned[:, 170:270].sum(axis=0).mean() == pytest.approx(6, abs=1.2)
    assert (thinned <= uneven).all()
