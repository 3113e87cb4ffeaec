"""Where a result stands among published figures on the same data set."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from glyphlab.evaluation.published import published_on
from glyphlab.evaluation.report.subject import Subject

_LEAST_ERROR = 0.03  # percent; the scale is logarithmic, and nothing at all has no place on it
_TICKS = (10, 20, 40, 50, 70, 80, 90, 95, 98, 99, 99.5, 99.8, 99.9)


@dataclass(frozen=True)
class Row:
    """One line of the list. accuracy: percent. place, low, high: on the track, 0 to 100 percent of its width."""

    method: str
    source: str
    standing: str
    remark: str
    accuracy: float
    place: float
    low: float | None = None
    high: float | None = None

    @property
    def is_ours(self) -> bool:
        """Whether this is the run of the report."""
        return self.low is not None


@dataclass(frozen=True)
class Standing:
    """The list, the lowest first. ticks: accuracies in percent with their places on the track."""

    rows: tuple[Row, ...]
    ticks: tuple[tuple[float, float], ...]
    comparable: bool

    @classmethod
    def of(cls, subject: Subject, data: str | Path | None = None) -> Standing | None:
        """None where nothing is published on these images. data: what they were asked for by; None: the run's own."""
        evaluation = subject.evaluation
        entries = published_on(evaluation.data, evaluation.split)
        # A folder of the user's may be named like a public set, but is asked for by its path.
        if not entries or str(data or subject.run.recipe.data.name) != evaluation.data:
            return None
        ours, ends = 100 * evaluation.accuracy, [100 * end for end in evaluation.interval]
        track = _Track([*(entry.accuracy for entry in entries), ours, *ends])
        rows = [
            Row(entry.method, entry.source, entry.standing, entry.remark, entry.accuracy, track.place(entry.accuracy))
            for entry in entries
        ]
        low, high = map(track.place, ends)
        rows.append(Row(subject.run.name, "this run", "this run", "", ours, track.place(ours), low, high))
        rows.sort(key=lambda row: row.accuracy)
        return cls(tuple(rows), track.ticks(), comparable=not evaluation.remark)


class _Track:
    """A scale on which halving the errors is one and the same step everywhere: 98 to 99 % as 99 to 99.5 %."""

    def __init__(self, accuracies: list[float]) -> None:
        errors = [max(100 - accuracy, _LEAST_ERROR) for accuracy in accuracies]
        self._most, self._least = math.log(1.15 * max(errors)), math.log(min(errors) / 1.15)

    def place(self, accuracy: float) -> float:
        """0 to 100 percent of the track's width."""
        error = math.log(max(100 - accuracy, _LEAST_ERROR))
        return round(100 * (self._most - error) / (self._most - self._least), 2)

    def ticks(self) -> tuple[tuple[float, float], ...]:
        """Round accuracies on the track that leave each other room."""
        chosen: list[tuple[float, float]] = []
        for accuracy in _TICKS:
            place = self.place(accuracy)
            if 3 <= place <= 94 and (not chosen or place - chosen[-1][1] > 11):
                chosen.append((accuracy, place))
        return tuple(chosen)


def neighbours(standing: Standing) -> tuple[Row | None, Row | None]:
    """The nearest believable figures below and above this run."""
    ours = next(row for row in standing.rows if row.is_ours)
    fair = [row for row in standing.rows if row.standing in ("in line", "report")]
    below = [row for row in fair if row.accuracy <= ours.accuracy]
    above = [row for row in fair if row.accuracy > ours.accuracy]
    return (below[-1] if below else None), (above[0] if above else None)
