from __future__ import annotations

import json
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from glyphlab.errors import GlyphlabError
from glyphlab.recognition.conformal import ConformalTable, conformal_scores, conformal_thresholds, prediction_sets


def sample(rng: np.random.Generator, count: int, classes: int = 6) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Probabilities that are those of the targets, so that the truth is drawn from them."""
    probs = rng.dirichlet(np.full(classes, 0.3), count)
    targets = np.array([rng.choice(classes, p=row) for row in probs], dtype=np.int64)
    return probs, targets


def test_the_threshold_is_the_score_of_the_corrected_rank() -> None:
    probs = np.array([[1 - score, score] for score in (0.4, 0.1, 0.2, 0.3)])
    targets = np.zeros(4, dtype=np.int64)
    np.testing.assert_allclose(conformal_scores(probs, targets), [0.4, 0.1, 0.2, 0.3])
    for coverage, rank in ((0.2, 1), (0.21, 2), (0.6, 3), (0.8, 4)):  # rank = ceil(5 * coverage)
        assert rank == math.ceil(5 * coverage - 1e-9)
        assert conformal_thresholds(probs, targets, coverage) == pytest.approx(0.1 * rank)
    assert (conformal_thresholds(probs, targets, 0.81) == 1.0).all()  # four images cannot promise as much


def test_equal_weights_change_nothing_and_weights_count_as_copies(rng: np.random.Generator) -> None:
    probs, targets = sample(rng, 300)
    for coverage in (0.5, 0.9, 0.95):
        plain = conformal_thresholds(probs, targets, coverage)
        np.testing.assert_array_equal(conformal_thresholds(probs, targets, coverage, np.full(300, 2.5)), plain)
    copies = rng.integers(1, 4, 300)
    weighted = conformal_thresholds(probs, targets, 0.9, copies.astype(np.float64))
    repeated = conformal_thresholds(probs.repeat(copies, axis=0), targets.repeat(copies), 0.9)
    np.testing.assert_allclose(weighted, repeated, atol=0.02)  # the correction is the heaviest image's, not a copy's


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
def test_sets_cover_images_not_seen_as_promised(rng: np.random.Generator, coverage: float) -> None:
    shares = []
    for _ in range(40):
        threshold = conformal_thresholds(*sample(rng, 200), coverage)
        probs, targets = sample(rng, 500)
        shares.append(np.take_along_axis(prediction_sets(probs, threshold), targets[:, None], axis=1).mean())
    assert coverage - 0.01 < np.mean(shares) < coverage + 0.015


def test_the_table_answers_for_any_coverage_and_never_promises_more(rng: np.random.Generator) -> None:
    probs, targets = sample(rng, 5000)
    table = ConformalTable.fit(probs, targets)
    assert table.images == 5000 and table.groups == ()
    (row,) = table.thresholds
    assert list(row) == sorted(row)
    for coverage in (0.9, 0.95, 0.99):
        assert table.at(coverage) == pytest.approx(conformal_thresholds(probs, targets, coverage)[:1], abs=2e-7)
    for coverage in (0.001, 0.123, 0.9499, 0.9501, 0.9991):
        exact = conformal_thresholds(probs, targets, coverage)
        next_rung = conformal_thresholds(probs, targets, min(coverage + 0.005, 0.9995))
        assert (exact <= table.at(coverage)).all() and (table.at(coverage) <= next_rung + 2e-7).all()
    assert table.at(0.99999) == 1.0
    for wrong in (0, 1, 95, -0.1):
        with pytest.raises(GlyphlabError, match=r"such as 0\.95"):
            table.at(wrong)


def test_the_table_survives_json_and_a_damaged_one_is_noticed(rng: np.random.Generator) -> None:
    table = ConformalTable.fit(*sample(rng, 50))
    value = json.loads(json.dumps(table.to_json()))
    assert ConformalTable.from_json(value) == table
    with pytest.raises(ValueError, match="do not match"):
        ConformalTable.from_json(value | {"thresholds": [0.5]})


def test_each_class_has_the_threshold_of_its_own_weight(rng: np.random.Generator) -> None:
    """The image to come counts as one of its class: of a rare class, of which an image counts much, more is let in."""
    probs, targets = sample(rng, 3000, classes=3)
    kept = np.flatnonzero((targets != 2) | (np.cumsum(targets == 2) <= 8))
    probs, targets = probs[kept], targets[kept]
    counts = np.bincount(targets)
    weights = len(targets) / (3 * counts[targets])
    table = ConformalTable.fit(probs, targets, weights)
    assert table.groups == (1, 1, 0)
    assert ConformalTable.from_json(json.loads(json.dumps(table.to_json()))) == table
    for coverage in (0.5, 0.9, 0.95):
        exact = conformal_thresholds(probs, targets, coverage, weights)
        assert exact[2] >= max(exact[:2])
        np.testing.assert_allclose(table.at(coverage), exact, atol=1e-3)
        assert (table.at(coverage) >= exact - 1e-12).all()
    assert table.at(0.98)[2] == 1.0 > table.at(0.98)[:2].max()  # eight images cannot promise as much, thousands can
    value = table.to_json()
    for damage in ({"groups": [0, 0, 0]}, {"groups": [0, 1, 2]}):
        with pytest.raises(ValueError, match="do not match their groups"):
            ConformalTable.from_json(value | damage)


def test_sets_under_another_mix_of_classes_cover_as_promised(rng: np.random.Generator) -> None:
    """Calibrated on few images of the last class, asked about as many of each."""

    def even(count: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        probs, targets = sample(rng, 4 * count, classes=3)
        chosen = np.concatenate([rng.choice(np.flatnonzero(targets == k), count // 3) for k in range(3)])
        return probs[chosen], targets[chosen]

    shares = []
    for _ in range(60):
        probs, targets = even(300)
        kept = np.r_[:200, 200:220]
        probs, targets = probs[kept], targets[kept]
        weights = len(targets) / (3 * np.bincount(targets)[targets])
        thresholds = ConformalTable.fit(probs, targets, weights).at(0.9)
        probs, targets = even(300)
        shares.append(np.take_along_axis(prediction_sets(probs, thresholds), targets[:, None], axis=1).mean())
    assert 0.89 < np.mean(shares) < 0.94


def test_sets_hold_the_probable_classes_and_always_the_best() -> None:
    probs = np.array([[0.5, 0.3, 0.2], [0.34, 0.33, 0.33], [0.9, 0.06, 0.04]], dtype=np.float32)
    assert prediction_sets(probs, np.array([0.7])).tolist() == [
        [True, True, False],
        [True, True, True],
        [True, False, False],
    ]
    assert prediction_sets(probs, np.array([0.05])).tolist() == [[True, False, False]] * 3
    assert prediction_sets(probs, np.ones(1)).all()
    each = prediction_sets(probs, np.array([0.05, 0.7, 0.05]))
    assert each.tolist() == [[True, True, False], [True, True, False], [True, False, False]]
