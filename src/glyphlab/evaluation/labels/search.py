"""Suspicious labels, near-duplicates and outliers of a data set: the search, and the tables it leaves behind.

labels.csv       the most suspicious label first, those that another class fits better: rank (of all images), id, index,
                 given, suggested, self_confidence, normalized_margin, issue (yes: confidently of another class)
duplicates.csv   pairs of equal or nearly equal images, those with different labels first
outliers.csv     the images farthest from their neighbours, farthest first
labels.json      how many of each, and what they were found with
"""

from __future__ import annotations

import csv
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from glyphlab.data.glyphset import GlyphSet
from glyphlab.errors import DataError, GlyphlabWarning, RunError
from glyphlab.evaluation.labels import confident
from glyphlab.evaluation.labels.corrections import Action, Correction
from glyphlab.evaluation.labels.duplicates import DuplicatePair, find_duplicates
from glyphlab.evaluation.labels.nearest import Nearest, outlier_scores
from glyphlab.evaluation.tables import write_csv
from glyphlab.files import move, read_object, write_json

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

Score = Literal["normalized_margin", "self_confidence"]
# Chosen by benchmarks/label_noise.py. Where classes look alike the margin puts every 0 that may be an O before a label
# that is plainly wrong; self-confidence does not. On MNIST the two are equal.
RANKED_BY: Score = "self_confidence"
# Neighbours in feature space: whose pixels are compared, and whose mean distance makes an outlier.
NEIGHBOURS = 10
_FEWEST_ROWS = 100
# Networks that agree with fewer of the labels are, more often than not, themselves the ones who are wrong.
_ABLE_TO_JUDGE = 0.8

_LABEL_COLUMNS = ["rank", "id", "index", "given", "suggested", "self_confidence", "normalized_margin", "issue"]
_DUPLICATE_COLUMNS = ["kind", "same_label", "similarity", "id_1", "index_1", "label_1", "id_2", "index_2", "label_2"]
_OUTLIER_COLUMNS = ["rank", "id", "index", "given", "distance"]


