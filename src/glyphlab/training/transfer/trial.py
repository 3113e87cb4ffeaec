"""How good a way is, and how sure its answers may be: stratified cross-validation on the pictures to learn from."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch

from glyphlab.networks.classifier import predict
from glyphlab.training.images import stratified_folds
from glyphlab.training.seeds import Purpose, derived_seed
from glyphlab.training.transfer.adding import SHARE_RECOGNISED
from glyphlab.training.transfer.heads import Floats, Head, Integers, Tuning, certainty
from glyphlab.training.transfer.task import Task
from glyphlab.training.transfer.threads import one_thread
from glyphlab.training.transfer.ways import Way, learn, solve

FOLDS = 5
# Above so many pictures one fold is judged instead of all: it is large enough, and five trainings take long.
FEW_PICTURES = 1_000


@dataclass(frozen=True, eq=False)
class Plan:
    """Which pictures are judged in which fold. parts: int64 [N], 1 to FOLDS. judged: the folds that are held out."""

    parts: Integers
    judged: tuple[int, ...]

    @classmethod
    def of(cls, task: Task) -> Plan | None:
        """None where a class has a single picture, which cannot be learned from and judged at once."""
        targets = task.glyphs.targets
        counts = np.bincount(targets, minlength=task.classes)
        if counts[task.kept :].min() < 2:
            return None
        folds = min(FOLDS, len(targets))
        seed = derived_seed(task.recipe.training.seed, Purpose.SPLIT)
        parts = stratified_folds(targets, folds, seed)
        return cls(parts, tuple(range(1, folds + 1)) if len(targets) <= FEW_PICTURES else (1,))


@dataclass(frozen=True, eq=False)
class Trial:
    """How a way did on pictures it had not learned from.

    pictures: int64 [n], those judged. logits: float32 [n, K] of the network that had not seen them. accuracies: the
    share answered rightly in each fold, 0 to 1; with kept classes the mean over the classes, since rehearsed pictures
    are many. varied: the same of the pictures and their varied copies together, over all folds. tuning: the probe's.
    time_seconds: for all folds. lowered: what the logits of new classes were lowered by, for want of pictures of the
    old ones (`adding.restrained`). cost: the share of the old classes' pictures that were answered rightly before and
    no longer are.
    """

    way: Way
    pictures: Integers
    logits: Floats
    targets: Integers
    accuracies: tuple[float, ...]
    varied: float
    tuning: Tuning
    time_seconds: float
    lowered: float = 0.0
    cost: float = 0.0

    @property
    def accuracy(self) -> float:
        """Mean over the folds."""
        return float(np.mean(self.accuracies))

    @property
    def spread(self) -> float:
        """Standard deviation over the folds (of a sample); 0 for a single one."""
        return float(np.std(self.accuracies, ddof=1)) if len(self.accuracies) > 1 else 0.0

    @property
    def certainty(self) -> float:
        """The factor for the logits with which the probabilities mean what they say."""
        return certainty(self.logits, self.targets)

    @property
    def loss(self) -> float:
        """Mean cross-entropy of the answers once they are as sure as they may be."""
        wide = self.logits.astype(np.float64) * self.certainty
        wide -= wide.max(axis=1, keepdims=True)
        own = np.take_along_axis(wide, self.targets[:, None], axis=1)[:, 0]
        return float(np.mean(np.log(np.exp(wide).sum(axis=1)) - own))

    def to_json(self) -> dict[str, Any]:
        """Figures only."""
        return {
            "way": self.way,
            "accuracy": self.accuracy,
            "spread": self.spread,
            "varied": self.varied,
            "folds": list(self.accuracies),
            "loss": self.loss,
            "pictures": len(self.pictures),
            "time_seconds": round(self.time_seconds, 2),
        } | (asdict(self.tuning) if self.way in ("probe", "finetune") else {})


@dataclass
class Judging:
    """A trial under way: fold after fold, until all are judged or whoever watches has seen enough.

    answers: of each fold judged so far, logits float32 [m, K] for its pictures and then for their copies.
    """

    task: Task
    way: Way
    plan: Plan
    tuning: Tuning
    answers: list[Floats] = field(default_factory=list)
    time_seconds: float = 0.0

    def judge_next(self) -> None:
        """Learn from all folds but the next, and ask what was learned about that one."""
        began = time.perf_counter()
        held = self._held(len(self.answers))
        others = np.setdiff1d(np.arange(len(self.plan.parts)), held)
        self.answers.append(_answers(self.task, self.way, others, self.task.views.of(held), self.tuning))
        self.time_seconds += time.perf_counter() - began

    @property
    def done(self) -> int:
        """How many folds have been judged."""
        return len(self.answers)

    @property
    def to_do(self) -> int:
        """How many folds have not."""
        return len(self.plan.judged) - len(self.answers)

    def best_possible(self) -> tuple[float, float]:
        """`accuracy` and `varied` of the trial if from now on everything were answered rightly."""
        assert not self.task.kept, "a class may be judged in several folds"
        accuracies, right, count = [1.0] * self.to_do, 0, 0
        for number in range(len(self.plan.judged)):
            held = self._held(number)
            rows = self.task.views.of(held)
            count += len(rows)
            if number >= self.done:
                right += len(rows)
                continue
            hits = self.answers[number].argmax(axis=1) == self._targets(rows)
            accuracies.append(float(hits[: len(held)].mean()))
            right += int(hits.sum())
        return float(np.mean(accuracies)), right / count

    def trial(self) -> Trial:
        """What came out. All folds have been judged."""
        assert not self.to_do, self.to_do
        held = [self._held(number) for number in range(self.done)]
        # Copied, for they may be lowered, which the pictures' own, being parts of them, then are as well.
        varied = [answers.copy() for answers in self.answers]
        logits = [answers[: len(own)] for answers, own in zip(varied, held, strict=True)]
        targets = [self.task.glyphs.targets[own] for own in held]
        surplus, kept = 0.0, self.task.kept
        if kept and not self.task.rehearses:
            surplus = surplus_of(np.concatenate(logits), kept)
            for part in varied:
                part[:, kept:] -= surplus
        shown = np.concatenate([self.task.views.of(own) for own in held])
        pictures, answers = np.concatenate(held), np.concatenate(logits)
        return Trial(
            way=self.way,
            pictures=pictures,
            logits=answers,
            targets=np.concatenate(targets),
            accuracies=tuple(_accuracy(self.task, part, truth) for part, truth in zip(logits, targets, strict=True)),
            varied=_accuracy(self.task, np.concatenate(varied), self._targets(shown)),
            tuning=self.tuning,
            time_seconds=self.time_seconds,
            lowered=surplus,
            cost=_cost(self.task, pictures, answers) if self.task.rehearses else 0.0,
        )

    def _held(self, number: int) -> Integers:
        """The pictures of a fold, counted from 0."""
        return np.flatnonzero(self.plan.parts == self.plan.judged[number])

    def _targets(self, rows: Integers) -> Integers:
        """Of views, by their rows."""
        return self.task.glyphs.targets[self.task.views.source[rows]]


def surplus_of(logits: Floats, kept: int) -> float:
    """How much lower all new logits may be for `SHARE_RECOGNISED` of these new pictures to get a new answer still."""
    margins = logits[:, kept:].max(axis=1) - logits[:, :kept].max(axis=1)
    return float(np.quantile(margins, 1 - SHARE_RECOGNISED))


@one_thread()
def _solved(task: Task, way: Way, pictures: Integers, rows: Integers, tuning: Tuning) -> Floats:
    return solve(task, way, pictures, tuning).logits(task.views.features[rows])


def _answers(task: Task, way: Way, pictures: Integers, rows: Integers, tuning: Tuning) -> Floats:
    """Logits for the views in `rows` of a network that learned from `pictures`."""
    if way in ("means", "probe"):
        return _solved(task, way, pictures, rows, tuning)
    classifier = learn(task, way, pictures, tuning).classifier
    if way == "frozen":  # below its last layer it is the base still
        return Head.of(classifier).logits(task.views.features[rows])
    answers: Floats = predict(classifier, torch.from_numpy(task.views.images[rows]), batch_size=task.batch_size).numpy()
    return answers


def _accuracy(task: Task, logits: Floats, targets: Integers) -> float:
    right = logits.argmax(axis=1) == targets
    if not task.kept:
        return float(right.mean())
    return float(np.mean([right[targets == target].mean() for target in np.unique(targets)]))


def _cost(task: Task, held: Integers, logits: Floats) -> float:
    """The share of the kept classes' pictures that the base answers rightly and the new network does not."""
    targets = task.glyphs.targets[held]
    own = targets < task.kept
    before = Head.of(task.base).logits(task.views.features[held[own]]).argmax(axis=1) == targets[own]
    after = logits[own].argmax(axis=1) == targets[own]
    return float(np.mean(before & ~after))
