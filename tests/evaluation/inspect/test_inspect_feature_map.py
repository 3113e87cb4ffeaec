from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glyphlab.errors import DataError
from glyphlab.evaluation.inspect.feature_map import MOST_POINTS, class_colours, draw_feature_map, project, sample


def groups(rng: np.random.Generator, count: int = 60, dimensions: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Three groups far apart."""
    targets = np.arange(count) % 3
    centres = 20 * rng.normal(size=(3, dimensions))
    return (centres[targets] + rng.normal(size=(count, dimensions))).astype(np.float32), targets.astype(np.int64)


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_neighbours_stay_neighbours_and_the_seed_decides(method: str, rng: np.random.Generator) -> None:
    features, targets = groups(rng)
    points = project(features, method, seed=3)
    assert points.shape == (60, 2) and points.dtype == np.float32 and np.isfinite(points).all()
    np.testing.assert_array_equal(points, project(features, method, seed=3))
    distances = np.linalg.norm(points[:, None] - points[None], axis=-1) + np.eye(60) * 1e9
    assert (targets[distances.argmin(axis=1)] == targets).all()


def test_pca_is_the_directions_of_largest_variance(rng: np.random.Generator) -> None:
    features = (rng.normal(size=(50, 6)) * [9, 5, 1, 1, 1, 1]).astype(np.float32)
    values = np.linalg.eigvalsh(np.cov(features.T.astype(np.float64)))
    np.testing.assert_allclose(project(features, "pca").var(axis=0, ddof=1), values[::-1][:2], rtol=1e-4)


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_odd_features_are_no_trouble(method: str) -> None:
    assert not project(np.ones((5, 4), np.float32), method).any()
    assert project(np.arange(6, dtype=np.float32)[:, None], method).shape == (6, 2)
    with pytest.raises(DataError, match="of 2 images; expected at least 3"):
        project(np.ones((2, 4), np.float32), method)


def test_a_sample_is_repeatable_and_small() -> None:
    targets = np.zeros(9_000, dtype=np.int64)
    chosen = sample(targets)
    assert len(chosen) == len(set(chosen.tolist())) == MOST_POINTS and (np.diff(chosen) > 0).all()
    np.testing.assert_array_equal(chosen, sample(targets))
    np.testing.assert_array_equal(sample(targets[:7]), np.arange(7))


def test_every_class_has_a_colour_of_its_own() -> None:
    for classes in (2, 10, 47, 62):
        colours = class_colours(classes)
        assert colours.shape == (classes, 3) and colours.min() >= 0 and colours.max() <= 1
        assert len(np.unique(colours.round(3), axis=0)) == classes


@pytest.mark.parametrize("wrong", [0, 5, 150])
def test_the_map_is_drawn_whatever_the_names(tmp_path: Path, wrong: int, rng: np.random.Generator) -> None:
    features, targets = groups(rng, count=300)
    predictions = targets.copy()
    predictions[:wrong] = (predictions[:wrong] + 1) % 3
    names = ("$", "あ", "a very long name of a class")
    draw_feature_map(project(features, "pca"), targets, predictions, names, tmp_path / "space.png", "made up", "pca")
    with Image.open(tmp_path / "space.png") as picture:
        assert min(picture.size) > 900
