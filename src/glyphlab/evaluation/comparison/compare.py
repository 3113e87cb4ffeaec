"""Several runs on the same images: what each achieved, what it cost, where they differ, and whether that is chance."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glyphlab.data.catalogue import Split
from glyphlab.data.equal import image_digests
from glyphlab.data.glyphset import GlyphSet
from glyphlab.data.locate import given_path
from glyphlab.errors import DataError, RunError
from glyphlab.evaluation.comparison.answers import Answers, answers_of
from glyphlab.evaluation.comparison.significance import McNemar, holm, mcnemar
from glyphlab.evaluation.learned import some_of
from glyphlab.evaluation.metrics import Integers, wilson_interval
from glyphlab.evaluation.other_data import other_data
from glyphlab.training.history import EpochMetrics
from glyphlab.training.run import Run

# Facts of the machine that are shown beside the settings where they differ.
_MACHINE = ("device_name", "torch", "glyphlab")


@dataclass(frozen=True, eq=False)
class Entry:
    """One run of a comparison.

    name: the folder's name, or its path where two runs have the same name.
    predictions: int64 [N], into the comparison's class names. confidences: float64 [N], their probabilities.
    is_correct: bool [N]. loss: mean cross-entropy in nats.
    settings: every setting with an effect, as "section.key", and facts of the machine as "machine.key".
    parameters, epochs, time_seconds (of training), peak_memory_mb (10**6 bytes), validation_accuracy (0 to 1, of the
    weights that answered): None where the run does not record them.
    """

    name: str
    folder: Path
    predictions: Integers
    confidences: NDArray[np.float64]
    is_correct: NDArray[np.bool_]
    loss: float
    settings: dict[str, Any]
    history: tuple[EpochMetrics, ...]
    parameters: int | None
    epochs: int | None
    time_seconds: float | None
    peak_memory_mb: float | None
    validation_accuracy: float | None

    @property
    def correct(self) -> int:
        """Number of images classified correctly."""
        return int(np.count_nonzero(self.is_correct))

    @property
    def misclassified(self) -> int:
        """Number of images classified wrongly."""
        return len(self.is_correct) - self.correct

    @property
    def accuracy(self) -> float:
        """Share of images classified correctly, 0 to 1."""
        return self.correct / len(self.is_correct)

    @property
    def interval(self) -> tuple[float, float]:
        """95 % Wilson interval of the accuracy, (low, high), 0 to 1."""
        return wilson_interval(self.correct, len(self.is_correct))

    @property
    def images_per_second(self) -> float | None:
        """Training speed: the middle one of the epochs' speeds, which a pause of the machine does not distort."""
        return median(row.images_per_second for row in self.history) if self.history else None

    def summary(self) -> dict[str, Any]:
        """The figures as plain values, ready for JSON; shares are 0 to 1."""
        return {
            "run": self.name,
            "folder": str(self.folder),
            "accuracy": self.accuracy,
            "accuracy_interval_95": list(self.interval),
            "correct": self.correct,
            "misclassified": self.misclassified,
            "loss": self.loss,
            "validation_accuracy": self.validation_accuracy,
            "epochs": self.epochs,
            "time_seconds": self.time_seconds,
            "images_per_second": self.images_per_second,
            "peak_memory_mb": self.peak_memory_mb,
            "parameters": self.parameters,
        }


