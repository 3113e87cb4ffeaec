from __future__ import annotations

import numpy as np
from PIL import Image

from glyphlab.imaging.fitting import fit_whole


def test_fit_shrinks_by_averaging_areas() -> None:
    large = np.random.default_rng(6).integers(0, 256, (64, 64), dtype=np.uint8)
    averages = large.reshape(16, 4, 16, 4).mean(axis=(1, 3))
    assert np.abs(fit_whole(Image.fromarray(large), 16, 16) - averages).max() <= 1


def test_fit_keeps_proportions_and_pads_with_the_border_colour() -> None:
    wide = np.full((10, 40), 200, dtype=np.uint8)
    wide[3:7, 15:25] = 0
    fitted = fit_whole(Image.fromarray(wide), 20, 20)
    assert (fitted[:7] == 200).all() and (fitted[13:] == 200).all()
    assert fitted[9, 10] == 0 and fitted.shape == (20, 20)
    tall = np.zeros((40, 10, 3), dtype=np.uint8) + np.array([10, 20, 30], dtype=np.uint8)
    assert (fit_whole(Image.fromarray(tall), 20, 20) == (10, 20, 30)).all()
    assert fit_whole(Image.new("L", (400, 1), 9), 16, 16).tolist() == [[9] * 16] * 16


def test_a_picture_of_the_right_size_is_left_alone() -> None:
    picture = np.random.default_rng(7).integers(0, 256, (12, 20, 3), dtype=np.uint8)
    np.testing.assert_array_equal(fit_whole(Image.fromarray(picture), 20, 12), picture)


def test_the_image_need_not_be_square() -> None:
    fitted = fit_whole(Image.new("L", (10, 10), 50), 30, 15)
    assert fitted.shape == (15, 30) and (fitted == 50).all()
