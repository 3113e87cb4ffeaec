"""A test part for data that come without one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from glyphlab.data.catalogue import Split
from glyphlab.data.glyphset import stratified_split
from glyphlab.errors import DataError

# Fixed, so that every run and every evaluation of the same data hold out the same images.
HELD_OUT_SHARE = 0.15
HELD_OUT_SEED = 1998


def held_out(targets: NDArray[np.int64], class_names: Sequence[str], name: str, split: Split) -> NDArray[np.int64]:
    """Indices (int64, ascending) of the images that belong to `split`: 15 % of each class are the test part.

    It depends on the order of the images alone: the same listing, the same parts.
    Raises `DataError` when a class is too small to be divided.
    """
    counts = np.bincount(targets, minlength=len(class_names))
    for class_name, count in zip(class_names, counts.tolist(), strict=True):
        if count < 2:
            raise DataError(
                f"{name}: class '{class_name}' has {count} image{'s' * (count != 1)}, expected at least 2, "
                "since 15 % are held out as test part; add some, or give separate train and test parts"
            )
    train, test = stratified_split(targets, HELD_OUT_SHARE, HELD_OUT_SEED)
    return train if split == "train" else test