@dataclass(frozen=True)
class Pair:
    """Two entries (`a` before `b`, both indices), McNemar's test between them, and its p-value by Holm's correction."""

    a: int
    b: int
    test: McNemar
    corrected_p: float

    @property
    def is_significant(self) -> bool:
        """Whether the difference is beyond chance at the level of 5 %, over all pairs of the comparison together."""
        return self.corrected_p < 0.05


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two or more runs' answers to the same images.

    glyphs: the images, with the first run's class names. class_names: these, and after them any further classes
    that another run's network knows.
    """

    glyphs: GlyphSet
    class_names: tuple[str, ...]
    entries: tuple[Entry, ...]

    @cached_property
    def pairs(self) -> tuple[Pair, ...]:
        """Every two entries, tested; in order."""
        couples = list(itertools.combinations(range(len(self.entries)), 2))
        tests = [mcnemar(self.entries[a].is_correct, self.entries[b].is_correct) for a, b in couples]
        corrected = holm([test.p_value for test in tests])
        return tuple(Pair(a, b, test, p) for (a, b), test, p in zip(couples, tests, corrected, strict=True))

    @property
    def best(self) -> int:
        """Index of the most accurate entry; the first of equals."""
        return max(range(len(self.entries)), key=lambda index: self.entries[index].accuracy)

    def pairs_worth_showing(self) -> tuple[Pair, ...]:
        """All pairs of two or three runs; of more only those with the best run, since pairs grow with the square."""
        if len(self.entries) <= 3:
            return self.pairs
        return tuple(pair for pair in self.pairs if self.best in (pair.a, pair.b))

    def flipped(self, pair: Pair) -> tuple[Integers, Integers]:
        """Images that only `a`, and that only `b` got right; int64 indices, the other's surest mistake first."""
        a, b = self.entries[pair.a], self.entries[pair.b]

        def surest(only: NDArray[np.bool_], mistaken: Entry) -> Integers:
            found = np.flatnonzero(only)
            return found[np.argsort(-mistaken.confidences[found], kind="stable")].astype(np.int64)

        return surest(a.is_correct & ~b.is_correct, b), surest(b.is_correct & ~a.is_correct, a)

    @cached_property
    def disputed(self) -> Integers:
        """Images that some entries got right and others wrong, int64, ascending."""
        right = np.stack([entry.is_correct for entry in self.entries])
        return np.flatnonzero(right.any(axis=0) & ~right.all(axis=0)).astype(np.int64)

    @cached_property
    def differing(self) -> dict[str, tuple[Any, ...]]:
        """Settings that are not the same in all runs: the value in each, None where it has no effect there."""
        found = dict.fromkeys(key for entry in self.entries for key in entry.settings)
        sections = list(dict.fromkeys(key.partition(".")[0] for key in found))
        keys = sorted(found, key=lambda key: sections.index(key.partition(".")[0]))  # sections stay together
        values = {key: tuple(entry.settings.get(key) for entry in self.entries) for key in keys}
        return {key: row for key, row in values.items() if any(value != row[0] for value in row)}

    def summary(self) -> dict[str, Any]:
        """Everything but the answers to single images, as plain values, ready for JSON."""
        names = [entry.name for entry in self.entries]
        return {
            "data": self.glyphs.name,
            "split": self.glyphs.split,
            "data_sha256": self.glyphs.digest(),
            "remark": self.glyphs.remark,
            "n": len(self.glyphs),
            "runs": [entry.summary() for entry in self.entries],
            "differing_settings": {
                key: dict(zip(names, row, strict=True)) for key, row in self.differing.items()
            },
            "pairs": [
                {"a": names[pair.a], "b": names[pair.b], **pair.test.to_dict(), "p_value_holm": pair.corrected_p}
                for pair in self.pairs
            ],
            "disputed": len(self.disputed),
        }  # fmt: skip


def compare(
    runs: Sequence[Run | str | Path],
    data: str | Path | None = None,
    *,
    split: Split = "test",
    data_dir: str | Path | None = None,
    runs_dir: str | Path = "runs",
    on_run: Callable[[str], None] | None = None,
) -> Comparison:
    """Compare two or more runs on the test images of their own, common data set, or on those of `data`.

        comparison = glyphlab.compare(["mnist-fast-1", "mnist-mnist-net-1"])
        comparison.pairs[0].test.p_value

    A run's stored evaluation is used where it belongs to the run's present weights; otherwise the run is judged anew
    (nothing is written). Of `data` without a test part all images are judged, unless they are one run's own: then what
    they hold out. Images from which one of the networks learned are left out for all. on_run: told the name of each
    run before its turn. Raises `RunError` for fewer than two runs, the same run twice or one without weights;
    `DataError` when the runs' images are not the same.
    """
    opened = [run if isinstance(run, Run) else Run.open(run, runs_dir) for run in runs]
    names, data_dir = _names_of(opened), given_path(data_dir)
    whole = all(other_data(run, data) is not None for run in opened)
    judged: list[tuple[Answers, GlyphSet]] = []
    for run, name in zip(opened, names, strict=True):
        if on_run is not None:
            on_run(name)
        judged.append(answers_of(run, data, split, data_dir, whole=whole))
    if data is not None:
        judged = _on_common_images(judged)
    first = judged[0][1]
    class_names: tuple[str, ...] = ()
    entries: list[Entry] = []
    for run, name, (answers, glyphs) in zip(opened, names, judged, strict=True):
        _require_same_images(first, glyphs, names[0], name, by_name=data is not None)
        class_names += tuple(known for known in glyphs.class_names if known not in class_names)
        entries.append(_entry(run, name, answers.renumbered(glyphs.class_names, class_names)))
    return Comparison(first, class_names, tuple(entries))


