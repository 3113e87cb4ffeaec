from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from glyphlab.data.glyphset import GlyphSet
from glyphlab.evaluation.mistakes.examination import examine
from glyphlab.evaluation.report.shown import gather, page_data, select
from glyphlab.evaluation.report.subject import Subject
from glyphlab.evaluation.result import Evaluation


def made_up(rng: np.random.Generator, count: int, classes: int = 4) -> Evaluation:
    targets = rng.integers(0, classes, size=count)
    logits = rng.normal(size=(count, classes)).astype(np.float32) + 2 * np.eye(classes, dtype=np.float32)[targets]
    images = np.zeros((count, 3, 3), dtype=np.uint8)
    return Evaluation.from_logits(logits, GlyphSet(images, targets, tuple("abcdefgh"[:classes])))


def subject_of(written: Any) -> Subject:
    run, classifier = written.run, written.run.classifier()
    examination = examine(run, classifier, written.evaluation, written.glyphs)
    return Subject(run, classifier, written.evaluation, written.glyphs, examination)


def test_selection_keeps_all_mistakes_and_every_class(rng: np.random.Generator) -> None:
    evaluation = made_up(rng, 2000)
    wrong = set(evaluation.mistakes.tolist())
    chosen = select(evaluation, len(wrong) + 200)
    assert wrong <= set(chosen.tolist()) and (np.diff(chosen) > 0).all()
    assert len(wrong) + 190 <= len(chosen) <= len(wrong) + 200
    right = chosen[evaluation.is_correct[chosen]]
    assert np.bincount(evaluation.targets[right]).min() >= 45
    least_sure = [int(np.flatnonzero(evaluation.is_correct & (evaluation.targets == k))[0]) for k in range(4)]
    assert len(least_sure) == 4
    for target in range(4):  # the least sure right answer of a class is among them
        members = np.flatnonzero(evaluation.is_correct & (evaluation.targets == target))
        assert members[evaluation.confidences[members].argmin()] in chosen


def test_selection_of_fewer_than_the_mistakes_takes_the_surest(rng: np.random.Generator) -> None:
    evaluation = made_up(rng, 500)
    assert set(select(evaluation, 10).tolist()) == set(evaluation.mistakes[:10].tolist())


def test_cells_are_runs_of_images_in_the_right_order(written: Any) -> None:
    subject = subject_of(written)
    shown = gather(subject)
    data = page_data(subject, shown)
    evaluation = written.evaluation
    assert shown.is_complete and sorted(data["index"]) == list(range(len(evaluation)))
    covered = 0
    for truth, prediction, first, held, there in data["cells"]:
        indices = np.array(data["index"][first : first + held])
        assert held == there == evaluation.confusion[truth, prediction] and first == covered
        assert (evaluation.targets[indices] == truth).all() and (evaluation.predictions[indices] == prediction).all()
        sure = subject.confidences[indices]
        assert (np.diff(sure) >= 0).all() if truth == prediction else (np.diff(sure) <= 0).all()
        covered += held
    assert covered == len(evaluation)
    assert data["id"] == [written.glyphs.id_of(index) for index in data["index"]]
    assert len(data["kind"]) == len(data["reason"]) == len(evaluation.mistakes)


def test_too_many_images_leave_counts_whole(written: Any) -> None:
    subject = subject_of(written)
    shown = gather(subject, picture_bytes=8_000)
    data = page_data(subject, shown)
    assert not shown.is_complete and len(shown.order) < len(written.evaluation)
    assert sum(there for *_, there in data["cells"]) == len(written.evaluation)
    assert sum(cell[3] for cell in data["cells"]) == len(shown.order) == shown.atlas.count
    space = SimpleNamespace(indices=np.arange(60), map=SimpleNamespace(x=list(range(60)), y=list(range(60))))
    points = page_data(subject, shown, space=space)["map"]  # type: ignore[arg-type]
    assert [shown.order[at] for at in points["at"]] == points["x"] == sorted(shown.order.tolist())
