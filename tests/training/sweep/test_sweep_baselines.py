from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

from glyphlab.data.glyphset import GlyphSet
from glyphlab.training.images import Parts
from glyphlab.training.recipe import Recipe
from glyphlab.training.sweep.baselines import Baseline, _subset, judge_baseline


def noisy(count: int = 300) -> GlyphSet:
    rng = np.random.default_rng(0)
    targets = (np.arange(count) % 3).astype(np.int64)
    images = rng.integers(0, 200, size=(count, 8, 8))
    images[np.arange(count), targets, :] += 40
    return GlyphSet(images.clip(0, 255).astype(np.uint8), targets, ("a", "b", "c"), name="noisy")


@pytest.mark.parametrize(
    ("baseline", "model"),
    [
        (Baseline(name="k-nearest-neighbours", neighbours=3), KNeighborsClassifier(3)),
        (Baseline(name="support-vectors", penalty=2.0), SVC(C=2.0)),
    ],
)
def test_it_judges_on_the_same_validation_images(baseline: Baseline, model: KNeighborsClassifier | SVC) -> None:
    glyphs, recipe = noisy(), Recipe.parse({"data": {"validation": 0.3}})
    parts = Parts.carve(glyphs, recipe)
    pixels = glyphs.images.reshape(len(glyphs), -1) / 255
    model.fit(pixels[parts.train], glyphs.targets[parts.train])
    expected = model.score(pixels[parts.validation], glyphs.targets[parts.validation])
    result = judge_baseline(baseline, recipe, glyphs, threads=1)
    assert result["accuracy"] == pytest.approx(expected, abs=1e-9)
    assert 0.4 < expected < 1
    assert (result["train_images"], result["validation_images"]) == (len(parts.train), len(parts.validation))


def test_a_part_of_the_training_images_is_stated() -> None:
    glyphs, recipe = noisy(), Recipe.parse({"data": {"validation": 0.3}})
    result = judge_baseline(Baseline(name="k-nearest-neighbours", images=30), recipe, glyphs, threads=1)
    assert (result["train_images"], result["train_images_of"]) == (30, 210)
    assert result["validation_images"] == 90


@pytest.mark.parametrize(("classes", "count", "images"), [(3, 300, 7), (10, 60, 2), (26, 6000, 1000), (4, 8, 3)])
def test_so_many_images_are_taken_as_are_asked_for(classes: int, count: int, images: int) -> None:
    targets = np.arange(count) % classes
    train = np.flatnonzero(np.arange(count) % 7 < 5)
    chosen = _subset(targets, train, images, seed=1)
    assert len(chosen) == len(np.unique(chosen)) == images and np.isin(chosen, train).all()
    counts = np.bincount(targets[chosen], minlength=classes)
    assert counts.max() - counts.min() <= 1
