"""An evaluation's mistakes on disk: every wrong image as a file of its own, tables, and pictures.

errors/
  <true>__<predicted>/<id>.png   every misclassified image, its pixels unchanged
  errors.csv                     a row an image, the surest mistake first: `ERROR_COLUMNS`
  classes.csv                    a row a class: `CLASS_COLUMNS`
  pairs.png                      the most-confused pairs with examples
  surest.png                     the surest mistakes, each beside the training images nearest to it
  classes/<class>.png            the mistakes of each class, by what they were taken for
  borderline/..., borderline.csv right answers that were nearly wrong, where asked for
  errors.json                    the summary; marks the folder as ours
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from glyphlab.evaluation.evaluate import evaluation_folder
from glyphlab.evaluation.mistakes.examination import Examination, Progress
from glyphlab.evaluation.mistakes.file_names import file_names, image_file_names
from glyphlab.evaluation.mistakes.find import Mistake, count_kinds
from glyphlab.evaluation.mistakes.pictures import draw_class, draw_pairs, draw_surest
from glyphlab.evaluation.result_folder import whole_folder
from glyphlab.evaluation.tables import write_csv
from glyphlab.training.run import Run

MARKER = "errors.json"
ERROR_COLUMNS = (
    *("id", "index", "file", "true", "predicted", "confidence", "p_true", "margin", "kind", "look_alike"),
    *("nearest_of_true", "nearest_of_predicted", "reason"),
)
CLASS_COLUMNS = (
    *("class", "images", "wrong", "recall", "model_wrong", "label_suspicious", "ambiguous", "look_alike"),
    *("most_often_taken_for", "wrongly_given"),
)
_SAVED_BETWEEN_NEWS = 100


def errors_folder(run: Run, data_name: str | None = None, split: str = "test") -> Path:
    """Where a run's mistakes are written: `errors`, `errors-<data>`, `errors-train`."""
    name = evaluation_folder(run, data_name, split).name
    return run.folder / name.replace("evaluation", "errors", 1)


def write_errors(
    examination: Examination,
    folder: Path,
    *,
    force: bool = False,
    on_progress: Progress = lambda task, done, total: None,
) -> Path:
    """Write everything into `folder`, which appears whole; a former one of ours that nobody touched is replaced.

    force: replace one whose files were changed since. The number of images saved as mistakes is the number of images
    minus the correct ones. Raises `RunError` where the folder must not be replaced, or cannot be written.
    """
    with whole_folder(folder, MARKER, examination.summary(), force) as draft:
        saved = _save_images(examination, examination.mistakes, draft, "", on_progress)
        evaluation = examination.evaluation
        assert len(set(saved)) == len(evaluation) - evaluation.correct, (len(set(saved)), evaluation.correct)
        write_csv(draft / "errors.csv", ERROR_COLUMNS, _error_rows(examination, examination.mistakes, saved))
        write_csv(draft / "classes.csv", CLASS_COLUMNS, _class_rows(examination))
        if examination.borderline:
            saved = _save_images(examination, examination.borderline, draft, "borderline/", on_progress)
            rows = _error_rows(examination, examination.borderline, saved)
            write_csv(draft / "borderline.csv", ERROR_COLUMNS, rows)
        if examination.mistakes:
            _draw(examination, draft, on_progress)
    return folder


def _save_images(
    examination: Examination, chosen: Sequence[Mistake], draft: Path, under: str, on_progress: Progress
) -> list[str]:
    """Save images as PNG; returns their paths within the folder, in the same order."""
    classes = file_names(examination.evaluation.class_names)
    # Names are made unique over all images and not by folder, so that files can be moved together.
    names = image_file_names([one.id for one in chosen])
    paths = []
    for done, (one, name) in enumerate(zip(chosen, names, strict=True), 1):
        pair = f"{classes[one.truth]}__{classes[one.prediction]}" if one.truth != one.prediction else classes[one.truth]
        path = draft / f"{under}{pair}" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        assert not path.exists(), path
        Image.fromarray(examination.glyphs.images[one.index]).save(path)
        paths.append(path.relative_to(draft).as_posix())
        if done % _SAVED_BETWEEN_NEWS == 0 or done == len(chosen):
            on_progress("saving images", done, len(chosen))
    return paths


def _error_rows(examination: Examination, chosen: Sequence[Mistake], files: Sequence[str]) -> Iterator[list[Any]]:
    names = examination.evaluation.class_names
    for one, file in zip(chosen, files, strict=True):
        wrong = one.truth != one.prediction
        true, predicted = examination.nearest_of(one.index) if wrong else ([], [])
        # The largest other probability of a mistake is that of the answer.
        p_true = max(0.0, one.margin + one.confidence) if wrong else one.confidence
        yield [
            *(one.id, one.index, file, names[one.truth], names[one.prediction]),
            *(f"{value:.6f}" for value in (one.confidence, p_true, one.margin)),
            *(one.kind, int(one.look_alike), " ".join(map(str, true)), " ".join(map(str, predicted)), one.reason),
        ]


def _class_rows(examination: Examination) -> Iterator[list[Any]]:
    evaluation, names = examination.evaluation, examination.evaluation.class_names
    confusion = evaluation.confusion.copy()
    images = confusion.sum(axis=1)
    for target, name in enumerate(names):
        own = [one for one in examination.mistakes if one.truth == target]
        row = confusion[target].copy()
        row[target] = 0
        yield [
            *(name, int(images[target]), len(own)),
            f"{1 - len(own) / images[target]:.6f}" if images[target] else "",
            *count_kinds(own).values(),
            sum(one.look_alike for one in own),
            names[int(row.argmax())] if row.any() else "",
            int(confusion[:, target].sum() - confusion[target, target]),
        ]


def _draw(examination: Examination, draft: Path, on_progress: Progress) -> None:
    """Pictures, the class sheets last since there are many of them."""
    targets = sorted({one.truth for one in examination.mistakes})
    names = file_names(examination.evaluation.class_names)
    steps: list[Callable[[], None]] = [
        lambda: draw_pairs(examination, draft / "pairs.png"),
        lambda: draw_surest(examination, draft / "surest.png"),
    ]
    total = len(steps) + len(targets)
    for done, step in enumerate(steps, 1):
        step()
        on_progress("drawing", done, total)
    (draft / "classes").mkdir()
    for done, target in enumerate(targets, len(steps) + 1):
        draw_class(examination, target, draft / "classes" / f"{names[target]}.png")
        on_progress("drawing", done, total)
