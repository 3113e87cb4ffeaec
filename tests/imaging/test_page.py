from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from glyphlab.errors import ImageError
from glyphlab.imaging.box import Box
from glyphlab.imaging.page import find_lines

Picture = NDArray[np.uint8]
LINES = ["HELMUT RAN", "OVER FENCES", "AT NOON"]


def page_of(lines: list[str], size: int = 40, spacing: int = 5, side: tuple[int, int] = (640, 420)) -> Picture:
    """Black capitals on white, `spacing` pixels between letters, so that each letter is one component."""
    canvas = Image.new("L", side, 255)
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(size)
    for row, line in enumerate(lines):
        x = 50.0
        for char in line:
            draw.text((x, 60 + row * 2.2 * size), char, 0, font)
            x += draw.textlength(char, font) + spacing
    return np.asarray(canvas)


def counts(picture: Picture) -> list[int]:
    return [len(line.atoms) for line in find_lines(picture).lines]


EXPECTED = [len(line.replace(" ", "")) for line in LINES]


def test_each_letter_is_one_atom_in_reading_order() -> None:
    layout = find_lines(page_of(LINES))
    assert [len(line.atoms) for line in layout.lines] == EXPECTED
    assert layout.skew_degrees == 0
    for line in layout.lines:
        lefts = [atom.box.left for atom in line.atoms]
        assert lefts == sorted(lefts)


def turned(picture: Picture, degrees: float) -> Picture:
    height, width = picture.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    return np.asarray(cv2.warpAffine(picture, matrix, (width, height), borderValue=255))


def in_bad_light(picture: Picture) -> Picture:
    shade = np.linspace(0.4, 1.0, picture.shape[1])[None, :] * np.linspace(1.0, 0.8, picture.shape[0])[:, None]
    grain = np.random.default_rng(0).normal(0, 3, picture.shape)
    return np.clip(picture * shade * 0.9 + grain, 0, 255).astype(np.uint8)


def ruled(picture: Picture, grey: int = 120) -> Picture:
    lined = picture.copy()
    lined[30::36] = np.minimum(lined[30::36], grey)
    lined[31::36] = np.minimum(lined[31::36], grey)
    lined[:, 20:22] = np.minimum(lined[:, 20:22], grey)
    return lined


def with_specks(picture: Picture) -> Picture:
    rng = np.random.default_rng(0)
    speckled = picture.copy()
    for y, x in rng.integers(1, [picture.shape[0] - 2, picture.shape[1] - 2], size=(150, 2)):
        speckled[y : y + 2, x : x + 2] = 0
    return speckled


@pytest.mark.parametrize(
    "change",
    [
        lambda picture: 255 - picture,
        lambda picture: np.repeat(picture[:, :, None], 3, axis=2),
        in_bad_light,
        ruled,
        with_specks,
        lambda picture: turned(picture, 4),
        lambda picture: turned(picture, -7),
        lambda picture: turned(in_bad_light(picture), 3),
        lambda picture: turned(ruled(picture), 2),
        lambda picture: np.kron(picture, np.ones((3, 3), dtype=np.uint8)),
        lambda picture: cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 30])[1], 0),
    ],
    ids=["inverted", "rgb", "light", "ruled", "specks", "+4", "-7", "light+3", "ruled+2", "x3", "jpeg"],
)
def test_the_same_letters_are_found_whatever_the_page_went_through(change: object) -> None:
    assert callable(change)
    assert counts(change(page_of(LINES))) == EXPECTED


@pytest.mark.parametrize("degrees", [-10.0, -3.0, 2.0, 8.0])
def test_boxes_lie_on_the_page_as_it_was_given(degrees: float) -> None:
    picture = turned(page_of(LINES), degrees)
    layout = find_lines(picture)
    assert layout.skew_degrees == pytest.approx(-degrees, abs=0.4)
    covered = np.zeros(picture.shape, dtype=bool)
    for line in layout.lines:
        for atom in line.atoms:
            box = layout.placement.original(atom.box)
            covered[box.top : box.bottom, box.left : box.right] = True
    ink = picture < 128
    assert (ink & covered).sum() > 0.99 * ink.sum()
    assert covered.sum() < 0.35 * picture.size


def test_a_large_page_is_shrunk_and_its_boxes_are_not() -> None:
    small = page_of(LINES)
    large = cv2.resize(small, None, fx=5, fy=5, interpolation=cv2.INTER_CUBIC)
    layout = find_lines(large)
    assert max(layout.ink.shape) <= 2400
    box = layout.placement.original(layout.lines[0].atoms[0].box)
    first = find_lines(small).lines[0].atoms[0].box
    for found, expected in zip(
        (box.left, box.top, box.right, box.bottom), (first.left, first.top, first.right, first.bottom), strict=True
    ):
        assert found == pytest.approx(5 * expected, abs=8)


def test_a_receipt_keeps_its_words() -> None:
    page = page_of(["HELMUT RAN"], side=(640, 200))
    layout = find_lines(np.concatenate([page] * 30))  # nearly ten times as long as wide
    assert [len(line.atoms) for line in layout.lines] == [9] * 30
    short = find_lines(page)
    assert np.allclose(
        [[atom.box.height for atom in line.atoms] for line in layout.lines],
        [atom.box.height for atom in short.lines[0].atoms],
        atol=2,
    )  # at the same size as on a page of its own
    long = find_lines(np.concatenate([page] * 120))
    assert len(long.lines) == 120 and long.ink.size <= 1.01 * 2 * 2400**2


