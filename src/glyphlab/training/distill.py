"""Learning from other networks: their answers stand beside the labels (Hinton, Vinyals and Dean 2015).

Several unlike networks err differently, so the mean of their answers is better than any of them; one network that
learns this mean keeps most of the gain at its own cost. The teachers see what the student sees, the augmented image.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from glyphlab.data.equal import known_among
from glyphlab.data.glyphset import GlyphSet
from glyphlab.errors import DataError, GlyphlabWarning, RecipeError, RunError, quoted
from glyphlab.networks.classifier import Classifier, ClassifierSpec
from glyphlab.training.engine import Engine
from glyphlab.training.images import Parts, load_images
from glyphlab.training.recipe import Recipe, shipped_as
from glyphlab.training.run import Run

# Of other data so many images may equal some of a teacher's, as blank ones do.
_CHANCE = 0.01


@dataclass(frozen=True, eq=False)
class Teachers:
    """Finished networks that are asked, and do not change.

    forwards: each from pixels, float32 [B, C, H, W] in 0..1, to logits [B, K].
    """

    forwards: tuple[Callable[[Tensor], Tensor], ...]

    @classmethod
    def of(
        cls, recipe: Recipe, spec: ClassifierSpec, engine: Engine, glyphs: GlyphSet, parts: Parts
    ) -> Teachers | None:
        """The best weights of the runs that the recipe names, on the engine's device and in its precision.

        spec, glyphs, parts: of the student. Raises `RunError` for what is no finished run, `RecipeError` where a
        teacher knows other classes or images, or has learned the student's validation images.
        """
        runs, batch_size = recipe.training.teachers, recipe.training.batch_size
        if runs is None:
            return None
        classifiers = []
        for name in runs:
            run = open_teacher(name)
            _require_unseen(run, glyphs, parts)
            classifiers.append(_teacher(run, spec, engine))
        return cls(tuple(engine.forward(classifier, batch_size) for classifier in classifiers))

    @torch.no_grad()
    def probs(self, pixels: Tensor) -> Tensor:
        """Mean of the teachers' probabilities, float32 [B, K]."""
        answers = [F.softmax(forward(pixels), dim=1) for forward in self.forwards]
        return torch.stack(answers).mean(dim=0)


def distillation_loss(logits: Tensor, probs: Tensor, weights: Tensor | None) -> Tensor:
    """Mean cross-entropy of the student's logits [B, K] against the teachers' probs [B, K], in nats.

    weights: of each image [B], as the loss against the labels weighs them; None: all alike.
    """
    losses = -(probs * F.log_softmax(logits, dim=1)).sum(dim=1)
    return losses.mean() if weights is None else (losses * weights).sum() / weights.sum()


def open_teacher(name: str, runs_dir: str | Path = "runs", data: str = "") -> Run:
    """A finished run to learn from, by its path or its name within `runs_dir`. Raises `RunError`.

    data: the student's; with it the error tells how a teacher that a shipped recipe makes is trained.
    """
    try:
        run = Run.open(name, runs_dir)
    except RunError as error:
        maker = maker_of(name, data)
        how = f" (glyphlab train {quoted(data)} --recipe {maker})" if maker else ""
        raise RunError(f"training.teachers: {error}. Train the teacher first{how}, or name another run") from error
    if not run.is_done:
        raise RunError(
            f"training.teachers: {name} is not finished; finish it with: glyphlab train --resume {quoted(run.folder)}, "
            "or name another run"
        )
    return run


def maker_of(name: str, data: str) -> str | None:
    """The shipped recipe, as it is called for `data`, whose first run is named `name`; None: no recipe makes that."""
    named = re.fullmatch(rf"{re.escape(data)}-(.+)-1", name)
    return named[1] if named and shipped_as(named[1], data) else None


def fingerprints(recipe: Recipe) -> dict[str, str]:
    """The teachers' weights by the runs' paths, SHA-256: a student can only be continued with the teachers it had."""
    return {name: open_teacher(name).weights_sha256() for name in recipe.training.teachers or []}


def _teacher(run: Run, spec: ClassifierSpec, engine: Engine) -> Classifier:
    classifier = run.classifier()
    if classifier.spec.class_names != spec.class_names or classifier.spec.image_shape != spec.image_shape:
        raise RecipeError(
            f"training.teachers: {run.folder} tells {len(classifier.spec.class_names)} classes apart on images of "
            f"{classifier.spec.image_shape}; expected the student's own {len(spec.class_names)} classes and "
            f"{spec.image_shape}: name runs on the same data"
        )
    classifier.spec = replace(classifier.spec, shift_averaging=False)  # every image comes shifted differently anyway
    engine.place(classifier.requires_grad_(False))
    return classifier.eval()


def _require_unseen(run: Run, glyphs: GlyphSet, parts: Parts) -> None:
    """Refuse a teacher that was trained on images which are to judge the student, through whom it would know them."""
    theirs = run.recipe
    if run.environment["data"]["sha256"] == glyphs.digest():
        seen = len(np.intersect1d(Parts.carve(glyphs, theirs).train, parts.validation, assume_unique=True))
        kept_back = f"data.validation to at most {theirs.data.validation:g}"
        if theirs.data.folds is not None:
            kept_back = f"data.folds = {theirs.data.folds} and data.fold = {theirs.data.fold}"
        cure = f"set data.split_seed = {theirs.split_seed}, and {kept_back}"
    else:
        seen = _seen_elsewhere(run, glyphs.images[parts.validation])
        cure = "its data are others, train it anew on these"
    if seen:
        raise RecipeError(
            f"training.teachers: {run.folder} was trained on {seen:,} of the {len(parts.validation):,} images that are "
            f"validation's here; expected none: {cure}"
        )


def _seen_elsewhere(run: Run, images: NDArray[np.uint8]) -> int:
    """How many of the images are among those that a teacher learned from in other data, such as a set that has grown
    or been corrected since; 0 where no more are than chance may make equal, and, with a warning, where none can tell.
    """
    try:
        theirs = load_images(run.recipe, "train", run.data_dir())
        run.require_same_data(theirs)
    except (DataError, RunError):
        warnings.warn(
            f"the data that the teacher {run.folder} learned from are not at hand; whether the images that judge the "
            "student are among them cannot be told",
            GlyphlabWarning,
            stacklevel=2,
        )
        return 0
    seen = int(known_among(images, theirs.images[Parts.carve(theirs, run.recipe).train]).sum())
    return seen if seen >= _CHANCE * len(images) else 0
