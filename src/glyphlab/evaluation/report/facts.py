"""Plain facts of a run for the page: key figures, classes, environment, how to make it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from glyphlab.errors import quoted
from glyphlab.evaluation.metrics import wilson_interval
from glyphlab.evaluation.report.subject import Subject
from glyphlab.evaluation.report.words import share
from glyphlab.evaluation.wording import counted, duration


@dataclass(frozen=True)
class Figure:
    """A number with its name, and a few words below it."""

    name: str
    value: str
    note: str = ""


def key_figures(subject: Subject) -> list[Figure]:
    """What people look for first."""
    evaluation = subject.evaluation
    low, high = evaluation.interval
    figures = [
        Figure("Accuracy", share(evaluation.accuracy), f"95 % interval {share(low)} to {share(high)}"),
        Figure("Wrong", f"{len(evaluation) - evaluation.correct:,}", f"of {counted(len(evaluation), 'image')}"),
        Figure("Loss", f"{evaluation.loss:.4f}", "cross-entropy in nats"),
        Figure("Macro F1", f"{evaluation.macro_f1:.4f}", "mean over the classes"),
        Figure("Calibration error", share(evaluation.calibration_error), "as trained, 15 bins"),
    ]
    if subject.has_look_alikes:
        figures.insert(1, Figure("Merged", share(subject.merged_accuracy), "look-alikes counted as equal"))
    figures.append(Figure("Parameters", f"{subject.classifier.parameter_count():,}", subject.run.recipe.network.name))
    if seconds := subject.status.get("time_seconds"):
        epochs = counted(int(subject.status.get("epochs", 0)), "epoch")
        figures.append(Figure("Training", duration(float(seconds)), epochs))
    return figures


@dataclass(frozen=True)
class ClassRow:
    """One class. Shares are 0 to 1. mistaken_for: what its images are most often taken for, with the number."""

    number: int
    name: str
    support: int
    correct: int
    recall: float
    recall_interval: tuple[float, float]
    precision: float
    f1: float
    mistaken_for: tuple[int, int] | None


def class_rows(subject: Subject) -> list[ClassRow]:
    """A row a class, in the order of the classes."""
    evaluation, figures = subject.evaluation, subject.evaluation.per_class
    rows = []
    for number, name in enumerate(subject.names):
        line = evaluation.confusion[number].copy()
        correct, line[number] = int(line[number]), 0
        rival = int(line.argmax())
        support = int(figures.support[number])
        rows.append(
            ClassRow(
                number=number,
                name=name,
                support=support,
                correct=correct,
                recall=float(figures.recall[number]),
                recall_interval=wilson_interval(correct, support),
                precision=float(figures.precision[number]),
                f1=float(figures.f1[number]),
                mistaken_for=(rival, int(line[rival])) if line[rival] else None,
            )
        )
    return rows


def environment_rows(subject: Subject) -> list[tuple[str, str]]:
    """What environment.json holds, flat, without the long lists that the page shows elsewhere."""
    rows = list(_flat(subject.environment, hidden={"class_names", "engine_timings"}))
    return [*rows, ("evaluated images sha256", subject.evaluation.data_sha256)]


def repeat_command(subject: Subject) -> str:
    """The command that repeats the run on the same machine; of a taught run, whose recipe has no pictures, its own."""
    if subject.run.recipe.transfer is not None:
        return str(subject.environment["command"])
    data_dir = subject.environment["data"].get("data_dir")
    option = f" --data-dir {quoted(data_dir)}" if data_dir else ""
    return f"glyphlab train --recipe {quoted(subject.run.folder / 'recipe.toml')}{option}"


def _flat(values: Mapping[str, Any], hidden: set[str], prefix: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for key, value in values.items():
        name = f"{prefix}{key}".replace("_", " ")
        if key in hidden or value in (None, ""):
            continue
        if isinstance(value, dict):
            rows += _flat(value, hidden, f"{name} ")
        else:
            rows.append((name, "x".join(map(str, value)) if isinstance(value, list) else str(value)))
    return rows
