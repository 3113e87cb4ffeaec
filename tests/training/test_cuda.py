"""What a GPU would be asked to do, on a pretended one: nothing mixes devices, and no step waits for the device."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from glyphlab.data.glyphset import GlyphSet
from glyphlab.data.sources import load_dataset
from glyphlab.networks.classifier import predict
from glyphlab.training import loop
from glyphlab.training.recipe import Recipe
from glyphlab.training.resume import resume
from glyphlab.training.train import train, train_in_memory

Cuda = Callable[[], AbstractContextManager[Any]]

# All that a step may meet: each way to vary an image, an averaged network, batch norm, dropout.
EVERYTHING: dict[str, Any] = {
    "network": {"name": "mnist-3conv-bn", "widths": [4, 8], "hidden": 16},
    "augment": {
        "rotation_degrees": 10, "scale": 0.1, "shear_degrees": 5, "shift": 0.05, "flip_horizontal": 0.5,
        "elastic": 0.02, "stroke": 0.2, "brightness": 0.1, "contrast": 0.1, "erase": 0.5,
    },
    "training": {"epochs": 2, "batch_size": 25, "ema_decay": 0.9, "label_smoothing": 0.05},
    "engine": {"precision": "float32", "channels_last": False, "compile": False},
}  # fmt: skip


def recipe(**changes: Any) -> Recipe:
    return Recipe.parse(EVERYTHING, name="everything").with_settings(changes)


def test_the_pretended_device_minds_what_a_gpu_minds(pretended_cuda: Cuda) -> None:
    with pretended_cuda() as waits:
        there, here = torch.ones(3, device="cuda"), torch.ones(3)
        assert there.device.type == "cuda"
        assert (there * 2).view(3, 1).device.type == "cuda"
        assert here.device.type == there.cpu().device.type == "cpu"
        with pytest.raises(RuntimeError, match="add: expected all tensors to be on the same device"):
            there + here
        with pytest.raises(TypeError, match="can't convert cuda:0"):
            there.numpy()
        weight = torch.nn.Linear(3, 1).to("cuda").weight
        (weight @ there).sum().backward()
        assert weight.grad is not None
        assert weight.grad.device.type == "cuda"
        del waits.names[:]
        assert float(there.sum()) == 3.0
        assert len(waits) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"training.class_balance": "loss", "training.clip_norm": 1.0},
        {"training.class_balance": "logits"},
        {"training.class_balance": "sampling", "training.optimizer": "adamw"},
        {"training.optimizer": "sgd", "training.schedule": "plateau"},
    ],
)
def test_trained_on_a_gpu_and_judged_there_and_elsewhere(
    pretended_cuda: Cuda, picture_folder: Path, tmp_path: Path, changes: dict[str, Any]
) -> None:
    with pretended_cuda():
        run = train(recipe(**changes), picture_folder, runs_dir=tmp_path)
        assert run.recipe.engine.device == "cuda"
        assert run.environment["device_name"] == "pretended"
        run = resume(run, epochs=3)
        assert len(run.history) == 3
        taught = {"training.teachers": [str(run.folder)], "training.distillation": 0.5, "training.epochs": 1}
        assert train(recipe(**taught), picture_folder, runs_dir=tmp_path).is_done


def test_on_a_gpu_and_on_the_processor_the_same_is_learned(
    pretended_cuda: Cuda, picture_folder: Path, tmp_path: Path
) -> None:
    here = train(recipe(**{"engine.device": "cpu"}), picture_folder, runs_dir=tmp_path)
    with pretended_cuda():
        there = train(recipe(), picture_folder, runs_dir=tmp_path)
    assert here.history[-1].train_loss == there.history[-1].train_loss


@pytest.mark.parametrize("redraw", [0.0, 0.5])
def test_a_step_does_not_wait_for_the_gpu(pretended_cuda: Cuda, monkeypatch: pytest.MonkeyPatch, redraw: float) -> None:
    glyphs = load_dataset("digits").subset(np.arange(90))
    monkeypatch.setattr(loop, "_LOOK_EVERY_STEPS", 10_000)
    waited = []
    for batch_size in (27, 9):
        with pretended_cuda() as waits:
            changes = {"training.batch_size": batch_size, "training.class_balance": "loss", "training.epochs": 1}
            changes["augment.redraw"] = redraw
            trained = train_in_memory(recipe(**changes), glyphs)
            waited.append((trained.history[-1].step, list(waits.names)))
    (few, waits_of_few), (many, waits_of_many) = waited
    assert many == 3 * few
    assert waits_of_few == waits_of_many


def test_many_images_are_waited_for_once(pretended_cuda: Cuda, glyphs: GlyphSet) -> None:
    with pretended_cuda() as waits:
        classifier = train_in_memory(recipe(**{"training.epochs": 1}), glyphs).classifier
        del waits.names[:]
        logits = predict(classifier, torch.from_numpy(glyphs.images), batch_size=7)
        assert waits.names == ["cpu"]
        assert logits.numpy().shape == (len(glyphs), len(glyphs.class_names))
        assert np.isfinite(logits.numpy()).all()
