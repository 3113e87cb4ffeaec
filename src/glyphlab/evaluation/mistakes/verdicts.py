"""Whose fault is a mistake: is the model wrong, is the label suspicious, or can nobody tell?

The label counts as right until evidence speaks against it, and one network that is sure of itself is no such
evidence: it must be joined by other networks, or by the labels of the training images that look most like the image.
t is the label, p the answer; the first rule that applies decides:

    verdict           rule
    ----------------  -------------------------------------------------------------------------------------------
    ambiguous         1  t and p are written alike (`lookalikes`): the picture does not tell them apart, and what
                         networks say of them is a guess as well
    model wrong       2  the witnesses say t
    ambiguous         3  the network is torn between t and p
    label suspicious  4  the witnesses say p, and more: of other networks none says t; without other networks, the
                         network is sure of p
    ambiguous         5  other networks were asked, but settle it for neither; without other networks: more than half
                         of the nearest training images are p
    model wrong       6  nothing of this: too little speaks against the label

    the witnesses say k  other networks were asked and more than half of them answer k; where none was asked: all of
                         the nearest training images are labelled k, those nearest to the network and those nearest by
                         their pixels, whatever the network makes of them (`neighbours`). A vote of other classifiers
                         against a label: Brodley, Friedl, "Identifying Mislabeled Training Data", JAIR 11 (1999);
                         the neighbours' labels: Wilson, "Asymptotic Properties of Nearest Neighbor Rules Using Edited
                         Data", IEEE Transactions on Systems, Man, and Cybernetics 2 (1972)
    sure of p            P(p) is at least the mean P(k) of the images labelled k = p: the class threshold of confident
                         learning (Northcutt, Jiang, Chuang, "Confident Learning: Estimating Uncertainty in Dataset
                         Labels", JAIR 70, 2021)
    torn                 the normalised margin (P(t) - P(p) + 1) / 2 is 0.25 or more, so p leads by half or less (the
                         score of Kuan, Mueller, "Model-agnostic label quality scoring to detect real-world label
                         errors", 2022; that it counts as torn from 0.25 on is our own choice)

P are probabilities at the temperature that calibrates them, where one is known. They must be out-of-sample: of images
that the network was not trained on. A verdict says what to look at first; it changes no figure.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from glyphlab.evaluation.wording import percent

Kind = Literal["model wrong", "label suspicious", "ambiguous"]
KINDS: tuple[Kind, ...] = ("model wrong", "label suspicious", "ambiguous")

_TORN = 0.25  # the normalised margin from which on the network is torn
_FEWEST_NEAREST = 3  # with fewer training images at hand their agreement means nothing
_TOLERANCE = 1e-6  # a class whose images all have one probability reaches its mean, whatever the rounding


@dataclass(frozen=True)
class Evidence:
    """What is known about one misclassified image.

    label, answer: class names. p_label, p_answer: their probabilities, 0 to 1. threshold: from which probability on
    the network counts as sure of the answer; infinity where no image carries that label. look_alike: the two are
    written alike. votes: what other networks answer. nearest: the labels of the nearest training images. Both may be
    empty.
    """

    label: str
    answer: str
    p_label: float
    p_answer: float
    threshold: float
    look_alike: bool
    votes: tuple[str, ...] = ()
    nearest: tuple[str, ...] = ()

    def verdict(self) -> tuple[Kind, str]:
        """The kind, by the rules of this module, and in plain words what it rests on."""
        kind, conclusion = self._decide()
        facts = (self._certainty(), self._networks(), self._training_images())
        return kind, f"{'; '.join(fact for fact in facts if fact)}: {conclusion}"

    def _decide(self) -> tuple[Kind, str]:
        if self.look_alike:
            return "ambiguous", f"{self.label} and {self.answer} are written alike, the picture does not tell"
        if self._witnesses_say(self.label):
            return "model wrong", "the model is wrong"
        if (self.p_label - self.p_answer + 1) / 2 >= _TORN:
            return "ambiguous", f"torn between {self.answer} and the label {self.label}"
        if self._witnesses_say(self.answer) and (self._is_sure if not self.votes else self.label not in self.votes):
            return "label suspicious", "the label is suspicious"
        if self.votes:
            return "ambiguous", "the networks do not settle it"
        if 2 * self.nearest.count(self.answer) > len(self.nearest):
            return "ambiguous", "not enough to doubt the label, other networks could settle it"
        return "model wrong", "too little speaks against the label, the model is wrong"

    @property
    def _is_sure(self) -> bool:
        return self.p_answer >= self.threshold - _TOLERANCE

    def _witnesses_say(self, name: str) -> bool:
        if self.votes:
            return 2 * self.votes.count(name) > len(self.votes)
        return len(self.nearest) >= _FEWEST_NEAREST and self.nearest.count(name) == len(self.nearest)

    def _certainty(self) -> str:
        verb = "sure of" if self._is_sure else "says"
        known = math.isfinite(self.threshold)
        usual = f"usual for {self.answer}: {share(self.threshold)}" if known else f"no image is labelled {self.answer}"
        given = f"{verb} {self.answer} ({share(self.p_answer)}; {usual})"
        return f"{given}, the label {self.label} gets {share(self.p_label)}"

    def _networks(self) -> str:
        return f"other networks say {_tally(self.votes)}" if self.votes else ""

    def _training_images(self) -> str:
        return f"the nearest training images are {_tally(self.nearest)}" if self.nearest else ""


def share(value: float) -> str:
    """A probability in words: whole percent."""
    return f"{percent(value, 0)}%"


def _tally(names: Sequence[str]) -> str:
    """``"9 (4 of 5), 4 (1 of 5)"``: what was said how often, the commonest first."""
    return ", ".join(f"{name} ({count} of {len(names)})" for name, count in Counter(names).most_common())
