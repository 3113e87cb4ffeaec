"""The figures of a transfer that learned from every picture: what cross-validation answered."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from glyphlab.data.glyphset import GlyphSet
from glyphlab.evaluation.description import redescribe
from glyphlab.evaluation.evaluate import evaluation_folder, write_evaluation
from glyphlab.evaluation.export import figures_of
from glyphlab.evaluation.learned import some_of
from glyphlab.evaluation.result import Evaluation
from glyphlab.recognition.modelfile import MODEL_NAME
from glyphlab.recognition.recognizer import Recognizer
from glyphlab.training.run import Run
from glyphlab.training.transfer.task import Task
from glyphlab.training.transfer.trial import Trial

_REMARK = "cross-validated: each picture was answered by a network that had learned from the others"


def judged_in_folds(
    task: Task, trial: Trial, factor: float, test: GlyphSet, concluded: Evaluation
) -> tuple[Evaluation, GlyphSet]:
    """Answers to the pictures by networks that had not seen them, and the images that were judged.

    factor: by which the logits are as sure as they may be. test: the run's test part, that is the test images of kept
    classes, if any, and then the pictures that were learned from. concluded: on it, of which those old ones stay.
    """
    rehearsed = int(np.count_nonzero(task.glyphs.targets < task.kept))
    old = len(test) - (len(task.glyphs) - rehearsed)
    own = trial.pictures >= rehearsed  # they come behind those that are rehearsed
    logits = np.concatenate([concluded.logits[:old], trial.logits[own] * np.float32(factor)])
    places = np.concatenate([np.arange(old), old + trial.pictures[own] - rehearsed])
    judged = some_of(test, places, _REMARK)
    return Evaluation.from_logits(logits, judged), judged


def replace_figures(run: Run, evaluation: Evaluation, judged: GlyphSet) -> None:
    """Put these figures in the place of those on pictures that were learned from. Raises `RunError`."""
    path = run.folder / MODEL_NAME
    if path.exists():  # not of networks that model files cannot hold
        info = Recognizer.load(path, threads=1).info
        redescribe(path, replace(info, figures=figures_of(evaluation.probs, judged, None)))
    write_evaluation(evaluation, judged, evaluation_folder(run), run.weights_sha256())
