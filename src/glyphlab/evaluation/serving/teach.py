"""The worker that teaches: `python -m glyphlab.evaluation.serving.teach`, started by the service for each teaching.

It ends at once when its input is closed, so that none outlives a service that was killed.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glyphlab.evaluation.serving.lines import Tell, Value, converse

if TYPE_CHECKING:
    from glyphlab.evaluation.transfer.report import TransferReport
    from glyphlab.training.transfer.ways import Way

_NICENESS = 5  # reading goes first
# Where the parts of the work end on the bar; what is left is for learning from all drawings and writing the model.
_PREPARED, _TRIED = 0.2, 0.9
# The way of `glyphlab transfer` that is done in seconds: somebody waits for it. The other ways are for the terminal.
_WAY: Way = "probe"


class _Bar:
    """Turns what a transfer tells into shares of the whole."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._share = 0.0

    def on_picture(self, done: int, total: int) -> None:
        """A picture was prepared."""
        self._to(_PREPARED * done / total, f"preparing pictures, {done} of {total}")

    def on_fold(self, way: Way, done: int, total: int) -> None:
        """A fold was judged."""
        share = _PREPARED + (_TRIED - _PREPARED) * done / total
        self._to(
            share, "learning, and trying what was learned on the others' drawings" if done < total else "finishing"
        )

    def _to(self, share: float, message: str) -> None:
        self._share = max(self._share, share)
        self._tell(self._share, message)


def teach(facts: Value, tell: Tell) -> Value:
    """A commission (`glyphlab.web.seams.Commission`) -> the model's path, and how good it is."""
    tell(0.0, "starting")
    from glyphlab.evaluation.transfer.transfer import transfer

    bar = _Bar(tell)
    report = transfer(
        facts["base"],
        facts["data"],
        way=_WAY,
        add=facts["add"],
        hold_out=False,  # of three drawings of each character every one counts; what is shown is cross-validated
        skip_bad=True,  # one that nothing is written on costs that drawing, not the teaching
        runs_dir=facts["runs_dir"],
        on_picture=bar.on_picture,
        on_fold=bar.on_fold,
    )
    assert report.model is not None  # a base that is a model file gives one
    _name_classes(report.model, facts["labels"])
    return {
        "model": str(report.model),
        "way": report.way,
        "ways": [trial.to_json() for trial in report.trials],
        "accuracy": _accuracy(report),
        "seconds": round(report.time_seconds, 2),
    }


def _accuracy(report: TransferReport) -> dict[str, Any] | None:
    """Of the way that was taken; None where single pictures allowed no cross-validation."""
    for trial in report.trials:
        if trial.way == report.way:
            return {"mean": trial.accuracy, "spread": trial.spread, "folds": list(trial.accuracies)}
    return None


def _name_classes(model: Path, labels: dict[str, str]) -> None:
    """Let the model answer with labels where their folders had to be named otherwise, as for a slash."""
    from glyphlab.evaluation.description import redescribe
    from glyphlab.recognition.recognizer import Recognizer

    info = Recognizer.load(model, threads=1).info
    names = tuple(labels.get(name, name) for name in info.class_names)
    if names == info.class_names or len(set(names)) < len(names):
        return
    redescribe(model, replace(info, class_names=names))


def main() -> None:
    """Answer the one question."""
    # Threads that wait for each other shall sleep, for the service needs the processors as well. Read by libgomp, which
    # comes with torch, when it is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    converse({"teach": teach}, farewell_seconds=0.0)


if __name__ == "__main__":
    main()
