from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from glyphlab.data.glyphset import GlyphSet
from glyphlab.evaluation.labels.duplicates import NEAR_CORRELATION, correlation, find_duplicates
from glyphlab.evaluation.labels.nearest import nearest_others


@pytest.fixture
def blobs(rng: np.random.Generator) -> GlyphSet:
    """Forty different soft pictures with a dark rim."""
    noise = rng.normal(size=(40, 16, 16))
    soft = np.stack([gaussian_filter(image, 1.2) for image in noise])
    soft[:, [0, 1, -1, -2], :] = soft.min()
    soft[:, :, [0, 1, -1, -2]] = soft.min()
    images = np.interp(soft, (soft.min(), soft.max()), (0, 255)).astype(np.uint8)
    return GlyphSet(images, np.arange(40, dtype=np.int64) % 3, ("a", "b", "c"))


def with_copies(glyphs: GlyphSet, copies: np.ndarray, targets: list[int]) -> GlyphSet:
    return replace(
        glyphs,
        images=np.concatenate([glyphs.images, copies.astype(np.uint8)]),
        targets=np.concatenate([glyphs.targets, np.array(targets, dtype=np.int64)]),
    )


def as_features(glyphs: GlyphSet) -> np.ndarray:
    return glyphs.images.reshape(len(glyphs), -1).astype(np.float32)


def test_equal_images_are_paired_with_the_first_and_other_labels_come_first(blobs: GlyphSet) -> None:
    doubled = with_copies(blobs, blobs.images[[5, 5, 9]], [2, 1, 2])
    pairs = find_duplicates(doubled)
    found = [(pair.first, pair.second, pair.kind, pair.same_label) for pair in pairs]
    assert found == [(5, 41, "equal", False), (9, 42, "equal", False), (5, 40, "equal", True)]
    assert all(pair.similarity == 1 for pair in pairs)


def test_different_images_are_no_duplicates(blobs: GlyphSet) -> None:
    assert find_duplicates(blobs, nearest_others(as_features(blobs), 10)) == []


def test_shifted_darker_and_noisy_copies_are_found(blobs: GlyphSet, rng: np.random.Generator) -> None:
    images = blobs.images.astype(np.float64)
    copies = np.stack(
        [
            np.roll(images[3], (1, -1), axis=(0, 1)),
            images[4] * 0.7,
            np.clip(images[6] + rng.normal(0, 3, images[6].shape), 0, 255),
        ]
    )
    doubled = with_copies(blobs, copies, [0, 1, 2])  # of a, b, a
    pairs = find_duplicates(doubled, nearest_others(as_features(doubled), 10))
    assert {(pair.first, pair.second) for pair in pairs} == {(3, 40), (4, 41), (6, 42)}
    assert [pair.same_label for pair in pairs] == [False, True, True]
    assert all(pair.kind == "near" and NEAR_CORRELATION <= pair.similarity < 1.000001 for pair in pairs)


def test_correlation_is_pearsons_at_the_best_shift(rng: np.random.Generator) -> None:
    one, other = rng.integers(0, 256, size=(2, 7, 9, 10), dtype=np.uint8)
    expected = []
    for left, right in zip(one, other, strict=True):
        windows = [right[down : down + 7, across : across + 8] for down in range(3) for across in range(3)]
        inner = left[1:-1, 1:-1].ravel()
        expected.append(max(np.corrcoef(inner, window.ravel())[0, 1] for window in windows))
    np.testing.assert_allclose(correlation(one, other), expected, atol=1e-5)


def test_blank_images_correlate_with_nothing(blobs: GlyphSet) -> None:
    blank = np.zeros_like(blobs.images[:1])
    assert correlation(blank, blobs.images[:1])[0] == 0
    assert correlation(blank, blank)[0] == 0


def test_colour_pictures(blobs: GlyphSet) -> None:
    glyphs = replace(blobs, images=np.stack([blobs.images, blobs.images[::-1], blobs.images], axis=3))
    doubled = with_copies(glyphs, glyphs.images[[2]], [0])
    pairs = find_duplicates(doubled, nearest_others(as_features(doubled), 5))
    assert (2, 40, "equal") in {(pair.first, pair.second, pair.kind) for pair in pairs}
