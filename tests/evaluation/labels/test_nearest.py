from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from glyphlab.evaluation.labels import nearest
from glyphlab.evaluation.labels.nearest import nearest_others, outlier_scores


@pytest.fixture
def features(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=(157, 6)).astype(np.float32)


@pytest.mark.parametrize("block_values", [1, 157 * 10, 1 << 24])
def test_agrees_with_scikit_learn_whatever_the_blocks(
    features: np.ndarray, block_values: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nearest, "_BLOCK_VALUES", block_values)
    found = nearest_others(features, 5)
    distances, indices = NearestNeighbors(n_neighbors=5, metric="cosine").fit(features).kneighbors()
    np.testing.assert_array_equal(found.indices, indices)
    np.testing.assert_allclose(1 - found.similarities, distances, atol=1e-5)


def test_an_image_is_never_its_own_neighbour_even_among_equal_ones() -> None:
    found = nearest_others(np.ones((6, 3), dtype=np.float32), 5)
    for index, others in enumerate(found.indices):
        assert sorted(others) == [other for other in range(6) if other != index]
    assert found.similarities.max() <= 1.0


def test_small_sets_have_fewer_neighbours(features: np.ndarray) -> None:
    assert nearest_others(features[:4], 10).indices.shape == (4, 3)


def test_progress_reaches_the_end(features: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearest, "_BLOCK_VALUES", 157 * 50)
    seen: list[tuple[int, int]] = []
    nearest_others(features, 3, lambda done, total: seen.append((done, total)))
    assert seen == [(50, 157), (100, 157), (150, 157), (157, 157)]


def test_a_single_image_is_no_outlier() -> None:
    assert outlier_scores(nearest_others(np.ones((1, 3), dtype=np.float32), 5)).tolist() == [0.0]


def test_the_one_that_lies_elsewhere_is_the_outlier(rng: np.random.Generator) -> None:
    features = np.abs(rng.normal(loc=5, size=(50, 4))).astype(np.float32)
    features[17] = [-5, 5, -5, 5]
    scores = outlier_scores(nearest_others(features, 10))
    assert scores.argmax() == 17
    assert scores.min() >= 0 and scores.max() <= 2
