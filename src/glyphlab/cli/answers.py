"""How answers are printed as they come: a table, CSV or JSON; and what pictures that are drawn of them are called.

Nothing is kept but a table's first rows, and the names.
"""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from glyphlab.cli.console import shown
from glyphlab.recognition.rows import answer_row, failure_row, header

if TYPE_CHECKING:
    from glyphlab.recognition.prediction import Prediction, Rule

# A table's columns are as wide as its first rows need.
_FIRST_ROWS = 64


class AnswerWriter(Protocol):
    """Takes answers one after the other; `close` after the last."""

    def answer(self, file: str, prediction: Prediction) -> None:
        """One picture's answer."""

    def failure(self, file: str, message: str) -> None:
        """A picture, or a place without one, that could not be used; the message names it."""

    def close(self) -> None:
        """Nothing more will come."""


class TableWriter:
    """Aligned columns: file, answer, probability, set (where sets were asked for), alternatives."""

    def __init__(self, stream: TextIO, rule: Rule) -> None:
        self._stream = stream
        self._with_sets = with_sets = rule.thresholds is not None
        self._waiting: list[tuple[str, ...]] = [("file", "answer", "probability", *["set"] * with_sets, "otherwise")]
        self._widths: list[int] | None = None

    def answer(self, file: str, prediction: Prediction) -> None:
        """Print a row, or keep it until the widths are known."""
        others = "  ".join(f"{name} {probability:.1%}" for name, probability in prediction.alternatives)
        sets = [" ".join(prediction.prediction_set)] * self._with_sets
        self._waiting.append((shown(file), str(prediction), f"{prediction.probability:.1%}", *sets, others))
        if self._widths is not None or len(self._waiting) > _FIRST_ROWS:
            self._flush()

    def failure(self, file: str, message: str) -> None:
        """A table shows answers only."""

    def close(self) -> None:
        """Print what is kept."""
        if self._widths is not None or len(self._waiting) > 1:
            self._flush()

    def _flush(self) -> None:
        if self._widths is None:
            self._widths = [max(map(len, column)) for column in zip(*self._waiting, strict=True)]
        for row in self._waiting:
            cells = (cell.ljust(width) for cell, width in zip(row, self._widths, strict=True))
            self._stream.write("  ".join(cells).rstrip() + "\n")
        self._waiting.clear()


class CsvWriter:
    """A row a picture, see `recognition.rows`; the runners-up in columns of their own."""

    def __init__(self, stream: TextIO, rule: Rule) -> None:
        self._writer = csv.writer(stream, lineterminator="\n")
        self._rule = rule
        self._writer.writerow(header(rule.alternatives))

    def answer(self, file: str, prediction: Prediction) -> None:
        """Write a row."""
        self._writer.writerow(answer_row(file, prediction, self._rule))

    def failure(self, file: str, message: str) -> None:
        """Write a row that holds the name and the error alone."""
        self._writer.writerow(failure_row(file, message, self._rule.alternatives))

    def close(self) -> None:
        """Nothing is kept."""


class JsonWriter:
    """One document, {"model": ..., "predictions": [...], "errors": [...]}, with an answer a line.

    It is closed when all answers are in it. One that Ctrl-C or an error cut short stays open on purpose: no parser
    takes a part of the answers for all of them.

    Whether an answer is certain stands there only where the rule asks for something that it could fall short of.
    """

    def __init__(self, stream: TextIO, rule: Rule, *, model: str) -> None:
        self._stream = stream
        self._rule = rule
        self._separator = ""
        self._errors: list[str] = []
        stream.write(f'{{"model": {json.dumps(model, ensure_ascii=False)}, "predictions": [')

    def answer(self, file: str, prediction: Prediction) -> None:
        """Write an object."""
        value: dict[str, Any] = {"file": file, **prediction.to_json()}
        if not self._rule.judges:
            del value["certain"]
        self._stream.write(f"{self._separator}\n  {json.dumps(value, ensure_ascii=False)}")
        self._separator = ","

    def failure(self, file: str, message: str) -> None:
        """Keep the message for the end."""
        self._errors.append(message)

    def close(self) -> None:
        """End the document."""
        self._stream.write(f'\n], "errors": {json.dumps(self._errors, ensure_ascii=False)}}}\n')


class DrawnNames:
    """The names of pictures that are drawn into one folder, each of them another: "a", "a-2", "a-3"."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._last: dict[str, int] = {}

    def take(self, wanted: str) -> str:
        """`wanted`, or, where a picture has that name, the first free one with a number behind it."""
        key = wanted.casefold()  # some systems take A.png and a.png for one file
        number, name = self._last.get(key, 1), wanted
        while name.casefold() in self._taken:
            number += 1
            name = f"{wanted}-{number}"
        self._last[key] = number
        self._taken.add(name.casefold())
        return name
