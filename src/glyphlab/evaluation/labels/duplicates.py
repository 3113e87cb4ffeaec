"""Images that occur more than once: equal in every pixel, or a little shifted, brightened, compressed or noisy.

Two equal images with *different* labels are the interesting ones: one of the labels is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from glyphlab.data.equal import groups_of_equal, image_digests
from glyphlab.data.glyphset import GlyphSet
from glyphlab.evaluation.labels.nearest import Nearest

# Correlation of the pixels from which on two images count as one. On 20,000 MNIST images no two different ones reach
# it (0.987, two upright ones), and hardly any on EMNIST; copies compressed as JPEG at quality 60 have 0.992 and more.
NEAR_CORRELATION = 0.99
_LARGEST_SHIFT = 1  # pixels
_CHUNK_PAIRS = 4096


@dataclass(frozen=True)
class DuplicatePair:
    """Two images that are one. first < second are indices; similarity: correlation of the pixels, 1 for equal ones."""

    first: int
    second: int
    kind: Literal["equal", "near"]
    similarity: float
    same_label: bool


def find_duplicates(glyphs: GlyphSet, nearest: Nearest | None = None) -> list[DuplicatePair]:
    """Pairs of equal and, given each image's neighbours in feature space, of nearly equal images.

    Pairs with different labels come first, then by similarity. Of several equal images each is paired with the first.
    """
    group = _groups(glyphs.images)
    pairs = _equal_pairs(glyphs, group)
    if nearest is not None:
        pairs += _near_pairs(glyphs, group, nearest)
    return sorted(pairs, key=lambda pair: (pair.same_label, -pair.similarity, pair.first, pair.second))


def _groups(images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """For each image the index of the first that is equal to it, int64 [N]."""
    group = np.arange(len(images), dtype=np.int64)
    for members in groups_of_equal(image_digests(images)):
        group[members] = members[0]
    return group


def _equal_pairs(glyphs: GlyphSet, group: NDArray[np.int64]) -> list[DuplicatePair]:
    later = np.flatnonzero(group != np.arange(len(group)))
    return [_pair(glyphs, int(group[index]), int(index), "equal", 1.0) for index in later]


def _near_pairs(glyphs: GlyphSet, group: NDArray[np.int64], nearest: Nearest) -> list[DuplicatePair]:
    others = nearest.indices
    image = np.repeat(np.arange(len(others)), others.shape[1])
    both = np.sort(np.stack([image, others.ravel()], axis=1), axis=1)
    candidates = np.unique(both[group[both[:, 0]] != group[both[:, 1]]], axis=0)
    found: list[DuplicatePair] = []
    for start in range(0, len(candidates), _CHUNK_PAIRS):
        first, second = candidates[start : start + _CHUNK_PAIRS].T
        similarity = correlation(glyphs.images[first], glyphs.images[second])
        for place in np.flatnonzero(similarity >= NEAR_CORRELATION):
            found.append(_pair(glyphs, int(first[place]), int(second[place]), "near", float(similarity[place])))
    return found


def correlation(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Pearson's correlation of the pixels of each pair, at the best shift of up to a pixel, float32 [P], -1 to 1.

    one, other: uint8 [P, H, W] or [P, H, W, 3]. The rim of a pixel's width is left out, so that nothing moves in from
    outside. 0 where one of the two is of one colour.
    """
    border = _LARGEST_SHIFT
    height, width = one.shape[1:3]
    fixed = _standardised(one[:, border : height - border, border : width - border])
    best = np.full(len(one), -1.0, dtype=np.float32)
    for down in range(2 * border + 1):
        for right in range(2 * border + 1):
            window = other[:, down : height - 2 * border + down, right : width - 2 * border + right]
            np.maximum(best, np.einsum("ij,ij->i", fixed, _standardised(window)), out=best)
    return best


def _standardised(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Pixels as float32 [P, D] with mean 0 and length 1."""
    flat = images.reshape(len(images), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    flat /= np.where(length > 0, length, 1.0)
    return flat


def _pair(
    glyphs: GlyphSet, first: int, second: int, kind: Literal["equal", "near"], similarity: float
) -> DuplicatePair:
    return DuplicatePair(first, second, kind, similarity, bool(glyphs.targets[first] == glyphs.targets[second]))
