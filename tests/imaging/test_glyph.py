from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from glyphlab.data.sources import load_dataset
from glyphlab.errors import ImageError
from glyphlab.imaging.glyph import FRAMINGS, Framing, find_ink, prepare, prepare_ink, redraw
from glyphlab.imaging.picture import load_picture
from glyphlab.imaging.strokes import stroke_width

Draw = Callable[..., NDArray[np.uint8]]
Alike = Callable[[NDArray[np.uint8], NDArray[np.uint8]], float]
MNIST, EMNIST = FRAMINGS["mnist"], FRAMINGS["emnist"]
framings = pytest.mark.parametrize("framing", FRAMINGS.values(), ids=FRAMINGS.keys())


def box(glyph: NDArray[np.uint8], level: int = 128) -> tuple[int, int, int, int]:
    rows, columns = np.nonzero(glyph >= level)
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


def pen_of(glyph: NDArray[np.uint8]) -> float:
    large = cv2.resize(glyph.astype(np.float32) / 255, None, fx=6, fy=6, interpolation=cv2.INTER_CUBIC)
    return stroke_width(large.clip(0, 1)) / 6


@framings
@pytest.mark.parametrize("letter", ["h", "i", "E", "T"])
def test_a_glyph_is_light_on_black_and_fills_its_box(drawn: Draw, framing: Framing, letter: str) -> None:
    glyph = prepare(drawn(letter), framing)
    assert glyph.shape == (framing.size, framing.size) and glyph.dtype == np.uint8
    assert glyph.max() == 255 and np.median(glyph) == 0
    left, top, right, bottom = box(glyph)
    assert max(right - left, bottom - top) == pytest.approx(framing.box, abs=1)


def test_what_lies_in_the_middle(drawn: Draw) -> None:
    for letter in "hiET":
        left, top, right, bottom = box(prepare(drawn(letter), EMNIST), level=64)
        assert (left + right) / 2 == pytest.approx(14, abs=0.5) and (top + bottom) / 2 == pytest.approx(14, abs=0.5)
        if letter == "T":
            continue  # top-heavy: with its centre of mass in the middle it would not fit
        glyph = prepare(drawn(letter), MNIST).astype(float)
        rows, columns = np.mgrid[0:28, 0:28]
        assert (glyph * columns).sum() / glyph.sum() == pytest.approx(14, abs=0.6)
        assert (glyph * rows).sum() / glyph.sum() == pytest.approx(14, abs=0.6)


@framings
@pytest.mark.parametrize("pen", [3, 8, 16, 30])
def test_the_pen_is_brought_into_the_training_datas_range(drawn: Draw, framing: Framing, pen: int) -> None:
    width = pen_of(prepare(drawn("h", pen=pen), framing))
    assert framing.thinnest - 0.35 <= width <= framing.thickest + 0.35


@framings
def test_a_picture_and_its_inverse_give_the_same_glyph(drawn: Draw, framing: Framing) -> None:
    for letter in "hiET":
        picture = drawn(letter)
        assert np.array_equal(prepare(picture, framing), prepare(255 - picture, framing))


@framings
def test_place_and_size_do_not_matter(drawn: Draw, alike: Alike, framing: Framing) -> None:
    glyph = prepare(drawn("h"), framing)
    elsewhere = prepare(drawn("h", corner=(13, 101)), framing)
    twice = prepare(drawn("h", shape=(600, 800), corner=(240, 140), side=320, pen=32), framing)
    small = prepare(drawn("h", shape=(75, 100), corner=(30, 17.5), side=40, pen=4), framing)
    tiny = prepare(drawn("h", shape=(900, 1200), corner=(600, 500), side=80, pen=8), framing)
    assert alike(glyph, elsewhere) > 0.98
    assert alike(glyph, twice) > 0.98
    assert alike(glyph, small) > 0.95
    assert alike(glyph, tiny) > 0.95