def _on_common_images(judged: Sequence[tuple[Answers, GlyphSet]]) -> list[tuple[Answers, GlyphSet]]:
    """The same of those images alone that none of the networks learned from, which for one of them were left out."""
    names = [glyphs.ids or tuple(map(repr, image_digests(glyphs.images).tolist())) for _, glyphs in judged]
    common = set(names[0]).intersection(*names[1:])
    if not common or all(set(own) == common for own in names):
        return list(judged)
    kept: list[tuple[Answers, GlyphSet]] = []
    for (answers, glyphs), own in zip(judged, names, strict=True):
        places = np.flatnonzero([name in common for name in own])
        told = f"only the {len(places):,} images that none of the networks learned from"
        kept.append((answers.subset(places), some_of(glyphs, places, told)))
    return kept


def _names_of(runs: Sequence[Run]) -> list[str]:
    """A name for each run. Raises `RunError` for fewer than two runs, or the same one twice."""
    if len(runs) < 2:
        raise RunError(f"{len(runs)} run given; a comparison takes two or more: glyphlab compare RUN RUN ...")
    places = [run.folder.resolve() for run in runs]
    for run, place in zip(runs, places, strict=True):
        if places.count(place) > 1:
            raise RunError(f"{run.name} is given twice; name each run once")
    names = [run.name for run in runs]
    return [name if names.count(name) == 1 else str(run.folder) for name, run in zip(names, runs, strict=True)]


def _require_same_images(
    first: GlyphSet, other: GlyphSet, first_run: str, other_run: str, *, by_name: bool
) -> None:  # fmt: skip
    """Raises `DataError` unless both sets hold the same images with the same labels, in the same order.

    by_name: both were read from one place, so that equal names mean equal pictures, however they were prepared.
    """
    if first is other:
        return
    if by_name and first.ids is not None:
        same_images = first.ids == other.ids
    else:
        same_images = np.array_equal(first.images, other.images)
    if not same_images or not np.array_equal(_labels(first), _labels(other)):
        raise DataError(
            f"{first_run} and {other_run} were not judged on the same images: {_described(first)} against "
            f"{_described(other)}; compare runs of the same data, or judge all on the same images with --data"
        )


def _labels(glyphs: GlyphSet) -> NDArray[np.str_]:
    """The images' classes by name, since networks may number the same classes differently."""
    return np.array(glyphs.class_names)[glyphs.targets]


def _described(glyphs: GlyphSet) -> str:
    return f"{glyphs.name} {glyphs.split} ({len(glyphs):,} images, sha256 {glyphs.digest()[:8]}…)"


def _entry(run: Run, name: str, answers: Answers) -> Entry:
    """Answers together with what the run records of itself."""
    environment, status, history = run.environment, run.status, run.history
    best = status.get("best")
    last = history[-1].validation_accuracy if history else None
    return Entry(
        name=name,
        folder=run.folder,
        predictions=answers.predictions,
        confidences=answers.confidences,
        is_correct=answers.is_correct,
        loss=float(answers.losses.mean()),
        settings=run.recipe.dotted() | {f"machine.{key}": environment.get(key) for key in _MACHINE},
        history=tuple(history),
        parameters=environment.get("parameters"),
        epochs=status.get("epochs"),
        time_seconds=status.get("time_seconds"),
        peak_memory_mb=environment.get("peak_memory_mb"),
        validation_accuracy=best["validation_accuracy"] if best else last,
    )
