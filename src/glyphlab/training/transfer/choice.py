"""Which ways are tried, in which order and how long, and which of them is taken.

The rule, in this order; no test picture takes part in it:

1. the most accurate in cross-validation, every way on the same folds;
2. of equals, the most accurate when the judged pictures' varied copies are judged as well. Few pictures are often all
   answered rightly, by every way. Their copies are harder, and were not learned from either where the picture was not;
3. of these, the one with the least loss.

Quick ways come first, so that a slow one need not be tried, or not to its end, where it cannot win by 1 and 2 any more.
That changes no choice, but for step 3. A slow way is also left out where the time does not suffice for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from glyphlab.training.transfer.adding import TOLERATED_COST
from glyphlab.training.transfer.finetune import images_to_train_on
from glyphlab.training.transfer.heads import Tuning
from glyphlab.training.transfer.task import Task
from glyphlab.training.transfer.trial import Judging, Plan, Trial
from glyphlab.training.transfer.ways import Way

STRENGTHS = tuple(Tuning(strength) for strength in (0.1, 1.0, 10.0))
OWN_WEIGHTS = tuple(Tuning(strength, weight) for strength in (1.0, 10.0) for weight in (1.0, 4.0, 16.0, 64.0, 256.0))

# Fine-tuning on a picture takes about so many times as long as looking at it: back is twice as far as forth.
# Measured: 1.8 to 2.8.
_TRAINING_TO_LOOKING = 3.0
_SAME = 1e-6  # accuracies are shares of a few thousand pictures

# Told of the way, how many of its folds are judged, and how many there are, those of the probe for each tuning; before
# the first and after each.
OnFold = Callable[[Way, int, int], None]


@dataclass(frozen=True)
class Untried:
    """A way that was not tried, or not to its end. reason: in words. time_seconds: spent on it all the same."""

    way: Way
    reason: str
    time_seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"way": self.way, "reason": self.reason, "time_seconds": round(self.time_seconds, 2)}


@dataclass(frozen=True, eq=False)
class Choice:
    """What was tried, in the order in which it was, and what was not."""

    trials: list[Trial] = field(default_factory=list)
    untried: list[Untried] = field(default_factory=list)

    @property
    def best(self) -> Trial:
        """The trial of the way to be taken."""
        return best_of(self.trials)


def best_of(trials: Iterable[Trial]) -> Trial:
    """The first by the rule above."""
    return min(trials, key=lambda trial: (-round(trial.accuracy, 6), -round(trial.varied, 6), trial.loss))


def try_ways(
    task: Task,
    ways: Iterable[Way],
    plan: Plan,
    on_fold: OnFold | None = None,
    seconds_left: Callable[[], float] = lambda: math.inf,
) -> Choice:
    """Cross-validate the ways, quick ones first.

    Fine-tuning begins from the probe that was found best. seconds_left: what is left for trying ways and for learning
    from all pictures by the best one. Solving for a last layer is always tried, and so is a way that stands alone.
    """
    choice = Choice()
    wanted = list(ways)
    for way in wanted:
        if way == "probe":
            choice.trials.append(_try_probe(task, plan, on_fold))
            continue
        judging = Judging(task, way, plan, _tuning(task, plan, choice) if way == "finetune" else Tuning())
        rivals = [] if way == "means" or len(wanted) == 1 else choice.trials
        tried = _judge(judging, rivals, on_fold, seconds_left)
        (choice.untried if isinstance(tried, Untried) else choice.trials).append(tried)  # type: ignore[arg-type]
    return choice


def _judge(
    judging: Judging, rivals: list[Trial], on_fold: OnFold | None, seconds_left: Callable[[], float]
) -> Trial | Untried:
    """All folds, or as many as it takes to see that the way will not win, or that the time will not suffice."""
    total = judging.to_do
    while judging.to_do:
        if on_fold is not None:
            on_fold(judging.way, judging.done, total)
        reason = _reason_against(judging, rivals, seconds_left) if rivals else None
        if reason is not None:
            if on_fold is not None:
                on_fold(judging.way, total, total)
            stopped = f"stopped after {judging.done} of {total} folds" if judging.done else "not tried"
            return Untried(judging.way, f"{stopped}: {reason}", judging.time_seconds)
        judging.judge_next()
    if on_fold is not None:
        on_fold(judging.way, total, total)
    return judging.trial()


def _reason_against(judging: Judging, rivals: list[Trial], seconds_left: Callable[[], float]) -> str | None:
    best = best_of(rivals)
    if judging.way == "finetune" and not _may_win(judging.best_possible(), best):
        return f"{best.way} cannot be overtaken any more" if judging.done else f"{best.way} answers everything rightly"
    needed, left = _seconds_needed(judging), seconds_left()
    if left <= 0:
        return "no time is left (--seconds)"
    if needed > left:
        return f"would take about {needed:.0f} s more, {left:.0f} s are left (--seconds)"
    return None


def _may_win(possible: tuple[float, float], best: Trial) -> bool:
    accuracy, varied = (mine - theirs for mine, theirs in zip(possible, (best.accuracy, best.varied), strict=True))
    return accuracy > _SAME or (accuracy > -_SAME and varied > _SAME)


def _seconds_needed(judging: Judging) -> float:
    """For the folds that are left, and for learning from all pictures once the way has won."""
    if judging.done:
        return judging.time_seconds / judging.done * (judging.to_do + 1)
    if judging.way != "finetune":
        return 0.0  # the first fold will tell
    task, pictures = judging.task, len(judging.task.glyphs)
    images = images_to_train_on(task.recipe, pictures) * (judging.to_do + 1)
    return images * task.views.seconds_per_image * _TRAINING_TO_LOOKING


def _tuning(task: Task, plan: Plan, choice: Choice) -> Tuning:
    """The probe's from which fine-tuning begins: the same whether or not the probe is one of the ways."""
    tried = next((trial for trial in choice.trials if trial.way == "probe"), None)
    return (tried or _try_probe(task, plan, None)).tuning


def _try_probe(task: Task, plan: Plan, on_fold: OnFold | None) -> Trial:
    """The probe with each tuning; the best one, with the time of all.

    Beside kept classes it is the best of those that cost them no more than is tolerated, or the one that costs least.
    """
    tunings = OWN_WEIGHTS if task.rehearses else STRENGTHS
    trials: list[Trial] = []
    folds = len(plan.judged)
    for number, tuning in enumerate(tunings):
        judging = Judging(task, "probe", plan, tuning)
        while judging.to_do:
            if on_fold is not None:
                on_fold("probe", number * folds + judging.done, len(tunings) * folds)
            judging.judge_next()
        trials.append(judging.trial())
    if on_fold is not None:
        on_fold("probe", len(tunings) * folds, len(tunings) * folds)
    affordable = [trial for trial in trials if trial.cost <= TOLERATED_COST]
    best = best_of(affordable) if affordable else min(trials, key=lambda trial: trial.cost)
    return replace(best, time_seconds=sum(trial.time_seconds for trial in trials))
