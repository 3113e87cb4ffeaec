from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from glyphlab.data.glyphset import GlyphSet
from glyphlab.errors import RunError
from glyphlab.evaluation import pictures, sheet
from glyphlab.evaluation.result import Evaluation

RED = (192, 0, 0)
AWKWARD = ("α", "あ", "$", "$\\frac$", "\\$", "", "tab\t", "two\nlines", "caf\udce9", "😀", "x" * 40, ",")


def made(count: int, names: tuple[str, ...], wrong: int = 0, channels: int = 1) -> tuple[GlyphSet, Evaluation]:
    """A set of `count` flat images, of which the first `wrong` are misclassified as the next class."""
    targets = np.arange(count) % len(names)
    images = np.full((count, 6, 6) if channels == 1 else (count, 6, 6, 3), 100, dtype=np.uint8)
    glyphs = GlyphSet(images, targets.astype(np.int64), names, name="made", split="test", remark="not real")
    predictions = np.where(np.arange(count) < wrong, (targets + 1) % len(names), targets)
    logits = np.zeros((count, len(names)), dtype=np.float32)
    logits[np.arange(count), predictions] = 3
    return glyphs, Evaluation.from_logits(logits, glyphs)


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture.convert("RGB")).astype(int)


def share_of(colour: tuple[int, int, int], path: Path) -> float:
    return float(np.mean((pixels(path) == colour).all(axis=-1)))


def names_of(classes: int) -> tuple[str, ...]:
    return tuple(f"class {i}" for i in range(classes))


@pytest.mark.parametrize("normalised", [False, True])
@pytest.mark.parametrize("classes", [2, 10, 24])
def test_mistakes_are_red_and_right_answers_blue(tmp_path: Path, classes: int, normalised: bool) -> None:
    path = tmp_path / "confusion.png"
    reddish = []
    for wrong in (0, classes):
        _, evaluation = made(3 * classes, names_of(classes), wrong)
        pictures.draw_confusion(evaluation, path, normalised)
        matrix = pixels(path)[:, :-125] if classes > 20 else pixels(path)  # without the colour scales
        red, _, blue = np.moveaxis(matrix, -1, 0)
        assert np.mean(blue > red + 60) > 0.3 / classes  # the diagonal
        reddish.append(int(np.count_nonzero(red > blue + 60)))
    assert reddish[0] == 0 and reddish[1] > 200 * classes
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("classes", [24, 30, 31])
def test_cells_carry_their_numbers_and_scales_of_counts_whole_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, classes: int
) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(sheet.Sheet, "save", lambda self, path: drawn.append(self.figure))
    _, evaluation = made(3 * classes, names_of(classes), wrong=classes)  # of each class 2 right and a mistake
    pictures.draw_confusion(evaluation, tmp_path / "c.png", normalised=False)
    (figure,) = drawn
    matrix, *scales = figure.axes
    written = sorted(text.get_text() for text in matrix.texts)
    assert written == (["1"] * classes + ["2"] * classes if classes <= 30 else [])
    assert all(text.get_fontsize() >= 5 for text in matrix.texts)
    assert len(scales) == 2
    for scale in scales:
        ticks = scale.get_yticks()
        assert len(ticks) >= 2 and np.array_equal(ticks, np.rint(ticks))


@pytest.mark.parametrize("normalised", [False, True])
def test_a_confusion_matrix_copes_with_classes_that_do_not_occur(tmp_path: Path, normalised: bool) -> None:
    _, evaluation = made(3, names_of(30), wrong=3)
    pictures.draw_confusion(evaluation, tmp_path / "c.png", normalised)
    assert (tmp_path / "c.png").stat().st_size > 0


@pytest.mark.parametrize("repeat", [1, 2])
def test_awkward_class_names_are_drawn(tmp_path: Path, repeat: int) -> None:
    names = tuple(name + "'" * i for i in range(repeat) for name in AWKWARD)  # 12 classes, and 24
    glyphs, evaluation = made(len(names), names, wrong=len(names))
    pictures.draw_confusion(evaluation, tmp_path / "c.png", normalised=True)
    pictures.draw_examples(evaluation, glyphs, range(len(names)), tmp_path / "e.png")
    assert len(pictures.format_outputs(evaluation, [0]).splitlines()) > 2


