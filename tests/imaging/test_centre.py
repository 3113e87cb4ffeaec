from __future__ import annotations

import numpy as np
import pytest

from glyphlab.errors import ImageError
from glyphlab.imaging.centre import centre_crop


@pytest.mark.parametrize("shape", [(300, 500), (500, 300, 3), (20, 30, 3), (1, 900), (256, 256)])
def test_the_size_is_always_the_same(shape: tuple[int, ...], rng: np.random.Generator) -> None:
    crop = centre_crop(rng.integers(0, 256, shape, dtype=np.uint8))
    assert crop.shape == (224, 224, 3) and crop.dtype == np.uint8


def test_a_picture_like_a_thread_is_refused() -> None:
    with pytest.raises(ImageError, match="6000 x 1 pixels are too thin a picture"):
        centre_crop(np.zeros((1, 6000), np.uint8))


def test_a_picture_of_the_right_size_is_only_cut() -> None:
    picture = np.arange(256 * 301 * 3, dtype=np.uint32).reshape(256, 301, 3).astype(np.uint8)
    # (301 - 224) / 2 = 38.5 is rounded to the even neighbour, as torchvision's int(round()) does.
    assert np.array_equal(centre_crop(picture), picture[16:240, 38:262])


def test_the_middle_stays_in_the_middle_and_grey_becomes_colour() -> None:
    picture = np.zeros((512, 1024), dtype=np.uint8)
    picture[246:266, 502:522] = 255
    crop = centre_crop(picture, shorter_side=128, side=96)
    rows, columns = np.nonzero(crop[..., 0])
    assert rows.mean() == pytest.approx(47.5) and columns.mean() == pytest.approx(47.5)
    assert np.array_equal(crop[..., 0], crop[..., 2])


def test_shrinking_averages_so_that_fine_patterns_do_not_alias() -> None:
    stripes = np.tile(np.array([0, 255], dtype=np.uint8), (1024, 512))
    assert np.ptp(centre_crop(stripes).astype(int)) < 20
