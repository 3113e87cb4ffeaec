"""Ways by gradient descent: a new last layer alone (report B), or fine-tuning in two stages."""

from __future__ import annotations

import copy
import math
from contextlib import nullcontext
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from glyphlab.networks.classifier import Classifier
from glyphlab.training.checkpoint import TrainingState
from glyphlab.training.engine import Engine, settle
from glyphlab.training.history import EpochMetrics
from glyphlab.training.loop import Job
from glyphlab.training.memory import fit_in_memory
from glyphlab.training.optimizer import build_optimizer
from glyphlab.training.progress import Reporter, Silent
from glyphlab.training.recipe import Recipe
from glyphlab.training.seeds import Purpose, derived_seed
from glyphlab.training.settings import EngineSettings
from glyphlab.training.transfer.frozen import PartlyFrozen, lower_layers, with_classes
from glyphlab.training.transfer.heads import Head, Integers
from glyphlab.training.transfer.task import Task
from glyphlab.training.transfer.threads import one_thread

# "auto" epochs: about so many pictures are seen in all, within these bounds. A minute on two cores holds six such
# trainings, five for cross-validation and the last one.
_AUTO_IMAGES = 6_000
_AUTO_EPOCHS = (5, 60)
# Layers with fewer values than this are trained by one thread; see `one_thread`.
_WORTH_SHARING = 500_000


class _ConstantJob(Job):
    """A job whose images are what the layers below have made of them already: float32 [N, ...], never varied."""

    def batch(self, step: int, order: Tensor) -> tuple[Tensor, Tensor]:
        """What has been made of a step's images, and their targets. Pure."""
        chosen = self.chosen(step, order)
        return self.images[chosen], self.targets[chosen]


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

    Dropout in the frozen layers stays at work, as it does in the report. What lies below it says the same of a picture
    in every epoch and is computed once, see `Task.constants`.
    """
    torch.manual_seed(derived_seed(task.frozen_recipe.training.seed, Purpose.WEIGHTS))
    classifier = with_classes(task.base, task.glyphs.class_names)
    classifier.freeze(len(lower_layers(classifier)))
    classifier.begin = task.constant
    return _train(classifier, task, task.frozen_recipe, pictures, reporter)


def images_to_train_on(recipe: Recipe, pictures: int) -> int:
    """How many images a training with so many pictures sees in all."""
    epochs = recipe.training.epochs
    return pictures * (auto_epochs(pictures) if epochs == "auto" else epochs)


def _train(
    classifier: PartlyFrozen, task: Task, recipe: Recipe, pictures: Integers, reporter: Reporter | None
) -> Trained:
    """The training loop on a classifier that is not new, without validation images and in memory."""
    reporter = reporter or Silent()
    epochs = recipe.training.epochs
    counted = recipe.with_settings({"training.epochs": auto_epochs(len(pictures)) if epochs == "auto" else epochs})
    engine = settled_engine(counted, classifier)
    settled = counted.model_copy(update={"engine": engine.settings()})
    shown = task.constants if classifier.begin else torch.from_numpy(task.glyphs.images)
    job = (_ConstantJob if classifier.begin else Job)(
        recipe=settled,
        engine=replace(engine, channels_last=engine.channels_last and (shown.ndim == 4 or not classifier.begin)),
        images=shown.to(engine.device),
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
    with one_thread() if _is_small(classifier) else nullcontext():
        fit_in_memory(job, state, f"{task.glyphs.name}-{recipe.name}", reporter)
    result = state.result.cpu().eval()
    assert isinstance(result, PartlyFrozen)
    result.begin = 0
    return Trained(result, state.history, settled, state.time_seconds)


def _is_small(classifier: PartlyFrozen) -> bool:
    """Whether so little is computed at a step that threads would wait for each other longer than they work."""
    if not classifier.begin:
        return False
    layers = list(classifier.body.children())[classifier.begin :]
    return sum(values.numel() for layer in layers for values in layer.parameters()) < _WORTH_SHARING


def settled_engine(recipe: Recipe, classifier: Classifier) -> Engine:
    """What the recipe asks for; what it leaves open is fixed, for timing would take longer than it could gain."""
    asked = recipe.engine
    fixed = EngineSettings(
        device=asked.device,
        precision="float32" if asked.precision == "auto" else asked.precision,
        channels_last=True if asked.channels_last == "auto" else asked.channels_last,
        compile=False if asked.compile == "auto" else asked.compile,
        threads=torch.get_num_threads() if asked.threads == "auto" else asked.threads,
    )
    untimed = recipe.training.model_copy(update={"time_budget_seconds": None})
    blank = torch.zeros(2, *classifier.spec.image_shape), torch.zeros(2, dtype=torch.int64)
    engine, _ = settle(fixed, untimed, classifier, lambda: blank, total_images=0)
    return engine


def auto_epochs(pictures: int) -> int:
    """The epochs that "auto" stands for, with so many pictures to learn from."""
    fewest, most = _AUTO_EPOCHS
    return int(np.clip(math.ceil(_AUTO_IMAGES / max(pictures, 1)), fewest, most))
