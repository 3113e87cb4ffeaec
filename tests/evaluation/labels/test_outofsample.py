"""k-fold training: every image judged by a network that never saw it, whatever interrupts the work."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from glyphlab.errors import RecipeError, RunError
from glyphlab.evaluation.labels import outofsample
from glyphlab.evaluation.labels.outofsample import (
    OutOfSample,
    fold_epochs,
    fold_recipe,
    fold_runs,
    last_classifier,
    load_out_of_sample,
    out_of_sample,
)
from glyphlab.networks.classifier import predict
from glyphlab.training.progress import Silent, StepNews
from glyphlab.training.recipe import Recipe
from glyphlab.training.run import Run
from glyphlab.training.train import train

SETTINGS: dict[str, Any] = {
    "network": {"name": "linear"},
    "training": {"epochs": 3, "batch_size": 20, "lr": 0.01},
    "engine": {"device": "cpu", "precision": "float32", "channels_last": False, "compile": False, "threads": 1},
}


def recipe_for(folder: Path, **changes: object) -> Recipe:
    return Recipe.parse(SETTINGS, name="quick").with_settings({"data.name": str(folder), **changes})


class Notes(Silent):
    def __init__(self) -> None:
        self.texts: list[str] = []

    def note(self, text: str) -> None:
        self.texts.append(text)


class StopInFold(Notes):
    """Presses Ctrl-C in the given fold once a step has been reached."""

    def __init__(self, fold: int, at_step: int) -> None:
        super().__init__()
        self.fold, self.at_step = fold, at_step

    def step(self, news: StepNews) -> None:
        if f"fold {self.fold} of 3" in self.texts and news.step >= self.at_step:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(scope="module")
def straight(picture_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[OutOfSample, Path]:
    """Never interrupted."""
    folder = tmp_path_factory.mktemp("straight") / "kfold"
    return out_of_sample(recipe_for(picture_folder), folder, 3), folder


def test_each_image_is_judged_by_the_last_weights_of_a_network_that_never_saw_it(
    straight: tuple[OutOfSample, Path],
) -> None:
    result, folder = straight
    assert result.probs.shape == (120, 3) and result.probs.dtype == np.float32 and result.fold.dtype == np.int8
    np.testing.assert_allclose(result.probs.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(np.bincount(result.fold), [0, 40, 40, 40])
    runs = fold_runs(folder)
    assert [run.recipe.data.fold for run in runs] == [1, 2, 3]
    for fold, run in enumerate(runs, start=1):
        assert run.status["status"] == "finished" and run.environment["data"]["train_images"] == 80
        held_out = np.flatnonzero(result.fold == fold)
        logits = predict(last_classifier(run), torch.from_numpy(result.glyphs.images[held_out]))
        np.testing.assert_allclose(result.probs[held_out], logits.softmax(1).numpy(), atol=1e-6)
    assert result.accuracy > 0.8


def test_what_was_found_is_written_down(straight: tuple[OutOfSample, Path]) -> None:
    result, folder = straight
    about = json.loads((folder / "kfold.json").read_text())
    assert about["folds"] == 3 and about["images"] == 120 and about["data_sha256"] == result.glyphs.digest()
    assert about["runs"] == [f"fold-{fold}/bars-quick-1" for fold in (1, 2, 3)]
    assert about["recipe"]["training.epochs"] == 3 and "data.fold" not in about["recipe"]
    assert about["accuracy"] == pytest.approx(result.accuracy)


def test_a_second_call_trains_nothing(
    straight: tuple[OutOfSample, Path], picture_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outofsample, "train_glyphs", None)
    again = out_of_sample(recipe_for(picture_folder), straight[1], 3)
    np.testing.assert_array_equal(again.probs, straight[0].probs)
    np.testing.assert_array_equal(again.fold, straight[0].fold)


@pytest.mark.parametrize(("fold", "step"), [(1, 10), (3, 4)])
def test_ctrl_c_and_calling_again_end_bit_equal(
    fold: int,
    step: int,
    straight: tuple[OutOfSample, Path],
    picture_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("glyphlab.training.loop._LOOK_EVERY_STEPS", 1)
    with pytest.raises(KeyboardInterrupt):
        out_of_sample(recipe_for(picture_folder), tmp_path, 3, reporter=StopInFold(fold, step))
    assert len(fold_runs(tmp_path)) == fold and not (tmp_path / "kfold.json").exists()
    reporter = Notes()
    again = out_of_sample(recipe_for(picture_folder), tmp_path, 3, reporter=reporter)
    assert any(note.startswith("continuing") for note in reporter.texts)
    np.testing.assert_array_equal(again.probs, straight[0].probs)


def test_a_kill_between_the_last_step_and_the_last_word_costs_nothing(
    straight: tuple[OutOfSample, Path], picture_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "kfold"
    shutil.copytree(straight[1], folder)
    (folder / "kfold.json").unlink()
    status_path = fold_runs(folder)[1].folder / "run.json"
    status_path.write_text(status_path.read_text().replace('"finished"', '"running"'))
    again = out_of_sample(recipe_for(picture_folder), folder, 3)
    np.testing.assert_array_equal(again.probs, straight[0].probs)


_SEARCH = """
import sys
from pathlib import Path
from glyphlab.evaluation.labels.outofsample import out_of_sample
from glyphlab.training.recipe import Recipe
out_of_sample(Recipe.load(sys.argv[1]), Path(sys.argv[2]), 3)
"""


def test_a_killed_search_goes_on_and_ends_bit_equal(picture_folder: Path, tmp_path: Path) -> None:
    recipe = recipe_for(picture_folder, **{"training.epochs": 15})
    recipe_file = tmp_path / "quick.toml"
    recipe_file.write_text(recipe.to_toml())
    folder = tmp_path / "kfold"
    process = subprocess.Popen([sys.executable, "-c", _SEARCH, str(recipe_file), str(folder)])
    deadline = time.monotonic() + 120
    while not list(folder.glob("fold-2/*/metrics.jsonl")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not (folder / "kfold.json").exists()
    finished = fold_runs(folder)[0].folder / "weights-last.safetensors"
    before = finished.stat().st_mtime_ns
    again = out_of_sample(recipe, folder, 3)
    assert finished.stat().st_mtime_ns == before
    whole = last_classifier(train(fold_recipe(recipe, 3, 2), runs_dir=tmp_path / "whole"))
    held_out = again.fold == 2
    logits = predict(whole, torch.from_numpy(again.glyphs.images[held_out]))
    np.testing.assert_allclose(again.probs[held_out], logits.softmax(1).numpy(), atol=1e-6)


def test_folds_of_another_training_are_not_mixed(
    straight: tuple[OutOfSample, Path], picture_folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(straight[1], tmp_path / "kfold")
    shorter = recipe_for(picture_folder, **{"training.epochs": 1})
    with pytest.raises(RunError, match=r"training\.epochs is 3 there, 1 here\); use --force"):
        out_of_sample(shorter, tmp_path / "kfold", 3)
    with pytest.raises(RunError, match=r"data\.folds is 3 there, 2 here"):
        out_of_sample(recipe_for(picture_folder), tmp_path / "kfold", 2)
    out_of_sample(shorter, tmp_path / "kfold", 2, force=True)
    assert [run.status["epochs"] for run in fold_runs(tmp_path / "kfold")] == [1, 1]


def test_nothing_is_chosen_by_the_images_that_are_to_be_judged() -> None:
    watching = Recipe.load("mnist-3conv-bn").with_settings({"training.early_stopping_epochs": 2})
    assert watching.training.schedule == "plateau"
    recipe = fold_recipe(watching, 5, 2)
    assert recipe.training.schedule == "cosine" and recipe.training.early_stopping_epochs is None
    assert (recipe.data.folds, recipe.data.fold) == (5, 2)
    assert recipe.training.lr == watching.training.lr
    taught = fold_recipe(Recipe.load("mnist-record"), 5, 2)
    assert taught.training.teachers is taught.training.distillation is None


def test_a_recipe_for_transfer_is_refused_before_anything_is_trained(picture_folder: Path, tmp_path: Path) -> None:
    notes = Notes()
    wanted = recipe_for(picture_folder, **{"transfer.way": "means"})
    with pytest.raises(RecipeError, match="teaches a network that is trained already"):
        out_of_sample(wanted, tmp_path / "kfold", 2, reporter=notes)
    assert not notes.texts and not (tmp_path / "kfold").exists()


@pytest.fixture(scope="module")
def kept(picture_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[OutOfSample, Path, Path]:
    """Of a run: its out-of-sample probabilities, its folder and its data."""
    root = tmp_path_factory.mktemp("kept")
    shutil.copytree(picture_folder, root / "bars")
    run = train(recipe_for(root / "bars", **{"training.epochs": 1}), runs_dir=root)
    assert load_out_of_sample(run) is None
    return out_of_sample(run, folds=2), run.folder, root / "bars"


def test_a_run_keeps_its_own(kept: tuple[OutOfSample, Path, Path]) -> None:
    result, folder, _ = kept
    loaded = load_out_of_sample(Run.open(folder))
    assert loaded is not None
    np.testing.assert_array_equal(loaded.probs, result.probs)
    np.testing.assert_array_equal(loaded.fold, result.fold)
    assert (folder / "kfold" / "probs.npy").is_file()


def test_damaged_files_are_one_line(kept: tuple[OutOfSample, Path, Path], tmp_path: Path) -> None:
    shutil.copytree(kept[1], tmp_path / "run")
    run, kfold = Run.open(tmp_path / "run"), tmp_path / "run" / "kfold"
    (kfold / "probs.npy").write_bytes(b"")
    with pytest.raises(RunError, match="its probabilities cannot be read"):
        load_out_of_sample(run)
    np.save(kfold / "probs.npy", kept[0].probs[:-1])
    with pytest.raises(RunError, match=r"probs\.npy is \[119, 3\], expected one row an image"):
        load_out_of_sample(run)
    (kfold / "kfold.json").write_text("{}")
    with pytest.raises(RunError, match=r"cannot read .*kfold\.json"):
        load_out_of_sample(run)


def test_data_that_changed_are_refused(kept: tuple[OutOfSample, Path, Path]) -> None:
    _, folder, data = kept
    picture = next((data / "train" / "a").iterdir())
    content = picture.read_bytes()
    picture.unlink()
    try:
        for attempt in (load_out_of_sample, out_of_sample):
            with pytest.raises(RunError, match="has changed since the run began"):
                attempt(Run.open(folder))
    finally:
        picture.write_bytes(content)


def test_quick_folds_are_short_for_large_sets_and_long_enough_for_small_ones() -> None:
    assert fold_epochs(60_000, 5) == 2
    assert fold_epochs(800_000, 5) == 2
    assert fold_epochs(10_000, 5) == 15
    assert fold_epochs(1_297, 5) == 40
