"""From a finished run to one file that answers anywhere, checked against the network it was made from."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from glyphlab import __version__
from glyphlab.data.glyphset import GlyphSet
from glyphlab.data.locate import given_path
from glyphlab.errors import ModelError, did_you_mean
from glyphlab.evaluation.calibration import Calibration, balancing_weights, calibrated, calibration_error
from glyphlab.evaluation.description import set_description
from glyphlab.evaluation.evaluate import evaluation_folder, match_classes, write_evaluation
from glyphlab.evaluation.learned import with_learned_told
from glyphlab.evaluation.metrics import wilson_interval
from glyphlab.evaluation.model_info import current_info, fits_inverted, framing_of_run, temperature_of
from glyphlab.evaluation.onnx_graph import build_model
from glyphlab.evaluation.quantize import quantize, throughput
from glyphlab.evaluation.result import Evaluation
from glyphlab.files import read_object, whole_file
from glyphlab.imaging.glyph import FRAMINGS
from glyphlab.networks.classifier import Classifier, predict
from glyphlab.recognition.conformal import ConformalTable, prediction_sets
from glyphlab.recognition.modelfile import MODEL_NAME, OPSET, ModelInfo
from glyphlab.recognition.recognizer import Recognizer
from glyphlab.training.images import Parts, load_images
from glyphlab.training.run import Run

LARGEST_DIFFERENCE = 1e-4
_FRAMING_CHOICES = ("auto", *FRAMINGS, "none")
_SHOWN_COVERAGE = 0.95


@dataclass(frozen=True)
class Parity:
    """How a model file compares with the network it was made from, on the same images.

    images: how many. largest_difference: of any probability. changed_answers: images with another best class.
    """

    images: int
    largest_difference: float
    changed_answers: int

    @classmethod
    def measure(cls, ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> Parity:
        """Compare probabilities, both float32 [N, K]."""
        difference = float(np.abs(ours - theirs).max(initial=0.0))
        changed = int(np.count_nonzero(ours.argmax(axis=1) != theirs.argmax(axis=1)))
        return cls(len(ours), difference, changed)


@dataclass(frozen=True)
class Int8Report:
    """The smaller model beside the first: what it loses, and what it gains on this machine.

    changed_answers: test images with another answer. glyphs_per_second: in batches, of either model.
    """

    path: Path
    size_bytes: int
    accuracy: float
    changed_answers: int
    glyphs_per_second: float
    float32_glyphs_per_second: float


@dataclass(frozen=True)
class ExportReport:
    """What was exported, and what it was measured to be.

    path, size_bytes, opset: the file. info: its description. parity: of the file with the network, on the whole
    test part. int8: where a smaller model was asked for.
    """

    path: Path
    size_bytes: int
    opset: int
    info: ModelInfo
    parity: Parity
    int8: Int8Report | None = None

    def to_json(self) -> dict[str, Any]:
        """The figures as plain values."""
        return {
            "path": str(self.path),
            "size_bytes": self.size_bytes,
            "opset": self.opset,
            "framing": self.info.framing,
            "temperature": self.info.temperature,
            "validation_images": self.info.conformal.images if self.info.conformal else 0,
            "data": self.info.data,
            "figures": self.info.figures,
            "parity": asdict(self.parity),
            "int8": asdict(self.int8) | {"path": str(self.int8.path)} if self.int8 else None,
        }

    def describe(self) -> str:
        """A few short lines for the terminal."""
        info, figures, parity = self.info, self.info.figures, self.parity
        low, high = figures["accuracy_interval_95"]
        lines = [
            f"{self.path}: {self.size_bytes / 1e6:.2f} MB, ONNX opset {self.opset}, {len(info.class_names)} classes, "
            f"framing {info.framing or 'none (pictures are fitted in whole)'}",
            f"check     on {parity.images:,} test images: largest difference of a probability "
            f"{parity.largest_difference:.1e}, changed answers {parity.changed_answers}",
            f"accuracy  {figures['accuracy']:.2%} (95% interval {low:.2%} to {high:.2%}) on {info.data['name']} test",
            f"certainty calibration error {figures['ece']:.2%}, {figures['ece_uncalibrated']:.2%} before "
            f"temperature {info.temperature:.3f}",
        ]
        if "set_coverage" in figures:
            lines.append(
                f"sets      at {_SHOWN_COVERAGE:.0%} hold the truth for {figures['set_coverage']:.2%}, "
                f"{figures['set_size']:.2f} characters on average"
            )
        if info.conformal is None:
            lines.append("          (no validation images: no temperature fitted, and without prediction sets)")
        if info.data.get("remark"):
            lines.append(f"remark    {info.data['remark']}")
        if self.int8:
            int8 = self.int8
            lines.append(
                f"int8      {int8.path}: {int8.size_bytes / 1e6:.2f} MB, accuracy {int8.accuracy:.2%} "
                f"({int8.accuracy - figures['accuracy']:+.2%}, {int8.changed_answers:,} changed answers), "
                f"{int8.glyphs_per_second:,.0f} glyphs/s (float32 {int8.float32_glyphs_per_second:,.0f})"
            )
        return "\n".join(lines)


def export_run(
    run: Run | str | Path,
    path: str | Path | None = None,
    *,
    data_dir: str | Path | None = None,
    runs_dir: str | Path = "runs",
    framing: str | Literal["auto"] | None = "auto",
    licence: str = "",
    int8: bool = False,
) -> ExportReport:
    """Write a run's best weights as one ONNX file, RUN/model.onnx unless `path` is given.

        glyphlab.export_run("runs/mnist-fast-1").path

    The temperature and the thresholds of prediction sets are fitted on the run's validation images. The file is
    then run by ONNX Runtime on the whole test part; where any probability differs from torch's by more than
    1e-4, or any answer changes, it is not kept.

    path: a name that ends in .onnx. framing: how pictures become glyphs: "mnist" or "emnist"; "none" or None: fitted
    in whole, as the pictures of a folder are in training; "auto": what the run's data calls for. licence: of the
    model, for its description. int8: write a quantised model beside it as well.

    Raises `RunError`, `DataError` when the run's data are not there or have changed, `ModelError` for another name or
    framing, when the network cannot be exported or the check fails.
    """
    path = given_path(path)
    if path is not None and path.suffix.lower() != ".onnx":
        raise ModelError(f"the model file is '{path}'; expected a name that ends in .onnx")
    if framing == "none":
        framing = None
    elif framing is not None and framing not in _FRAMING_CHOICES:
        raise ModelError(f"unknown framing '{framing}'; {did_you_mean(framing, _FRAMING_CHOICES)}")
    run = run if isinstance(run, Run) else Run.open(run, runs_dir)
    answers = _Answers.of(run, given_path(data_dir))
    report, answered = _export(answers, path or run.folder / MODEL_NAME, framing, licence)
    if not int8:
        return report
    return replace(report, int8=_export_int8(report, answers, answered))


def conclude(run: Run, data_dir: Path | None = None) -> Evaluation:
    """What follows a training: the run's model file and its evaluation, from one pass over the test images.

    As `export_run` and `evaluate` with their defaults, and raises what they raise.
    """
    answers = _Answers.of(run, data_dir)
    report, _ = _export(answers, run.folder / MODEL_NAME, "auto", "")
    evaluation = Evaluation.from_logits(answers.test_logits, answers.test)
    info = report.info
    write_evaluation(evaluation, answers.test, evaluation_folder(run), info.weights_sha256, info.temperature)
    return evaluation


def is_concluded(run: Run) -> bool:
    """Whether what `conclude` makes is there, and made of the weights that the run has now."""
    try:
        judged = read_object(evaluation_folder(run) / "summary.json")["weights_sha256"]
    except (OSError, ValueError, KeyError):  # none, half of one, or another version's
        return False
    return bool(judged == run.weights_sha256()) and temperature_of(run) is not None


@dataclass(frozen=True, eq=False)
class _Answers:
    """A run's network, its images, and what it says to those it was not trained on (logits, float32 [N, K])."""

    run: Run
    classifier: Classifier
    train: GlyphSet
    parts: Parts
    test: GlyphSet
    validation_logits: NDArray[np.float32]
    test_logits: NDArray[np.float32]

    @classmethod
    def of(cls, run: Run, data_dir: Path | None) -> _Answers:
        classifier = run.classifier()
        train, parts, test = _load_data(run, classifier, data_dir)
        validation = predict(classifier, torch.from_numpy(train.images), torch.from_numpy(parts.validation)).numpy()
        logits = predict(classifier, torch.from_numpy(test.images)).numpy()
        return cls(run, classifier, train, parts, test, validation, logits)


