"""The confusion matrix as rows of cells for the page."""

from __future__ import annotations

import math
from dataclasses import dataclass

from glyphlab.evaluation.result import Evaluation


@dataclass(frozen=True)
class Cell:
    """One cell that holds images. shade: 0 to 100, how strongly it is coloured. share: percent of the true class."""

    truth: int
    prediction: int
    images: int
    share: float
    shade: int

    @property
    def is_right(self) -> bool:
        """Whether it lies on the diagonal."""
        return self.truth == self.prediction


def cells(evaluation: Evaluation) -> list[list[Cell | None]]:
    """A row a true class, a column an answer; None where there are no images.

    Mistakes are coloured by the square root of their number, so that one among thousands is still seen.
    """
    counts, support = evaluation.confusion.tolist(), evaluation.per_class.support.tolist()
    most = max((n for i, row in enumerate(counts) for j, n in enumerate(row) if i != j), default=0)
    table: list[list[Cell | None]] = []
    for truth, row in enumerate(counts):
        line: list[Cell | None] = []
        for prediction, images in enumerate(row):
            if images == 0:
                line.append(None)
                continue
            share = images / support[truth]
            shade = 12 + 78 * share**2 if truth == prediction else 14 + 76 * math.sqrt(images / max(most, 5))
            line.append(Cell(truth, prediction, images, 100 * share, round(shade)))
        table.append(line)
    return table


def pair_lists(evaluation: Evaluation, limit: int = 12) -> list[tuple[int, int, int]]:
    """The commonest confusions: (truth, prediction, images)."""
    return [(pair.truth, pair.prediction, pair.images) for pair in evaluation.most_confused(limit)]
