"""Every misclassified image of an evaluation, with a verdict on whose fault it is; the rules are in `verdicts`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glyphlab.errors import DataError, ModelError
from glyphlab.evaluation.calibration import calibrated
from glyphlab.evaluation.labels.confident import class_thresholds
from glyphlab.evaluation.metrics import Floats, Integers, margins
from glyphlab.evaluation.mistakes.lookalikes import merged_groups
from glyphlab.evaluation.mistakes.verdicts import KINDS, Evidence, Kind, share
from glyphlab.evaluation.result import Evaluation

BORDERLINE_MARGIN = 0.2  # a right answer that leads by less is a borderline one


@dataclass(frozen=True)
class Mistake:
    """One image that was given another class than its label, or a right answer that was nearly another.

    index, id: its place in the glyph set, its own name there. truth, prediction: class numbers; equal for a borderline
    right answer. confidence: probability of the answer, 0 to 1. margin: probability of the label minus the largest
    other, -1 to 1; below 0: a mistake. kind, reason: the verdict, and what it rests on in plain words.
    look_alike: label and answer (for a right answer: label and runner-up) are written alike. Probabilities are at the
    temperature that `find_mistakes` was given.
    """

    index: int
    id: str
    truth: int
    prediction: int
    confidence: float
    margin: float
    kind: Kind
    reason: str
    look_alike: bool


def find_mistakes(
    evaluation: Evaluation,
    *,
    others: Sequence[Evaluation] = (),
    thresholds: Floats | None = None,
    borderline: bool = False,
    temperature: float | None = None,
    neighbours: Integers | None = None,
    ids: Sequence[str] | None = None,
) -> list[Mistake]:
    """The misclassified images, the surest mistake first, each with its verdict.

    others: what other networks answer on the same images. thresholds: float64 [K], from which probability on the
    network counts as sure of a class; default: the class thresholds of these very images. borderline: right answers
    that lead by less than 0.2 follow the mistakes, the closest first. temperature: what calibrates the probabilities
    (`evaluate.temperature_of`); default: as the network gives them. neighbours: int64 [len(evaluation.mistakes), n],
    classes of the n training images nearest to each of `evaluation.mistakes` (`neighbours.Nearest.labels`); -1 where
    there are fewer. ids: a name for each image; default: its index.

    Raises `ModelError` for others with other classes, `DataError` for others that saw other images.
    """
    for other in others:
        _check_same(evaluation, other)
    assert neighbours is None or len(neighbours) == len(evaluation.mistakes), neighbours.shape
    judge = _Judge(evaluation, others, thresholds, temperature, ids)
    wrong = [
        judge.mistake(index, () if neighbours is None else neighbours[row].tolist())
        for row, index in enumerate(evaluation.mistakes.tolist())
    ]
    wrong.sort(key=lambda one: (-one.confidence, one.index))
    return wrong + (judge.borderline() if borderline else [])


def count_kinds(mistakes: Sequence[Mistake]) -> dict[Kind, int]:
    """How many mistakes are of each kind; borderline right answers do not count."""
    counts = Counter(one.kind for one in mistakes if one.truth != one.prediction)
    return {kind: counts[kind] for kind in KINDS}


class _Judge:
    """Gathers the evidence on single images of one evaluation."""

    def __init__(
        self,
        evaluation: Evaluation,
        others: Sequence[Evaluation],
        thresholds: Floats | None,
        temperature: float | None,
        ids: Sequence[str] | None,
    ) -> None:
        self.evaluation, self.others, self.ids = evaluation, others, ids
        self.probs = evaluation.probs if temperature is None else calibrated(evaluation.logits, temperature)
        self.margins = margins(self.probs, evaluation.targets)
        self.groups = merged_groups(evaluation.class_names)
        self.thresholds = class_thresholds(self.probs, evaluation.targets) if thresholds is None else thresholds
        assert self.thresholds.shape == (len(evaluation.class_names),), self.thresholds.shape

    def mistake(self, index: int, neighbours: Sequence[int]) -> Mistake:
        """neighbours: classes of the nearest training images, -1 for none."""
        names = self.evaluation.class_names
        label, answer = int(self.evaluation.targets[index]), int(self.evaluation.predictions[index])
        evidence = Evidence(
            label=names[label],
            answer=names[answer],
            p_label=float(self.probs[index, label]),
            p_answer=float(self.probs[index, answer]),
            threshold=float(self.thresholds[answer]),
            look_alike=bool(self.groups[label] == self.groups[answer]),
            votes=tuple(names[other.predictions[index]] for other in self.others),
            nearest=tuple(names[neighbour] for neighbour in neighbours if neighbour >= 0),
        )
        return self._describe(index, answer, *evidence.verdict())

    def borderline(self) -> list[Mistake]:
        """The right answers that lead by little, the closest first."""
        close = np.flatnonzero(self.evaluation.is_correct & (self.margins < BORDERLINE_MARGIN))
        return [self._nearly(index) for index in close[np.argsort(self.margins[close], kind="stable")].tolist()]

    def _nearly(self, index: int) -> Mistake:
        names, answer = self.evaluation.class_names, int(self.evaluation.predictions[index])
        without = self.probs[index].copy()
        without[answer] = -1.0
        rival = int(without.argmax())
        first, second = share(float(self.probs[index, answer])), share(float(without[rival]))
        reason = f"right, but only just: {names[answer]} {first}, {names[rival]} {second}"
        return self._describe(index, rival, "ambiguous", reason)

    def _describe(self, index: int, rival: int, kind: Kind, reason: str) -> Mistake:
        """rival: the class that the label lost against, or nearly lost against."""
        truth, answer = int(self.evaluation.targets[index]), int(self.evaluation.predictions[index])
        return Mistake(
            index=index,
            id=str(index) if self.ids is None else self.ids[index],
            truth=truth,
            prediction=answer,
            confidence=float(self.probs[index, answer]),
            margin=float(self.margins[index]),
            kind=kind,
            reason=reason,
            look_alike=bool(self.groups[truth] == self.groups[rival]),
        )


def _check_same(evaluation: Evaluation, other: Evaluation) -> None:
    """Networks are compared image by image and class by class."""
    if other.class_names != evaluation.class_names:
        raise ModelError(
            f"another network's classes are {listed(other.class_names)}; expected "
            f"{listed(evaluation.class_names)}; compare networks that tell the same classes apart"
        )
    if other.data_sha256 != evaluation.data_sha256:
        raise DataError(
            f"another network was evaluated on other images: {other.data} {other.split}, {len(other):,} images; "
            f"expected the same {len(evaluation):,} images of {evaluation.data} {evaluation.split}"
        )


def listed(names: Sequence[str]) -> str:
    """Class names within an error message."""
    return f"{', '.join(names[:8])} ... ({len(names)} classes)" if len(names) > 8 else ", ".join(names)
