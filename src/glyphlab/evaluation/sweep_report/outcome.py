"""Holding a sweep's prediction against its outcome, claim by claim."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

from glyphlab.evaluation.sweep_report.importance import Importance
from glyphlab.training.sweep.results import SweepResults

Verdict = Literal["held", "failed", "open"]


@dataclass(frozen=True)
class Claim:
    """One checkable claim and what became of it."""

    said: str
    found: str
    verdict: Verdict


def judge_prediction(results: SweepResults, importance: Importance | None) -> list[Claim]:
    """The prediction's checkable claims with their verdicts; none before a trial has finished.

    A claim on the best trial is open where a trial that would decide it otherwise cannot be told from the best one, or
    has not been trained yet.
    """
    prediction, best = results.definition.prediction, results.best
    if prediction is None or best is None or best.result is None:
        return []
    claims = [_setting(results, key, value) for key, value in prediction.best.items()]
    if prediction.best_accuracy is not None:
        low, high = prediction.best_accuracy
        found = best.result["accuracy"]
        verdict: Verdict = "held" if low <= found <= high else "failed"
        if found < low and not results.is_over:
            verdict = "open"
        claims.append(Claim(f"the best accuracy lies between {low:.1%} and {high:.1%}", f"{found:.2%}", verdict))
    if prediction.most_important is not None:
        conditional = {dimension.key for dimension in results.definition.space.dimensions if dimension.when}
        claims.append(_most_important(prediction.most_important, importance, conditional))
    return claims


def _setting(results: SweepResults, key: str, value: Any) -> Claim:
    best = results.best
    assert best is not None
    found = best.trial.point.get(key)
    said = f"the best trial has {key} = {value}"
    alike = [entry.trial for entry in results.equals_of_best()]
    near = [trial for trial in alike if (trial.point.get(key) == value) != (found == value)]
    if near:
        rival = f"trial {near[0].label}, with {near[0].point.get(key)}, is too close to tell them apart"
        return Claim(said, f"trial {best.label} has {found}, but {rival}", "open")
    if found == value:
        return Claim(said, f"so it has (trial {best.label})", "held")
    if all(entry.trial.point.get(key) != value for entry in results.finished):
        return Claim(said, f"trial {best.label} has {found}, but none with {value} has finished", "open")
    return Claim(said, f"trial {best.label} has {found}, and no trial with {value} comes near", "failed")


def _most_important(key: str, importance: Importance | None, conditional: Collection[str]) -> Claim:
    said = f"{key} matters most"
    if importance is None:
        return Claim(said, "too few trials to tell", "open")
    if key in conditional:
        return Claim(said, "not every trial has it, and its share is part of the setting that it depends on", "open")
    first, share = importance.alone[0]
    if first == key:
        return Claim(said, f"it explains {share:.0%} of the differences by itself", "held")
    return Claim(said, f"{first} explains {share:.0%}, {key} {importance.of(key):.0%}", "failed")
