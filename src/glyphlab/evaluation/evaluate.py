"""Judge a trained run on images it has never seen, and write down what was found."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from glyphlab.data.catalogue import Split
from glyphlab.data.glyphset import GlyphSet
from glyphlab.data.locate import given_path
from glyphlab.data.sources import holds_out, names
from glyphlab.errors import DataError
from glyphlab.evaluation.calibration import calibrated, draw_reliability, reliability
from glyphlab.evaluation.learned import told_as_learned, with_learned_told, without_learned
from glyphlab.evaluation.model_info import info_of, temperature_of
from glyphlab.evaluation.other_data import load_other, other_data
from glyphlab.evaluation.pictures import draw_confusion, draw_examples
from glyphlab.evaluation.result import Evaluation
from glyphlab.evaluation.tables import write_classes, write_confusion, write_predictions
from glyphlab.files import write_json
from glyphlab.networks.classifier import Classifier, ClassifierSpec, predict
from glyphlab.training.images import load_images
from glyphlab.training.run import Run

_EXAMPLES = 40


def evaluate(
    run: Run | str | Path,
    data: str | Path | None = None,
    *,
    split: Split = "test",
    data_dir: str | Path | None = None,
    runs_dir: str | Path = "runs",
    write: bool = True,
) -> Evaluation:
    """Judge a run's best weights on the test images of its own data set, or on those of `data` (which may be its own).

        evaluation = glyphlab.evaluate("runs/mnist-fast-1")
        evaluation.accuracy, evaluation.interval, evaluation.confusion

    Pictures in a folder of other data are prepared as `Recognizer.predict` prepares them, and where such data have no
    test part of their own, all of them are judged; but none that the run learned from, where its data are at hand.

    With `write`, tables and pictures go to the run's `evaluation` folder (`evaluation-<data>` for other data, with
    `-train` for the training part). Raises `RunError`, `DataError` and `ModelError`; among others when the data
    has classes that the network does not know, or images of another size.
    """
    run = run if isinstance(run, Run) else Run.open(run, runs_dir)
    data = other_data(run, data)
    classifier = run.classifier()
    evaluation, glyphs = judge(run, classifier, data, split, given_path(data_dir))
    if write:
        folder = evaluation_folder(run, glyphs.name if data else None, split)
        write_evaluation(evaluation, glyphs, folder, run.weights_sha256(), temperature_of(run))
    return evaluation


def judge(
    run: Run,
    classifier: Classifier,
    data: str | Path | None,
    split: Split,
    data_dir: Path | None,
    on_progress: Callable[[int, int], None] | None = None,
    *,
    whole: bool = True,
) -> tuple[Evaluation, GlyphSet]:
    """The evaluation and the images behind it, with the classes numbered as the network numbers them.

    whole: of other data without a test part take all images, not the 15 % that a training on them would hold out.
    on_progress: told of (images judged, images in all), after (pictures prepared, pictures in all) of a folder.
    """
    data = other_data(run, data)
    if data is None:
        glyphs = judged_images(run, classifier.spec, split, data_dir)
    else:
        folder, info = run.data_dir(data_dir), info_of(run, classifier.spec)
        glyphs = load_other(data, split, folder, info, whole=whole, on_progress=on_progress)
        glyphs = match_classes(glyphs, classifier.spec)
        if split == "test":
            glyphs = without_learned(run, glyphs, folder)
    return judge_images(run, classifier, glyphs, on_progress), glyphs


def judge_images(
    run: Run, classifier: Classifier, glyphs: GlyphSet, on_progress: Callable[[int, int], None] | None = None
) -> Evaluation:
    """The same of images that are at hand, with the classes numbered as the network numbers them."""
    _place(classifier, run.recipe.engine.device)
    logits = predict(classifier, torch.from_numpy(glyphs.images), on_progress=on_progress).numpy()
    return Evaluation.from_logits(logits, glyphs)


def own_images(run: Run, spec: ClassifierSpec, split: Split, data_dir: Path | None = None) -> GlyphSet:
    """The images of the run's own data, with the classes numbered as its network numbers them.

    Raises `DataError` where they do not fit, `RunError` as `require_held_out` does.
    """
    folder = run.data_dir(data_dir)
    glyphs = match_classes(load_images(run.recipe, split, folder), spec)
    if split == "train" or run.recipe.data.name in names():
        return glyphs
    train = load_images(run.recipe, "train", folder)
    if holds_out(run.recipe.data.name):
        run.require_same_data(train)
    return with_learned_told(run, glyphs, train)


def judged_images(run: Run, spec: ClassifierSpec, split: Split, data_dir: Path | None = None) -> GlyphSet:
    """The same, with a remark that tells training images from others."""
    glyphs = own_images(run, spec, split, data_dir)
    return told_as_learned(glyphs) if split == "train" else glyphs


def require_held_out(run: Run, data_dir: Path | None = None) -> None:
    """Refuse, with a `RunError`, a run's own test images where some of them may have been learned from.

    Where its data have no test part, which images are held out follows from all of them: with others added, some of
    the training images are held out now.
    """
    if holds_out(run.recipe.data.name):
        run.require_same_data(load_images(run.recipe, "train", run.data_dir(data_dir)))


def match_classes(glyphs: GlyphSet, spec: ClassifierSpec) -> GlyphSet:
    """The same images with the network's class names and numbers. Raises `DataError` where they do not fit."""
    if glyphs.image_shape != spec.image_shape:
        ours, theirs = ("x".join(map(str, shape)) for shape in (spec.image_shape, glyphs.image_shape))
        raise DataError(f"{glyphs.name} has images of {theirs}; the network takes {ours} (channels x height x width)")
    if glyphs.class_names == spec.class_names:
        return glyphs
    places = {name: place for place, name in enumerate(spec.class_names)}
    unknown = [name for name in glyphs.class_names if name not in places]
    if unknown:
        raise DataError(
            f"{glyphs.name} has classes that the network does not know: {', '.join(unknown[:8])}"
            f"{' ...' if len(unknown) > 8 else ''}; it knows {', '.join(spec.class_names)}"
        )
    renumber = np.array([places[name] for name in glyphs.class_names], dtype=np.int64)
    return replace(glyphs, targets=renumber[glyphs.targets], class_names=spec.class_names)


