"""Classes that occur unequally often: what each kind of balance makes of images that do not tell them apart."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from glyphlab.data.glyphset import GlyphSet
from glyphlab.networks.classifier import predict
from glyphlab.training.recipe import Recipe
from glyphlab.training.train import train_in_memory

RECIPE = Recipe.parse(
    {
        "data": {"validation": 0},
        "network": {"name": "linear"},
        "training": {"epochs": 60, "batch_size": 50, "lr": 0.02},
        "engine": {"device": "cpu", "precision": "float32", "channels_last": False, "compile": False, "threads": 1},
    },
    name="balance",
)


def uneven() -> GlyphSet:
    """The same few images under both labels, nine times as often under the first; a third class has no image."""
    pictures = np.random.default_rng(5).integers(0, 256, (10, 6, 6), dtype=np.uint8)
    return GlyphSet(np.concatenate([pictures] * 10), np.repeat([0, 1], [90, 10]), ("common", "rare", "never"))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize(("balance", "share"), [("none", 0.1), ("loss", 0.5), ("sampling", 0.5), ("logits", 0.5)])
def test_what_is_learnt_of_a_rare_class(balance: str, share: float, smoothing: float) -> None:
    settings = {"training.class_balance": balance, "training.label_smoothing": smoothing}
    trained = train_in_memory(RECIPE.with_settings(settings), uneven())
    probs = predict(trained.classifier, torch.from_numpy(uneven().images)).softmax(1).mean(0)
    assert float(probs[1] / probs[:2].sum()) == pytest.approx(share, abs=0.1)
    if balance != "logits":  # which weighs a class without images as one with a single image
        assert float(probs[2]) < 0.1


@pytest.mark.parametrize("balance", ["loss", "sampling", "logits"])
def test_smoothed_labels_of_very_unequal_classes_leave_the_common_one_its_images(balance: str) -> None:
    targets = np.repeat([0, 1], [300, 3])
    images = np.random.default_rng(1).integers(0, 60, (303, 6, 6), dtype=np.uint8)
    images[targets == 0, :, :2] = 255
    images[targets == 1, :, 4:] = 255
    glyphs = GlyphSet(images, targets, ("common", "rare"))
    settings = {"training.class_balance": balance, "training.label_smoothing": 0.1}
    trained = train_in_memory(RECIPE.with_settings(settings), glyphs)
    probs = predict(trained.classifier, torch.from_numpy(images)).softmax(1).numpy()
    assert (probs.argmax(1) == targets).all()
    assert probs[:300, 0].mean() > 0.75
