"""The learning rate, step by step."""

from __future__ import annotations

import math
from dataclasses import dataclass

from glyphlab.training.settings import TrainingSettings

_ONE_CYCLE_START = 1 / 25


def lr_factor(settings: TrainingSettings, step: int, total_steps: int, steps_per_epoch: int) -> float:
    """What the recipe's `lr` is multiplied by at `step` (0 to total_steps - 1); a pure function.

    constant: 1. cosine: half a cosine from 1 to `final_lr_ratio` (Loshchilov and Hutter 2017, without restarts).
    one-cycle: a cosine rise from 1/25 to 1 at `peak_at` of the run, then a cosine fall to `final_lr_ratio` (Smith
    2018; the momentum is left alone). plateau: 1; `Plateau` lowers it. All but one-cycle rise linearly during
    `warmup_epochs`.
    """
    warmup_steps = settings.warmup_epochs * steps_per_epoch
    if step < warmup_steps:
        return min(1.0, (step + 1) / warmup_steps)
    progress = (step - warmup_steps) / max(1.0, total_steps - 1 - warmup_steps)
    final = settings.effective("final_lr_ratio")
    if settings.schedule == "cosine":
        return _cosine(1.0, final, progress)
    if settings.schedule == "one-cycle":
        peak = settings.effective("peak_at")
        if progress < peak:
            return _cosine(_ONE_CYCLE_START, 1.0, progress / peak)
        return _cosine(1.0, final, (progress - peak) / (1 - peak))
    return 1.0


def _cosine(start: float, end: float, progress: float) -> float:
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * min(max(progress, 0.0), 1.0)))


@dataclass
class Plateau:
    """Lowers the learning rate when the validation loss stops improving, as PyTorch's ReduceLROnPlateau does.

    An epoch counts as progress when its loss is below the best so far by more than one part in ten thousand. After
    more than `patience` epochs without progress the factor is multiplied by `decay`.
    """

    decay: float
    patience: int
    factor: float = 1.0
    best_loss: float = math.inf
    epochs_without_progress: int = 0

    def update(self, validation_loss: float) -> None:
        """Take note of an epoch's validation loss."""
        if validation_loss < self.best_loss * (1 - 1e-4):
            self.best_loss = validation_loss
            self.epochs_without_progress = 0
        else:
            self.epochs_without_progress += 1
        if self.epochs_without_progress > self.patience:
            self.factor *= self.decay
            self.epochs_without_progress = 0
