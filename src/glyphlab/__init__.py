"""Glyphlab: a workbench for handwritten characters.

The public names below are loaded on first use, so that ``import glyphlab`` is quick and needs no torch:

    import glyphlab
    train = glyphlab.load_dataset("mnist")            # a GlyphSet
    run = glyphlab.train("mnist-net", epochs=5)       # a Run: a folder with weights and figures
    print(glyphlab.evaluate(run).accuracy)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

_HOMES = {
    "DataError": "glyphlab.errors",
    "Evaluation": "glyphlab.evaluation.result",
    "GlyphClassifier": "glyphlab.training.estimator",
    "GlyphSet": "glyphlab.data.glyphset",
    "GlyphlabError": "glyphlab.errors",
    "ImageError": "glyphlab.errors",
    "ModelError": "glyphlab.errors",
    "Prediction": "glyphlab.recognition.prediction",
    "Recipe": "glyphlab.training.recipe",
    "RecipeError": "glyphlab.errors",
    "Recognizer": "glyphlab.recognition.recognizer",
    "Run": "glyphlab.training.run",
    "RunError": "glyphlab.errors",
    "compare": "glyphlab.evaluation.comparison.compare",
    "evaluate": "glyphlab.evaluation.evaluate",
    "export_run": "glyphlab.evaluation.export",
    "load_dataset": "glyphlab.data.sources",
    "report": "glyphlab.evaluation.report.write",
    "resume": "glyphlab.training.resume",
    "train": "glyphlab.training.train",
}

__all__ = sorted([*_HOMES, "__version__"])

if TYPE_CHECKING:
    from glyphlab.data.glyphset import GlyphSet
    from glyphlab.data.sources import load_dataset
    from glyphlab.errors import DataError, GlyphlabError, ImageError, ModelError, RecipeError, RunError
    from glyphlab.evaluation.comparison.compare import compare
    from glyphlab.evaluation.evaluate import evaluate
    from glyphlab.evaluation.export import export_run
    from glyphlab.evaluation.report.write import report
    from glyphlab.evaluation.result import Evaluation
    from glyphlab.recognition.prediction import Prediction
    from glyphlab.recognition.recognizer import Recognizer
    from glyphlab.training.estimator import GlyphClassifier
    from glyphlab.training.recipe import Recipe
    from glyphlab.training.resume import resume
    from glyphlab.training.run import Run
    from glyphlab.training.train import train


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'glyphlab' has no attribute '{name}'")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value  # over a submodule of the same name, for good
    return value


def __dir__() -> list[str]:
    return list(__all__)
