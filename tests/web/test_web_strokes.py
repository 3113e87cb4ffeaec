"""Strokes -> pixels: the same on any screen."""

from __future__ import annotations

import numpy as np
import pytest

from glyphlab.web.strokes import Stroke, render, stand_side_by_side

SEVEN = [[40, 40], [200, 42], [110, 260]]


def seven(scale: float = 1.0, dx: float = 0.0, dy: float = 0.0) -> list[Stroke]:
    return [Stroke.of([[x * scale + dx, y * scale + dy] for x, y in SEVEN], 18 * scale)]


@pytest.mark.parametrize(("scale", "dx", "dy"), [(2.5, 0, 0), (0.25, 0, 0), (1.0, 700, -90)])
def test_the_picture_does_not_depend_on_the_canvas(scale: float, dx: float, dy: float) -> None:
    reference, other = render(seven()), render(seven(scale, dx, dy))
    assert reference is not None
    assert other is not None
    assert reference.image.shape == other.image.shape
    # Coordinates are rounded to sixteenths of a pixel: edges may differ by a shade.
    assert np.abs(reference.image.astype(int) - other.image).mean() < 0.1


def test_ink_is_black_on_white_antialiased_and_whole() -> None:
    drawing = render(seven())
    assert drawing is not None
    image = drawing.image
    assert (image.min(), image.max()) == (0, 255)
    assert ((image > 0) & (image < 255)).any()
    border = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    assert (border == 255).all()
    assert 440 <= max(image.shape) <= 600


def test_a_box_of_the_picture_is_found_on_the_canvas_again() -> None:
    drawing = render(seven())
    assert drawing is not None
    rows, columns = np.nonzero(drawing.image < 128)
    found = drawing.on_canvas(columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1)
    assert found == pytest.approx((31, 31, 178, 238), abs=1.5)


def test_a_single_point_is_a_dot() -> None:
    drawing = render([Stroke.of([[50, 50]], 20)])
    assert drawing is not None
    ink = drawing.image < 128
    side = np.sqrt(ink.sum() * 4 / np.pi) / drawing.scale
    assert side == pytest.approx(20, rel=0.05)


def test_pressure_widens_the_pen_and_none_counts_as_a_mouse() -> None:
    line = [[0, 0], [0, 100]]
    light, usual, hard = (
        Stroke.of([[*point, pressure] for point in line], 10).widths[0] for pressure in (0.1, 0.5, 1.0)
    )
    assert (light, usual, hard) == (6, 10, 15)
    assert Stroke.of(line, 10).widths[0] == Stroke.of([[*point, 0.0] for point in line], 10).widths[0] == 10


def test_an_eraser_takes_ink_away() -> None:
    whole = render(seven())
    erased = render([*seven(), Stroke.of([[0, 40], [300, 40]], 40, erases=True)])
    assert whole is not None
    assert erased is not None
    assert (erased.image < 128).sum() < 0.8 * (whole.image < 128).sum()
    assert render([Stroke.of([[5, 5]], 4), Stroke.of([[5, 5]], 40, erases=True)]) is None


def test_nothing_drawn_is_no_picture() -> None:
    assert render([]) is None
    assert render([Stroke.of([], 10), Stroke.of([[1, 1]], 10, erases=True)]) is None
    assert not stand_side_by_side([])


@pytest.mark.parametrize(
    ("points", "size"),
    [([[1e12, -1e12]], 2000), ([[0, 0], [1e9, 0]], 0.5), ([[0, 0], [0, 1e9]], 2000), ([[0, 0]] * 5, 0.5)],
)
def test_extreme_drawings_stay_small(points: list[list[float]], size: float) -> None:
    for as_line in (False, True):
        drawing = render([Stroke.of(points, size)], as_line=as_line)
        assert drawing is None or drawing.image.size <= 2_600 * 600


def test_an_eraser_wider_than_opencv_draws_takes_all_away() -> None:
    eraser = Stroke.of([[150, 150, 1], [160, 160, 1]], 2000, erases=True)
    drawing = render([Stroke.of([[100, 100], [101, 100]], 0.5), eraser])
    assert drawing is None or (drawing.image == 255).all()


def test_free_columns_tell_a_line_from_a_character() -> None:
    one, seven_alone = Stroke.of([[300, 40], [300, 260]], 18), seven()
    assert stand_side_by_side([*seven_alone, one])
    assert not stand_side_by_side(seven_alone)
    crossed = [Stroke.of([[50, 20], [50, 120]], 8), Stroke.of([[20, 60], [80, 60]], 8)]  # a plus
    dotted = [Stroke.of([[50, 40], [50, 120]], 8), Stroke.of([[52, 15]], 8)]  # an i
    assert not stand_side_by_side(crossed)
    assert not stand_side_by_side(dotted)
