"""How well pages are read: character error rate, words, lines; and finding characters told apart from reading them.

A folder holds pictures of pages, and beside each its text: page.png, page.txt. Where page.box lies there too, in the
form of tesseract's box files, the characters' places are known and reading can be judged alone.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glyphlab.errors import DataError, GlyphlabWarning
from glyphlab.files import read_text
from glyphlab.imaging.box import Box
from glyphlab.imaging.picture import SUFFIXES, load_picture
from glyphlab.recognition.reader import GlyphModel, read, read_boxes


@dataclass(frozen=True)
class Edits:
    """The fewest changes that turn one sequence into another (V. I. Levenshtein, 1966), by kind.

    hits: equal elements. substituted: read as something else. missing: in the truth alone. extra: read alone.
    """

    hits: int = 0
    substituted: int = 0
    missing: int = 0
    extra: int = 0

    def __add__(self, other: Edits) -> Edits:
        return Edits(
            self.hits + other.hits,
            self.substituted + other.substituted,
            self.missing + other.missing,
            self.extra + other.extra,
        )

    @property
    def distance(self) -> int:
        """All changes."""
        return self.substituted + self.missing + self.extra

    @property
    def length(self) -> int:
        """Elements of the truth."""
        return self.hits + self.substituted + self.missing

    @property
    def error_rate(self) -> float:
        """Changes for each element of the truth, 0 or more; may exceed 1."""
        return self.distance / max(self.length, 1)

    @property
    def accuracy(self) -> float:
        """Share of the truth's elements that were read as they are, 0 to 1."""
        return self.hits / max(self.length, 1)


def compare(truth: Sequence[str], found: Sequence[str]) -> Edits:
    """Align what was read with the truth; both are texts, or lists of words or lines.

    Of several alignments with the fewest changes, one that prefers substitutions, from the end on, is counted.
    """
    numbers: dict[str, int] = {}
    wanted, got = (
        np.array([numbers.setdefault(item, len(numbers)) for item in items], dtype=np.int64) for items in (truth, found)
    )
    table = _distances(wanted, got)
    row, column = len(wanted), len(got)
    hits = substituted = missing = extra = 0
    while row or column:
        here = table[row, column]
        equal = row > 0 and column > 0 and wanted[row - 1] == got[column - 1]
        if row and column and table[row - 1, column - 1] + (not equal) == here:
            hits, substituted = hits + equal, substituted + (not equal)
            row, column = row - 1, column - 1
        elif row and table[row - 1, column] + 1 == here:
            missing, row = missing + 1, row - 1
        else:
            extra, column = extra + 1, column - 1
    return Edits(int(hits), int(substituted), missing, extra)


def _distances(truth: NDArray[np.int64], found: NDArray[np.int64]) -> NDArray[np.int64]:
    """Levenshtein distances of all pairs of beginnings, int64 [len(truth) + 1, len(found) + 1]."""
    table = np.empty((len(truth) + 1, len(found) + 1), dtype=np.int64)
    columns = np.arange(len(found) + 1)
    table[0] = columns
    for row, item in enumerate(truth, start=1):
        before = table[row - 1]
        table[row, 0] = row
        table[row, 1:] = np.minimum(before[1:] + 1, before[:-1] + (found != item))
        # A run of extra elements costs one each: the least of (cost at k) + (j - k) over all k up to j.
        table[row] = np.minimum.accumulate(table[row] - columns) + columns
    return table


@dataclass(frozen=True)
class PageResult:
    """One page: its text as it is and as it was read, lines ended by line feeds, and the seconds that took.

    known: of characters whose places are known, the true and the read ones in a row; ("", "") where none are.
    """

    name: str
    truth: str
    text: str
    time_seconds: float
    known: tuple[str, str] = ("", "")


@dataclass(frozen=True)
class PagesEvaluation:
    """Figures over all pages of a folder.

    characters: line feeds and spaces are characters too. characters_exact: the same with case counted.
    known_boxes: characters at known places, case ignored; from box files if `has_box_files`, else from lines in which
    as many characters were found as there are, where a wrong place is unlikely.
    """

    pages: tuple[PageResult, ...]
    characters: Edits
    characters_exact: Edits
    words: Edits
    lines: Edits
    known_boxes: Edits
    has_box_files: bool

    @property
    def time_ms(self) -> float:
        """Median time for a page in milliseconds, from pixels to text."""
        return 1000 * median(page.time_seconds for page in self.pages)

    def summary(self) -> dict[str, Any]:
        """Plain values for JSON; rates are shares, 0 to 1."""
        edits = self.characters
        return {
            "pages": len(self.pages),
            "characters": edits.length,
            "cer": edits.error_rate,
            "cer_case_counted": self.characters_exact.error_rate,
            "substituted": edits.substituted,
            "missing": edits.missing,
            "extra": edits.extra,
            "word_accuracy": self.words.accuracy,
            "line_accuracy": self.lines.accuracy,
            "cer_known_boxes": self.known_boxes.error_rate if self.known_boxes.length else None,
            "known_boxes": self.known_boxes.length,
            "known_boxes_from": "box files" if self.has_box_files else "lines of the right length",
            "time_ms_per_page": self.time_ms,
        }

    def describe(self) -> str:
        """Some lines for people."""
        edits, known = self.characters, self.known_boxes
        source = "by box files" if self.has_box_files else "in lines of the right length"
        rows = [
            f"{len(self.pages)} pages, {edits.length:,} characters, {self.words.length:,} words, "
            f"{self.lines.length:,} lines",
            f"character error rate  {edits.error_rate:.2%}, case ignored ({self.characters_exact.error_rate:.2%} "
            f"with case): {edits.substituted} read wrongly, {edits.missing} missing, {edits.extra} too many",
        ]
        if known.length:
            rows.append(f"with known boxes      {known.error_rate:.2%} of {known.length:,} characters, {source}")
        rows += [
            f"words right           {self.words.accuracy:.2%}, case ignored",
            f"lines right           {self.lines.accuracy:.2%}, case ignored",
            f"time                  {self.time_ms:.0f} ms a page (median)",
        ]
        return "\n".join(rows)


