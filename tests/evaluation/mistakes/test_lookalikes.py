from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from glyphlab.data.catalogue import SOURCES
from glyphlab.data.glyphset import GlyphSet
from glyphlab.evaluation.mistakes import lookalikes
from glyphlab.evaluation.result import Evaluation


def groups_of(names: str | tuple[str, ...]) -> list[int]:
    return lookalikes.merged_groups(tuple(names)).tolist()


def test_groups_do_not_overlap() -> None:
    members = [character for group in lookalikes.LOOK_ALIKES for character in group]
    assert len(members) == len(set(members))


def test_look_alikes_share_the_number_of_the_first_and_others_keep_theirs() -> None:
    assert groups_of("0O1IlAa") == [0, 0, 2, 2, 2, 5, 6]
    assert groups_of("0123456789") == list(range(10))
    assert groups_of(("upper_O", "digit_0", "lower_o", "alpha", "O2")) == [0, 0, 0, 3, 4]


def test_emnist_balanced_merges_as_documented() -> None:
    names = SOURCES["emnist-balanced"].class_names
    assert len(names) == 47 and len(set(groups_of(names))) == 47 - 8
    assert lookalikes.describe_groups(names) == "0 = O, 1 = I = L, 2 = Z, 5 = S, 9 = g = q, F = f"
    assert lookalikes.describe_groups(tuple("0123456789")) == ""


def test_merged_accuracy_counts_every_look_alike_and_nothing_else() -> None:
    names = tuple("0O4A")
    glyphs = GlyphSet(np.zeros((5, 4, 4), np.uint8), np.array([0, 0, 1, 2, 3]), names)
    predictions = [0, 1, 0, 3, 3]  # right, look-alike, look-alike, wrong, right
    evaluation = Evaluation.from_logits(np.eye(4, dtype=np.float32)[predictions] * 9, glyphs)
    assert evaluation.accuracy == pytest.approx(2 / 5)
    assert lookalikes.look_alike_mistakes(evaluation) == 2
    assert lookalikes.merged_accuracy(evaluation) == pytest.approx(4 / 5)
    apart = replace(evaluation, class_names=tuple("abde"))
    assert lookalikes.merged_accuracy(apart) == apart.accuracy
