from __future__ import annotations

import numpy as np
import pytest

from glyphlab.data.glyphset import stratified_split
from glyphlab.data.holdout import HELD_OUT_SEED, HELD_OUT_SHARE, held_out
from glyphlab.errors import DataError


def test_the_same_stratified_15_percent_every_time() -> None:
    targets = np.arange(200) % 4
    train, test = (held_out(targets, "abcd", "mine", split) for split in ("train", "test"))
    assert np.array_equal(np.sort(np.concatenate([train, test])), np.arange(200))
    assert np.bincount(targets[test]).tolist() == [8, 8, 8, 8]
    expected = stratified_split(targets, HELD_OUT_SHARE, HELD_OUT_SEED)
    assert np.array_equal(train, expected[0]) and np.array_equal(test, expected[1])


@pytest.mark.parametrize(("counts", "found"), [([5, 1], "'b' has 1 image,"), ([5, 0], "'b' has 0 images,")])
def test_a_class_too_small_to_divide(counts: list[int], found: str) -> None:
    with pytest.raises(DataError, match=f"mine: class {found} expected at least 2"):
        held_out(np.repeat([0, 1], counts), ("a", "b"), "mine", "train")