def test_a_blank_page_has_no_lines() -> None:
    for shade in (0, 128, 255):
        assert find_lines(np.full((200, 300), shade, dtype=np.uint8)).lines == ()


def test_a_page_covered_with_specks_is_refused() -> None:
    tile = np.full((9, 9), 255, dtype=np.uint8)
    tile[3:6, 3:6] = 0
    picture = np.tile(tile, (150, 150))
    with pytest.raises(ImageError, match=r"22,500 separate marks on one page; expected writing, at most 20,000"):
        find_lines(picture)


def test_columns_are_read_one_after_the_other() -> None:
    left, right = page_of(["AB", "CD", "EF"], side=(300, 420)), page_of(["GHI", "KLM", "NOP"], side=(400, 420))
    gap = np.full((420, 100), 255, dtype=np.uint8)
    lines = find_lines(np.hstack([left, gap, right])).lines
    assert [len(line.atoms) for line in lines] == [2, 2, 2, 3, 3, 3]


def test_a_number_at_the_foot_of_the_page_is_no_column() -> None:
    picture = np.hstack([page_of(LINES), np.full((420, 300), 255, dtype=np.uint8)])
    picture[340:400, 800:860] = page_of(["7"])[60:120, 50:110]
    assert counts(picture) == [*EXPECTED, 1]


def test_letters_that_hang_together_across_lines_are_parted() -> None:
    picture = page_of(["HIHIH", "HIHIH"]).copy()
    stem = int(np.flatnonzero((picture[78:95] < 128).all(axis=0))[0])
    picture[75:190, stem : stem + 4] = 0  # a stem that runs on into the line below
    assert len(find_lines(picture).lines) == 2


def test_a_short_line_within_the_height_of_a_falling_one_is_parted_as_well() -> None:
    picture = np.full((800, 1100), 255, dtype=np.uint8)

    def write(text: str, x: float, y: float, scale: float, fall: float = 0.0) -> None:
        for place, char in enumerate(text):
            at = int(x + place * 23.3 * scale), int(y + place * fall)
            cv2.putText(picture, char, at, cv2.FONT_HERSHEY_SIMPLEX, scale, 0, 3, cv2.LINE_AA)

    write("THIS LINE FALLS A BIT MORE", 80, 150, 1.2, fall=1.4)
    write("NOTE", 700, 150, 0.9)
    cv2.line(picture, (900, 90), (900, 220), 0, 4)  # reaches over both
    for row in range(6):
        write("ALL THE OTHER LINES ARE LEVEL HERE", 80, 330 + 70 * row, 1.1)
    assert counts(picture)[-6:] == [28] * 6


def test_cutting_out_leaves_the_neighbours_out() -> None:
    picture = np.full((200, 300), 255, dtype=np.uint8)
    cv2.line(picture, (60, 150), (100, 50), 0, 6)  # two slanted strokes whose boxes overlap
    cv2.line(picture, (85, 150), (125, 50), 0, 6)
    layout = find_lines(picture)
    (line,) = layout.lines
    alone = [hypothesis for hypothesis in line.hypotheses if hypothesis.end - hypothesis.first == 1]
    assert len(alone) == 2
    for hypothesis in alone:
        ink = (layout.cut_out(line, hypothesis) > 0.5).astype(np.uint8)
        assert cv2.connectedComponents(ink)[0] == 2  # paper and one stroke


def test_touching_letters_are_cut_where_asked() -> None:
    picture = np.full((200, 400), 255, dtype=np.uint8)
    for x in (80, 126):  # two rings that just touch
        cv2.circle(picture, (x, 100), 22, 0, 5)
    layout = find_lines(picture)
    (line,) = layout.lines
    assert len(line.atoms) == 1
    cut = layout.cut(line, {0})
    assert len(cut.atoms) > 1
    ends = [h.box.right for h in cut.hypotheses if h.first == 0]
    assert min(abs(end - 103) for end in ends) <= 4, "one hypothesis ends where the rings touch"
    assert layout.cut(cut, set()) is cut


def test_an_original_box_never_leaves_the_page() -> None:
    layout = find_lines(turned(page_of(LINES), 5))
    height, width = layout.ink.shape
    box = layout.placement.original(Box(0, 0, width, height))
    assert (box.left, box.top, box.right, box.bottom) == (0, 0, 640, 420)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (2000, 1), (8, 20_000), (60_000, 3)])
@pytest.mark.parametrize("kind", ["blank", "bars", "grain"])
def test_thin_pictures_are_pages_with_little_on_them(shape: tuple[int, int], kind: str) -> None:
    page = np.full(shape, 255, dtype=np.uint8)
    if kind == "bars":
        page[:, ::7] = 0
    elif kind == "grain":
        page = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    layout = find_lines(page)
    assert layout.placement.size == shape[::-1] and (kind != "blank" or layout.lines == ())
