"""GlyphClassifier: scikit-learn's own checks, its tools, and what is particular to images."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest import SkipTest

import numpy as np
import pytest
import sklearn
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks

from glyphlab.data.glyphset import GlyphSet
from glyphlab.errors import DataError, RecipeError, RunError
from glyphlab.evaluation.evaluate import evaluate
from glyphlab.training.estimator import GlyphClassifier
from glyphlab.training.loop import Ending
from glyphlab.training.recipe import Recipe

FLAT = Recipe.parse(
    {
        "network": {"name": "linear"},
        "training": {"lr": 0.1, "epochs": 10, "batch_size": 32},
        "engine": {"device": "cpu", "threads": 1},
    },
    name="flat",
)

# scikit-learn checks with rows of 1 to 30 numbers, which are no square images: they are taken as images one pixel tall,
# which the linear network accepts. None of its checks is expected to fail. One is skipped by scikit-learn itself:
# check_array_api_input needs the environment variable SCIPY_ARRAY_API.
CHECKED = GlyphClassifier(FLAT, image_shape=(1, -1))


def checks() -> list[tuple[Any, Any]]:
    if hasattr(estimator_checks, "estimator_checks_generator"):  # scikit-learn 1.6 and later
        return list(estimator_checks.estimator_checks_generator(CHECKED))
    return list(estimator_checks.check_estimator(CHECKED, generate_only=True))


def test_scikit_learns_estimator_checks() -> None:
    passed, skipped, failed = [], [], {}
    with torch.random.fork_rng(), np.errstate(all="ignore"):
        for estimator, check in checks():
            name = getattr(check, "func", check).__name__
            try:
                check(estimator)
                passed.append(name)
            except SkipTest:
                skipped.append(name)
            except Exception as error:
                failed[name] = repr(error)
    assert not failed
    assert len(passed) >= 40, passed
    assert set(skipped) <= {"check_array_api_input", "check_classifier_data_not_an_array"}, skipped
    assert {"check_classifiers_train", "check_estimators_pickle", "check_fit_idempotent"} <= set(passed)


@pytest.fixture
def images(glyphs: GlyphSet) -> np.ndarray:
    return glyphs.images


@pytest.fixture
def letters(glyphs: GlyphSet) -> np.ndarray:
    return np.array(["alpha", "beta", "gamma"])[glyphs.targets]


def test_labels_and_probabilities(images: np.ndarray, letters: np.ndarray) -> None:
    fitted = GlyphClassifier(FLAT).fit(images, letters)
    assert fitted.classes_.tolist() == ["alpha", "beta", "gamma"]
    probs = fitted.predict_proba(images)
    assert probs.dtype == np.float64 and probs.shape == (60, 3)
    np.testing.assert_allclose(probs.sum(axis=1), 1)
    np.testing.assert_array_equal(fitted.predict(images), fitted.classes_[probs.argmax(axis=1)])
    assert fitted.score(images, letters) > 0.95
    assert fitted.image_shape_ == (12, 12) and fitted.n_features_in_ == 144
    assert len(fitted.history_) == 10 and fitted.run_ is None


@pytest.mark.parametrize("labels", [np.array([7, -2, 40]), np.array([0.0, 1.0, 2.5e3]), np.array([True, False, True])])
def test_labels_of_any_kind(labels: np.ndarray, glyphs: GlyphSet) -> None:
    y = labels[glyphs.targets]
    fitted = GlyphClassifier(FLAT, epochs=1).fit(glyphs.images, y)
    assert fitted.predict(glyphs.images).dtype == labels.dtype
    assert set(fitted.predict(glyphs.images)) <= set(y)


def test_the_same_images_in_any_form_give_the_same_network(images: np.ndarray, letters: np.ndarray) -> None:
    stretched = images.copy()
    stretched[0, 0, :2] = (0, 255)  # the darkest and the brightest pixel: floats are scaled by them
    expected = GlyphClassifier(FLAT, epochs=2).fit(stretched, letters).predict_proba(stretched)
    forms = [
        stretched.reshape(60, -1),
        stretched / 255,
        stretched.reshape(60, -1).astype(np.float32) / 16 - 3,
        stretched.astype(np.int64),
        np.asfortranarray(stretched),
    ]
    for form in forms:
        found = GlyphClassifier(FLAT, epochs=2).fit(form, letters).predict_proba(form)
        np.testing.assert_array_equal(found, expected)


def test_values_outside_the_training_range_are_cut_off(images: np.ndarray, letters: np.ndarray) -> None:
    fitted = GlyphClassifier(FLAT, epochs=2).fit(images / 255, letters)
    low, high = fitted.pixel_range_
    wild = np.where(images > 200, 1e9, -1e9)
    cut = np.where(images > 200, high, low)
    np.testing.assert_array_equal(fitted.predict_proba(wild), fitted.predict_proba(cut))


def test_equal_fits_are_equal_and_the_callers_random_numbers_go_on(images: np.ndarray, letters: np.ndarray) -> None:
    def probs(state: Any) -> np.ndarray:
        return GlyphClassifier("mnist-3conv", epochs=1, random_state=state).fit(images, letters).predict_proba(images)

    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    np.testing.assert_array_equal(probs(None), probs(None))
    assert torch.equal(torch.rand(4), expected)
    np.testing.assert_array_equal(probs(5), probs(np.int64(5)))
    assert not np.array_equal(probs(5), probs(6))
    shared = np.random.RandomState(0)
    assert not np.array_equal(probs(shared), probs(shared))
    np.testing.assert_array_equal(probs(np.random.RandomState(0)), probs(np.random.RandomState(0)))


def test_parameters_reach_the_recipe(images: np.ndarray, letters: np.ndarray) -> None:
    settings = {"training.lr": 0.2, "data.validation": 0}
    fitted = GlyphClassifier(FLAT, epochs=3, settings=settings, random_state=9).fit(images, letters)
    recipe = fitted.recipe_
    assert (recipe.training.lr, recipe.training.epochs, recipe.training.seed) == (0.2, 3, 9)
    assert recipe.data.validation == 0 and fitted.history_[-1].validation_loss is None
    assert recipe.engine.precision == "float32"  # "auto" is not timed, so that fits are quick and repeatable
    assert recipe.engine.threads == torch.get_num_threads()
    kept = GlyphClassifier(FLAT, epochs=1, settings={"engine.channels_last": False}).fit(images, letters)
    assert kept.recipe_.engine.channels_last is False


def test_a_budget_without_a_step_is_no_fit(
    images: np.ndarray, letters: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glyphlab.training.memory.fit", lambda *_: Ending.TIME_BUDGET)
    with pytest.raises(RunError, match=r"training\.time_budget_seconds = 1 ended before the first step"):
        GlyphClassifier(FLAT, settings={"training.time_budget_seconds": 1}).fit(images, letters)


def test_numpys_numbers_are_numbers_and_the_callers_threads_stay(images: np.ndarray, letters: np.ndarray) -> None:
    before = torch.get_num_threads()
    settings = {"training.lr": np.float64(0.2), "engine.threads": np.int64(before + 1)}
    fitted = GlyphClassifier(FLAT, epochs=np.int64(1), settings=settings).fit(images, letters)
    assert (fitted.recipe_.training.epochs, fitted.recipe_.engine.threads) == (1, before + 1)
    assert torch.get_num_threads() == before


def test_pipelines_searches_and_clones(images: np.ndarray, letters: np.ndarray) -> None:
    rows = images.reshape(60, -1)
    pipeline = make_pipeline(StandardScaler(), GlyphClassifier(FLAT))
    assert cross_val_score(pipeline, rows, letters, cv=3).mean() > 0.8
    grid = {
        "glyphclassifier__epochs": [1, 8],
        "glyphclassifier__settings": [{"training.lr": 1e-6}, {"training.lr": 0.05}],
    }
    search = GridSearchCV(pipeline, grid, cv=2).fit(rows, letters)
    assert search.best_params_ == {"glyphclassifier__epochs": 8, "glyphclassifier__settings": {"training.lr": 0.05}}
    again = clone(search.best_estimator_[-1])
    assert again.get_params()["epochs"] == 8 and not hasattr(again, "classifier_")


def test_runs_dir_leaves_a_run_that_is_the_estimator(images: np.ndarray, letters: np.ndarray, tmp_path: Path) -> None:
    fitted = GlyphClassifier(FLAT, epochs=2, runs_dir=tmp_path).fit(images, letters)
    assert fitted.run_.name == "arrays-flat-1" and fitted.run_.status["status"] == "finished"
    in_memory = GlyphClassifier(FLAT, epochs=2).fit(images, letters)
    np.testing.assert_array_equal(fitted.predict_proba(images), in_memory.predict_proba(images))
    # The arrays are nowhere to be found again, and another set must not stand in for them.
    with pytest.raises(DataError, match="learned from arrays of a program, which it did not keep"):
        evaluate(fitted.run_)


def test_nothing_is_written_without_runs_dir(
    images: np.ndarray, letters: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    GlyphClassifier(FLAT, epochs=1).fit(images, letters)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(("asked", "shape"), [((8, 18), (8, 18)), ((8, -1), (8, 18)), ((-1, 16), (9, 16))])
def test_rows_of_images_that_are_not_square(
    asked: tuple[int, int], shape: tuple[int, int], images: np.ndarray, letters: np.ndarray
) -> None:
    fitted = GlyphClassifier(FLAT, epochs=1, image_shape=asked).fit(images.reshape(60, -1), letters)
    assert fitted.image_shape_ == shape == fitted.classifier_.spec.image_shape[1:]


@pytest.mark.parametrize(
    ("shape", "asked", "message"),
    [
        ((60, 143), None, r"X has 143 features, that is pixels, which do not make up a square image; give image_shape"),
        ((60, 144), (10, 12), r"X has 144 features, that is pixels, which do not make up image_shape = \(10, 12\)"),
        ((60, 144), (-1, 13), r"do not make up image_shape = \(-1, 13\)"),
        ((60, 144), (-1, -1), r"do not make up image_shape = \(-1, -1\)"),
        ((60, 144), (-1, 0), r"do not make up image_shape = \(-1, 0\)"),
        ((60, 144), (-12, -12), r"do not make up image_shape"),
        ((60, 144), (0, 144), r"do not make up image_shape = \(0, 144\)"),
        ((60, 12, 12), (9, 16), r"X has images of 12x12, which do not make up image_shape = \(9, 16\)"),
        ((60, 6, 6, 4), None, "dim 4"),
    ],
)
def test_shapes_that_do_not_fit(shape: tuple[int, ...], asked: Any, message: str, letters: np.ndarray) -> None:
    with pytest.raises(ValueError, match=message):
        GlyphClassifier(FLAT, image_shape=asked).fit(np.zeros(shape), letters)


def test_mistakes_are_told(images: np.ndarray, letters: np.ndarray) -> None:
    with pytest.raises(ValueError, match="y holds one class only, 'alpha'; a classifier needs two"):
        GlyphClassifier(FLAT).fit(images, np.array(["alpha"] * 60))
    with pytest.raises(NotFittedError):
        GlyphClassifier(FLAT).predict(images)
    with pytest.raises(RecipeError, match="no recipe 'fsat': did you mean 'fast'"):
        GlyphClassifier("fsat").fit(images, letters)
    with pytest.raises(RecipeError, match=r"unknown setting 'training\.rl'"):
        GlyphClassifier(FLAT, settings={"training.rl": 1}).fit(images, letters)
    fitted = GlyphClassifier(FLAT, epochs=1).fit(images, letters)
    with pytest.raises(ValueError, match="X holds images of 9x16; this classifier was fitted to 12x12"):
        fitted.predict(images.reshape(60, 9, 16))
    with pytest.raises(ValueError, match="X has 100 features, but GlyphClassifier is expecting 144"):
        fitted.predict(np.zeros((3, 100)))


def test_this_scikit_learn_is_new_enough() -> None:
    assert tuple(map(int, sklearn.__version__.split(".")[:2])) >= (1, 4)
