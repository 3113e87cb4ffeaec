"""All that is found out about an evaluation's mistakes: verdicts, other networks' answers, nearest training images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from glyphlab.data.glyphset import GlyphSet
from glyphlab.errors import DataError, ModelError, RunError, quoted
from glyphlab.evaluation.evaluate import match_classes
from glyphlab.evaluation.labels.outofsample import load_out_of_sample
from glyphlab.evaluation.mistakes.find import Mistake, count_kinds, find_mistakes, listed
from glyphlab.evaluation.mistakes.lookalikes import describe_groups, look_alike_mistakes, merged_accuracy
from glyphlab.evaluation.mistakes.neighbours import Nearest, nearest
from glyphlab.evaluation.model_info import temperature_of
from glyphlab.evaluation.result import Evaluation
from glyphlab.networks.classifier import Classifier, predict
from glyphlab.training.run import Run
from glyphlab.training.transfer.start import only_teaches

Progress = Callable[[str, int, int], None]  # what is being done, images done, images in all

_PAIRS = 10


@dataclass(frozen=True, eq=False)
class Examination:
    """An evaluation's mistakes and what is known of each.

    mistakes: every misclassified image, the surest mistake first. borderline: right answers that were nearly wrong.
    temperature: at which confidences are given; None: as the network gives them. nearest: training images, rows in the
    order of `evaluation.mistakes`; None where the training data was not at hand. others: names of the networks that
    were asked as well. notes: what a reader must know of how this was made.
    """

    evaluation: Evaluation
    glyphs: GlyphSet
    mistakes: tuple[Mistake, ...]
    borderline: tuple[Mistake, ...]
    temperature: float | None
    nearest: Nearest | None
    others: tuple[str, ...]
    notes: tuple[str, ...]

    def __post_init__(self) -> None:
        evaluation = self.evaluation
        assert len(self.mistakes) == len(evaluation) - evaluation.correct, (len(self.mistakes), evaluation.correct)

    def nearest_of(self, index: int) -> tuple[list[int], list[int]]:
        """Training images nearest to a misclassified image: of its true and of its predicted class."""
        if self.nearest is None:
            return [], []
        row = int(np.flatnonzero(self.evaluation.mistakes == index)[0])
        true, predicted = self.nearest.true[row].tolist(), self.nearest.predicted[row].tolist()
        return [one for one in true if one >= 0], [one for one in predicted if one >= 0]

    def summary(self) -> dict[str, Any]:
        """The figures as plain values, ready for JSON; shares are 0 to 1. Strict figures first, merged ones after."""
        evaluation, names = self.evaluation, self.evaluation.class_names
        return {
            "data": evaluation.data,
            "split": evaluation.split,
            "data_sha256": evaluation.data_sha256,
            "remark": evaluation.remark,
            "n": len(evaluation),
            "correct": evaluation.correct,
            "misclassified": len(self.mistakes),
            "accuracy": evaluation.accuracy,
            "accuracy_interval_95": list(evaluation.interval),
            "merged_accuracy": merged_accuracy(evaluation),
            "look_alike_mistakes": look_alike_mistakes(evaluation),
            "look_alikes": describe_groups(names),
            "kinds": dict(count_kinds(self.mistakes)),
            "borderline": len(self.borderline),
            "temperature": self.temperature,
            "other_networks": list(self.others),
            "most_confused": [
                {"truth": names[pair.truth], "prediction": names[pair.prediction], "images": pair.images}
                for pair in evaluation.most_confused(_PAIRS)
            ],
            "notes": list(self.notes),
        }

    def describe(self) -> str:
        """A few short lines for the terminal."""
        evaluation, names = self.evaluation, self.evaluation.class_names
        low, high = evaluation.interval
        lines = [
            f"{evaluation.data} {evaluation.split}: {len(self.mistakes):,} of {len(evaluation):,} images wrong",
            f"accuracy  {evaluation.accuracy:.2%} (95% interval {low:.2%} to {high:.2%})",
        ]
        if groups := describe_groups(names):
            alike = look_alike_mistakes(evaluation)
            lines.append(
                f"merged    {merged_accuracy(evaluation):.2%} with look-alikes counted as equal ({groups}): "
                f"{alike:,} of the mistakes"
            )
        lines.append(
            "verdicts  " + ", ".join(f"{kind} {count:,}" for kind, count in count_kinds(self.mistakes).items())
        )
        if pairs := evaluation.most_confused(limit=6):
            shown = (f"{names[pair.truth]} as {names[pair.prediction]} ({pair.images:,})" for pair in pairs)
            lines.append(f"pairs     {', '.join(shown)}")
        if self.borderline:
            lines.append(f"also      {len(self.borderline):,} right answers that were nearly wrong")
        lines += [f"note      {note}" for note in self.notes]
        if evaluation.remark:
            lines.append(f"remark    {evaluation.remark}")
        return "\n".join(lines)


def require_unlike(run: Run, others: Sequence[Run]) -> None:
    """Refuse, with a `RunError`, to ask a network twice, or as a witness for itself."""
    seen = {run.folder.resolve()}
    for other in others:
        if other.folder.resolve() in seen:
            raise RunError(f"{other.name} is asked about its mistakes already; name another run beside {run.name}")
        seen.add(other.folder.resolve())


def examine(
    run: Run,
    classifier: Classifier,
    evaluation: Evaluation,
    glyphs: GlyphSet,
    *,
    others: Sequence[Run] = (),
    borderline: bool = False,
    data_dir: Path | None = None,
    on_progress: Progress = lambda task, done, total: None,
) -> Examination:
    """Judge the mistakes that `judge` found for this run.

    others: runs whose networks are asked about the same images. For training images the networks of the run's own
    k-fold training (`outofsample`) are asked as well, where there are any: none of them has seen what it judges.
    borderline: look for right answers that were nearly wrong, too. Where the run's training data is not at hand,
    neighbours are left out and a note says so.
    Raises `ModelError` and `DataError` for other runs with other classes or image sizes, `RunError` where one is
    given twice.
    """
    require_unlike(run, others)
    names, asked = [other.name for other in others], []
    for other in others:
        on_progress(f"asking {other.name}", 0, len(glyphs))
        asked.append(answers_of(other, evaluation, glyphs))
        on_progress(f"asking {other.name}", len(glyphs), len(glyphs))
    if (unseen := _out_of_sample(run, evaluation, glyphs, data_dir)) is not None:
        names.append("k-fold")
        asked.append(unseen)
    found, notes = _look_up(run, classifier, evaluation, glyphs, data_dir, on_progress)
    if len(evaluation.mistakes) and not asked:
        notes.append("one network alone is weak evidence; verdicts are better with other runs: --with RUN")
    temperature = temperature_of(run)
    every = find_mistakes(
        evaluation,
        others=asked,
        borderline=borderline,
        temperature=temperature,
        neighbours=None if found is None else found.labels,
        ids=glyphs.ids,
    )
    wrong = len(evaluation.mistakes)
    return Examination(
        evaluation=evaluation,
        glyphs=glyphs,
        mistakes=tuple(every[:wrong]),
        borderline=tuple(every[wrong:]),
        temperature=temperature,
        nearest=found,
        others=tuple(names),
        notes=tuple(notes),
    )


def _look_up(
    run: Run,
    classifier: Classifier,
    evaluation: Evaluation,
    glyphs: GlyphSet,
    data_dir: Path | None,
    on_progress: Progress,
) -> tuple[Nearest | None, list[str]]:
    """The training images nearest to each mistake, and what a reader must know of them."""
    wrong = evaluation.mistakes
    try:
        found = nearest(
            run,
            glyphs,
            wrong,
            evaluation.targets[wrong],
            evaluation.predictions[wrong],
            data_dir=data_dir,
            classifier=classifier,
            on_progress=lambda done, total: on_progress("reading the training images", done, total),
        )
    except DataError as error:
        return None, [f"no nearest training images: {error}"]
    return found, _notes_on_training_data(run, evaluation, found.train)


def answers_of(run: Run, like: Evaluation, glyphs: GlyphSet) -> Evaluation:
    """What another run's network says of the same images, its classes in the order of `like`.

    Raises `ModelError` where it tells other classes apart, `DataError` where it takes images of another size.
    """
    classifier = run.classifier()
    theirs = classifier.spec.class_names
    if set(theirs) != set(like.class_names):
        raise ModelError(
            f"{run.name} cannot be asked about {like.data}: its classes are {listed(theirs)}; expected "
            f"{listed(like.class_names)}; name a run that tells the same classes apart"
        )
    match_classes(glyphs, classifier.spec)  # raises where the images do not fit
    logits = predict(classifier, torch.from_numpy(glyphs.images)).numpy()
    return Evaluation.from_logits(logits[:, [theirs.index(name) for name in like.class_names]], glyphs)


def _out_of_sample(run: Run, evaluation: Evaluation, glyphs: GlyphSet, data_dir: Path | None) -> Evaluation | None:
    """What the run's k-fold networks say of its training images; None for other images, and without k-fold."""
    stored = load_out_of_sample(run, data_dir) if evaluation.split == "train" else None
    if stored is None or stored.glyphs.digest() != evaluation.data_sha256:
        return None
    return Evaluation.from_logits(np.log(np.maximum(stored.probs, 1e-30)), glyphs)


def _notes_on_training_data(run: Run, evaluation: Evaluation, train: GlyphSet) -> list[str]:
    """What a reader must know of the data that the network was trained on."""
    notes, digest = [], train.digest()
    if run.environment["data"]["sha256"] != digest:
        notes.append(f"{train.name} has changed since the run was trained; neighbours are from the data as it is now")
    if evaluation.data_sha256 == digest:
        searched = "FOLDER" if only_teaches(run.recipe) else quoted(run.folder)
        notes.append(
            "the network was trained on these images and repeats wrong labels rather than contradict them; "
            f"to search training labels use: glyphlab labels find {searched}"
        )
    return notes
