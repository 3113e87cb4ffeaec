from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from glyphlab.evaluation.report import atlas as module
from glyphlab.evaluation.report.atlas import LARGEST_SIDE, bytes_per_image, pack, small_enough


def sheet(uri: str) -> np.ndarray:
    head, _, body = uri.partition(",")
    assert head == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(body))))


@pytest.mark.parametrize("shape", [(9, 7), (8, 8, 3)])
@pytest.mark.parametrize("side", [3000, 40])
def test_every_image_is_found_where_the_atlas_says(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...], side: int
) -> None:
    monkeypatch.setattr(module, "_SHEET_SIDE", side)
    images = rng.integers(0, 256, size=(57, *shape), dtype=np.uint8)
    atlas = pack(images, "t")
    assert (len(atlas.sheets) > 1) == (side == 40)
    sheets = [sheet(uri) for uri in atlas.sheets]
    for position, image in enumerate(images):
        number, column, row = atlas.place(position)
        top, left = row * (atlas.height + 1), column * (atlas.width + 1)
        np.testing.assert_array_equal(sheets[number][top : top + atlas.height, left : left + atlas.width], image)


def test_css_has_a_rule_for_each_sheet(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SHEET_SIDE", 40)
    atlas = pack(rng.integers(0, 256, size=(57, 9, 7), dtype=np.uint8), "t")
    assert [atlas.css().count(f".t{number}{{background-image") for number in range(len(atlas.sheets))] == [1] * len(
        atlas.sheets
    )


def test_dark_borders_mean_ink_on_paper(rng: np.random.Generator) -> None:
    images = rng.integers(0, 256, size=(20, 9, 9), dtype=np.uint8)
    images[:, [0, -1]] = 0
    assert pack(images, "t").white_on_black
    assert not pack(255 - images, "t").white_on_black
    assert not pack(np.zeros((4, 9, 9, 3), dtype=np.uint8), "t").white_on_black  # colours are shown as they are


def test_large_images_are_made_smaller_and_small_ones_are_left() -> None:
    large = np.full((3, 200, 100), 7, dtype=np.uint8)
    assert small_enough(large).shape == (3, LARGEST_SIDE, LARGEST_SIDE // 2)
    assert (small_enough(large) == 7).all()
    small = np.zeros((3, 28, 28), dtype=np.uint8)
    assert small_enough(small) is small


def test_the_estimate_of_bytes_is_near(rng: np.random.Generator) -> None:
    images = rng.integers(0, 256, size=(900, 12, 12), dtype=np.uint8)
    assert bytes_per_image(images) == pytest.approx(pack(images, "t").bytes / 900, rel=0.1)