@framings
def test_a_tight_crop_gives_the_same_glyph(drawn: Draw, alike: Alike, framing: Framing) -> None:
    for letter in "hT":
        picture = drawn(letter)
        rows, columns = np.nonzero(picture < 128)
        tight = picture[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        assert alike(prepare(np.ascontiguousarray(tight), framing), prepare(picture, framing)) > 0.95


@framings
def test_light_and_contrast_do_not_matter(drawn: Draw, alike: Alike, framing: Framing) -> None:
    glyph = prepare(drawn("h", ink=0, paper=255), framing)
    assert alike(glyph, prepare(drawn("h", ink=120, paper=200), framing)) > 0.98
    rows, columns = np.mgrid[0:300, 0:400]
    light = 1 - 0.6 * columns / 400 - 0.1 * rows / 300
    lit = np.rint(drawn("h", ink=30, paper=255) * light).astype(np.uint8)
    assert alike(glyph, prepare(lit, framing)) > 0.97


def test_grain_specks_and_ruled_lines_do_not_matter(drawn: Draw, alike: Alike, rng: np.random.Generator) -> None:
    picture = drawn("h")
    glyph = prepare(picture, EMNIST)
    grainy = np.clip(picture + rng.normal(0, 8, picture.shape), 0, 255).astype(np.uint8)
    grainy[30:33, 40:43] = 0
    assert alike(glyph, prepare(grainy, EMNIST)) > 0.97
    ruled = picture.copy()
    for y in range(20, 300, 70):
        cv2.line(ruled, (0, y), (399, y + 6), 100, 3)
    assert alike(glyph, prepare(ruled, EMNIST)) > 0.95


def test_the_dot_of_an_i_survives(drawn: Draw) -> None:
    for framing in FRAMINGS.values():
        for pen in (8, 16):
            glyph = prepare(drawn("i", pen=pen), framing)
            rows = (glyph >= 100).any(axis=1)
            runs = np.flatnonzero(np.diff(np.concatenate([[0], rows.astype(int), [0]])) == 1)
            assert len(runs) == 2, glyph


def test_colour_gives_the_glyph_of_its_shape(drawn: Draw, alike: Alike) -> None:
    cover = drawn("E", ink=0, paper=255)[..., None] / 255
    colour = np.rint(np.array([200, 40, 40]) * (1 - cover) + np.array([30, 120, 30]) * cover).astype(np.uint8)
    assert alike(prepare(colour, EMNIST), prepare(drawn("E"), EMNIST)) > 0.97


@pytest.mark.parametrize("level", [0, 128, 255])
def test_blank_pictures_are_refused(level: int) -> None:
    with pytest.raises(ImageError, match="nothing is written on it"):
        prepare(np.full((100, 120), level, np.uint8), EMNIST)
    assert not find_ink(np.full((100, 120), level, np.uint8)).any()


def test_grain_alone_is_blank(rng: np.random.Generator) -> None:
    with pytest.raises(ImageError, match="nothing is written on it"):
        prepare(np.clip(rng.normal(190, 6, (300, 300)), 0, 255).astype(np.uint8), EMNIST)


@pytest.mark.parametrize("shape", [(1, 1), (7, 200), (200, 3), (1, 1, 3)])
def test_pictures_too_small_to_see_anything_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ImageError, match=r"\d+ x \d+ pixels; expected at least 8 x 8"):
        prepare(np.zeros(shape, np.uint8), EMNIST)


def test_no_ink_is_refused() -> None:
    with pytest.raises(ImageError, match="no ink"):
        prepare_ink(np.zeros((30, 30), np.float32), EMNIST)


@framings
@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (3, 3), (500, 2)])
def test_any_ink_at_all_gives_a_glyph(framing: Framing, shape: tuple[int, int]) -> None:
    glyph = prepare_ink(np.ones(shape, np.float32), framing)
    assert glyph.shape == (28, 28) and glyph.max() == 255


@framings
@pytest.mark.parametrize("pen", [1, 2])
def test_hairlines_on_a_large_picture_are_not_lost(framing: Framing, pen: int, alike: Alike) -> None:
    def circle(thickness: int) -> NDArray[np.uint8]:
        picture = np.full((400, 400), 255, np.uint8)
        cv2.circle(picture, (200, 200), 190, 0, thickness)
        return prepare(picture, framing)

    assert alike(circle(pen), circle(20)) > 0.9


