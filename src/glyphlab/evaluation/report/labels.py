"""Training labels that look wrong, for runs whose out-of-sample probabilities were made by k-fold training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from glyphlab.evaluation.labels.confident import label_issues, self_confidence, suggested_classes
from glyphlab.evaluation.labels.outofsample import load_out_of_sample
from glyphlab.evaluation.report.atlas import Atlas, pack, small_enough
from glyphlab.evaluation.report.subject import Subject

_MOST = 60


@dataclass(frozen=True)
class SuspiciousLabel:
    """A training image whose label the networks that never saw it contradict. position: in the atlas."""

    position: int
    index: int
    id: str
    given: str
    suggested: str
    self_confidence: float


@dataclass(frozen=True)
class TrainingLabels:
    """The most suspicious ones first. issues: how many there are by confident learning; total: training images."""

    found: tuple[SuspiciousLabel, ...]
    issues: int
    total: int
    folds: int
    atlas: Atlas | None


def training_labels(subject: Subject, data_dir: Path | None = None) -> TrainingLabels | None:
    """None where `glyphlab labels find` was never asked for this run. Raises `DataError` and `RunError`."""
    result = load_out_of_sample(subject.run, data_dir)
    if result is None or result.glyphs.image_shape != subject.glyphs.image_shape:
        return None
    glyphs = result.glyphs
    issues = np.flatnonzero(label_issues(result.probs, glyphs.targets))
    ranked = issues[np.argsort(self_confidence(result.probs[issues], glyphs.targets[issues]), kind="stable")][:_MOST]
    suggested = suggested_classes(result.probs, glyphs.targets)
    sure = self_confidence(result.probs, glyphs.targets)
    found = tuple(
        SuspiciousLabel(
            position=position,
            index=int(index),
            id=glyphs.id_of(int(index)),
            given=glyphs.class_names[int(glyphs.targets[index])],
            suggested=glyphs.class_names[int(suggested[index])],
            self_confidence=float(sure[index]),
        )
        for position, index in enumerate(ranked)
    )
    atlas = pack(small_enough(glyphs.images[ranked]), "atlas-l") if len(ranked) else None
    return TrainingLabels(found, len(issues), len(glyphs), int(result.fold.max()), atlas)