def _export(
    answers: _Answers, path: Path, framing: str | Literal["auto"] | None, licence: str
) -> tuple[ExportReport, NDArray[np.float32]]:
    """Write and check the model; also its probabilities for the test images, float32 [N, K]."""
    run, logits, test = answers.run, answers.test_logits, answers.test
    calibration = Calibration.fit(answers.validation_logits, answers.train.targets[answers.parts.validation])
    info = _describe(run, answers.classifier, calibration, framing, licence)
    if info.conformal is None:
        info = replace(info, conformal=_cross_validated(run))
    probs = calibrated(logits, calibration.temperature)
    raw_error = {"ece_uncalibrated": calibration_error(calibrated(logits, 1.0), test.targets)}
    info = replace(info, figures=figures_of(probs, test, info.conformal) | raw_error)
    model = build_model(answers.classifier, info)

    expected = torch.softmax(torch.from_numpy(logits) / calibration.temperature, dim=1).numpy()
    with whole_file(path) as temporary:
        temporary.write_bytes(model.SerializeToString())
        answered = Recognizer.load(temporary).predict_glyphs(test.images)
        parity = Parity.measure(answered, expected)
        _require_parity(parity, run)
    return ExportReport(path, path.stat().st_size, OPSET, info, parity), answered


def _cross_validated(run: Run) -> ConformalTable | None:
    """The thresholds that a transfer found by cross-validation, which no export could find again."""
    info = current_info(run)
    return None if info is None else info.conformal


