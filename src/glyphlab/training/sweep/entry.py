"""What the ledger has of a trial."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from glyphlab.training.sweep.settings import Trial


class Standing(Enum):
    """Where a trial stands."""

    WAITING = "waiting"
    RUNNING = "running"
    STOPPED = "stopped"
    FINISHED = "finished"
    PRUNED = "pruned"
    FAILED = "failed"

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return self in (Standing.FINISHED, Standing.PRUNED, Standing.FAILED)


@dataclass(frozen=True)
class Entry:
    """One trial as the book has it. number: from 1. by_epoch: the objective after each epoch. host: of its owner."""

    number: int
    trial: Trial
    standing: Standing
    owner: str = ""
    host: str = ""
    attempts: int = 0
    by_epoch: tuple[tuple[int, float], ...] = ()
    result: dict[str, Any] | None = None
    failure: str = ""

    @property
    def label(self) -> str:
        """What its author called it, else its number."""
        return self.trial.label or str(self.number)


@dataclass(frozen=True)
class Claim:
    """A trial that is this worker's until it ends or the worker does."""

    trial_id: int
    entry: Entry


class Nothing(Enum):
    """Why there was no trial to claim."""

    DONE = "all trials are over"
    WAIT = "the last trials are under way elsewhere"


def trial_record(trial: Trial) -> dict[str, Any]:
    """A trial as JSON values, for the storage."""
    return trial.model_dump(exclude={"recipe"}, exclude_none=True) | (
        {"recipe": trial.recipe.resolved()} if trial.recipe else {}
    )


def entry_of(number: int, trial: FrozenTrial, lives: Callable[[str], bool]) -> Entry:
    """One of Optuna's trials as the book has it. lives: whether an owner does."""
    facts = trial.user_attrs
    owner = facts.get("owner", "")
    standing = {
        TrialState.WAITING: Standing.WAITING,
        TrialState.COMPLETE: Standing.FINISHED,
        TrialState.PRUNED: Standing.PRUNED,
        TrialState.FAIL: Standing.FAILED,
    }.get(trial.state)
    return Entry(
        number=number,
        trial=Trial.model_validate(facts["trial"]),
        standing=standing or (Standing.RUNNING if lives(owner) else Standing.STOPPED),
        owner=owner,
        host=facts.get("host", ""),
        attempts=facts.get("attempts", 0),
        by_epoch=tuple(sorted(trial.intermediate_values.items())),
        result=facts.get("result"),
        failure=facts.get("failure", ""),
    )
