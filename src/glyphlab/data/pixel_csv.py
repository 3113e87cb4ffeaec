"""Tables of pixels, as Kaggle hands them out: a row an image, one column its label, the others its pixels.

A header is optional. The label, which may be a word, stands in the column named "label", or in the only one that is not
called like the others but for a number ("target" beside "pixel0", "pixel1" ...); without a header in the first. The
pixels are whole numbers 0 to 255, row by row, of a square picture: grey, or red-green-blue for each pixel in turn. A
table is read twice, first for its shape and labels, then for the pixels of the rows that are asked for, so that memory
holds little beside the images themselves.
"""

from __future__ import annotations

import csv
import gzip
import io
import math
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glyphlab.data.catalogue import Split
from glyphlab.data.glyphset import GlyphSet
from glyphlab.data.holdout import held_out
from glyphlab.data.naming import clean_name, natural_key
from glyphlab.errors import DataError, did_you_mean

SUFFIXES = (".csv", ".csv.gz")
_LABEL_COLUMN = "label"
_SMALLEST_SIDE = 4
_CHUNK_ROWS = 512
# Of more digits a label is a word: Python makes no number of some thousands.
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,1000}(\.0*)?")


@dataclass(frozen=True)
class _Outline:
    """What a first reading of a table finds.

    image_shape: [S, S] or [S, S, 3]. labels, lines: of each row its label as text and its line number from 1.
    """

    path: Path
    delimiter: str
    columns: int
    label_column: int
    has_header: bool
    image_shape: tuple[int, ...]
    labels: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)


def is_pixel_csv(path: Path) -> bool:
    """Whether `path` names a table, or a folder with train.csv in it."""
    return path.name.lower().endswith(SUFFIXES) if path.is_file() else _within(path, "train") is not None


def has_test_part(path: Path) -> bool:
    """Whether this is a folder with a test.csv beside its train.csv."""
    return path.is_dir() and _within(path, "test") is not None


def read_pixel_csv(path: Path, split: Split, *, whole: bool = False) -> GlyphSet:
    """Read one split of a table, or of a folder with train.csv and perhaps test.csv.

    Without a test.csv 15 % of each class are held out; whole: instead, either split is all of it. Ids are
    "file.csv:line". Raises `DataError`, with the line number where there is one, for anything that is not such a table.
    """
    folder = path.is_dir()
    train_path = (_within(path, "train") or path) if folder else path
    test_path = _within(path, "test") if folder else None
    name = clean_name(path.resolve().name if folder else path.name[: path.name.lower().rindex(".csv")])
    train = _outline(train_path)
    class_names = _class_names(train)
    chosen = train if split == "train" or test_path is None else _outline(test_path)
    targets = _targets(chosen, class_names)
    if chosen.image_shape != train.image_shape:
        raise DataError(
            f"{chosen.path}: images are {list(chosen.image_shape)} but those of {train.path.name} are "
            f"{list(train.image_shape)}"
        )
    wanted = np.arange(len(targets), dtype=np.int64)
    if test_path is None and not whole:
        wanted = held_out(targets, class_names, name, split)
    return GlyphSet(
        images=_pixels(chosen, wanted),
        targets=targets[wanted],
        class_names=class_names,
        name=name,
        split=split,
        ids=tuple(f"{clean_name(chosen.path.name)}:{chosen.lines[index]}" for index in wanted),
    )


def _within(folder: Path, stem: str) -> Path | None:
    """The table named `stem` in a folder."""
    return next((folder / f"{stem}{suffix}" for suffix in SUFFIXES if (folder / f"{stem}{suffix}").is_file()), None)


def _rows(path: Path) -> Iterator[tuple[int, str]]:
    """Line numbers from 1 and lines that are not blank."""
    try:
        zipped = path.suffix.lower() == ".gz"
        with gzip.open(path, "rb") if zipped else path.open("rb") as binary:
            stream = io.TextIOWrapper(binary, encoding="utf-8-sig")
            for number, line in enumerate(stream, start=1):
                if line.strip():
                    yield number, line.rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: not UTF-8 text (byte 0x{error.object[error.start]:02x}); expected a CSV of pixels"
        ) from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: damaged or truncated gzip file ({error})") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error


def _cells(line: str, delimiter: str) -> list[str]:
    """The cells of a line; quotes are taken off."""
    if '"' in line:
        try:
            return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter))]
        except csv.Error as error:
            raise DataError(f"the line that begins with {line[:20]!r} is no row of pixels ({error})") from error
    return [cell.strip() for cell in line.split(delimiter)]


def _outline(path: Path) -> _Outline:
    """First reading: shape, labels, line numbers. Every row must have as many cells as the first."""
    rows = _rows(path)
    first = next(rows, None)
    if first is None:
        raise DataError(f"{path}: the file is empty; expected a CSV of pixels, a row an image")
    outline = _shape(path, first[1])
    for number, line in rows if outline.has_header else _rows(path):
        if '"' not in line and outline.label_column == 0:  # the usual case, kept quick
            label, _, rest = line.partition(outline.delimiter)
            cells = rest.count(outline.delimiter) + 2
        else:
            row = _cells(line, outline.delimiter)
            cells = len(row)
            label = row[min(outline.label_column, cells - 1)]
        if cells != outline.columns:
            raise DataError(f"{path}, line {number}: {cells} cells, expected {outline.columns} as in the first line")
        if not label.strip():
            raise DataError(f"{path}, line {number}: the label is empty")
        outline.labels.append(label.strip())
        outline.lines.append(number)
    if not outline.labels:
        raise DataError(f"{path}: a header but no rows; expected a row an image")
    return outline