def evaluation_folder(run: Run, data_name: str | None = None, split: str = "test") -> Path:
    """Where an evaluation is written; other data that are called "train" are told from the run's own training part."""
    words = ["evaluation", "data-train" if data_name == "train" else data_name or "", "" if split == "test" else split]
    return run.folder / "-".join(word for word in words if word)


def write_evaluation(
    evaluation: Evaluation, glyphs: GlyphSet, folder: Path, weights_sha256: str, temperature: float | None = None
) -> None:
    """Write summary.json, predictions.csv, classes.csv, confusion.csv and the pictures.

    weights_sha256: of the weights that were judged. temperature: of the run's model file (`temperature_of`); the
    reliability diagram then shows both.
    """
    write_predictions(evaluation, glyphs, folder / "predictions.csv")
    write_classes(evaluation, folder / "classes.csv")
    write_confusion(evaluation, folder / "confusion.csv")
    draw_confusion(evaluation, folder / "confusion.png", normalised=False)
    draw_confusion(evaluation, folder / "confusion-normalised.png", normalised=True)
    _draw_reliability(evaluation, temperature, folder / "reliability.png")
    for former in ("mistakes.png", "examples.png"):  # of an earlier evaluation, which may not be drawn again
        (folder / former).unlink(missing_ok=True)
    if len(evaluation.mistakes):
        draw_examples(evaluation, glyphs, evaluation.mistakes[:_EXAMPLES], folder / "mistakes.png")
    # Last: whoever finds the summary finds everything else.
    write_json(folder / "summary.json", evaluation.summary() | {"weights_sha256": weights_sha256})


def _draw_reliability(evaluation: Evaluation, temperature: float | None, path: Path) -> None:
    diagrams = {"as trained": reliability(evaluation.probs, evaluation.targets)}
    if temperature is not None:
        probs = calibrated(evaluation.logits, temperature)
        diagrams[f"at temperature {temperature:.3f}"] = reliability(probs, evaluation.targets)
    heading = f"{evaluation.data} {evaluation.split}: {len(evaluation):,} images"
    remark = textwrap.fill(evaluation.remark, width=50 * len(diagrams))
    draw_reliability(diagrams, "\n".join(filter(None, (heading, remark))), path)


def _place(classifier: Classifier, device: str) -> None:
    """To the device the run was trained on, where this machine has it."""
    if device == "cuda" and torch.cuda.is_available():
        classifier.cuda()