def test_ink_too_fine_and_faint_for_a_glyph_is_refused() -> None:
    ink = np.zeros((3000, 3000), np.float32)
    ink[::2999] = ink[:, ::2999] = 0.5
    for framing in FRAMINGS.values():
        with pytest.raises(ImageError, match="too fine"):
            prepare_ink(ink, framing)


def test_a_dot_stays_a_dot() -> None:
    dot = np.zeros((60, 60), np.float32)
    cv2.circle(dot, (30, 30), 12, 1.0, -1)
    left, top, right, bottom = box(prepare_ink(dot, EMNIST))
    assert right - left == bottom - top and 20 <= right - left <= 22


def test_ink_keeps_the_pictures_size_and_range(drawn: Draw) -> None:
    for picture in (drawn("h"), np.repeat(drawn("h")[..., None], 3, axis=2), drawn("h")[60:250:5, 110:300:5]):
        ink = find_ink(picture)
        assert ink.shape == picture.shape[:2] and ink.dtype == np.float32
        assert ink.min() == 0 and ink.max() == 1


def test_prepared_mnist_digits_come_back_nearly_unchanged(real_data: Path, alike: Alike) -> None:
    digits = load_dataset("mnist", "train", real_data).images[:200]
    likeness = np.array([alike(digit, prepare(digit, MNIST)) for digit in digits])
    assert np.median(likeness) > 0.95 and np.quantile(likeness, 0.05) > 0.75


def test_prepared_emnist_characters_come_back_nearly_unchanged(real_data: Path, alike: Alike) -> None:
    characters = load_dataset("emnist-balanced", "train", real_data).images[:200]
    likeness = np.array([alike(one, prepare(one, EMNIST)) for one in characters])
    assert np.median(likeness) > 0.95 and np.quantile(likeness, 0.05) > 0.6


def test_glyphs_of_drawings_resemble_emnist_in_size_and_weight(real_data: Path) -> None:
    """The numbers in `FRAMINGS`, measured again."""
    folder = real_data / "drawn-characters"
    if not folder.is_dir():
        pytest.skip("drawn-characters is not at hand")
    paths = sorted(folder.glob("*/writer0[13].png"))[::4]
    glyphs = [prepare(load_picture(path, enough=600), EMNIST) for path in paths]
    characters = load_dataset("emnist-balanced", "train", real_data).images[:400]
    assert np.mean([pen_of(one) for one in glyphs]) == pytest.approx(
        np.mean([pen_of(one) for one in characters]), rel=0.25
    )
    assert np.mean(glyphs) == pytest.approx(np.mean(characters), rel=0.25)


@pytest.mark.parametrize("pen", [2.2, 2.8, 3.5])
@pytest.mark.parametrize("scanned_with", [8, 20, 34])
def test_a_glyph_is_redrawn_with_the_pen_that_is_named(
    drawn: Draw, alike: Alike, pen: float, scanned_with: int
) -> None:
    coarse = replace(EMNIST, thinnest=1.0, thickest=9.0, box=21.0)  # as scanned: the pen it was written with
    glyph = prepare(drawn("h", pen=scanned_with), coarse)
    wanted = replace(EMNIST, thinnest=pen, thickest=pen)
    anew = redraw(glyph, wanted)
    directly = prepare(drawn("h", pen=scanned_with), wanted)
    assert pen_of(anew) == pytest.approx(pen_of(directly), abs=0.25)
    left, top, right, bottom = box(anew)
    assert max(right - left, bottom - top) == pytest.approx(EMNIST.box, abs=1)
    # Whichever pen wrote it, the same comes out as if that pen had drawn it.
    assert alike(anew, directly) > 0.9


def test_nothing_cannot_be_redrawn() -> None:
    with pytest.raises(ImageError, match="no ink"):
        redraw(np.zeros((28, 28), np.uint8), EMNIST)
