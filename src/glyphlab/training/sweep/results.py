"""What came out of a sweep: its trials with their figures, ranked, and as CSV."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glyphlab.files import write_text
from glyphlab.training.sweep.definition import SweepDefinition
from glyphlab.training.sweep.entry import Entry, Standing
from glyphlab.training.sweep.ledger import Ledger


@dataclass(frozen=True)
class SweepResults:
    """A sweep at one moment. begun: UTC, ISO 8601. folder: where its runs lie, as far as they are on this machine."""

    name: str
    definition: SweepDefinition
    entries: tuple[Entry, ...]
    begun: str
    prediction_sha256: str | None
    folder: Path

    @classmethod
    def read(cls, ledger: Ledger, folder: Path) -> SweepResults:
        """What the ledger holds now. Raises `RunError` when the storage does not answer."""
        record = ledger.record
        return cls(
            name=ledger.name,
            definition=ledger.definition,
            entries=tuple(ledger.entries()),
            begun=record["begun"],
            prediction_sha256=record["prediction_sha256"],
            folder=folder,
        )

    @property
    def finished(self) -> list[Entry]:
        """The trials that were trained to their end, best first."""
        done = [entry for entry in self.entries if entry.standing is Standing.FINISHED]
        return sorted(done, key=lambda entry: (-self.score(entry), entry.number))

    @property
    def best(self) -> Entry | None:
        """The best finished trial."""
        return next(iter(self.finished), None)

    @property
    def is_over(self) -> bool:
        """Whether every trial has ended."""
        return all(entry.standing.is_over for entry in self.entries)

    def count(self, standing: Standing) -> int:
        """How many trials stand so."""
        return sum(entry.standing is standing for entry in self.entries)

    def score(self, entry: Entry) -> float:
        """The objective such that more is better."""
        assert entry.result is not None
        if self.definition.search.maximised:
            return float(entry.result["accuracy"])
        loss = entry.result["loss"]
        return -math.inf if loss is None else -float(loss)

    def equals_of_best(self) -> list[Entry]:
        """The finished trials whose accuracy the validation images cannot tell from the best one's.

        That is, whose difference is within 1.96 standard errors of the difference of two proportions. That is a rough
        rule: for trials that err on the same images it is strict, and the best of many trials owes some of its lead
        to chance, for which it makes no allowance.
        """
        best = self.best
        if best is None or best.result is None:
            return []
        alike: list[Entry] = []
        for entry in self.finished:
            assert entry.result is not None
            a, b = best.result["accuracy"], entry.result["accuracy"]
            n, m = best.result["validation_images"], entry.result["validation_images"]
            if a - b <= 1.96 * math.sqrt(a * (1 - a) / n + b * (1 - b) / m):
                alike.append(entry)
        return alike

    def folder_of(self, entry: Entry) -> Path | None:
        """A trial's run folder; None for classifiers of scikit-learn and trials without a result."""
        name = (entry.result or {}).get("run")
        return self.folder / "runs" / name if name else None

    def rows(self) -> list[dict[str, Any]]:
        """A row a trial, in the order of their numbers; None where there is no figure."""
        figures = (
            "accuracy", "loss", "best_epoch", "epochs", "time_seconds", "images_per_second", "parameters",
            "train_images", "validation_images", "run",
        )  # fmt: skip
        return [
            {"trial": entry.number, "name": entry.trial.label, "standing": entry.standing.value}
            | {key: entry.trial.point.get(key) for key in self.definition.keys}
            | {figure: (entry.result or {}).get(figure) for figure in figures}
            | {"reported_accuracy": entry.trial.reported, "host": entry.host, "failure": entry.failure or None}
            for entry in self.entries
        ]

    def write_csv(self, path: Path) -> None:
        """Write `rows` as CSV; accuracies are shares on the validation images, times are in seconds."""
        rows = self.rows()
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]) if rows else ["trial"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_text(path, text.getvalue())