def _shape(path: Path, first_line: str) -> _Outline:
    """Delimiter, header, label column and image shape, from the first line."""
    delimiter = max(",;\t", key=first_line.count)
    cells = _cells(first_line, delimiter)
    label_column = _label_column(path, cells)
    pixels = len(cells) - 1
    for channels in (1, 3):
        side = math.isqrt(pixels // channels)
        if side * side * channels == pixels and side >= _SMALLEST_SIDE:
            shape = (side, side) if channels == 1 else (side, side, 3)
            return _Outline(path, delimiter, len(cells), label_column or 0, label_column is not None, shape)
    side = math.isqrt(len(cells))
    if side * side == len(cells) and side >= _SMALLEST_SIDE:
        raise DataError(
            f"{path}: {len(cells)} columns are exactly a {side}x{side} picture, so there is no label; "
            f"expected {len(cells) + 1} columns, the label first"
        )
    raise DataError(
        f"{path}: {len(cells)} columns, so {pixels} pixels beside the label; expected a square picture, grey "
        "or RGB (28x28: 785 columns, the label first)"
    )


def _label_column(path: Path, cells: list[str]) -> int | None:
    """Where the first row, if it is a header, has the label; None: it is no header, but an image."""
    names = [cell.casefold() for cell in cells]
    if _LABEL_COLUMN in names:
        return names.index(_LABEL_COLUMN)
    words = [column for column, name in enumerate(names) if not _is_number(name)]
    if len(words) < 2:  # of which one may be the label of an image, unless the others are counted
        numbers = [name for column, name in enumerate(names) if column not in words]
        counted = [list(map(str, range(first, first + len(numbers)))) for first in (0, 1)]
        return (words[0] if words else 0) if numbers in counted else None
    stems = [re.sub(r"\d+", "", name) for name in names]
    alone = [column for column, stem in enumerate(stems) if stems.count(stem) == 1]
    if len(alone) != 1:
        raise DataError(
            f"{path}: the header does not tell which column is the label; expected one called '{_LABEL_COLUMN}', or "
            "pixels that are called alike but for their numbers"
        )
    return alone[0]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _class_names(outline: _Outline) -> tuple[str, ...]:
    """The distinct labels in natural order; numbers lose a trailing ".0"."""
    names = sorted(set(_normal(outline.labels)), key=natural_key)
    if len(names) < 2:
        raise DataError(f"{outline.path}: only one class ('{names[0]}'); expected at least two different labels")
    return tuple(names)


def _normal(labels: list[str]) -> list[str]:
    if all(_WHOLE_NUMBER.fullmatch(label) for label in set(labels)):
        return [str(int(label.partition(".")[0])) for label in labels]
    return labels


def _targets(outline: _Outline, class_names: tuple[str, ...]) -> NDArray[np.int64]:
    number_of = {name: target for target, name in enumerate(class_names)}
    labels = _normal(outline.labels)
    unknown = next((index for index, label in enumerate(labels) if label not in number_of), None)
    if unknown is not None:
        raise DataError(
            f"{outline.path}, line {outline.lines[unknown]}: label '{labels[unknown]}' is not in the "
            f"training part; {did_you_mean(labels[unknown], class_names)}"
        )
    return np.array([number_of[label] for label in labels], dtype=np.int64)


def _pixels(outline: _Outline, wanted: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Second reading: the pixels of the wanted rows (ascending), uint8 [N, S, S] or [N, S, S, 3]."""
    images = np.empty((len(wanted), *outline.image_shape), dtype=np.uint8)
    flat = images.reshape(len(images), -1)
    asked = {outline.lines[index] for index in wanted}
    done = 0
    chunk: list[tuple[int, str]] = []
    for row in _rows(outline.path):
        if row[0] in asked:
            chunk.append(row)
        if len(chunk) == _CHUNK_ROWS:
            flat[done : done + len(chunk)] = _parse(outline, chunk)
            done += len(chunk)
            chunk = []
    if chunk:
        flat[done : done + len(chunk)] = _parse(outline, chunk)
    return images


def _parse(outline: _Outline, rows: list[tuple[int, str]]) -> NDArray[np.uint8]:
    """Pixels of some rows, uint8 [rows, pixels]. Raises `DataError` for the first cell that is no pixel."""
    columns = [column for column in range(outline.columns) if column != outline.label_column]
    try:
        values = np.loadtxt(
            [line for _, line in rows],
            dtype=np.float32,
            delimiter=outline.delimiter,
            usecols=columns,
            comments=None,
            quotechar='"',
            ndmin=2,
        )
    except ValueError:
        values = _parse_slowly(outline, rows, columns)
    wrong = ~((values >= 0) & (values <= 255) & (np.floor(values) == values))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise _bad_cell(outline, rows[row][0], columns[column], f"{values[row, column]:g}")
    return values.astype(np.uint8)


def _parse_slowly(outline: _Outline, rows: list[tuple[int, str]], columns: list[int]) -> NDArray[np.float32]:
    """As NumPy's reader, cell by cell: it finds the cell to complain about."""
    values = np.empty((len(rows), len(columns)), dtype=np.float32)
    for index, (number, line) in enumerate(rows):
        cells = _cells(line, outline.delimiter)
        for place, column in enumerate(columns):
            try:
                values[index, place] = float(cells[column])
            except ValueError:
                raise _bad_cell(outline, number, column, repr(cells[column][:20])) from None
    return values


def _bad_cell(outline: _Outline, line: int, column: int, found: str) -> DataError:
    return DataError(
        f"{outline.path}, line {line}, column {column + 1}: {found} is no pixel; expected a whole number 0 "
        "to 255 (values scaled to 0..1 must be multiplied by 255)"
    )
