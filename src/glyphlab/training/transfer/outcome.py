"""What a transfer leaves behind: a run folder like any other, with its pictures and the trial beside it.

runs/greek-photos-transfer-1/
  glyphs/train.npz, test.npz   the pictures as the network saw them; the run's data from now on
  transfer.json                the base, the ways and their figures
  ...                          recipe, environment, weights, metrics as in every run, see `run`
"""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from glyphlab.data.glyphset import GlyphSet
from glyphlab.data.saved import saved_path
from glyphlab.files import write_json
from glyphlab.networks.classifier import Classifier, predict
from glyphlab.process import peak_memory_mb
from glyphlab.training.checkpoint import TrainingState
from glyphlab.training.environment import describe_environment
from glyphlab.training.history import EpochMetrics
from glyphlab.training.images import Parts, data_facts
from glyphlab.training.recipe import Recipe
from glyphlab.training.run import Run
from glyphlab.training.settings import TransferSettings
from glyphlab.training.transfer.ways import Learned

GLYPHS = "glyphs"
FACTS = "transfer.json"


def recorded_recipe(learned: Learned, asked: TransferSettings, base: str, framing: str | None, invert: bool) -> Recipe:
    """The recipe that the run records: the way's own, with the base's network, and how pictures were prepared."""
    spec, settings = learned.classifier.spec, learned.recipe
    changes: dict[str, Any] = {f"network.{key}": value for key, value in spec.network_section().items()}
    changes |= {"transfer.base": base, "transfer.framing": framing or "", "transfer.invert": invert}
    changes |= {"transfer.way": learned.way, "transfer.add": asked.add, "transfer.copies": asked.copies}
    changes |= {"transfer.hold_out": asked.hold_out}
    changes["transfer.freeze"] = asked.freeze if learned.way == "finetune" else None
    if not isinstance(settings.training.epochs, int):  # solved for, not trained
        changes["training.epochs"] = 1
    return settings.with_settings(changes)


def write_run(
    runs_dir: Path, learned: Learned, recipe: Recipe, train: GlyphSet, test: GlyphSet, facts: dict[str, Any]
) -> Run:
    """Make the run folder. facts: what transfer.json says; its time_seconds is the run's as well.

    A training that solves for its last layer has one epoch, at its end; figures are of the pictures as they are.
    Raises `RunError` when the disk refuses.
    """
    parts = Parts(np.arange(len(train)), np.empty(0, dtype=np.int64))
    engine = learned.recipe.engine
    assert isinstance(engine.threads, int), engine
    environment = describe_environment(engine.device, engine.threads) | {
        "seed": recipe.training.seed,
        "data": data_facts(train, parts, None),
        "parameters": learned.classifier.parameter_count(),
        "engine_timings": [],
        "transfer": facts["base"],
    }
    run = Run.create(runs_dir, train.name, recipe, environment)
    with run.locked():
        folder = run.folder / GLYPHS
        train.save(saved_path(folder, "train"))
        test.save(saved_path(folder, "test"))
        run.set_recipe(recipe.with_settings({"data.name": str(folder.resolve()), "data.skip_bad": None}))
        write_json(run.folder / FACTS, facts)
        state = _finished(learned, train, recipe, facts["time_seconds"])
        run.save_epoch(state)
        run.save_checkpoint(state)
        if learned.history:
            run.draw_curves(state.history)
        run.extend_environment({"time_seconds": facts["time_seconds"], "peak_memory_mb": peak_memory_mb()})
        run.set_status("finished", state)
    return run


def _finished(learned: Learned, train: GlyphSet, recipe: Recipe, time_seconds: float) -> TrainingState:
    """A state at its end, which `resume` can lengthen: from here on all layers learn, with a fresh optimiser.

    None is made here: the first one that a process makes loads torch's compiler, which takes two seconds.
    """
    classifier = learned.classifier.requires_grad_(True)
    history = learned.history or [_only_epoch(classifier, train, time_seconds)]
    return TrainingState(
        classifier=classifier,
        average=None if recipe.training.ema_decay is None else copy.deepcopy(classifier).requires_grad_(False),
        optimizer=None,
        total_steps=history[-1].step,
        step=history[-1].step,
        history=history,
        time_seconds=time_seconds,
    )


def _only_epoch(classifier: Classifier, train: GlyphSet, time_seconds: float) -> EpochMetrics:
    logits = predict(classifier, torch.from_numpy(train.images)).double()
    targets = torch.from_numpy(train.targets)
    return EpochMetrics(
        epoch=1,
        step=1,
        images_seen=len(train),
        lr=0.0,
        train_loss=torch.nn.functional.cross_entropy(logits, targets).item(),
        train_accuracy=(logits.argmax(1) == targets).double().mean().item(),
        validation_loss=None,
        validation_accuracy=None,
        time_seconds=round(time_seconds, 3),
        images_per_second=round(len(train) / max(time_seconds, 1e-3), 1),
    )


def joined(parts: list[GlyphSet], class_names: tuple[str, ...], name: str, split: str, remark: str) -> GlyphSet:
    """Several sets as one, their classes renumbered among `class_names`; ids tell which set an image is from."""
    places = {class_name: place for place, class_name in enumerate(class_names)}
    targets = [
        np.array([places[class_name] for class_name in part.class_names], dtype=np.int64)[part.targets]
        for part in parts
    ]
    ids = tuple(f"{part.name}/{part.id_of(index)}" for part in parts for index in range(len(part)))
    whole = GlyphSet(np.concatenate([part.images for part in parts]), np.concatenate(targets), class_names)
    return replace(whole, name=name, split=split, ids=ids, remark=remark)
