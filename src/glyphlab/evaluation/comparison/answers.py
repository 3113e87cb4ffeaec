"""A run's answers to images, read from its evaluation folder where they can be trusted, else asked for anew."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from glyphlab.data.catalogue import Split
from glyphlab.data.glyphset import GlyphSet
from glyphlab.errors import RunError
from glyphlab.evaluation.evaluate import evaluation_folder, judge, judge_images, judged_images
from glyphlab.evaluation.metrics import Integers, log_softmax
from glyphlab.evaluation.result import Evaluation
from glyphlab.evaluation.tables import Predictions, read_predictions
from glyphlab.networks.classifier import Classifier, predict
from glyphlab.training.run import Run

# So many images are asked about again before stored answers are believed, and their probabilities may differ so much:
# two machines round differently, two trainings differ far more.
_PROBED = 64
_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class Answers:
    """What a network said to N images.

    predictions: int64 [N], class indices. confidences: float64 [N], their probabilities. is_correct: bool [N].
    losses: float64 [N], cross-entropy in nats.
    """

    predictions: Integers
    confidences: NDArray[np.float64]
    is_correct: NDArray[np.bool_]
    losses: NDArray[np.float64]

    @classmethod
    def of(cls, evaluation: Evaluation) -> Answers:
        """The answers in an evaluation."""
        return cls(evaluation.predictions, evaluation.confidences, evaluation.is_correct, evaluation.losses)

    def subset(self, places: Integers) -> Answers:
        """Those to the images at `places`."""
        return Answers(self.predictions[places], self.confidences[places], self.is_correct[places], self.losses[places])

    def renumbered(self, names: tuple[str, ...], among: tuple[str, ...]) -> Answers:
        """The same with the classes `names` numbered by their places `among` others."""
        places = np.array([among.index(name) for name in names], dtype=np.int64)
        return replace(self, predictions=places[self.predictions])


def answers_of(
    run: Run, data: str | Path | None, split: Split, data_dir: Path | None, *, whole: bool = True
) -> tuple[Answers, GlyphSet]:
    """A run's answers and the images, classes numbered as its network numbers them; as `evaluate.judge` takes them.

    Raises `RunError`, `DataError`, `ModelError`.
    """
    classifier = run.classifier()
    if data is None:
        glyphs = judged_images(run, classifier.spec, split, data_dir)
        stored = stored_answers(evaluation_folder(run, split=split), classifier, glyphs)
        return stored or Answers.of(judge_images(run, classifier, glyphs)), glyphs
    evaluation, glyphs = judge(run, classifier, data, split, data_dir, whole=whole)
    return Answers.of(evaluation), glyphs


def stored_answers(folder: Path, classifier: Classifier, glyphs: GlyphSet) -> Answers | None:
    """The answers in an evaluation folder, if they are this network's to these images; None: ask the network.

    The recorded digest must be that of `glyphs`, and the network must say the same again to the 64 images whose
    answers were the least sure, which are the first to change when weights do.
    """
    try:
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        if summary["data_sha256"] != glyphs.digest():
            return None
        table = read_predictions(folder / "predictions.csv")
        answers = _from_table(table, glyphs)
    except (OSError, ValueError, KeyError, TypeError, RunError):  # none, half of one, or another version's
        return None
    probed = np.sort(np.argsort(answers.confidences, kind="stable")[:_PROBED])
    logits = predict(classifier, torch.from_numpy(glyphs.images), torch.from_numpy(probed)).numpy()
    probs = np.exp(log_softmax(logits))
    again = probs[np.arange(len(probed)), answers.predictions[probed]]
    return answers if np.allclose(again, answers.confidences[probed], rtol=0, atol=_TOLERANCE) else None


def _from_table(table: Predictions, glyphs: GlyphSet) -> Answers:
    """Raises `ValueError` or `KeyError` when the table is not one of these images."""
    places = {name: place for place, name in enumerate(glyphs.class_names)}
    predictions = np.array([places[name] for name in table.predictions], dtype=np.int64)
    targets = np.array([places[name] for name in table.truths], dtype=np.int64)
    if not np.array_equal(targets, glyphs.targets):
        raise ValueError("other images")
    return Answers(predictions, table.probs[:, 0], predictions == targets, table.losses)
