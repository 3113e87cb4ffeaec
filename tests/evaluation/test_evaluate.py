"""Which images a run is judged on: those it cannot have learned from."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from glyphlab.data.catalogue import SOURCES
from glyphlab.data.glyphset import GlyphSet
from glyphlab.data.sources import load_dataset
from glyphlab.errors import DataError, GlyphlabWarning, RunError
from glyphlab.evaluation.comparison.compare import compare
from glyphlab.evaluation.evaluate import evaluate, write_evaluation
from glyphlab.evaluation.export import conclude, export_run
from glyphlab.evaluation.inspect.subject import Subject
from glyphlab.evaluation.labels.target import LabelTarget
from glyphlab.evaluation.other_data import other_data
from glyphlab.evaluation.report.write import report
from glyphlab.evaluation.result import Evaluation
from glyphlab.evaluation.transfer.base import open_base
from glyphlab.evaluation.transfer.transfer import transfer
from glyphlab.recognition.recognizer import Recognizer
from glyphlab.training.resume import resume
from glyphlab.training.run import Run
from glyphlab.training.train import train

SETTINGS: dict[str, Any] = {"network.name": "linear", "training.epochs": 1, "engine.threads": 1, "engine.device": "cpu"}
SETTINGS |= {"engine.precision": "float32", "engine.channels_last": False, "engine.compile": False}


@pytest.fixture
def run(picture_folder: Path, tmp_path: Path) -> Run:
    """Of a folder without a test part, which is held out of it."""
    shutil.copytree(picture_folder / "train", tmp_path / "grow")
    return train("fast", tmp_path / "grow", settings=SETTINGS, runs_dir=tmp_path / "runs")


def grow(run: Run) -> Path:
    """Copy some pictures, so that others are held out than were when the run began."""
    folder = Path(run.recipe.data.name)
    for picture in sorted((folder / "a").iterdir())[:6]:
        shutil.copy(picture, picture.with_name(f"0-{picture.name}"))
    return folder


def test_own_data_are_known_by_any_name(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("again").symlink_to("grow")
    for own in (None, "grow", Path("grow"), "./grow/", tmp_path / "grow", "again"):
        assert other_data(run, own) is None
    assert other_data(run, "mnist") == "mnist" and other_data(run, "runs") == "runs"
    assert evaluate(run, "grow").accuracy == evaluate(run, write=False).accuracy
    assert (run.folder / "evaluation" / "summary.json").is_file()


def test_images_that_may_have_been_learned_from_are_not_judged_as_test_images(run: Run) -> None:
    folder = grow(run)
    for data in (None, folder):
        with pytest.raises(RunError, match="has changed since the run began"):
            evaluate(run, data, write=False)
    assert len(evaluate(run, folder, split="train", write=False)) == 107
    with pytest.raises(RunError, match="has changed since the run began"):
        LabelTarget.open(str(run.folder)).search_test()
    with pytest.raises(RunError, match="has changed since the run began"):
        Subject.of_run(run).shown(0)


def test_of_its_own_test_images_it_is_told_how_many_it_learned_from(picture_folder: Path, tmp_path: Path) -> None:
    data = tmp_path / "bars"
    shutil.copytree(picture_folder, data)
    run = train("fast", data, settings=SETTINGS, runs_dir=tmp_path / "runs")
    assert conclude(run).remark == evaluate(run, write=False).remark == ""
    for path in sorted((data / "train" / "a").iterdir())[:6]:
        shutil.copy(path, data / "test" / "a" / f"again-{path.name}")
    told = "6 of these 36 images are also among those that it learned from"
    assert conclude(run).remark == evaluate(run, write=False).remark == told


def test_a_base_has_no_test_images_where_its_data_changed(run: Run) -> None:
    base = open_base(run.folder)
    assert len(base.data("test", None) or ()) == 18
    grow(run)
    assert base.data("test", None) is None
    assert len(base.data("train", None) or ()) == 107


def test_folders_may_be_given_as_text(
    write_idx: Callable[[Path, NDArray[np.uint8]], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    images = np.random.default_rng(3).integers(0, 256, (40, 28, 28), dtype=np.uint8)
    for split in ("train", "test"):
        for file, values in zip(SOURCES["mnist"].files(split), (images, np.arange(40) % 10), strict=True):
            write_idx(tmp_path / "mnist" / file, values)
    place, runs = "~", str(tmp_path / "runs")
    run = train("fast", "mnist", settings=SETTINGS, data_dir=place, runs_dir=runs)
    assert run.data_dir() == tmp_path
    assert len(load_dataset("mnist", data_dir=place)) == len(evaluate(run, data_dir=place)) == 40
    assert export_run(run, f"{place}/a.onnx", data_dir=place).path == tmp_path / "a.onnx"
    assert report(run, path=f"{place}/a.html", data_dir=place) == tmp_path / "a.html"
    assert resume(run.name, epochs=2, data_dir=place, runs_dir=runs).status["epochs"] == 2
    other = train("fast", "mnist", settings=SETTINGS, data_dir=place, runs_dir=runs)
    assert len(compare([run, other], data_dir=place).glyphs) == 40


def test_a_folder_named_like_a_public_set_is_not_that_set(picture_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(picture_folder, tmp_path / "digits")
    path = export_run(train("fast", tmp_path / "digits", settings=SETTINGS, runs_dir=tmp_path)).path
    base = open_base(path)
    assert base.info.data["name"] == "digits" and base.data("train", None) is None


@pytest.fixture
def digits_run(tmp_path: Path) -> Run:
    return train("fast", "digits", settings=SETTINGS, runs_dir=tmp_path / "runs")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two pictures a digit, black on grey paper, large, small and off the middle: not at all as MNIST has them."""
    test = load_dataset("digits", "test")
    for digit in range(10):
        (tmp_path / "photos" / str(digit)).mkdir(parents=True)
        for number, place in enumerate(np.flatnonzero(test.targets == digit)[:2]):
            page = np.full((300, 260), 210, dtype=np.uint8)
            ink = cv2.resize(test.images[place], (140, 140), interpolation=cv2.INTER_CUBIC)
            page[20 : 20 + 140, 90 : 90 + 140] = 210 - ink // 2
            Image.fromarray(page).save(tmp_path / "photos" / str(digit) / f"{number}.png")
    return tmp_path / "photos"


