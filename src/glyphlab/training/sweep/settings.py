"""The values of a sweep's definition: how to search, what is predicted, and a single trial."""

from __future__ import annotations

import hashlib
from typing import Any, Literal

from pydantic import Field

from glyphlab.training.recipe import Recipe
from glyphlab.training.settings import Section
from glyphlab.training.sweep.baselines import Baseline
from glyphlab.training.sweep.space import Point, canonical


class Search(Section):
    """How the space is searched."""

    method: Literal["grid", "random", "tpe", "list"] = "grid"
    trials: int | None = Field(None, ge=1, description="random, tpe: how many in all")
    seed: int = Field(1, ge=0, description="random, tpe: which points are drawn")
    objective: Literal["validation_accuracy", "validation_loss"] = "validation_accuracy"
    pruning: Literal["none", "median", "asha"] = Field("none", description="end hopeless trials early")

    @property
    def maximised(self) -> bool:
        """Whether more is better."""
        return self.objective == "validation_accuracy"


class Prediction(Section):
    """What its author expects of a sweep, in words and, where wanted, as claims that can be checked."""

    text: str = Field(min_length=1)
    best: dict[str, Any] = Field(default_factory=dict, description="settings of the best trial")
    best_accuracy: list[float] | None = Field(None, min_length=2, max_length=2, description="from, to (shares)")
    most_important: str | None = Field(None, description="the setting that matters most")

    @property
    def sha256(self) -> str:
        """A fingerprint that any later change would change."""
        return digest(self.model_dump(exclude_defaults=True))


class Trial(Section):
    """One trial of a plan. point: what is varied, for display. reported: the accuracy that others gave for it."""

    point: Point
    recipe: Recipe | None = None
    baseline: Baseline | None = None
    label: str = ""
    reported: float | None = None

    @property
    def key(self) -> str:
        """Equal for trials that would do the same: a fingerprint of all settings except how fast they are run."""
        if self.recipe is None:
            assert self.baseline is not None
            return digest({"baseline": self.baseline.model_dump()})
        whole = self.recipe.resolved()
        kept = {name: value for name, value in whole.items() if name not in ("name", "description", "engine")}
        engine = {name: value for name, value in self.point.items() if name.startswith("engine.")}
        return digest(kept | engine)


def digest(value: Any) -> str:
    """The SHA-256 of a JSON value, whatever the order of its keys."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()
