"""Which images the page holds, in which order, and what it knows of each.

Images stand in order of their true class, then of the answer: those of one cell of the confusion matrix lie next to
each other. Within a cell the surest mistakes come first, and the least sure of the right answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from glyphlab.evaluation.metrics import Integers, top_classes
from glyphlab.evaluation.mistakes.verdicts import KINDS
from glyphlab.evaluation.report.atlas import Atlas, bytes_per_image, pack, small_enough
from glyphlab.evaluation.report.evidence import Evidence
from glyphlab.evaluation.report.inside import Space
from glyphlab.evaluation.report.subject import Subject
from glyphlab.evaluation.result import Evaluation

PICTURE_BYTES = 5_000_000  # of a report's 8 MB
_NEXT_BEST = 2


@dataclass(frozen=True, eq=False)
class Shown:
    """The images of the page.

    order: int64 [M], their indices in the glyph set, cell after cell. position: int64 [N], the way back, -1 for an
    image that is left out. atlas: the images themselves, in that order.
    """

    order: Integers
    position: Integers
    atlas: Atlas

    def __contains__(self, index: int) -> bool:
        """Whether the page holds the image at `index` of the glyph set."""
        return bool(self.position[index] >= 0)

    @property
    def is_complete(self) -> bool:
        """Whether every image is there."""
        return len(self.order) == len(self.position)


def gather(subject: Subject, picture_bytes: int = PICTURE_BYTES) -> Shown:
    """Choose and pack the images: all of them where they fit into `picture_bytes`, else all mistakes first."""
    images, evaluation = subject.glyphs.images, subject.evaluation
    small = small_enough(images[: min(len(images), 400)])
    most = int(picture_bytes / bytes_per_image(small))
    chosen = np.arange(len(evaluation)) if most >= len(evaluation) else select(evaluation, most)
    order = chosen[_cell_order(subject, chosen)]
    position = np.full(len(evaluation), -1, dtype=np.int64)
    position[order] = np.arange(len(order))
    return Shown(order, position, pack(small_enough(images[order]), "atlas-t"))


def select(evaluation: Evaluation, most: int) -> Integers:
    """Indices, int64 ascending, of about `most` images: mistakes, the surest first, then right answers.

    The right answers are shared out evenly among the classes and taken in equal steps from the least to the most
    sure, so that each class shows its whole range.
    """
    mistakes = evaluation.mistakes[: max(most, 1)]
    classes = len(evaluation.class_names)
    each = max((most - len(mistakes)) // classes, 0)
    taken = [mistakes]
    for target in range(classes):
        right = np.flatnonzero(evaluation.is_correct & (evaluation.targets == target))
        right = right[np.argsort(evaluation.confidences[right], kind="stable")]
        taken.append(right[np.unique(np.linspace(0, len(right) - 1, min(each, len(right))).astype(np.int64))])
    return np.sort(np.concatenate(taken)).astype(np.int64)


def page_data(
    subject: Subject, shown: Shown, evidence: Evidence | None = None, space: Space | None = None
) -> dict[str, Any]:
    """What the page's script needs, as JSON values; lists over the shown images unless said otherwise.

    classes: names. groups: a number a class, equal for look-alikes. support: images a class.
    cells: [truth, prediction, first position, how many are shown, how many there are].
    index: in the glyph set. id: names of images, only where they have any.
    top: the most probable classes, flat; p: their probabilities in units of 1/10,000.
    kind, reason: of mistakes, by position; the kind as index into `kinds`.
    near: of mistakes, by position: nearest training images of the true and of the predicted class, as positions in
    the second atlas.
    map: points of the map of the feature space.
    """
    evaluation, order = subject.evaluation, shown.order
    top = top_classes(evaluation.logits[order], 1 + _NEXT_BEST)
    probs = np.take_along_axis(subject.probs[order], top, axis=1)
    judged = [(int(shown.position[m.index]), m) for m in subject.mistakes if shown.position[m.index] >= 0]
    return {
        "data": f"{evaluation.data} {evaluation.split}",
        "classes": list(subject.names),
        "groups": subject.groups.tolist(),
        "support": evaluation.per_class.support.tolist(),
        "cells": _cells(evaluation, order),
        "index": order.tolist(),
        "id": None if subject.glyphs.ids is None else [subject.glyphs.id_of(int(index)) for index in order],
        "topCount": top.shape[1],
        "top": top.ravel().tolist(),
        "p": np.rint(probs * 10_000).astype(np.int64).ravel().tolist(),
        "kinds": list(KINDS),
        "kind": {place: KINDS.index(mistake.kind) for place, mistake in judged},
        "reason": {place: mistake.reason for place, mistake in judged},
        "near": {
            int(shown.position[index]): places
            for index, places in (evidence.near if evidence else {}).items()
            if shown.position[index] >= 0
        },
        "map": None if space is None else _map(space, shown),
        "atlases": {
            atlas.name: {"columns": atlas.columns, "rows": atlas.rows}
            for atlas in (shown.atlas, evidence.atlas if evidence else None)
            if atlas is not None
        },
    }


def _map(space: Space, shown: Shown) -> dict[str, list[int]]:
    """The points of the map whose images are on the page: positions, and places in the drawing."""
    held = [i for i, index in enumerate(space.indices) if shown.position[index] >= 0]
    return {
        "at": [int(shown.position[space.indices[i]]) for i in held],
        "x": [space.map.x[i] for i in held],
        "y": [space.map.y[i] for i in held],
    }


def _cell_order(subject: Subject, chosen: Integers) -> Integers:
    evaluation = subject.evaluation
    right = evaluation.is_correct[chosen]
    sure = subject.confidences[chosen]
    keys = (np.where(right, sure, -sure), evaluation.predictions[chosen], evaluation.targets[chosen])
    return np.lexsort(keys).astype(np.int64)


def _cells(evaluation: Evaluation, order: Integers) -> list[Sequence[int]]:
    classes = len(evaluation.class_names)
    numbers = evaluation.targets[order] * classes + evaluation.predictions[order]
    shown = np.bincount(numbers, minlength=classes * classes)
    first = np.cumsum(shown) - shown
    there = evaluation.confusion.ravel()
    return [
        [int(cell) // classes, int(cell) % classes, int(first[cell]), int(shown[cell]), int(there[cell])]
        for cell in np.flatnonzero(there)
    ]