def test_pictures_of_other_data_are_prepared_as_for_reading_and_all_judged(digits_run: Run, photos: Path) -> None:
    export_run(digits_run)
    evaluation = evaluate(digits_run, photos)
    pictures = sorted(photos.glob("*/*.png"))
    answers = Recognizer.load(digits_run.folder).predict(pictures)
    assert [evaluation.class_names[answer] for answer in evaluation.predictions] == [a.character for a in answers]
    assert evaluation.targets.tolist() == [digit for digit in range(10) for _ in range(2)]
    assert evaluation.remark == "pictures prepared as for reading"
    assert (digits_run.folder / "evaluation-photos" / "summary.json").is_file()


def test_pictures_that_cannot_be_prepared_are_left_out_and_counted(digits_run: Run, photos: Path) -> None:
    Image.new("L", (100, 100), 255).save(photos / "3" / "blank.png")
    with pytest.warns(GlyphlabWarning, match=r"left out 3/blank\.png \(nothing is written on it"):
        evaluation = evaluate(digits_run, photos, write=False)
    assert len(evaluation) == 20 and "1 of 21 left out" in evaluation.remark
    for path in photos.glob("*/*.png"):
        path.write_bytes(b"nothing")
    with (
        pytest.warns(GlyphlabWarning),
        pytest.raises(DataError, match=r"none of the 21 pictures can be used: 0/0\.png"),
    ):
        evaluate(digits_run, photos, write=False)


def test_tables_and_saved_sets_are_other_data_too(digits_run: Run, tmp_path: Path) -> None:
    test = load_dataset("digits", "test").subset(range(40))
    test.save(tmp_path / "saved" / "test.npz")
    rows = [
        f"{target}," + ",".join(map(str, image.ravel()))
        for target, image in zip(test.targets, test.images, strict=True)
    ]
    (tmp_path / "table.csv").write_text("\n".join(rows), encoding="utf-8")
    expected = evaluate(digits_run, write=False).predictions[:40].tolist()
    for data in (tmp_path / "saved", tmp_path / "table.csv"):
        assert evaluate(digits_run, data, write=False).predictions.tolist() == expected


def test_runs_that_prepare_pictures_differently_are_compared_on_the_same_pictures(
    digits_run: Run, photos: Path, tmp_path: Path
) -> None:
    own = train("fast", photos, settings=SETTINGS | {"data.size": 16}, runs_dir=tmp_path / "runs")
    larger = train("fast", photos, settings=SETTINGS | {"data.size": 32}, runs_dir=tmp_path / "runs")
    assert len(compare([digits_run, own, larger], photos).glyphs) == 10  # held out of the training on them
    shutil.copytree(photos, tmp_path / "again")
    assert len(evaluate(digits_run, tmp_path / "again", write=False)) == 20
    on_others = compare([digits_run, own], tmp_path / "again").glyphs  # whatever their folder is called
    assert len(on_others) == 10 and "only the 10 images that none of the networks learned from" in on_others.remark
    with pytest.raises(DataError, match="not judged on the same images"):
        compare([digits_run, own])


def test_pictures_that_a_network_was_taught_by_do_not_judge_it(photos: Path, tmp_path: Path) -> None:
    taught = transfer("digits", photos, way="means", runs_dir=tmp_path / "runs").run
    evaluation = evaluate(taught, photos, write=False)
    assert len(evaluation) == 10 == len(evaluate(taught, write=False))
    assert "10 of 20 left out, from which the network learned" in evaluation.remark
    assert len(evaluate(taught, photos, split="train", write=False)) == 20
    with pytest.raises(DataError, match=r"was taught, which cannot be done anew by folds; .* labels find FOLDER"):
        LabelTarget.open(str(taught.folder)).search_train()
    learned = load_dataset(str(taught.folder / "glyphs"), "train")
    replace(learned, split="test").save(tmp_path / "learned" / "test.npz")
    with pytest.raises(DataError, match=r"all of the 10 images are among those that .* learned from"):
        evaluate(taught, tmp_path / "learned", write=False)


def test_pictures_of_a_former_evaluation_do_not_stay(tmp_path: Path) -> None:
    glyphs = load_dataset("digits", "test").subset(range(8))
    right = np.eye(10, dtype=np.float32)[glyphs.targets]
    for logits, is_drawn in ((-right, True), (right, False)):
        write_evaluation(Evaluation.from_logits(logits, glyphs), glyphs, tmp_path, "0" * 64)
        assert (tmp_path / "mistakes.png").exists() == is_drawn


def test_a_model_of_a_public_set_finds_it_again(tmp_path: Path) -> None:
    base = open_base(export_run(train("fast", "digits", settings=SETTINGS, runs_dir=tmp_path)).path)
    train_part, test_part = base.data("train", None), base.data("test", None)
    assert isinstance(train_part, GlyphSet) and isinstance(test_part, GlyphSet)
    assert (train_part.split, test_part.split) == ("train", "test")
