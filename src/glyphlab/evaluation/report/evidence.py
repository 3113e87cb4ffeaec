"""Why an image was taken for something else: the training images that look most like it to the network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glyphlab.evaluation.mistakes.neighbours import Nearest
from glyphlab.evaluation.report.atlas import Atlas, bytes_per_image, pack, small_enough
from glyphlab.evaluation.result import Evaluation

PICTURE_BYTES = 1_700_000  # of a report's 8 MB


@dataclass(frozen=True, eq=False)
class Evidence:
    """Nearest training images of the surest mistakes.

    atlas: training images. near: by index in the evaluated set, positions in the atlas of the nearest training images
    of the true class and of the predicted one, nearest first.
    """

    atlas: Atlas
    near: dict[int, tuple[list[int], list[int]]]


def gather_evidence(found: Nearest | None, evaluation: Evaluation, most_bytes: int = PICTURE_BYTES) -> Evidence | None:
    """Pack the training images of as many mistakes as `most_bytes` allow, the surest mistakes first."""
    if found is None:
        return None
    images = found.train.images
    sample = images[np.linspace(0, len(images) - 1, 200).astype(np.int64)]
    most = int(most_bytes / bytes_per_image(small_enough(sample)))
    places: dict[int, int] = {}
    near: dict[int, tuple[list[int], list[int]]] = {}
    for index, true, predicted in zip(evaluation.mistakes, found.true, found.predicted, strict=True):
        wanted = [int(one) for one in (*true, *predicted) if one >= 0]
        if len(places) + len(wanted) > most:
            break
        for one in wanted:
            places.setdefault(one, len(places))
        near[int(index)] = (
            [places[int(one)] for one in true if one >= 0],
            [places[int(one)] for one in predicted if one >= 0],
        )
    return Evidence(pack(small_enough(images[list(places)]), "atlas-n"), near) if places else None
