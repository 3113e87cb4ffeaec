from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from glyphlab.imaging.parts import choose_parts

Draw = Callable[..., NDArray[np.uint8]]


def ink_of(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    return (1 - picture.astype(np.float32) / 255).clip(0, 1)


def letter(drawn: Draw, name: str = "h", **options: object) -> NDArray[np.float32]:
    return ink_of(drawn(name, ink=0, paper=255, **options))


def test_a_letter_alone_stays_as_it_is(drawn: Draw) -> None:
    for name in "hiET":
        ink = letter(drawn, name)
        assert np.array_equal(choose_parts(ink), ink)


def test_the_dot_of_an_i_is_kept_and_its_soft_rim(drawn: Draw) -> None:
    ink = letter(drawn, "i")
    with_speck = ink.copy()
    with_speck[20:23, 20:23] = 1
    chosen = choose_parts(with_speck)
    assert chosen[20:23, 20:23].max() == 0
    assert np.array_equal(chosen, ink)


def test_a_slanting_dot_belongs_a_dot_beside_does_not() -> None:
    stem = np.zeros((300, 300), np.float32)
    cv2.line(stem, (140, 250), (160, 120), 1.0, 14)
    above, beside = stem.copy(), stem.copy()
    cv2.circle(above, (170, 70), 8, 1.0, -1)
    cv2.circle(beside, (230, 200), 8, 1.0, -1)
    assert np.array_equal(choose_parts(above), above)
    assert np.array_equal(choose_parts(beside), stem)


def test_a_broken_stroke_is_kept_together() -> None:
    broken = np.zeros((300, 300), np.float32)
    for top, bottom in ((50, 110), (118, 160), (170, 240)):
        broken[top:bottom, 140:152] = 1
    halves = np.zeros((300, 300), np.float32)
    halves[60:240, 90:104] = halves[60:240, 180:194] = 1  # an H whose bar was not seen
    assert np.array_equal(choose_parts(broken), broken)
    assert np.array_equal(choose_parts(halves), halves)


def test_noise_is_dropped(drawn: Draw, rng: np.random.Generator) -> None:
    ink = letter(drawn)
    noisy = ink.copy()
    for y, x in rng.integers(5, 290, (60, 2)):
        if ink[max(0, y - 25) : y + 25, max(0, x - 25) : x + 25].max() == 0:
            noisy[y : y + 2, x : x + 2] = 1
    assert (noisy != ink).any()
    assert np.array_equal(choose_parts(noisy), ink)


def test_a_shadow_along_the_border_and_a_cut_off_neighbour_are_dropped(drawn: Draw) -> None:
    ink = letter(drawn)
    spoilt = ink.copy()
    spoilt[:, :60] = 1  # the table beyond the paper: more ink than the letter has
    spoilt[100:140, -12:] = 1
    assert np.array_equal(choose_parts(spoilt), ink)


def test_a_letter_that_fills_its_picture_is_not_a_shadow(drawn: Draw) -> None:
    tight = letter(drawn, "E")[80:220, 155:245]
    tight = tight[np.ix_((tight >= 0.5).any(axis=1), (tight >= 0.5).any(axis=0))]
    assert np.array_equal(choose_parts(tight), tight)


def test_no_ink_no_parts() -> None:
    assert not choose_parts(np.zeros((50, 50), np.float32)).any()


def test_specks_alone_are_no_character() -> None:
    specks = np.zeros((400, 400), np.float32)
    specks[50:53, 50:53] = specks[200:204, 300:303] = 1
    assert not choose_parts(specks).any()


def test_a_mark_alone_is_judged_as_one_among_specks() -> None:
    for side in (3, 5, 6, 200):
        alone = np.zeros((400, 400), np.float32)
        alone[100 : 100 + side, 100 : 100 + side] = 1
        with_speck = alone.copy()
        with_speck[350, 350] = 1
        assert np.array_equal(choose_parts(alone), choose_parts(with_speck))
