from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn")

from glyphlab.data.catalogue import SOURCES
from glyphlab.data.digits import enlarge, load_digits


def test_parts_in_file_order() -> None:
    from sklearn.datasets import load_digits as original

    labels = original().target
    train, test = (load_digits(SOURCES["digits"], split) for split in ("train", "test"))
    assert (train.images.shape, test.images.shape) == ((1297, 28, 28), (500, 28, 28))
    assert np.array_equal(np.concatenate([train.targets, test.targets]), labels)
    assert "not comparable with MNIST" in train.remark
    assert (train.name, train.split, test.split) == ("digits", "train", "test")


def test_enlarging_keeps_what_was_drawn() -> None:
    from sklearn.datasets import load_digits as original

    small = original().images
    large = np.stack([enlarge(image) for image in small[:200]])
    assert large.dtype == np.uint8 and large.max() == 255
    frame = large.copy()
    frame[:, 4:-4, 4:-4] = 0
    assert not frame.any()
    # Averaged back to 8x8 (20 = 8 * 2.5: every pixel twice, then blocks of five), the original reappears.
    doubled = large[:, 4:-4, 4:-4].repeat(2, axis=1).repeat(2, axis=2).astype(float)
    back = doubled.reshape(200, 8, 5, 8, 5).mean(axis=(2, 4)) / 255 * 16
    assert np.corrcoef(back.ravel(), small[:200].ravel())[0, 1] > 0.985


def test_overshoot_is_clipped_not_wrapped() -> None:
    checkers = np.indices((8, 8)).sum(axis=0) % 2 * 16.0
    full = enlarge(np.full((8, 8), 16.0))
    assert (full[4:-4, 4:-4] == 255).all()
    image = enlarge(checkers)[4:-4, 4:-4].astype(int)
    assert np.abs(np.diff(image, axis=0)).max() < 256 and image.min() == 0
