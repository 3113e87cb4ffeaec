"""From probabilities to answers: the best class, the runners-up, and whether the answer is to be trusted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glyphlab.errors import GlyphlabError
from glyphlab.recognition.alphabet import Alphabet
from glyphlab.recognition.conformal import prediction_sets


@dataclass(frozen=True)
class Prediction:
    """The answer for one picture.

    character: the most probable class, whether or not it is certain.
    probability: its calibrated probability, 0 to 1.
    alternatives: the next classes with their probabilities, the most probable first.
    certain: the probability reaches the least confidence asked for, and the prediction set, where one was
        asked for, holds this character alone; True where neither was asked for, however low the probability
        (`Rule.judges` says which; tables and JSON of the command line then leave it out).
    prediction_set: the characters that cannot be ruled out at the coverage asked for, the most probable first,
        `character` always among them; empty where no coverage was asked for.
    """

    character: str
    probability: float
    alternatives: tuple[tuple[str, float], ...] = ()
    certain: bool = True
    prediction_set: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.character if self.certain else f"{self.character}?"

    def to_json(self) -> dict[str, Any]:
        """Plain values, probabilities with six decimals."""
        value: dict[str, Any] = {
            "character": self.character,
            "probability": round(self.probability, 6),
            "certain": self.certain,
            "alternatives": [[name, round(probability, 6)] for name, probability in self.alternatives],
        }
        return value | ({"prediction_set": list(self.prediction_set)} if self.prediction_set else {})


@dataclass(frozen=True)
class Rule:
    """How probabilities become answers.

    alphabet: the classes that may be answered. min_confidence: least probability of a certain answer, 0 to 1.
    thresholds: of the prediction sets, float64 [K] for the classes of the model or [1] for all of them; None: no sets.
    alternatives: how many runners-up to name, 0 or more.

    Raises `GlyphlabError` for a value out of range.
    """

    alphabet: Alphabet
    min_confidence: float = 0.0
    thresholds: NDArray[np.float64] | None = field(default=None, compare=False)
    alternatives: int = 3
    _names: NDArray[np.object_] = field(init=False, repr=False, compare=False)
    _own_thresholds: NDArray[np.float64] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 0 <= self.min_confidence <= 1:
            raise GlyphlabError(f"min_confidence is {self.min_confidence}; expected a probability, 0 to 1")
        if self.alternatives < 0:
            raise GlyphlabError(f"alternatives is {self.alternatives}; expected 0 or more")
        object.__setattr__(self, "_names", np.array(self.alphabet.names, dtype=object))
        own = self.thresholds
        if own is not None and len(own) > 1:
            own = own[self.alphabet.indices]
        object.__setattr__(self, "_own_thresholds", own)

    @property
    def judges(self) -> bool:
        """Whether an answer can be uncertain at all: a least confidence or prediction sets were asked for."""
        return self.min_confidence > 0 or self.thresholds is not None

    def possible(self, name: str, probability: float) -> bool:
        """Whether an answer of this probability, 0 to 1, belongs to the prediction set, where there are sets.

        name: of the alphabet; another, such as a letter's other case, is judged by the largest of the thresholds.
        """
        if self._own_thresholds is None:
            return False
        known = len(self._own_thresholds) > 1 and name in self.alphabet.names
        own = self._own_thresholds[self.alphabet.names.index(name)] if known else self._own_thresholds.max()
        return bool(probability >= 1 - own)

    def decide(self, probs: NDArray[np.float32]) -> list[Prediction]:
        """An answer a row. probs: float32 [N, K] over all classes of the model.

        With a smaller alphabet the probabilities are those given that it is one of its characters. A prediction
        set is then no less likely to hold the truth, provided that the truth is in the alphabet: dividing by
        their sum only raises its probability. Sets are made for equally common classes, as they were calibrated;
        the answer, for equally common characters (`Alphabet.weigh`), is added where it is missing.
        """
        by_class = self.alphabet.restrict(probs)
        probs = self.alphabet.weigh(by_class)
        order = np.argsort(-probs, axis=1, kind="stable")
        ranked = np.take_along_axis(probs, order, axis=1).astype(np.float64)
        inside = np.zeros(probs.shape, dtype=bool)
        if self._own_thresholds is not None:
            inside = np.take_along_axis(prediction_sets(by_class, self._own_thresholds), order, axis=1)
            inside[:, 0] = True
        shown = 1 + self.alternatives
        answers: list[Prediction] = []
        for row, values in enumerate(ranked[:, :shown].tolist()):
            names = self._names[order[row, :shown]].tolist()
            possible = tuple(self._names[order[row, inside[row]]].tolist())
            answers.append(
                Prediction(
                    character=names[0],
                    probability=values[0],
                    alternatives=tuple(zip(names[1:], values[1:], strict=True)),
                    certain=values[0] >= self.min_confidence and len(possible) <= 1,
                    prediction_set=possible,
                )
            )
        return answers
