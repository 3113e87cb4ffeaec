"""What a transfer found, as a value, as JSON and in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from glyphlab.evaluation.result import Evaluation
from glyphlab.evaluation.transfer.pictures import Pictures
from glyphlab.training.run import Run
from glyphlab.training.transfer.choice import Untried
from glyphlab.training.transfer.trial import Trial
from glyphlab.training.transfer.ways import SUMMARIES, Way


@dataclass(frozen=True)
class Retention:
    """What adding classes did to the old ones. Shares answered rightly, 0 to 1.

    data, images: the base's own test images. before: of them, by the base. after: of them, by the new network, which
    may answer with a new class. new: of the new classes' test pictures, by the new network.
    """

    data: str
    images: int
    before: float
    after: float
    new: float


@dataclass(frozen=True, eq=False)
class TransferReport:
    """A finished transfer.

    run: the new run folder. model: its model file; None where the network cannot be exported. trials: the ways that
    were tried, none for single pictures. untried: those that were not, or not to their end. evaluation: on the test
    images, with kept classes on theirs as well; without any held out, in cross-validation. frozen: layers that
    fine-tuning left alone. sheet: the contact sheet. time_seconds: from pictures to model file and figures. fresh:
    accuracy on the test pictures without those that were learned from as well; None where there are none.
    """

    run: Run
    base: str
    way: Way
    trials: Sequence[Trial]
    pictures: Pictures
    sheet: Path
    frozen: int | None
    evaluation: Evaluation
    retention: Retention | None
    model: Path | None
    time_seconds: float
    fresh: float | None = None
    untried: Sequence[Untried] = ()

    def to_json(self) -> dict[str, Any]:
        """The figures as plain values."""
        return {
            "run": str(self.run.folder),
            "model": str(self.model) if self.model else None,
            "base": self.base,
            "way": self.way,
            "frozen_layers": self.frozen,
            "ways": [trial.to_json() for trial in self.trials],
            "untried": [way.to_json() for way in self.untried],
            "pictures": self.pictures.to_json() | {"sheet": str(self.sheet)},
            "test": self.evaluation.summary(),
            "cross_validated": self.pictures.untested and bool(self.trials),
            "repeated_test_pictures": 0 if self.pictures.untested else len(self.pictures.repeated),
            "accuracy_without_repeated": self.fresh,
            "retention": asdict(self.retention) if self.retention else None,
            "time_seconds": round(self.time_seconds, 2),
        }

    def rows(self) -> list[tuple[str, ...]]:
        """The ways side by side; the chosen one is marked.

        Name, accuracy, spread over folds, accuracy with varied copies, loss, time in seconds, and what it is; or why it
        was not tried.
        """
        tried: list[tuple[str, ...]] = [
            (
                ("* " if trial.way == self.way else "  ") + trial.way,
                f"{trial.accuracy:.1%}",
                f"{100 * trial.spread:.1f}" if len(trial.accuracies) > 1 else "-",
                f"{trial.varied:.1%}",
                f"{trial.loss:.3f}",
                f"{trial.time_seconds:.1f}",
                SUMMARIES[trial.way],
            )
            for trial in self.trials
        ]
        return tried + [
            (f"  {way.way}", "-", "-", "-", "-", f"{way.time_seconds:.1f}", way.reason) for way in self.untried
        ]

    def describe(self) -> str:
        """A few short lines for the terminal."""
        lines = [f"way       {self.way}: {SUMMARIES[self.way]}"]
        if self.retention is not None:
            kept, tested = self.retention, "cross-validated" if self.pictures.untested else "test"
            lines += [
                f"old       {kept.after:.2%} of {kept.images:,} {kept.data} test images right, {kept.before:.2%} "
                f"before ({100 * (kept.after - kept.before):+.2f} points)",
                f"new       {kept.new:.2%} of {len(self.evaluation) - kept.images:,} {tested} pictures right",
            ]
        lines.append(f"{'judged' if self.pictures.untested else 'test':<10}{self.evaluation.describe()}")
        if self.fresh is not None:
            others = len(self.pictures.test) - len(self.pictures.repeated)
            lines.append(f"fresh     {self.fresh:.2%} of the {others:,} test pictures that were not learned from")
        lines.append(f"time      {self.time_seconds:.0f} s from pictures to {self.model.name if self.model else 'run'}")
        return "\n".join(lines)
