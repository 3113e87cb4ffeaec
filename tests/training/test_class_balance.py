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
