from __future__ import annotations

import cv2
import numpy as np
import pytest

from glyphlab.imaging.skew import estimate_skew, unturn


def bars(degrees: float) -> np.ndarray:
    """Lines of dashes that fall by `degrees` towards the right, ink 1 on paper 0."""
    ink = np.zeros((500, 600), dtype=np.float32)
    for row in range(60, 460, 50):
        for column in range(60, 540, 25):
            ink[row : row + 16, column : column + 12] = 1
    matrix = cv2.getRotationMatrix2D((300, 250), -degrees, 1)
    return np.asarray(cv2.warpAffine(ink, matrix, (600, 500)))


@pytest.mark.parametrize("degrees", [-11.0, -4.5, -0.5, 0.0, 0.3, 1.0, 7.3, 11.5])
def test_the_angle_is_found_and_taken_back(degrees: float) -> None:
    ink = bars(degrees)
    found = estimate_skew(ink)
    assert found == pytest.approx(degrees, abs=0.21)
    upright, _ = unturn(ink, found)
    assert abs(estimate_skew(upright)) <= 0.21


def test_too_little_writing_has_no_angle() -> None:
    ink = np.zeros((200, 200), dtype=np.float32)
    assert estimate_skew(ink) == 0
    ink[50:54, 50:60] = 1
    assert estimate_skew(ink) == 0


@pytest.mark.parametrize("shape", [(1, 2000), (20_000, 8), (3, 60_000)])
def test_a_thin_strip_has_no_angle(shape: tuple[int, int]) -> None:
    assert estimate_skew(np.zeros(shape, dtype=np.float32)) == 0
    ink = np.zeros(shape, dtype=np.float32)
    ink[:: 7 if shape[0] > 7 else 1, :: 7 if shape[1] > 7 else 1] = 1
    assert estimate_skew(ink) == 0


def test_no_corner_is_lost_and_the_matrix_leads_back() -> None:
    ink = np.zeros((100, 160), dtype=np.float32)
    ink[:6, :6] = ink[-6:, -6:] = 1
    turned, matrix = unturn(ink, 10.0)
    assert turned.sum() == pytest.approx(ink.sum(), rel=0.12)
    rows, columns = np.nonzero(turned > 0.5)
    back = np.stack([columns, rows, np.ones_like(rows)], axis=1) @ matrix.T
    assert (back > -1.5).all() and (back < [161.5, 101.5]).all()
    near_first = np.abs(back - 2.5).max(axis=1) < 6
    near_last = np.abs(back - [156.5, 96.5]).max(axis=1) < 6
    assert (near_first | near_last).all()


def test_no_turn_is_no_change() -> None:
    ink = bars(0)
    turned, matrix = unturn(ink, 0.0)
    assert turned is ink
    np.testing.assert_array_equal(matrix, [[1, 0, 0], [0, 1, 0]])