@dataclass(frozen=True, eq=False)
class LabelSearch:
    """What out-of-sample probabilities, and the neighbours in feature space, say of a set's labels.

    probs: float [N, K], out-of-sample. nearest: the neighbours of each image; None: no near-duplicates and outliers.
    """

    glyphs: GlyphSet
    probs: NDArray[np.floating[Any]]
    nearest: Nearest | None = None
    ranked_by: Score = RANKED_BY

    @property
    def agreement(self) -> float:
        """The share of the labels that the networks would have given, 0 to 1."""
        return float((self.probs.argmax(axis=1) == self.glyphs.targets).mean())

    @property
    def is_doubtful(self) -> bool:
        """Whether the networks are too weak for their word to count against many labels."""
        return self.agreement < _ABLE_TO_JUDGE

    @cached_property
    def self_confidence(self) -> Floats:
        """Probability of the given label, float64 [N]."""
        return confident.self_confidence(self.probs, self.glyphs.targets)

    @cached_property
    def normalized_margin(self) -> Floats:
        """Self-confidence against the likeliest other class, float64 [N], 0 to 1; below 0.5 that one is likelier."""
        return confident.normalized_margin(self.probs, self.glyphs.targets)

    @cached_property
    def suggested(self) -> Integers:
        """The likeliest class other than the given one, int64 [N]."""
        return confident.suggested_classes(self.probs, self.glyphs.targets)

    @cached_property
    def is_issue(self) -> NDArray[np.bool_]:
        """Confident learning's label issues, bool [N]."""
        return confident.label_issues(self.probs, self.glyphs.targets)

    @cached_property
    def order(self) -> Integers:
        """All images, the most suspicious label first, int64 [N]; ties in the order of the set."""
        scores: Floats = getattr(self, self.ranked_by)
        return np.argsort(scores, kind="stable").astype(np.int64)

    @property
    def suspicious(self) -> Integers:
        """In the same order: images that another class fits better, and issues."""
        chosen = (self.normalized_margin < 0.5) | self.is_issue
        return self.order[chosen[self.order]]

    @cached_property
    def duplicates(self) -> list[DuplicatePair]:
        """Pairs of images that are one; without neighbours only those equal in every pixel."""
        return find_duplicates(self.glyphs, self.nearest)

    @cached_property
    def outlier_scores(self) -> Floats:
        """Mean cosine distance to the neighbours, float64 [N]; zeros without neighbours."""
        return np.zeros(len(self.glyphs)) if self.nearest is None else outlier_scores(self.nearest)

    @cached_property
    def outliers(self) -> Integers:
        """The hundred images farthest from their neighbours, farthest first, int64; none without neighbours."""
        if self.nearest is None:
            return np.empty(0, dtype=np.int64)
        return np.argsort(-self.outlier_scores, kind="stable")[:_FEWEST_ROWS].astype(np.int64)

    def rows(self, limit: int) -> list[dict[str, Any]]:
        """The first `limit` of the ranking as plain values, ready for JSON."""
        return [self._row(rank, index) for rank, index in enumerate(self.order[:limit].tolist(), start=1)]

    def summary(self) -> dict[str, Any]:
        """The figures as plain values, ready for JSON."""
        glyphs, pairs = self.glyphs, self.duplicates
        return {
            "data": glyphs.name,
            "split": glyphs.split,
            "data_sha256": glyphs.digest(),
            "remark": glyphs.remark,
            "images": len(glyphs),
            "out_of_sample_accuracy": self.agreement,
            "doubtful": self.is_doubtful,
            "ranked_by": self.ranked_by,
            "another_class_likelier": int((self.normalized_margin < 0.5).sum()),
            "issues": int(self.is_issue.sum()),
            "duplicates": len(pairs),
            "duplicates_with_different_labels": sum(not pair.same_label for pair in pairs),
        }

    def write(self, folder: Path) -> None:
        """Write the tables. Raises `RunError` when they cannot be written.

        Corrections that lie there are kept under another name where they were made for other images: an id may now
        be another image's.
        """
        _set_aside_corrections(folder, self.glyphs.digest())
        write_csv(folder / "labels.csv", _LABEL_COLUMNS, self._label_rows())
        write_csv(folder / "duplicates.csv", _DUPLICATE_COLUMNS, self._duplicate_rows())
        write_csv(folder / "outliers.csv", _OUTLIER_COLUMNS, self._outlier_rows())
        # Last: whoever finds it finds everything else.
        write_json(folder / "labels.json", self.summary())

    def _label_rows(self) -> Iterator[Sequence[object]]:
        """The suspicious ones; in a clean set, at least the first hundred of the ranking."""
        listed = np.zeros(len(self.glyphs), dtype=np.bool_)
        listed[self.suspicious] = True
        listed[self.order[:_FEWEST_ROWS]] = True
        for rank, index in enumerate(self.order.tolist(), start=1):
            if listed[index]:
                row = self._row(rank, index)
                scores = (f"{row[score]:.6f}" for score in ("self_confidence", "normalized_margin"))
                yield rank, row["id"], index, row["given"], row["suggested"], *scores, "yes" if row["issue"] else "no"

    def _row(self, rank: int, index: int) -> dict[str, Any]:
        names = self.glyphs.class_names
        return {
            "rank": rank,
            "id": self.glyphs.id_of(index),
            "index": index,
            "given": names[self.glyphs.targets[index]],
            "suggested": names[self.suggested[index]],
            "self_confidence": float(self.self_confidence[index]),
            "normalized_margin": float(self.normalized_margin[index]),
            "issue": bool(self.is_issue[index]),
        }

    def _duplicate_rows(self) -> Iterator[Sequence[object]]:
        for pair in self.duplicates:
            yield (
                pair.kind,
                "yes" if pair.same_label else "no",
                f"{pair.similarity:.6f}",
                *self._named(pair.first),
                *self._named(pair.second),
            )

    def _outlier_rows(self) -> Iterator[Sequence[object]]:
        for rank, index in enumerate(self.outliers.tolist(), start=1):
            yield (rank, *self._named(index), f"{self.outlier_scores[index]:.6f}")

    def _named(self, index: int) -> tuple[str, int, str]:
        return self.glyphs.id_of(index), index, self.glyphs.class_names[self.glyphs.targets[index]]


