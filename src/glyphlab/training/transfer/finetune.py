"""Ways by gradient descent: a new last layer alone (report B), or fine-tuning in two stages."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass

import numpy as np
import torch

from glyphlab.errors import RunError
from glyphlab.networks.classifier import Classifier
from glyphlab.training.checkpoint import TrainingState
from glyphlab.training.engine import Engine, settle
from glyphlab.training.history import EpochMetrics
from glyphlab.training.loop import Ending, Job, fit
from glyphlab.training.memory import Memory
from glyphlab.training.optimizer import build_optimizer
from glyphlab.training.progress import Reporter, Silent
from glyphlab.training.recipe import EngineSettings, Recipe
from glyphlab.training.seeds import Purpose, derived_seed
from glyphlab.training.transfer.frozen import PartlyFrozen, lower_layers, with_classes
from glyphlab.training.transfer.heads import Head, Integers
from glyphlab.training.transfer.task import Task

# "auto" epochs: about so many pictures are seen in all, within these bounds. A minute on two cores holds six such
# trainings, five for cross-validation and the last one.
_AUTO_IMAGES = 6_000
_AUTO_EPOCHS = (5, 60)


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained classifier in evaluation mode, its epochs, and the recipe with epochs counted and engine settled."""

    classifier: Classifier
    history: list[EpochMetrics]
    recipe: Recipe
    time_seconds: float


def fine_tune(task: Task, pictures: Integers, start: Head, reporter: Reporter | None = None) -> Trained:
    """Fine-tuning's second stage: from a last layer that fits already, all layers that are not frozen learn on.

    pictures: int64, which of the task's to learn from. start: the first stage's last layer, a probe. Begun with a
    random one instead, the first steps would spoil the features before the layer has learned to use them.

    Source: A. Kumar, A. Raghunathan, R. Jones, T. Ma, P. Liang, "Fine-Tuning can Distort Pretrained Features and
    Underperform Out-of-Distribution", ICLR 2022 (LP-FT).
    """
    classifier = with_classes(task.base, task.glyphs.class_names)
    start.put_into(classifier)
    classifier.freeze(task.frozen)
    return _train(classifier, task, task.recipe, pictures, reporter)


def train_last_layer(task: Task, pictures: Integers, reporter: Reporter | None = None) -> Trained:
    """Report B's way: all layers frozen, the last one replaced by a new, random one, trained by the frozen recipe.

    Dropout in the frozen layers stays at work, as it does in the report.
    """
    torch.manual_seed(derived_seed(task.frozen_recipe.training.seed, Purpose.WEIGHTS))
    classifier = with_classes(task.base, task.glyphs.class_names)
    classifier.freeze(len(lower_layers(classifier)))
    return _train(classifier, task, task.frozen_recipe, pictures, reporter)


def _train(
    classifier: PartlyFrozen, task: Task, recipe: Recipe, pictures: Integers, reporter: Reporter | None
) -> Trained:
    """The training loop on a classifier that is not new, without validation images and in memory."""
    reporter = reporter or Silent()
    epochs = recipe.training.epochs
    counted = recipe.with_settings({"training.epochs": _auto_epochs(len(pictures)) if epochs == "auto" else epochs})
    engine = settled_engine(counted, classifier)
    settled = counted.model_copy(update={"engine": engine.settings()})
    job = Job(
        recipe=settled,
        engine=engine,
        images=torch.from_numpy(task.glyphs.images).to(engine.device),
        targets=torch.from_numpy(task.glyphs.targets).to(engine.device),
        train=torch.from_numpy(pictures).to(engine.device),
        validation=torch.empty(0, dtype=torch.int64, device=engine.device),
    )
    engine.place(classifier)
    settings = settled.training
    assert isinstance(settings.epochs, int)
    state = TrainingState(
        classifier=classifier,
        optimizer=build_optimizer(classifier, settings),
        total_steps=settings.epochs * job.steps_per_epoch,
        average=copy.deepcopy(classifier).requires_grad_(False) if settings.ema_decay is not None else None,
        sums=torch.zeros(3, dtype=torch.float32 if engine.device == "mps" else torch.float64, device=engine.device),
    )
    try:
        ending = fit(job, state, Memory(f"{task.glyphs.name}-{recipe.name}"), reporter, lambda: False)
    finally:
        reporter.stop()
    if ending is Ending.TIME_BUDGET and not state.history:
        raise RunError(f"training.time_budget_seconds = {settings.time_budget_seconds:g} ended before the first step")
    return Trained(state.result.cpu().eval(), state.history, settled, state.time_seconds)


def settled_engine(recipe: Recipe, classifier: Classifier) -> Engine:
    """What the recipe asks for; what it leaves open is fixed, for timing would take longer than it could gain."""
    asked = recipe.engine
    fixed = EngineSettings(
        device=asked.device,
        precision="float32" if asked.precision == "auto" else asked.precision,
        channels_last=True if asked.channels_last == "auto" else asked.channels_last,
        compile=False if asked.compile == "auto" else asked.compile,
        threads=asked.threads,
    )
    untimed = recipe.training.model_copy(update={"time_budget_seconds": None})
    blank = torch.zeros(2, *classifier.spec.image_shape), torch.zeros(2, dtype=torch.int64)
    engine, _ = settle(fixed, untimed, classifier, lambda: blank, total_images=0)
    return engine


def _auto_epochs(pictures: int) -> int:
    fewest, most = _AUTO_EPOCHS
    return int(np.clip(math.ceil(_AUTO_IMAGES / max(pictures, 1)), fewest, most))
