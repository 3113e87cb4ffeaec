"""`GlyphClassifier`: the training engine as a scikit-learn estimator."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from glyphlab.data.glyphset import GlyphSet
from glyphlab.data.sources import ARRAYS
from glyphlab.networks.classifier import predict
from glyphlab.training.recipe import Recipe
from glyphlab.training.train import train_glyphs, train_in_memory

try:
    from sklearn.utils.validation import validate_data
except ImportError:  # scikit-learn before 1.6

    def validate_data(estimator: Any, /, *data: Any, **settings: Any) -> Any:
        """What was a method of the estimator."""
        return estimator._validate_data(*data, **settings)


# Stand in for a recipe's "auto", and with them the number of threads that torch has. Timing what is fastest takes
# seconds, more than many fits, and may choose otherwise the next time; here the same fit gives the same network.
_ENGINE = {"precision": "float32", "channels_last": True, "compile": False}


class GlyphClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A network for images of characters, trained by a Glyphlab recipe.

        classifier = GlyphClassifier(epochs=10, random_state=0).fit(images, labels)
        classifier.score(more_images, more_labels)

    X: [N, H, W], or [N, H * W] with an image's rows one after another. uint8 is taken as pixels 0 to 255. Other
    numbers are scaled to 256 grey levels, from the least to the greatest value of the training images; what lies
    outside is cut off there. y: labels of any kind that scikit-learn takes for classes.

    Parameters: recipe, a shipped recipe's name, a .toml file or a `Recipe`. epochs: "auto" is what the recipe says,
    which may be "auto" itself: more for few images, fewer for many. settings: dotted replacements,
    ``{"training.lr": 0.01, "network.width": 16}``. image_shape: (height, width) of images given as rows, of which one
    may be -1, to be worked out; None: square. random_state: a whole number is the seed; None: the recipe's seed, so
    that equal fits give equal networks. runs_dir: a folder in which each fit leaves a run folder; None: no file is
    written.

    Fitted: classes_ [K], n_features_in_ (H * W), image_shape_ (H, W), pixel_range_ (low, high), classifier_ (a
    `Classifier`), recipe_ (resolved), history_ (an `EpochMetrics` an epoch), run_ (a `Run`, or None).

    Part of the training images (the recipe's data.validation) is kept back to judge each epoch. Data that cannot
    be used raise `ValueError`, as everywhere in scikit-learn; recipes raise `RecipeError`.
    """

    classes_: NDArray[Any]
    n_features_in_: int

    def __init__(
        self,
        recipe: str | Path | Recipe = "fast",
        *,
        epochs: int | Literal["auto"] = "auto",
        settings: Mapping[str, Any] | None = None,
        image_shape: tuple[int, int] | None = None,
        random_state: int | np.random.RandomState | None = None,
        runs_dir: str | Path | None = None,
    ) -> None:
        self.recipe = recipe
        self.epochs = epochs
        self.settings = settings
        self.image_shape = image_shape
        self.random_state = random_state
        self.runs_dir = runs_dir

    def fit(self, X: ArrayLike, y: ArrayLike) -> GlyphClassifier:  # noqa: N803 (scikit-learn's name)
        """Train anew. Raises `ValueError`, `RecipeError` and `RunError`; Ctrl-C passes through."""
        recipe = self._composed()
        rows, shape = _as_rows(X)
        rows, labels = validate_data(self, rows, y, reset=True)
        check_classification_targets(labels)
        self.classes_, targets = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y holds one class only, '{self.classes_[0]}'; a classifier needs two classes or more")
        self.image_shape_ = self._shape_of(shape)
        self.pixel_range_ = (0.0, 255.0) if rows.dtype == np.uint8 else (float(rows.min()), float(rows.max()))
        glyphs = GlyphSet(
            images=self._images(rows),
            targets=targets.astype(np.int64),
            class_names=tuple(str(label) for label in self.classes_),
            name=ARRAYS,
        )
        with torch.random.fork_rng(devices=[]):  # the caller's own random numbers go on as if nothing had happened
            self._train(recipe, glyphs)
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:  # noqa: N803
        """Probabilities, float64 [N, K], in the order of `classes_`; each row sums to 1."""
        check_is_fitted(self)
        rows, shape = _as_rows(X)
        rows = validate_data(self, rows, reset=False)
        if shape is not None and shape != self.image_shape_:
            raise ValueError(
                f"X holds images of {_text(shape)}; this classifier was fitted to {_text(self.image_shape_)}"
            )
        logits = predict(self.classifier_, torch.from_numpy(self._images(rows)))
        probs: NDArray[np.float64] = torch.softmax(logits.double(), dim=1).numpy()
        return probs

    def predict(self, X: ArrayLike) -> NDArray[Any]:  # noqa: N803
        """The most probable class of each image, [N], as labelled in `fit`."""
        places = self.predict_proba(X).argmax(axis=1)
        labels: NDArray[Any] = self.classes_[places]
        return labels

    def _composed(self) -> Recipe:
        """The recipe with this estimator's parameters in it. Raises `RecipeError`."""
        recipe = self.recipe if isinstance(self.recipe, Recipe) else Recipe.load(self.recipe)
        changes: dict[str, Any] = {"data.name": ARRAYS}
        engine = _ENGINE | {"threads": torch.get_num_threads()}
        changes |= {f"engine.{key}": value for key, value in engine.items() if getattr(recipe.engine, key) == "auto"}
        if self.epochs != "auto":
            changes["training.epochs"] = self.epochs
        if isinstance(self.random_state, int | np.integer):
            changes["training.seed"] = int(self.random_state)
        elif self.random_state is not None:
            changes["training.seed"] = int(check_random_state(self.random_state).randint(2**31 - 1))
        plain = {
            key: value.item() if isinstance(value, np.generic) else value
            for key, value in (changes | dict(self.settings or {})).items()
        }
        return recipe.with_settings(plain)

    def _train(self, recipe: Recipe, glyphs: GlyphSet) -> None:
        threads = torch.get_num_threads()
        try:
            self._fit_to(recipe, glyphs)
        finally:
            torch.set_num_threads(threads)  # the caller's own, for what comes after

    def _fit_to(self, recipe: Recipe, glyphs: GlyphSet) -> None:
        if self.runs_dir is None:
            trained = train_in_memory(recipe, glyphs)
            self.run_ = None
            self.recipe_, self.classifier_, self.history_ = trained.recipe, trained.classifier, trained.history
            return
        self.run_ = train_glyphs(recipe, glyphs, runs_dir=self.runs_dir)
        if self.run_.status["status"] == "interrupted":  # the run folder is kept, an unfinished estimator is not
            raise KeyboardInterrupt
        self.recipe_, self.classifier_, self.history_ = self.run_.recipe, self.run_.classifier(), self.run_.history

    def _shape_of(self, given: tuple[int, int] | None) -> tuple[int, int]:
        """Height and width of the images that `fit` was given: as arrays of that shape, or as rows."""
        pixels, asked = self.n_features_in_, self.image_shape
        if asked is None:
            height, width = given or (math.isqrt(pixels), math.isqrt(pixels))
        else:
            height, width = asked
            if height == -1 and width > 0:
                height = pixels // width
            elif width == -1 and height > 0:
                width = pixels // height
        if min(height, width) < 1 or height * width != pixels or (given is not None and given != (height, width)):
            found = f"images of {_text(given)}" if given else f"{pixels} features, that is pixels"
            wanted = f"image_shape = {asked}" if asked else "a square image; give image_shape = (height, width)"
            raise ValueError(f"X has {found}, which do not make up {wanted}")
        return height, width

    def _images(self, rows: NDArray[Any]) -> NDArray[np.uint8]:
        """Rows [N, H * W] of any numbers as images, uint8 [N, H, W]."""
        low, high = self.pixel_range_
        if rows.dtype != np.uint8 or (low, high) != (0.0, 255.0):
            span = high - low if high > low else 1.0
            levels = np.rint((rows.astype(np.float64) - low) * (255 / span))
            rows = np.clip(levels, 0, 255).astype(np.uint8)
        return np.ascontiguousarray(rows).reshape(-1, *self.image_shape_)


def _as_rows(X: Any) -> tuple[Any, tuple[int, int] | None]:  # noqa: N803
    """Images [N, H, W] as rows [N, H * W], and (H, W); anything else as it is, and None."""
    if isinstance(X, np.ndarray) and X.ndim == 3:
        return X.reshape(len(X), -1), (int(X.shape[1]), int(X.shape[2]))
    return X, None


def _text(shape: tuple[int, int]) -> str:
    return f"{shape[0]}x{shape[1]}"
