"""What a run's model file says, and how pictures become what the run's network takes."""

from __future__ import annotations

from dataclasses import replace

from glyphlab.errors import ModelError
from glyphlab.networks.classifier import ClassifierSpec
from glyphlab.recognition.modelfile import MODEL_NAME, ModelInfo
from glyphlab.recognition.recognizer import Recognizer
from glyphlab.training.images import framing_of
from glyphlab.training.recipe import Recipe
from glyphlab.training.run import Run


def stored_info(run: Run) -> ModelInfo | None:
    """The description in the run's model file; None where there is none, or one of another version."""
    try:
        return Recognizer.load(run.folder / MODEL_NAME, threads=1).info
    except ModelError:
        return None


def current_info(run: Run) -> ModelInfo | None:
    """The same, of a model file made of the weights that the run has now."""
    info = stored_info(run)
    return info if info is not None and info.weights_sha256 == run.weights_sha256() else None


def info_of(run: Run, spec: ClassifierSpec) -> ModelInfo:
    """How pictures become glyphs for a run's network: as its model file says, where it has one, else by its recipe."""
    stored = stored_info(run)
    if stored is not None:  # the user may have exported it with a framing of his choice
        return replace(stored, class_names=spec.class_names, image_shape=spec.image_shape)
    framing = framing_of_run(run, spec.image_shape)
    inverted = framing is None and fits_inverted(run.recipe)
    return ModelInfo(spec.class_names, spec.image_shape, framing, invert=inverted)


def framing_of_run(run: Run, image_shape: tuple[int, int, int]) -> str | None:
    """How pictures must be framed to look like what the run was trained on; None: they are fitted in whole."""
    origin = run.environment["data"].get("origin", run.recipe.data.name)  # runs of former versions do not say
    return framing_of(run.recipe, origin, image_shape)


def temperature_of(run: Run) -> float | None:
    """The temperature in the run's model file; None where it has none, or one made of other weights."""
    info = current_info(run)
    return None if info is None else info.temperature


def fits_inverted(recipe: Recipe) -> bool:
    """Whether pictures that are fitted in whole are inverted first."""
    return recipe.transfer.invert if recipe.transfer is not None else recipe.data.invert
