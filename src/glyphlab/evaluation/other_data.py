"""Data that a run is judged on beside its own."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glyphlab.data.catalogue import Split
from glyphlab.data.equal import known_among
from glyphlab.data.folders import Listing, Part, list_folder, read_pictures
from glyphlab.data.glyphset import GlyphSet
from glyphlab.data.locate import user_path
from glyphlab.data.pixel_csv import is_pixel_csv, read_pixel_csv
from glyphlab.data.saved import is_saved_folder
from glyphlab.data.sources import load_dataset, names
from glyphlab.errors import DataError, GlyphlabWarning
from glyphlab.recognition.modelfile import ModelInfo
from glyphlab.recognition.preparation import preparation_of
from glyphlab.training.images import load_images
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


def without_learned(run: Run, glyphs: GlyphSet, data_dir: Path | None) -> GlyphSet:
    """The images without those that are, pixel for pixel, among the run's training images, where these are at hand.

    Such are the pictures that a network was taught by, whatever their folder is called now. Raises `DataError` where
    nothing else is left.
    """
    try:
        learned = known_among(glyphs.images, load_images(run.recipe, "train", data_dir).images)
    except DataError:
        return glyphs
    count = int(learned.sum())
    if not count:
        return glyphs
    if count == len(glyphs):
        raise DataError(
            f"{glyphs.name}: all of the {count:,} images are among those that {run.folder} learned from; name others, "
            "or look at these with --split train"
        )
    told = f"{count:,} of {len(glyphs):,} left out, from which the network learned"
    return some_of(glyphs, np.flatnonzero(~learned), told)


def some_of(glyphs: GlyphSet, places: NDArray[np.int64], told: str) -> GlyphSet:
    """The images at `places`, with what is `told` about the others added to the remark."""
    return replace(glyphs.subset(places), remark="; ".join(filter(None, (glyphs.remark, told))))


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
