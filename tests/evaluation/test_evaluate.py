"""Which images a run is judged on: those it cannot have learned from."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from glyphlab.data.glyphset import GlyphSet
from glyphlab.errors import RunError
from glyphlab.evaluation.evaluate import evaluate, other_data
from glyphlab.evaluation.export import export_run
from glyphlab.evaluation.labels.target import LabelTarget
from glyphlab.evaluation.transfer.base import open_base
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


def test_a_base_has_no_test_images_where_its_data_changed(run: Run) -> None:
    base = open_base(run.folder)
    assert len(base.data("test", None) or ()) == 18
    grow(run)
    assert base.data("test", None) is None
    assert len(base.data("train", None) or ()) == 107


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
