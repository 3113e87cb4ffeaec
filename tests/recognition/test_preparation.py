from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glyphlab.data.decode import decode
from glyphlab.errors import ImageError
from glyphlab.imaging.glyph import FRAMINGS, prepare
from glyphlab.recognition.modelfile import ModelInfo
from glyphlab.recognition.preparation import as_glyph, describe, preparation_of, to_prepare


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("shape", [(40, 61), (61, 40), (7, 9), (20, 20), (300, 20)])
def test_whole_pictures_become_what_training_made_of_them(
    rng: np.random.Generator, tmp_path: Path, channels: int, shape: tuple[int, int]
) -> None:
    path = tmp_path / "picture.png"
    Image.fromarray(rng.integers(0, 256, (*shape, 3), dtype=np.uint8)).save(path)
    trained = decode(path, 20, "grey" if channels == 1 else "rgb", invert=True)
    info = ModelInfo(("a", "b"), (channels, 20, 20), framing=None, invert=True)
    np.testing.assert_array_equal(preparation_of(info)(path), trained)


def test_a_framing_is_applied_at_the_models_size(rng: np.random.Generator) -> None:
    picture = np.full((90, 80), 250, dtype=np.uint8)
    picture[20:70, 30:40] = 10
    for size in (28, 32):
        info = ModelInfo(("a", "b"), (1, size, size), framing="emnist")
        expected = prepare(picture, replace(FRAMINGS["emnist"], size=size))
        np.testing.assert_array_equal(preparation_of(info)(picture), expected)
        assert expected.shape == (size, size)


def test_what_is_prepared_is_the_picture_reduced(rng: np.random.Generator, tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    picture = rng.integers(200, 256, (1300, 1900), dtype=np.uint8)
    picture[300:1000, 900:1000] = 10
    Image.fromarray(picture).save(path)
    pixels = to_prepare(path)
    assert pixels.shape == (434, 634)
    info = ModelInfo(("a", "b"), (1, 28, 28), framing="mnist")
    np.testing.assert_array_equal(preparation_of(info)(path), prepare(pixels, FRAMINGS["mnist"]))


def test_glyphs_are_brought_to_the_models_channels(rng: np.random.Generator) -> None:
    grey = rng.integers(0, 256, (12, 10), dtype=np.uint8)
    coloured = np.repeat(grey[:, :, None], 3, axis=2)
    np.testing.assert_array_equal(as_glyph(grey, ModelInfo(("a", "b"), (3, 12, 10), None)), coloured)
    np.testing.assert_array_equal(as_glyph(coloured, ModelInfo(("a", "b"), (1, 12, 10), None)), grey)
    with pytest.raises(ImageError, match="the array: 10 x 12 pixels; expected a prepared glyph of 12 x 10"):
        as_glyph(grey, ModelInfo(("a", "b"), (1, 10, 12), None))


def test_pictures_are_named_in_messages(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("L", (9, 9)).save(path)
    with Image.open(path) as opened:
        assert describe(path) == describe(str(path)) == describe(opened) == str(path)
    assert describe(Image.new("L", (9, 9))) == "the picture"
    assert describe(np.zeros((9, 9), np.uint8)) == "the array"
    assert describe(b"\x89PNG") == "the bytes"
