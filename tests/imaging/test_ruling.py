from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from glyphlab.imaging.ruling import remove_ruled_lines

Draw = Callable[..., NDArray[np.uint8]]


def letter(drawn: Draw, name: str = "h") -> NDArray[np.float32]:
    return (1 - drawn(name, ink=0, paper=255).astype(np.float32) / 255).clip(0, 1)


def test_ruled_lines_go_and_strokes_across_them_stay(drawn: Draw) -> None:
    for name in "hET":
        ink = letter(drawn, name)
        for slope in (-20, 0, 20):
            ruled = ink.copy()
            for y in (40, 120, 200, 270):
                cv2.line(ruled, (0, y), (399, y + slope), 1.0, 3)
            cleaned = remove_ruled_lines(ruled)
            assert cleaned[ink < 0.01].sum() < 0.02 * ruled[ink < 0.01].sum()
            assert cleaned[ink > 0.99].mean() > 0.97


def test_squared_paper(drawn: Draw) -> None:
    ink = letter(drawn, "h")
    squared = ink.copy()
    for y in range(25, 300, 60):
        cv2.line(squared, (0, y), (399, y + 4), 1.0, 2)
    for x in range(30, 400, 60):
        cv2.line(squared, (x, 0), (x + 4, 299), 1.0, 2)
    cleaned = remove_ruled_lines(squared)
    assert cleaned[ink < 0.01].sum() < 0.05 * squared[ink < 0.01].sum()
    assert cleaned[ink > 0.99].mean() > 0.95


def test_a_stroke_from_border_to_border_is_no_ruled_line(drawn: Draw) -> None:
    ink = letter(drawn, "T")
    tight = ink[:, (ink >= 0.5).any(axis=0)]
    assert np.array_equal(remove_ruled_lines(tight), tight)
    dash = np.zeros((60, 200), np.float32)
    dash[25:35] = 1
    assert np.array_equal(remove_ruled_lines(dash), dash)


def test_ink_without_lines_comes_back_as_it_is_and_contiguous(drawn: Draw) -> None:
    for shape in ((300, 400), (400, 300)):
        ink = (1 - drawn("h", shape=shape, ink=0, paper=255).astype(np.float32) / 255).clip(0, 1)
        cleaned = remove_ruled_lines(ink)
        assert np.array_equal(cleaned, ink)
        assert cleaned.flags.c_contiguous


def test_upright_lines_go_as_level_ones_do(drawn: Draw) -> None:
    ruled = letter(drawn, "h")
    for y in (40, 120, 200, 270):
        cv2.line(ruled, (0, y), (399, y + 4), 1.0, 3)
    assert np.array_equal(remove_ruled_lines(np.ascontiguousarray(ruled.T)), remove_ruled_lines(ruled).T)
