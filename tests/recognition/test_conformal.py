from __future__ import annotations

import json
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from glyphlab.errors import GlyphlabError
from glyphlab.recognition.conformal import ConformalTable, conformal_scores, conformal_threshold, prediction_sets


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
        assert conformal_threshold(probs, targets, coverage) == pytest.approx(0.1 * rank)
    assert conformal_threshold(probs, targets, 0.81) == 1.0  # four images cannot promise as much


def test_equal_weights_change_nothing_and_weights_count_as_copies(rng: np.random.Generator) -> None:
    probs, targets = sample(rng, 300)
    for coverage in (0.5, 0.9, 0.95):
        plain = conformal_threshold(probs, targets, coverage)
        assert conformal_threshold(probs, targets, coverage, np.full(300, 2.5)) == plain
    copies = rng.integers(1, 4, 300)
    weighted = conformal_threshold(probs, targets, 0.9, copies.astype(np.float64))
    repeated = conformal_threshold(probs.repeat(copies, axis=0), targets.repeat(copies), 0.9)
    assert weighted == pytest.approx(repeated, abs=0.02)  # the correction is the heaviest image's, not a copy's


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
def test_sets_cover_images_not_seen_as_promised(rng: np.random.Generator, coverage: float) -> None:
    shares = []
    for _ in range(40):
        threshold = conformal_threshold(*sample(rng, 200), coverage)
        probs, targets = sample(rng, 500)
        shares.append(np.take_along_axis(prediction_sets(probs, threshold), targets[:, None], axis=1).mean())
    assert coverage - 0.01 < np.mean(shares) < coverage + 0.015


def test_the_table_answers_for_any_coverage_and_never_promises_more(rng: np.random.Generator) -> None:
    probs, targets = sample(rng, 5000)
    table = ConformalTable.fit(probs, targets)
    assert table.images == 5000 and list(table.thresholds) == sorted(table.thresholds)
    for coverage in (0.9, 0.95, 0.99):
        assert table.threshold(coverage) == pytest.approx(conformal_threshold(probs, targets, coverage), abs=2e-7)
    for coverage in (0.001, 0.123, 0.9499, 0.9501, 0.9991):
        exact = conformal_threshold(probs, targets, coverage)
        next_rung = conformal_threshold(probs, targets, min(coverage + 0.005, 0.9995))
        assert exact <= table.threshold(coverage) <= next_rung + 2e-7
    assert table.threshold(0.99999) == 1.0
    for wrong in (0, 1, 95, -0.1):
        with pytest.raises(GlyphlabError, match=r"such as 0\.95"):
            table.threshold(wrong)


def test_the_table_survives_json_and_a_damaged_one_is_noticed(rng: np.random.Generator) -> None:
    table = ConformalTable.fit(*sample(rng, 50))
    value = json.loads(json.dumps(table.to_json()))
    assert ConformalTable.from_json(value) == table
    with pytest.raises(ValueError, match="do not match"):
        ConformalTable.from_json(value | {"thresholds": [0.5]})


def test_sets_hold_the_probable_classes_and_always_the_best() -> None:
    probs = np.array([[0.5, 0.3, 0.2], [0.34, 0.33, 0.33], [0.9, 0.06, 0.04]], dtype=np.float32)
    assert prediction_sets(probs, 0.7).tolist() == [[True, True, False], [True, True, True], [True, False, False]]
    assert prediction_sets(probs, 0.05).tolist() == [[True, False, False]] * 3
    assert prediction_sets(probs, 1.0).all()
