"""Classifiers of scikit-learn beside the networks: k nearest neighbours and a support vector machine.

They see the same training and validation images as a network of the same recipe would, as pixels in 0..1. Their cost
grows with the number of training images, so a stated number of these, drawn evenly by class, may stand for all.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from glyphlab.training.settings import Section

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from glyphlab.data.glyphset import GlyphSet
    from glyphlab.training.recipe import Recipe


class Baseline(Section):
    """Which classifier, with its settings."""

    name: Literal["k-nearest-neighbours", "support-vectors"]
    images: int | None = Field(None, ge=2, description="training images at most; default: all")
    neighbours: int = Field(5, ge=1, description="k-nearest-neighbours: how many vote")
    penalty: float = Field(10.0, gt=0, description="support-vectors: C, the price of a wrong training image")

    def describe(self) -> str:
        """A few words."""
        return f"k-NN, k = {self.neighbours}" if self.name == "k-nearest-neighbours" else f"SVM, C = {self.penalty:g}"


def judge_baseline(baseline: Baseline, recipe: Recipe, glyphs: GlyphSet, threads: int) -> dict[str, Any]:
    """Fit on the recipe's training part and judge on its validation part; a trial's result as JSON values.

    The support vector machine has a radial kernel with scikit-learn's gamma, "scale". Neither gives probabilities
    worth the name here, so the loss is None.
    """
    import numpy as np
    from threadpoolctl import threadpool_limits

    from glyphlab.training.images import Parts

    parts = Parts.carve(glyphs, recipe)
    chosen = _subset(glyphs.targets, parts.train, baseline.images, recipe.training.seed)
    train, validation = (_pixels(glyphs, indices) for indices in (chosen, parts.validation))
    began = time.perf_counter()
    with threadpool_limits(limits=threads):
        model = _model(baseline)
        model.fit(train, glyphs.targets[chosen])
        answers = model.predict(validation)
    elapsed = time.perf_counter() - began
    return {
        "accuracy": float(np.mean(answers == glyphs.targets[parts.validation])),
        "loss": None,
        "best_epoch": None,
        "epochs": None,
        "time_seconds": round(elapsed, 3),
        "parameters": None,
        "train_images": len(chosen),
        "train_images_of": len(parts.train),
        "validation_images": len(parts.validation),
        "images_per_second": None,
        "history": [],
    }


def _model(baseline: Baseline) -> Any:
    if baseline.name == "k-nearest-neighbours":
        from sklearn.neighbors import KNeighborsClassifier

        return KNeighborsClassifier(baseline.neighbours, algorithm="brute")
    from sklearn.svm import SVC

    return SVC(C=baseline.penalty, cache_size=1000)


def _pixels(glyphs: GlyphSet, indices: NDArray[np.int64]) -> NDArray[np.float32]:
    """Pixels of the chosen images in 0..1, float32 [len(indices), H * W * C]."""
    import numpy as np

    pixels = glyphs.images[indices].reshape(len(indices), -1)
    return pixels.astype(np.float32) / np.float32(255)


def _subset(targets: NDArray[np.int64], train: NDArray[np.int64], images: int | None, seed: int) -> NDArray[np.int64]:
    """At most `images` of the training indices, with the same mix of classes."""
    import numpy as np

    if images is None or images >= len(train):
        return train
    shuffled = np.random.default_rng(seed).permutation(train)
    # Where each image stands among those of its class, from 0 to 1: the first of all these have every class's share.
    stands = np.empty(len(train))
    for target in np.unique(targets[train]):
        own = np.flatnonzero(targets[shuffled] == target)
        stands[own] = (np.arange(len(own)) + 0.5) / len(own)
    return np.sort(shuffled[np.argsort(stands, kind="stable")[:images]])
