from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("matplotlib")

from glyphlab.data.glyphset import GlyphSet
from glyphlab.data.pictures import class_chart, class_labels, contact_sheet, save_figure, save_sheet


def flat(
    shades: list[int], targets: list[int], names: tuple[str, ...], side: int = 14, split: str = "train"
) -> GlyphSet:
    images = np.repeat(np.array(shades, dtype=np.uint8), side * side).reshape(-1, side, side)
    return GlyphSet(images, np.array(targets), names, name="toy $x$", split=split)


def shades_of_row(sheet: np.ndarray, top: int, step: int, columns: int) -> list[int]:
    """The grey in the middle of each cell of a row, from the right."""
    middle = top + step // 2
    return [int(sheet[middle, sheet.shape[1] - step * n + step // 2 - 1, 0]) for n in range(columns, 0, -1)]


def test_a_row_a_class_with_images_spread_over_it() -> None:
    glyphs = flat([10, 200, 20, 30, 40, 50], [0, 1, 0, 0, 0, 0], ("a", "b"))
    sheet = contact_sheet(glyphs, per_class=3)
    assert sheet.dtype == np.uint8 and sheet.ndim == 3
    step = 14 * 4 + 2
    assert sheet.shape[0] == 2 * step + 2
    assert shades_of_row(sheet, 2, step, 3) == [10, 30, 50]
    assert shades_of_row(sheet, 2 + step, step, 3) == [200, 236, 236]  # empty cells


@pytest.mark.parametrize("side", [8, 28, 50, 112, 300])
def test_any_size_and_colour(side: int) -> None:
    images = np.zeros((4, side, side // 2, 3), dtype=np.uint8) + np.array([200, 0, 0], dtype=np.uint8)
    sheet = contact_sheet(GlyphSet(images, np.array([0, 1, 0, 1]), ("a", "b")), per_class=2)
    assert (sheet == (200, 0, 0)).all(axis=2).sum() > 0
    assert 40 < sheet.shape[0] / 2 < 120


def test_class_names_are_drawn() -> None:
    sheet, other = (contact_sheet(flat([9, 9], [0, 1], (name, "b"))) for name in ("α", "a"))
    left = sheet.shape[1] - 58
    assert (sheet[:58, :left] < 100).any() and not np.array_equal(sheet[:58, :left], other[:58, :left])


def test_labels_fit_and_can_be_drawn() -> None:
    assert class_labels(["a", "αβ", "あ", "tab\t", "x" * 40]) == ["a", "αβ", "#2", "#3", "x" * 23 + "…"]


def test_chart_shows_the_counts_of_each_split() -> None:
    names = ("a", "b_$1$", "あ")
    sets = [flat([1] * 5, [0, 0, 0, 1, 2], names), flat([1] * 3, [0, 1, 1], names, split="test")]
    figure = class_chart(sets)
    heights = [[bar.get_height() for bar in axes.patches] for axes in figure.axes]
    assert heights == [[3, 1, 1], [1, 2, 0]]
    assert [text.get_text() for text in figure.axes[-1].get_xticklabels()] == ["a", "b_$1$", "#2"]
    assert "train: 5 images" in figure.axes[0].get_title(loc="left")


def test_many_classes_leave_out_some_labels() -> None:
    names = tuple(f"class {n}" for n in range(300))
    figure = class_chart([flat([1] * 300, list(range(300)), names)])
    assert len(figure.axes[0].get_xticklabels()) == 75 and figure.get_figwidth() < 20


def test_pictures_are_written_as_png(tmp_path: Path) -> None:
    glyphs = flat([1, 2], [0, 1], ("a", "b_$1$"))
    save_sheet(contact_sheet(glyphs), tmp_path / "new/sheet.png")
    save_figure(class_chart([glyphs]), tmp_path / "new/chart.png")
    for name in ("sheet", "chart"):
        with Image.open(tmp_path / f"new/{name}.png") as picture:
            assert picture.format == "PNG" and picture.width > 50
    assert len(list((tmp_path / "new").iterdir())) == 2
