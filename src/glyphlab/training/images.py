"""From a recipe's [data] section to images in memory: loading, the validation part, normalisation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glyphlab.data.catalogue import Split
from glyphlab.data.glyphset import GlyphSet, stratified_split
from glyphlab.data.sources import load_dataset
from glyphlab.errors import DataError
from glyphlab.training.progress import Reporter
from glyphlab.training.recipe import Recipe
from glyphlab.training.seeds import Purpose, derived_seed

_STATISTICS_CHUNK = 2_000


def load_images(
    recipe: Recipe, split: Split, data_dir: Path | None, on_skip: Callable[[str], None] | None = None
) -> GlyphSet:
    """The recipe's images of one split. Raises `DataError`.

    on_skip: told of each picture that is left out. None: test pictures are warned about; of training pictures the
    training has told already.
    """
    settings = recipe.data
    if on_skip is None and split == "train":
        on_skip = _told_already
    glyphs = load_dataset(
        settings.name,
        split,
        data_dir,
        size=settings.size,
        channels=settings.channels,
        invert=settings.invert,
        skip_bad=settings.skip_bad,
        on_skip=on_skip,
    )
    if not len(glyphs):
        raise DataError(f"{glyphs.name} has no {split} images; name data that have some")
    if len(glyphs.class_names) < 2:
        raise DataError(f"{glyphs.name} has one class only, '{glyphs.class_names[0]}'; add images of another class")
    return glyphs


def load_train_images(recipe: Recipe, data_dir: Path | None, reporter: Reporter) -> GlyphSet:
    """The recipe's training images; the reporter is told what was left out and what to know of them."""
    glyphs = load_images(recipe, "train", data_dir, on_skip=reporter.note)
    if glyphs.remark:
        reporter.note(f"{glyphs.name}: {glyphs.remark}")
    return glyphs


def framing_of(recipe: Recipe, origin: str, image_shape: tuple[int, int, int]) -> str | None:
    """How pictures must be framed to look like what a run was trained on; None: they are fitted in whole.

    origin: as of the `GlyphSet` that it was trained on.
    """
    if recipe.transfer is not None:
        return recipe.transfer.framing or None
    if image_shape[0] != 1:
        return None
    if origin.startswith("emnist"):
        return "emnist"
    return "mnist" if origin in ("mnist", "digits") else None


def _told_already(message: str) -> None: ...


@dataclass(frozen=True)
class Parts:
    """Indices (int64, ascending) of the images that are trained on and of those kept for validation."""

    train: NDArray[np.int64]
    validation: NDArray[np.int64]

    @classmethod
    def carve(cls, glyphs: GlyphSet, recipe: Recipe) -> Parts:
        """Stratified by class; the same for the same seed. Raises `DataError` for more folds than images."""
        settings = recipe.data
        seed = derived_seed(recipe.split_seed, Purpose.SPLIT)
        if settings.folds is None:
            return cls(*stratified_split(glyphs.targets, settings.validation, seed))
        if len(glyphs) < settings.folds:
            raise DataError(
                f"{glyphs.name} has {len(glyphs):,} training images, too few for {settings.folds} folds; "
                "use fewer folds or add images"
            )
        kept_back = stratified_folds(glyphs.targets, settings.folds, seed) == settings.fold
        return cls(np.flatnonzero(~kept_back), np.flatnonzero(kept_back))


def stratified_folds(targets: NDArray[np.int64], folds: int, seed: int) -> NDArray[np.int64]:
    """Divide images into `folds` parts of the same size and mix of classes, to within one image each.

    targets: int64 [N]. Returns the part of each image, int64 [N], 1 to `folds`. Same arguments, same parts.
    """
    rng = np.random.default_rng(seed)
    by_class = [rng.permutation(np.flatnonzero(targets == target)) for target in np.unique(targets)]
    parts = np.empty(len(targets), dtype=np.int64)
    # Dealt like cards, class after class without starting anew, so that rests do not all go to the first folds.
    parts[np.concatenate(by_class)] = np.arange(len(targets)) % folds + 1
    return parts


def data_facts(glyphs: GlyphSet, parts: Parts, data_dir: Path | None) -> dict[str, Any]:
    """What a run records of its data, as JSON values."""
    return {
        "name": glyphs.name,
        "sha256": glyphs.digest(),
        "remark": glyphs.remark,
        "origin": glyphs.origin,
        "data_dir": str(data_dir.resolve()) if data_dir else None,
        "image_shape": list(glyphs.image_shape),
        "class_names": list(glyphs.class_names),
        "train_images": len(parts.train),
        "validation_images": len(parts.validation),
    }


def normalisation(glyphs: GlyphSet, parts: Parts, recipe: Recipe) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation a channel, of pixels in 0..1: the recipe's, or the training part's own."""
    channels = glyphs.image_shape[0]
    if recipe.data.mean is not None and recipe.data.std is not None:
        return (recipe.data.mean,) * channels, (recipe.data.std,) * channels
    count, total, squares = 0, np.zeros(channels), np.zeros(channels)
    for start in range(0, len(parts.train), _STATISTICS_CHUNK):
        chunk = glyphs.images[parts.train[start : start + _STATISTICS_CHUNK]].reshape(-1, channels)
        count += len(chunk)
        for channel in range(channels):
            # 256 possible values: counting them is exact, and quicker than squaring millions of floats.
            histogram = np.bincount(chunk[:, channel], minlength=256)
            total[channel] += histogram @ np.arange(256)
            squares[channel] += histogram @ np.arange(256) ** 2
    mean = total / count / 255
    variance = squares / count / 255**2 - mean**2
    # Images of one single colour have no spread; dividing by 1 leaves them as they are.
    std = np.sqrt(np.where(variance > 1e-12, variance, 1.0))
    return tuple(round(float(m), 6) for m in mean), tuple(round(float(s), 6) for s in std)
