"""An evaluation as CSV files (RFC 4180 quoting, UTF-8, one header line).

Numbers carry nine significant digits: enough to give back a float32 exactly, and every figure here to 1e-6.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glyphlab.data.glyphset import GlyphSet
from glyphlab.errors import RunError
from glyphlab.evaluation.metrics import Floats, top_classes
from glyphlab.evaluation.result import Evaluation
from glyphlab.files import whole_file

TOP = 5
_ROWS_AT_ONCE = 8192  # bounds the memory that text and ranking take, whatever the size of the set

_PREDICTION_COLUMNS = [
    *("id", "truth", "prediction", "correct"),
    *(f"{what}{rank}" for rank in range(1, TOP + 1) for what in ("top", "p")),
    *("loss", "margin"),
]


def write_predictions(evaluation: Evaluation, glyphs: GlyphSet, path: Path) -> None:
    """One row an image, in the order of the set.

    Columns: id (the image's path, or its index), truth, prediction (class names), correct (1 or 0),
    top1, p1 ... top5, p5 (the five most probable classes and their probabilities; empty beyond the number
    of classes), loss (nats), margin (probability of the truth minus the largest other).
    Raises `RunError` when the file cannot be written.
    """
    assert len(evaluation) == len(glyphs), (len(evaluation), len(glyphs))
    write_csv(path, _PREDICTION_COLUMNS, _prediction_rows(evaluation, glyphs))


def _prediction_rows(evaluation: Evaluation, glyphs: GlyphSet) -> Iterator[Sequence[object]]:
    name = evaluation.class_names
    shown = min(TOP, len(name))
    padding = [""] * (2 * (TOP - shown))
    for start in range(0, len(evaluation), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        top = top_classes(evaluation.logits[rows], shown)
        probs = np.take_along_axis(evaluation.probs[rows], top, axis=1)
        columns = zip(
            evaluation.targets[rows].tolist(),
            evaluation.predictions[rows].tolist(),
            top.tolist(),
            probs.tolist(),
            evaluation.losses[rows].tolist(),
            evaluation.margins[rows].tolist(),
            strict=True,
        )
        for index, (truth, prediction, best, p, loss, margin) in enumerate(columns, start):
            row: list[object] = [glyphs.id_of(index), name[truth], name[prediction], int(truth == prediction)]
            for label, share in zip(best, p, strict=True):
                row += (name[label], _digits(share))
            yield [*row, *padding, _digits(loss), _digits(margin)]


def write_classes(evaluation: Evaluation, path: Path) -> None:
    """One row a class: class, support, correct, precision, recall, f1 (0 where a share has no images)."""
    figures = evaluation.per_class
    rows = zip(
        evaluation.class_names,
        figures.support.tolist(),
        np.diagonal(evaluation.confusion).tolist(),
        map(_digits, figures.precision.tolist()),
        map(_digits, figures.recall.tolist()),
        map(_digits, figures.f1.tolist()),
        strict=True,
    )
    write_csv(path, ["class", "support", "correct", "precision", "recall", "f1"], rows)


def write_confusion(evaluation: Evaluation, path: Path) -> None:
    """The confusion matrix as counts: a row a true class, a column a predicted one, with their names."""
    counts = evaluation.confusion.tolist()
    rows = ([name, *row] for name, row in zip(evaluation.class_names, counts, strict=True))
    write_csv(path, ["truth/prediction", *evaluation.class_names], rows)


@dataclass(frozen=True, eq=False)
class Predictions:
    """What `write_predictions` stored, column by column, N rows.

    ids, truths, predictions: N strings each; the latter two are class names.
    top: per image its most probable classes, most probable first, at most five.
    probs: float64 [N, up to 5], their probabilities.
    losses, margins: float64 [N].
    """

    ids: tuple[str, ...]
    truths: tuple[str, ...]
    predictions: tuple[str, ...]
    top: tuple[tuple[str, ...], ...]
    probs: Floats
    losses: Floats
    margins: Floats

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def is_correct(self) -> NDArray[np.bool_]:
        """Whether the prediction is the truth, bool [N]."""
        return np.array([a == b for a, b in zip(self.truths, self.predictions, strict=True)], dtype=np.bool_)


def read_predictions(path: Path) -> Predictions:
    """Read what `write_predictions` wrote; `RunError` when the file is missing, damaged or something else."""
    cure = "write it anew with: glyphlab evaluate RUN"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            header, *rows = list(csv.reader(file)) or [[]]
        if header != _PREDICTION_COLUMNS:
            raise RunError(f"{path} is not a table of predictions: it begins with {header[:4]}; {cure}")
        for line, row in enumerate(rows, 2):
            if len(row) != len(header):
                raise RunError(f"{path} is damaged: row {line} has {len(row)} of {len(header)} cells; {cure}")
        return _predictions_from(rows)
    except FileNotFoundError as error:
        raise RunError(f"{path} does not exist; {cure}") from error
    except (OSError, ValueError, csv.Error) as error:
        raise RunError(f"{path} cannot be read as a table of predictions: {error}; {cure}") from error


def _predictions_from(rows: list[list[str]]) -> Predictions:
    if not rows:
        raise ValueError("it has no rows")
    ids, truths, predictions, _, *ranked, loss, margin = zip(*rows, strict=True)
    top, probs = ranked[0::2], ranked[1::2]
    shown = sum(cell[0] != "" for cell in probs)  # fewer than five where there are fewer classes
    return Predictions(
        ids=ids,
        truths=truths,
        predictions=predictions,
        top=tuple(zip(*top[:shown], strict=True)),
        probs=np.array(probs[:shown], dtype=np.float64).T,
        losses=np.array(loss, dtype=np.float64),
        margins=np.array(margin, dtype=np.float64),
    )


def _digits(number: float) -> str:
    return f"{number:.9g}"


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table, whole or not at all. Raises `RunError` when the file cannot be written."""
    # A path that is not valid UTF-8 reaches Python with surrogates in it; it is written escaped, not refused.
    with (
        whole_file(path) as temporary,
        temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
