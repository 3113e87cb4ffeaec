from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from glyphlab.data.sources import load_dataset
from glyphlab.errors import RecipeError
from glyphlab.imaging.glyph import FRAMINGS
from glyphlab.training.distributed import World
from glyphlab.training.engine import Engine
from glyphlab.training.images import Parts
from glyphlab.training.outset import new_job
from glyphlab.training.progress import Silent
from glyphlab.training.recipe import Recipe
from glyphlab.training.redraw import redrawn, redrawn_for
from glyphlab.training.resume import resume
from glyphlab.training.train import train

MNIST = FRAMINGS["mnist"]
SMALL: dict[str, Any] = {
    "augment": {"redraw": 0.5},
    "network": {"name": "mnist-3conv-bn", "widths": [4, 8], "hidden": 16},
    "training": {"epochs": 2, "batch_size": 50, "seed": 3},
    "engine": {"device": "cpu", "precision": "float32", "channels_last": False, "compile": False, "threads": 1},
}


def small(**changes: object) -> Recipe:
    return Recipe.parse(SMALL, name="small").with_settings(changes)


def test_each_image_gets_a_pen_of_its_own_and_keeps_its_shape() -> None:
    images = load_dataset("digits").images[:40]
    anew = redrawn(images, MNIST, seed=1)
    assert anew.shape == images.shape and anew.dtype == np.uint8
    assert np.array_equal(anew, redrawn(images, MNIST, seed=1))
    assert not np.array_equal(anew, redrawn(images, MNIST, seed=2))
    ink = anew.reshape(40, -1).mean(1)
    thin = replace(MNIST, thickest=MNIST.thinnest)
    thick = replace(MNIST, thinnest=MNIST.thickest)
    bounds = [redrawn(images, pen, seed=1).reshape(40, -1).mean(1) for pen in (thin, thick)]
    assert (bounds[0] < ink).mean() > 0.9 and (ink < bounds[1]).mean() > 0.9
    # The shapes are the images' own: whatever the pens, an image is more like itself than like any other.
    one, other = (np.float64(redrawn(images, MNIST, seed).reshape(40, -1)) for seed in (1, 2))
    likeness = (one / np.linalg.norm(one, axis=1, keepdims=True)) @ (other / np.linalg.norm(other, axis=1)[:, None]).T
    assert (likeness.argmax(1) == np.arange(40)).mean() > 0.9


def test_an_image_without_ink_stays_as_it_is() -> None:
    blank = np.zeros((2, 28, 28), np.uint8)
    assert np.array_equal(redrawn(blank, MNIST, seed=0), blank)


class Heard(Silent):
    def __init__(self) -> None:
        self.news: list[tuple[int, int]] = []
        self.stops = 0

    def preparing(self, what: str, done: int, total: int) -> None:
        self.news.append((done, total))

    def stop(self) -> None:
        self.stops += 1


def test_it_tells_how_far_it_is() -> None:
    glyphs, recipe, heard = load_dataset("digits"), small(), Heard()
    parts = Parts.carve(glyphs, recipe)
    redrawn_for(recipe, glyphs, parts, heard)
    total = len(parts.train)
    assert heard.news == [(min(done, total), total) for done in range(512, total + 512, 512)]
    assert len(heard.news) > 1 and heard.stops == 1


def test_only_images_that_are_trained_on_are_redrawn() -> None:
    glyphs, recipe = load_dataset("digits"), small()
    parts = Parts.carve(glyphs, recipe)
    anew = redrawn_for(recipe, glyphs, parts, Silent())
    assert anew is not None
    changed = (anew != glyphs.images).any(axis=(1, 2))
    assert changed[parts.train].mean() > 0.99 and not changed[parts.validation].any()
    assert redrawn_for(small(**{"augment.redraw": 0.0}), glyphs, parts, Silent()) is None


def test_a_batch_mixes_them_in_the_share_that_was_asked_for() -> None:
    glyphs, recipe = load_dataset("digits"), small(**{"augment.redraw": 0.25, "training.batch_size": 1000})
    parts = Parts.carve(glyphs, recipe)
    marked = np.full_like(glyphs.images, 255)
    job = new_job(recipe, Engine(), glyphs, parts, World.alone(), None, marked)
    order = job.epoch_order(0)
    pixels, _ = job.batch(0, order)
    anew = (pixels == 1).flatten(1).all(1)
    assert 0.2 < anew.float().mean() < 0.3
    assert torch.equal(pixels, job.batch(0, order)[0])  # the same step, the same batch
    as_they_are = torch.from_numpy(glyphs.images)[order[:1000]][~anew].float() / 255
    assert torch.equal(pixels[~anew][:, 0], as_they_are)


def test_a_run_is_continued_with_the_same_pens(tmp_path: Any) -> None:
    whole = train(small(), "digits", runs_dir=tmp_path / "whole")
    half = train(small(), "digits", epochs=1, runs_dir=tmp_path / "half")
    resume(half, epochs=2)
    ends = [run.history[-1].train_loss for run in (whole, half)]
    assert ends[0] == ends[1]
    plain = train(small(**{"augment.redraw": 0.0}), "digits", runs_dir=tmp_path / "plain")
    assert plain.history[-1].train_loss != ends[0]


def test_what_cannot_be_redrawn_is_refused(tmp_path: Any) -> None:
    glyphs = load_dataset("digits")
    (tmp_path / "own").mkdir()
    replace(glyphs.subset(np.arange(100)), origin="").save(tmp_path / "own" / "train.npz")
    with pytest.raises(RecipeError, match=r"augment\.redraw is 0\.5, but '.*own' is not one of the sets of digits"):
        train(small(), tmp_path / "own", runs_dir=tmp_path)
    with pytest.raises(RecipeError, match=r"augment\.redraw has no effect in a transfer"):
        Recipe.parse({"augment": {"redraw": 0.5}, "transfer": {"way": "finetune"}}, name="teach")
