from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from glyphlab.data.glyphset import GlyphSet
from glyphlab.errors import DataError, ModelError
from glyphlab.evaluation import metrics
from glyphlab.evaluation.result import Evaluation


def outputs(glyphs: GlyphSet, seed: int = 0, strength: float = 2.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(len(glyphs), len(glyphs.class_names))).astype(np.float32)
    logits[np.arange(len(glyphs)), glyphs.targets] += strength
    return logits


@pytest.fixture
def evaluation(glyphs: GlyphSet) -> Evaluation:
    return Evaluation.from_logits(outputs(glyphs), replace(glyphs, split="test", remark="made of bars"))


def test_figures_are_those_of_metrics(glyphs: GlyphSet, evaluation: Evaluation) -> None:
    logits, targets = outputs(glyphs), glyphs.targets
    assert 0 < evaluation.correct < len(evaluation) == 60
    assert evaluation.accuracy == metrics.accuracy(targets, logits.argmax(axis=1)) == evaluation.correct / 60
    assert evaluation.interval == metrics.wilson_interval(evaluation.correct, 60)
    assert evaluation.loss == pytest.approx(metrics.cross_entropy(logits, targets), abs=1e-12)
    assert np.trace(evaluation.confusion) == evaluation.correct
    assert evaluation.per_class.support.tolist() == glyphs.counts().tolist()
    np.testing.assert_allclose(evaluation.probs.sum(axis=1), 1, atol=1e-12)
    np.testing.assert_array_equal(evaluation.confidences, evaluation.probs.max(axis=1))
    np.testing.assert_array_equal(evaluation.margins > 0, evaluation.is_correct)


def test_mistakes_are_all_the_wrong_ones_surest_first(evaluation: Evaluation) -> None:
    mistakes = evaluation.mistakes
    assert len(mistakes) == len(evaluation) - evaluation.correct > 1
    assert not evaluation.is_correct[mistakes].any()
    assert np.all(np.diff(evaluation.confidences[mistakes]) <= 0)


def test_most_confused_pairs_cover_every_mistake_in_order(evaluation: Evaluation) -> None:
    pairs = evaluation.most_confused(limit=100)
    assert sum(pair.images for pair in pairs) == len(evaluation.mistakes)
    assert [pair.images for pair in pairs] == sorted((pair.images for pair in pairs), reverse=True)
    for pair in pairs:
        assert pair.truth != pair.prediction
        assert evaluation.confusion[pair.truth, pair.prediction] == pair.images
    assert evaluation.most_confused(limit=2) == pairs[:2]


def test_top5_needs_more_than_five_classes(glyphs: GlyphSet, evaluation: Evaluation) -> None:
    assert evaluation.top5 is None
    five = replace(glyphs, class_names=tuple("abcde"))
    assert Evaluation.from_logits(outputs(five), five).top5 is None
    six = replace(glyphs, class_names=tuple("abcdef"))
    logits = outputs(six)
    assert Evaluation.from_logits(logits, six).top5 == metrics.top_k_accuracy(logits, six.targets, 5)


def test_summary_survives_json_and_names_everything(glyphs: GlyphSet, evaluation: Evaluation) -> None:
    summary = evaluation.summary()
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    assert summary["n"] == summary["correct"] + summary["misclassified"] == 60
    assert summary["accuracy_interval_95"][0] < summary["accuracy"] < summary["accuracy_interval_95"][1]
    assert summary["top5_accuracy"] is None
    assert (summary["data"], summary["split"], summary["remark"]) == ("bars", "test", "made of bars")
    assert summary["data_sha256"] == glyphs.digest()
    assert summary["class_names"] == ["a", "b", "c"]
    assert {"loss", "macro_f1"} < summary.keys()


def test_description_gives_counts_interval_and_remark(glyphs: GlyphSet) -> None:
    logits = np.full((60, 3), -5, dtype=np.float32)
    logits[np.arange(60), glyphs.targets] = 5
    logits[0] = [-5, 5, -5]
    text = str(Evaluation.from_logits(logits, replace(glyphs, split="test", remark="not the official split")))
    assert text.splitlines() == [
        "bars test: 60 images, 3 classes",
        "accuracy  98.33% (95% interval 91.14% to 99.71%; 59 right, 1 wrong)",
        "loss      0.1668",
        "macro F1  0.9833",
        "certainty 1.66% expected calibration error, before any temperature",
        "mistakes  a as b (1)",
        "remark    not the official split",
    ]


def test_description_of_perfection_has_neither_mistakes_nor_remark(glyphs: GlyphSet) -> None:
    perfect = Evaluation.from_logits(outputs(glyphs, strength=50), glyphs)
    assert "mistakes" not in str(perfect) and "remark" not in str(perfect)
    assert perfect.mistakes.tolist() == [] and perfect.most_confused() == []
    assert repr(perfect) == "<Evaluation of bars train: 100.00% of 60 images>"


def test_extreme_outputs_stay_finite(glyphs: GlyphSet) -> None:
    logits = np.zeros((60, 3), dtype=np.float32)
    logits[:, 0] = np.finfo(np.float32).max
    logits[:, 1] = np.finfo(np.float32).min
    json.dumps(Evaluation.from_logits(logits, glyphs).summary(), allow_nan=False)


def test_no_images_are_refused(glyphs: GlyphSet) -> None:
    none = glyphs.subset([])
    with pytest.raises(DataError, match="bars train holds no images; expected at least one"):
        Evaluation.from_logits(np.empty((0, 3), dtype=np.float32), none)


def test_another_number_of_classes_is_refused(glyphs: GlyphSet) -> None:
    with pytest.raises(ModelError, match="tells 4 classes apart, but bars has 3; evaluate it on data with"):
        Evaluation.from_logits(np.zeros((60, 4), dtype=np.float32), glyphs)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_outputs_that_are_not_finite_are_refused(glyphs: GlyphSet, value: float) -> None:
    logits = outputs(glyphs)
    logits[[7, 9], 1] = value
    named = replace(glyphs, ids=tuple(f"scan/{i}.png" for i in range(60)))
    with pytest.raises(ModelError, match=r"not finite for 2 of 60 images of bars train \(first: scan/7.png\)"):
        Evaluation.from_logits(logits, named)


def test_an_evaluation_cannot_be_changed(evaluation: Evaluation) -> None:
    with pytest.raises(FrozenInstanceError):
        evaluation.data = "other"  # type: ignore[misc]
