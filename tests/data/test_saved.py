"""Folders of saved glyph sets, read through the one door."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from glyphlab.data.glyphset import GlyphSet
from glyphlab.data.sources import load_dataset
from glyphlab.errors import DataError


@pytest.fixture
def folder(glyphs: GlyphSet, tmp_path: Path) -> Path:
    ids = tuple(f"photo {index}.png" for index in range(len(glyphs)))
    replace(glyphs, ids=ids, remark="corrected: 2 relabelled").save(tmp_path / "bars" / "train.npz")
    glyphs.subset([3, 1], split="test").save(tmp_path / "bars" / "test.npz")
    return tmp_path / "bars"


def test_a_name_that_is_a_path_is_refused(glyphs: GlyphSet, tmp_path: Path) -> None:
    replace(glyphs, name="../elsewhere").save(tmp_path / "train.npz")
    with pytest.raises(DataError, match=r"its name is '\.\./elsewhere', expected one without a path"):
        load_dataset(tmp_path)


def test_both_parts_come_back_with_ids_and_remark(folder: Path, glyphs: GlyphSet) -> None:
    train, test = load_dataset(folder), load_dataset(str(folder), "test")
    assert train.digest() == glyphs.digest()
    assert train.id_of(7) == "photo 7.png" and train.remark == "corrected: 2 relabelled" and train.name == "bars"
    np.testing.assert_array_equal(test.targets, glyphs.targets[[3, 1]])
    assert test.split == "test"


def test_a_missing_part_is_named(folder: Path) -> None:
    (folder / "test.npz").unlink()
    assert len(load_dataset(folder)) == 60
    with pytest.raises(DataError, match=r"has no test part: test\.npz is missing"):
        load_dataset(folder, "test")


def test_a_part_under_the_wrong_name_is_refused(folder: Path) -> None:
    (folder / "test.npz").replace(folder / "train.npz")
    with pytest.raises(DataError, match="holds the test part, expected train"):
        load_dataset(folder)


def test_a_damaged_file_is_one_line(folder: Path) -> None:
    whole = (folder / "train.npz").read_bytes()
    (folder / "train.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"train\.npz is not a saved glyph set"):
        load_dataset(folder)


def test_settings_for_pictures_would_be_ignored(folder: Path) -> None:
    with pytest.raises(DataError, match="size would have no effect"):
        load_dataset(folder, size=32)
