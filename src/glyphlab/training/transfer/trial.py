"""Which way is best, and how sure its answers may be: stratified cross-validation on the pictures to learn from."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch

from glyphlab.networks.classifier import predict
from glyphlab.training.images import stratified_folds
from glyphlab.training.seeds import Purpose, derived_seed
from glyphlab.training.transfer.adding import SHARE_RECOGNISED, TOLERATED_COST
from glyphlab.training.transfer.heads import Floats, Head, Integers, Tuning, certainty
from glyphlab.training.transfer.task import Task
from glyphlab.training.transfer.ways import Way, learn, solve

FOLDS = 5
# Above so many pictures one fold is judged instead of all: it is large enough, and five trainings take long.
FEW_PICTURES = 1_000
STRENGTHS = tuple(Tuning(strength) for strength in (0.1, 1.0, 10.0))
OWN_WEIGHTS = tuple(Tuning(strength, weight) for strength in (1.0, 10.0) for weight in (1.0, 4.0, 16.0, 64.0, 256.0))

# Told of the way, how many of its folds are judged, and how many there are; before the first and after each.
OnFold = Callable[[Way, int, int], None]


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


def try_ways(task: Task, ways: Iterable[Way], plan: Plan, on_fold: OnFold | None = None) -> list[Trial]:
    """Cross-validate each way. Fine-tuning begins from the probe that was found best, where that was tried before."""
    trials: list[Trial] = []
    for way in ways:
        tuning = next((trial.tuning for trial in trials if trial.way == "probe"), Tuning())
        trials.append(_try_probe(task, plan, on_fold) if way == "probe" else _try(task, way, plan, tuning, on_fold))
    return trials


def best_of(trials: Iterable[Trial]) -> Trial:
    """The most accurate way; of equals the most accurate on varied copies, and of those the one with the least loss.

    Few pictures are often all answered rightly, by every way. Their copies are harder, and were not learned from
    either where the picture was not.
    """
    return min(trials, key=lambda trial: (-round(trial.accuracy, 6), -round(trial.varied, 6), trial.loss))


def _try_probe(task: Task, plan: Plan, on_fold: OnFold | None) -> Trial:
    """The probe with each tuning; the best one, with the time of all.

    Beside kept classes it is the best of those that cost them no more than is tolerated, or the one that costs least.
    """
    tunings = OWN_WEIGHTS if task.rehearses else STRENGTHS
    trials = [_try(task, "probe", plan, tuning, on_fold) for tuning in tunings]
    affordable = [trial for trial in trials if trial.cost <= TOLERATED_COST]
    best = best_of(affordable) if affordable else min(trials, key=lambda trial: trial.cost)
    return replace(best, time_seconds=sum(trial.time_seconds for trial in trials))


def _try(task: Task, way: Way, plan: Plan, tuning: Tuning, on_fold: OnFold | None) -> Trial:
    began = time.monotonic()
    held_back = [np.flatnonzero(plan.parts == fold) for fold in plan.judged]
    logits: list[Floats] = []
    varied: list[Floats] = []
    for number, held in enumerate(held_back):
        if on_fold is not None:
            on_fold(way, number, len(held_back))
        rows = task.views.of(held)
        answers = _answers(task, way, np.setdiff1d(np.arange(len(plan.parts)), held), rows, tuning)
        logits.append(answers[: len(held)])
        varied.append(answers)
    if on_fold is not None:
        on_fold(way, len(held_back), len(held_back))
    targets = [task.glyphs.targets[held] for held in held_back]
    surplus = 0.0
    if task.kept and not task.rehearses:
        surplus = surplus_of(np.concatenate(logits), task.kept)
        for part in varied:  # of which those of the pictures themselves are views
            part[:, task.kept :] -= surplus
    return Trial(
        way=way,
        pictures=np.concatenate(held_back),
        logits=np.concatenate(logits),
        targets=np.concatenate(targets),
        accuracies=tuple(_accuracy(task, part, truth) for part, truth in zip(logits, targets, strict=True)),
        varied=_accuracy(task, np.concatenate(varied), _targets(task, held_back)),
        tuning=tuning,
        time_seconds=time.monotonic() - began,
        lowered=surplus,
        cost=_cost(task, np.concatenate(held_back), np.concatenate(logits)) if task.rehearses else 0.0,
    )


def surplus_of(logits: Floats, kept: int) -> float:
    """How much lower all new logits may be for `SHARE_RECOGNISED` of these new pictures to get a new answer still."""
    margins = logits[:, kept:].max(axis=1) - logits[:, :kept].max(axis=1)
    return float(np.quantile(margins, 1 - SHARE_RECOGNISED))


def _targets(task: Task, held_back: list[Integers]) -> Integers:
    """Of the held-back pictures and their copies."""
    return np.concatenate([task.glyphs.targets[task.views.source[task.views.of(held)]] for held in held_back])


def _answers(task: Task, way: Way, pictures: Integers, rows: Integers, tuning: Tuning) -> Floats:
    """Logits for the views in `rows` of a network that learned from `pictures`."""
    if way in ("means", "probe"):
        return solve(task, way, pictures, tuning).logits(task.views.features[rows])
    learned = learn(task, way, pictures, tuning)
    answers: Floats = predict(learned.classifier, torch.from_numpy(task.views.images[rows])).numpy()
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
