"""How a training run tells whoever watches it; silent unless somebody listens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from glyphlab.training.history import EpochMetrics


@dataclass(frozen=True)
class Plan:
    """What is about to be trained."""

    title: str
    total_epochs: int
    steps_per_epoch: int
    total_steps: int
    first_step: int


@dataclass(frozen=True)
class StepNews:
    """Where the run stands within an epoch; loss and accuracy are the epoch's means so far."""

    epoch: int
    step: int
    train_loss: float
    train_accuracy: float
    images_per_second: float
    remaining_seconds: float


class Reporter(Protocol):
    """Receives the news of a run."""

    def note(self, text: str) -> None:
        """One remark, such as the engine's choice of precision."""

    def preparing(self, what: str, done: int, total: int) -> None:
        """How far long work before the first step is; `stop` follows it, in whatever way it ends."""

    def start(self, plan: Plan) -> None:
        """Training begins."""

    def step(self, news: StepNews) -> None:
        """Some steps later."""

    def epoch(self, metrics: EpochMetrics) -> None:
        """An epoch has ended."""

    def stop(self) -> None:
        """Training, or work before it, has ended, in whatever way."""


class Silent:
    """A reporter that says nothing."""

    def note(self, text: str) -> None:
        """Nothing."""

    def preparing(self, what: str, done: int, total: int) -> None:
        """Nothing."""

    def start(self, plan: Plan) -> None:
        """Nothing."""

    def step(self, news: StepNews) -> None:
        """Nothing."""

    def epoch(self, metrics: EpochMetrics) -> None:
        """Nothing."""

    def stop(self) -> None:
        """Nothing."""
