"""Write the report of a run: gather its parts, one after the other, and put them on one page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, get_args

from glyphlab.data.catalogue import Split
from glyphlab.data.glyphset import GlyphSet
from glyphlab.data.locate import given_path, user_path
from glyphlab.data.naming import clean_name
from glyphlab.errors import GlyphlabError, RunError, did_you_mean
from glyphlab.evaluation.calibration import Reliability, calibrated, reliability
from glyphlab.evaluation.evaluate import evaluation_folder, judge
from glyphlab.evaluation.mistakes.examination import Examination, Progress, examine, require_unlike
from glyphlab.evaluation.mistakes.verdicts import KINDS
from glyphlab.evaluation.other_data import other_data
from glyphlab.evaluation.report import charts, facts, inside, matrix, words
from glyphlab.evaluation.report.evidence import gather_evidence
from glyphlab.evaluation.report.inside import Projection
from glyphlab.evaluation.report.labels import training_labels
from glyphlab.evaluation.report.page import is_report, render
from glyphlab.evaluation.report.shown import Shown, gather, page_data
from glyphlab.evaluation.report.standing import Standing
from glyphlab.evaluation.report.subject import Subject
from glyphlab.evaluation.result import Evaluation
from glyphlab.files import write_bytes
from glyphlab.networks.classifier import Classifier
from glyphlab.training.run import Run

_WRITING, _PARTS = "writing the report", 5
_GALLERY_WITHOUT_SCRIPT = 60
_READ_TO_RECOGNISE = 4096  # bytes of an existing file


def report(
    run: Run | str | Path,
    data: str | Path | None = None,
    *,
    split: Split = "test",
    path: str | Path | None = None,
    others: Sequence[Run | str | Path] = (),
    projection: Projection = "pca",
    looks: bool = True,
    data_dir: str | Path | None = None,
    runs_dir: str | Path = "runs",
    force: bool = False,
    on_progress: Progress = lambda task, done, total: None,
) -> Path:
    """Judge a run on its test images, or on those of `data`, and write the report; returns its path.

        report("runs/mnist-fast-1")                           # runs/mnist-fast-1/report.html
        report("mnist-fast-1", "my-digits/", path=Path("mine.html"))

    others: further runs, whose answers bear on the verdicts about mistakes. projection: how the feature space is laid
    flat. looks: with pictures of what goes on inside the network, some ten seconds of work. Raises as `evaluate` and
    `write_report` do.
    """
    if projection not in get_args(Projection):
        raise GlyphlabError(f"projection is '{projection}'; {did_you_mean(projection, get_args(Projection))}")
    run = run if isinstance(run, Run) else Run.open(run, runs_dir)
    opened = [other if isinstance(other, Run) else Run.open(other, runs_dir) for other in others]
    require_unlike(run, opened)
    data = other_data(run, data)
    classifier = run.classifier()
    path, data_dir = given_path(path), given_path(data_dir)
    path = path or report_path(run, str(data) if data else None, split)
    refuse_to_lose(path, force)
    on_progress("asking the network", 0, 1)
    asking = partial(on_progress, "asking the network")
    evaluation, glyphs = judge(run, classifier, data, split, data_dir, asking)
    examination = examine(
        run, classifier, evaluation, glyphs, others=opened, data_dir=data_dir, on_progress=on_progress
    )
    return write_report(
        run,
        evaluation,
        glyphs,
        path,
        data=data,
        classifier=classifier,
        examination=examination,
        projection=projection,
        looks=looks,
        data_dir=data_dir,
        force=force,
        on_progress=on_progress,
    )


def write_report(
    run: Run,
    evaluation: Evaluation,
    glyphs: GlyphSet,
    path: Path | None = None,
    *,
    data: str | Path | None = None,
    classifier: Classifier | None = None,
    examination: Examination | None = None,
    projection: Projection = "pca",
    looks: bool = True,
    data_dir: Path | None = None,
    force: bool = False,
    on_progress: Progress = lambda task, done, total: None,
) -> Path:
    """Write everything that is known of `evaluation` as one HTML file that needs nothing else; returns its path.

    glyphs: the evaluated images, as `judge` returned them. path: default `report_path`. data: what they were asked for
    by; None: the run's own. classifier, examination: where they are at hand already. projection: how the feature space
    is laid out; "tsne" takes longer. looks: with pictures of what goes on inside. force: replace a file that is no
    report. on_progress: told what is being done, how much of it is done, and how much there is.

    Raises `RunError` when the file exists and is no report, or cannot be written, and for a run without weights.
    """
    own = run.environment["data"]["name"] == glyphs.name
    path = path or report_path(run, None if own else glyphs.name, glyphs.split)
    refuse_to_lose(path, force)
    classifier = classifier or run.classifier()
    if examination is None:
        examination = examine(run, classifier, evaluation, glyphs, data_dir=data_dir, on_progress=on_progress)
    subject = Subject(run, classifier, evaluation, glyphs, examination, data)
    parts = iter(range(_PARTS))
    on_progress(_WRITING, next(parts), _PARTS)
    shown = gather(subject)
    near = gather_evidence(examination.nearest, evaluation)
    on_progress(_WRITING, next(parts), _PARTS)
    space = inside.space(subject, projection)
    on_progress(_WRITING, next(parts), _PARTS)
    pictures = inside.looks(subject) if looks else []
    on_progress(_WRITING, next(parts), _PARTS)
    training = training_labels(subject, data_dir)
    on_progress(_WRITING, next(parts), _PARTS)
    standing = Standing.of(subject, data)
    content = _content(subject, shown, standing) | {"space": space, "looks": pictures, "training": training}
    atlases = [shown.atlas, near.atlas if near else None, training.atlas if training else None]
    css = "\n".join(atlas.css() for atlas in atlases if atlas is not None)
    write_bytes(path, render(content, page_data(subject, shown, near, space), css))
    on_progress(_WRITING, _PARTS, _PARTS)
    return path


def report_path(run: Run, data_name: str | None = None, split: str = "test") -> Path:
    """Where a report is written: ``report.html`` in the run's folder, with data and part where they are not its own."""
    data_name = clean_name(user_path(data_name).resolve().name) if data_name else None  # a path may be as short as "."
    name = evaluation_folder(run, data_name, split).name
    return run.folder / f"{name.replace('evaluation', 'report', 1)}.html"


