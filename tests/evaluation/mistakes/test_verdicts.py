"""Each rule of the table, the order of the rules, and their borders."""

from __future__ import annotations

import math

import pytest

from glyphlab.evaluation.mistakes.verdicts import Evidence, Kind


def evidence(**changes: object) -> Evidence:
    """A network that is sure of 9 where the label is 4, and nobody else was asked."""
    known: dict[str, object] = {
        "label": "4", "answer": "9", "p_label": 0.01, "p_answer": 0.98, "threshold": 0.95, "look_alike": False
    }  # fmt: skip
    return Evidence(**(known | changes))  # type: ignore[arg-type]


NINES, FOURS = ("9",) * 10, ("4",) * 10


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({}, "model wrong", "too little speaks against the label"),  # one network alone accuses nobody
        ({"nearest": NINES}, "label suspicious", "the label is suspicious"),
        ({"nearest": NINES, "p_answer": 0.9}, "ambiguous", "other networks could settle it"),
        ({"nearest": (*NINES[:9], "4")}, "ambiguous", "other networks could settle it"),
        ({"nearest": NINES[:5] + FOURS[:5]}, "model wrong", "too little speaks against the label"),
        ({"nearest": FOURS}, "model wrong", "the model is wrong"),
        ({"nearest": ("9", "9")}, "ambiguous", "other networks could settle it"),  # too few to count as witnesses
        ({"votes": ("9", "9")}, "label suspicious", "the label is suspicious"),
        ({"votes": ("9", "9"), "p_answer": 0.7}, "label suspicious", "the label is suspicious"),
        ({"votes": ("9", "9", "4")}, "ambiguous", "do not settle it"),  # one network reads the label
        ({"votes": ("9", "9", "7")}, "label suspicious", "the label is suspicious"),
        ({"votes": ("9", "7")}, "ambiguous", "do not settle it"),  # half is not most
        ({"votes": ("4", "9")}, "ambiguous", "do not settle it"),
        ({"votes": ("4", "4"), "nearest": NINES}, "model wrong", "the model is wrong"),  # networks go before neighbours
        ({"p_answer": 0.6, "p_label": 0.1}, "ambiguous", "torn between 9 and the label 4"),
        ({"p_answer": 0.61, "p_label": 0.1}, "model wrong", "too little speaks against the label"),
        ({"votes": ("9", "9"), "p_answer": 0.5, "p_label": 0.4}, "ambiguous", "torn between"),
        ({"look_alike": True, "nearest": NINES}, "ambiguous", "4 and 9 are written alike"),
        ({"look_alike": True, "votes": ("9", "9")}, "ambiguous", "4 and 9 are written alike"),
        ({"look_alike": True, "votes": ("4", "4")}, "ambiguous", "4 and 9 are written alike"),
        ({"nearest": NINES, "threshold": math.inf}, "ambiguous", "no image is labelled 9"),
        ({"nearest": NINES, "threshold": 0.98}, "label suspicious", "sure of 9"),  # at the threshold is sure
    ],
)
def test_the_first_rule_that_applies_decides(changes: dict[str, object], kind: Kind, words: str) -> None:
    found, reason = evidence(**changes).verdict()
    assert found == kind
    assert words in reason


def test_a_reason_names_all_evidence_in_plain_words() -> None:
    full = evidence(votes=("9", "9", "7"), nearest=("9",) * 9 + ("4",))
    assert full.verdict()[1] == (
        "sure of 9 (98%; usual for 9: 95%), the label 4 gets 1%; other networks say 9 (2 of 3), 7 (1 of 3); the "
        "nearest training images are 9 (9 of 10), 4 (1 of 10): the label is suspicious"
    )
    assert evidence(p_answer=0.9).verdict()[1].startswith("says 9 (90%; usual for 9: 95%), the label 4 gets 1%: ")
