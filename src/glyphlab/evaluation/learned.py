"""Images that a network has learned from say nothing of others: they are left out, or it is told how many they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glyphlab.data.equal import known_among
from glyphlab.data.glyphset import GlyphSet
from glyphlab.data.sources import names
from glyphlab.errors import DataError
from glyphlab.training.images import load_images
from glyphlab.training.run import Run


def with_learned_told(run: Run, test: GlyphSet, train: GlyphSet) -> GlyphSet:
    """A run's own test images, the remark telling how many of them are, pixel for pixel, among the training images.

    Published sets are as they were published, and nothing is told of them.
    """
    if run.recipe.data.name in names():
        return test
    learned = int(known_among(test.images, train.images).sum())
    if not learned:
        return test
    return _with_remark(test, f"{learned:,} of these {len(test):,} images are also among those that it learned from")


def told_as_learned(glyphs: GlyphSet) -> GlyphSet:
    """A run's own training images, with a remark that this is what they are."""
    return _with_remark(glyphs, "training images, which the network has seen; figures on them say little about others")


def without_learned(run: Run, glyphs: GlyphSet, data_dir: Path | None) -> GlyphSet:
    """Other images without those that are among the run's training images, where these are at hand.

    Such are the pictures that a network was taught by, whatever their folder is called now. Raises `DataError` where
    nothing else is left.
    """
    try:
        learned = known_among(glyphs.images, load_images(run.recipe, "train", data_dir).images)
    except DataError:
        return glyphs
    if len(glyphs) and learned.all():
        raise DataError(
            f"{glyphs.name}: all of the {len(glyphs):,} images are among those that {run.folder} learned from; name "
            "others, or look at these with --split train"
        )
    return _without(glyphs, learned)


def some_of(glyphs: GlyphSet, places: NDArray[np.int64], told: str) -> GlyphSet:
    """The images at `places`, with what is `told` about the choice added to the remark."""
    return _with_remark(glyphs.subset(places), told)


def _without(glyphs: GlyphSet, learned: NDArray[np.bool_]) -> GlyphSet:
    if not learned.any():
        return glyphs
    told = f"{int(learned.sum()):,} of {len(glyphs):,} left out, from which the network learned"
    return some_of(glyphs, np.flatnonzero(~learned), told)


def _with_remark(glyphs: GlyphSet, told: str) -> GlyphSet:
    return replace(glyphs, remark="; ".join(filter(None, (glyphs.remark, told))))