@dataclass(frozen=True)
class Suspicion:
    """A row of labels.csv, as far as a reviewer needs it; given and suggested are class names."""

    id: str
    index: int
    given: str
    suggested: str
    self_confidence: float


def decision(row: Suspicion, action: Action, label: str = "") -> Correction:
    """What a reviewer decides about a suspicion. label: with "relabel" the class it gets."""
    own = {"keep": row.suggested, "relabel": label, "discard": ""}[action]
    return Correction(row.id, row.given, action, own)


def read_labels(path: Path, find: str = "glyphlab labels find DATA|RUN") -> list[Suspicion]:
    """Read labels.csv, the most suspicious label first. Raises `RunError` when it is missing or something else.

    find: the command that writes it.
    """
    cure = f"write it with: {find}"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            if reader.fieldnames != _LABEL_COLUMNS:
                raise RunError(f"{path} is not a table of suspicious labels: it begins {reader.fieldnames}; {cure}")
            return [
                Suspicion(row["id"], int(row["index"]), row["given"], row["suggested"], float(row["self_confidence"]))
                for row in reader
            ]
    except FileNotFoundError:
        raise RunError(f"no suspicious labels at {path}; {cure}") from None
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise RunError(f"{path} cannot be read as a table of suspicious labels: {error}; {cure}") from error


def require_same_images(suspicions: Sequence[Suspicion], glyphs: GlyphSet, again: str = "glyphlab labels find") -> None:
    """Refuse, with a `DataError`, images among which a row's index is not that of its id.

    again: the command that searches anew.
    """
    if not all(0 <= row.index < len(glyphs) and row.id == glyphs.id_of(row.index) for row in suspicions):
        raise _changed(glyphs, again)


def require_searched(folder: Path, suspicions: Sequence[Suspicion], glyphs: GlyphSet, again: str) -> None:
    """Refuse, with a `DataError`, images other than those that the findings in `folder` are about.

    glyphs: with the classes numbered as in the search. Where labels.json is missing, as beside a table made by hand,
    `require_same_images` has to do. Raises `RunError` for a damaged one.
    """
    require_same_images(suspicions, glyphs, again)
    path = folder / "labels.json"
    if not path.is_file():
        return
    try:
        summary = read_object(path)
        searched, of_split = summary["data_sha256"], summary["split"]
    except (OSError, ValueError, KeyError) as error:
        raise RunError(f"cannot read {path}: {error}; search again with: {again}") from error
    if of_split == glyphs.split and searched != glyphs.digest():
        raise _changed(glyphs, again)


def _set_aside_corrections(folder: Path, digest: str) -> None:
    """Rename corrections.csv where the former search was of other images than those with this digest."""
    corrections = folder / "corrections.csv"
    try:
        former = str(read_object(folder / "labels.json")["data_sha256"])
    except (OSError, ValueError, KeyError):
        return
    if former == digest or not corrections.is_file():
        return
    kept = folder / f"corrections-{former[:8]}.csv"
    move(corrections, kept)
    message = f"the images have changed; the corrections of the former ones are kept in {kept}"
    warnings.warn(message, GlyphlabWarning, stacklevel=3)


def _changed(glyphs: GlyphSet, again: str) -> DataError:
    return DataError(
        f"the {glyphs.split} images of '{glyphs.name}' have changed since their labels were searched, so that a "
        f"suspicion may be about another image; search again with: {again}"
    )
