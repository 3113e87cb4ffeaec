"""Where a training leaves what it has reached: a run folder (`run.Run`), memory (`memory.Memory`), or nowhere."""

from __future__ import annotations

from typing import Protocol

from glyphlab.training.checkpoint import TrainingState


class Keeper(Protocol):
    """Keeps the state of a training at the moments that the loop chooses."""

    @property
    def name(self) -> str:
        """What the training is called, for whoever watches it."""

    @property
    def kept_in(self) -> str:
        """Where the last good state is, as the end of a sentence: "kept in runs/mnist-fast-1"."""

    def save_checkpoint(self, state: TrainingState) -> None:
        """Keep all that continuing needs."""

    def save_epoch(self, state: TrainingState) -> None:
        """Keep what an epoch's end changes: figures, the newest weights, those that count if these are they."""

    def save_last(self, state: TrainingState) -> None:
        """Keep the newest weights, in the middle of an epoch."""


class Nowhere:
    """A `Keeper` that keeps nothing: of several processes that train one network, only the first writes."""

    name = "elsewhere"
    kept_in = "kept by the first process"

    def save_checkpoint(self, state: TrainingState) -> None:
        """Nothing."""

    def save_epoch(self, state: TrainingState) -> None:
        """Nothing."""

    def save_last(self, state: TrainingState) -> None:
        """Nothing."""
