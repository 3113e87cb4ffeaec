from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from glyphlab.data.catalogue import SOURCES
from glyphlab.data.emnist import read_mapping, refuse_cut_off_letters, turn_upright
from glyphlab.errors import DataError


def test_turning_transposes_each_image_in_place(rng: np.random.Generator) -> None:
    images = rng.integers(0, 256, (5000, 6, 6), dtype=np.uint8)  # more than one piece
    stored = images.copy()
    turn_upright(images)
    assert all(np.array_equal(image, before.T) for image, before in zip(images, stored, strict=True))
    turn_upright(images)
    assert np.array_equal(images, stored)


def test_mapping_names_classes_by_their_first_code(tmp_path: Path) -> None:
    path = tmp_path / "letters-mapping.txt"
    path.write_text("".join(f"{n} {64 + n} {96 + n}\n" for n in range(1, 27)) + "\n")
    assert read_mapping(path, 26, first_label=1) == SOURCES["emnist-letters"].class_names


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 48\n1 fortynine\n", r"mapping\.txt, line 2: found '1 fortynine', expected a label and a character code"),
        ("0 48\n", r"names 1 classes, expected the 2 labels 0 to 1"),
        ("0 48\n2 49\n", r"names 2 classes, expected the 2 labels 0 to 1; delete the file"),
        ("0 48\n1 99999999\n", "line 2"),
        ("0 é\n", r"cannot read .*mapping\.txt"),
    ],
)
def test_damaged_mapping(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mapping.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_mapping(path, 2, first_label=0)


def test_cut_off_letters_are_refused_by_missing_classes() -> None:
    targets = np.sort(np.arange(148) % 19)  # S is the last letter
    with pytest.raises(
        DataError, match=r"cut-off copy of EMNIST letters \(148 images, no image of T, U, V, W, X, Y, Z"
    ):
        refuse_cut_off_letters(SOURCES["emnist-letters"], "test", targets, Path("images"))


def test_cut_off_letters_are_refused_by_count_and_order() -> None:
    targets = np.sort(np.arange(88_800) % 26)
    letters = SOURCES["emnist-letters"]
    with pytest.raises(DataError, match=r"cut-off copy.*88,800 images, images sorted by class; official 124,800"):
        refuse_cut_off_letters(letters, "train", targets, Path("images"))
    refuse_cut_off_letters(letters, "train", np.random.default_rng(0).permutation(targets), Path("images"))
    refuse_cut_off_letters(letters, "train", targets[::2], Path("images"))


def test_other_sets_may_lack_classes() -> None:
    refuse_cut_off_letters(SOURCES["emnist-balanced"], "train", np.zeros(14_800, dtype=np.int64), Path("images"))
