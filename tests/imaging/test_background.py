from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from glyphlab.imaging import background
from glyphlab.imaging.background import even_out, ink_level, is_light_on_dark, light_slope, to_grey

Draw = Callable[..., NDArray[np.uint8]]


def gradient(shape: tuple[int, int], low: float, high: float, down: bool = False) -> NDArray[np.float32]:
    steps = np.linspace(low, high, shape[0 if down else 1], dtype=np.float32)
    return np.broadcast_to(steps[:, None] if down else steps, shape)


@pytest.mark.parametrize("letter", ["h", "i", "E", "T"])
@pytest.mark.parametrize("pen", [4, 16, 28])
def test_polarity_is_what_the_border_is_not(drawn: Draw, letter: str, pen: int) -> None:
    picture = drawn(letter, shape=(190, 220), corner=(25, 12), pen=pen)
    assert not is_light_on_dark(picture, light_slope(picture))
    assert is_light_on_dark(255 - picture, light_slope(255 - picture))


@pytest.mark.parametrize("down", [True, False])
def test_polarity_under_light_from_one_side(drawn: Draw, down: bool) -> None:
    picture = drawn(ink=30, paper=250)
    lit = np.rint(picture * gradient(picture.shape, 0.3, 1, down)).astype(np.uint8)
    assert not is_light_on_dark(lit, light_slope(lit))
    assert is_light_on_dark(255 - lit, light_slope(255 - lit))


def test_contrast_is_zero_on_paper_and_the_same_in_light_and_shade(drawn: Draw) -> None:
    picture = drawn(ink=60, paper=240)
    lit = np.rint(picture * gradient(picture.shape, 0.35, 1)).astype(np.uint8)
    evened = even_out(lit)
    on_paper, on_ink = evened.contrast[picture == 240], evened.contrast[picture == 60]
    assert on_paper.max() < 0.08
    assert np.abs(on_ink - 0.75).max() < 0.06  # 1 - 60 / 240
    assert np.abs(evened.paper - 240 * gradient(picture.shape, 0.35, 1)).max() < 12


def test_an_inverted_picture_gives_the_same_contrast(drawn: Draw) -> None:
    picture = drawn()
    one, other = even_out(picture), even_out(255 - picture)
    assert (one.light_on_dark, other.light_on_dark) == (False, True)
    assert np.array_equal(one.contrast, other.contrast)


def test_a_patch_of_darker_paper_is_not_ink(drawn: Draw) -> None:
    picture = drawn(paper=200)
    canvas = np.full((500, 600), 255, np.uint8)
    canvas[100:400, 100:500] = picture
    contrast = even_out(canvas).contrast
    level = ink_level(contrast)
    assert contrast[100:400, 100:500][picture == 200].max() < level / 2
    assert contrast[100:400, 100:500][picture == 20].min() > level / 2


@pytest.mark.parametrize("sigma", [0.0, 2.0, 6.0])
def test_paper_without_ink_has_no_level(rng: np.random.Generator, sigma: float) -> None:
    paper = np.clip(rng.normal(200, sigma, (300, 400)), 0, 255).astype(np.uint8)
    assert ink_level(even_out(paper).contrast) == 0


def test_a_gradient_without_ink_has_no_level(rng: np.random.Generator) -> None:
    for down in (True, False):
        for sigma in (0, 1.5):
            lit = gradient((300, 400), 110, 220, down) + rng.normal(0, sigma, (300, 400))
            assert ink_level(even_out(lit.astype(np.uint8)).contrast) == 0


def test_the_level_is_that_of_full_strokes(rng: np.random.Generator) -> None:
    contrast = np.abs(rng.normal(0, 0.01, (200, 200))).astype(np.float32)
    contrast[50:60, 20:180] = 0.6
    contrast[49, 20:180] = contrast[60, 20:180] = 0.3
    contrast[120:170, 20:180] = 0.15  # a stain
    assert ink_level(contrast) == pytest.approx(0.6, abs=0.01)


def test_grey_pictures_and_grey_colours_become_brightness(drawn: Draw) -> None:
    picture = drawn()
    assert to_grey(picture) is picture
    colour = np.stack([picture, picture, (picture * 0.9).astype(np.uint8)], axis=-1)
    assert np.array_equal(to_grey(colour), cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY))


@pytest.mark.parametrize(
    ("ink", "paper"), [((200, 30, 30), (30, 114, 30)), ((255, 255, 0), (255, 255, 255)), ((60, 60, 255), (90, 90, 40))]
)
def test_ink_of_the_papers_brightness_shows_by_its_colour(
    drawn: Draw, ink: tuple[int, int, int], paper: tuple[int, int, int]
) -> None:
    cover = drawn(ink=0, paper=255)[..., None] / 255
    colour = np.rint(np.array(ink) * (1 - cover) + np.array(paper) * cover).astype(np.uint8)
    brightness = cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY).astype(float)
    grey = to_grey(colour).astype(float)
    assert np.ptp(brightness) < 0.35 * np.ptp(grey)
    contrast = even_out(colour).contrast
    assert ((contrast > ink_level(contrast) / 2) == (cover[..., 0] < 0.5)).mean() > 0.995


def test_the_median_is_numpys(rng: np.random.Generator) -> None:
    for size in (1, 2, 7, 100, 101):
        for values in (rng.normal(size=size), rng.integers(0, 3, size), np.full(size, 0.3)):
            for kind in (np.float32, np.uint8):
                sample = np.abs(values).astype(kind)
                assert background._median(sample) == np.median(sample)
    image = rng.random((20, 30)).astype(np.float32)
    assert background._median(image[::2, ::3]) == np.median(image[::2, ::3])


@pytest.mark.parametrize("paper", [255, 130])
@pytest.mark.parametrize("pen", [8, 70])
def test_short_cuts_give_the_closing_of_opencv(drawn: Draw, paper: int, pen: int) -> None:
    for picture in (
        drawn(pen=pen, paper=paper),
        np.rint(drawn(pen=pen) * gradient((300, 400), 0.5, 1)).astype(np.uint8),
    ):
        for window in (3, 43, 85):
            wanted = cv2.morphologyEx(picture, cv2.MORPH_CLOSE, np.ones((window, window), np.uint8))
            assert np.array_equal(background._closing(picture, window), wanted)


def test_a_slope_is_taken_away_to_the_nearest_grey(rng: np.random.Generator) -> None:
    grey = rng.integers(0, 256, (60, 80), dtype=np.uint8)
    for slope in (np.zeros(grey.shape, np.float32), rng.normal(0, 90, grey.shape).astype(np.float32)):
        wanted = np.clip(np.rint(grey - slope), 0, 255)
        assert np.array_equal(background._levelled(grey, slope), wanted)


@pytest.mark.parametrize("letter", ["h", "i", "E", "T"])
def test_a_white_border_decides_as_the_strokes_would(drawn: Draw, letter: str) -> None:
    picture = drawn(letter, paper=255)
    stained = picture.copy()
    stained[0, 0] = 250  # the border is no longer of one brightness, so that the strokes are looked at
    assert is_light_on_dark(picture, light_slope(picture)) == is_light_on_dark(stained, light_slope(stained)) is False
