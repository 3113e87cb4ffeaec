"""Which images a run is judged on: those it cannot have learned from."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from glyphlab.data.catalogue import SOURCES
from glyphlab.data.glyphset import GlyphSet
from glyphlab.data.sources import load_dataset
from glyphlab.errors import RunError
from glyphlab.evaluation.comparison.compare import compare
from glyphlab.evaluation.evaluate import evaluate, other_data
from glyphlab.evaluation.export import export_run
from glyphlab.evaluation.labels.target import LabelTarget
from glyphlab.evaluation.report.write import report
from glyphlab.evaluation.transfer.base import open_base
from glyphlab.training.run import Run
from glyphlab.training.train import resume, train

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


def test_a_model_of_a_public_set_finds_it_again(tmp_path: Path) -> None:
    base = open_base(export_run(train("fast", "digits", settings=SETTINGS, runs_dir=tmp_path)).path)
    train_part, test_part = base.data("train", None), base.data("test", None)
    assert isinstance(train_part, GlyphSet) and isinstance(test_part, GlyphSet)
    assert (train_part.split, test_part.split) == ("train", "test")
