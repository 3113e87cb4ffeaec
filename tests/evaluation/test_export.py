from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from glyphlab.errors import ModelError, RunError
from glyphlab.evaluation import export
from glyphlab.evaluation.evaluate import evaluate
from glyphlab.evaluation.export import Parity, conclude, export_run, is_concluded
from glyphlab.evaluation.model_info import temperature_of
from glyphlab.networks.classifier import predict
from glyphlab.recognition.recognizer import Recognizer
from glyphlab.training.images import framing_of, load_images
from glyphlab.training.recipe import Recipe
from glyphlab.training.run import Run
from glyphlab.training.train import train

RECIPE = Recipe.parse(
    {
        "data": {"validation": 0.2},
        "network": {"name": "mnist-3conv-bn", "widths": [4, 8], "hidden": 16},
        "training": {"epochs": 3, "batch_size": 16, "lr": 0.01},
        "engine": {"device": "cpu", "precision": "float32", "channels_last": False, "compile": False, "threads": 1},
    },
    name="tiny",
)


@pytest.fixture(scope="module")
def run(picture_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(RECIPE, picture_folder, runs_dir=tmp_path_factory.mktemp("runs"))


def test_an_exported_run_answers_as_the_network_does(run: Run) -> None:
    report = export_run(run, licence="CC0-1.0")
    assert report.path == run.folder / "model.onnx" and report.size_bytes == report.path.stat().st_size
    assert report.parity.images == 30 and report.parity.changed_answers == 0
    assert report.parity.largest_difference < 1e-5

    recognizer = Recognizer.load(run.folder)
    test = load_images(run.recipe, "test", None)
    logits = predict(run.classifier(), torch.from_numpy(test.images))
    expected = torch.softmax(logits / recognizer.info.temperature, dim=1).numpy()
    np.testing.assert_allclose(recognizer.predict_glyphs(test.images), expected, atol=1e-5)
    evaluation = evaluate(run, write=False)
    assert recognizer.info.figures["accuracy"] == evaluation.accuracy
    assert recognizer.info.figures["ece_uncalibrated"] == pytest.approx(evaluation.calibration_error)


def test_the_file_carries_where_it_comes_from(run: Run) -> None:
    info = Recognizer.load(export_run(run, licence="CC0-1.0").path).info
    assert info.class_names == ("a", "b", "c") and info.image_shape == (1, 12, 12)
    assert info.framing is None  # a folder's pictures are fitted in whole
    assert (info.network, info.recipe, info.licence) == ("mnist-3conv-bn", "tiny", "CC0-1.0")
    assert info.data["sha256"] == run.environment["data"]["sha256"]
    assert (info.data["train_images"], info.data["validation_images"]) == (96, 24)
    assert info.conformal is not None and info.conformal.images == 24
    assert info.created.endswith("+00:00") and info.glyphlab_version and len(info.weights_sha256) == 64
    figures = info.figures
    low, high = figures["accuracy_interval_95"]
    assert figures["test_images"] == 30 and low <= figures["accuracy"] <= high
    assert 0 <= figures["ece"] <= 1 and 1 <= figures["set_size"] <= 3


def test_pictures_are_answered_through_the_file(run: Run, picture_folder: Path) -> None:
    recognizer = Recognizer.load(export_run(run).path)
    paths = sorted((picture_folder / "test").rglob("*.png"))
    answers = recognizer.predict(paths)
    truths = [path.parent.name for path in paths]
    assert np.mean([answer.character == truth for answer, truth in zip(answers, truths, strict=True)]) > 0.8


def test_the_report_reads_well_and_survives_json(run: Run, tmp_path: Path) -> None:
    report = export_run(run, tmp_path / "deep" / "letters.onnx")
    text = report.describe()
    assert "letters.onnx: " in text and "opset 17" in text
    assert "on 30 test images: largest difference" in text and "changed answers 0" in text
    value = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert value["parity"]["changed_answers"] == 0 and value["int8"] is None and value["validation_images"] == 24


def test_eight_bits_beside_it(run: Run, tmp_path: Path) -> None:
    report = export_run(run, tmp_path / "model.onnx", int8=True)
    int8 = report.int8
    assert int8 is not None and int8.path == tmp_path / "model-int8.onnx"
    info = Recognizer.load(int8.path).info
    assert info.precision == "int8" and info.figures["accuracy"] == int8.accuracy
    assert info.conformal is not None and info.conformal != report.info.conformal  # thresholds of its own
    assert int8.accuracy > 0.6 and int8.glyphs_per_second > 0 and int8.float32_glyphs_per_second > 0
    assert "int8  " in report.describe()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model-int8.onnx", "model.onnx"]
    other = export_run(run, tmp_path / "other.onnx", int8=True).int8
    assert other is not None and other.path == tmp_path / "other-int8.onnx" and int8.path.exists()


def test_a_file_that_answers_otherwise_is_not_kept(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def distorted(classifier: torch.nn.Module, info: export.ModelInfo) -> object:
        layer = next(layer for layer in classifier.modules() if isinstance(layer, torch.nn.Linear))
        with torch.no_grad():
            layer.weight.mul_(0.9)
        return original(classifier, info)

    original = export.build_model
    monkeypatch.setattr(export, "build_model", distorted)
    with pytest.raises(ModelError, match=r"on 30 test images .* answers change .* at most 1e-04, so it was not kept"):
        export_run(run, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_the_comparison_sees_values_and_answers() -> None:
    ours = np.array([[0.6, 0.4], [0.5, 0.5]], dtype=np.float32)
    theirs = np.array([[0.6, 0.4], [0.49, 0.51]], dtype=np.float32)
    parity = Parity.measure(ours, theirs)
    assert (parity.images, parity.changed_answers) == (2, 1)
    assert parity.largest_difference == pytest.approx(0.01)


def test_a_run_whose_data_changed_is_refused(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = run.environment
    changed = facts | {"data": facts["data"] | {"sha256": "0" * 64}}
    monkeypatch.setattr(Run, "environment", property(lambda self: changed))
    with pytest.raises(RunError, match="has changed since the run began"):
        export_run(run)


def test_framings(run: Run) -> None:
    assert export_run(run, framing="mnist").info.framing == "mnist"
    with pytest.raises(ModelError, match="unknown framing 'mnits'; did you mean 'mnist'"):
        export_run(run, framing="mnits")
    with pytest.raises(ModelError, match="unknown framing 'nosuch'; known: auto, mnist, emnist, none"):
        export_run(run, framing="nosuch")
    assert export_run(run, framing="none").info.framing is export_run(run, framing=None).info.framing is None
    grey, colour = (1, 28, 28), (3, 28, 28)
    for origin, framing in (("emnist-balanced", "emnist"), ("mnist", "mnist"), ("digits", "mnist"), ("", None)):
        assert framing_of(run.recipe, origin, grey) == framing
    assert framing_of(run.recipe, "fashion-mnist", grey) is framing_of(run.recipe, "mnist", colour) is None
    with pytest.raises(ModelError, match="takes 3x28x28"):
        export._require_framing("mnist", colour)


def test_no_other_kind_of_file_is_replaced(run: Run, tmp_path: Path) -> None:
    picture = tmp_path / "photo.png"
    picture.write_bytes(b"a photo")
    with pytest.raises(ModelError, match=r"the model file is '.*photo\.png'; expected a name that ends in \.onnx"):
        export_run(run, picture)
    assert picture.read_bytes() == b"a photo"


def test_evaluation_uses_the_temperature_of_these_weights_only(run: Run, tmp_path: Path) -> None:
    report = export_run(run)
    assert temperature_of(run) == report.info.temperature
    evaluate(run)
    assert (run.folder / "evaluation" / "reliability.png").exists()
    with run.weights_path.open("ab") as weights:
        weights.write(b"\0")
    try:
        assert temperature_of(run) is None
    finally:
        run.weights_path.write_bytes(run.weights_path.read_bytes()[:-1])
    report.path.unlink()
    assert temperature_of(run) is None


def test_a_run_is_concluded_while_its_file_and_its_evaluation_are_of_its_weights(
    picture_folder: Path, tmp_path: Path
) -> None:
    run = train(RECIPE.with_settings({"training.epochs": 1}), picture_folder, runs_dir=tmp_path)
    assert not is_concluded(run)
    conclude(run)
    assert is_concluded(run)
    summary = run.folder / "evaluation" / "summary.json"
    of_former_weights = json.loads(summary.read_text()) | {"weights_sha256": "0" * 64}
    for other in (json.dumps(of_former_weights), "{}", "[", None):
        summary.unlink()
        if other is not None:
            summary.write_text(other)
        assert not is_concluded(run)
    evaluate(run)
    assert is_concluded(run)
    (run.folder / "model.onnx").unlink()
    assert not is_concluded(run)


def test_without_validation_images_nothing_is_calibrated(picture_folder: Path, tmp_path: Path) -> None:
    recipe = RECIPE.with_settings({"data.validation": 0.0, "training.epochs": 1})
    report = export_run(train(recipe, picture_folder, runs_dir=tmp_path))
    assert report.info.temperature == 1.0 and report.info.conformal is None
    assert "no validation images" in report.describe()


@pytest.mark.parametrize(("data", "network"), [("mnist", "linear"), ("emnist-balanced", "linear")])
def test_real_runs_cover_what_they_promise(real_data: Path, tmp_path: Path, data: str, network: str) -> None:
    settings = {"network.name": network, "training.epochs": 1, "training.batch_size": 256}
    run = train(RECIPE, data, settings=settings, data_dir=real_data, runs_dir=tmp_path)
    report = export_run(run, data_dir=real_data)
    assert report.parity.changed_answers == 0
    assert report.info.figures["ece"] < 0.03
    assert report.info.figures["set_coverage"] == pytest.approx(0.95, abs=0.015)