def refuse_to_lose(path: Path, force: bool) -> None:
    """Raise `RunError` where something else than a report stands at `path`, unless `force`."""
    if path.is_dir():
        raise RunError(f"{path} is a folder; expected the name of a file, such as {path / 'report.html'}")
    if path.suffix.lower() not in (".html", ".htm"):
        raise RunError(f"{path} does not end in .html; name the report so that browsers open it")
    if force or not path.exists():
        return
    with path.open("rb") as file:
        if not is_report(file.read(_READ_TO_RECOGNISE)):
            raise RunError(f"{path} exists and is no report of ours; name another --out, or replace it with --force")


def _content(subject: Subject, shown: Shown, standing: Standing | None) -> dict[str, Any]:
    """What the templates show."""
    rows = inside.layers(subject)
    evaluation = subject.evaluation
    best = subject.status.get("best")
    return {
        "subject": subject,
        "notes": subject.examination.notes,
        "has_nearest": subject.examination.nearest is not None,
        "others": subject.examination.others,
        "run": subject.run,
        "evaluation": evaluation,
        "names": subject.names,
        "now": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "key_figures": facts.key_figures(subject),
        "summary": words.summary(subject, standing),
        "advice": words.advice(subject),
        "standing": standing,
        "cells": matrix.cells(evaluation),
        "pairs": matrix.pair_lists(evaluation),
        "classes": facts.class_rows(subject),
        "kinds": {kind: subject.kinds[kind] for kind in KINDS},
        "first_mistakes": [m for m in subject.mistakes if m.index in shown][:_GALLERY_WITHOUT_SCRIPT],
        "suspicious": [m for m in subject.mistakes if m.kind == "label suspicious"],
        "shown": shown,
        "curves": charts.curves(subject.history, best["epoch"] if best else None),
        "coverage": charts.coverage_chart(subject.confidences, evaluation.is_correct),
        "reliability": [charts.reliability_chart(diagram, title) for title, diagram in _diagrams(subject)],
        "layers": rows,
        "diagram": inside.diagram(subject, rows),
        "filters": inside.first_filters(subject),
        "environment": facts.environment_rows(subject),
        "recipe_text": subject.run.recipe.to_toml(),
        "repeat": facts.repeat_command(subject),
    }


def _diagrams(subject: Subject) -> list[tuple[str, Reliability]]:
    evaluation = subject.evaluation
    found = [("As trained", reliability(evaluation.probs, evaluation.targets))]
    if subject.temperature is not None:
        probs = calibrated(evaluation.logits, subject.temperature)
        found.append((f"At temperature {subject.temperature:.3f}", reliability(probs, evaluation.targets)))
    return found
