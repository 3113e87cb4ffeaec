"""A training that leaves no folder behind: its network stays in memory."""

from __future__ import annotations

import copy
from dataclasses import dataclass

from glyphlab.errors import RunError
from glyphlab.networks.classifier import Classifier
from glyphlab.training.checkpoint import TrainingState
from glyphlab.training.history import EpochMetrics
from glyphlab.training.loop import Ending, Job, fit
from glyphlab.training.progress import Reporter
from glyphlab.training.recipe import Recipe


@dataclass(frozen=True, eq=False)
class Trained:
    """What a training in memory gives back.

    recipe: as it was resolved, with the engine that was used. classifier: the network of the epoch that
    `training.keep` names, or the last one's without validation images, in evaluation mode. history: a row an epoch.
    ending: why it stopped.
    """

    recipe: Recipe
    classifier: Classifier
    history: list[EpochMetrics]
    ending: str


class Memory:
    """A `Keeper` that keeps a copy of the network that counts and nothing else."""

    kept_in = "lost, since this training writes no files"

    def __init__(self, name: str) -> None:
        self.name = name
        self.best: Classifier | None = None

    def save_checkpoint(self, state: TrainingState) -> None:
        """Nothing: a training in memory is never continued."""

    def save_epoch(self, state: TrainingState) -> None:
        """Keep the network of the epoch that counts so far."""
        if state.newest_counts:
            self.best = copy.deepcopy(state.result).eval()

    def save_last(self, state: TrainingState) -> None:
        """Nothing: the newest network lies in the state itself."""


def fit_in_memory(job: Job, state: TrainingState, name: str, reporter: Reporter) -> tuple[Memory, Ending]:
    """Train to the end without writing a file. Raises `RunError` as `fit` does, and where no step was made."""
    memory = Memory(name)
    try:
        ending = fit(job, state, memory, reporter, lambda: False)
    finally:
        reporter.stop()
    if not state.history:
        budget = job.recipe.training.time_budget_seconds
        raise RunError(f"training.time_budget_seconds = {budget:g} ended before the first step")
    return memory, ending