def evaluate_pages(
    recognizer: GlyphModel,
    folder: str | Path,
    *,
    only: str | None = None,
    context: bool = True,
    language: str = "en",
) -> PagesEvaluation:
    """Read every page of a folder and compare it with its text.

    Blank lines and repeated spaces of the texts do not count. The arguments are those of `read`.
    Raises `DataError` for a folder without such pages or a damaged text, `ImageError` for a page that cannot be read.
    """
    results: list[PageResult] = []
    has_box_files = False
    for path in _pages_in(Path(folder)):
        truth = _plain(_read_text(path.with_suffix(".txt")))
        pixels = load_picture(path)
        start = time.perf_counter()
        page = read(recognizer, pixels, only=only, context=context, language=language)
        seconds = time.perf_counter() - start
        boxes = path.with_suffix(".box")
        if boxes.is_file():
            has_box_files = True
            words = _read_boxes(boxes, truth, pixels.shape[0])
            read_there = read_boxes(recognizer, pixels, words, only=only, context=context, language=language)
            known = ("".join(truth.split()), read_there)
        else:
            known = _same_lengths(truth, page.text)
        results.append(PageResult(path.name, truth, page.text, seconds, known))
    if not any(page.truth for page in results):
        raise DataError(f"{folder}: the texts of all {len(results):,} pages are empty; expected what is written there")
    return _judge(results, has_box_files)


def _judge(results: Sequence[PageResult], has_box_files: bool) -> PagesEvaluation:
    """The figures of all pages together."""
    characters = exact = words = lines = known = Edits()
    for page in results:
        truth, text = page.truth.lower(), page.text.lower()
        characters += compare(truth, text)
        exact += compare(page.truth, page.text)
        words += compare(truth.split(), text.split())
        lines += compare(truth.split("\n"), text.split("\n"))
        # Paired before they are lowered: a capital may have two small letters, as the Turkish İ has.
        right = sum(one.lower() == other.lower() for one, other in zip(*page.known, strict=True))
        known += Edits(hits=right, substituted=len(page.known[0]) - right)
    return PagesEvaluation(tuple(results), characters, exact, words, lines, known, has_box_files)


def _pages_in(folder: Path) -> list[Path]:
    """The pictures that have a text beside them, by name."""
    if not folder.is_dir():
        raise DataError(f"no folder {folder}; expected one that holds pictures of pages and their texts (.txt)")
    pictures = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    found = [path for path in pictures if path.with_suffix(".txt").is_file()]
    if not found:
        raise DataError(
            f"{folder} holds {len(pictures)} pictures but none with its text beside it; expected page.txt for page.png"
        )
    if without := len(pictures) - len(found):
        message = f"{folder}: {without:,} of {len(pictures):,} pictures left out, which have no text beside them"
        warnings.warn(message, GlyphlabWarning, stacklevel=3)
    return found


def _read_text(path: Path) -> str:
    try:
        return read_text(path)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path} as UTF-8 text: {error}") from error


def _plain(text: str) -> str:
    """Without blank lines, repeated spaces and spaces at the ends."""
    return "\n".join(" ".join(line.split()) for line in text.splitlines() if line.strip())


def _same_lengths(truth: str, text: str) -> tuple[str, str]:
    """The characters of lines in which as many were read as there are, spaces left out; the true and the read ones."""
    wanted, got = ([line.replace(" ", "") for line in lines.split("\n")] for lines in (truth, text))
    if len(wanted) != len(got):
        return "", ""
    same = [(one, other) for one, other in zip(wanted, got, strict=True) if len(one) == len(other)]
    return "".join(one for one, _ in same), "".join(other for _, other in same)


def _read_boxes(path: Path, truth: str, height: int) -> list[list[Box]]:
    """The boxes of each word's characters. A row: character, left, bottom, right, top, page; rows count upwards."""
    boxes: list[Box] = []
    characters = ""
    for number, row in enumerate(_read_text(path).splitlines(), start=1):
        try:
            character, left, bottom, right, top = row.split(" ")[:5]
            boxes.append(Box(int(left), height - int(top), int(right), height - int(bottom)))
        except ValueError as error:
            raise DataError(
                f"{path}, line {number}: {row!r}; expected 'character left bottom right top page'"
            ) from error
        characters += character
    if characters != "".join(truth.split()):
        raise DataError(f"{path} holds the characters {characters[:40]!r}...; {path.stem}.txt reads otherwise")
    words: list[list[Box]] = []
    for word in truth.split():
        words.append(boxes[: len(word)])
        boxes = boxes[len(word) :]
    return words
