"""Folders of saved glyph sets: train.npz, test.npz or both, as `GlyphSet.save` writes them.

This is the form in which Glyphlab writes data sets of its own making, such as corrected ones: it keeps ids, class
names and the remark, and a hundred thousand images load in a second.
"""

from __future__ import annotations

from pathlib import Path

from glyphlab.data.catalogue import Split
from glyphlab.data.glyphset import GlyphSet
from glyphlab.errors import DataError


def is_saved_folder(path: Path) -> bool:
    """Whether `path` is a folder with train.npz or test.npz in it."""
    return saved_path(path, "train").is_file() or saved_path(path, "test").is_file()


def saved_path(folder: Path, split: Split) -> Path:
    """The file of a split."""
    return folder / f"{split}.npz"


def saved_origin(folder: Path) -> str:
    """The public set whose images a folder of saved sets holds, "" for none. Raises `DataError` for a damaged file."""
    train = saved_path(folder, "train")
    return GlyphSet.stored_origin(train if train.is_file() else saved_path(folder, "test"))


def read_saved_folder(folder: Path, split: Split) -> GlyphSet:
    """Read one split. Raises `DataError` where the file is missing, damaged or of another split."""
    path = saved_path(folder, split)
    if not path.is_file():
        raise DataError(f"{folder} has no {split} part: {path.name} is missing; save one there, or name other data")
    glyphs = GlyphSet.load(path)
    if glyphs.split != split:
        raise DataError(
            f"{path} holds the {glyphs.split} part, expected {split}; it was renamed or put here by mistake"
        )
    return glyphs
