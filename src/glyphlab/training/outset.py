"""A training before its first step: network, work and state, as they follow from a recipe and its images."""

from __future__ import annotations

import copy
import time

import numpy as np
import torch
from numpy.typing import NDArray

from glyphlab.data.glyphset import GlyphSet
from glyphlab.networks import registry
from glyphlab.networks.classifier import Classifier, ClassifierSpec
from glyphlab.networks.wholebatch import see_whole_batches
from glyphlab.training.checkpoint import TrainingState
from glyphlab.training.distill import Teachers
from glyphlab.training.distributed import World
from glyphlab.training.engine import Engine, Timing
from glyphlab.training.images import Parts, normalisation
from glyphlab.training.loop import Job
from glyphlab.training.optimizer import build_optimizer
from glyphlab.training.recipe import Recipe
from glyphlab.training.schedule import Plateau
from glyphlab.training.seeds import Purpose, derived_seed
from glyphlab.training.transfer.start import begins_with_weights, started

# "auto" epochs: about so many images are seen in all, within these bounds.
_AUTO_IMAGES = 430_000
_AUTO_EPOCHS = (8, 40)
# A plan for a time budget leaves this part of it for validation, files and a machine that slows down.
_BUDGET_RESERVE = 0.15


def epochs_of(recipe: Recipe, train_images: int) -> int:
    """The recipe's epochs, "auto" worked out from the number of training images."""
    if isinstance(recipe.training.epochs, int):
        return recipe.training.epochs
    fewest, most = _AUTO_EPOCHS
    return min(max(round(_AUTO_IMAGES / train_images), fewest), most)


def new_classifier(recipe: Recipe, glyphs: GlyphSet, parts: Parts) -> Classifier:
    """The untrained network; its weights depend on the seed alone, unless the recipe names some to begin with."""
    if begins_with_weights(recipe):
        return started(recipe, glyphs, parts)
    mean, std = normalisation(glyphs, parts, recipe)
    torch.manual_seed(derived_seed(recipe.training.seed, Purpose.WEIGHTS))
    network = recipe.network
    return Classifier(
        ClassifierSpec(
            network=network.name,
            image_shape=glyphs.image_shape,
            class_names=glyphs.class_names,
            mean=mean,
            std=std,
            options=registry.resolved_options(network.name, network.options),
            shift_averaging=network.shift_averaging,
        )
    )


def new_job(
    recipe: Recipe,
    engine: Engine,
    glyphs: GlyphSet,
    parts: Parts,
    world: World,
    teachers: Teachers | None = None,
    redrawn: NDArray[np.uint8] | None = None,
) -> Job:
    """Everything on the engine's device; on the CPU the images are shared, not copied."""
    device = engine.device
    return Job(
        recipe=recipe,
        engine=engine,
        images=torch.from_numpy(glyphs.images).to(device),
        targets=torch.from_numpy(glyphs.targets).to(device),
        train=torch.from_numpy(parts.train).to(device),
        validation=torch.from_numpy(parts.validation).to(device),
        teachers=teachers,
        world=world,
        redrawn=None if redrawn is None else torch.from_numpy(redrawn).to(device),
    )


def planned_steps(job: Job, timings: list[Timing]) -> int:
    """All epochs' steps, or as many as the time budget will hold, so that the schedule ends with the budget."""
    steps = epochs_of(job.recipe, len(job.train)) * job.steps_per_epoch
    budget = job.recipe.training.time_budget_seconds
    rate = next((timing.images_per_second for timing in timings if timing.engine == job.engine), None)
    if budget is None or rate is None:
        return steps
    # What was timed is one process's part of a step, without teachers.
    return min(steps, _steps_in(budget, job.batch_size / (rate * job.world.size) + _seconds_of_teachers(job)))


def further_steps(job: Job, state: TrainingState, planned: int) -> int:
    """Of the steps `planned` in all for a run that is extended, as many as its time budget will hold from here."""
    budget = job.recipe.training.time_budget_seconds
    if budget is None or not state.history or not state.history[-1].images_per_second:
        return planned
    return min(planned, state.step + _steps_in(budget, job.batch_size / state.history[-1].images_per_second))


def _steps_in(budget_seconds: float, seconds_a_step: float) -> int:
    return max(1, int(budget_seconds * (1 - _BUDGET_RESERVE) / seconds_a_step))


def _seconds_of_teachers(job: Job) -> float:
    """How long they need for a batch; its first time, which prepares much, does not count."""
    if job.teachers is None:
        return 0.0
    pixels, _ = job.batch(0, job.epoch_order(0))
    began = 0.0
    for _ in range(2):
        began = time.perf_counter()
        job.teachers.probs(pixels).cpu()
    return time.perf_counter() - began


def new_state(job: Job, classifier: Classifier, total_steps: int) -> TrainingState:
    """Step 0: optimiser, average and plateau as the recipe asks for."""
    settings = job.recipe.training
    job.engine.place(classifier)
    if not job.world.is_alone:
        see_whole_batches(classifier, job.world)
    on_plateau = settings.schedule == "plateau"
    # MPS has no float64.
    exact = torch.float32 if job.engine.device == "mps" else torch.float64
    return TrainingState(
        classifier=classifier,
        optimizer=build_optimizer(classifier, settings),
        total_steps=total_steps,
        average=copy.deepcopy(classifier).requires_grad_(False) if settings.ema_decay is not None else None,
        plateau=Plateau(settings.effective("plateau_factor"), settings.effective("plateau_patience"))
        if on_plateau
        else None,
        sums=torch.zeros(3, dtype=exact, device=job.engine.device),
    )
