"""The validation part as one of k equal parts: how images are dealt, and which settings contradict each other."""

from __future__ import annotations

import numpy as np
import pytest

from glyphlab.data.glyphset import GlyphSet
from glyphlab.errors import DataError, RecipeError
from glyphlab.training.images import Parts, normalisation, stratified_folds
from glyphlab.training.recipe import Recipe


def in_fold(fold: int, folds: int = 4) -> Recipe:
    return Recipe.load("fast").with_settings({"data.folds": folds, "data.fold": fold})


@pytest.mark.parametrize("folds", [2, 3, 7])
def test_parts_have_the_same_size_and_mix_of_classes(rng: np.random.Generator, folds: int) -> None:
    targets = rng.choice(5, size=203, p=[0.5, 0.2, 0.15, 0.1, 0.05]).astype(np.int64)
    parts = stratified_folds(targets, folds, seed=3)
    assert set(parts) == set(range(1, folds + 1))
    sizes = np.bincount(parts)[1:]
    assert sizes.max() - sizes.min() <= 1
    for target in range(5):
        members = np.bincount(parts[targets == target], minlength=folds + 1)[1:]
        assert members.max() - members.min() <= 1


def test_the_same_seed_gives_the_same_parts_another_seed_others() -> None:
    targets = np.arange(90, dtype=np.int64) % 3
    np.testing.assert_array_equal(stratified_folds(targets, 5, 1), stratified_folds(targets, 5, 1))
    assert (stratified_folds(targets, 5, 1) != stratified_folds(targets, 5, 2)).any()


def test_small_classes_are_spread_over_the_parts() -> None:
    """Five classes of one image each: not all of them in the first part."""
    np.testing.assert_array_equal(np.sort(stratified_folds(np.arange(5), 5, 1)), [1, 2, 3, 4, 5])


def test_the_folds_validation_parts_make_up_the_whole(glyphs: GlyphSet) -> None:
    parts = [Parts.carve(glyphs, in_fold(fold)) for fold in (1, 2, 3, 4)]
    np.testing.assert_array_equal(np.sort(np.concatenate([part.validation for part in parts])), np.arange(60))
    for part in parts:
        assert len(part.validation) == 15
        np.testing.assert_array_equal(np.sort(np.concatenate([part.train, part.validation])), np.arange(60))


def test_more_folds_than_images(glyphs: GlyphSet) -> None:
    with pytest.raises(DataError, match="bars has 3 training images, too few for 4 folds; use fewer folds"):
        Parts.carve(glyphs.subset([0, 1, 2]), in_fold(1))


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"data.folds": 5}, "data.folds and data.fold belong together"),
        ({"data.fold": 1}, "data.folds and data.fold belong together"),
        ({"data.folds": 5, "data.fold": 6}, "data.fold is 6, but there are 5 folds; expected 1 to 5"),
        ({"data.folds": 5, "data.fold": 0}, "data.fold is 0"),
        ({"data.folds": 1, "data.fold": 1}, "data.folds is 1"),
        ({"data.folds": 5, "data.fold": 2, "data.validation": 0.2}, "data.validation has no effect with data.folds"),
    ],
)
def test_settings_that_contradict_each_other(settings: dict[str, object], problem: str) -> None:
    with pytest.raises(RecipeError, match=problem):
        Recipe.load("fast").with_settings(settings)


def test_a_folds_recipe_comes_back_from_its_own_text() -> None:
    recipe = in_fold(3)
    again = Recipe.from_toml(recipe.to_toml())
    assert again.resolved() == recipe.resolved()
    assert "validation" not in again.resolved()["data"]


def test_the_split_has_a_seed_of_its_own(rng: np.random.Generator) -> None:
    glyphs = GlyphSet(rng.integers(0, 256, (90, 8, 8), dtype=np.uint8), np.arange(90) % 3, ("a", "b", "c"))

    def kept_back(**changes: int) -> list[int]:
        settings = {f"{'training' if key == 'seed' else 'data'}.{key}": value for key, value in changes.items()}
        return Parts.carve(glyphs, Recipe.load("fast").with_settings(settings)).validation.tolist()

    assert kept_back(seed=2) != kept_back(seed=1) == kept_back(seed=2, split_seed=1)


def test_mean_and_std_are_those_of_the_training_part() -> None:
    images = np.zeros((40, 8, 8), dtype=np.uint8)
    glyphs = GlyphSet(images, np.arange(40) % 2, ("a", "b"))
    recipe = Recipe.load("fast")
    parts = Parts.carve(glyphs, recipe)
    images[parts.train, :4], images[parts.validation] = 51, 255
    assert normalisation(glyphs, parts, recipe) == ((0.1,), (0.1,))
