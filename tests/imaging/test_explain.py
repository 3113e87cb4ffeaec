from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from glyphlab.errors import ImageError
from glyphlab.imaging.explain import Step, explain, strip
from glyphlab.imaging.glyph import FRAMINGS, prepare

Draw = Callable[..., NDArray[np.uint8]]


def test_the_first_step_is_the_picture_and_the_last_the_glyph(drawn: Draw) -> None:
    picture = drawn("h")
    for framing in FRAMINGS.values():
        steps = explain(picture, framing)
        assert np.array_equal(steps[0].image, picture)
        assert np.array_equal(steps[-1].image, prepare(picture, framing))
        assert [step.title for step in steps] == [
            "picture", "dark on light", "evened out", "ink", "character", "glyph",
        ]  # fmt: skip
        assert all(step.image.dtype == np.uint8 for step in steps)


def test_a_light_drawing_is_said_to_be_inverted(drawn: Draw) -> None:
    assert "inverted" in [step.title for step in explain(255 - drawn("h"), FRAMINGS["mnist"])]


def test_the_strip_shows_every_step(drawn: Draw) -> None:
    picture = np.repeat(drawn("h")[..., None], 3, axis=2)
    picture[..., 2] //= 2
    steps = explain(picture, FRAMINGS["emnist"])
    image = strip(steps)
    assert image.dtype == np.uint8 and image.ndim == 3
    tiles = np.array_split(image, len(steps), axis=1)
    assert len({tile.tobytes() for tile in tiles}) == len(steps)
    assert all(tile.std() > 5 for tile in tiles)


@pytest.mark.parametrize("shape", [(28, 28), (400, 3), (3, 400), (1, 1), (50, 60, 3)])
def test_a_strip_of_any_shapes(shape: tuple[int, ...]) -> None:
    image = strip([Step("one", np.full(shape, 200, np.uint8)), Step("two", np.zeros((10, 10), np.uint8))])
    assert (image == 200).any()


def test_a_blank_picture_cannot_be_explained() -> None:
    with pytest.raises(ImageError, match="nothing is written"):
        explain(np.full((50, 50), 255, np.uint8), FRAMINGS["mnist"])
