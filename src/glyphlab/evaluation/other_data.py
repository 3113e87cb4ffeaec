"""Data that a run is judged on beside its own."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from glyphlab.data.catalogue import Split
from glyphlab.data.folders import Listing, Part, list_folder, read_pictures
from glyphlab.data.glyphset import GlyphSet
from glyphlab.data.locate import user_path
from glyphlab.data.pixel_csv import is_pixel_csv, read_pixel_csv
from glyphlab.data.saved import is_saved_folder
from glyphlab.data.sources import load_dataset, names
from glyphlab.errors import DataError, GlyphlabWarning
from glyphlab.recognition.modelfile import ModelInfo
from glyphlab.recognition.preparation import preparation_of
from glyphlab.training.run import Run


def other_data(run: Run, data: str | Path | None) -> str | Path | None:
    """The data, unless they are the run's own by another way of naming them; then, and for None, None."""
    own = run.recipe.data.name
    if data is None or str(data) == own:
        return None
    if str(data) in names() or own in names():
        return data
    return None if user_path(data).resolve() == Path(own).resolve() else data


def load_other(
    data: str | Path,
    split: Split,
    data_dir: Path | None,
    info: ModelInfo,
    *,
    whole: bool = True,
    on_progress: Callable[[int, int], None] | None = None,
) -> GlyphSet:
    """Images to judge a network on that never learned from these data.

    data: as for `load_dataset`. Pictures in folders are prepared as reading prepares them; those that cannot be are
    left out, each with a `GlyphlabWarning`.
    info: how pictures become what the network takes.
    whole: of data without a test part take all images, not the 15 % that `load_dataset` holds out.
    on_progress: told of (pictures done, pictures in all).
    Raises `DataError` as `load_dataset` does, and where no picture is left.
    """
    path = user_path(data)
    if str(data) not in names():
        if is_pixel_csv(path):
            return read_pixel_csv(path, split, whole=whole)
        if path.is_dir() and not is_saved_folder(path):
            listing = list_folder(path)
            part = listing.train if whole and listing.test is None else listing.part(split)
            return _prepared(listing, part, split, info, on_progress)
    return load_dataset(data, split, data_dir)


def _prepared(
    listing: Listing, part: Part, split: Split, info: ModelInfo, on_progress: Callable[[int, int], None] | None
) -> GlyphSet:
    """Pictures of a folder as glyphs."""
    left_out: list[str] = []
    channels, height, width = info.image_shape
    shape = (height, width) if channels == 1 else (height, width, channels)
    glyphs = read_pictures(listing, part, split, shape, preparation_of(info), left_out.append, on_progress)
    for message in left_out:
        warnings.warn(f"left out {message}", GlyphlabWarning, stacklevel=2)
    if not len(glyphs):
        raise DataError(f"{glyphs.name}: none of the {len(part.paths):,} pictures can be used: {left_out[0]}")
    remark = "pictures prepared as for reading"
    if left_out:
        remark += f"; {len(left_out):,} of {len(part.paths):,} left out, which could not be"
    return replace(glyphs, remark=remark)
