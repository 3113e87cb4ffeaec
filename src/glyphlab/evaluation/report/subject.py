"""What a report is about: a run, its network, what it answered and the images it was asked."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from glyphlab.data.glyphset import GlyphSet
from glyphlab.evaluation.calibration import calibrated
from glyphlab.evaluation.metrics import Floats, Integers
from glyphlab.evaluation.mistakes.examination import Examination
from glyphlab.evaluation.mistakes.find import Mistake
from glyphlab.evaluation.mistakes.lookalikes import merged_accuracy, merged_groups
from glyphlab.evaluation.result import Evaluation
from glyphlab.networks.classifier import Classifier
from glyphlab.training.history import EpochMetrics
from glyphlab.training.run import Run


@dataclass(frozen=True, eq=False)
class Subject:
    """Everything that sections of the report are made from.

    examination: what is known of the mistakes. data: what the images were asked for by; None: the run's own.
    """

    run: Run
    classifier: Classifier
    evaluation: Evaluation
    glyphs: GlyphSet
    examination: Examination
    data: str | Path | None = None

    def __post_init__(self) -> None:
        assert len(self.evaluation) == len(self.glyphs), (len(self.evaluation), len(self.glyphs))
        wrong = {int(index) for index in self.evaluation.mistakes}
        assert wrong == {mistake.index for mistake in self.mistakes}, "one Mistake for each misclassified image"

    @property
    def mistakes(self) -> tuple[Mistake, ...]:
        """Every misclassified image with its verdict, the surest mistake first."""
        return self.examination.mistakes

    @property
    def temperature(self) -> float | None:
        """Of the run's model file; None where it has none."""
        return self.examination.temperature

    @cached_property
    def probs(self) -> Floats:
        """Probabilities, float64 [N, K], at the temperature where there is one: what the page says of single images."""
        if self.temperature is None:
            return self.evaluation.probs
        return calibrated(self.evaluation.logits, self.temperature)

    @cached_property
    def confidences(self) -> Floats:
        """Probability of the answer at that temperature, float64 [N]."""
        return np.take_along_axis(self.probs, self.evaluation.predictions[:, None], axis=1)[:, 0]

    @cached_property
    def history(self) -> list[EpochMetrics]:
        """The training's epochs."""
        return self.run.history

    @cached_property
    def environment(self) -> dict[str, Any]:
        """Versions, machine, data and command."""
        return self.run.environment

    @cached_property
    def status(self) -> dict[str, Any]:
        """How far the training came."""
        return self.run.status

    @property
    def names(self) -> tuple[str, ...]:
        """Class names."""
        return self.evaluation.class_names

    @cached_property
    def kinds(self) -> Counter[str]:
        """How many mistakes are of which kind."""
        return Counter(mistake.kind for mistake in self.mistakes)

    @cached_property
    def groups(self) -> Integers:
        """int64 [K]: classes of one group look alike."""
        return merged_groups(self.names)

    @property
    def has_look_alikes(self) -> bool:
        """Whether any two classes look alike."""
        return len(np.unique(self.groups)) < len(self.names)

    @cached_property
    def merged_accuracy(self) -> float:
        """Accuracy with look-alikes counted as equal, 0 to 1."""
        return merged_accuracy(self.evaluation)

    @property
    def own_data(self) -> bool:
        """Whether the images are of the data set that the run was trained on."""
        return bool(self.environment.get("data", {}).get("name") == self.evaluation.data)
