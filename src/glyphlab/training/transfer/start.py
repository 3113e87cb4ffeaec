"""A trained network as the beginning of a normal training run: with validation images, checkpoints and resume.

A recipe asks for it with ``[transfer] base = "weights.safetensors"``. The run then differs from others in its first
weights, and in the layers that stay as they are; the loop does not know of either.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from glyphlab.data.glyphset import GlyphSet
from glyphlab.errors import DataError, RecipeError
from glyphlab.networks.classifier import Classifier, load_weights
from glyphlab.training.images import Parts
from glyphlab.training.recipe import Recipe
from glyphlab.training.seeds import Purpose, derived_seed
from glyphlab.training.transfer import TRAINED_WAYS
from glyphlab.training.transfer.frozen import lower_layers, with_classes
from glyphlab.training.transfer.heads import Tuning
from glyphlab.training.transfer.task import Task
from glyphlab.training.transfer.threads import one_thread
from glyphlab.training.transfer.ways import solve


def begins_with_weights(recipe: Recipe) -> bool:
    """Whether the recipe names a file of weights to begin with, and so can be trained as a normal run."""
    return recipe.transfer is not None and recipe.transfer.base.endswith(".safetensors")


def only_teaches(recipe: Recipe) -> bool:
    """Whether the recipe teaches a trained network in a way that `glyphlab transfer` alone has."""
    return recipe.transfer is not None and not begins_with_weights(recipe)


def started(recipe: Recipe, glyphs: GlyphSet, parts: Parts) -> Classifier:
    """The base's network for the classes of `glyphs`, as the recipe's way begins.

    "frozen": a new, random last layer, all others frozen, as report B has it. "finetune": a probe as last layer, fitted
    to the training part alone, and the first `freeze` layers frozen. Raises `ModelError`: weights missing or damaged,
    more layers to freeze than there are; `DataError`: images of another size; `RecipeError`: a way without training.
    """
    settings = recipe.transfer
    assert settings is not None, recipe
    if settings.way not in TRAINED_WAYS or settings.add:
        raise RecipeError(
            f"recipe '{recipe.name}': transfer.way = '{settings.way}'{' with transfer.add' if settings.add else ''} is "
            f"not trained from weights as a run of its own; expected {' or '.join(TRAINED_WAYS)}, without add"
        )
    missing = np.bincount(glyphs.targets[parts.train], minlength=len(glyphs.class_names)) == 0
    if missing.any():
        raise DataError(
            f"{glyphs.name}: class '{glyphs.class_names[int(np.argmax(missing))]}' has no picture to learn from beside "
            "those kept back for validation; add some, or take the class out"
        )
    base = load_weights(Path(settings.base))
    if glyphs.image_shape != base.spec.image_shape:
        raise DataError(
            f"{glyphs.name}: the images are {_size(glyphs.image_shape)}, but {settings.base} looks at "
            f"{_size(base.spec.image_shape)}; prepare them for it, or begin with another network"
        )
    torch.manual_seed(derived_seed(recipe.training.seed, Purpose.WEIGHTS))
    classifier = with_classes(base, glyphs.class_names)
    if settings.way == "frozen":
        classifier.freeze(len(lower_layers(classifier)))
        return classifier
    task = Task(base, glyphs, recipe, recipe)
    with one_thread():  # features and probe to the same bits, whatever the number of threads at this moment
        solve(task, "probe", parts.train, Tuning()).put_into(classifier)
    classifier.freeze(task.frozen)
    return classifier


def _size(shape: tuple[int, ...]) -> str:
    """28x28 grey."""
    channels, height, width = shape
    return f"{width}x{height} {'grey' if channels == 1 else 'rgb'}"
