from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from glyphlab.data.glyphset import GlyphSet
from glyphlab.errors import DataError, ModelError
from glyphlab.evaluation.calibration import calibrated
from glyphlab.evaluation.labels.confident import class_thresholds
from glyphlab.evaluation.mistakes.find import BORDERLINE_MARGIN, count_kinds, find_mistakes
from glyphlab.evaluation.result import Evaluation


def judged(seed: int = 0, strength: float = 2.0, flipped: int = 0) -> tuple[Evaluation, GlyphSet]:
    """Answers to 300 images of four classes, of which the first `flipped` carry a wrong label."""
    rng = np.random.default_rng(seed)
    true = np.arange(300) % 4
    logits = rng.normal(size=(300, 4)).astype(np.float32)
    logits[np.arange(300), true] += strength
    labels = true.copy()
    labels[:flipped] = (true[:flipped] + 1) % 4
    glyphs = GlyphSet(np.zeros((300, 4, 4), np.uint8), labels.astype(np.int64), tuple("0O47"), "made", "test")
    return Evaluation.from_logits(logits, glyphs), glyphs


def test_all_mistakes_are_found_surest_first() -> None:
    evaluation, _ = judged()
    found = find_mistakes(evaluation)
    assert len(found) == len(evaluation) - evaluation.correct > 10
    assert sorted(one.index for one in found) == np.flatnonzero(~evaluation.is_correct).tolist()
    assert [one.confidence for one in found] == sorted((one.confidence for one in found), reverse=True)
    for one in found:
        assert (one.truth, one.prediction) == (evaluation.targets[one.index], evaluation.predictions[one.index])
        assert one.confidence == evaluation.confidences[one.index]
        assert one.margin == evaluation.margins[one.index] <= 0
        assert one.look_alike == ({one.truth, one.prediction} == {0, 1})
        assert one.id == str(one.index)
    assert sum(count_kinds(found).values()) == len(found)


def test_ids_and_temperature_are_used() -> None:
    evaluation, _ = judged()
    found = find_mistakes(evaluation, temperature=0.5, ids=[f"scan/{i}.png" for i in range(300)])
    probs = calibrated(evaluation.logits, 0.5)
    assert all(one.id == f"scan/{one.index}.png" for one in found)
    assert all(one.confidence == probs[one.index].max() for one in found)
    first = next(one for one in found if one.kind != "ambiguous")
    usual = class_thresholds(probs, evaluation.targets)[first.prediction]
    assert f"usual for {evaluation.class_names[first.prediction]}: {100 * usual:.0f}%" in first.reason


def test_flipped_labels_are_suspicious_when_others_agree_and_never_alone() -> None:
    evaluation, _ = judged(strength=9.0, flipped=40)
    assert len(find_mistakes(evaluation)) == 40
    assert count_kinds(find_mistakes(evaluation))["label suspicious"] == 0
    others = [judged(seed, strength=9.0, flipped=40)[0] for seed in (1, 2)]
    found = find_mistakes(evaluation, others=others)
    by_look = {alike: {one.kind for one in found if one.look_alike == alike} for alike in (True, False)}
    assert by_look == {True: {"ambiguous"}, False: {"label suspicious"}}
    honest = [judged(seed, strength=9.0)[0] for seed in (1, 2)]
    with pytest.raises(DataError, match="evaluated on other images: made test, 300 images; expected the same 300"):
        find_mistakes(evaluation, others=honest)


def test_neighbours_are_rows_of_the_mistakes() -> None:
    evaluation, _ = judged(strength=9.0, flipped=40)
    answers = evaluation.predictions[evaluation.mistakes]
    found = find_mistakes(evaluation, neighbours=np.repeat(answers[:, None], 10, axis=1), thresholds=np.full(4, 0.5))
    assert {one.kind for one in found if not one.look_alike} == {"label suspicious"}
    labels = np.repeat(evaluation.targets[evaluation.mistakes][:, None], 10, axis=1)
    confirmed = find_mistakes(evaluation, neighbours=labels)
    assert {one.kind for one in confirmed if not one.look_alike} == {"model wrong"}
    none = np.full((40, 10), -1)
    assert [one.kind for one in find_mistakes(evaluation, neighbours=none)] == [
        one.kind for one in find_mistakes(evaluation)
    ]


def test_borderline_answers_follow_the_mistakes_closest_first() -> None:
    evaluation, _ = judged()
    wrong = find_mistakes(evaluation)
    every = find_mistakes(evaluation, borderline=True)
    close = every[len(wrong) :]
    assert every[: len(wrong)] == wrong and count_kinds(every) == count_kinds(wrong)
    expected = evaluation.is_correct & (evaluation.margins < BORDERLINE_MARGIN)
    assert sorted(one.index for one in close) == np.flatnonzero(expected).tolist() != []
    assert [one.margin for one in close] == sorted(one.margin for one in close)
    assert all(one.truth == one.prediction and one.reason.startswith("right, but only just: ") for one in close)


def test_a_flawless_network_has_no_mistakes() -> None:
    assert find_mistakes(judged(strength=50.0)[0], borderline=True) == []


def test_networks_with_other_classes_are_refused() -> None:
    evaluation, glyphs = judged()
    other = Evaluation.from_logits(evaluation.logits, replace(glyphs, class_names=tuple("abcd")))
    with pytest.raises(ModelError, match="classes are a, b, c, d; expected 0, O, 4, 7; compare networks that"):
        find_mistakes(evaluation, others=[other])