def _load_data(run: Run, classifier: Classifier, data_dir: Path | None) -> tuple[GlyphSet, Parts, GlyphSet]:
    """Training images, their parts, and test images; the same training images that the run had."""
    recipe, folder = run.recipe, run.data_dir(data_dir)
    train = load_images(recipe, "train", folder)
    run.require_same_data(train)
    test = with_learned_told(run, load_images(recipe, "test", folder), train)
    return train, Parts.carve(train, recipe), match_classes(test, classifier.spec)


def _describe(
    run: Run, classifier: Classifier, calibration: Calibration, framing: str | None, licence: str
) -> ModelInfo:
    """The model's description, but for its figures."""
    recipe, spec, data = run.recipe, classifier.spec, run.environment["data"]
    chosen = framing_of_run(run, spec.image_shape) if framing == "auto" else framing
    if chosen is not None:
        _require_framing(chosen, spec.image_shape)
    kept = ("name", "sha256", "remark", "train_images", "validation_images")
    return ModelInfo(
        class_names=spec.class_names,
        image_shape=spec.image_shape,
        framing=chosen,
        invert=chosen is None and fits_inverted(recipe),
        temperature=calibration.temperature,
        conformal=calibration.conformal,
        network=spec.network,
        recipe=recipe.name,
        data={key: data[key] for key in kept},
        weights_sha256=run.weights_sha256(),
        licence=licence,
        glyphlab_version=__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _require_framing(framing: str, image_shape: tuple[int, int, int]) -> None:
    channels, height, width = image_shape
    if channels != 1 or height != width:
        raise ModelError(
            f"framing '{framing}' gives square grey glyphs, but the network takes {channels}x{height}x{width} "
            "(channels x height x width); export it without framing"
        )


def figures_of(probs: NDArray[np.floating], test: GlyphSet, conformal: ConformalTable | None) -> dict[str, Any]:
    """What the test images say of calibrated probabilities [N, K]: shares, 0 to 1, and the mean size of sets."""
    correct = int(np.count_nonzero(probs.argmax(axis=1) == test.targets))
    figures = {
        "test_images": len(test),
        "accuracy": correct / len(test),
        "accuracy_interval_95": list(wilson_interval(correct, len(test))),
        "ece": calibration_error(probs, test.targets),
    }
    if conformal is not None:
        inside = prediction_sets(probs, conformal.at(_SHOWN_COVERAGE))
        figures |= {
            "set_coverage": float(np.take_along_axis(inside, test.targets[:, None], axis=1).mean()),
            "set_size": float(inside.sum(axis=1).mean()),
        }
    return figures


def _require_parity(parity: Parity, run: Run) -> None:
    if parity.changed_answers or not parity.largest_difference <= LARGEST_DIFFERENCE:
        raise ModelError(
            f"the model file of {run.folder} does not agree with its network: on {parity.images:,} test images "
            f"{parity.changed_answers} answers change and a probability differs by {parity.largest_difference:.1e}; "
            f"expected none and at most {LARGEST_DIFFERENCE:.0e}, so it was not kept; please report this"
        )


def _export_int8(report: ExportReport, answers: _Answers, float32_probs: NDArray[np.float32]) -> Int8Report:
    """The quantised model, with thresholds and figures of its own."""
    train, parts, test = answers.train, answers.parts, answers.test
    path = report.path.with_name(f"{report.path.stem}-int8.onnx")
    with whole_file(path) as temporary:
        quantize(report.path, temporary, train.images, parts.train)
        model = Recognizer.load(temporary)
        probs = model.predict_glyphs(test.images)
        conformal = None
        if len(parts.validation):
            validation, targets = model.predict_glyphs(train.images[parts.validation]), train.targets[parts.validation]
            conformal = ConformalTable.fit(validation, targets, balancing_weights(targets))
        figures = figures_of(probs, test, conformal)
        set_description(temporary, replace(report.info, precision="int8", conformal=conformal, figures=figures))
        speeds = throughput([model, Recognizer.load(report.path)], test.images)
    return Int8Report(
        path=path,
        size_bytes=path.stat().st_size,
        accuracy=figures["accuracy"],
        changed_answers=Parity.measure(probs, float32_probs).changed_answers,
        glyphs_per_second=speeds[0],
        float32_glyphs_per_second=speeds[1],
    )
