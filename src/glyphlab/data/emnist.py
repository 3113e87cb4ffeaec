"""What is peculiar to EMNIST: images stored on their side, a mapping file for the classes, a cut-off copy of
letters.

Source: Cohen, Afshar, Tapson, van Schaik, "EMNIST: an extension of MNIST to handwritten letters", 2017.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glyphlab.data.catalogue import Source, Split
from glyphlab.errors import DataError

_CHUNK_IMAGES = 4096

# A copy of `letters` in circulation: the official files' first images only. They are sorted by class, so the
# last letters are missing from the test half.
_CUT_OFF_COUNTS = {"train": 88_800, "test": 14_800}


def turn_upright(images: NDArray[np.uint8]) -> None:
    """Exchange rows and columns of each image, in place; uint8 [N, S, S], square.

    Done in pieces so that memory stays at one copy of the set (By_Class: 547 MB). Its own inverse.
    """
    assert images.shape[1] == images.shape[2], images.shape
    for start in range(0, len(images), _CHUNK_IMAGES):
        piece = images[start : start + _CHUNK_IMAGES]
        piece[...] = piece.transpose(0, 2, 1).copy()


def read_mapping(path: Path, class_count: int, first_label: int) -> tuple[str, ...]:
    """Class names from a mapping file, whose lines are: label, code of its character, codes merged with it.

    The first code names the class: for letters the capital. Raises `DataError` when the file is damaged or
    does not name exactly the labels first_label to first_label + class_count - 1.
    """
    names: dict[int, str] = {}
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path}: {error}") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            label, code = (int(word) for word in line.split()[:2])
            names[label] = chr(code)
        except (ValueError, OverflowError):
            raise DataError(
                f"{path}, line {number}: found {line.strip()[:40]!r}, expected a label and a character code; "
                "delete the file to use the built-in class names"
            ) from None
    if sorted(names) != list(range(first_label, first_label + class_count)):
        raise DataError(
            f"{path}: names {len(names)} classes, expected the {class_count} labels {first_label} to "
            f"{first_label + class_count - 1}; delete the file to use the built-in class names"
        )
    return tuple(names[label] for label in sorted(names))


def refuse_cut_off_letters(source: Source, split: Split, targets: NDArray[np.int64], images_path: Path) -> None:
    """Raise `DataError` for the copy of `letters` that lacks the end of the alphabet. Other sets pass."""
    if source.name != "emnist-letters":
        return
    counts = np.bincount(targets, minlength=len(source.class_names))
    missing = [name for name, count in zip(source.class_names, counts, strict=True) if count == 0]
    cut = len(targets) == _CUT_OFF_COUNTS[split] and bool(np.all(np.diff(targets) >= 0))
    if missing or cut:
        lacks = f"no image of {', '.join(missing)}" if missing else "images sorted by class"
        raise DataError(
            f"{images_path}: the cut-off copy of EMNIST letters ({len(targets):,} images, {lacks}; official "
            f"{source.count(split):,}); replace it: delete it, then glyphlab data fetch {source.name}"
        )