def test_the_same_evaluation_gives_the_same_bytes(tmp_path: Path) -> None:
    glyphs, evaluation = made(20, names_of(4), wrong=3)
    for name in ("one", "two"):
        pictures.draw_confusion(evaluation, tmp_path / f"{name}-c.png", normalised=False)
        pictures.draw_examples(evaluation, glyphs, [0, 5], tmp_path / f"{name}-e.png")
    assert (tmp_path / "one-c.png").read_bytes() == (tmp_path / "two-c.png").read_bytes()
    assert (tmp_path / "one-e.png").read_bytes() == (tmp_path / "two-e.png").read_bytes()


def test_only_wrong_examples_are_marked_red(tmp_path: Path) -> None:
    glyphs, evaluation = made(12, names_of(3), wrong=2)
    pictures.draw_examples(evaluation, glyphs, range(2, 12), tmp_path / "right.png")
    pictures.draw_examples(evaluation, glyphs, [1, *range(3, 12)], tmp_path / "one.png")
    pictures.draw_examples(evaluation, glyphs, [0, 1, *range(4, 12)], tmp_path / "two.png")
    assert share_of(RED, tmp_path / "right.png") == 0
    one, two = share_of(RED, tmp_path / "one.png"), share_of(RED, tmp_path / "two.png")
    assert one > 0 and two == pytest.approx(2 * one, rel=0.2)


def test_examples_show_the_images_asked_for_in_their_own_colours(tmp_path: Path) -> None:
    glyphs, evaluation = made(8, names_of(2), channels=3)
    images = glyphs.images.copy()
    images[3], images[5] = (10, 200, 30), (250, 20, 220)
    coloured = replace(glyphs, images=images)
    pictures.draw_examples(evaluation, coloured, np.array([3, 0]), tmp_path / "e.png")
    assert share_of((10, 200, 30), tmp_path / "e.png") > 0.1
    assert share_of((250, 20, 220), tmp_path / "e.png") == 0


def test_grey_is_drawn_from_black_to_white_whatever_the_image_holds(tmp_path: Path) -> None:
    glyphs, evaluation = made(4, names_of(2))  # flat images of value 100
    pictures.draw_examples(evaluation, glyphs, [0, 1], tmp_path / "e.png")
    assert share_of((100, 100, 100), tmp_path / "e.png") > 0.2


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (6, 6), (7, 4), (10, 5), (16, 4), (24, 6), (100, 10)])
def test_grids_are_wider_than_tall_with_few_empty_places(count: int, columns: int) -> None:
    assert pictures._columns(count) == columns


def test_pictures_report_where_they_cannot_be_written(tmp_path: Path) -> None:
    glyphs, evaluation = made(4, names_of(2))
    (tmp_path / "run").write_text("")
    with pytest.raises(RunError, match=r"cannot write .*c\.png"):
        pictures.draw_confusion(evaluation, tmp_path / "run" / "c.png", normalised=False)
    with pytest.raises(RunError, match=r"cannot write .*e\.png"):
        pictures.draw_examples(evaluation, glyphs, [0], tmp_path / "run" / "e.png")


def test_outputs_of_few_classes_are_a_table() -> None:
    _, evaluation = made(12, ("a", "b", "c"), wrong=1)
    assert pictures.format_outputs(evaluation, [0, 11]).splitlines() == [
        "image     a     b     c   largest",
        "    0 -3.09 -0.09 -3.09   1 (b), label a  WRONG",
        "   11 -3.09 -3.09 -0.09   2 (c), label c",
    ]


def test_outputs_of_many_classes_are_a_block_an_image() -> None:
    _, evaluation = made(30, names_of(30))
    text = pictures.format_outputs(evaluation, [0, 29])
    heads = [line for line in text.splitlines() if line.startswith("image")]
    assert heads == [
        "image 0: largest 0 (class 0), label class 0",
        "image 29: largest 29 (class 29), label class 29",
    ]
    values = [float(value) for value in re.findall(r"class \d+:\s+(-?\d+\.\d\d)", text)]
    np.testing.assert_allclose(values, evaluation.log_probs[[0, 29]].ravel(), atol=0.005 + 1e-9)
    assert max(map(len, text.splitlines())) <= 100


def test_a_certain_output_is_zero_without_a_sign() -> None:
    glyphs, _ = made(1, ("a", "b"))
    certain = Evaluation.from_logits(np.array([[6, 0]], dtype=np.float32), glyphs)
    assert certain.log_probs[0, 0] < 0
    assert pictures.format_outputs(certain, [0]).splitlines()[1] == "    0  0.00 -6.00   0 (a), label a"
