"""Training on images in memory: the same network as through a run folder, without the folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from glyphlab.data.glyphset import GlyphSet
from glyphlab.data.sources import load_dataset
from glyphlab.errors import RunError
from glyphlab.training.recipe import Recipe
from glyphlab.training.train import train, train_glyphs, train_in_memory

RECIPE = Recipe.parse(
    {
        "network": {"name": "mnist-3conv-bn", "widths": [4, 8], "hidden": 16},
        "augment": {"rotation_degrees": 10},
        "training": {"epochs": 4, "batch_size": 10, "lr": 0.01, "ema_decay": 0.9},
        "engine": {"device": "cpu", "precision": "float32", "channels_last": False, "compile": False, "threads": 1},
    },
    name="memory",
)


def equal(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(mine, theirs) for mine, theirs in pairs)


def figures(history: list[Any]) -> list[Any]:
    return [(row.epoch, row.train_loss, row.validation_loss, row.validation_accuracy) for row in history]


def test_loaded_in_memory_and_without_a_folder_give_the_same_network(picture_folder: Path, tmp_path: Path) -> None:
    loaded = load_dataset(str(picture_folder), "train")
    by_path = train(RECIPE, picture_folder, runs_dir=tmp_path / "path")
    by_glyphs = train_glyphs(RECIPE, loaded, runs_dir=tmp_path / "glyphs")
    in_memory = train_in_memory(RECIPE, loaded)
    assert by_glyphs.name == by_path.name == "bars-memory-1"
    assert by_glyphs.environment["data"]["sha256"] == by_path.environment["data"]["sha256"]
    assert equal(by_path.classifier(), by_glyphs.classifier()) and equal(by_path.classifier(), in_memory.classifier)
    assert figures(by_path.history) == figures(in_memory.history)
    assert not in_memory.classifier.training and in_memory.ending == "finished"


def test_the_best_epoch_is_kept_or_the_last_without_validation(glyphs: GlyphSet) -> None:
    # A learning rate that grows wild after the first epochs: the best is not the last.
    wild = RECIPE.with_settings({"training.lr": 3.0, "training.ema_decay": None, "training.epochs": 8})
    long = train_in_memory(wild, glyphs)
    best = max(long.history, key=lambda row: (row.validation_accuracy, -(row.validation_loss or 0)))
    assert best.epoch < 8
    short = train_in_memory(wild.with_settings({"training.epochs": best.epoch}), glyphs)
    assert equal(long.classifier, short.classifier)
    to_the_end = train_in_memory(wild.with_settings({"training.keep": "last"}), glyphs)
    assert figures(to_the_end.history) == figures(long.history)
    assert not equal(to_the_end.classifier, long.classifier)
    to_the_best = {"training.keep": "last", "training.epochs": best.epoch}
    assert equal(train_in_memory(wild.with_settings(to_the_best), glyphs).classifier, long.classifier)
    without = train_in_memory(RECIPE.with_settings({"data.validation": 0}), glyphs)
    assert without.history[-1].validation_loss is None and not without.classifier.training


def test_a_loss_gone_astray_says_that_nothing_is_kept(glyphs: GlyphSet) -> None:
    with pytest.raises(RunError, match=r"no longer finite at step \d+ .* the last good state is lost, since"):
        train_in_memory(RECIPE.with_settings({"training.lr": 1e30, "training.optimizer": "sgd"}), glyphs)


def test_nothing_is_written(glyphs: GlyphSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    train_in_memory(RECIPE.with_settings({"training.epochs": 1}), glyphs)
    assert not any(tmp_path.iterdir())
