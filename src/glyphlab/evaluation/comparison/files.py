"""A comparison as tables: for the terminal, for spreadsheets and for programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from glyphlab.errors import RunError
from glyphlab.evaluation.comparison.compare import Comparison, Entry, Pair
from glyphlab.evaluation.comparison.pictures import draw_curves, draw_flips, significance_in_words
from glyphlab.evaluation.wording import UNKNOWN, count, duration, share
from glyphlab.files import write_json, write_text

_SUMMARY = "comparison.json"

RUN_COLUMNS = (
    *("run", "accuracy", "accuracy_low_95", "accuracy_high_95", "correct", "misclassified", "loss"),
    *("validation_accuracy", "epochs", "time_seconds", "images_per_second", "peak_memory_mb", "parameters"),
)


def write_comparison(comparison: Comparison, folder: Path, limit: int = 24, force: bool = False) -> list[Path]:
    """Write tables and pictures into `folder`; returns what was written.

    comparison.json (everything but single images), runs.csv (a row a run: `RUN_COLUMNS`, then the settings that
    differ), pairs.csv (a row a pair, with its test), flipped.csv (a row an image that some runs got right and others
    wrong, with every answer), curves.png, and a picture of at most `limit` flipped images either way for each pair
    worth showing. A former comparison in the folder is replaced. Raises `RunError` when the folder holds something
    else, unless `force`, or when a file cannot be written.
    """
    require_own(folder, force)
    for former in folder.glob("flips*.png"):
        former.unlink()
    written = [folder / name for name in ("runs.csv", "pairs.csv", "flipped.csv")]
    for path, text in zip(
        written, (runs_csv(comparison), _pairs_csv(comparison), _flipped_csv(comparison)), strict=True
    ):
        write_text(path, text)
    if any(entry.history for entry in comparison.entries):
        written.append(folder / "curves.png")
        draw_curves(comparison, written[-1])
    for pair in comparison.pairs_worth_showing():
        if pair.test.only_a or pair.test.only_b:
            written.append(folder / _flips_name(comparison, pair))
            draw_flips(comparison, pair, written[-1], limit)
    # Last: whoever finds the summary finds everything else.
    written.append(folder / _SUMMARY)
    write_json(written[-1], comparison.summary())
    return written


def require_own(folder: Path, force: bool) -> None:
    """Raises `RunError` when `folder` holds anything but a former comparison, unless `force`."""
    if force or not folder.exists() or (folder / _SUMMARY).exists():
        return
    if not folder.is_dir() or any(folder.iterdir()):
        raise RunError(f"{folder} is there already and is no comparison; choose another --out, or add --force")


def runs_csv(comparison: Comparison) -> str:
    """A row a run: its figures (`RUN_COLUMNS`; shares 0 to 1), then each setting that differs."""
    rows = []
    for place, entry in enumerate(comparison.entries):
        figures = entry.summary()
        figures["accuracy_low_95"], figures["accuracy_high_95"] = entry.interval
        settings = [values[place] for values in comparison.differing.values()]
        rows.append([*(_cell(figures[column]) for column in RUN_COLUMNS), *map(_cell, settings)])
    return _csv([*RUN_COLUMNS, *comparison.differing], rows)


def _pairs_csv(comparison: Comparison) -> str:
    names = [entry.name for entry in comparison.entries]
    header = ["a", "b", "right_only_in_a", "right_only_in_b", "method", "p_value", "p_value_holm"]
    tests = [(names[pair.a], names[pair.b], pair.test, pair.corrected_p) for pair in comparison.pairs]
    return _csv(header, [[a, b, test.only_a, test.only_b, test.method, test.p_value, p] for a, b, test, p in tests])


def _flipped_csv(comparison: Comparison) -> str:
    """id and truth of each disputed image, then for each run its answer and that answer's probability."""
    glyphs, classes = comparison.glyphs, comparison.class_names
    header = ["id", "truth"]
    for entry in comparison.entries:
        header += [entry.name, f"{entry.name} p"]
    rows = []
    for index in comparison.disputed.tolist():
        row: list[Any] = [glyphs.id_of(index), classes[glyphs.targets[index]]]
        for entry in comparison.entries:
            row += [classes[entry.predictions[index]], f"{entry.confidences[index]:.9g}"]
        rows.append(row)
    return _csv(header, rows)


def figures_table(comparison: Comparison) -> list[list[str]]:
    """For the terminal: a row a figure, first its name, then a column a run; figures that no run records left out."""
    rows = [[name, *(show(entry) for entry in comparison.entries)] for name, show in _FIGURES]
    return [row for row in rows if any(cell != UNKNOWN for cell in row[1:])]


def settings_table(comparison: Comparison) -> list[list[str]]:
    """For the terminal: a row a setting that differs, first its name, then its value in each run; "-": no effect."""
    return [[key, *map(_setting, values)] for key, values in comparison.differing.items()]


def pair_in_words(comparison: Comparison, pair: Pair) -> str:
    """A pair's differing images and test, as a sentence."""
    a, b = comparison.entries[pair.a], comparison.entries[pair.b]
    return (
        f"{a.name} against {b.name}: {pair.test.only_a:,} images right only in the first, "
        f"{pair.test.only_b:,} only in the second; {significance_in_words(comparison, pair)}"
    )


def _interval(entry: Entry) -> str:
    low, high = entry.interval
    return f"{share(low)} to {share(high)}"


_FIGURES: tuple[tuple[str, Callable[[Entry], str]], ...] = (
    ("accuracy", lambda entry: share(entry.accuracy)),
    ("95% interval", _interval),
    ("misclassified", lambda entry: count(entry.misclassified)),
    ("loss", lambda entry: f"{entry.loss:.4f}"),
    ("validation", lambda entry: share(entry.validation_accuracy)),
    ("epochs", lambda entry: count(entry.epochs)),
    ("training time", lambda entry: duration(entry.time_seconds)),
    ("training images/s", lambda entry: count(entry.images_per_second)),
    ("peak memory in MB", lambda entry: count(entry.peak_memory_mb)),
    ("parameters", lambda entry: count(entry.parameters)),
)


def _setting(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _cell(value: Any) -> Any:
    """A value as CSV takes it: numbers as they are, what is not there as nothing."""
    return "" if value is None else value


def _flips_name(comparison: Comparison, pair: Pair) -> str:
    """The name of a pair's picture, by the runs' places on the command line: names of runs may be any text."""
    return "flips.png" if len(comparison.entries) == 2 else f"flips-{pair.a + 1}-{pair.b + 1}.png"


def _csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
